"""A run in batches makes what it makes online, but for what each row cost: half the price."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from agents.config import Configuration
from agents.models import BATCHED, open_engine
from agents.pipeline import make_data
from agents.prepare import prepare
from agents.records import Example
from agents.run_folder import RunFolder
from engine import Engine, Events, UserError
from engine.batches import Timing
from engine.batches.voyage import paced
from engine.fakes.batches import BatchBehaviour
from engine.fakes.server import FakeProvider
from engine.providers.resolve import world_named

PROMPT = (Path(__file__).parents[2] / "agents" / "demo" / "dates" / "prompt.md").read_text(encoding="utf-8")


def configuration(url: str, *, batch: bool, hedge: bool = False, examples: int = 24) -> Configuration:
    return Configuration(
        model="openai/dates",
        base_url=url,
        budget="5",
        price_in="0.25",
        price_out="2",
        price_batch="0.5",
        examples=examples,
        train=False,
        batch=batch,
        hedge=hedge,
    )


def test_a_run_asks_inputs_and_labels_in_batches(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)

    engine = open_engine(folder, configuration("http://127.0.0.1:9/v1", batch=True), events=Events())

    assert set(engine._routes.branches[0].batch) == set(BATCHED) == {"transform", "generate", "annotate"}


def test_a_simulated_teacher_has_no_batches_and_says_so_before_anything_is_written() -> None:
    with pytest.raises(UserError, match="no batch endpoint"):
        prepare(Configuration(model="simulated/dates", batch=True, train=False), prompt=PROMPT)


def test_batches_are_not_hedged() -> None:
    with pytest.raises(UserError, match="not hedged"):
        prepare(configuration("http://127.0.0.1:9/v1", batch=True, hedge=True), prompt=PROMPT)


def without_cost(row: Example) -> Example:
    vote, provenance = replace(row.vote, cost_usd=0.0), replace(row.provenance, cost_usd=0.0)
    return replace(row, vote=vote, provenance=provenance)


@pytest.mark.slow
def test_rows_are_the_same_in_batches_as_online_and_cost_half(tmp_path: Path) -> None:
    soon = Timing(quiet_s=0.05, first_look_s=0.02, longest_look_s=0.1, calls_a_second=10_000)

    async def rows(fake: FakeProvider, *, batch: bool) -> tuple[object, int]:
        options = configuration(fake.url, batch=batch, examples=60)
        folder = RunFolder(tmp_path / str(batch))
        folder.begin(prompt=PROMPT, configuration=options)

        def hurry(engine: Engine) -> None:
            if engine._routes.branches[0].depot is not None:
                engine._routes.branches[0].depot._packing._quiet_s = soon.quiet_s
                engine._routes.branches[0].depot._voyages._timing = soon
                engine._routes.branches[0].depot._voyages._pace = paced(soon.calls_a_second)

        before = fake.audit.billed
        made = await make_data(folder, options, withheld=(), events=Events(), on_engine=hurry)
        return [without_cost(each) for each in made.synthesis.examples], fake.audit.billed - before

    async def main() -> None:
        async with FakeProvider(
            world_named("dates", seed=0), latency_scale=0, batches=BatchBehaviour(seconds=0.05, expiring=0.05)
        ) as fake:
            online, dear = await rows(fake, batch=False)
            batched, cheap = await rows(fake, batch=True)
            assert batched == online
            assert 0.45 * dear <= cheap <= 0.6 * dear  # the question what inputs differ in goes alone

    asyncio.run(main())
