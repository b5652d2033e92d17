"""Every step of a batch meets what can go wrong: nothing is paid for twice, nothing is lost, and nothing hangs.

Over a socket, through the official SDKs; nothing waits for longer than a moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import AuthenticationRefused, Budget, ConfigurationRefused, Engine, Outcome, Price, QuotaExhausted, Request
from engine.batches import Timing
from engine.batches.course import MOST_FAILURES
from engine.errors import SmeltError
from engine.fakes.behaviour import Behaviour
from engine.fakes.rules import Rule, When
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld

ROWS = 6
PRICE = Price(input="0.25", output=2, batch="0.5")
SOON = Timing(
    quiet_s=0.005, first_look_s=0.005, longest_look_s=0.01, grace_s=0.05, first_retry_s=0.005, longest_retry_s=0.01,
    calls_a_second=10_000,
)  # fmt: skip

STEPS = {
    "openai": {
        "upload": When(method="POST", path="/v1/files"),
        "create": When(method="POST", path="/v1/batches"),
        "find": When(method="GET", path="/v1/batches"),
        "look": When(method="GET", path="/v1/batches/*"),
        "fetch": When(method="GET", path="/v1/files/*/content"),
    },
    "anthropic": {
        "create": When(method="POST", path="/v1/messages/batches"),
        "find": When(method="GET", path="/v1/messages/batches"),
        "look": When(method="GET", path="/v1/messages/batches/*[0-9]"),
        "fetch": When(method="GET", path="/v1/messages/batches/*/results"),
    },
}
EVERY_STEP = [pytest.param(dialect, step, id=f"{dialect}-{step}") for dialect, steps in STEPS.items() for step in steps]

# What may be chance, each once.
CHANCE: dict[str, dict[str, Any]] = {
    "reset": {}, "reset_unread": {}, "refuse": {"seconds": 0.02}, "truncated": {},
    "length_too_long": {}, "breaks_when_reused": {}, "stall": {"seconds": 0.02}, "drip": {"seconds": 0.0},
    "garbled": {}, "empty_body": {}, "html": {}, "not_an_object": {},
    "nan": {}, "bom": {}, "deep_nesting": {}, "long_integer": {},
    "408-timeout": {}, "429-requests": {"retry_after": "0.01"}, "429-ramp": {"retry_after": "0.01"}, "500-server": {},
    "502-edge": {}, "503-overloaded": {}, "504-empty": {}, "529-overloaded": {},
    "200-error": {}, "headers_malformed": {}, "huge_header": {}, "gzip_bomb": {"megabytes": 8},
}  # fmt: skip


STOPS: dict[str, type[SmeltError]] = {"401-key": AuthenticationRefused, "429-quota": QuotaExhausted}


def rules_at(dialect: str, step: str, *mishaps: str) -> tuple[Rule, ...]:
    """These happen at a step, one after the other. To be looked for, a batch must have been made without a word."""
    rules = [Rule(do, replace(STEPS[dialect][step], first=1), CHANCE.get(do, {})) for do in mishaps]
    return (*rules, *(rules_at(dialect, "create", "reset") if step == "find" else ()))


@asynccontextmanager
async def opened(fake: FakeProvider, dialect: str, folder: Path) -> AsyncIterator[Engine]:
    async with Engine(
        f"{dialect}/m", base_url=fake.url, api_key="a-key", budget=Budget(usd=1), price=PRICE,
        journal=folder / "journal.db", batch=True, batch_timing=SOON,
    ) as engine:  # fmt: skip
        yield engine


async def asked(engine: Engine) -> Sequence[Outcome]:
    requests = [Request.user(f"text {number}", max_tokens=20) for number in range(ROWS)]
    return [outcome async for outcome in engine.map(requests)]


def check_survived(dialect: str, step: str, mishaps: Sequence[str], folder: Path) -> None:
    """It all happened, every row has its answer, there was one batch, and our books are the provider's."""

    async def main() -> None:
        async with FakeProvider(EchoWorld(), rules=rules_at(dialect, step, *mishaps)) as fake:
            async with opened(fake, dialect, folder) as engine:
                outcomes = await asked(engine)
                statistics = engine.statistics()
            assert [outcome.unwrap().text for outcome in outcomes] == [f"text {number}" for number in range(ROWS)]
            assert (statistics.spent, statistics.assumed) == (fake.audit.billed, 0)
            assert len(fake.jobs.jobs) == 1
            assert set(mishaps) <= {entry.fault for entry in fake.audit.entries}

    asyncio.run(main())


@pytest.mark.parametrize(("dialect", "step"), EVERY_STEP)
def test_a_step_that_fails_by_chance_is_taken_again_and_nothing_is_paid_twice(
    dialect: str, step: str, tmp_path: Path
) -> None:
    check_survived(dialect, step, ["500-server", "html"], tmp_path)


@pytest.mark.parametrize("step", ["look", "fetch"])
@pytest.mark.parametrize("dialect", STEPS)
def test_a_batch_or_results_that_are_not_there_at_once_are_not_paid_twice(
    dialect: str, step: str, tmp_path: Path
) -> None:
    check_survived(dialect, step, ["404-model", "404-model"], tmp_path)


@pytest.mark.parametrize("dialect", STEPS)
def test_a_batch_that_is_never_there_ends_the_run_after_a_few_looks_and_is_found_again(
    dialect: str, tmp_path: Path
) -> None:
    async def main() -> None:
        async with FakeProvider(EchoWorld(), rules=[Rule("404-model", STEPS[dialect]["look"])]) as fake:
            async with opened(fake, dialect, tmp_path) as engine:
                outcomes = await asked(engine)
            assert {type(outcome.error) for outcome in outcomes} == {ConfigurationRefused}
            assert "use the key of the account that made it" in str(outcomes[0].error)
            assert sum(entry.fault == "404-model" for entry in fake.audit.entries) == MOST_FAILURES + 1
            fake.behave(Behaviour())
            async with opened(fake, dialect, tmp_path) as engine:
                assert all(outcome.reply is not None for outcome in await asked(engine))
            assert len(fake.jobs.jobs) == 1

    asyncio.run(main())


@pytest.mark.slow
@pytest.mark.parametrize("do", CHANCE)
@pytest.mark.parametrize(("dialect", "step"), EVERY_STEP)
def test_whatever_happens_at_any_step_nothing_is_paid_twice(dialect: str, step: str, do: str, tmp_path: Path) -> None:
    check_survived(dialect, step, [do], tmp_path)


@pytest.mark.parametrize("do", STOPS)
@pytest.mark.parametrize(("dialect", "step"), EVERY_STEP)
def test_a_step_that_is_refused_stops_and_whoever_goes_on_finds_everything(
    dialect: str, step: str, do: str, tmp_path: Path
) -> None:
    async def main() -> None:
        rules = (Rule(do, STEPS[dialect][step]), *rules_at(dialect, "create", "reset"))
        async with FakeProvider(EchoWorld(), rules=rules if step == "find" else rules[:1]) as fake:
            async with opened(fake, dialect, tmp_path) as engine:
                assert {type(outcome.error) for outcome in await asked(engine)} == {STOPS[do]}
            fake.behave(Behaviour())
            async with opened(fake, dialect, tmp_path) as engine:
                assert all(outcome.reply is not None for outcome in await asked(engine))
                statistics = engine.statistics()
            assert (statistics.spent, statistics.assumed) == (fake.audit.billed, 0)
            assert len(fake.jobs.jobs) == 1

    asyncio.run(main())
