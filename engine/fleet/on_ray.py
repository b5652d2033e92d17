"""A fleet on a Ray cluster: hires its actors (`engine.fleet.actors`), each on a machine that is good for it.

An actor is made with its name and nothing else. What it is to work with, keys among it, it is told in a call, so that
it stands in no log and in nothing that Ray keeps of its actors.
"""

from __future__ import annotations

import asyncio
import secrets
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final

from engine.cluster import HERE, connected, usable_cores
from engine.errors import UserError
from engine.fleet.actors import CoordinatorActor, WorkerActor
from engine.fleet.alike import Make, absent, make, unlike
from engine.fleet.links import Post, WorkerGone
from engine.fleet.wire import News, Order, read_error
from engine.text import first_line

__all__ = ["OnRay", "usual_workers", "workers_on"]

LOOK_EVERY_S: Final = 5.0  # for machines that have come: Ray tells nobody of them
PLACE_S: Final = 120.0  # that a worker may wait for a free processor while nobody is at work
BEGIN_S: Final = 600.0  # that it may take to begin, once it has one
MOST_HERE: Final = 8
TOKEN: Final = "token"  # noqa: S105 - a file's name
CALLS_AT_ONCE: Final = 16


def usual_workers() -> int:
    """How many there are on this machine alone when nobody says: one a processor that is ours, but for the driver's."""
    return max(1, min(MOST_HERE, usable_cores() - 1))


def workers_on(cards: Sequence[float], *, gpus: float) -> int:
    """How many workers machines with so many graphics cards have room for: one each, or what the cards give.

    No worker has parts of cards of two machines, nor a part of each of two cards.
    """
    if not gpus:
        return len(cards)
    if gpus > 1:
        return sum(int(have // gpus) for have in cards)
    return sum(int(have) * int(1 / gpus + 1e-9) for have in cards)


class OnRay:
    """Hires on the cluster at `address`, or on one of this machine's own that ends with it.

    So many `workers`; None is one for each machine of the cluster, those that come later included, or what is usual on
    this machine alone. `gpus` is what each has of graphics cards, for models in its process: 0.5 for two on a card;
    then there are as many as the cards give room for. None is a card each, where there are any. Raises MissingExtra
    without Ray.
    """

    def __init__(self, address: str = HERE, *, workers: int | None = None, gpus: float | None = 0.0) -> None:
        if address.startswith("ray://"):
            raise UserError(
                f"--ray {address}: a run needs the storage of its cluster, so it cannot be steered from outside: start "
                "it on one of the machines with --ray auto, or submit it as a job"
            )
        self._address = address
        is_one_machine = address == HERE and gpus == 0.0
        self._fixed = usual_workers() if workers is None and is_one_machine else workers
        self._wanted_gpus = gpus
        self._gpus = gpus or 0.0
        self._machines = 1
        self._there: frozenset[str] = frozenset()
        self._stack = ExitStack()
        self._ray: Any = None
        self._coordinator: Any = None
        self._at_work: set[str] = set()
        self._place_s = PLACE_S
        self._token = secrets.token_hex(16)
        self._token_path: Path | None = None

    def __repr__(self) -> str:
        return f"<OnRay {self._address} [{self.wanted} workers wanted]>"

    @property
    def wanted(self) -> int:
        return self._fixed or self._machines

    async def open(self, *, accounts: int) -> None:
        """Connect, and have a coordinator."""
        cores = None if self._fixed is None else self._fixed + 1
        self._ray = self._stack.enter_context(connected(self._address, cores=cores))
        self._stack.enter_context(_silenced())
        if self._wanted_gpus is None:
            self._gpus = min(1.0, self._ray.cluster_resources().get("GPU", 0.0))
        self._look_around()
        actor = self._ray.remote(CoordinatorActor)
        self._coordinator = actor.options(num_cpus=0, max_restarts=-1, enable_task_events=False).remote(accounts)
        await self._coordinator.begin.remote(self.wanted)

    async def hire(self, post: Post) -> _Link:
        from ray.exceptions import RayError

        actor = self._ray.remote(WorkerActor).options(
            num_cpus=1,
            num_gpus=self._gpus,
            max_concurrency=CALLS_AT_ONCE,
            max_restarts=0,
            scheduling_strategy="SPREAD",
            enable_task_events=False,
        )
        handle = actor.remote(post.name)
        try:
            node = await self._met(handle, post)
            async with asyncio.timeout(BEGIN_S):
                refused = await handle.open.remote(
                    post.hired, journal=post.journal, keys=post.keys, coordinator=self._coordinator
                )
        except RayError as error:
            raise _gone(error) from error
        except TimeoutError:
            self._ray.kill(handle)
            raise WorkerGone(f"it did not begin within {BEGIN_S:g} s") from None
        except BaseException:  # cancelled, or no good: nobody else knows of it
            self._ray.kill(handle)
            raise
        if refused is not None:
            self._ray.kill(handle)
            raise read_error(refused)
        self._at_work.add(post.name)
        return _Link(self._ray, handle, node)

    async def wait_change(self) -> None:
        """Until other machines are there."""
        before = self._there
        while self._there == before:
            await asyncio.sleep(LOOK_EVERY_S)
            self._look_around()
        self._coordinator.expect.remote(self.wanted)

    def notify_gone(self, name: str) -> None:
        self._at_work.discard(name)
        self._coordinator.leave.remote(name)

    async def coordinator_process(self) -> int:
        """Which process on its machine the coordinator is."""
        process: int = await self._coordinator.process.remote()
        return process

    async def aclose(self) -> None:
        if self._token_path is not None:
            self._token_path.unlink(missing_ok=True)
        if self._coordinator is not None:
            self._ray.kill(self._coordinator)
            self._coordinator = None
        self._stack.close()

    async def _met(self, handle: Any, post: Post) -> str:
        """Where a worker is, once it has a place, is of our make and sees our files. Raises UserError."""
        if self._token_path is None:
            self._token_path = post.journal.parent.parent / TOKEN
            self._token_path.write_text(self._token, encoding="utf-8")
        try:
            node, its, found = await self._placed(handle.meet.remote(self._token_path))
        except TimeoutError:
            raise UserError(
                f"--ray: no machine of the cluster had a processor free for a worker within {PLACE_S:.0f} s; `ray "
                "status` says what is in use"
            ) from None
        if (why := unlike(make(), Make(*its), node=node)) is not None:
            raise UserError(f"--ray: {why}")
        if found != self._token:
            raise UserError(
                f"--ray: {node} does not see {self._token_path.parent}: put the run where all machines of the cluster "
                "have the same storage at the same path, with --out"
            )
        return str(node)

    async def _placed(self, meeting: Any) -> Any:
        """What a worker says of itself. While others are at work it may wait for a place as long as it takes."""
        met = asyncio.ensure_future(meeting)
        try:
            while not (await asyncio.wait([met], timeout=self._place_s))[0]:
                if not self._at_work:
                    raise TimeoutError
            return met.result()
        finally:
            met.cancel()

    def _look_around(self) -> None:
        """Which machines there are, and how many workers they have room for."""
        there = [node for node in self._ray.nodes() if node["Alive"]]
        self._there = frozenset(node["NodeID"] for node in there)
        self._machines = max(1, workers_on([node["Resources"].get("GPU", 0.0) for node in there], gpus=self._gpus))


class _Link:
    """One worker's actor."""

    def __init__(self, ray: Any, handle: Any, node: str) -> None:
        self._ray = ray
        self._handle = handle
        self.node = node

    async def tell(self, order: Order) -> None:
        await _called(self._handle.tell.remote(order))

    async def news(self, *, linger_s: float) -> News:
        news: News = await _called(self._handle.news.remote(linger_s))
        return news

    async def close(self) -> News:
        news: News = await _called(self._handle.close.remote())
        return news

    def kill(self) -> None:
        self._ray.kill(self._handle)


@contextmanager
def _silenced() -> Iterator[None]:
    """Ray prints on standard output, which is ours, that a process has died, and has no switch for it.

    Who has died is told as an event, once.
    """
    worker: Any = sys.modules.get("ray._private.worker")
    told = getattr(worker, "print_to_stdstream", None)
    if told is None:  # another Ray, which does it otherwise
        yield
        return
    worker.print_to_stdstream = lambda *_, **__: None
    try:
        yield
    finally:
        worker.print_to_stdstream = told


async def _called(call: Any) -> Any:
    """What a call gives. Raises WorkerGone when nobody is there any more; a bug in the worker is raised as it is."""
    from ray.exceptions import RayError, RayTaskError

    try:
        return await call
    except RayTaskError as error:
        raise RuntimeError(f"a worker has failed: {error}") from error
    except RayError as error:
        raise WorkerGone(first_line(error)) from error


def _gone(error: Exception) -> Exception:
    """Why a worker did not begin: what no other would do better at is the user's to mend."""
    return absent(str(error)) or WorkerGone(first_line(error))
