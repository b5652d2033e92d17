"""What a reader of an HTML page sees, as paragraphs, while the page streams by. Knows no documents and no tasks."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from html.parser import HTMLParser
from typing import IO

from agents.reading.passages import Piece, pieces_of

__all__ = ["paragraphs"]

BLOCK = 1 << 16  # characters that are read at a time, and that a block has at most
MOST_MARKUP = 1 << 20  # characters of a tag or a comment; a page with a longer one is read up to there

BREAKS = frozenset(
    {
        *("address", "article", "aside", "blockquote", "body", "br", "dd", "div", "dl", "dt", "figcaption", "footer"),
        *("form", "h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "nav", "ol", "option", "p", "pre"),
        *("section", "table", "td", "th", "title", "tr", "ul"),
    }
)
UNSEEN = frozenset({"script", "style", "svg", "template"})


def paragraphs(page: IO[str], *, broken: Callable[[str], None]) -> Iterator[Piece]:
    """The text of a page, a paragraph a block; long ones come in pieces. Columns count within the block.

    A page that stops being HTML is read up to there, and `broken` is told so.
    """
    reader = _Reader()
    while chunk := page.read(BLOCK):
        try:
            reader.feed(chunk)
        except AssertionError:  # what the standard library's parser raises for some declarations
            reader.is_lost = True
        yield from _pieces(reader)
        if reader.is_lost or len(reader.rawdata) > MOST_MARKUP:
            broken(f"is read up to line {reader.getpos()[0]:,}: what begins there is no HTML")
            return
    reader.close()
    reader.end_block()
    yield from _pieces(reader)


def _pieces(reader: _Reader) -> Iterator[Piece]:
    for block in reader.blocks:
        for piece in pieces_of(io.StringIO(block.text)):
            yield Piece(piece.text, block.line, piece.column)
        yield Piece("\n\n", block.line)
    reader.blocks.clear()


class _Reader(HTMLParser):
    """Collects what is seen, block by block."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[Piece] = []
        self.is_lost = False
        self._texts: list[str] = []
        self._size = 0
        self._line = 1
        self._unseen: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:  # noqa: ARG002  # theirs
        if tag in UNSEEN:
            self._unseen[tag] += 1
        elif tag in BREAKS:
            self.end_block()

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:  # noqa: ARG002  # theirs
        if tag in BREAKS:
            self.end_block()

    def handle_endtag(self, tag: str) -> None:
        if tag in UNSEEN:
            self._unseen[tag] = max(0, self._unseen[tag] - 1)
        elif tag in BREAKS:
            self.end_block()

    def handle_data(self, data: str) -> None:
        if any(self._unseen.values()) or not (data.strip() or self._texts):
            return
        if not self._texts:
            self._line = self.getpos()[0]
        self._texts.append(data)
        self._size += len(data)
        if self._size > BLOCK:
            self.end_block()

    def end_block(self) -> None:
        """What was collected is a block of its own."""
        if self._texts:
            self.blocks.append(Piece(" ".join("".join(self._texts).split()), self._line))
            self._texts, self._size = [], 0
