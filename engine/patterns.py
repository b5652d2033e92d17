"""Patterns that a user wrote: whether a text fits one, in bounded time and memory.

Python's own `re` tries every way through a text and cannot be stopped: `(a|aa)+b` keeps it busy for years over a few
hundred letters. What a pattern means is what `re` says; it is `regex` that looks, since that remembers most ways that
were in vain, and gives up over the others.

What is not the same: to `regex` a mark upon a letter is part of a word (`\\w`), and ² is none; U+001C to U+001F are no
blanks (`\\s`). Patterns over which it forgets its clock are refused unseen: of very many
parts (`a?a?a?...`, a thousand times), and of one long text without a choice in it.
"""

from __future__ import annotations

import re
import warnings
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from engine.errors import UserError

if TYPE_CHECKING:
    import regex

__all__ = ["check_pattern", "matches", "occurs"]

LONGEST_S: Final = 0.5
"""Over one text, of this process's work. Whoever waits for it holds up everybody else; usual is a millionth of it."""

LARGEST: Final = 100_000
"""Characters that a pattern comes to with each repeat written out as often as it must occur: so `regex` holds it."""

MOST_PARTS: Final = 1_000
"""Groups and repeats in a pattern: with two thousand optional letters a look takes thrice the time that it may."""

LONGEST_RUN: Final = 300
"""Characters in a row with nothing else between them: before it looks for 4,000 such, `regex` thinks for minutes."""

_SHOWN: Final = 80  # characters of a pattern or a text within a message

_TOKEN: Final = re.compile(
    r"""(?P<escape>\\(?:N\{[^}]*+\}|.))
      | \[(?P<set>\^?\]?(?:\\.|[^\]\\])*+)\]
      | (?P<repeat>\{(?:(?P<least>[0-9]+)(?:,[0-9]*)?|,[0-9]*)\})
      | (?P<brace>\{)
      | (?P<open>\() | (?P<close>\)) | .""",
    re.VERBOSE | re.DOTALL,
)


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is what the pattern says. Raises UserError where that cannot be told, in words."""
    return _looked(pattern, text, whole=True)


def occurs(pattern: str, text: str) -> bool:
    """The same of any part of the text."""
    return _looked(pattern, text, whole=False)


def check_pattern(pattern: str) -> None:
    """Raise UserError, saying why, unless it is a regular expression that can be looked for."""
    _compiled(pattern)


def _looked(pattern: str, text: str, *, whole: bool) -> bool:
    compiled = _compiled(pattern)
    look = compiled.fullmatch if whole else compiled.search
    try:
        return look(text, timeout=LONGEST_S) is not None
    except TimeoutError:
        raise UserError(
            f"the pattern {_short(pattern)} takes more than {LONGEST_S:g} s over a text of {len(text):,} characters "
            f"({_short(text)}): within what is repeated, let there be only one way to read a text"
        ) from None


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> regex.Pattern[str]:
    import regex

    try:
        with warnings.catch_warnings():  # of what `[a--b]` may mean to `re` one day: for who writes code, not patterns
            warnings.simplefilter("ignore", FutureWarning)
            re.compile(pattern)
        _check_size(pattern)
        return regex.compile(_as_meant(pattern), regex.VERSION0)
    except (re.error, regex.error, RecursionError, OverflowError, ValueError) as error:
        raise UserError(f"{_short(pattern)} is no regular expression: {error}") from None


def _check_size(pattern: str) -> None:
    if _size(pattern) > LARGEST:
        raise UserError(f"the pattern {_short(pattern)} repeats more than can be looked for: ask for less of it")
    tokens = _tokens(pattern)
    if sum(token[0] in "(?*+" or _is_repeat(token) for token in tokens) > MOST_PARTS:
        raise UserError(f"the pattern {_short(pattern)} has more than {MOST_PARTS:,} groups and repeats: use fewer")
    if _longest_run(tokens) > LONGEST_RUN:
        raise UserError(
            f"the pattern {_short(pattern)} has more than {LONGEST_RUN} characters in a row: say less of them, or .*"
        )


def _tokens(pattern: str) -> list[str]:
    """What it consists of, without the question mark that begins a group of another kind."""
    found, before = [], ""
    for token in (each[0] for each in _TOKEN.finditer(pattern)):
        if (before, token) != ("(", "?"):
            found.append(token)
        before = token
    return found


def _longest_run(tokens: list[str]) -> int:
    """How many characters in a row; brackets do not part them, nor do they count."""
    longest = run = 0
    for token in tokens:
        if token[0] in "|.^$?*+" or _is_repeat(token):
            run = 0
        elif token not in {"(", ")"}:
            run += 1
            longest = max(longest, run)
    return longest


def _is_repeat(token: str) -> bool:
    return token[0] == "{" and len(token) > 1


def _as_meant(pattern: str) -> str:
    """The pattern as `regex` must see it to read in it what `re` does: a brace that repeats nothing is a brace."""
    return _TOKEN.sub(_as_re_reads, pattern)


def _as_re_reads(token: re.Match[str]) -> str:
    if token["brace"]:  # `regex` takes {e} for "or nearly so"
        return r"\{"
    if token["set"]:  # and [:alpha:] for letters
        return "[" + re.sub(r"(\\.)|\[", lambda met: met[1] or r"\[", token["set"], flags=re.DOTALL) + "]"
    return token[0]


def _size(pattern: str) -> int:
    """How many characters it comes to, with each repeat written out as often as it must occur."""
    groups, last = [0], 0
    for token in _TOKEN.finditer(pattern):
        if token["open"]:
            groups.append(0)
            last = 0
            continue
        if token["repeat"]:
            more = last * max(0, int(token["least"] or 0) - 1)
        elif token["close"] and len(groups) > 1:
            more = last = groups.pop()
        else:
            more = last = 1
        groups[-1] += more
        last += more if token["repeat"] else 0
    return sum(groups)


def _short(text: str) -> str:
    return repr(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")
