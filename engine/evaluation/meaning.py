"""How near two texts are in meaning: BERTScore, by any encoder on this machine. Nothing is downloaded."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["EncodesTokens", "bert_scores"]


class EncodesTokens(Protocol):
    """Whoever gives a vector of length 1 for each token of a text: an array of (tokens, width) for each."""

    def of_tokens(self, texts: Sequence[str]) -> list[NDArray[Any]]: ...


def bert_scores(
    predictions: Sequence[str], answers: Sequence[Sequence[str]], *, encoder: EncodesTokens | Path
) -> list[float]:
    """BERTScore's F1 for each row, the best of its right answers; at most 1.

    T. Zhang et al., "BERTScore: Evaluating Text Generation with BERT", ICLR 2020 (arXiv 1904.09675): each token is
    matched with the likest of the other text by the cosine of their vectors in context, here those of the last layer,
    without weights for rare words and without rescaling. So figures compare by one encoder only. An empty text is like
    another empty one, and like nothing else.

    `encoder` is a folder of one, or whoever gives the vectors. Raises UserError for a folder that holds none.
    """
    source = _opened(encoder) if isinstance(encoder, Path) else encoder
    texts = list(dict.fromkeys([*predictions, *(text for right in answers for text in right)]))
    vectors = dict(zip(texts, source.of_tokens(texts), strict=True))
    return [
        max(_likeness(vectors[given], vectors[text]) if given != text else 1.0 for text in right)
        for given, right in zip(predictions, answers, strict=True)
    ]


def _opened(folder: Path) -> EncodesTokens:
    from engine.encoder import Encoder

    return Encoder(folder)


def _likeness(ours: NDArray[Any], theirs: NDArray[Any]) -> float:
    if not len(ours) or not len(theirs):
        return float(len(ours) == len(theirs))
    cosines = ours @ theirs.T
    precision, recall = float(cosines.max(axis=1).mean()), float(cosines.max(axis=0).mean())
    return max(0.0, 2 * precision * recall / (precision + recall)) if precision + recall > 0 else 0.0
