"""How far curating is, for whoever waits: what it is at, and how many of how many are done.

It decides nothing: the same rows come out whether anybody looks on or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TypeAlias, TypeVar

__all__ = ["Advance", "Showing", "counted", "unseen"]

T = TypeVar("T")

TOLD_EVERY = 1024  # telling takes as long as looking at a row or two

Advance: TypeAlias = Callable[[int], object]
"""Told how many more are done."""

Showing: TypeAlias = Callable[[str, int | None], AbstractContextManager[Advance]]
"""Shows for a block that something goes on, of so many rows if that is known; gives whom to tell how it gets on."""


def unseen(_what: str, _total: int | None) -> AbstractContextManager[Advance]:
    """Nobody looks on."""
    return nullcontext(lambda _: None)


def counted(things: Iterable[T], advance: Advance, *, rows: Callable[[T], int] = lambda _: 1) -> Iterator[T]:
    """The same things; `advance` hears now and then, and at the end, of how many rows they were."""
    waiting = 0
    for thing in things:
        yield thing
        waiting += rows(thing)
        if waiting >= TOLD_EVERY:
            advance(waiting)
            waiting = 0
    if waiting:
        advance(waiting)
