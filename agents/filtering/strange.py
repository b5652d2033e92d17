"""Labels in a user's rows that the prompt does not have: told, and not guessed away. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from agents.records import Spec
from agents.voting.vote import fits_spec
from engine.text import clean

__all__ = ["is_strange", "strange_labels", "strange_told"]

SHOWN = 5


def is_strange(label: str, spec: Spec) -> bool:
    """Whether the task has labels, and this is none of them."""
    return bool(spec.labels) and not fits_spec(label, spec)


def strange_labels(labels: Iterable[str], spec: Spec) -> Counter[str]:
    """Those that the task lacks, and how often each occurs."""
    return Counter(label for label in map(str.strip, labels) if is_strange(label, spec))


def strange_told(strange: Mapping[str, int], *, where: str) -> list[str]:
    """A sentence about them for people, if there are any; `where` says whose rows have them."""
    if not strange:
        return []
    rows = sum(strange.values())
    shown = ", ".join(repr(clean(label, 60)) for label in [*strange][:SHOWN])
    more = "" if len(strange) <= SHOWN else ", ..."
    what = "1 row has a label" if rows == 1 else f"{rows:,} rows have labels"
    told = (
        f"Of {where}, {what} that the prompt does not: {shown}{more}. "
        "If they belong to the task, name them in the prompt and begin anew."
    )
    return [told]
