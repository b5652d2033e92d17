"""How the driver of a fleet reaches its workers, and those who start them: what a transport must offer.

`engine.fleet.near` does it within one process, `engine.fleet.on_ray` on a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from engine.fleet.wire import News, Order

__all__ = ["Hiring", "Link", "Post", "WorkerGone"]


class WorkerGone(Exception):
    """A worker, or the machine that it was on, is gone; it never leaves a fleet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Post:
    """What a worker is hired for: its name, the arguments of its engine, where its journal lies, and the keys.

    The keys are variables of the environment, with what they are set to.
    """

    name: str
    hired: Mapping[str, Any] = field(repr=False)
    journal: Path
    keys: Mapping[str, str] = field(repr=False)


class Link(Protocol):
    """One worker. Every call but `kill` raises WorkerGone once it is gone."""

    @property
    def node(self) -> str:
        """Which machine it is on, for people."""
        ...

    async def tell(self, order: Order) -> None: ...

    async def news(self, *, linger_s: float) -> News: ...

    async def close(self) -> News:
        """It lets go of everything, and has said its last word."""
        ...

    def kill(self) -> None:
        """End it at once; on return it will write nothing more, or soon will not."""
        ...


class Hiring(Protocol):
    """Who starts workers."""

    @property
    def wanted(self) -> int:
        """How many workers there should be, as things are now."""
        ...

    async def open(self, *, accounts: int) -> None:
        """Get ready; there are so many accounts whose limits are divided. Raises UserError where that cannot be."""
        ...

    async def hire(self, post: Post) -> Link:
        """A worker that has begun. Waits for a place. Raises UserError for what no other worker would do better at."""
        ...

    async def wait_change(self) -> None:
        """Until another number of workers may be wanted."""
        ...

    def notify_gone(self, name: str) -> None:
        """A worker is gone: what it was lent may be lent to others."""
        ...

    async def aclose(self) -> None: ...
