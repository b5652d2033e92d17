"""Passages of a user's documents: cut from their lines, picked so that every document is heard, shown in turn. Pure.

A passage is what stands in one request for inputs: some paragraphs, or a row of a table. It is data wherever it goes.
"""

from __future__ import annotations

import hashlib
import heapq
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TextIO

from engine.duplicates import NearDuplicates

__all__ = [
    "LONGEST",
    "LONGEST_PIECE",
    "Passage",
    "Picked",
    "Piece",
    "cut",
    "cut_text",
    "passage_for",
    "pick",
    "pieces_of",
    "plain",
]

LONGEST = 1200  # characters of a passage: two or three paragraphs, some 300 tokens of a request
LONGEST_PIECE = LONGEST // 2  # of a line, so that what stands above a long one stays with its beginning
LEAST_CLOSED = 500  # from so many on, an empty line ends a passage
LEAST_LETTERS = 20  # letters and digits; with fewer there is nothing to write about

_SENTENCE_END = re.compile(r"[.!?]\s|[。！？]")
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


@dataclass(frozen=True, slots=True)
class Passage:
    """Some text of a document, named by its path below the folder. `place` says where: "returns.md:37".

    The line is where it begins; after it stands the character in that line, where that is not the first.
    """

    document: str
    place: str
    text: str


class Piece(NamedTuple):
    """A line or a part of a long one, and where it begins, from 1."""

    text: str
    line: int
    column: int = 1


def plain(text: str) -> str:
    """The text without what steers a terminal or cannot be stored: control characters, halves of characters."""
    return _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))


def pieces_of(file: TextIO) -> Iterator[Piece]:
    """The lines of a text. A long line comes in pieces and is never held whole."""
    line, column, rest = 1, 1, ""
    while chunk := file.readline(LONGEST_PIECE - len(rest)):
        text = rest + chunk
        if text.endswith("\n"):
            yield Piece(text, line, column)
            line, column, rest = line + 1, 1, ""
        elif len(text) < LONGEST_PIECE:
            rest = text  # the file ends here
        else:
            at = _break_in(text)
            yield Piece(text[:at], line, column)
            column, rest = column + at, text[at:]
    if rest:
        yield Piece(rest, line, column)


def _break_in(text: str) -> int:
    """Where to end a piece: behind the last sentence or word of its second half, otherwise at its end."""
    half = len(text) // 2
    sentences = [match.end() for match in _SENTENCE_END.finditer(text, half)]
    return sentences[-1] if sentences else max(text.rfind(" ", half) + 1, 0) or len(text)


def cut(document: str, pieces: Iterable[Piece], *, least_letters: int = LEAST_LETTERS) -> Iterator[Passage]:
    """The passages of a document, in order. They end at an empty line once they have a fair length, or when full."""
    held: list[Piece] = []
    size = 0
    for piece in pieces:
        is_blank = not piece.text.strip()
        if held and (size + len(piece.text) > LONGEST or (is_blank and size >= LEAST_CLOSED)):
            yield from _closed(document, held, least_letters)
            held, size = [], 0
        if held or not is_blank:
            held.append(piece)
            size += len(piece.text)
    yield from _closed(document, held, least_letters)


def _closed(document: str, held: Sequence[Piece], least_letters: int) -> Iterator[Passage]:
    text = plain("".join(piece.text for piece in held)).strip()
    if sum(map(str.isalnum, text)) >= least_letters:
        column = "" if held[0].column == 1 else f":{held[0].column}"
        yield Passage(document, f"{document}:{held[0].line}{column}", text)


def cut_text(document: str, text: str, *, least_letters: int = LEAST_LETTERS) -> Iterator[Passage]:
    """The passages of a text that is held already."""
    return cut(document, pieces_of(io.StringIO(text)), least_letters=least_letters)


class Picked(NamedTuple):
    """The passages that may be shown, in order, and how many there were in how many documents."""

    passages: tuple[Passage, ...]
    found: int
    documents: int


def pick(documents: Iterable[Iterable[Passage]], *, most: int, seed: int) -> Picked:
    """At most so many passages, shuffled by seed: first one of every document, then a second of each, and so on.

    So a large document does not drown the small ones. What nearly repeats a passage before it is left out: pages share
    their footers. Memory is that of `most` passages twice, whatever the documents hold.
    """
    counts: list[int] = []
    kept: list[tuple[int, bytes, Passage]] = []
    for document in documents:
        count = _Count()
        mixed = heapq.nsmallest(most, count.all_of(document), key=lambda passage: _order(seed, passage))
        counts.append(count.seen)
        kept += [(turn, _order(seed, passage), passage) for turn, passage in enumerate(mixed)]
        if len(kept) > 2 * most:
            kept = heapq.nsmallest(most, kept, key=lambda each: each[:2])
    chosen = [passage for _, _, passage in heapq.nsmallest(most, kept, key=lambda each: each[:2])]
    twins = NearDuplicates().sift([passage.text for passage in chosen])
    distinct = tuple(passage for passage, twin in zip(chosen, twins, strict=True) if twin is None)
    return Picked(distinct, sum(counts), sum(map(bool, counts)))


class _Count:
    """Counts what passes."""

    def __init__(self) -> None:
        self.seen = 0

    def all_of(self, passages: Iterable[Passage]) -> Iterator[Passage]:
        for passage in passages:
            self.seen += 1
            yield passage


def _order(seed: int, passage: Passage) -> bytes:
    return hashlib.blake2b(f"{seed}|{passage.place}".encode("utf-8", "surrogatepass"), digest_size=12).digest()


def passage_for(passages: Sequence[Passage], number: int) -> Passage | None:
    """The passage that request `number` shows: all of them in turn, and in every round each once.

    From round to round they move on by one, so that a passage does not meet the same wishes again.
    """
    if not passages:
        return None
    turn, place = divmod(number, len(passages))
    return passages[(place + turn) % len(passages)]
