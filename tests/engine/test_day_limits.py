"""A limit a day that is used up costs no row: a short wait is waited for, a long one ends the run in order."""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from engine import Budget, Engine, Events, LimitReached, Limits, Model, Outcome, Price, Request
from engine.events import Event, Noted
from engine.fakes import virtual_time
from engine.fakes.behaviour import Behaviour
from engine.fakes.limits import RateLimits
from engine.fakes.rules import Rule, When
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.shut import Shut, longest_wait_s
from engine.verdict import Kind, Verdict

PRICE = Price(input=1, output=2)


class Run(NamedTuple):
    """How the rows ended, what was told, how long it took, and what each provider answered, by status."""

    outcomes: Sequence[Outcome]
    notes: list[str]
    lasted_s: float
    statuses: list[Counter[int]]

    @property
    def ends(self) -> Counter[str]:
        return Counter(type(outcome.error).__name__ for outcome in self.outcomes if outcome.error)


def asked(*behaviours: Behaviour, rows: int, told: Limits | None = None) -> Run:
    """So many rows, asked of the first of these, and of the others in its place."""

    async def main() -> Run:
        notes: list[str] = []

        def hear(event: Event) -> None:
            if isinstance(event, Noted) and "journal" not in event.text:
                notes.append(event.text)

        events = Events()
        events.subscribe(hear)
        fakes = [await FakeProvider(EchoWorld(), each).__aenter__() for each in behaviours]
        try:
            models = [Model("openai/m", base_url=f.url, api_key="a-key", price=PRICE, limits=told) for f in fakes]
            async with Engine(models[0], fallback=models[1:], budget=Budget(usd=50), events=events) as engine:
                requests = (Request.user(f"row {i}", max_tokens=20) for i in range(rows))
                outcomes = [outcome async for outcome in engine.map(requests)]
            lasted_s = asyncio.get_running_loop().time()
            return Run(outcomes, notes, lasted_s, [Counter(e.status for e in f.audit.entries) for f in fakes])
        finally:
            for fake in fakes:
                await fake.__aexit__(None, None, None)

    return virtual_time.run(main())


def limited(limits: RateLimits | None = None, *, tells: bool = True) -> Behaviour:
    return Behaviour(limits=limits or RateLimits(), tells_limits=tells, latency_s=0.5)


@pytest.mark.parametrize("tells", [True, False], ids=["told in headers", "untold"])
def test_a_day_that_comes_back_too_slowly_ends_the_run_in_order(tells: bool) -> None:
    """Fifty a day are one in 29 minutes, and no row waits for so long."""
    run = asked(limited(RateLimits(rpd=50), tells=tells), rows=100)

    assert run.ends == {"LimitReached": 50}
    assert run.lasted_s < 120
    assert run.statuses[0][429] < 20
    error = next(outcome.error for outcome in run.outcomes if outcome.error)
    assert isinstance(error, LimitReached)
    assert error.exit_code == 4
    assert str(error).startswith("openai/m lets nobody in before 20")
    assert "requests per day (RPD): Limit 50, Used 50" in str(error)
    assert len(run.notes) == 1


@pytest.mark.parametrize(
    "behaviour",
    [limited(RateLimits(tpd=2_000)), limited(RateLimits(rpd=100, rpm=60)), limited(RateLimits(rpd=200), tells=False)],
    ids=["of tokens", "and a minute's", "untold"],
)
def test_rows_that_are_put_off_again_and_again_are_not_lost_either(behaviour: Behaviour) -> None:
    run = asked(behaviour, rows=220)

    assert set(run.ends) == {"LimitReached"}
    assert re.search(r"lets nobody in before|has let nobody in for 0:15:00, and wants", str(run.outcomes[-1].error))
    assert run.statuses[0][200] == 220 - run.ends["LimitReached"]
    assert run.lasted_s < 7200


def test_a_day_that_comes_back_soon_is_waited_for_and_that_is_told() -> None:
    """Two hundred a day are one in seven minutes."""
    run = asked(limited(RateLimits(rpd=200)), rows=210)

    assert run.ends == {}
    assert run.lasted_s > 9 * 432
    assert run.notes[0].startswith("openai/m lets us wait for 0:07:")
    assert any("the requests per day are used up" in note for note in run.notes)
    assert len(run.notes) < 6


def test_a_day_that_the_user_has_told_of_is_kept_to_without_end() -> None:
    run = asked(limited(RateLimits(rpd=50)), rows=55, told=Limits(rpd=50))

    assert run.ends == {}
    assert run.lasted_s > 3600


def test_one_strange_word_about_hours_ends_nothing() -> None:
    """A gateway's refusal that holds for nobody else: that row finds out, and is answered."""
    strange = Behaviour(
        rules=(Rule("429-day", When(contains="row 77", sighting=1), {"retry_after": "7200"}),), latency_s=0.5
    )

    run = asked(strange, rows=200)

    assert run.ends == {}
    assert run.lasted_s < 120


def test_with_another_to_fall_back_on_the_rows_go_there() -> None:
    run = asked(limited(RateLimits(rpd=50)), limited(), rows=100)

    assert run.ends == {}
    assert run.statuses[1][200] == 50


def test_when_the_days_of_all_are_used_up_the_run_ends_and_says_so_of_each() -> None:
    run = asked(limited(RateLimits(rpd=50)), limited(RateLimits(rpd=20)), rows=100)

    assert run.ends == {"LimitReached": 30}
    assert run.lasted_s < 900
    assert str(run.outcomes[-1].error).count("lets nobody in before") == 2


def put_off(delay_s: float, *, kind: Kind = Kind.RATE) -> Verdict:
    return Verdict(kind=kind, message="later", delay_s=delay_s)


def test_what_puts_off_is_a_wait_of_a_minute_or_more_for_being_too_much() -> None:
    shut = Shut(longest_s=900)

    assert shut.puts_off(put_off(60))
    assert not shut.puts_off(put_off(59))
    assert not shut.puts_off(put_off(600, kind=Kind.TRANSIENT))
    assert not shut.puts_off(Verdict(kind=Kind.RATE, message="soon"))
    shut.notify_put_off(put_off(60), now=0.0)
    assert shut.puts_off(put_off(1))


def test_who_puts_off_for_longer_than_a_request_may_wait_and_answers_nobody_is_shut() -> None:
    shut = Shut(longest_s=900)

    assert not shut.notify_put_off(put_off(600), now=0.0)
    assert not shut.notify_put_off(put_off(600), now=899.0)
    assert shut.notify_put_off(put_off(600), now=900.0)
    shut.notify_answer()
    assert not shut.notify_put_off(put_off(600), now=901.0)


def test_a_request_that_may_wait_for_seconds_only_ends_nothing_at_a_minute_s_limit() -> None:
    shut = Shut(longest_s=longest_wait_s(5))

    assert not shut.is_too_long(60)
    assert shut.is_too_long(61)
