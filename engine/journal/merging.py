"""A journal that nobody writes any more, piece by piece, as rows for another one.

The numbers of its attempts are not kept: they count on in the journal that takes them in. Keys, requests, replies,
costs and what a reply is worth are.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from engine.journal.records import Counts, Entry, Rows, noted, packed
from engine.journal.store import Store

__all__ = ["Closed", "copied"]

PIECE: Final = 256  # attempts that are taken in together


class Closed:
    """Another process's journal, now that this process is gone. What it had in flight is charged, as assumed."""

    def __init__(self, store: Store) -> None:
        """Not for use: they come from `open`."""
        self._store = store

    @classmethod
    def open(cls, path: Path) -> Closed:
        """Raises JournalUnusable when it cannot be read, or somebody holds it."""
        return cls(Store.open(path))

    @property
    def name(self) -> str:
        """What tells it from every other journal, wherever it lies."""
        return self._store.marked_name

    def pieces(self, *, after: int) -> Iterator[list[Entry]]:
        """Its entries in order, some at a time, but for the first so many."""
        entries = islice(self._store.entries(), after, None)
        while piece := list(islice(entries, PIECE)):
            yield piece

    def counts(self) -> Counts:
        """It in figures."""
        return self._store.counts()

    def close(self) -> None:
        self._store.finish()
        self._store.close()


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
