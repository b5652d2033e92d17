"""Claim: with many in flight, a request's two lines are durable for 25 us of processor time or less; and a journal of a
million replies is opened in 5 s and 64 MB or less, of which some ten bytes a reply are what grows with the journal, and
says of a question that it has no answer in 10 us or less.

Three regimes of writing. Alone, each line waits for an fsync of its own: the disk's speed is all there is. With 50 and
500 in flight, lines gather while the disk is busy and share an fsync, and what counts is the processor. A request is
two durable moments for us: its intent, with what is asked, before it is sent; its reply and charge before anybody sees
it. Beside it the two plainest things that keep a reply, and nothing else: a row in SQLite, committed; a line in a JSONL
file, fsynced. Each is one durable moment a request, with no intent and no ledger, and shares nothing.

That there is no answer is said from memory. An answer is read back from the file, as a run that goes on does with all
that it has; how long that takes stands beside. What is opened was written just before, so it is in the system's cache.
Every measurement has a process of its own.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import resource
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks.apart import apart
from engine.journal import Journal
from engine.journal.records import Rows, noted, packed
from engine.journal.store import Store
from engine.messages import RawReply

ROUNDS = 3
REQUESTS = {1: 2_000, 50: 30_000, 500: 60_000}
MOST_OF_RIVALS = 5_000  # they get no faster with more
FEW, MANY = 100_000, 1_000_000
LOOKED_UP = 50_000

MOST_US, MOST_S, MOST_MB, MOST_MISS_US = 25.0, 5.0, 64.0, 10.0

QUESTION = (
    b'["openai/echo at http://127.0.0.1:8000/v1",[["user","%d: ' + b"the quick brown fox jumps over the lazy dog " * 16
)
ANSWER = b'{"choices":[{"message":{"role":"assistant","content":"' + b"and runs on to the river " * 16 + b'"}}]}'
HEADERS = {"content-type": "application/json", "x-request-id": "req_0123456789abcdef"}

Ask = Callable[[int], Awaitable[None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What writing took, of the fastest round: requests a second, and processor time a request."""

    per_second: float
    cpu_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What opening took, and a look-up after it, of a question without an answer and of one with; `grown_mb` by all."""

    open_s: float
    miss_us: float
    read_back_us: float
    grown_mb: float
    file_mb: float


def main() -> None:
    table: dict[str, dict[int, Written]] = {name: {} for name in WRITERS}
    print(f"{'in flight':>9}  " + "".join(f"{name:>34}" for name in WRITERS))
    for waiters in REQUESTS:
        for name in WRITERS:
            table[name][waiters] = best(name, waiters)
        cells = (
            f"{each[waiters].per_second:>13,.0f}/s {each[waiters].cpu_us:>11.1f} us CPU" for each in table.values()
        )
        print(f"{waiters:>9}  " + "  ".join(f"{cell:>32}" for cell in cells), flush=True)
    few, opened = opening(FEW), opening(MANY)
    each = 1e6 * (opened.grown_mb - few.grown_mb) / (MANY - FEW)
    print(f"from {FEW:,} replies to {MANY:,} each takes {each:.1f} bytes of memory")
    dearest = max(table["journal"][waiters].cpu_us for waiters in REQUESTS if waiters > 1)
    holds = dearest <= MOST_US and opened.miss_us <= MOST_MISS_US
    holds = holds and opened.open_s <= MOST_S and opened.grown_mb <= MOST_MB
    most = f"{MOST_US:g} us, {MOST_S:g} s, {MOST_MB:g} MB and {MOST_MISS_US:g} us"
    print(f"{most} or less: {'holds' if holds else 'DOES NOT HOLD'}")
    written = {name: {waiters: asdict(each) for waiters, each in regimes.items()} for name, regimes in table.items()}
    print(
        json.dumps(
            {
                "benchmark": "journal",
                "holds": holds,
                "written": written,
                "opened": {FEW: asdict(few), MANY: asdict(opened)},
            }
        )
    )


def best(name: str, waiters: int) -> Written:
    rounds = [apart(write, name, waiters) for _ in range(ROUNDS)]
    return max(rounds, key=lambda each: each.per_second)


def question(number: int) -> bytes:
    return QUESTION % number + b'"]],250,null,1,[],null,null,0]'


def key_of(number: int) -> bytes:
    return hashlib.sha256(question(number)).digest()


def reply() -> RawReply:
    return RawReply(200, HEADERS, ANSWER, 0.5)


# -- writing


def write(name: str, waiters: int) -> Written:
    requests = REQUESTS[waiters] if name == "journal" else min(REQUESTS[waiters], MOST_OF_RIVALS)
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(WRITERS[name](Path(folder), waiters, requests))


async def with_journal(folder: Path, waiters: int, requests: int) -> Written:
    async with await Journal.open(folder / "journal.db") as journal:

        async def ask(number: int) -> None:
            asked = question(number)
            attempt = await journal.intend(hashlib.sha256(asked).digest(), bound=1000, tag="t", request=asked)
            await journal.settle(attempt, raw=reply(), cost=400, assumed=False)

        return await timed(ask, waiters, requests)


async def with_sqlite(folder: Path, waiters: int, requests: int) -> Written:
    database = sqlite3.connect(folder / "replies.db", isolation_level=None)
    database.executescript("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE reply (key, body)")

    async def ask(number: int) -> None:
        database.execute("INSERT INTO reply VALUES (?, ?)", (key_of(number), ANSWER))

    try:
        return await timed(ask, waiters, requests)
    finally:
        database.close()


async def with_jsonl(folder: Path, waiters: int, requests: int) -> Written:
    with (folder / "replies.jsonl").open("wb") as file:

        async def ask(number: int) -> None:
            file.write(json.dumps({"key": key_of(number).hex(), "body": ANSWER.decode()}).encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

        return await timed(ask, waiters, requests)


WRITERS: dict[str, Callable[[Path, int, int], Coroutine[None, None, Written]]] = {
    "journal": with_journal,
    "SQLite, a commit a row": with_sqlite,
    "JSONL, an fsync a line": with_jsonl,
}


async def timed(ask: Ask, waiters: int, requests: int) -> Written:
    numbers = iter(range(requests))

    async def waiter() -> None:
        for number in numbers:
            await ask(number)

    cpu, began = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(waiters):
            group.create_task(waiter())
    return Written(
        per_second=round(requests / (time.perf_counter() - began), 1),
        cpu_us=round(1e6 * (time.process_time() - cpu) / requests, 2),
    )


# -- opening


def opening(replies: int) -> Opened:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "journal.db"
        apart(fill, path, replies)
        opened = apart(measure_opening, path, replies)
    print(
        f"{replies:,} replies, {opened.file_mb:,.0f} MB: opened in {opened.open_s:.2f} s; no answer found in"
        f" {opened.miss_us:.1f} us, a reply read back in {opened.read_back_us:.1f} us; {opened.grown_mb:.1f} MB in all",
        flush=True,
    )
    return opened


def fill(path: Path, replies: int) -> None:
    store = Store.open(path)
    row, size = packed(0, reply()), 1000
    for first in range(1, replies + 1, size):
        attempts = range(first, first + size)
        store.commit([noted(i, key_of(i), tag="t", bound=1000, request=question(i)) for i in attempts])
        store.commit([Rows(charge=(i, 400, False, 2), reply=(i, *row[1:])) for i in attempts])
    store.finish()
    store.close()


def measure_opening(path: Path, replies: int) -> Opened:
    file_mb = path.stat().st_size / 1e6
    answered = [key_of(i) for i in range(1, LOOKED_UP + 1)]
    unknown = [key_of(replies + i) for i in range(1, LOOKED_UP + 1)]

    async def session() -> Opened:
        grown = peak_mb()
        with stopwatch() as opening:
            journal = await Journal.open(path)
        async with journal:
            with stopwatch() as missing:
                assert all(journal.find(key) is None for key in unknown)
            with stopwatch() as reading:
                assert all(journal.find(key) is not None for key in answered)
            grown = peak_mb() - grown
        return Opened(
            open_s=round(opening[0], 3),
            miss_us=round(1e6 * missing[0] / LOOKED_UP, 2),
            read_back_us=round(1e6 * reading[0] / LOOKED_UP, 2),
            grown_mb=round(grown, 1),
            file_mb=round(file_mb, 1),
        )

    return asyncio.run(session())


@contextmanager
def stopwatch() -> Iterator[list[float]]:
    took: list[float] = []
    began = time.perf_counter()
    yield took
    took.append(time.perf_counter() - began)


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
