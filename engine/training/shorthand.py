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
from functools import cached_property
from typing import Final, NamedTuple, Self

from engine.training.student import Row

__all__ = ["Part", "Shorthand", "shorthand_of"]

MOST_MARKS: Final = 248
FEWEST_ROWS: Final = 4  # in which a mark stands; one that is seen less often is not learnt
SHORTEST: Final = 2  # bytes
MOST_WORDS: Final = 16  # in one mark
CHARACTERS_READ: Final = 150_000  # of answers, to find the marks by: prose has a phrase at every word

_WORD: Final = re.compile(r"[^\W\d_]+|\d+|.", re.DOTALL)


class Part(NamedTuple):
    """A piece of an answer: to be written as one mark, or byte by byte."""

    text: str
    is_mark: bool


@dataclass(frozen=True)
class Shorthand:
    """The texts that have a mark."""

    texts: tuple[str, ...] = ()

    def parts(self, row: Row) -> list[Part]:
        """A row's output in parts, in their order."""
        return list(_parts(row, known=self._known))

    @cached_property
    def _known(self) -> Known:
        return Known.of(self.texts)


@dataclass(frozen=True, slots=True)
class Known:
    """Texts, and the words that they begin with, which spare prose a look at every phrase of it."""

    texts: frozenset[str]
    starts: frozenset[str]

    @classmethod
    def of(cls, texts: Collection[str]) -> Self:
        return cls(frozenset(texts), frozenset(word[0] for word in map(_WORD.match, texts) if word))

    def fits(self, text: str, row: Row) -> bool:
        return text in self.texts and text not in row.input


def shorthand_of(rows: Sequence[Row], *, most: int = MOST_MARKS) -> Shorthand:
    """The marks worth having, those first that save most; none where nothing comes back.

    shorthand_of([Row("3 km", "length = 3"), Row("9 km", "length = 9"), ...])  # Shorthand(("length = ",))
    """
    some = list(_up_to(rows, CHARACTERS_READ))
    often = Known.of(_often(text for row in some for text in {row.output, *_phrases(row)}))
    used = _often(text for row in some for text in {part.text for part in _parts(row, known=often) if part.is_mark})
    saving = {text: used[text] * (_size(text) - 1) for text in used}
    return Shorthand(tuple(sorted(used, key=lambda text: (-saving[text], text))[:most]))


def _up_to(rows: Sequence[Row], characters: int) -> Iterator[Row]:
    """The rows from the first on whose outputs come to so much together, the one among them that goes beyond."""
    for row in rows:
        yield row
        characters -= len(row.output)
        if characters <= 0:
            return


def _often(texts: Iterator[str]) -> Counter[str]:
    counts = Counter(texts)
    return Counter({text: n for text, n in counts.items() if n >= FEWEST_ROWS and _size(text) >= SHORTEST})


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))


def _parts(row: Row, *, known: Known) -> Iterator[Part]:
    """The whole output where it is known, else from its start on the longest that is, and single words between."""
    if known.fits(row.output, row):
        yield Part(row.output, is_mark=True)
        return
    for words, is_copied in _runs(row):
        if is_copied:
            yield Part("".join(words), is_mark=False)
            continue
        start = 0
        while start < len(words):
            longest = min(len(words), start + MOST_WORDS) if words[start] in known.starts else start + 1
            ends = range(longest, start, -1)
            end = next((end for end in ends if known.fits("".join(words[start:end]), row)), start + 1)
            text = "".join(words[start:end])
            yield Part(text, is_mark=known.fits(text, row))
            start = end


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
