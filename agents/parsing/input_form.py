"""What the inputs look like: the names of their parts, and whether an answer stands in them word for word."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Sequence

from agents.records import AnswerForm, Pair

__all__ = ["fields_of", "is_extractive", "places_in"]

_NAME = r"[^\W\d_]\w{0,20}(?:[ _-]\w{1,20}){0,2}?(?:[ ]?\d{1,2})?"
_FIELD = re.compile(
    r"(?:^|(?<=[\n.;,|>?!\])\"']))[ \t]{0,8}(?:[*_`#'\"-]{0,4}(?P<name>" + _NAME + r")[ \t]?[*_`'\"]{0,4}|"
    r"[\[【(](?P<bracketed>" + _NAME + r")[\]】)])[ \t]?[:：](?=[\s\w\"'\[(*“‘<{-]|\Z)"
)
_MOST_SAMPLED = 200  # demonstrations looked at; more say the same
_LONGEST_INPUT = 100_000
_LEAST_EXTRACTED = 2  # one answer may stand in its input by chance

_PLACES = re.compile(
    r"\{\{-?\s*(?P<double>[A-Za-z_][\w.]{0,40})[^{}]{0,120}\}\}|"
    r"\$\{(?P<dollar>[A-Za-z_][\w .-]{0,40})(?::[^{}]{0,80})?\}"
    r"|(?<![{A-Za-z0-9_])\{(?P<single>[A-Za-z_]\w{0,40})\}(?!\})|"
    r"(?<![\w\])])\[(?P<square>[A-Z][A-Z_ ]{2,30}|[a-z][a-z_ /]{2,30})\]"
    r"(?![(\w\[:])"
    r"|<(?P<angle>[A-Z][A-Z_]{2,30})>"
)
_SET = re.compile(r"\{%-?\s*(?:for|set)\s+([A-Za-z_]\w{0,40})")
_NO_INPUTS = frozenset(("answer_choices", "answer", "label", "labels", "output", "options", "choices", "loop", "vars"))

_TAKES_OUT = re.compile(
    r"\b(?:extract(?:s|ed)?|verbatim|word[- ]for[- ]word|(?:exact |text )?spans?|substrings?|"
    r"(?:copy|copied|quoted?) (?:\w+ ){0,3}from|"
    r"(?:find|identify|recogni[sz]e|reconi[sz]e|locate|spot|pick|highlight|select) (?:out )?(?:all )?(?:the |an? )"
    r"(?:(?!of |in |from |for |and |or )\w+ ){0,4}?"
    r"(?:words?|phrases?|names?|entit(?:y|ies)|terms?|person|location|organi[sz]ations?|mentions?)\b|"
    r"(?:contains|containing) the answer|extrahier\w*|extrai\w+|estrai\w+|poimi|"
    r"tunnistaa\b[^.\n]{0,40}\b(?:nimi|nimen|nimet)|извлек\w+)|抽出|提取|抽取|추출",
    re.IGNORECASE,
)
_TAKES_ELEMENT = re.compile(r"\b(?:elements?|extract\w*|select|pick|which of|alkio\w*|elementin|copy)\b", re.IGNORECASE)
_IS_WRITTEN_ANEW = re.compile(
    r"\b(?:summar\w+|paraphras\w+|rewrite\w*|translat\w+|generate (?:a|an) (?:title|response|question|story)|"
    r"categor\w+ of|classif\w+|topics?|index)\b",
    re.IGNORECASE,
)
_MAY_BE_ELSEWHERE = re.compile(
    r"\b(?:or outside|not necessarily (?:a )?part|need not (?:be|appear|occur))\b", re.IGNORECASE
)
_PART = re.compile(r"\s*[,;|\n、，]\s*")
_EDGES = " \t\n.\"'“”‘’«»`!?。"
_MOST_PARTS = 50


def fields_of(instruction: str, inputs: Sequence[str]) -> tuple[str, ...]:
    """The names of an input's parts, in order: labels or keys that most inputs begin with, else the prompt's places.

    Empty when an input is one nameless text.
    """
    if not inputs:
        return places_in(instruction)
    sample = [given[:_LONGEST_INPUT] for given in inputs[:_MOST_SAMPLED]]
    return _keys(sample) or _labels(sample)


def _keys(inputs: Sequence[str]) -> tuple[str, ...]:
    if not all(given.lstrip().startswith("{") for given in inputs):
        return ()
    try:
        rows = [json.loads(given) for given in inputs]
    except (ValueError, RecursionError):
        return ()
    return tuple(name for name in rows[0] if all(name in row for row in rows))


def _labels(inputs: Sequence[str]) -> tuple[str, ...]:
    found = [
        [" ".join((match["name"] or match["bracketed"]).split()) for match in _FIELD.finditer(given)]
        for given in inputs
    ]
    counts = Counter(name.casefold() for names in found for name in dict.fromkeys(map(str.casefold, names)))
    led = [names[0].casefold() for names, given in zip(found, inputs, strict=True) if names and _begins(given)]
    common = {name for name, count in counts.items() if 2 * count > len(inputs)}
    if not led or 2 * sum(name in common for name in led) <= len(inputs):
        return ()
    longest = max(found, key=lambda names: len(set(map(str.casefold, names)) & common))
    spelled = {name.casefold(): name for name in reversed(longest)}
    return tuple(spelled[name] for name in dict.fromkeys(map(str.casefold, longest)) if name in common)


def _begins(given: str) -> bool:
    match = _FIELD.match(given.lstrip("\n"))
    return match is not None


def places_in(text: str) -> tuple[str, ...]:
    """The names of the places for a value in a template: `{{premise}}`, `{text}`, `[PRODUCT NAME]`, `<TEXT>`."""
    names = [
        match["double"] or match["dollar"] or match["single"] or match["square"] or match["angle"]
        for match in _PLACES.finditer(text)
    ]
    names = [name.rpartition(".")[0] if f"{name}(" in text else name for name in names]  # `text.split()` is of `text`
    own = _NO_INPUTS | {match[1].casefold() for match in _SET.finditer(text)}
    distinct = {name.casefold(): name for name in reversed(names)}
    names = [distinct[name] for name in dict.fromkeys(map(str.casefold, names))]
    return tuple(name for name in names if name.split(".")[0].casefold() not in own)


def is_extractive(instruction: str, pairs: Sequence[Pair], *, form: AnswerForm, nothing: str | None) -> bool:
    """Whether every answer stands in its input word for word, as shown; without demonstrations, as told.

    A label, JSON and code are made, even where they happen to stand there, and so is a number unless the instruction
    asks for one of those given.
    """
    if form in {"label", "labels", "json", "code"} or (form == "number" and not _TAKES_ELEMENT.search(instruction)):
        return False
    full = [pair for pair in pairs if pair.output.strip() != nothing][:_MOST_SAMPLED]
    told = bool(_TAKES_OUT.search(instruction)) and not _IS_WRITTEN_ANEW.search(instruction)
    if not full:
        return told and not pairs
    if _MAY_BE_ELSEWHERE.search(instruction):
        return False
    stands = all(_stands_in(pair.output, pair.input) for pair in full)
    return stands and (told or len(full) >= _LEAST_EXTRACTED)


def _stands_in(output: str, given: str) -> bool:
    """Whether the answer, or each of its listed parts, is a piece of the input; all of the input is no piece."""
    folded, whole = _plain(given[:_LONGEST_INPUT]), _plain(output)
    if not whole or whole == folded:
        return False
    if _is_piece(whole, folded):
        return True
    parts = [part for part in map(_plain, _PART.split(output)) if part]
    return 1 < len(parts) <= _MOST_PARTS and all(_is_piece(part, folded) for part in parts)


def _plain(text: str) -> str:
    return " ".join(text.strip(_EDGES).casefold().split())


def _is_piece(piece: str, text: str) -> bool:
    start = text.find(piece)
    while start >= 0:
        before, after = text[start - 1 : start], text[start + len(piece) : start + len(piece) + 1]
        if not (_glues(before) and _glues(piece[:1])) and not (_glues(after) and _glues(piece[-1:])):
            return True
        start = text.find(piece, start + 1)
    return False


def _glues(char: str) -> bool:
    """Whether a letter like this would make one word with its neighbour; scripts without blanks have no such."""
    return char.isalnum() and char < "\u0e00"
