"""How races between attempts end: with the first answer, drained, closed or cancelled, and nothing stays behind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import DeadlineExceeded, Engine, Interrupted, Request
from engine.admission import Admission
from engine.attempt import Attempts, Ending, Question
from engine.clock import SystemClock
from engine.concurrency import Crowd
from engine.fakes import virtual_time
from engine.hedging import Races
from engine.journal import Journal
from engine.journal.store import Store
from engine.ledger import Ledger
from engine.limiter import Limiter
from engine.messages import RawReply
from engine.providers import Reading
from engine.statistics import Tally
from engine.throttle import Sizes
from engine.verdict import Verdict
from tests.engine.asking import GENEROUS, MICRO, nothing_is_left, now, question
from tests.engine.stragglers import COST, WARM, Fate, Uneven, straggle, warm_up

# -- what comes of it


def test_who_is_slow_twice_is_asked_a_third_time_and_never_a_fourth() -> None:
    assert straggle((30.0, 200), (30.0, 200))[0] == "slow 2"
    text, seconds, provider = straggle((30.0, 200), (30.0, 200), (30.0, 200))
    assert (text, round(seconds, 6), provider.sent["slow"]) == ("slow 0", 30.0, 3)


def test_closing_gives_up_the_slower_one_at_its_bound() -> None:
    async def main() -> None:
        engine = Engine(Uneven(slow=[(30.0, 200)]), budget=GENEROUS, hedge=True)
        async with engine:
            await warm_up(engine)
            await engine.ask(question("slow"))
            journal = engine._opened()
            assert engine.statistics().assumed == 0
        statistics = engine.statistics()
        assert (statistics.in_flight, statistics.reserved) == (0, 0)
        assert statistics.assumed == journal.assumed > 0
        assert len(asyncio.all_tasks()) == 1

    virtual_time.run(main())


def test_closing_while_somebody_waits_for_both_leaves_nobody_hanging() -> None:
    async def main() -> None:
        async with Engine(Uneven(slow=[(30.0, 200)] * 3), budget=GENEROUS, hedge=True) as engine:
            await warm_up(engine)
            asking = asyncio.get_running_loop().create_task(engine.ask(question("slow")))
            await asyncio.sleep(5)
            assert engine.statistics().in_flight == 3
        with pytest.raises(Interrupted, match="closed"):
            await asking

    virtual_time.run(main())


def test_a_deadline_ends_all() -> None:
    async def later(engine: Engine) -> None:
        bound = engine.statistics().assumed
        assert nothing_is_left(engine)
        assert bound > 3 * 100 * 2 * MICRO  # all at their bounds: nobody knows

    fates = (60.0, 200), (60.0, 200), (60.0, 200)
    assert straggle(*fates, deadline_s=20, then=later)[:2] == (DeadlineExceeded.__name__, 20.0)


def test_both_are_brought_home_when_the_run_is_drained() -> None:
    async def main() -> None:
        provider = Uneven(slow=[(2.5, 500), (5.0, 200)], slower=[(10.0, 200)] * 3)
        async with Engine(provider, budget=GENEROUS, hedge=True) as engine:
            await warm_up(engine)
            tasks = [asyncio.get_running_loop().create_task(engine.ask(question(t))) for t in ("slow", "slower")]
            await asyncio.sleep(3)
            engine.drain()
            assert (await tasks[0]).text == "slow 1"  # its first had failed by then
            assert (await tasks[1]).text == "slower 0"
            with pytest.raises(Interrupted):
                await engine.ask(question("another"))

    virtual_time.run(main())


def test_attempts_that_end_in_a_bug_of_ours_are_heard_of() -> None:
    class Buggy(Uneven):
        def read(self, request: Request, raw: RawReply) -> Reading:
            if raw.body == b"slow 1":
                raise ZeroDivisionError
            return super().read(request, raw)

    async def main() -> None:
        async with Engine(Buggy(slow=[(30.0, 200)]), budget=GENEROUS, hedge=True) as engine:
            await warm_up(engine)
            with pytest.raises(ZeroDivisionError):
                await engine.ask(question("slow"))

    virtual_time.run(main())


# -- nothing stays behind, however they end


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.0, 1.0, 1.99, 2.0, 2.01, 2.05, 2.5, 2.99, 3.0, 3.05])
@pytest.mark.parametrize("fates", [((30.0, 200),), ((3.0, 200), (30.0, 200)), ((2.5, 500), (30.0, 200))])
def test_cancelling_at_any_step_leaves_nothing_behind(seconds: float, fates: tuple[Fate, ...]) -> None:
    async def main(steps: int) -> None:
        async with Engine(Uneven(slow=fates), budget=GENEROUS, hedge=True, concurrency=WARM) as engine:
            await warm_up(engine)
            asking = asyncio.get_running_loop().create_task(engine.ask(question("slow")))
            await asyncio.sleep(seconds)
            for _ in range(steps):
                await asyncio.sleep(0)
            asking.cancel()
            await asyncio.wait([asking])
            await asyncio.sleep(0)
            if not asking.cancelled():  # it was answered: the slower one is on its way still
                await asyncio.sleep(60)
            assert nothing_is_left(engine)
            assert len(asyncio.all_tasks()) == 1
            assert (await engine.ask(question("after"))).text == "after 0"

    for steps in range(12):
        virtual_time.run(main(steps))


class SlowDisk(Journal):
    """Takes its time to write."""

    def __init__(self, *, intend_s: float, settle_s: float) -> None:
        super().__init__(Store.temporary(), None)
        self._intend_s, self._settle_s = intend_s, settle_s

    async def intend(self, *given: Any, **more: Any) -> int:
        await asyncio.sleep(self._intend_s)
        return await super().intend(*given, **more)

    async def settle(self, *given: Any, **more: Any) -> None:
        try:
            await asyncio.sleep(self._settle_s)
        finally:
            await super().settle(*given, **more)


class Bench:
    """Attempts and races without an engine around them, over a slow disk."""

    def __init__(self, provider: Uneven, journal: Journal) -> None:
        clock = SystemClock()
        self.journal = journal
        self.ledger = Ledger(10**12)
        self.admission = Admission(limiter=Limiter(clock=clock), crowd=Crowd(fixed=100), clock=clock)
        self.told: list[Verdict] = []
        self.attempts = Attempts(
            provider=provider, price=provider.price, ledger=self.ledger, admission=self.admission, journal=journal,
            asked_of="a test",
            sizes=Sizes(), clock=clock, timeout_s=120, deadline_s=900, events=None, stopped=lambda: None,
        )  # fmt: skip
        self.races = Races(self.attempts, notify_failure=lambda _, verdict: self.told.append(verdict))

    async def ask(self, text: str) -> Ending:
        request = question(text)
        asked = Question(request, request.identity(asked_of=""), Tally(), 100, 300 * MICRO, asked_at=now())
        return await self.races.depart(asked, await self.attempts.admit(asked))

    async def warm_up(self) -> None:
        await asyncio.gather(*(self.ask(f"warm {i}") for i in range(WARM)))


fates = st.tuples(
    st.sampled_from([0.5, 1.5, 1.7, 2.0, 2.2, 2.4, 3.0, 5.0, 30.0, 500.0]), st.sampled_from([200, 200, 500, "broken"])
)


@settings(max_examples=40, deadline=None)
@given(
    all_fates=st.lists(fates, min_size=3, max_size=3),
    intend_s=st.sampled_from([0.0, 0.3]),
    settle_s=st.sampled_from([0.0, 0.1, 0.5]),
    cancelled_after=st.sampled_from([None, 0.1, 0.3, 1.0, 2.0, 2.1, 2.3, 2.4, 2.5, 2.6, 3.0, 4.0, 6.0]),
)
@pytest.mark.long
def test_every_race_ends_with_the_first_answer_and_with_nothing_held(
    all_fates: list[Fate], intend_s: float, settle_s: float, cancelled_after: float | None
) -> None:
    async def main() -> None:
        journal = SlowDisk(intend_s=intend_s, settle_s=settle_s)
        bench = Bench(Uneven(slow=all_fates), journal)
        await bench.warm_up()
        asking = asyncio.get_running_loop().create_task(bench.ask("slow"))
        await asyncio.wait([asking], timeout=cancelled_after)
        if asking.done():
            check(asking.result(), bench)
        asking.cancel()
        await asyncio.wait([asking])
        await asyncio.sleep(200)
        assert (bench.ledger.reserved, bench.admission.in_flight, bench.races.beside) == (0, 0, 0)
        assert len(asyncio.all_tasks()) == 1
        counts = journal.counts()
        assert (counts.in_flight, counts.answered_twice) == (0, 0)
        assert sum(t.spent for t in counts.by_tag.values()) == bench.ledger.spent
        assert sum(t.assumed for t in counts.by_tag.values()) == bench.ledger.assumed
        stored = journal.find(question("slow").identity(asked_of=""))
        if not asking.cancelled() and asking.result().answers:
            assert stored is not None
            assert stored.raw == asking.result().raw

    def check(ending: Ending, bench: Bench) -> None:
        assert ending.answers == (ending.reading is not None)
        if not ending.answers:  # then nobody else is out who might
            assert bench.races.beside == 0
            sent = bench.attempts.provider.sent["slow"]  # type: ignore[attr-defined]
            assert 200 not in [end for _, end in all_fates[:sent]]

    virtual_time.run(main())


def test_a_second_attempt_that_has_not_left_when_the_first_comes_home_costs_nothing() -> None:
    async def main() -> None:
        bench = Bench(Uneven(slow=[(2.7, 200)]), SlowDisk(intend_s=0.5, settle_s=0.0))
        await bench.warm_up()
        ending = await bench.ask("slow")
        await asyncio.sleep(5)
        assert ending.answers
        assert bench.races.hedged == 1
        assert bench.attempts.provider.sent["slow"] == 1  # type: ignore[attr-defined]
        assert bench.ledger.spent == (WARM + 1) * COST * MICRO
        assert (bench.ledger.reserved, bench.ledger.assumed) == (0, 0)

    virtual_time.run(main())


def test_when_nothing_is_out_no_timer_is_set() -> None:
    async def main() -> None:
        async with Engine(Uneven(), budget=GENEROUS, hedge=True) as engine:
            await warm_up(engine)
            await engine.ask(question("another"))
            await asyncio.sleep(5)
            assert engine._routes.branches[0].races is not None
            assert engine._routes.branches[0].races._timer is None

    virtual_time.run(main())
