"""Claim: with a long instruction, marks for the prompt cache at least halve the price of a run in Anthropic's dialect.

The regimes are the lengths of the instruction. As the demo has it, it is shorter than what any model keeps, and the
bill must be the same with marks and without; with the rules of a house before it (some 1,500 tokens), every request
begins with what the one before has paid for. The pipeline makes rows of a simulated world over HTTP, and the provider's
own books are the judge: they must agree with ours to the last pico-dollar. Prices are those of a middling model.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from pathlib import Path

from agents.demo.dates.world import World
from agents.making.synthesize import Settings, synthesize
from agents.parsing.parse import parse, read_prompt
from agents.records import Spec
from engine import Budget, Engine, Events, Price
from engine.fakes.server import FakeProvider
from engine.providers.profile import Profile, profiles

MODEL = "anthropic/claude-sonnet-4-5"
PRICE = Price(input=3, output=15, cached_input="0.3", cache_write="3.75")
ROWS = 400
LATENCY_SCALE = 0.05
LEAST_SAVED = 0.5
RULE = "Rule {n}: what is written in figures is read in figures, and what is written in words is read in words. "
HOUSE_RULES = "".join(RULE.format(n=n) for n in range(1, 61))


class PricedWorld(World):
    """The demo's dates at the prices of a model with a prompt cache."""

    price = PRICE


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What a run came to, in USD as the provider billed it."""

    usd: float
    rows: int
    requests: int
    hit_share: float
    saved_usd: float
    agrees: bool  # our ledger with the provider's


def main() -> None:
    spec = parse(read_prompt(Path(str(files("agents.demo") / "dates" / "prompt.md"))))
    long = replace(spec, instruction=f"{HOUSE_RULES}\n\n{spec.instruction}")
    profile = profiles()["anthropic-plain"]
    table = {
        name: {
            "marked": asyncio.run(make_rows(task, profile)),
            "unmarked": asyncio.run(make_rows(task, replace(profile, cache_mark={}))),
        }
        for name, task in (("short", spec), ("long", long))
    }
    print(f"{'instruction':<12} {'':<9} {'USD':>8} {'rows':>5} {'requests':>9} {'from cache':>11} {'books agree':>12}")
    for name, runs in table.items():
        for how, run in runs.items():
            print_row(name, how, run)
    saved = {name: 1 - runs["marked"].usd / runs["unmarked"].usd for name, runs in table.items()}
    holds = saved["long"] >= LEAST_SAVED and all(run.agrees for runs in table.values() for run in runs.values())
    print(f"marks save {saved['long']:.0%} with a long instruction: {'holds' if holds else 'DOES NOT HOLD'}")
    figures = {name: {how: asdict(run) for how, run in runs.items()} for name, runs in table.items()}
    print(json.dumps({"benchmark": "caching", "rows": ROWS, "holds": holds, "saved": saved} | figures))


async def make_rows(spec: Spec, profile: Profile) -> Run:
    async with (
        FakeProvider(PricedWorld(), latency_scale=LATENCY_SCALE) as fake,
        Engine(MODEL, base_url=fake.url, dialect=profile, api_key="key", budget=Budget(usd=50), price=PRICE) as engine,
    ):
        settings = Settings(examples=ROWS).within(engine.capabilities)
        made = await synthesize(engine, spec, settings=settings, events=Events())
        figures = engine.statistics()
        return Run(
            usd=round(fake.audit.billed_usd, 4),
            rows=len(made.examples),
            requests=figures.attempts,
            hit_share=round(figures.cached_share, 4),
            saved_usd=round(figures.saved_by_cache / 10**12, 4),
            agrees=figures.spent == fake.audit.billed,
        )


def print_row(name: str, how: str, run: Run) -> None:
    books = "yes" if run.agrees else "NO"
    print(f"{name:<12} {how:<9} {run.usd:>8.4f} {run.rows:>5} {run.requests:>9} {run.hit_share:>11.1%} {books:>12}")


if __name__ == "__main__":
    main()
