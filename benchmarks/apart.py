"""The fake provider in a process of its own, so that its work is not counted as ours.

    with provider(latency_s=1.0) as fake:
        Engine("openai/echo", base_url=fake.url, ...)
        fake.audit()["requests"]

Knows no benchmark. Whatever `FakeProvider` takes may be said, as long as it can be pickled.
"""

from __future__ import annotations

import json
import multiprocessing
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

from engine.fakes.server import FakeProvider, serve
from engine.fakes.worlds import EchoWorld
from engine.providers.simulated import World

__all__ = ["Fake", "provider"]


@dataclass(frozen=True, slots=True)
class Fake:
    """A fake provider at work: `url` is the base URL for either dialect."""

    url: str

    def audit(self, *, since: int = 10**9) -> dict[str, Any]:
        """The provider's own books; entries from number `since` on come along."""
        with urllib.request.urlopen(f"{self.url.removesuffix('/v1')}/control/audit?since={since}") as reply:  # noqa: S310 - an address of ours
            record: dict[str, Any] = json.load(reply)
        return record


@contextmanager
def provider(world: World | None = None, **behaviour: Any) -> Iterator[Fake]:
    """Serve a world (an echo unless told otherwise) from another process until the block ends."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(world or EchoWorld(), behaviour, theirs), daemon=True)
    process.start()
    try:
        yield Fake(ours.recv())
    finally:
        process.terminate()
        process.join()


def _serve(world: World, behaviour: dict[str, Any], pipe: Connection) -> None:
    serve(FakeProvider(world, **behaviour), on_ready=lambda fake: pipe.send(fake.url))
