"""Blocks that are given up: as asyncio's timeouts behave, with one timer for many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import TypeVarTuple, Unpack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.fakes import virtual_time
from engine.fakes.virtual_time import VirtualTimeLoop
from engine.scope import Deadlines, Scope
from tests.engine.asking import now

Arguments = TypeVarTuple("Arguments")


class CountingLoop(VirtualTimeLoop):
    """Counts the timers that are set on it."""

    timers_set = 0

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[Arguments]], object],
        *args: *Arguments,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        self.timers_set += 1
        return super().call_at(when, callback, *args, context=context)


def test_a_block_that_is_given_up_ends_where_it_waits() -> None:
    async def main() -> float:
        scope = Scope()
        asyncio.get_running_loop().call_later(3, scope.give_up)
        with pytest.raises(TimeoutError), scope:
            await asyncio.sleep(60)
        assert scope.given_up
        return now()

    assert virtual_time.run(main()) == 3


def test_the_task_of_a_block_that_was_given_up_goes_on() -> None:
    async def main() -> str:
        scope = Scope()
        asyncio.get_running_loop().call_soon(scope.give_up)
        try:
            with scope:
                await asyncio.sleep(60)
        except TimeoutError:
            await asyncio.sleep(1)
        task = asyncio.current_task()
        assert task is not None
        assert not task.cancelling()
        return "went on"

    assert virtual_time.run(main()) == "went on"


def test_giving_up_before_after_and_twice_does_nothing_more() -> None:
    async def main() -> None:
        scope = Scope()
        scope.give_up()
        with scope:
            await asyncio.sleep(1)
        scope.give_up()
        await asyncio.sleep(1)
        assert not scope.given_up

        twice = Scope()
        asyncio.get_running_loop().call_soon(twice.give_up)
        asyncio.get_running_loop().call_soon(twice.give_up)
        with pytest.raises(TimeoutError), twice:
            await asyncio.sleep(60)
        await asyncio.sleep(1)

    virtual_time.run(main())


def test_a_block_that_gives_itself_up_and_leaves_is_not_cancelled_afterwards() -> None:
    async def main() -> None:
        scope = Scope()
        with scope:
            scope.give_up()
        await asyncio.sleep(1)
        assert not scope.given_up

    virtual_time.run(main())


def test_a_cancellation_from_elsewhere_passes_through() -> None:
    async def main() -> None:
        async def block() -> None:
            with Scope():
                await asyncio.sleep(60)

        task = asyncio.create_task(block())
        await asyncio.sleep(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtual_time.run(main())


def test_a_cancellation_beside_the_giving_up_wins() -> None:
    async def main() -> None:
        scope = Scope()

        async def block() -> None:
            with scope:
                await asyncio.sleep(60)

        task = asyncio.create_task(block())
        await asyncio.sleep(1)
        scope.give_up()
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    virtual_time.run(main())


def test_an_error_in_a_block_that_was_given_up_stays_that_error() -> None:
    async def main() -> None:
        scope = Scope()
        asyncio.get_running_loop().call_soon(scope.give_up)

        async def block() -> None:
            with scope:
                try:
                    await asyncio.sleep(60)
                finally:
                    raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await block()

    virtual_time.run(main())


def test_a_block_needs_a_task() -> None:
    async def main() -> None:
        outcome: list[type[BaseException]] = []

        def outside() -> None:
            try:
                with Scope():
                    pass
            except RuntimeError as error:
                outcome.append(type(error))

        asyncio.get_running_loop().call_soon(outside)
        await asyncio.sleep(1)
        assert outcome == [RuntimeError]

    virtual_time.run(main())


async def ends_after(deadlines: Deadlines, allowed: float, needed: float) -> tuple[str, float]:
    began = now()
    try:
        with deadlines.within(allowed):
            await asyncio.sleep(needed)
    except TimeoutError:
        return "late", now() - began
    return "in time", now() - began


@given(st.lists(st.tuples(st.integers(1, 20), st.integers(1, 20), st.integers(0, 10)), max_size=12))
def test_every_deadline_is_kept_whatever_the_others_are(blocks: list[tuple[int, int, int]]) -> None:
    """Blocks of (allowed, needed, begun after) seconds, as asyncio.timeout would end them."""

    async def main() -> None:
        deadlines = Deadlines()

        async def block(allowed: int, needed: int, after: int) -> tuple[str, float]:
            await asyncio.sleep(after)
            return await ends_after(deadlines, allowed + 0.5, needed)

        ends = await asyncio.gather(*(block(*each) for each in blocks))
        for (allowed, needed, _), (word, seconds) in zip(blocks, ends, strict=True):
            assert word == ("in time" if needed < allowed + 0.5 else "late")
            assert seconds == pytest.approx(min(needed, allowed + 0.5), abs=1e-5)
        assert not len(deadlines)

    virtual_time.run(main())


def test_many_deadlines_share_one_timer() -> None:
    async def main() -> None:
        deadlines = Deadlines()
        await asyncio.gather(*(ends_after(deadlines, 60, 0) for _ in range(100)))

    with asyncio.Runner(loop_factory=CountingLoop) as runner:
        runner.run(main())
        loop = runner.get_loop()
        assert isinstance(loop, CountingLoop)
        assert loop.timers_set == 1


def test_closed_deadlines_let_go_of_their_timer() -> None:
    async def main() -> float:
        deadlines = Deadlines()
        with deadlines.within(1):
            deadlines.close()
            await asyncio.sleep(5)
        return now()

    assert virtual_time.run(main()) == 5


def test_what_is_spared_at_the_moment_of_its_end_goes_on_and_may_be_given_up_again() -> None:
    async def main() -> float:
        scope, spared = Scope(), [False]

        async def spared_once() -> None:
            scope.give_up(unless=lambda: spared[0])
            spared[0] = True  # only after it was given up
            await asyncio.sleep(3)
            assert not scope.given_up
            scope.give_up(unless=lambda: not spared[0])
            await asyncio.sleep(60)

        with pytest.raises(TimeoutError), scope:
            await spared_once()
        return now()

    assert virtual_time.run(main()) == 3
