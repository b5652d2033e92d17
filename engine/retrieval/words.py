"""The words of a text in any script, and what they have in common with other forms of themselves.

Knows letters and endings; which words matter in a collection is for whoever counts them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import Final

__all__ = ["asks", "roots", "tokenize"]

# Scripts written without spaces between words: Han, kana, Thai, Lao, Burmese, Khmer. Pairs of characters stand in for
# their words, which needs no dictionary and finds nearly as much.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)

# Words that say nothing of what a text is about. They are in half of all cards and in every prompt, and a prompt that
# says "the" nine times is not nine times about it.
_EMPTY_WORDS: Final = """
    a about above after again against all also am an and any are as at be because been before being below between both
    but by can cannot could did do does doing down during each etc few for from further had has have having he her here
    hers him his how i if in into is it its itself just me may might more most must my no nor not now of off on once one
    only or other our ours out over own per shall she should so some such than that the their theirs them then there
    these they this those through to too under until up us use used uses using very via was we were what when where
    which while who whom why will with would you your yours
"""
_EMPTY: Final = frozenset(_EMPTY_WORDS.split())

# The endings of English, the longer before the shorter, with what is left in their place. Coarser than a grammar would
# have it: "classify", "classifier" and "classification" should meet, and what meets by mistake is told apart by its
# neighbours.
_ENDINGS: Final = (
    ("ization", "iz"), ("isation", "iz"), ("ational", "at"), ("ations", "at"), ("ation", "at"), ("izing", "iz"),
    ("ising", "iz"), ("izers", "iz"), ("izer", "iz"), ("izes", "iz"), ("ises", "iz"), ("ized", "iz"), ("ised", "iz"),
    ("ize", "iz"), ("ise", "iz"), ("ingly", ""), ("edly", ""), ("ments", ""), ("ment", ""), ("ings", ""), ("ing", ""),
    ("ies", "i"), ("ied", "i"), ("ers", ""), ("er", ""), ("ions", ""), ("ion", ""), ("ities", ""), ("ity", ""),
    ("ives", ""), ("ive", ""), ("als", ""), ("al", ""), ("ed", ""), ("es", ""), ("s", ""), ("ly", ""), ("e", ""),
    ("y", "i"),
)  # fmt: skip
_SHORTEST_ROOT: Final = 3

_ASKING_WORDS: Final = """
    want need please help build create develop make find give let train model system tool application app dataset data
    method approach task propose present introduce work company customer client user call say answer output input
    following example provide requirement design implement identify intend learn
"""


def roots(text: str) -> list[tuple[str, str]]:
    """Each word of a text that says something, with its root: what its forms have in common.

    "the classifiers" gives ("classifiers", "classifi"). Roots are cut for English alone; other words are their own.
    """
    return [(word, _root(word)) for word in tokenize(text) if word not in _EMPTY]


def asks(root: str) -> bool:
    """Whether a root is of the words in which people ask ("help me build a model") rather than of what they ask for."""
    return root in _asking()


@cache
def _asking() -> frozenset[str]:
    return frozenset(root for _, root in roots(_ASKING_WORDS))


@lru_cache(maxsize=200_000)
def _root(word: str) -> str:
    if not word.isascii() or len(word) <= _SHORTEST_ROOT:
        return word
    for ending, instead in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_ROOT:
            word = word[: len(word) - len(ending)] + instead
            break
    if len(word) > _SHORTEST_ROOT and word[-1] == word[-2] and word[-1] not in "aeiouls":
        word = word[:-1]  # "tagging" and "tags"
    return word.removesuffix("e") if len(word) > _SHORTEST_ROOT else word


def tokenize(text: str) -> list[str]:
    """The words of a text in any script, alike for alike spellings (NFKC, case folded).

    Words of scripts without spaces come as overlapping pairs of characters: "東京都" gives "東京", "京都".
    """
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return [word for match in _word_pattern().finditer(folded) for word in _words_of(match)]


def _words_of(match: re.Match[str]) -> Iterator[str]:
    run = match["unspaced"]
    if run is None:
        yield match[0]
    elif len(run) == 1:
        yield run
    else:
        yield from (run[start : start + 2] for start in range(len(run) - 1))


@cache
def _word_pattern() -> re.Pattern[str]:
    # `\w` leaves out combining marks, which would cut every Hindi word at its vowel signs; `re` has no class for them.
    marks = "".join(re.escape(chr(code)) for code in range(0x20000) if unicodedata.category(chr(code))[0] == "M")
    letter = rf"[^\W_{_UNSPACED}]"
    return re.compile(rf"(?P<unspaced>[{_UNSPACED}]+)|{letter}(?:{letter}|[{marks}])*")
