"""A task and teachers to label it in tests."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Sequence

from agents.records import Pair, Spec
from agents.voting.annotate import Voting, annotate_all
from engine.fakes import virtual_time
from engine.messages import FinishReason, Reply, Request, Usage

DEMONSTRATIONS = tuple(Pair(f"text {i}", f"2021-01-0{i}") for i in range(1, 7))
SPEC = Spec(instruction="Find the date.", demonstrations=DEMONSTRATIONS, empty_answer="N/A")
TOGETHER = Voting(together=8)
TEXTS = [f"row {i}" for i in range(8)]


def read_list(text: str) -> dict[int, str]:
    """The numbered texts of a message, as whoever reads it line by line understands it."""
    lines = (line.partition(". ") for line in text.splitlines())
    return {int(number): json.loads(item) for number, dot, item in lines if dot and number.isdigit()}


def is_shared(request: Request) -> bool:
    return "several inputs at once" in request.messages[0].content


def asked_in(request: Request) -> list[str]:
    """The inputs of a request, in its order."""
    last = request.messages[-1].content
    return list(read_list(last).values()) if is_shared(request) else [last]


class Labels:
    """A teacher that knows a label for every input, for as many as are asked for at once."""

    def __init__(self, label: Callable[[str, int], str] = lambda text, _: f"({text})", *, latency: float = 0.0) -> None:
        self.label, self.latency = label, latency
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        call = len(self.asked)
        await asyncio.sleep(random.Random(repr((request, self.latency))).uniform(0, self.latency))
        texts = tuple(self.answer(request, call + sample) for sample in range(request.n))
        return Reply(texts=texts, finish_reasons=(self.ending(request),) * request.n, usage=Usage(1, 1), model="m")

    def answer(self, request: Request, call: int) -> str:
        if not is_shared(request):
            return self.label(request.messages[-1].content, call)
        inputs = read_list(request.messages[-1].content)
        return self.written({number: self.label(text, call) for number, text in inputs.items()})

    def written(self, labels: dict[int, str]) -> str:
        return "\n".join(f"{number}. {json.dumps(label)}" for number, label in labels.items())

    def ending(self, request: Request) -> FinishReason:  # noqa: ARG002
        return "stop"

    @property
    def sizes(self) -> list[int]:
        return [len(asked_in(request)) for request in self.asked]


def winners(teacher: Labels, voting: Voting = TOGETHER, texts: Sequence[str] = TEXTS) -> list[str | None]:
    annotations = virtual_time.run(annotate_all(teacher, SPEC, texts, voting))
    assert [annotation.input for annotation in annotations] == list(texts)
    return [annotation.vote.winner if annotation.vote else None for annotation in annotations]


def labels_of(texts: Sequence[str]) -> list[str]:
    """What `Labels` knows, as votes are counted."""
    return [f"({text})" for text in texts]
