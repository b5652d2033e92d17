"""A student that writes and rows that remember, as one: of what it wrote and what the rows answer, the likeliest.

What the rows answer the writer is asked about, too: how likely it holds that to be. How far either is trusted
(`trust`) is found on validation rows, of which neither has learnt, and where it brings nothing there is no memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Final, Self

from engine.errors import UserError
from engine.training.encoder_decoder import EncoderDecoder
from engine.training.recollection import DAMAGED, Recollection, Shares
from engine.training.student import Prediction, Row
from engine.training.trust import Opinion, Trust

__all__ = ["FOLDER", "Recalling", "helps", "likeliest_of", "with_memory"]

FOLDER: Final = "memory"
"""Of a student's folder. Whoever takes it away has the writer alone."""

TRUST: Final = "trust.json"

# Of the memory, that the writer is asked about. Students of numbers and units and of dates had 181, 185 and 186 of some
# 1,800 validation rows right with 8, 16 and 32 of them, and to ask about them took 9, 15 and 26 ms.
MOST_ANSWERS: Final = 16


@dataclass(frozen=True, slots=True)
class Recalling:
    """A writer with a memory. What is drawn by chance (`sample`) is the writer's alone."""

    writer: EncoderDecoder
    recollection: Recollection
    trust: Trust
    right: float | None = None  # the share of the rows that the trust was found on, where it was found just now

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
        told = opinions(self.writer, self.recollection, inputs, written)
        return [likeliest_of(one, some, self.trust) for one, some in zip(written, told, strict=True)]

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
        inputs = [row.input for row in rows]
        written = writer.predict(inputs)
        told = opinions(writer, recollection, inputs, written)
        trust = Trust.found_on(told, [row.output for row in rows])
        together = [likeliest_of(one, some, trust) for one, some in zip(written, told, strict=True)]
        now = _right(together, rows)
        return cls(writer, recollection, trust, sum(now) / len(now)) if helps(_right(written, rows), now) else None

    def keep(self, folder: Path) -> None:
        place = folder / FOLDER
        place.mkdir()
        self.recollection.keep(place)
        (place / TRUST).write_text(json.dumps(asdict(self.trust)) + "\n", encoding="utf-8")

    @classmethod
    def kept_in(cls, folder: Path, writer: EncoderDecoder) -> Self:
        """What `keep` kept; for what it never did raises one of `DAMAGED`."""
        place = folder / FOLDER
        told = json.loads((place / TRUST).read_bytes())
        trust = Trust(float(told["memory"]), float(told["writer"]), float(told["unknown"]))
        return cls(writer, Recollection.kept_in(place), trust)

    def __repr__(self) -> str:
        return f"<Recalling {self.writer!r}, {self.size:,} rows, {self.trust}>"


def with_memory(folder: Path, writer: EncoderDecoder) -> EncoderDecoder | Recalling:
    """The writer with the memory that `folder` holds, if it holds one; UserError if that is damaged."""
    if not (folder / FOLDER).is_dir():
        return writer
    try:
        return Recalling.kept_in(folder, writer)
    except DAMAGED as error:
        raise UserError(
            f"{folder / FOLDER} is damaged or of another version ({type(error).__name__}): train the student"
            " again, or take that folder away, and it answers without a memory"
        ) from error


def opinions(
    writer: EncoderDecoder, recollection: Recollection, inputs: Sequence[str], written: Sequence[Prediction]
) -> list[list[Opinion]]:
    """Of each input what the writer wrote, first, and the answers of the memory with the greatest shares.

    None of an input that was cut: to look it up counts nothing.
    """
    texts = [text for text, one in zip(inputs, written, strict=True) if not one.cut]
    whole = [one for one in written if not one.cut]
    recalled = recollection.answers(texts)
    others = [_most(shares, but=one.output) for shares, one in zip(recalled, whole, strict=True)]
    likely = writer.log_likelihoods(texts, others)
    told = (
        [
            Opinion(one.output, shares.get(one.output, 0.0), _log(one.confidence)),
            *map(Opinion, some, map(shares.__getitem__, some), each),
        ]
        for one, shares, some, each in zip(whole, recalled, others, likely, strict=True)
    )
    return [[] if one.cut else next(told) for one in written]


def likeliest_of(written: Prediction, told: Sequence[Opinion], trust: Trust) -> Prediction:
    """The likeliest of these answers, of equally likely ones the first; what was written, where nobody holds any.

    What the memory alone knows nobody wrote, so nothing tells what it is spelt in.
    """
    if not told:
        return written
    shares = trust.shares(told)
    best = max(range(len(told)), key=shares.__getitem__)
    spelt = written.spelt if told[best].answer == written.output else None
    return replace(written, output=told[best].answer, confidence=shares[best], spelt=spelt)


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


def _most(shares: Shares, *, but: str) -> list[str]:
    """The answers with the greatest shares beside one."""
    return sorted(shares.keys() - {but}, key=lambda answer: (-shares[answer], answer))[:MOST_ANSWERS]


def _log(share: float) -> float:
    return math.log(share) if share > 0 else -math.inf
