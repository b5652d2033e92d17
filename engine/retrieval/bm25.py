"""Search by words: which of many texts speak most of what a query speaks of.

Knows texts, words and scores; what the texts describe is not its business.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
    """BM25 over texts that stay as they are: `Index(["red apples", "blue plums"]).search("apple red", k=1)`.

    All scoring is done once, while indexing: what each word adds to each text that holds it. A query adds up.
    """

    def __init__(self, texts: Sequence[str]) -> None:
        self._size = len(texts)
        self._shares = _shares([tokenize(text) for text in texts])

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        return f"<Index [{self._size} texts, {len(self._shares)} words]>"

    def search(self, query: str, *, k: int) -> list[Hit]:
        """The k best texts, best first; of equals the earlier. Texts that share no word with the query are not hits."""
        import numpy as np

        scores = np.zeros(self._size)
        for word, times in Counter(tokenize(query)).items():
            if (share := self._shares.get(word)) is not None:
                scores[share.positions] += times * share.weights
        found = np.flatnonzero(scores)
        best = found[np.lexsort((found, -scores[found]))][:k]
        return [Hit(int(position), float(scores[position])) for position in best]

    def why(self, query: str, position: int, *, most: int = 4) -> tuple[str, ...]:
        """The words of the query that speak most for a text, the strongest first."""
        import numpy as np

        found: list[tuple[float, str]] = []
        for word, times in Counter(tokenize(query)).items():
            if (share := self._shares.get(word)) is None:
                continue
            at = int(np.searchsorted(share.positions, position))
            if at < len(share.positions) and share.positions[at] == position:
                found.append((-times * float(share.weights[at]), word))
        return tuple(word for _, word in sorted(found)[:most])


@dataclass(frozen=True, slots=True)
class _Share:
    """What one word adds to the score of each text that holds it."""

    positions: NDArray[np.int32]
    weights: NDArray[np.float64]


def _shares(texts: Sequence[Sequence[str]]) -> dict[str, _Share]:
    """Every word's share. Scoring word by word here, and only texts that hold it, spares each query that loop."""
    import numpy as np
    from rank_bm25 import BM25Plus

    holding: dict[str, list[int]] = {}
    for position, words in enumerate(texts):
        for word in dict.fromkeys(words):
            holding.setdefault(word, []).append(position)
    if not holding:
        return {}  # rank_bm25 divides by the number of words

    # Plus with delta 0 is plain BM25 whose word weights stay positive; Okapi's turn negative in small catalogues, where
    # a word is often in most of the texts.
    model = BM25Plus(texts, delta=0)
    model.doc_len = np.array(model.doc_len)  # it converts the list on every call otherwise
    return {
        word: _Share(np.array(positions, dtype=np.int32), np.array(model.get_batch_scores([word], positions)))
        for word, positions in holding.items()
    }


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
