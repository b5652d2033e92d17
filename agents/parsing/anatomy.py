"""An input taken apart: the parts that its labels name, and whether an answer stands in its context. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

__all__ = ["asked_name", "context_name", "fields_of", "form_of", "plain", "split_fields", "stands_in"]

CONTEXTS = ("context", "passage", "document", "paragraph", "article", "background", "text", "story", "source")
"""What the part or the column that answers are taken from may be called, the likeliest first."""

ASKED = ("question", "query", "q", "ask", "instruction", "prompt", "claim", "hypothesis")
"""What the part that asks may be called."""

MOST_FIELDS = 4
MOST_PARTS = 20  # of an answer that is a list
MOST_INPUTS = 4 / 5  # the share of inputs that must have a part before it is one

_LABEL = re.compile(r"(?:^|(?<=\s))(?P<name>[A-Z][^\W\d_]{0,20}(?: [a-z]{1,12})?)[ ]?[:：](?=\s)")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": "-", "−": "-", "\u00ad": None})
_EDGES = " \t\n\r.,;:!?\"'()[]«»。、"
_BETWEEN = re.compile(r"[,;|\n、，]|\s(?:and|or|&|und|et|y|e)\s")
_ARTICLE = re.compile(r"^(?:the|an?) (?=\w)")
_UNBROKEN = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


def fields_of(inputs: Sequence[str]) -> tuple[str, ...]:
    """The labels that nearly all inputs have, in their order ("Question", "Context"); empty for inputs of one piece.

    The first must open most inputs, and there must be two: one label alone is a turn of phrase.
    """
    if not inputs:
        return ()
    found = [list(dict.fromkeys(match["name"] for match in _LABEL.finditer(text[:20_000]))) for text in inputs]
    counts = Counter(name for names in found for name in names)
    common = [name for name, count in counts.most_common(MOST_FIELDS) if count >= MOST_INPUTS * len(inputs)]
    orders = Counter(tuple(name for name in names if name in common) for names in found)
    names = orders.most_common(1)[0][0] if orders else ()
    whole = sum(split_fields(text, names) is not None for text in inputs) if len(names) > 1 else 0
    return names if whole >= MOST_INPUTS * len(inputs) else ()


def form_of(names: Sequence[str]) -> str:
    """How an input with these parts looks."""
    return " ".join(f"{name}: …" for name in names)


def split_fields(text: str, names: Sequence[str]) -> Mapping[str, str] | None:
    """The parts by their names; None when one is missing, empty or out of order, or words stand before the first."""
    parts: dict[str, str] = {}
    text = f" {text.strip()}"
    name, begin = "", 0
    for following in names:
        label = _label(following).search(text, begin)
        if label is None or (not name and label.start() > 0) or (name and not text[begin : label.start()].strip()):
            return None
        if name:
            parts[name] = text[begin : label.start()].strip()
        name, begin = following, label.end()
    if not text[begin:].strip():
        return None
    return {**parts, name: text[begin:].strip()}


@lru_cache(maxsize=64)
def _label(name: str) -> re.Pattern[str]:
    return re.compile(rf"\s{re.escape(name)} ?[:：]")


def asked_name(names: Sequence[str]) -> str | None:
    """The part that asks, if one does."""
    return _first(names, ASKED)


def context_name(names: Sequence[str]) -> str | None:
    """The part that answers are taken from, if there is one."""
    return _first(names, CONTEXTS)


def _first(names: Sequence[str], known: Sequence[str]) -> str | None:
    by_name = {name.strip().casefold(): name for name in reversed(names)}
    return next((by_name[word] for word in known if word in by_name), None)


def stands_in(answer: str, context: str) -> bool:
    """Whether an answer stands in its context, word for word but for case, accents, marks at its ends, and "the".

    A list does when each of its parts does: the context may have an "and" or a bracket between them.
    """
    whole = plain(context)
    if _is_piece(plain(answer), whole):
        return True
    parts = [part for part in _BETWEEN.split(plain(answer)) if part.strip(_EDGES)]
    return 1 < len(parts) <= MOST_PARTS and all(_is_piece(part, whole) for part in parts)


def _is_piece(answer: str, whole: str) -> bool:
    piece = _ARTICLE.sub("", answer.strip(_EDGES))
    if not piece:
        return False
    if _UNBROKEN.search(piece):  # scripts that write no blanks between words
        return piece.replace(" ", "") in whole.replace(" ", "")
    return re.search(rf"(?<!\w){re.escape(piece)}(?!\w)", whole) is not None


def plain(text: str) -> str:
    """The text as answers are looked for: letter case, width, accents, blanks and the shape of quotes aside."""
    letters = unicodedata.normalize("NFKD", text.translate(_QUOTES)).casefold()
    return " ".join("".join(one for one in letters if not unicodedata.combining(one)).split())
