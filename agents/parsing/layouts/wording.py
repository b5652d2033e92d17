"""Whether a text says something in words; marks, field names, addresses, places for a value and data say nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.parsing.layouts.markers import stem
from agents.parsing.layouts.words import (
    ASIDE_NAMES,
    EXAMPLE_WORDS,
    INPUT_NAMES,
    INSTRUCTION_NAMES,
    OUTPUT_NAMES,
    REASONING_NAMES,
)

__all__ = ["asks_for_something", "says_something"]

_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_ADDRESS = re.compile(r"(?:\b[a-z][a-z0-9+.-]{1,15}://|\bwww\.|\bmailto:)\S+|\b[\w.+-]+@[\w-]+\.\w+", re.IGNORECASE)
_PLACE = re.compile(
    r"\{\{[^{}]{0,200}\}\}|\{%[^{}]{0,200}%\}|\$?\{[\w .-]{0,40}\}|</?[A-Za-z_][^<>\n]{0,80}>|\[[A-Z][A-Z _]{1,40}\]"
)
_HEADING = re.compile(r"[ \t]{0,3}#{1,6}[ \t]|[ \t]{0,3}(?:\*\*|__)[^*_\n]{1,80}(?:\*\*|__)[ \t]*:?[ \t]*\Z")
_LABEL = re.compile(r"[\W_]*([^\W_](?:[^:：\n]{0,38}[^\W_])?)[\s*_\])】]{0,6}(?:[:：=][\W_]*)?")
_WORD = re.compile(r"[^\W\d_]+(?:[-'’./][^\W\d_]+)*")
_EDGES = "\"'“”‘’«»„()[]{}<>*_`#>.,:;!?…¡¿-–—|/؟،।"
_UNSPACED = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\uffdc]")  # scripts without blanks, and Hangul
_SEPARATORS = (",", "\t", ";", "|")
_SENTENCE_END = re.compile(r"[.!?:](?:\s|\Z)|[。！？：]")

_LABELS = (INPUT_NAMES | OUTPUT_NAMES | INSTRUCTION_NAMES | EXAMPLE_WORDS | ASIDE_NAMES | REASONING_NAMES) - {
    "rewrite", "paraphrase", "reply", "correct",
}  # fmt: skip
"""Names of fields; a name that is a request as well counts as the request."""

_LONGEST_WORD = 40  # longer ones are keys, hashes and encoded files
_LEAST_LETTERS = 3
_LEAST_UNSPACED = 3
_LEAST_HEADING_WORDS = 4  # a title names a subject, a sentence with a heading's marks may be all there is
_MOST_CELL_WORDS = 3
_MOST_CHARACTERS = 20_000  # words that begin later are read by nobody as the instruction


def says_something(text: str) -> bool:
    """Whether the text holds a word at all beside names of fields; enough where examples show the task."""
    said = _said(text)
    return sum(map(str.isalpha, said)) >= _LEAST_LETTERS or bool(_UNSPACED.search(said))


def asks_for_something(text: str) -> bool:
    """Whether the text can be read as a request: two words, or one that leads to the text it is about.

    "Summarise:" and "Summarise {{text}}" are requests; "Hello", an address, titles alone, encoded files and tables of
    data are none.
    """
    text = text[:_MOST_CHARACTERS]
    if _is_table(text):
        return False
    said = _said(text)
    if len(_UNSPACED.findall(said)) >= _LEAST_UNSPACED:
        return True
    words = _words(said)
    leads_on = said.rstrip(" \t\n*_`").endswith((":", "：")) or bool(_PLACE.search(text))
    return len(words) > 1 or (len(words) == 1 and leads_on and len(words[0]) >= _LEAST_LETTERS)


def _said(text: str) -> str:
    """The text's lines without marks, addresses and places for a value; no titles and no bare names of fields."""
    bare = _PLACE.sub(" ", _ADDRESS.sub(" ", _COMMENT.sub(" ", text[:_MOST_CHARACTERS])))
    return "\n".join(line for line in bare.split("\n") if not _is_label(line) and not _is_title(line))


def _is_label(line: str) -> bool:
    match = _LABEL.fullmatch(line) if len(line) < 80 else None
    return match is not None and (stem(match[1]) in _LABELS or match[1].casefold() in _LABELS)


def _is_title(line: str) -> bool:
    return bool(_HEADING.match(line)) and len(_words(line)) < _LEAST_HEADING_WORDS and not _UNSPACED.search(line)


def _words(text: str) -> Sequence[str]:
    tokens = (token.strip(_EDGES) for token in text.split())
    return [token for token in tokens if len(token) <= _LONGEST_WORD and _WORD.fullmatch(token)]


def _is_table(text: str) -> bool:
    """Whether every line has the cells that the first one names, as a file of values has; quoted ones may hold more."""
    lines = [line for line in text.strip().split("\n") if line.strip()]
    return len(lines) > 1 and any(_is_table_by(separator, lines) for separator in _SEPARATORS)


def _is_table_by(separator: str, lines: Sequence[str]) -> bool:
    rows = [line.strip("| ").split(separator) for line in lines]
    return (
        len(rows[0]) > 1
        and all(
            len(row) == len(rows[0]) or ('"' in line and len(row) > len(rows[0]))
            for row, line in zip(rows, lines, strict=True)
        )
        and all(len(name.split()) <= _MOST_CELL_WORDS and not _SENTENCE_END.search(name) for name in rows[0])
    )
