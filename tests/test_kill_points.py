"""Killed at any step, a run loses no durable reply, pays for none twice, and ends in the same bytes. Slow.

Processes that ask a fake provider in this one are killed at more than two hundred places: between any two steps of the
journal and of an attempt, and, where strace may be used, at any write and fsync. Each is killed once more while it
resumes, and then let go on to its end. The provider's own books are the judge, and so is what the journal of the dead
process held when it was found.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import shutil
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Protocol

import pytest

from engine.fakes.faults import FaultRates
from engine.fakes.server import FakeProvider
from engine.journal import Journal
from engine.messages import Message
from engine.prices import Price
from engine.providers.resolve import world_named
from engine.providers.simulated import Answer
from tests.nursery import (
    MODULES,
    Ended,
    Nursery,
    Point,
    files_of,
    generating,
    killing,
    nursery,
    strace_refusal,
)
from tests.victim import IN_FLIGHT, SEEN, asked_of, questions

pytestmark = pytest.mark.slow

FAULTS = FaultRates(error=0.02, reset=0.02, truncated=0.01, garbled=0.02, error_under_200=0.01)
AT_ONCE = 3  # processes that are killed at the same time
EVERYWHERE = "SMELT_KILL_EVERYWHERE" in os.environ  # at each passage of each place, and each write: minutes
KILLS_A_PLACE = 1000 if EVERYWHERE else 11
WRITES, FSYNCS = 280, 26  # by one thread, in a process that is left alone
TRACED = {
    "pwrite64": range(1, WRITES, 1 if EVERYWHERE else 8), "fdatasync": range(1, FSYNCS, 1 if EVERYWHERE else 2),
    "fsync": range(1, 2), "ftruncate": range(1, 3), "unlink": range(1, 3), "rename": range(1, 2),
}  # fmt: skip


class Kill(Protocol):
    """Has a child of a nursery ask, and dies at the point."""

    async def __call__(self, nursery: Nursery, arguments: object, *, point: Point) -> Ended: ...


class Remembering:
    """Answers in capitals, takes its time, and knows how often it was told each text."""

    name = "remembering"
    seed = 0
    price = Price(input="0.25", output=2)

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def answer(self, messages: Sequence[Message], **_: object) -> Answer:
        text = messages[-1].content
        self.asked[text] += 1
        return Answer(text.upper(), latency_s=hashlib.sha256(text.encode()).digest()[0] / 256 * 0.02)

    def truth(self, messages: Sequence[Message]) -> str:
        return messages[-1].content.upper()


# -- one engine, killed, killed again, and brought to its end


@dataclass
class Trial:
    """A folder, a model's name that the provider knows this trial by, and what was found after each death."""

    name: str
    folder: Path
    fake: FakeProvider
    deaths: int = 0
    durable: dict[bytes, tuple[bytes, int]] = field(default_factory=dict)  # key: reply and times asked, at a death

    @property
    def path(self) -> Path:
        return self.folder / "journal.db"

    def arguments(self) -> dict[str, object]:
        return {"url": self.fake.url, "trial": self.name, "folder": str(self.folder)}

    def keys(self) -> dict[bytes, str]:
        """The text of each question, by its key."""
        teacher = asked_of(self.name, self.fake.url)
        return {each.identity(asked_of=teacher): each.messages[0].content for each in questions(self.name)}

    async def bury(self, ended: Ended) -> None:
        """Look at what a dead process left behind. What was durable once must be so for ever, and never asked again."""
        assert ended.killed or ended.status == 0, ended
        self.deaths += ended.killed
        if not self.path.exists():
            return
        times, replies, _ = await self._found(grave=True)
        seen = set((self.folder / SEEN).read_text().splitlines())
        assert seen <= {text for key, text in self.keys().items() if key in replies}, "a reply was seen and then lost"
        for key, (body, asked) in self.durable.items():
            assert (replies[key], times[key]) == (body, asked), "a durable reply was lost, or asked again"
        self.durable = {key: (body, times[key]) for key, body in replies.items()}

    async def judge(self, ended: Ended, *, asked: Counter[str]) -> None:
        """The last process came to its end: everything must be there, and have been paid once."""
        assert ended.status == 0, ended
        answers = json.loads((self.folder / "answers.json").read_text())
        assert answers == [request.messages[0].content.upper() for request in questions(self.name)]
        await self.bury(ended)
        times, replies, charged = await self._found(grave=False)
        texts = self.keys()
        assert replies.keys() == texts.keys()
        assert all(asked[text] <= times[key] for key, text in texts.items()), "a request left without an intent"
        billed = sum(entry.cost for entry in self.fake.audit.entries if entry.model == self.name)
        assert billed <= charged, f"the provider billed {billed}, and our books say {charged}"

    async def _found(self, *, grave: bool) -> tuple[Counter[bytes], dict[bytes, bytes], int]:
        """How often each question was asked, the replies that are there, and what all of it was charged.

        A dead journal is looked at as a copy, since looking recovers it.
        """
        path = self.path
        if grave:
            copy = self.folder.with_name(f"{self.folder.name}-grave-{self.deaths}")
            shutil.copytree(self.folder, copy, dirs_exist_ok=True)
            path = copy / "journal.db"
        async with await Journal.open(path) as journal:
            times = Counter(entry.key for entry in journal.entries())
            found = {key: journal.find(key) for key in times}
            counts = journal.counts()
            replies = {key: stored.raw.body for key, stored in found.items() if stored and stored.answers}
            assert counts.answered_twice == 0
            assert journal.recovered <= (IN_FLIGHT if grave else 0) * 2
            return times, replies, journal.spent + journal.assumed


class Lab:
    """A provider and a few nurseries, and trials that take turns."""

    def __init__(self, fake: FakeProvider, world: Remembering, nurseries: Sequence[Nursery], folder: Path) -> None:
        self.fake = fake
        self._world = world
        self._free: asyncio.Queue[Nursery] = asyncio.Queue()
        for each in nurseries:
            self._free.put_nowait(each)
        self._folder = folder

    def trial(self, name: str) -> Trial:
        folder = self._folder / name
        folder.mkdir()
        return Trial(name, folder, self.fake)

    async def run(self, name: str, kill: Callable[[Nursery, object], Awaitable[Ended]], *, again: Point) -> int:
        """Kill, kill the one that resumes, and let the third end. How often somebody died."""
        nursery = await self._free.get()
        trial = self.trial(name)
        try:
            await trial.bury(await kill(nursery, trial.arguments()))
            await trial.bury(await nursery.order("ask", trial.arguments(), point=again))
            await trial.judge(await nursery.order("ask", trial.arguments()), asked=self._world.asked)
        finally:
            self._free.put_nowait(nursery)
        shutil.rmtree(trial.folder)
        return trial.deaths

    async def places(self) -> Counter[str]:
        """Every place that an undisturbed process passes, and how often."""
        trial, nursery = self.trial("undisturbed"), await self._free.get()
        ended = await nursery.order("ask", trial.arguments())
        self._free.put_nowait(nursery)
        await trial.judge(ended, asked=self._world.asked)
        return Counter(json.loads(ended.out))


@asynccontextmanager
async def lab(folder: Path) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        world = Remembering()
        fake = await stack.enter_async_context(FakeProvider(world, faults=FAULTS))
        nurseries = [await stack.enter_async_context(nursery()) for _ in range(AT_ONCE)]
        yield Lab(fake, world, nurseries, folder)


def spread(times: int) -> list[int]:
    """Some of 1 to `times`, evenly."""
    wanted = min(times, KILLS_A_PLACE)
    return sorted({1 + round(place * (times - 1) / max(1, wanted - 1)) for place in range(wanted)})


async def run_all(folder: Path, points: Sequence[Point], *, kill: Kill, chance: random.Random) -> int:
    """A trial for each point. How many processes were killed."""
    async with lab(folder) as there:
        places = await there.places()
        points = points or [(name, k) for name, times in sorted(places.items()) for k in spread(times)]
        async with asyncio.TaskGroup() as group:
            tasks = []
            for number, point in enumerate(points):
                name = chance.choice(sorted(places))
                again = name, chance.randint(1, max(1, places[name] // 3))
                tasks.append(group.create_task(there.run(f"trial-{number}", partial(kill, point=point), again=again)))
        return sum(task.result() for task in tasks)


def test_a_process_killed_between_any_two_steps_loses_nothing_and_pays_nothing_twice(tmp_path: Path) -> None:
    async def kill(nursery: Nursery, arguments: object, *, point: Point) -> Ended:
        return await nursery.order("ask", arguments, point=point)

    deaths = asyncio.run(run_all(tmp_path, (), kill=kill, chance=random.Random(0)))

    print(f"{deaths} processes were killed between two steps")
    assert deaths >= 180


def test_a_process_killed_at_any_write_or_fsync_loses_nothing_and_pays_nothing_twice(tmp_path: Path) -> None:
    if refusal := strace_refusal():
        pytest.skip(refusal)
    points = [(syscall, passage) for syscall, passages in TRACED.items() for passage in passages]

    async def kill(nursery: Nursery, arguments: object, *, point: Point) -> Ended:
        return await nursery.order_traced("ask", arguments, inject=killing(*point))

    deaths = asyncio.run(run_all(tmp_path, points, kill=kill, chance=random.Random(1)))

    print(f"{deaths} processes were killed at a write or an fsync, or while they resumed")
    assert deaths >= len(points)


# -- the command line, killed while it asks and while it writes its files

STEP = 1 if EVERYWHERE else 3
FILES_TRACED = {
    "fsync": range(1, 9, STEP), "rename": range(2, 7, STEP), "fdatasync": range(2, 25, 4 * STEP),
    "pwrite64": range(60, 240, 20 * STEP), "write": range(1, 40, 5 * STEP), "unlink": range(1, 3, STEP),
}  # fmt: skip


def test_a_run_killed_at_any_write_of_any_of_its_files_ends_in_the_same_bytes(tmp_path: Path) -> None:
    if refusal := strace_refusal():
        pytest.skip(refusal)
    points = [(syscall, passage) for syscall, passages in FILES_TRACED.items() for passage in passages]

    async def one(nurseries: asyncio.Queue[Nursery], url: str, point: Point) -> tuple[bool, dict[str, bytes]]:
        words = generating(tmp_path / "-".join(map(str, point)), url)
        nursery = await nurseries.get()
        killed = await nursery.order_traced("smelt", {"words": words}, inject=killing(*point))
        assert killed.killed or killed.status == 0, killed
        # The same words again, as before the run has begun there is nothing to resume.
        ended = await nursery.order("smelt", {"words": words})
        nurseries.put_nowait(nursery)
        assert (ended.status, ended.err) == (0, ""), ended
        return killed.killed, files_of(tmp_path / "-".join(map(str, point)))

    async def main() -> list[tuple[bool, dict[str, bytes]]]:
        async with FakeProvider(world_named("dates", seed=0), latency_scale=0.02) as fake, AsyncExitStack() as stack:
            free: asyncio.Queue[Nursery] = asyncio.Queue()
            for _ in range(AT_ONCE):
                free.put_nowait(await stack.enter_async_context(nursery(*MODULES)))
            return await asyncio.gather(*(one(free, fake.url, point) for point in [("fsync", 1000), *points]))

    (was_killed, undisturbed), *others = asyncio.run(main())
    deaths = sum(killed for killed, _ in others)

    print(f"{deaths} runs were killed at a write")
    assert not was_killed  # so many fsyncs there are not
    assert all(files == undisturbed for _, files in others)
    assert deaths >= len(points) // 2
