"""One signal drains, the next stops; and afterwards signals mean what they meant before."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from agents.interrupts import drained_by_signals
from engine.errors import Interrupted

either_signal = pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)


@pytest.fixture(autouse=True)
def handlers_of_this_process() -> object:
    """What a test does to the signals stays in the test."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield before
    for number, handler in before.items():
        signal.signal(number, handler)


async def work(drain: Callable[[], None], *, until: asyncio.Event, signals: Sequence[int]) -> str:
    """Work that sends itself the signals that somebody else would, and ends when it is told to."""
    async with asyncio.timeout(10):
        with drained_by_signals(drain):
            for number in signals:
                os.kill(os.getpid(), number)
            await until.wait()
    return "done"


@either_signal
def test_the_first_signal_drains_and_the_end_of_the_block_says_so(number: signal.Signals) -> None:
    told = asyncio.Event()

    with pytest.raises(Interrupted):
        asyncio.run(work(told.set, until=told, signals=[number]))

    assert told.is_set()


@either_signal
def test_the_second_signal_stops_what_would_not_end(number: signal.Signals) -> None:
    def drain() -> None:
        os.kill(os.getpid(), number)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(work(drain, until=asyncio.Event(), signals=[number]))


@either_signal
def test_two_signals_in_the_same_instant_are_two(number: signal.Signals) -> None:
    other = {signal.SIGINT: signal.SIGTERM, signal.SIGTERM: signal.SIGINT}[number]

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(work(lambda: None, until=asyncio.Event(), signals=[number, other]))


def test_without_a_signal_nothing_is_changed() -> None:
    told = asyncio.Event()
    told.set()
    signal.signal(signal.SIGTERM, signal.default_int_handler)

    assert asyncio.run(work(told.set, until=told, signals=[])) == "done"
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert signal.getsignal(signal.SIGTERM) is signal.default_int_handler


def test_an_error_of_the_block_passes_through() -> None:
    async def fail() -> None:
        with drained_by_signals(lambda: None):
            raise LookupError("its own")

    with pytest.raises(LookupError, match="its own"):
        asyncio.run(fail())


def test_outside_of_the_main_thread_the_block_runs_without() -> None:
    async def in_a_thread() -> str:
        with drained_by_signals(lambda: None):
            return "done"

    with ThreadPoolExecutor(1) as thread:
        assert thread.submit(asyncio.run, in_a_thread()).result() == "done"
