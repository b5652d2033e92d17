"""Demonstrations in passing: `For example, "X" should give "Y".`, in any language."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.parsing.layouts.found import Found
from agents.parsing.layouts.tail import EMPTY_LINES
from agents.parsing.layouts.words import CONNECTORS, OPENERS, any_of
from agents.records import Pair

__all__ = ["find"]

_ENDS = {
    '"': '"',
    "“": "”",
    "«": "»",
    "„": "“”",
    "「": "」",
    "『": "』",
    "`": "`",
    "'": "'",
    "‘": "’",
    "”": "”",
    "»": "«",
}
_QUOTE = rf"[{re.escape(''.join(_ENDS))}]"
_CLOSE = rf"[{re.escape(''.join(sorted(set(''.join(_ENDS.values())))))}]"

_SOMEBODY = "somebody|someone|the user|a user|the customer|a customer|i|they|the input|people"
_SAYS = "writes?|says?|asks?|types?|enters?|sends?|reads"
_START = re.compile(
    rf"(?<!\w)(?:{any_of(OPENERS)}|(?:when|whenever|if) (?:{_SOMEBODY}) (?:{_SAYS}))[ ,:，、]{{0,3}}\n?"
    rf"(?:(?:the )?input[ :]{{1,2}})?(?P<quote>{_QUOTE})",
    re.IGNORECASE,
)
_BETWEEN = re.compile(
    rf"(?P<close>{_CLOSE})[ ,]{{0,2}}(?P<connector>{any_of(CONNECTORS)})[ :：,]{{0,2}}(?P<quote>{_QUOTE})",
    re.IGNORECASE,
)
_CLOSING = re.compile(
    rf"(?P<close>{_CLOSE})[ \t]{{0,2}}(?:[.;,。；，、]\s{{0,3}}|\)|\n|\Z)(?:(?:and|or|und|et|y|e|и)[ ,]{{1,2}})?",
    re.IGNORECASE,
)


def find(text: str) -> Found | None:
    """The demonstrations given in passing, within sentences."""
    starts = list(_START.finditer(text))
    limits = [*(start.start() for start in starts[1:]), len(text)][: len(starts)]
    connectors = [_connectors(text, start, limit) for start, limit in zip(starts, limits, strict=True)]
    shared = _shared(connectors)
    pairs: list[Pair] = []
    begin, end = 0, 0
    for start, limit, own in zip(starts, limits, connectors, strict=True):
        sentence = _sentence(text, start, limit, connectors=shared or own)
        if sentence is None:
            continue
        begin = begin if pairs else start.start()
        pairs.extend(sentence[0])
        end = sentence[1]
    if not pairs:
        return None
    return Found(layout="prose", pairs=tuple(pairs), start=begin, end=end, certainty=0.95 if len(pairs) > 1 else 0.85)


def _connectors(text: str, start: re.Match[str], limit: int) -> frozenset[str]:
    return frozenset(
        match["connector"].casefold()
        for match in _BETWEEN.finditer(text, start.end(), limit)
        if match["close"] in _ENDS[start["quote"]]
    )


def _shared(connectors: Sequence[frozenset[str]]) -> frozenset[str]:
    """The longest connector that every example uses: what else looks like one is content."""
    common = frozenset.intersection(*filter(None, connectors)) if any(connectors) else frozenset()
    return frozenset([max(sorted(common), key=len)]) if common else frozenset()


def _sentence(
    text: str, start: re.Match[str], limit: int, *, connectors: frozenset[str]
) -> tuple[list[Pair], int] | None:
    """The pairs in one such sentence (`"a" gives "b", and "c" gives "d"`), and where it ends."""
    betweens = [
        match for match in _BETWEEN.finditer(text, start.end(), limit) if match["connector"].casefold() in connectors
    ]
    pairs: list[Pair] = []
    position, quote, end = start.end(), start["quote"], start.start()
    for number, between in enumerate(betweens):
        if between.start() < position or between["close"] not in _ENDS[quote]:
            continue
        following = betweens[number + 1].start() if number + 1 < len(betweens) else limit
        closing = _closing(text, between, following, limit=limit)
        if closing is None or EMPTY_LINES.search(text, position, closing.start()):
            break  # what spans paragraphs is no sentence
        pairs.append(Pair(text[position : between.start()], text[between.end() : closing.start()]))
        end = closing.end()
        if end >= limit or text[end] not in _ENDS:
            break
        position, quote = end + 1, text[end]
    return (pairs, end) if pairs else None


def _closing(text: str, between: re.Match[str], following: int, *, limit: int) -> re.Match[str] | None:
    """The mark that closes the output: the last one when nothing else follows, so that quotations inside survive."""
    marks = [
        match
        for match in _CLOSING.finditer(text, between.end(), following)
        if match["close"] in _ENDS[between["quote"]]
    ]
    if not marks:
        return None
    if following < limit:
        leading_on = [match for match in marks if text[match.end() : match.end() + 1] in _ENDS]
        return leading_on[-1] if leading_on else marks[0]
    return marks[-1] if not text[marks[-1].end() : limit].strip() else marks[0]
