"""Money for labels and verdicts is kept back while inputs are under way: one without a label is worth nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

from engine.statistics import Statistics

__all__ = ["LabelMoney", "Purse", "needed"]

KNOWN_FROM = 64  # inputs that were labelled: from then on it is known what a label costs
AT_FIRST: Mapping[str, int] = {"annotate": 2, "judge": 4}  # one part in so many of the budget, before that


class Purse(Protocol):
    """What an engine knows of its money."""

    def keep(self, amount: int, *, tag: str) -> None: ...

    def statistics(self) -> Statistics: ...


def needed(*, cap: int, labelled: int, under_way: int, charged: int, at_first: int = AT_FIRST["annotate"]) -> int:
    """What the labels of the inputs under way will cost, in pico-dollars, at what those so far have cost."""
    return cap // at_first if labelled < KNOWN_FROM else charged * under_way // labelled


class LabelMoney:
    """Keeps as much for labels, and for verdicts on them, as the inputs that are being labelled still need.

    Without it a small budget would go to writing inputs: hundreds are asked for before the first is labelled.
    """

    def __init__(self, purse: Purse, *, tags: Sequence[str] = ("annotate",)) -> None:
        self._purse = purse
        self._tags = tags
        self._labelled = 0
        self._under_way = 0
        self._keep()

    @contextmanager
    def labelling(self, inputs: int) -> Iterator[None]:
        """So many inputs are labelled within the block."""
        self._under_way += inputs
        self._keep()
        try:
            yield
        finally:
            self._under_way -= inputs
            self._labelled += inputs
            self._keep()

    def _keep(self) -> None:
        figures = self._purse.statistics()
        if figures.cap is None:
            return
        for name in self._tags:
            tag = figures.by_tag.get(name)
            amount = needed(
                cap=figures.cap,
                labelled=self._labelled,
                under_way=self._under_way,
                charged=0 if tag is None else tag.cost + tag.saved,
                at_first=AT_FIRST[name],
            )
            self._purse.keep(amount, tag=name)
