"""How much of a set of texts is new: distinct groups of words, and how like each text is to its nearest. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.duplicates import LIKENESS, nearest

__all__ = ["Variety", "distinct_share", "variety_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Variety:
    """Of a sample of `texts`: the share of words, of pairs and of triples of words that are different ones.

    `nearest` is how like a text is to the one that it is most like, in the mean; `repeated` the share of texts that are
    nearly another.
    """

    texts: int
    distinct_1: float
    distinct_2: float
    distinct_3: float
    nearest: float
    repeated: float


def variety_of(texts: Sequence[str]) -> Variety:
    """The variety of some texts; for samples, because each is compared with all others."""
    likenesses = nearest(texts)
    return Variety(
        texts=len(texts),
        distinct_1=distinct_share(texts, 1),
        distinct_2=distinct_share(texts, 2),
        distinct_3=distinct_share(texts, 3),
        nearest=sum(likenesses) / max(1, len(texts)),
        repeated=sum(share >= LIKENESS for share in likenesses) / max(1, len(texts)),
    )


def distinct_share(texts: Sequence[str], n: int) -> float:
    """Distinct-n: how many of the groups of n words in a row are different ones; 0 where there is none."""
    groups = [tuple(words[i : i + n]) for words in map(_words, texts) for i in range(len(words) - n + 1)]
    return len(set(groups)) / len(groups) if groups else 0.0


def _words(text: str) -> list[str]:
    return text[:20_000].casefold().split()
