"""What a row's answer would be had its input been another: translation by analogy.

    "My number is 555-17, thanks" is to "555-17 == phone"
    as "My number is (31) 8, thanks" is to "(31) 8 == phone"

Where two inputs differ, one's words stand in place of the other's, and so they do in the answer that took them (Nagao
1984, "A framework of a mechanical translation between Japanese and English by analogy principle").
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import islice
from typing import Final, Self

from engine.training.student import Row

__all__ = ["likened", "taken"]

# Words, numbers, spaces and signs of an input. Of longer ones too little is alike, and to compare these takes 1 ms.
MOST_TOKENS: Final = 100

_WORD: Final = re.compile(r"[^\W\d_]+|\d+")
_TOKEN: Final = re.compile(rf"{_WORD.pattern}|\s+|[^\w\s]|_")


def taken(row: Row) -> frozenset[str]:
    """The words and numbers of an answer that stand in its input, in small letters."""
    read = row.input.lower()
    return frozenset(word for word in _WORD.findall(row.output.lower()) if word in read)


def likened(row: Row, asked: str) -> str | None:
    """The answer to `asked` as that of `row` is to its input; None where nothing that it took has another in its place.

    Letters are as large as the answer had them. An answer that would still have a word just as only the row's own
    input has it is none. Of two words that one word gives way to, the first counts. Vowel signs are no letters here:
    words of Hindi or Thai are exchanged in parts.
    """
    swaps: dict[str, str] = {}
    for own, other in _swaps(_Text.of(row.input), _Text.of(asked)):
        for mine, theirs in _forms(own, other):
            if mine and theirs and mine in row.output:
                swaps.setdefault(mine, theirs)
                break
    if not swaps:
        return None
    answer = _any_of(swaps).sub(lambda found: swaps[found.group()], row.output)
    read = asked.lower()
    is_read = all(word.lower() in read for word in _WORD.findall(answer) if word in row.input)
    return answer if is_read and answer != row.output else None


@dataclass(frozen=True, slots=True)
class _Text:
    """A text as words, numbers and signs: in small letters, what kind each is, and where."""

    text: str
    tokens: Sequence[str]
    kinds: Sequence[str]
    places: Sequence[tuple[int, int]]

    @classmethod
    def of(cls, text: str) -> Self:
        found = list(islice(_TOKEN.finditer(text), MOST_TOKENS + 1))  # one more tells that it is too long
        tokens = [one.group().lower() for one in found]
        kinds = ["a" if token[0].isalpha() else "0" if token[0].isdigit() else token.strip() for token in tokens]
        return cls(text, tokens, kinds, [one.span() for one in found])

    def part(self, begin: int, end: int) -> str:
        return self.text[self.places[begin][0] : self.places[end - 1][1]].strip()


def _swaps(own: _Text, other: _Text) -> Iterator[tuple[str, str]]:
    """What stands in whose place: each stretch that differs as a whole, and in it one by one by kind."""
    if max(len(own.tokens), len(other.tokens)) > MOST_TOKENS:
        return
    for tag, a, b, c, d in _compared(own.tokens, other.tokens):
        if tag != "replace":
            continue
        yield own.part(a, b), other.part(c, d)
        for inner, e, f, g, h in _compared(own.kinds[a:b], other.kinds[c:d]):
            if inner == "replace":
                yield own.part(a + e, a + f), other.part(c + g, c + h)
            elif inner == "equal":
                for mine, theirs in zip(range(a + e, a + f), range(c + g, c + h), strict=True):
                    yield own.part(mine, mine + 1), other.part(theirs, theirs + 1)


def _compared(own: Sequence[str], other: Sequence[str]) -> Sequence[tuple[str, int, int, int, int]]:
    return SequenceMatcher(None, own, other, autojunk=False).get_opcodes()


def _forms(own: str, other: str) -> Iterator[tuple[str, str]]:
    """As they are read, and as an answer may have written the one and would write the other."""
    yield own, other
    for form in (str.lower, str.upper, str.title):
        yield form(own), form(other)


def _any_of(texts: Iterable[str]) -> re.Pattern[str]:
    """Any of these where it is no part of a longer word or number; of several the longest."""
    return re.compile("|".join(map(_bounded, sorted(texts, key=len, reverse=True))))


def _bounded(text: str) -> str:
    before = r"(?<![^\W\d_])" if text[0].isalpha() else r"(?<!\d)" if text[0].isdigit() else ""
    after = r"(?![^\W\d_])" if text[-1].isalpha() else r"(?!\d)" if text[-1].isdigit() else ""
    return f"{before}{re.escape(text)}{after}"
