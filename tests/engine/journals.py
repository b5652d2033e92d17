"""Journals for tests: what is asked in them, and how they are left behind."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from engine.errors import JournalUnusable
from engine.journal import Journal
from engine.messages import RawReply

ROOT = Path(__file__).parents[2]
HEADERS = {"content-type": "application/json", "x-request-id": "r1", "set-cookie": "secret", "x-ratelimit-limit": "5"}


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


def raw(body: bytes = b'{"text": "hello"}', *, status: int = 200) -> RawReply:
    return RawReply(status=status, headers=HEADERS, body=body, latency_s=0.25)


async def paid(journal: Journal, number: int, *, cost: int = 400, reply: RawReply | None = None, tag: str = "t") -> int:
    """One question asked, answered and settled."""
    attempt = await journal.intend(key(number), bound=1000, tag=tag, request=b"question %d" % number)
    await journal.settle(attempt, raw=reply or raw(b"reply %d" % number), cost=cost, assumed=False)
    return attempt


def write(path: Path, *numbers: int) -> None:
    """What an orderly process leaves behind."""

    async def session() -> None:
        async with await Journal.open(path) as journal:
            for number in numbers:
                await paid(journal, number)

    asyncio.run(session())


def refusal(path: Path) -> str:
    """The one line with which a journal is refused."""

    async def session() -> None:
        async with await Journal.open(path):
            pass

    with pytest.raises(JournalUnusable) as refused:
        asyncio.run(session())
    assert "\n" not in str(refused.value)
    assert str(path.name) in str(refused.value)
    return str(refused.value)


@asynccontextmanager
async def crashing(path: Path) -> AsyncIterator[Journal]:
    """A journal that is copied away while it is open, as if the process had died at the end of the block."""
    living = path.with_name("living")
    async with await Journal.open(living / path.name) as journal:
        yield journal
        for file in living.iterdir():
            if not file.name.endswith("-shm"):
                shutil.copy(file, path.parent)


def edit(path: Path, statement: str) -> None:
    database = sqlite3.connect(path)
    with database:
        database.execute(statement)
    database.close()


@contextmanager
def held_up(path: Path) -> Iterator[None]:
    """Within the block nobody can write the journal, and so nobody can charge what was in flight there."""
    holder = sqlite3.connect(path, isolation_level=None)
    try:
        holder.execute("BEGIN IMMEDIATE")
        yield
    finally:
        holder.close()
