"""A journal that nobody writes any more, piece by piece, as rows for another one.

It is read in a thread of its own: a large one takes a second to open, and whoever takes it in has others to hear. The
numbers of its attempts are not kept: they count on in the journal that takes them in. Keys, requests, replies, costs
and what a reply is worth are.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Final, Self, TypeVar

from engine.journal.records import Counts, Entry, Rows, noted, packed
from engine.journal.store import Store

__all__ = ["Closed", "copied"]

_T = TypeVar("_T")

PIECE: Final = 256  # attempts that are taken in together


class Closed:
    """Another process's journal, now that this process is gone. What it had in flight is charged, as assumed.

    Entering it raises JournalUnusable when it cannot be read, or somebody holds it. Cancelled at any time, it lets go
    of the journal as soon as its thread has done what it is at.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened: Store | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="merging")

    async def __aenter__(self) -> Self:
        try:
            await self._done(self._open)
        except BaseException:  # cancelled, too: nobody else would close it
            await self._let_go()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._let_go()

    @property
    def name(self) -> str:
        """What tells it from every other journal, wherever it lies."""
        return self._store.marked_name

    async def pieces(self, *, after: int) -> AsyncIterator[list[Entry]]:
        """Its entries in order, some at a time, but for the first so many."""
        entries = islice(self._store.entries(), after, None)
        while piece := await self._done(lambda: list(islice(entries, PIECE))):
            yield piece

    async def counts(self) -> Counts:
        """It in figures."""
        return await self._done(self._store.counts)

    @property
    def _store(self) -> Store:
        if self._opened is None:
            raise RuntimeError("the journal is not open: use `async with Closed(path) as closed`")
        return self._opened

    async def _done(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    async def _let_go(self) -> None:
        letting_go = asyncio.get_running_loop().run_in_executor(self._thread, self._close)  # after all else
        self._thread.shutdown(wait=False)
        await asyncio.shield(letting_go)

    def _open(self) -> None:
        self._opened = Store.open(self._path)

    def _close(self) -> None:
        store, self._opened = self._opened, None
        if store is not None:
            store.finish()
            store.close()


def copied(attempt: int, entry: Entry) -> Rows:
    """An entry as rows of another journal, under a number of its own."""
    if entry.cost is None:
        raise ValueError("an attempt that is in flight belongs to its own journal")
    intent = noted(attempt, entry.key, tag=entry.tag, bound=entry.bound, request=entry.request)
    worth = None if entry.worth is None else int(entry.worth)
    return intent._replace(
        charge=(attempt, entry.cost, entry.assumed, worth),
        reply=None if entry.raw is None else packed(attempt, entry.raw),
    )
