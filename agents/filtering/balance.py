"""How many rows of each label stay, so that no label drowns the others; and which. Pure."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from agents.filtering.conflicts import digest
from agents.reading.roles import Row
from engine.errors import UserError

__all__ = ["MOST_LABELS", "caps_of", "shares_of", "surplus"]

MOST_LABELS = 200  # different answers that can still be labels


def shares_of(labels: Sequence[str], anchors: Sequence[str]) -> dict[str, float]:
    """The part of the rows that each label should have: as the anchors have it, each once more; else all alike.

    An anchor more for each label, so that one that happens to have none is not thrown away.
    """
    counts = Counter(anchors)
    total = sum(counts[label] + 1 for label in labels)
    return {label: (counts[label] + 1) / total if anchors else 1 / len(labels) for label in labels}


def caps_of(counts: Mapping[str, int], *, anchors: Sequence[str] = (), factor: float = 1.0) -> dict[str, int]:
    """How many rows of each label may stay: `factor` times as many, against its share, as there are of the scarcest.

    Raises UserError when there are too many different answers for labels.
    """
    if len(counts) > MOST_LABELS:
        raise UserError(f"--balance is for labels: these rows have {len(counts):,} different answers")
    shares = shares_of(list(counts), anchors)
    scarcest = min((counts[label] / share for label, share in shares.items()), default=0.0)
    return {label: math.ceil(min(counts[label], factor * scarcest * share)) for label, share in shares.items()}


def surplus(rows: Iterable[Row], caps: Mapping[str, int], counts: Mapping[str, int], *, seed: int) -> frozenset[int]:
    """The numbers of the rows that are too many of their label; which these are, chance by content decides."""
    of_label: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        label = row.output or ""
        if counts[label] > caps[label]:
            of_label[label].append((digest(f"{seed}\n{row.input}\n{row.context}"), row.number))
    return frozenset(number for label, some in of_label.items() for _, number in sorted(some)[caps[label] :])
