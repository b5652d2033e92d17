"""Another attempt beside a straggler: soon enough, seldom enough, paid once for each, and nothing left behind."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import (
    AuthenticationRefused,
    Budget,
    Capabilities,
    DeadlineExceeded,
    Engine,
    Interrupted,
    Limits,
    Price,
    Reply,
    Request,
    SmeltError,
    Usage,
)
from engine.admission import Admission
from engine.attempt import Attempts, Ending, Question
from engine.budget import Ledger
from engine.clock import SystemClock
from engine.concurrency import Crowd
from engine.fakes import virtual_time
from engine.hedging import Races
from engine.hedging.stragglers import FLOOR_S, KNOWN_FROM, SAVED, SHARE, TIMES, Stragglers
from engine.journal import Journal
from engine.journal.store import Store
from engine.limiter import Limiter
from engine.messages import RawReply
from engine.prices import input_token_bound
from engine.providers import ConnectionFailed, Reading
from engine.statistics import Tally
from engine.throttle import Sizes
from engine.verdict import Verdict

GENEROUS = Budget(usd=100)
WARM = 70  # replies: the kind is known, and two more attempts may be sent
COST = 10 * 1 + 5 * 2  # of an answer, in millionths of a dollar
MICRO = 10**6  # pico-dollars

Fate = tuple[float, int | str]
"""How many seconds an attempt is out, and how it ends: a status, or "broken"."""


class Uneven:
    """Answers after a second with the text and the number of the attempt, unless a text's attempts have other fates."""

    name = "test/model"
    endpoint = "nowhere"
    simulated = True
    price = Price(input=1, output=2)
    capabilities = Capabilities()

    def __init__(self, **fates: Sequence[Fate]) -> None:
        self.fates = fates
        self.sent: Counter[str] = Counter()
        self.order: list[str] = []

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        text = request.messages[-1].content
        attempt = self.sent[text]
        self.sent[text] += 1
        self.order.append(text)
        fates = self.fates.get(text, [])
        seconds, end = fates[attempt] if attempt < len(fates) else (1.0, 200)
        await asyncio.sleep(min(seconds, timeout_s))
        if end == "broken":
            raise ConnectionFailed("reset")
        return RawReply(int(end), {}, f"{text} {attempt}".encode(), seconds)

    def read(self, request: Request, raw: RawReply) -> Reading:  # noqa: ARG002 - the reply says it all
        return Reading((raw.body.decode(),), ("stop",), Usage(10, 5), "model-1")

    async def aclose(self) -> None:
        raise AssertionError("a provider that was handed in stays the caller's")


def question(text: str) -> Request:
    return Request.user(text, max_tokens=100)


def now() -> float:
    return asyncio.get_running_loop().time()


async def warm_up(engine: Engine) -> None:
    """So many replies that their kind is known; they take a second."""
    async for outcome in engine.map([question(f"warm {i}") for i in range(WARM)]):
        outcome.unwrap()


async def ends(asking: Coroutine[Any, Any, Reply]) -> tuple[str, float]:
    """What came of a question, as the reply's text or the error's name, and how long that took."""
    began = now()
    try:
        return (await asking).text, now() - began
    except SmeltError as error:
        return type(error).__name__, now() - began


def straggle(
    *fates: Fate, then: Callable[[Engine], Coroutine[Any, Any, None]] | None = None, **given: Any
) -> tuple[str, float, Uneven]:
    """Ask "slow", whose attempts have these fates, of an engine that hedges; `then` looks at what is left."""
    provider = Uneven(slow=fates)
    told: dict[str, Any] = {"budget": GENEROUS, "hedge": True} | given

    async def main() -> tuple[str, float]:
        async with Engine(provider, **told) as engine:
            await warm_up(engine)
            end = await ends(engine.ask(question("slow")))
            if then is not None:
                await then(engine)
            return end

    return *virtual_time.run(main()), provider


def nothing_is_left(engine: Engine) -> bool:
    statistics, counts = engine.statistics(), engine._opened().journal.counts()
    written = sum(totals.spent + totals.assumed for totals in counts.by_tag.values())
    return (
        (statistics.reserved, statistics.in_flight, statistics.waiting, counts.in_flight) == (0, 0, 0, 0)
        and written == statistics.spent + statistics.assumed
        and counts.answered_twice == 0
    )


# -- which deserve it


@given(st.lists(st.floats(0.01, 100), min_size=KNOWN_FROM, max_size=600))
def test_a_straggler_takes_twice_as_long_as_nearly_all_and_a_second_at_least(latencies: list[float]) -> None:
    stragglers = Stragglers()
    for latency in latencies[:KNOWN_FROM]:
        assert stragglers.patience_s("label") == stragglers.shortest_patience_s == math.inf
        stragglers.notify_reply("label", latency)
    patience = stragglers.patience_s("label")
    longer = sum(TIMES * latency > patience for latency in latencies[:KNOWN_FROM])

    assert patience >= FLOOR_S
    assert longer <= 0.05 * KNOWN_FROM
    assert patience <= max(FLOOR_S, TIMES * max(latencies[:KNOWN_FROM]))


def test_a_few_stragglers_do_not_shift_what_is_ordinary_and_a_slower_provider_does() -> None:
    stragglers = Stragglers()
    for i in range(300):
        stragglers.notify_reply("label", 30.0 if i % 25 == 0 else 1.0)
    before = stragglers.patience_s("label")
    for _ in range(300):
        stragglers.notify_reply("label", 10.0)

    assert before == 2.0
    assert stragglers.patience_s("label") == 20.0


def test_kinds_are_told_apart() -> None:
    stragglers = Stragglers()
    for _ in range(KNOWN_FROM):
        stragglers.notify_reply("label", 1.0)
        stragglers.notify_reply("draft", 20.0)

    assert (stragglers.patience_s("label"), stragglers.patience_s("draft")) == (2.0, 40.0)
    assert stragglers.patience_s("another") == math.inf
    assert stragglers.shortest_patience_s == 2.0


@given(st.lists(st.sampled_from(["sent", "straggles"]), max_size=400))
def test_three_in_a_hundred_may_be_second_attempts_and_one_more(moments: list[str]) -> None:
    stragglers, sent, hedged = Stragglers(), 0, 0
    for moment in moments:
        if moment == "sent":
            stragglers.notify_sent()
            sent += 1
        elif stragglers.may_hedge:
            stragglers.notify_hedged()
            hedged += 1

    assert hedged <= 1 + SHARE * sent + 1e-6


def test_what_was_not_used_is_saved_up_to_a_bound() -> None:
    stragglers, hedged = Stragglers(), 0
    for _ in range(100_000):
        stragglers.notify_sent()
    while stragglers.may_hedge:
        stragglers.notify_hedged()
        hedged += 1

    assert hedged == SAVED


# -- what comes of it


def test_a_straggler_of_thirty_seconds_among_replies_of_one_ends_in_a_few() -> None:
    text, seconds, provider = straggle((30.0, 200))

    assert text == "slow 1"
    assert seconds <= 2.0 + 1.0 + 0.1
    assert provider.sent["slow"] == 2


def test_without_hedging_nothing_is_sent_twice() -> None:
    text, seconds, provider = straggle((30.0, 200), hedge=False)

    assert (text, seconds, provider.sent["slow"]) == ("slow 0", 30.0, 1)


def test_stragglers_in_the_middle_of_a_long_map_do_not_hold_its_end_up() -> None:
    async def main() -> float:
        fates = {f"row {i}": [(30.0, 200)] for i in range(100, 120)}
        async with Engine(Uneven(**fates), budget=GENEROUS, hedge=True, concurrency=100) as engine:
            rows = [question(f"row {i}") for i in range(1000)]
            texts = [outcome.unwrap().text async for outcome in engine.map(rows)]
            assert [text.rsplit(" ", 1)[0] for text in texts] == [f"row {i}" for i in range(1000)]
            assert engine.statistics().hedged == 20
        return now()

    assert virtual_time.run(main()) <= 10 + 2 + 1 + 1


def test_the_slower_one_is_let_finish_and_paid_for_what_it_cost_and_answers_nothing() -> None:
    async def later(engine: Engine) -> None:
        statistics = engine.statistics()
        assert (statistics.in_flight, statistics.waiting, statistics.hedged) == (1, 0, 1)
        assert statistics.reserved > 0
        await asyncio.sleep(30)
        assert engine.statistics().spent == (WARM + 2) * COST * MICRO
        assert engine.statistics().assumed == 0
        assert engine.statistics().attempts == WARM + 2
        assert nothing_is_left(engine)
        again = await engine.ask(question("slow"))
        assert (again.text, again.from_journal, again.attempts) == ("slow 1", True, 2)

    assert straggle((30.0, 200), then=later)[0] == "slow 1"


def test_when_the_first_comes_home_first_after_all_the_second_answers_nothing() -> None:
    async def later(engine: Engine) -> None:
        await asyncio.sleep(30)
        assert nothing_is_left(engine)
        assert engine.statistics().assumed == 0
        assert (await engine.ask(question("slow"))).text == "slow 0"

    text, seconds, _ = straggle((2.5, 200), (20.0, 200), then=later)
    assert (text, seconds) == ("slow 0", 2.5)


def test_who_is_slow_twice_is_asked_a_third_time_and_never_a_fourth() -> None:
    assert straggle((30.0, 200), (30.0, 200))[0] == "slow 2"
    text, seconds, provider = straggle((30.0, 200), (30.0, 200), (30.0, 200))
    assert (text, seconds, provider.sent["slow"]) == ("slow 0", 30.0, 3)


def test_closing_gives_up_the_slower_one_at_its_bound() -> None:
    async def main() -> None:
        engine = Engine(Uneven(slow=[(30.0, 200)]), budget=GENEROUS, hedge=True)
        async with engine:
            await warm_up(engine)
            await engine.ask(question("slow"))
            journal = engine._opened().journal
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


def test_when_the_first_fails_the_second_is_waited_for() -> None:
    async def later(engine: Engine) -> None:
        assert dict(engine.statistics().failures) == {"transient": 1}
        assert nothing_is_left(engine)

    text, seconds, provider = straggle((2.5, 500), (1.8, 200), then=later)
    assert text == "slow 1"
    assert seconds == pytest.approx(3.8, abs=0.1)
    assert provider.sent["slow"] == 2


def test_when_the_others_fail_the_first_is_waited_for() -> None:
    async def later(engine: Engine) -> None:
        assert dict(engine.statistics().failures) == {"transient": 2}
        assert nothing_is_left(engine)

    assert straggle((10.0, 200), (1.0, 500), (1.0, 500), then=later)[:2] == ("slow 0", 10.0)


@pytest.mark.parametrize("fates", [((3.5, "broken"), (1.2, 500)), ((5.0, 500), (3.0, 500), (1.0, 500))])
def test_when_all_fail_it_is_tried_again_as_ever(fates: tuple[Fate, ...]) -> None:
    async def later(engine: Engine) -> None:
        assert dict(engine.statistics().failures) == {"transient": len(fates)}
        assert nothing_is_left(engine)

    text, seconds, _ = straggle(*fates, then=later)
    assert text == f"slow {len(fates)}"
    assert seconds <= fates[0][0] + 2


def test_what_the_second_hears_of_the_key_holds_for_all() -> None:
    async def later(engine: Engine) -> None:
        with pytest.raises(AuthenticationRefused):
            await engine.ask(question("another"))

    assert straggle((10.0, 200), (1.0, 401), then=later)[:2] == ("slow 0", 10.0)


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


# -- where it may


def test_no_second_attempt_without_a_slot() -> None:
    async def later(engine: Engine) -> None:
        assert engine.statistics().hedged == 0

    assert straggle((30.0, 200), concurrency=1, then=later)[:2] == ("slow 0", 30.0)


def test_no_second_attempt_ahead_of_those_who_wait_for_a_limit() -> None:
    async def main() -> None:
        provider = Uneven(slow=[(30.0, 200)])
        async with Engine(provider, budget=GENEROUS, hedge=True, limits=Limits(rpm=120)) as engine:
            await warm_up(engine)
            asking = asyncio.get_running_loop().create_task(engine.ask(question("slow")))
            await asyncio.sleep(1)
            async for _ in engine.map([question(f"row {i}") for i in range(20)]):
                pass
            assert (await asking).text == "slow 1"
            assert provider.order[-1] == "slow"

    virtual_time.run(main())


@pytest.mark.parametrize(("bounds", "sent"), [(1.5, 1), (2.5, 2)])
def test_no_second_attempt_without_the_money_for_the_whole_of_it(bounds: float, sent: int) -> None:
    slow = question("slow")
    bound = Uneven.price.bound(input_tokens=input_token_bound(slow), output_tokens=slow.max_tokens)
    left = Budget(usd=str((WARM * COST * MICRO + bounds * bound) / 10**12))

    assert straggle((30.0, 200), budget=left)[2].sent["slow"] == sent


def test_a_slow_hour_of_the_provider_does_not_double_the_traffic() -> None:
    async def main() -> int:
        provider = Uneven(**{f"row {i}": [(60.0, 200)] * 3 for i in range(500)})
        async with Engine(provider, budget=GENEROUS, hedge=True, concurrency=1000) as engine:
            await warm_up(engine)
            async for outcome in engine.map([question(f"row {i}") for i in range(500)]):
                outcome.unwrap()
            return engine.statistics().hedged

    assert 0 < virtual_time.run(main()) <= 1 + SHARE * (500 + WARM)


def test_nothing_more_is_sent_to_a_provider_in_trouble() -> None:
    async def main() -> None:
        ill = {f"row {i}": [(1.0, 503)] * 40 for i in range(40)}
        provider = Uneven(slow=[(20.0, 200)], **ill)
        async with Engine(provider, budget=GENEROUS, hedge=True, deadline_s=25) as engine:
            await warm_up(engine)
            asking = asyncio.get_running_loop().create_task(engine.ask(question("slow")))
            async for _ in engine.map([question(f"row {i}") for i in range(40)]):
                pass
            assert (await asking).text == "slow 0"
            assert provider.sent["slow"] == 1

    virtual_time.run(main())


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_the_cap_is_never_passed_with_second_attempts_either(seed: int) -> None:
    chance = Random(seed)
    rows = [f"row {i}" for i in range(120)]
    seconds, kinds = (0.5, 1.0, 1.0, 30.0, 200.0), (200, 200, 200, "broken")
    fates = {row: [(chance.choice(seconds), chance.choice(kinds)) for _ in range(3)] for row in rows}

    async def main() -> tuple[int, int]:
        provider, cap = Uneven(**fates), Budget(usd="0.02")
        async with Engine(provider, budget=cap, hedge=True, attempt_timeout_s=60, seed=seed) as engine:
            async for _ in engine.map([question(row) for row in rows], ordered=False):
                assert engine.statistics().reserved + engine.statistics().spent <= cap.cap
            await asyncio.sleep(300)  # the slower ones come home
            assert nothing_is_left(engine)
            statistics = engine.statistics()
        return statistics.spent + statistics.assumed, cap.cap

    charged, cap = virtual_time.run(main())
    assert charged <= cap


def test_which_reply_wins_changes_no_byte_where_replies_follow_from_the_request() -> None:
    class Faithful(Uneven):
        def read(self, request: Request, raw: RawReply) -> Reading:  # noqa: ARG002 - a function of the request
            return Reading((request.messages[-1].content.upper(),), ("stop",), Usage(10, 5), "model-1")

    async def texts(*, hedge: bool) -> list[str]:
        chance = Random(7)
        fates = {f"row {i}": [(chance.lognormvariate(0, 1.5), 200)] * 2 for i in range(300)}
        async with Engine(Faithful(**fates), budget=GENEROUS, hedge=hedge) as engine:
            return [outcome.unwrap().text async for outcome in engine.map([question(row) for row in fates])]

    assert virtual_time.run(texts(hedge=True)) == virtual_time.run(texts(hedge=False))


# -- nothing stays behind


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
        self.races = Races(self.attempts, clock=clock, notify_failure=lambda _, verdict: self.told.append(verdict))

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
            assert engine._races is not None
            assert engine._races._timer is None

    virtual_time.run(main())
