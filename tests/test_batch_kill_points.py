"""Killed between any two steps of a batch, a run pays for every question once, and ends with the same answers. Slow.

The provider's own books are the judge: every text was answered once, and our ledger says the same to the last
pico-dollar, with nothing assumed. For a batch is never in doubt for good: what its process did not live to hear the
next one finds out.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from engine.fakes.batches import BatchBehaviour
from engine.fakes.server import FakeProvider
from engine.journal import Journal
from engine.messages import Message
from engine.prices import Price
from engine.providers.simulated import Answer
from tests.batch_victim import questions
from tests.nursery import OF_BATCHES, Nursery, Point, nursery

pytestmark = pytest.mark.slow

AT_ONCE = 3
KILLS_A_PLACE = 4
OF_THE_BATCH = ("upload", "create", "find", "look", "results", "line")
OF_THE_JOURNAL = ("committed", "marked", "charged", "the mark is durable", "COMMIT")


class Counting:
    """Answers in capitals, and knows how often it was told each text."""

    name = "counting"
    seed = 0
    price = Price(input="0.25", output=2, batch="0.5")

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def answer(self, messages: Sequence[Message], **_: object) -> Answer:
        text = messages[-1].content
        self.asked[text] += 1
        return Answer(text.upper())

    def truth(self, messages: Sequence[Message]) -> str:
        return messages[-1].content.upper()


class Lab:
    """A provider, and processes that die there."""

    def __init__(self, dialect: str, fake: FakeProvider, world: Counting, folder: Path) -> None:
        self._dialect = dialect
        self._fake = fake
        self._world = world
        self._folder = folder

    async def trial(self, name: str, children: Nursery, *deaths: Point) -> tuple[Counter[str], int]:
        """Die at each point in turn, then come to the end. The places passed at the end, and how many died."""
        folder = self._folder / name
        folder.mkdir()
        arguments = {"dialect": self._dialect, "url": self._fake.url, "trial": name, "folder": str(folder)}
        killed = 0
        for point in deaths:
            ended = await children.order("ask in batches", arguments, point=point)
            assert ended.killed or ended.status == 0, ended
            killed += ended.killed
        ended = await children.order("ask in batches", arguments)
        assert ended.status == 0, ended
        await self._judge(name, folder)
        return Counter(json.loads(ended.out)), killed

    async def _judge(self, name: str, folder: Path) -> None:
        texts = [request.messages[0].content for request in questions(name)]
        assert json.loads((folder / "answers.json").read_text()) == [text.upper() for text in texts]
        assert {self._world.asked[text] for text in texts} == {1}, "a question was answered, and billed, twice"
        async with await Journal.open(folder / "journal.db") as journal:
            billed = sum(entry.cost for entry in self._fake.audit.entries if entry.model == name)
            assert (journal.spent, journal.assumed) == (billed, 0)
            assert journal.open_batches() == []
            assert journal.counts().answered_twice == 0


def points_of(places: Counter[str]) -> list[Point]:
    """Every place of a batch, and some of the journal's, at some of its passages."""
    chosen = [name for name in sorted(places) if name in OF_THE_JOURNAL or name.split()[-1] in OF_THE_BATCH]
    return [(name, k) for name in chosen for k in spread(places[name])]


def spread(times: int) -> list[int]:
    wanted = min(times, KILLS_A_PLACE)
    return sorted({1 + round(place * (times - 1) / max(1, wanted - 1)) for place in range(wanted)})


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_process_killed_between_any_two_steps_of_a_batch_pays_for_nothing_twice(dialect: str, tmp_path: Path) -> None:
    chance = random.Random(0)

    async def main() -> int:
        world = Counting()
        behaviour = BatchBehaviour(seconds=0.2, failing=0.03, expiring=0.03)
        async with FakeProvider(world, batches=behaviour) as fake:
            lab, deaths = Lab(dialect, fake, world, tmp_path), 0
            async with nursery(*OF_BATCHES) as children:
                places, _ = await lab.trial("undisturbed", children)
            points = points_of(places)
            again = [("before find", 1), ("after find", 1), ("after look", 1), ("line", 9), ("charged", 5)]
            shares = [points[start::AT_ONCE] for start in range(AT_ONCE)]

            async def work(number: int, share: Sequence[Point]) -> int:
                killed = 0
                async with nursery(*OF_BATCHES) as children:
                    for which, point in enumerate(share):
                        second = chance.choice(again)
                        killed += (await lab.trial(f"trial-{number}-{which}", children, point, second))[1]
                return killed

            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(work(number, share)) for number, share in enumerate(shares)]
            deaths = sum(task.result() for task in tasks)
            print(f"{deaths} processes were killed at {len(points)} places of {dialect}'s batches")
            return deaths

    assert asyncio.run(main()) >= 30
