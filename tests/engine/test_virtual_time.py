"""The virtual clock waits for nobody, keeps real time's order, and says when a program would hang."""

from __future__ import annotations

import asyncio
import threading
import time

import pytest

from engine.clock import SystemClock
from engine.fakes import virtual_time


def test_an_hour_passes_at_once_and_exactly() -> None:
    async def main() -> float:
        await asyncio.sleep(3600)
        return asyncio.get_running_loop().time()

    started = time.monotonic()
    assert virtual_time.run(main()) == 3600.0
    assert time.monotonic() - started < 1.0


def test_timers_fire_in_the_order_of_real_time() -> None:
    async def main() -> list[float]:
        order: list[float] = []

        async def note(delay: float) -> None:
            await asyncio.sleep(delay)
            order.append(delay)

        await asyncio.gather(*(note(delay) for delay in (3.0, 0.5, 2.0, 0.1)))
        return order

    assert virtual_time.run(main()) == [0.1, 0.5, 2.0, 3.0]


def test_timeouts_are_instant_too() -> None:
    async def main() -> None:
        async with asyncio.timeout(30):
            await asyncio.sleep(31)

    with pytest.raises(TimeoutError):
        virtual_time.run(main())


def test_the_system_clock_follows_the_virtual_loop() -> None:
    async def main() -> float:
        clock = SystemClock()
        await clock.sleep(12.5)
        return clock.monotonic()

    assert virtual_time.run(main()) == 12.5


def test_the_system_clock_follows_one_loop_after_another() -> None:
    clock = SystemClock()

    async def main() -> float:
        await clock.sleep(12.5)
        return clock.monotonic()

    before = clock.monotonic()
    assert [virtual_time.run(main()), virtual_time.run(main())] == [12.5, 12.5]
    assert before <= clock.monotonic() <= time.monotonic()


def test_a_deadlock_is_an_error_and_not_a_hang() -> None:
    async def main() -> None:
        await asyncio.get_running_loop().create_future()

    with pytest.raises(virtual_time.DeadlockError, match="no timer is set"):
        virtual_time.run(main())


def test_the_clock_stands_still_while_a_thread_works() -> None:
    async def main() -> tuple[str, float]:
        def work() -> str:
            time.sleep(0.02)
            return "done"

        async with asyncio.timeout(0.001):
            answer = await asyncio.to_thread(work)
        return answer, asyncio.get_running_loop().time()

    assert virtual_time.run(main()) == ("done", 0.0)


def test_announced_outside_work_is_waited_for() -> None:
    async def main() -> float:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[float] = loop.create_future()

        def work() -> None:
            time.sleep(0.02)
            loop.call_soon_threadsafe(answer.set_result, loop.time())

        thread = threading.Thread(target=work)
        with virtual_time.outside_work():
            thread.start()
            result = await answer
        thread.join()
        return result

    assert virtual_time.run(main()) == 0.0


def test_outside_work_changes_nothing_on_an_ordinary_loop() -> None:
    async def main() -> str:
        with virtual_time.outside_work():
            return "same"

    assert asyncio.run(main()) == "same"
