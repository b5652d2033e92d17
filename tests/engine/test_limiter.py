"""Who shares an account shares its limits, and takes turns; nobody else does."""

from __future__ import annotations

import asyncio
import gc
from itertools import groupby

import pytest

from engine import FREE, Engine, Limits, Request
from engine.clock import SystemClock
from engine.fakes import virtual_time
from engine.fakes.worlds import EchoWorld
from engine.limiter import Limiter, limiter_of
from engine.providers.account import Account
from engine.providers.address import Address
from engine.providers.simulated import Simulated
from engine.throttle import Demand
from tests.engine.lines import EVEN, ONE, line, one, passes

# -- one account


def served(count: int, *told: Limits) -> list[tuple[int, float]]:
    """Who was let in, and when, of lines that share an account and have so many waiting each."""

    async def main() -> list[tuple[int, float]]:
        limiter, moments = Limiter(clock=SystemClock()), list[tuple[int, float]]()
        lines = [line(limits, limiter=limiter) for limits in told]
        await asyncio.gather(*(passes(lines[i], ONE, moments, i) for i in range(len(told)) for _ in range(count)))
        return moments

    return virtual_time.run(main())


def test_those_who_share_an_account_respect_the_sum_and_take_turns() -> None:
    moments = served(50, EVEN, EVEN)

    assert moments[-1][1] == pytest.approx(9.9, abs=0.3)
    runs = [len(list(run)) for _, run in groupby(who for who, _ in moments[1:99])]
    assert max(runs) == 1


def test_a_large_request_of_one_is_not_overtaken_for_ever_by_small_ones_of_another() -> None:
    async def main() -> float:
        limiter = Limiter(clock=SystemClock())
        large, small = line(Limits(tpm=6_000), limiter=limiter), line(limiter=limiter)

        async def asks_on_and_on() -> None:
            while True:
                await passes(small, Demand(1, 10, 0, 0), [], 0)
                await asyncio.sleep(0.05)

        other = asyncio.get_running_loop().create_task(asks_on_and_on())
        await asyncio.sleep(10)
        moment = (await large.enter(lambda: Demand(1, 3_000, 0, 0))).since
        other.cancel()
        return moment

    assert virtual_time.run(main()) < 10 + 2


def test_when_the_one_whose_turn_it_is_gives_up_the_next_goes_at_once() -> None:
    async def main() -> float:
        limiter = Limiter(clock=SystemClock())
        first, second = line(Limits(tpm=6_000), limiter=limiter), line(limiter=limiter)
        await first.enter(lambda: Demand(1, 10, 0, 0))
        loop = asyncio.get_running_loop()
        large = loop.create_task(first.enter(lambda: Demand(1, 6_000, 0, 0)))
        await asyncio.sleep(0)
        small = loop.create_task(second.enter(lambda: Demand(1, 10, 0, 0)))
        await asyncio.sleep(0.3)
        large.cancel()
        return (await small).since

    assert virtual_time.run(main()) == 0.3


def test_those_who_wait_when_their_line_is_closed_are_let_in_still() -> None:
    async def main() -> float:
        admission = line(EVEN)
        await admission.enter(one)
        waiting = asyncio.get_running_loop().create_task(admission.enter(one))
        await asyncio.sleep(0)
        admission.close()
        return (await waiting).since

    assert virtual_time.run(main()) <= 0.1


def test_what_one_of_them_was_told_holds_for_all() -> None:
    assert served(10, Limits(), EVEN)[-1][1] == pytest.approx(1.9, abs=0.1)


def test_a_full_line_does_not_hold_up_the_others() -> None:
    async def main() -> float:
        limiter = Limiter(clock=SystemClock())
        full, free = line(EVEN, concurrency=1, limiter=limiter), line(limiter=limiter)
        await full.enter(one)
        waiting = asyncio.get_running_loop().create_task(full.enter(one))
        await asyncio.sleep(1)
        moment = (await free.enter(one)).since
        waiting.cancel()
        return moment

    assert virtual_time.run(main()) == 1.0


def test_who_leaves_takes_along_what_only_they_were_told_and_lets_the_others_go_on() -> None:
    async def main() -> None:
        limiter = Limiter(clock=SystemClock())
        strict, other = line(Limits(rpm=1), limiter=limiter), line(Limits(rpm=600), limiter=limiter)
        await strict.enter(one)
        waiting = asyncio.get_running_loop().create_task(other.enter(one))
        await asyncio.sleep(0.5)
        strict.close()
        assert (await waiting).since <= 1.0
        assert limiter.pace.limits == Limits(rpm=600)

    virtual_time.run(main())


@pytest.mark.long
def test_an_account_is_freed_when_nobody_uses_it() -> None:
    async def main() -> None:
        clock = SystemClock()
        first = limiter_of("account", clock=clock)
        assert limiter_of("account", clock=clock) is first
        assert limiter_of("another", clock=clock) is not first

        first.pace.hold_until(10**9)
        del first
        gc.collect()
        assert limiter_of("account", clock=clock).pace.ready_at(ONE, now=0.0) <= 0.0

    virtual_time.run(main())


def test_loops_share_nothing() -> None:
    async def held() -> Limiter:
        return limiter_of("account", clock=SystemClock())

    first, second = virtual_time.run(held()), virtual_time.run(held())
    assert first is not second


# -- whose account


URL = Address.of("https://api.example.com/v1")


def test_an_account_is_an_address_a_key_and_a_family() -> None:
    account = Account.of(URL, key="sk-1", model="claude-haiku-4-5")

    assert account == Account.of(URL, key="sk-1", model="claude-haiku-4-5-20251001")
    assert account == Account.of(URL, key="sk-1", model="claude-haiku-4-5-latest")
    assert account != Account.of(URL, key="sk-2", model="claude-haiku-4-5")
    assert account != Account.of(URL, key=None, model="claude-haiku-4-5")
    assert account != Account.of(URL, key="sk-1", model="claude-sonnet-5")
    assert account != Account.of(Address.of("https://api.example.org/v1"), key="sk-1", model="claude-haiku-4-5")


def test_the_key_is_not_in_the_account() -> None:
    assert "secret" not in repr(Account.of(URL, key="sk-secret", model="any"))


def test_engines_with_one_key_share_limits_and_those_with_another_do_not() -> None:
    def engine(key: str, limits: Limits | None = None) -> Engine:
        url = "http://127.0.0.1:9/v1"
        return Engine("openai/any", base_url=url, api_key=key, price=FREE, limits=limits)

    async def main() -> None:
        async with engine("sk-one", Limits(rpm=60)) as teller, engine("sk-one") as sharer, engine("sk-two") as other:
            assert sharer.statistics().limits == teller.statistics().limits == Limits(rpm=60)
            assert other.statistics().limits == Limits()
            await teller.aclose()
            assert sharer.statistics().limits == Limits()

    virtual_time.run(main())


def test_a_provider_that_is_handed_to_two_engines_is_one_account() -> None:

    async def main() -> float:
        provider = Simulated(EchoWorld(), SystemClock())
        async with (
            Engine(provider, price=FREE, limits=EVEN) as first,
            Engine(provider, price=FREE, limits=EVEN) as second,
        ):
            asked = [e.ask(Request.user(f"{i}", max_tokens=5)) for i in range(20) for e in (first, second)]
            await asyncio.gather(*asked)
        return asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == pytest.approx(3.9, abs=0.3)
