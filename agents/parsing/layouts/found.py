"""What every layout hands back: where the demonstrations lie in the text, and what they are."""

from __future__ import annotations

from dataclasses import dataclass

from agents.records import Pair

__all__ = ["Found", "unquote", "unquote_all"]

_QUOTES = {
    '"': '"”“',
    "“": '”"“',
    "”": '”"',
    "'": "'’",
    "‘": "’'",
    "«": "»",
    "»": "«",
    "„": '“”"',
    "「": "」",
    "『": "』",
    "`": "`",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """Demonstrations that one layout explains.

    They lie in `text[start:end]`; what is outside is the instruction and the words that lead in and out.
    `certainty` (0 to 1) is how likely the layout is to have read them as they were meant. `names` are the field names
    around the input and the output, where the layout has such names. `instruction` is set only where the layout says
    which part of the text that is.
    """

    layout: str
    pairs: tuple[Pair, ...]
    start: int
    end: int
    certainty: float
    names: tuple[str, str] | None = None
    instruction: str | None = None


def unquote(value: str) -> str | None:
    """What stands between the quotation marks, blanks and all; None when the value is not in quotation marks."""
    bare = value.strip()
    if bare.startswith("```"):
        return None  # a fence, which belongs to what it fences
    if len(bare) >= 2 and bare[-1] in _QUOTES.get(bare[0], ""):
        return bare[1:-1]
    return None


def unquote_all(pairs: tuple[Pair, ...]) -> tuple[Pair, ...]:
    """Quotation marks are layout when every input and every output has them; otherwise they are content."""
    bare = [(unquote(pair.input), unquote(pair.output)) for pair in pairs]
    if any(left is None or right is None for left, right in bare):
        return pairs
    return tuple(Pair(left or "", right or "") for left, right in bare)
