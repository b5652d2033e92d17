"""The real command line as a test uses it: started, waited for, stopped, with a teacher behind HTTP that counts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
from asyncio.subprocess import DEVNULL, PIPE
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from agents.demo.conversation import AnnotateMany, read_conversation
from engine.fakes.server import FakeProvider
from engine.messages import Message
from engine.providers.resolve import world_named
from engine.providers.simulated import Answer
from tests import nursery
from tests.warm import Started, environment_now, nest, started
from tests.wrapped import Wrapped

ROOT = Path(__file__).parents[2]
DATES = ROOT / "agents" / "demo" / "dates"
INTENTS = ROOT / "agents" / "demo" / "intents"
PARTS = ("train", "validation", "test", "rejected")
ROWS = 400
Question = tuple[tuple[Message, ...], float, int]


class Watched(Wrapped):
    """A world that counts how often it is asked each question, and tells when it has been asked so many."""

    def __init__(self, name: str) -> None:
        super().__init__(world_named(name, seed=0))
        self.asked: Counter[Question] = Counter()
        self.latency_s: float | None = None  # None: as the world says
        self._at: int | None = None
        self._then: Callable[[], None] = lambda: None

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:
        self.asked[(tuple(messages), temperature, max_tokens)] += 1
        if self.asked.total() == self._at:
            self._then()
        answer = super().answer(messages, temperature=temperature, max_tokens=max_tokens, sample=sample)
        return answer if self.latency_s is None else replace(answer, latency_s=self.latency_s)

    def when(self, asked: int, then: Callable[[], None]) -> None:
        """Call `then` at the question that makes so many in all."""
        self._at, self._then = asked, then

    @property
    def asked_again(self) -> int:
        return sum(times - 1 for times in self.asked.values())

    @property
    def lists_of_labels(self) -> int:
        """How many of the questions were for the labels of several inputs."""
        return sum(isinstance(read_conversation(messages), AnnotateMany) for messages, _, _ in self.asked)


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    def table(self) -> dict[str, object]:
        """The JSON object that is the last line of its standard output."""
        table = json.loads(self.out.splitlines()[-1])
        assert isinstance(table, dict)
        return table


async def start(*words: object, key: str | None = None) -> Started:
    """`smelt WORDS`, in the clone, with no key in its environment but this one, if it is given."""
    if key is None and (forks := nest()):
        return await started(forks, [str(word) for word in words], cwd=ROOT)
    environment = environment_now()
    if key is not None:
        environment["OPENAI_API_KEY"] = key
    return await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "agents",
        *map(str, words),
        cwd=ROOT,
        env=environment,
        stdin=DEVNULL,
        stdout=PIPE,
        stderr=PIPE,
    )


async def ended(process: Started) -> Ended:
    async with asyncio.timeout(120):
        out, err = await process.communicate()
    assert process.returncode is not None
    return Ended(process.returncode, out.decode(), err.decode())


async def smelt(*words: object, key: str | None = None) -> Ended:
    return await ended(await start(*words, key=key))


def generating(out: Path, *more: object, url: str, dialect: str = "openai", budget: str = "5") -> list[str]:
    """The words that make the data of these tests, with a teacher behind HTTP."""
    return nursery.generating(out, url, *more, dialect=dialect, budget=budget, rows=ROWS)


def data_of(run: Path) -> dict[str, bytes]:
    return {part: (run / "data" / f"{part}.parquet").read_bytes() for part in PARTS}


def rows_in(data: dict[str, bytes]) -> dict[str, list[dict[str, object]]]:
    """The rows, but for who answered and at which price."""
    from pyarrow import BufferReader, parquet

    who = {"model", "vote_models", "cost_usd", "vote_cost_usd"}
    tables = {part: parquet.read_table(BufferReader(content)) for part, content in data.items()}
    return {
        part: table.drop_columns(sorted(who & set(table.column_names))).to_pylist() for part, table in tables.items()
    }


@contextlib.asynccontextmanager
async def teacher(world: Watched, *, latency_scale: float = 0.1) -> AsyncIterator[FakeProvider]:
    async with FakeProvider(world, latency_scale=latency_scale) as fake:
        yield fake


def signal_to(process: Started, number: signal.Signals) -> None:
    """As from another terminal: also to a process that is just ending.

    `Process.send_signal` looks first whether it has ended, and may so take its status away from asyncio, which then
    makes one up (255).
    """
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, number)


async def stopped_at(
    world: Watched, asked: int, number: signal.Signals, words: Sequence[object], *, key: str | None = None
) -> Ended:
    """Run a command that gets a signal at the moment at which the teacher is asked for the so-manieth time."""
    process = await start(*words, key=key)
    world.when(asked, lambda: signal_to(process, number))
    return await ended(process)
