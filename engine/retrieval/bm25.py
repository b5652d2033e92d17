"""Search by words: which of many texts speak most of what a query speaks of.

Knows texts, words and scores; what the texts describe is not its business.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Self

from engine.retrieval.words import asks, roots

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Hit", "Index", "Shares", "Weighing", "Words"]

Words = Callable[[str], Sequence[tuple[str, str]]]
"""What counts of a text: each word as it stands there, with what it has in common with its other forms."""


@dataclass(frozen=True, slots=True)
class Weighing:
    """How much a word counts: `k1` and `b` are BM25's, `saturation` is the like of `k1` for the query.

    Tuned on labelled queries (benchmarks/bench_retrieval.py). The usual 1.5 and 0.75 punish long texts, and of cards
    the longer one is the better known one, which is more often right. A word that the query says often counts at most
    twice as much as one that it says once: prompts hold examples, and those repeat themselves. A word in which people
    ask ("build", "model") counts `asking` times as much as any other.
    """

    k1: float = 1.0
    b: float = 0.4
    saturation: float = 1.0
    asking: float = 0.5

    def of_query(self, words: Sequence[tuple[str, str]]) -> dict[str, float]:
        """How much each root of a query counts."""
        times = Counter(root for _, root in words)
        return {
            root: said * (1 + self.saturation) / (said + self.saturation) * (self.asking if asks(root) else 1)
            for root, said in times.items()
        }


_WEIGHING: Final = Weighing()

_WORDS_TOLD: Final = 4  # of those that speak for a text


@dataclass(frozen=True, slots=True)
class Hit:
    """A text that shares words with the query: its position among the texts, and how well it fits (above 0)."""

    position: int
    score: float


@dataclass(frozen=True, slots=True)
class Shares:
    """What each word adds to each text that holds it: of word `i` from `starts[i]` to `starts[i + 1]`."""

    size: int  # how many texts
    words: tuple[str, ...]
    starts: NDArray[np.int64]
    positions: NDArray[np.int32]  # of texts, in order
    weights: NDArray[np.float32]


class Index:
    """BM25 over texts that stay as they are: `Index(["red apples", "blue plums"]).search("apple red", k=1)`.

    Words meet by their roots, and empty ones ("the") do not count. All scoring is done once, while indexing: what each
    word adds to each text that holds it. A query adds up.
    """

    def __init__(
        self,
        texts: Sequence[str] = (),
        *,
        words: Words = roots,
        weighing: Weighing = _WEIGHING,
        shares: Shares | None = None,
    ) -> None:
        self._words, self._weighing = words, weighing
        self._shares = shares or _shares([[root for _, root in words(text)] for text in texts], weighing)
        self._at = {word: number for number, word in enumerate(self._shares.words)}

    def __len__(self) -> int:
        return self._shares.size

    def __repr__(self) -> str:
        return f"<Index [{len(self)} texts, {len(self._at)} words]>"

    def search(self, query: str, *, k: int) -> list[Hit]:
        """The k best texts, best first; of equals the earlier. Texts that share no word with the query are not hits."""
        import numpy as np

        scores = np.zeros(len(self))
        for root, worth in self._weighing.of_query(self._words(query)).items():
            if (share := self._share(root)) is not None:
                positions, weights = share
                scores[positions] += worth * weights
        found = np.flatnonzero(scores)
        if k < len(found):  # most of a hundred thousand share a common word; only the best need an order
            least = np.partition(scores[found], -k)[-k] if k > 0 else np.inf
            found = found[scores[found] >= least]
        best = found[np.lexsort((found, -scores[found]))][:k]
        return [Hit(int(position), float(scores[position])) for position in best]

    def why(self, query: str, position: int) -> tuple[str, ...]:
        """The words of the query that speak most for a text, the strongest first, as the query has them."""
        import numpy as np

        said = {root: word for word, root in reversed(self._words(query))}
        worth = self._weighing.of_query(self._words(query))
        found: list[tuple[float, str]] = []
        for root, word in said.items():
            if (share := self._share(root)) is None:
                continue
            positions, weights = share
            at = int(np.searchsorted(positions, position))
            if at < len(positions) and positions[at] == position:
                found.append((-worth[root] * float(weights[at]), word))
        return tuple(word for _, word in sorted(found)[:_WORDS_TOLD])

    def save(self, file: IO[bytes]) -> None:
        """Put the index into a file of plain arrays."""
        import numpy as np

        shares = self._shares
        words = np.frombuffer("\n".join(shares.words).encode(), dtype=np.uint8)
        np.savez(
            file, size=np.int64(shares.size), words=words, starts=shares.starts, positions=shares.positions,
            weights=shares.weights,
        )  # fmt: skip

    @classmethod
    def load(cls, path: Path) -> Self:
        """The index of a file that `save` wrote. Raises OSError, ValueError or KeyError for any other file."""
        import numpy as np

        with np.load(path, allow_pickle=False) as arrays:
            raw = arrays["words"].tobytes().decode()
            shares = Shares(
                int(arrays["size"]), tuple(raw.split("\n") if raw else ()), arrays["starts"], arrays["positions"],
                arrays["weights"],
            )  # fmt: skip
        if len(shares.starts) != len(shares.words) + 1 or len(shares.positions) != len(shares.weights):
            raise ValueError("its arrays do not belong together")
        return cls(shares=shares)

    def _share(self, word: str) -> tuple[NDArray[np.int32], NDArray[np.float32]] | None:
        """The texts that hold a word, in order, and what it adds to the score of each."""
        number = self._at.get(word)
        if number is None:
            return None
        shares = self._shares
        start, end = shares.starts[number], shares.starts[number + 1]
        return shares.positions[start:end], shares.weights[start:end]


def _shares(texts: Sequence[Sequence[str]], weighing: Weighing) -> Shares:
    """Every word's share. Scoring word by word here, and only texts that hold it, spares each query that loop."""
    import numpy as np
    from rank_bm25 import BM25Plus

    holding: dict[str, list[int]] = {}
    for position, words in enumerate(texts):
        for word in dict.fromkeys(words):
            holding.setdefault(word, []).append(position)
    starts = np.cumsum([0, *(len(positions) for positions in holding.values())], dtype=np.int64)
    if not holding:  # rank_bm25 divides by the number of words
        return Shares(len(texts), (), starts, np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.float32))

    # Plus with delta 0 is plain BM25 whose word weights stay positive; Okapi's turn negative in small catalogues, where
    # a word is often in most of the texts.
    model = BM25Plus(texts, k1=weighing.k1, b=weighing.b, delta=0)
    model.doc_len = np.array(model.doc_len)  # it converts the list on every call otherwise
    weights = [np.array(model.get_batch_scores([word], positions)) for word, positions in holding.items()]
    positions = [np.array(positions, dtype=np.int32) for positions in holding.values()]
    return Shares(
        len(texts), tuple(holding), starts, np.concatenate(positions), np.concatenate(weights).astype(np.float32)
    )
