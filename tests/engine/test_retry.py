"""Every class of failure gets what it deserves: another try, a wait, or the last word."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from random import Random

import pytest

from engine import errors
from engine.clock import SystemClock
from engine.fakes import virtual_time
from engine.retry import TRIES, Setback, persist, wait_s
from engine.verdict import Kind, Verdict


class Scripted:
    """Fails with each verdict in turn, then answers."""

    def __init__(self, *verdicts: Verdict) -> None:
        self.verdicts = list(verdicts)
        self.times: list[float] = []

    async def __call__(self) -> str:
        self.times.append(asyncio.get_running_loop().time())
        if self.verdicts:
            raise Setback(self.verdicts.pop(0))
        return "answer"


def failing(kind: Kind, *, delay_s: float | None = None, final: bool = False) -> Verdict:
    return Verdict(kind=kind, message=f"{kind} again", delay_s=delay_s, final=final)


async def persisting(
    script: Callable[[], Awaitable[str]],
    *,
    deadline: float = 900.0,
    notify: Callable[[Verdict, float | None], None] = lambda *_: None,
) -> str:
    """As the engine does it: a first attempt, and more where it fails."""
    try:
        return await script()
    except Setback as first:
        return await persist(
            script, after=first, deadline=lambda: deadline, clock=SystemClock(), chance=Random(0), notify=notify
        )


def tried(script: Callable[[], Awaitable[str]], *, deadline: float = 900.0) -> tuple[str, list[float | None]]:
    """What came of it, and the wait after each failure."""
    waits: list[float | None] = []
    asking = persisting(script, deadline=deadline, notify=lambda _, delay_s: waits.append(delay_s))
    return virtual_time.run(asking), waits


def test_a_success_is_tried_once() -> None:
    script = Scripted()

    assert tried(script) == ("answer", [])
    assert len(script.times) == 1


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.PROTOCOL])
def test_what_may_be_chance_gets_a_few_tries(kind: Kind) -> None:
    assert tried(Scripted(*[failing(kind)] * (TRIES - 1)))[0] == "answer"

    script = Scripted(*[failing(kind)] * 9)
    with pytest.raises(errors.RequestFailed, match="again"):
        tried(script)
    assert len(script.times) == TRIES


def test_chance_in_an_outage_is_weather() -> None:
    setbacks = [Setback(failing(Kind.TRANSIENT), in_outage=i > 0) for i in range(30)]

    async def attempt() -> str:
        if setbacks:
            raise setbacks.pop(0)
        return "answer"

    answer, waits = tried(attempt)
    assert answer == "answer"
    assert None not in waits


@pytest.mark.parametrize("kind", [Kind.RATE, Kind.OVERLOAD])
def test_weather_uses_up_no_tries_but_time(kind: Kind) -> None:
    script = Scripted(*[failing(kind)] * 20)
    assert tried(script)[0] == "answer"

    with pytest.raises(errors.ProviderUnavailable):
        tried(Scripted(*[failing(kind)] * 10_000), deadline=600.0)


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        (Kind.CONTEXT, errors.ContextOverflow),
        (Kind.FILTERED, errors.ContentFiltered),
        (Kind.CONFIG, errors.RequestRejected),
        (Kind.AUTH, errors.AuthenticationRefused),
        (Kind.QUOTA, errors.QuotaExhausted),
    ],
)
def test_what_cannot_get_better_is_not_tried_again(kind: Kind, error: type[Exception]) -> None:
    script = Scripted(failing(kind))

    with pytest.raises(error):
        tried(script)
    assert len(script.times) == 1


def test_who_could_not_connect_waits_for_the_door_to_open() -> None:
    """Nobody has seen the request, so it is not its bad luck, however often."""
    shut = Verdict(kind=Kind.TRANSIENT, message="no connection", billed=False, unreached=True)

    answer, waits = tried(Scripted(*[shut] * 20))

    assert (answer, len(waits)) == ("answer", 20)
    with pytest.raises(errors.ProviderUnavailable):
        tried(Scripted(*[shut] * 200))


def test_the_last_failure_has_the_last_word() -> None:
    script = Scripted(failing(Kind.RATE), failing(Kind.TRANSIENT), failing(Kind.CONTEXT))

    with pytest.raises(errors.ContextOverflow, match="context again"):
        tried(script)
    assert len(script.times) == 3


def test_a_provider_that_says_so_is_not_asked_again() -> None:
    script = Scripted(failing(Kind.OVERLOAD, final=True))

    with pytest.raises(errors.ProviderUnavailable):
        tried(script)
    assert len(script.times) == 1


def test_the_asked_wait_is_kept_and_not_cut_short() -> None:
    script = Scripted(failing(Kind.RATE, delay_s=40.0))
    tried(script)

    assert 40.0 <= script.times[1] <= 44.0


def test_a_wait_past_the_deadline_is_not_begun() -> None:
    script = Scripted(failing(Kind.RATE, delay_s=3600.0))

    with pytest.raises(errors.ProviderUnavailable):
        tried(script, deadline=900.0)
    assert script.times == [0.0]


def test_failures_are_told_with_the_wait_that_follows() -> None:
    _, waits = tried(Scripted(failing(Kind.TRANSIENT), failing(Kind.RATE)))

    assert all(wait is not None and 0 < wait <= 1.0 for wait in waits)
    assert len(waits) == 2


def test_the_wait_doubles_up_to_its_longest() -> None:
    verdict = failing(Kind.TRANSIENT)
    waits = [wait_s(verdict, failures=n, chance=Random(n)) for n in (1, 2, 3, 50, 5000)]

    for wait, whole in zip(waits, (0.5, 1.0, 2.0, 30.0, 30.0), strict=True):
        assert whole / 2 <= wait <= whole


def test_a_told_wait_is_kept_and_spread_so_that_many_do_not_return_at_once() -> None:
    verdict = failing(Kind.RATE, delay_s=40.0)
    for failures in (1, 9):
        waits = {wait_s(verdict, failures=failures, chance=Random(seed)) for seed in range(20)}
        assert all(40.0 < wait <= 44.0 for wait in waits)
        assert len(waits) == 20


def test_cancellation_is_no_failure() -> None:
    async def main() -> None:
        task = asyncio.get_running_loop().create_task(persisting(Scripted(failing(Kind.RATE, delay_s=60.0))))
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtual_time.run(main())
