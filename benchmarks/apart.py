"""Processes of their own, so that nobody's work and memory are counted as another's: the fake provider, clients, calls.

    with provider(latency_s=1.0) as fake:
        ask("smelt", fake.url, requests=1000, in_flight=100).cpu_seconds
        fake.audit()["requests"]

Knows no benchmark. Whatever `FakeProvider` takes may be said, as long as it can be pickled.
"""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from benchmarks.rivals import Took
from engine.fakes.server import FakeProvider, serve
from engine.fakes.worlds import EchoWorld
from engine.providers.simulated import World

__all__ = ["Fake", "apart", "ask", "provider"]

RIVALS = Path(__file__).with_name("rivals.py")
PATIENCE_S = 300.0

P = ParamSpec("P")
T = TypeVar("T")


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


def ask(name: str, url: str, *, requests: int, in_flight: int, python: Path | str = sys.executable) -> Took:
    """What a client of `benchmarks/rivals.py` took."""
    command = [str(python), str(RIVALS), name, url, str(requests), str(in_flight)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    if done.returncode:
        raise SystemExit(f"{name} ended with {done.returncode}:\n{done.stderr[-2_000:]}")
    return Took(**json.loads(done.stdout.splitlines()[-1]))


def apart(call: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """The call's result; the process ends with it."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(call, *arguments, **named).result()
