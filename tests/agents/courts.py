"""A task, a teacher for it and judges of all kinds, in tests."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random

from agents.demo.countries.world import World
from agents.demo.vices import NO_VICES, Vices
from agents.records import Pair, Spec
from engine.errors import SmeltError
from engine.messages import Message, Reply, Request, Usage
from engine.providers.simulated import Answer

__all__ = ["ANCHORS", "SPEC", "Court", "Parity", "always", "coin", "told", "truthful"]

ANCHORS = tuple(Pair(f"number {n}", "odd" if n % 2 else "even") for n in range(40))
SPEC = Spec(
    instruction="Say whether the number is even.",
    kind="classification",
    labels=("even", "odd"),
    demonstrations=ANCHORS[:12],
)

Judgment = Callable[[Pair, Random], bool]
"""What a judge says of a row: whether it is right."""


def is_right(row: Pair) -> bool:
    number = re.search(r"\d+", row.input)
    if number is None or "___" in row.input:
        return False
    return row.output == ("odd" if int(number[0]) % 2 else "even")


def truthful(share: float = 1.0) -> Judgment:
    """Right so often."""
    return lambda row, chance: is_right(row) is (chance.random() < share)


def always(what: bool) -> Judgment:
    return lambda *_: what


def coin(_: Pair, chance: Random) -> bool:
    return chance.random() < 0.5


def rows_in(request: Request) -> list[Pair]:
    """The rows that a judge is asked about."""
    text = request.messages[0].content.partition("<rows>")[2].rpartition("</rows>")[0]
    told = (json.loads(line.partition(". ")[2]) for line in text.splitlines() if line.strip())
    return [Pair(row["input"], row["output"]) for row in told]


def told(verdicts: Sequence[bool]) -> str:
    """The judge's answer, as it is asked for."""
    each = (
        {"why": "", "fault": "none", "score": 5} if good else {"why": "no", "fault": "output", "score": 1}
        for good in verdicts
    )
    return json.dumps({"verdicts": [{"row": number, **one} for number, one in enumerate(each, start=1)]})


class Parity:
    """Writes numbers, labels them with a slip now and then, and judges them by a rule; after a wait of its own."""

    def __init__(
        self, judges: Judgment | None = None, *, slips: float = 0.0, latency_seed: int = 0, longest_s: float = 0.0,
        says: Callable[[list[Pair], str], str] = lambda _, text: text,
        fails: Callable[[int], SmeltError | None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.judges, self.slips, self.says, self.fails = judges or truthful(), slips, says, fails
        self.waits, self.longest_s = Random(latency_seed), longest_s
        self.asked: Counter[str] = Counter()
        self.judged: list[list[Pair]] = []

    async def ask(self, request: Request) -> Reply:
        self.asked[request.tag] += 1
        await asyncio.sleep(self.waits.uniform(0, self.longest_s))
        text = getattr(self, f"_{request.tag}")(request, Random(repr(request)))
        return Reply(texts=(text,), finish_reasons=("stop",), usage=Usage(1, 1), model="m", paid_usd=0.001)

    def _generate(self, request: Request, chance: Random) -> str:
        found = re.search(r"Write (\d+) new", request.messages[0].content)
        return json.dumps([f"number {chance.randint(100, 99999)}" for _ in range(int(found[1]) if found else 0)])

    def _annotate(self, request: Request, chance: Random) -> str:
        asked = request.messages[-1].content
        if not asked.startswith("1. "):
            return self._label(asked, chance)
        return re.sub('"(.*)"', lambda match: json.dumps(self._label(match[1], chance)), asked)

    def _label(self, text: str, chance: Random) -> str:
        return "odd" if (int(text.split()[1]) % 2 == 1) is not (chance.random() < self.slips) else "even"

    def _judge(self, request: Request, chance: Random) -> str:
        rows = rows_in(request)
        self.judged.append(rows)
        if error := self.fails(len(self.judged)):
            raise error
        return self.says(rows, told([self.judges(row, chance) for row in rows]))


class Court:
    """A simulated teacher of the world of countries, and another one that judges; None says that it does so itself."""

    def __init__(self, *, teacher: Vices, judge: Vices | None = NO_VICES) -> None:
        self.teacher = World(vices=teacher)
        self._judge = self.teacher if judge is None else World(seed=1, vices=judge)

    async def ask(self, request: Request) -> Reply:
        answer = self._said(
            request.tag, request.messages, request.temperature or 0.0, request.max_tokens, request.sample
        )
        return Reply(texts=(answer.text,), finish_reasons=(answer.finish_reason,), usage=Usage(1, 1), model="m")

    def _said(self, tag: str, messages: Sequence[Message], heat: float, tokens: int, sample: int) -> Answer:
        world = self._judge if tag == "judge" else self.teacher
        return world.answer(messages, temperature=heat, max_tokens=tokens, sample=sample)
