"""Search by words: which of many texts speak most of what a query speaks of.

Knows texts, words and scores; what the texts describe is not its business.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

__all__ = ["Hit", "Index", "tokenize"]

# Scripts written without spaces between words: Han, kana, Thai, Lao, Burmese, Khmer. Pairs of characters stand in for
# their words, which needs no dictionary and finds nearly as much.
_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"
    "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that shares words with the query: its position among the texts, and how well it fits (above 0)."""

    position: int
    score: float


class Index:
    """BM25 over texts that stay as they are: `Index(["red apples", "blue plums"]).search("apple red", k=1)`."""

    def __init__(self, texts: Sequence[str]) -> None:
        import numpy as np
        from rank_bm25 import BM25Plus

        words = [tokenize(text) for text in texts]
        self._size = len(words)
        self._holding = _texts_holding(words)
        # rank_bm25 divides by the number of words, so an index of nothing has no model. Plus with delta 0 is plain
        # BM25 whose word weights stay positive; Okapi's turn negative in small catalogues, where a word is often in
        # most of the texts.
        self._model = BM25Plus(words, delta=0) if self._holding else None
        if self._model is not None:
            # It converts this list to an array on every call, which takes longer than scoring a rare word.
            self._model.doc_len = np.array(self._model.doc_len)

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"<Index [{self._size} texts, {len(self._holding)} words]>"

    def search(self, query: str, *, k: int) -> list[Hit]:
        """The k best texts, best first; of equals the earlier. Texts that share no word with the query are not hits."""
        scores = self._scores(query)
        best = sorted(range(self._size), key=lambda position: (-scores[position], position))[:k]
        return [Hit(position, scores[position]) for position in best if scores[position] > 0]

    def _scores(self, query: str) -> Sequence[float]:
        import numpy as np

        scores = np.zeros(self._size)
        for word, times in Counter(tokenize(query)).items():
            if (positions := self._holding.get(word)) is not None and self._model is not None:
                scores[positions] += times * np.array(self._model.get_batch_scores([word], positions))
        found: list[float] = scores.tolist()
        return found


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


def _texts_holding(words: Sequence[Sequence[str]]) -> dict[str, list[int]]:
    """For every word the positions of the texts that hold it, so that a query looks at no others."""
    holding: dict[str, list[int]] = {}
    for position, text_words in enumerate(words):
        for word in set(text_words):
            holding.setdefault(sys.intern(word), []).append(position)
    return holding
