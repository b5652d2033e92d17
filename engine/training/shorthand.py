"""Marks for what a task's answers say again and again and its inputs do not, so that each is one step to write.

A student over bytes writes "; StreetNamePostType = " in 23 steps and has to learn each of them. As one mark it is one
step and one choice, and an answer of which it is a part a third as long. What an answer takes from its input stays
bytes, since copying them is what the seed knows: a mark is never used for what stands in the input. An answer that
comes back as a whole has a mark too, so a student of few answers chooses among them. Knows texts alone.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from engine.training.student import Row

__all__ = ["Part", "Shorthand", "shorthand_of"]

MOST_MARKS: Final = 248
FEWEST_ROWS: Final = 4  # in which a mark stands; one that is seen less often is not learnt
SHORTEST: Final = 2  # bytes
MOST_WORDS: Final = 24  # in one mark
ROWS_READ: Final = 2000

_WORD: Final = re.compile(r"[^\W\d_]+|\d+|.", re.DOTALL)


class Part(NamedTuple):
    """A piece of an answer: to be written as one mark, or byte by byte."""

    text: str
    is_mark: bool


@dataclass(frozen=True, slots=True)
class Shorthand:
    """The texts that have a mark."""

    texts: tuple[str, ...] = ()

    def parts(self, row: Row) -> list[Part]:
        """A row's output in parts, in their order."""
        return list(_parts(row, known=frozenset(self.texts)))


def shorthand_of(rows: Sequence[Row], *, most: int = MOST_MARKS) -> Shorthand:
    """The marks worth having, those first that save most; none where nothing comes back.

    shorthand_of([Row("3 km", "length = 3"), Row("9 km", "length = 9"), ...])  # Shorthand(("length = ",))
    """
    some = rows[:ROWS_READ]
    often = _often(text for row in some for text in {row.output, *_phrases(row)})
    used = _often(text for row in some for text in {part.text for part in _parts(row, known=often) if part.is_mark})
    saving = {text: used[text] * (_size(text) - 1) for text in used}
    return Shorthand(tuple(sorted(used, key=lambda text: (-saving[text], text))[:most]))


def _often(texts: Iterator[str]) -> Counter[str]:
    counts = Counter(texts)
    return Counter({text: n for text, n in counts.items() if n >= FEWEST_ROWS and _size(text) >= SHORTEST})


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _parts(row: Row, *, known: Collection[str]) -> Iterator[Part]:
    """The whole output where it is known, else from its start on the longest that is, and single words between."""
    if _fits(row.output, row, known):
        yield Part(row.output, is_mark=True)
        return
    for words, is_copied in _runs(row):
        if is_copied:
            yield Part("".join(words), is_mark=False)
            continue
        start = 0
        while start < len(words):
            ends = range(min(len(words), start + MOST_WORDS), start, -1)
            end = next((end for end in ends if _fits("".join(words[start:end]), row, known)), start + 1)
            text = "".join(words[start:end])
            yield Part(text, is_mark=_fits(text, row, known))
            start = end


def _fits(text: str, row: Row, known: Collection[str]) -> bool:
    return text in known and text not in row.input


def _phrases(row: Row) -> Iterator[str]:
    """Whatever stands between two copied words, and each part of it, but nothing with a digit in it.

    Numbers are worked out digit by digit. With marks for "-04-" and "1994-" 3,200 rows of dates came to 0.966, without
    to 0.99.
    """
    for words, is_copied in _runs(row):
        if not is_copied:
            for start in range(len(words)):
                for end in range(start + 1, min(len(words), start + MOST_WORDS) + 1):
                    if words[end - 1].isdigit():
                        break
                    yield "".join(words[start:end])


def _runs(row: Row) -> Iterator[tuple[list[str], bool]]:
    """The words of an output, those together that are copied from the input, and those between.

    Copied is a word of letters or digits that the input has too, and what follows as it does there, up to such a word
    or a mark behind it: space at the end belongs to what comes next.
    """
    own = set(_WORD.findall(row.input))
    run: list[str] = []
    copied = ""
    for word in _WORD.findall(row.output):
        starts = word if word.isalnum() and word in own else ""
        now = copied + word if copied and copied + word in row.input else starts
        if run and bool(now) != bool(copied):
            spaces = [run.pop()] if copied and run[-1].isspace() else []
            yield run, bool(copied)
            run = spaces
        run.append(word)
        copied = now
    if run:
        yield run, bool(copied)
