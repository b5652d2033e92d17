"""Another attempt beside a straggler: soon enough, seldom enough, only where it may, and paid once for each."""

from __future__ import annotations

import asyncio
import math
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import AuthenticationRefused, Budget, Engine, Limits, Request, Usage
from engine.bounds import input_bound
from engine.fakes import virtual_time
from engine.hedging.stragglers import FLOOR_S, KNOWN_FROM, SAVED, SHARE, TIMES, Stragglers
from engine.messages import RawReply
from engine.providers import Reading
from tests.engine.asking import GENEROUS, MICRO, nothing_is_left, now, question
from tests.engine.stragglers import COST, WARM, Fate, Uneven, straggle, warm_up

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

    assert (text, round(seconds, 6), provider.sent["slow"]) == ("slow 0", 30.0, 1)


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
    bound = Uneven.price.bound(input_tokens=input_bound(slow), output_tokens=slow.max_tokens)
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
