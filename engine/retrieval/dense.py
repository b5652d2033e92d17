"""Search by meaning: texts and queries as vectors, and which lie nearest. What makes vectors of texts is handed in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["Encodes", "nearest"]


class Encodes(Protocol):
    """Whoever turns texts into vectors of length 1. `name` changes when the vectors do."""

    @property
    def name(self) -> str: ...

    def of_texts(self, texts: Sequence[str]) -> NDArray[np.float32]: ...

    def of_query(self, query: str) -> NDArray[np.float32]: ...


def nearest(vectors: NDArray[np.float32], query: NDArray[np.float32], *, k: int) -> list[int]:
    """The positions of the k vectors that point most as the query does, nearest first; of equals the earlier."""
    import numpy as np

    likeness = vectors @ query
    candidates = np.arange(len(likeness))
    if 0 < k < len(likeness):  # ordering a hundred thousand costs more than finding the few at the top
        candidates = np.flatnonzero(likeness >= np.partition(likeness, -k)[-k])
    best: list[int] = candidates[np.lexsort((candidates, -likeness[candidates]))][:k].tolist()
    return best
