"""One signal drains, the next stops, those that come while that is seen to change nothing."""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.interrupts import TIDYING_S, Hand, drained_by_signals, until_told
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


def heard(pauses: Sequence[float], *, drains: bool) -> list[tuple[str, float]]:
    """What signals do that come after these pauses, each with its moment."""
    moment, done = 0.0, []
    hand = Hand(
        drain=(lambda: done.append(("drain", moment))) if drains else None,
        stop=lambda: done.append(("stop", moment)),
        now=lambda: moment,
    )
    for pause in pauses:
        moment += pause
        hand(signal.SIGINT, None)
    return done


def test_the_first_signal_drains_and_the_second_stops_however_soon_it_comes() -> None:
    assert heard([0, 0, 0, 1], drains=True) == [("drain", 0), ("stop", 0)]


def test_where_there_is_nothing_to_drain_the_first_signal_stops() -> None:
    assert heard([5, 0, 1], drains=False) == [("stop", 5)]


def test_what_hangs_while_it_tidies_up_can_be_stopped_once_more() -> None:
    assert heard([0, TIDYING_S - 0.1, 0.1], drains=False) == [("stop", 0), ("stop", TIDYING_S)]


@given(st.lists(st.floats(0, 3 * TIDYING_S), max_size=40), st.booleans())
def test_tidying_up_has_its_time_whatever_the_hand_does(pauses: list[float], drains: bool) -> None:
    done = heard(pauses, drains=drains)
    stops = [moment for what, moment in done if what == "stop"]

    assert [what for what, _ in done[:1]] == (["drain" if drains else "stop"] if pauses else [])
    assert all(later >= earlier + TIDYING_S for earlier, later in itertools.pairwise(stops))


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


@either_signal
def test_what_ends_after_a_drain_ends_undisturbed(number: signal.Signals) -> None:
    """The end of the block is the beginning of the tidying up, and a second signal has come too late."""

    async def drained_and_tidied() -> None:
        told = asyncio.Event()
        try:
            await work(told.set, until=told, signals=[number])
        finally:
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)

    with pytest.raises(Interrupted):
        asyncio.run(drained_and_tidied())


@either_signal
def test_a_server_is_told_and_ends_in_order(number: signal.Signals) -> None:
    done: list[str] = []

    async def serve(told: asyncio.Event) -> None:
        os.kill(os.getpid(), number)
        await told.wait()
        done.append("closed")

    with pytest.raises(Interrupted) if number == signal.SIGINT else nullcontext():  # SIGTERM is how a server ends
        asyncio.run(until_told(serve))

    assert done == ["closed"]


PROGRAM = """
import asyncio, atexit, sys, time
from agents.interrupts import drained_by_signals, leave, stopped_by_signals

async def never_ending():
    async def worker():
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(0.1)
    with drained_by_signals(lambda: None):
        async with asyncio.TaskGroup() as workers:
            for _ in range(20):
                workers.create_task(worker())
            print("ready", flush=True)

stopped_by_signals()
atexit.register(time.sleep, 0.1)
try:
    asyncio.run(never_ending())
except KeyboardInterrupt:
    time.sleep(0.1)
    print("smelt: interrupted", file=sys.stderr)
leave(130)
"""


@either_signal
def test_an_impatient_hand_changes_nothing_about_the_end(number: signal.Signals) -> None:
    """As fast as signals can be sent, until the process is gone: tasks, loop and interpreter close all the same."""
    with subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        while process.poll() is None:
            process.send_signal(number)
            time.sleep(0.001)
        _, complained = process.communicate()

    assert (process.returncode, complained) == (130, "smelt: interrupted\n")


def test_without_a_signal_nothing_is_changed() -> None:
    told = asyncio.Event()
    told.set()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)

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


def test_whoever_stops_it_is_not_kept_waiting_for_a_thread_that_computes() -> None:
    program = "import threading, time; from agents.interrupts import leave; print('told', end='');"
    program += "threading.Thread(target=time.sleep, args=(600,)).start(); leave(130)"

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)

    assert (ended.returncode, ended.stdout, ended.stderr) == (130, b"told", b"")


def test_a_server_that_ends_as_it_is_meant_to_waits_for_no_thread_either() -> None:
    program = """
import asyncio, os, signal, threading, time
from agents.interrupts import leave, until_told

async def serve(told):
    threading.Thread(target=time.sleep, args=(600,)).start()
    os.kill(os.getpid(), signal.SIGTERM)
    await told.wait()

asyncio.run(until_told(serve))
leave(0)
"""

    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=False)

    assert (ended.returncode, ended.stderr) == (0, b"")
