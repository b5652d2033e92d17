"""Any number of items through a few workers: in order or not, in bounded memory, and nothing vanishes."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.fakes import virtual_time
from engine.flow import WINDOW_PER_WORKER, Crew, flow


async def doubled_slowly(item: int) -> int:
    await asyncio.sleep(Random(item).uniform(0, 3))
    return 2 * item


async def counted(count: int) -> AsyncIterator[int]:
    for i in range(count):
        await asyncio.sleep(0.01)
        yield i


@given(count=st.integers(0, 60), workers=st.integers(1, 9), ordered=st.booleans(), is_async=st.booleans())
def test_every_item_comes_out_once(count: int, workers: int, ordered: bool, is_async: bool) -> None:
    async def main() -> list[int]:
        items = counted(count) if is_async else range(count)
        return [result async for result in flow(items, doubled_slowly, workers=workers, ordered=ordered)]

    results = virtual_time.run(main())
    expected = [2 * i for i in range(count)]
    assert (results if ordered else sorted(results)) == expected


def test_results_come_as_they_end_when_order_does_not_matter() -> None:
    async def slow_first(item: int) -> int:
        await asyncio.sleep(100 if item == 0 else item)
        return item

    async def main() -> list[int]:
        return [result async for result in flow(range(5), slow_first, workers=5, ordered=False)]

    assert virtual_time.run(main()) == [1, 2, 3, 4, 0]


@pytest.mark.parametrize("ordered", [True, False])
def test_a_slow_consumer_stops_the_pulling(ordered: bool) -> None:
    async def main() -> int:
        pulled = taken = most = 0

        def items() -> Iterator[int]:
            nonlocal pulled, most
            for i in range(1000):
                pulled += 1
                most = max(most, pulled - taken)
                yield i

        async for _ in flow(items(), doubled_slowly, workers=4, ordered=ordered):
            taken += 1
            await asyncio.sleep(10)
        return most

    assert virtual_time.run(main()) <= 4 * WINDOW_PER_WORKER + 4


def test_no_more_are_at_work_than_there_are_workers() -> None:
    at_work = most = 0

    async def work(item: int) -> int:
        nonlocal at_work, most
        at_work += 1
        most = max(most, at_work)
        await asyncio.sleep(1)
        at_work -= 1
        return item

    async def main() -> int:
        return len([result async for result in flow(range(100), work, workers=7, ordered=False)])

    assert virtual_time.run(main()) == 100
    assert most == 7


@pytest.mark.parametrize("ordered", [True, False])
def test_an_iterable_that_raises_half_way_is_heard_once_after_what_was_begun(ordered: bool) -> None:
    def items() -> Iterator[int]:
        yield from range(10)
        raise LookupError("the file ends here")

    async def main() -> tuple[list[int], int]:
        results, errors = [], 0
        try:
            async for result in flow(items(), doubled_slowly, workers=4, ordered=ordered):
                results.append(result)  # noqa: PERF401 - what came before the error counts
        except LookupError:
            errors += 1
        return results, errors

    results, errors = virtual_time.run(main())
    assert sorted(results) == [2 * i for i in range(10)]
    assert errors == 1


def test_work_that_raises_costs_no_other_result() -> None:
    async def work(item: int) -> int:
        await asyncio.sleep(1)
        if item == 3:
            raise ZeroDivisionError
        return item

    results: list[int] = []

    async def main() -> None:
        async for result in flow(range(6), work, workers=6, ordered=True):
            results.append(result)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(ZeroDivisionError):
        virtual_time.run(main())
    assert results == [0, 1, 2, 4, 5]


@pytest.mark.long
def test_a_consumer_that_stops_early_leaves_nobody_at_work() -> None:
    async def main() -> tuple[int, int]:
        cancelled = 0

        async def work(item: int) -> int:
            nonlocal cancelled
            try:
                await asyncio.sleep(1 if item == 0 else 1000)
            except asyncio.CancelledError:
                cancelled += 1
                raise
            return item

        async for _ in flow(range(100), work, workers=5, ordered=False):
            break
        gc.collect()
        await asyncio.sleep(1)
        return cancelled, len(asyncio.all_tasks())

    assert virtual_time.run(main()) == (5, 1)  # the one that was free had taken another


def test_cancelling_the_consumer_cancels_the_workers() -> None:
    async def main() -> int:
        async def consume() -> None:
            async for _ in flow(range(100), doubled_slowly, workers=5, ordered=True):
                await asyncio.sleep(1000)

        task = asyncio.get_running_loop().create_task(consume())
        await asyncio.sleep(10)
        task.cancel()
        await asyncio.wait([task])
        await asyncio.sleep(1)  # the loop closes the abandoned iterator in a task of its own
        return len(asyncio.all_tasks())

    assert virtual_time.run(main()) == 1


def test_workers_cancelled_by_their_owner_are_missed_loudly() -> None:
    async def main() -> None:
        crew = Crew()

        async def consume() -> None:
            async for _ in flow(range(100), doubled_slowly, workers=5, ordered=True, crew=crew):
                pass

        consumer = asyncio.get_running_loop().create_task(consume())
        await asyncio.sleep(0.1)
        for task in tuple(crew.tasks):
            task.cancel()
        with pytest.raises(RuntimeError, match="still on their way"):
            await consumer

    virtual_time.run(main())


@pytest.mark.long
def test_a_hundred_thousand_items_take_no_task_each() -> None:
    most = 0

    async def work(item: int) -> int:
        nonlocal most
        if item % 1000 == 0:
            most = max(most, len(asyncio.all_tasks()))
            await asyncio.sleep(0)
        return item

    async def main() -> int:
        total = 0
        async for result in flow(range(100_000), work, workers=50, ordered=True):
            total += result
        return total

    assert virtual_time.run(main()) == sum(range(100_000))
    assert most <= 52  # who consumes, who pulls, and fifty who work


async def slow_at_seven(item: int) -> int:
    await asyncio.sleep(1000 if item == 7 else 1)
    return item


def test_behind_one_that_takes_long_more_may_wait_than_for_a_slow_consumer() -> None:
    async def main() -> tuple[int, int]:
        crew, pulled, seen = Crew(), 0, []

        def items() -> Iterator[int]:
            nonlocal pulled
            for i in range(1000):
                pulled += 1
                yield i

        results = flow(items(), slow_at_seven, workers=4, window=16, most_behind=100, ordered=True, crew=crew)
        async for result in results:
            seen.append(pulled - result)
            if result == 6:
                asyncio.get_running_loop().call_later(500, lambda: seen.append(pulled - 7))
            if result == 10:
                break
        await results.aclose()
        return max(seen[:6]), max(seen)

    patient, behind = virtual_time.run(main())
    assert patient <= 16 + 4
    assert 100 <= behind <= 100 + 4


@pytest.mark.parametrize("is_async", [True, False])
def test_no_more_is_pulled_than_is_wanted(is_async: bool) -> None:
    """Those who are at work and stand in no line do not count: as many rows may back off as there are workers."""

    async def main() -> tuple[int, int]:
        crew, in_line, most, at_work, most_at_work = Crew(), 0, 0, 0, 0

        async def work(item: int) -> int:
            nonlocal in_line, most, at_work, most_at_work
            in_line, at_work = in_line + 1, at_work + 1
            most, most_at_work = max(most, in_line), max(most_at_work, at_work)
            await asyncio.sleep(1)
            in_line -= 1
            crew.wake()
            await asyncio.sleep(10)
            at_work -= 1
            return item

        items = counted(200) if is_async else range(200)
        results = flow(
            items, work, workers=100, ordered=False, crew=crew, wants_more=lambda coming: coming + in_line < 3
        )
        assert sorted([result async for result in results]) == list(range(200))
        return most, most_at_work

    most, most_at_work = virtual_time.run(main())
    assert most == 3
    assert most_at_work >= 30


def test_two_flows_of_one_owner_take_turns() -> None:
    async def main() -> tuple[int, int]:
        crew, in_line = Crew(), 0

        async def work(item: int) -> int:
            nonlocal in_line
            in_line += 1
            await asyncio.sleep(1)
            in_line -= 1
            crew.wake()
            return item

        async def one() -> int:
            results = flow(
                range(50), work, workers=9, ordered=False, crew=crew, wants_more=lambda coming: coming + in_line < 2
            )
            count = 0
            async for _ in results:
                count += 1
                if asyncio.get_running_loop().time() > 20:
                    break
            await results.aclose()
            return count

        return await asyncio.gather(one(), one())

    assert min(virtual_time.run(main())) >= 15


@pytest.mark.parametrize("is_async", [True, False])
def test_an_iterable_that_raises_cancelled_error_is_not_taken_for_a_cancellation(is_async: bool) -> None:
    def items() -> Iterator[int]:
        yield from range(3)
        raise asyncio.CancelledError

    async def async_items() -> AsyncIterator[int]:
        for item in range(3):
            yield item
        raise asyncio.CancelledError

    seen: list[int] = []

    async def main() -> None:
        source = async_items() if is_async else items()
        async for result in flow(source, doubled_slowly, workers=2, ordered=True):
            seen.append(result)  # noqa: PERF401 - what came before the error counts

    with pytest.raises(RuntimeError, match="iterable of items raised CancelledError"):
        virtual_time.run(main())
    assert seen == [0, 2, 4]
