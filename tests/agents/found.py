"""Data sets and teachers for the tests of rows that exist already."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from agents.records import Pair, Spec
from engine.messages import Reply, Request, Usage
from engine.retrieval import Column, DatasetCard

SPEC = Spec(
    instruction="Say what the customer wants: pay bill or lost card.",
    kind="classification",
    labels=("pay bill", "lost card"),
    demonstrations=(Pair("how do I pay the bill", "pay bill"), Pair("my card is gone", "lost card")),
)


class Scripted:
    """A teacher that says what a function makes of the last message, and remembers what it was asked."""

    def __init__(self, say: Callable[[str], str | Exception]) -> None:
        self.say = say
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        said = self.say(request.messages[-1].content)
        if isinstance(said, Exception):
            raise said
        return Reply(texts=(said,), finish_reasons=("stop",), usage=Usage(1, 1), model="m")


def card(name: str | Path, *, columns: Sequence[Column] = (), about: str = "Rows.") -> DatasetCard:
    return DatasetCard(
        id=str(name), description=about, tags=(), languages=("en",), licence="mit", columns=tuple(columns),
        downloads=0, gated=False,
    )  # fmt: skip


def write_csv(path: Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> DatasetCard:
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(header)
        table.writerows(rows)
    return card(path)


def write_jsonl(path: Path, rows: Sequence[object]) -> DatasetCard:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return card(path)
