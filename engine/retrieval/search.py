"""Search among texts by words and, where an encoder is at hand, by meaning too; both kept on disk for the next time.

Knows texts, queries and ranks. What the texts are cards of, and which of them will do, is decided elsewhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, TypeVar

from engine.retrieval.bm25 import Hit, Index
from engine.retrieval.dense import Encodes, nearest
from engine.retrieval.store import cache_folder, writing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Search", "fused"]

_VERSION: Final = "1"  # of how texts are indexed: an index of another one is not read
_WORTH_KEEPING: Final = 2000  # fewer texts are indexed sooner than a file of them is read

# Tuned on labelled queries (benchmarks/bench_retrieval.py): how little the first place is worth above the tenth, what
# part of a score is by meaning, how far a query is moved towards what the first few texts of the fused order mean (1:
# they weigh as much as the query itself), and how deep either order is looked into, however few are wanted.
_RANK_OFFSET: Final = 60
_BY_MEANING: Final = 0.6
_FIRST: Final = 3
_MOVED: Final = 1.0
_DEPTH: Final = 1000

# On the same queries a half let a name's other cards take as few places among the first five as a quarter did.
_COPY: Final = 0.5

Kept = TypeVar("Kept")


class Search:
    """Texts that are searched again and again: `Search(["red apples"]).find(["apple"], k=3)`.

    `encoder` adds search by meaning. `cache` is the folder that holds what need not be computed twice; by default one
    in the user's cache.
    """

    def __init__(self, texts: Sequence[str], *, encoder: Encodes | None = None, cache: Path | None = None) -> None:
        self._encoder = encoder
        self._vectors: NDArray[np.float32] | None = None
        folder = (cache or cache_folder()) / "indexes"
        name = _fingerprint(texts)
        if len(texts) < _WORTH_KEEPING:
            self._index = Index(texts)
        else:
            self._index = _kept(
                folder / f"words-{name}.npz", load=Index.load, make=lambda: Index(texts), save=Index.save
            )  # fmt: skip
        if encoder is not None:
            self._vectors = _kept(
                folder / f"meaning-{name}-{_fingerprint([encoder.name])}.npz",
                load=_load_vectors, make=lambda: encoder.of_texts(texts), save=_save_vectors,
            )  # fmt: skip

    def __len__(self) -> int:
        return len(self._index)

    def find(self, queries: Sequence[str], *, k: int) -> list[Hit]:
        """The k best texts, best first; of equals the earlier. Of several queries the scores are averaged.

        By words alone a score is BM25's. With an encoder it is a reciprocal rank from 0 to 100, 100 for the text that
        comes first by words and by meaning.
        """
        if len(queries) == 1:
            return self._one(queries[0], k=k)[:k]
        totals: dict[int, float] = {}
        for query in queries:
            for hit in self._one(query, k=k):
                totals[hit.position] = totals.get(hit.position, 0.0) + hit.score / len(queries)
        best = sorted(totals.items(), key=lambda pair: (-pair[1], pair[0]))[:k]
        return [Hit(position, score) for position, score in best]

    def why(self, query: str, position: int) -> tuple[str, ...]:
        """The words of the query that speak most for a text; none where only its meaning does."""
        return self._index.why(query, position)

    def by_meaning(self, query: str, *, k: int) -> list[int]:
        """The positions of the k texts whose meaning is nearest, nearest first; none without an encoder."""
        if self._encoder is None or self._vectors is None:
            return []
        return nearest(self._vectors, self._encoder.of_query(query), k=k)

    def _one(self, query: str, *, k: int) -> list[Hit]:
        if self._encoder is None or self._vectors is None:
            return self._index.search(query, k=k)
        depth = max(k, _DEPTH)
        words = [hit.position for hit in self._index.search(query, k=depth)]
        meant = self._encoder.of_query(query)
        first = [hit.position for hit in fused(words[:_DEPTH], nearest(self._vectors, meant, k=_DEPTH))[:_FIRST]]
        # A prompt says what is wanted in one sentence among others; the first cards say it again, and nothing else.
        if first:
            meant = meant + _MOVED * self._vectors[first].mean(axis=0)
        return fused(words, nearest(self._vectors, meant, k=depth))


def fused(by_words: Sequence[int], by_meaning: Sequence[int]) -> list[Hit]:
    """Two orders as one, by reciprocal rank: what stands high in both comes first; of equals the lower position.

    Meaning counts half as much again as words.
    """
    import numpy as np

    orders = ((1 - _BY_MEANING, by_words), (_BY_MEANING, by_meaning))
    worth = [100 * share * (1 + _RANK_OFFSET) / (_RANK_OFFSET + 1 + np.arange(len(order))) for share, order in orders]
    positions, at = np.unique(np.array([*by_words, *by_meaning], dtype=np.int64), return_inverse=True)
    totals = np.bincount(at, weights=np.concatenate(worth), minlength=len(positions))
    best = np.lexsort((positions, -totals))
    return list(map(Hit, positions[best].tolist(), totals[best].tolist()))


def copies_behind(hits: Sequence[Hit], names: Sequence[str]) -> list[Hit]:
    """What bears the name of a better hit counts half, so that copies do not crowd out what differs; best first.

    `hits` come best first, `names` has one for every text that can be found; equals keep their order.
    """
    seen: set[str] = set()
    weighed = []
    for hit in hits:
        name = names[hit.position]
        weighed.append(Hit(hit.position, hit.score * (_COPY if name in seen else 1.0)))
        seen.add(name)
    return sorted(weighed, key=lambda hit: -hit.score)


def _kept(
    path: Path, *, load: Callable[[Path], Kept], make: Callable[[], Kept], save: Callable[[Kept, IO[bytes]], None]
) -> Kept:
    """What a file holds, or what is made anew and put there."""
    # What is not there, cut short or damaged is made anew.
    with contextlib.suppress(OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile):
        return load(path)
    made = make()
    # A cache that cannot be written costs time the next time, and nothing now.
    with contextlib.suppress(OSError), writing(path) as file:
        save(made, file)
    return made


def _load_vectors(path: Path) -> NDArray[np.float32]:
    import numpy as np

    with np.load(path, allow_pickle=False) as arrays:
        vectors: NDArray[np.float32] = arrays["vectors"]
    return vectors


def _save_vectors(vectors: NDArray[np.float32], file: IO[bytes]) -> None:
    import numpy as np

    np.savez(file, vectors=vectors)


def _fingerprint(texts: Sequence[str]) -> str:
    digest = hashlib.sha256(_VERSION.encode())
    for text in texts:
        raw = text.encode("utf-8", "surrogatepass")
        digest.update(len(raw).to_bytes(8, "big"))
        digest.update(raw)
    return digest.hexdigest()[:24]
