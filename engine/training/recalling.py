"""A student that writes and rows that remember, as one: the answer that both together hold to be the likeliest.

    share of an answer = weight x its share among the rows most like the input
                       + (1 - weight) x how likely the writer holds it, where it is what it wrote

The weight is found on validation rows, of which neither has learnt, and where it brings nothing there is no memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Self

from engine.errors import UserError
from engine.training.encoder_decoder import EncoderDecoder
from engine.training.recollection import DAMAGED, Recollection, Shares
from engine.training.student import Prediction, Row

__all__ = ["FOLDER", "Recalling", "both", "helps", "weight_for", "with_memory"]

FOLDER: Final = "memory"
"""Of a student's folder. Whoever takes it away has the writer alone."""

WEIGHT: Final = "weight.json"
ROUNDS: Final = 50
HELD_BY: Final = 5  # rows
UNHEARD: Final = 1e-3  # the share of an answer that neither has, as far as weighing goes


@dataclass(frozen=True, slots=True)
class Recalling:
    """A writer with a memory. What is drawn by chance (`sample`) is the writer's alone."""

    writer: EncoderDecoder
    recollection: Recollection
    weight: float
    right: float | None = None  # the share of the rows that the weight was found on, where it was found just now

    @property
    def family(self) -> str:
        return self.writer.family

    @property
    def size(self) -> int:
        """The rows that it remembers."""
        return len(self.recollection.rows)

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        """The writer's predictions, with the answers and confidences of both together."""
        written = self.writer.predict(inputs)
        whole = [text for text, one in zip(inputs, written, strict=True) if not one.cut]
        recalled = iter(self.recollection.answers(whole))  # to look up what is cut could take long, and counts nothing
        return [one if one.cut else both(one, next(recalled), weight=self.weight) for one in written]

    def sample(
        self, inputs: Sequence[str], *, n: int, temperature: float, seed: int, top_p: float = 1.0
    ) -> list[list[Prediction]]:
        return self.writer.sample(inputs, n=n, temperature=temperature, seed=seed, top_p=top_p)

    @classmethod
    def where_it_helps(cls, writer: EncoderDecoder, recollection: Recollection, rows: Sequence[Row]) -> Self | None:
        """Both as one, if that `helps` with `rows`; else None.

        Rows of `recollection` itself are left out: of those it knows the answer.
        """
        known = {row.input for row in recollection.rows}
        rows = [row for row in rows if row.input not in known]
        if not rows:
            return None
        inputs = [row.input for row in rows]
        written, recalled = writer.predict(inputs), recollection.answers(inputs)
        weight = weight_for(written, recalled, rows)
        together = [both(one, shares, weight=weight) for one, shares in zip(written, recalled, strict=True)]
        now = _right(together, rows)
        return cls(writer, recollection, weight, sum(now) / len(now)) if helps(_right(written, rows), now) else None

    def keep(self, folder: Path) -> None:
        place = folder / FOLDER
        place.mkdir()
        self.recollection.keep(place)
        (place / WEIGHT).write_text(json.dumps({"weight": self.weight}) + "\n", encoding="utf-8")

    @classmethod
    def kept_in(cls, folder: Path, writer: EncoderDecoder) -> Self:
        """What `keep` kept; for what it never did raises one of `DAMAGED`."""
        place = folder / FOLDER
        weight = float(json.loads((place / WEIGHT).read_bytes())["weight"])
        if not 0 <= weight <= 1:
            raise ValueError(f"{WEIGHT} holds no weight")
        return cls(writer, Recollection.kept_in(place), weight)

    def __repr__(self) -> str:
        return f"<Recalling {self.writer!r}, {self.size:,} rows x {self.weight:.2f}>"


def with_memory(folder: Path, writer: EncoderDecoder) -> EncoderDecoder | Recalling:
    """The writer with the memory that `folder` holds, if it holds one; UserError if that is damaged."""
    if not (folder / FOLDER).is_dir():
        return writer
    try:
        return Recalling.kept_in(folder, writer)
    except DAMAGED as error:
        raise UserError(
            f"{folder / FOLDER} is damaged ({type(error).__name__}): train the student again, or take that folder away,"
            " and it answers without a memory"
        ) from error


def both(written: Prediction, recalled: Shares, *, weight: float) -> Prediction:
    """One answer of two opinions; of equally likely ones the writer's. What was cut is left as it is.

    What the memory alone knows nobody wrote, so nothing tells what it is spelt in.
    """
    if written.cut:
        return written
    shares = {written.output: (1 - weight) * written.confidence}
    for answer, share in recalled.items():
        shares[answer] = shares.get(answer, 0.0) + weight * share
    best = max(shares, key=shares.__getitem__)
    spelt = written.spelt if best == written.output else None
    return replace(written, output=best, confidence=min(1.0, shares[best]), spelt=spelt)


def weight_for(written: Sequence[Prediction], recalled: Sequence[Shares], rows: Sequence[Row]) -> float:
    """The weight of the memory under which the right answers of `rows` are likeliest: expectation, maximisation.

    It begins at a half, and rows to either side hold it there, so that few rows do not silence one of both: a writer
    that has learnt its rows by heart is surer than it is right.
    """
    own = [one.confidence if one.output == row.output else 0.0 for one, row in zip(written, rows, strict=True)]
    other = [shares.get(row.output, 0.0) for shares, row in zip(recalled, rows, strict=True)]
    weight = 0.5
    for _ in range(ROUNDS):
        parts = [
            weight * (theirs + UNHEARD) / (weight * theirs + (1 - weight) * mine + UNHEARD)
            for mine, theirs in zip(own, other, strict=True)
        ]
        weight = (math.fsum(parts) + HELD_BY) / (len(parts) + 2 * HELD_BY)
    return weight


def helps(alone: Sequence[bool], together: Sequence[bool]) -> bool:
    """Whether some are right together that are wrong alone, and not clearly more the other way round.

    Rows to choose by are few: of those on which the two differ, one side may well have fewer by up to the square root
    of their number, one standard deviation, where neither is the better. With 1,000 rows of dates, 100 to choose by, a
    memory with which 18 of 211 were right in place of 13 had one of the 100 fewer.
    """
    gained = sum(new and not old for old, new in zip(alone, together, strict=True))
    lost = sum(old and not new for old, new in zip(alone, together, strict=True))
    return gained > 0 and lost - gained < math.sqrt(gained + lost)


def _right(predictions: Sequence[Prediction], rows: Sequence[Row]) -> list[bool]:
    return [one.output == row.output for one, row in zip(predictions, rows, strict=True)]
