"""Claim: with many in flight, a request's two lines are durable for 25 us of processor time or less; and a journal of a
million replies is opened, and the first question that it cannot answer found, in 5 s and 64 MB or less, of
which some ten bytes a reply are what grows with the journal.

Three regimes of writing. Alone, each line waits for an fsync of its own: the disk's speed is all there is. With 50 and
500 in flight, lines gather while the disk is busy and share an fsync, and what counts is the processor. A request is
two durable moments for us: its intent, with what is asked, before it is sent; its reply and charge before anybody sees
it. Beside it the two plainest things that keep a reply, and nothing else: a row in SQLite, committed; a line in a JSONL
file, fsynced. Each is one durable moment a request, with no intent and no ledger, and shares nothing.

What is opened was written just before, so it is in the system's cache. Every measurement has a process of its own.
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
READ_BACK = 50_000

MOST_US, MOST_S, MOST_MB = 25.0, 5.0, 64.0

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
    """What opening took, and finding the first question without an answer; `grown_mb` by both together."""

    open_s: float
    find_s: float
    grown_mb: float
    file_mb: float
    read_back_us: float


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
    holds = dearest <= MOST_US and opened.open_s + opened.find_s <= MOST_S and opened.grown_mb <= MOST_MB
    print(f"{MOST_US:g} us, {MOST_S:g} s and {MOST_MB:g} MB or less: {'holds' if holds else 'DOES NOT HOLD'}")
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
        f"{replies:,} replies, {opened.file_mb:,.0f} MB: opened in {opened.open_s:.2f} s;"
        f" the first question without an answer found in {opened.find_s:.2f} s; {opened.grown_mb:.1f} MB in all;"
        f" a reply read back in {opened.read_back_us:.1f} us",
        flush=True,
    )
    return opened


def fill(path: Path, replies: int) -> None:
    """All questions but one, and that is near the end, as after a crash."""
    store = Store.open(path)
    row, size = packed(0, reply()), 1000
    for first in range(1, replies + 1, size):
        attempts = range(first, first + size)
        store.commit([noted(i, key_of(i), tag="t", bound=1000, request=question(i)) for i in attempts])
        store.commit(
            [Rows(charge=(i, 400, False, None if i == replies - 500 else 2), reply=(i, *row[1:])) for i in attempts]
        )
    store.finish()
    store.close()


def measure_opening(path: Path, replies: int) -> Opened:
    file_mb = path.stat().st_size / 1e6

    async def session() -> Opened:
        grown = peak_mb()
        with stopwatch() as opening:
            journal = await Journal.open(path)
        async with journal:
            with stopwatch() as finding:
                first = next(i for i in range(1, replies + 2) if not journal.may_answer(key_of(i)))
            grown = peak_mb() - grown
            assert first == replies - 500
            assert journal.find(key_of(first)) is None
            with stopwatch() as reading:
                assert all(journal.find(key_of(i)) is not None for i in range(1, READ_BACK + 1))
        return Opened(
            open_s=round(opening[0], 3),
            find_s=round(finding[0], 3),
            grown_mb=round(grown, 1),
            file_mb=round(file_mb, 1),
            read_back_us=round(1e6 * reading[0] / READ_BACK, 2),
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
