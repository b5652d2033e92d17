"""In bad weather rows wait, share what is left, and end well; what is wrong with one of them costs that one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from engine import FREE, Engine, Limits, Outcome, ProviderUnavailable, Request
from engine.clock import SystemClock
from engine.fakes import virtual_time
from engine.fakes.worlds import EchoWorld
from engine.messages import RawReply
from engine.providers import ConnectionFailed
from engine.providers.simulated import Simulated
from engine.retry import TRIES

LATENCY_S = 0.3

Fate = Callable[[Request, float, int], str]
"""What happens to a request at that time, and when so many were sent before: a kind of failure, or nothing."""


class Fated(Simulated):
    """An echo, unless fate says otherwise. Remembers what was sent, and when."""

    def __init__(self, fate: Fate) -> None:
        super().__init__(EchoWorld(), SystemClock())
        self.fate = fate
        self.sent: list[tuple[float, str]] = []

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        now = asyncio.get_running_loop().time()
        failure = self.fate(request, now, len(self.sent))
        self.sent.append((now, request.messages[-1].content))
        if failure == "refused":
            raise ConnectionFailed("nobody is there", sent=False)
        await asyncio.sleep(timeout_s if failure == "silent" else LATENCY_S)
        if failure in ("reset", "silent"):
            raise ConnectionFailed("the line is dead")
        return RawReply(500, {}, b"", 0.0) if failure else await super().send(request, timeout_s=timeout_s)


def asked(
    fate: Fate, *, rows: int, concurrency: int | None = None, limits: Limits | None = None
) -> tuple[Sequence[Outcome], Fated]:
    async def main() -> tuple[Sequence[Outcome], Fated]:
        provider = Fated(fate)
        async with Engine(
            provider, price=FREE, concurrency=concurrency, limits=limits, attempt_timeout_s=20.0
        ) as engine:
            requests = (Request.user(f"{i}", max_tokens=5) for i in range(rows))
            return [outcome async for outcome in engine.map(requests)], provider

    return virtual_time.run(main())


def lost(outcomes: Sequence[Outcome]) -> list[str]:
    return [f"{outcome.request.messages[-1].content}: {outcome.error}" for outcome in outcomes if outcome.error]


@pytest.mark.parametrize("failure", ["error", "refused", "reset", "silent"])
@pytest.mark.parametrize("outage_s", [60.0, pytest.param(300.0, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("concurrency", "limits", "rows"),
    [(1, None, 100), (20, None, 2_000), (None, Limits(rpm=600), 200)],
    ids=["one by one", "at once", "paced"],
)
@pytest.mark.long
def test_an_outage_costs_time_and_no_rows(
    failure: str, outage_s: float, concurrency: int | None, limits: Limits | None, rows: int
) -> None:
    """Nothing works for minutes; what fails then is weather, and uses up nobody's tries."""
    outcomes, provider = asked(
        lambda _, now, __: failure if 5.0 <= now < 5.0 + outage_s else "",
        rows=rows,
        concurrency=concurrency,
        limits=limits,
    )

    assert lost(outcomes) == []
    assert len(provider.sent) <= 2 * rows + 200


def test_what_fails_for_ever_gets_its_tries_and_the_others_go_on() -> None:
    outcomes, provider = asked(lambda request, *_: "error" * (request.messages[-1].content == "7"), rows=100)

    assert [type(outcome.error) for outcome in outcomes if outcome.error] == [ProviderUnavailable]
    assert sum(text == "7" for _, text in provider.sent) == TRIES


def test_whoever_waits_after_a_failure_holds_no_slot() -> None:
    _, provider = asked(lambda _, __, number: "error" * (number == 0), rows=2, concurrency=1)

    assert [text for _, text in provider.sent] == ["0", "1", "0"]
    assert provider.sent[1][0] == LATENCY_S


def test_a_row_that_fails_once_is_not_lost_behind_those_who_wait_at_a_low_limit() -> None:
    """A thousand rows at one a second are a line that takes longer than a request has."""
    outcomes, provider = asked(lambda _, __, number: "error" * (number == 0), rows=1_000, limits=Limits(rpm=60))

    assert lost(outcomes) == []
    assert [text for _, text in provider.sent[:3]].count("0") == 2


@pytest.mark.parametrize("hours", [1, 5])
def test_who_stands_in_line_waits_for_as_long_as_the_provider_asks_for(hours: int) -> None:
    class Asking(Fated):
        async def send(self, request: Request, *, timeout_s: float) -> RawReply:
            if not self.sent:
                self.sent.append((0.0, ""))
                return RawReply(429, {"retry-after": str(hours * 3600)}, b"", 0.0)
            return await super().send(request, timeout_s=timeout_s)

    async def main() -> list[Outcome]:
        async with Engine(Asking(lambda *_: ""), price=FREE, concurrency=1) as engine:
            return [outcome async for outcome in engine.map(Request.user(f"{i}") for i in range(50))]

    outcomes = virtual_time.run(main())
    assert len(lost(outcomes)) <= 1  # the one that was sent: its own time is over


def test_a_days_allowance_that_is_used_up_is_waited_for() -> None:
    outcomes, provider = asked(lambda *_: "", rows=60, limits=Limits(rpd=50))

    assert lost(outcomes) == []
    assert provider.sent[-1][0] > 3600


def test_nobody_waits_for_ever_for_what_is_put_off_again_and_again() -> None:
    class Putting(Fated):
        async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002 - it is always the same
            self.sent.append((asyncio.get_running_loop().time(), ""))
            return RawReply(429, {"retry-after": "600"}, b"", 0.0)

    async def main() -> float:
        async with Engine(Putting(lambda *_: ""), price=FREE, concurrency=1) as engine:
            outcomes = [outcome async for outcome in engine.map(Request.user(f"{i}") for i in range(20))]
            assert len(lost(outcomes)) == 20
            return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) < 3 * 86_400
