"""Whoever was named to hear of everything that a command does: a log file, an OpenTelemetry endpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # `smelt --help` announces nothing, and need not wait for it
    from engine.events import Events, Listener

__all__ = ["announced", "heard_by"]

_HEARING: ContextVar[tuple[Callable[[], Listener | None], ...]] = ContextVar("hearing", default=())


@contextmanager
def heard_by(*listeners: Callable[[], Listener | None]) -> Iterator[None]:
    """Within the block they hear of whatever is `announced`. Each is made when there is something to hear first."""
    before = _HEARING.set((*_HEARING.get(), *listeners))
    try:
        yield
    finally:
        _HEARING.reset(before)


def announced() -> Events:
    """Where a command announces what happens: those who were named to hear of everything are subscribed."""
    from engine.events import Events

    events = Events()
    for made in _HEARING.get():
        if (listener := made()) is not None:
            events.subscribe(listener)
    return events
