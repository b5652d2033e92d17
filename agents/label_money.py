"""Money for labels is kept back while inputs are under way: an input without a label is worth nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from engine.statistics import Statistics

__all__ = ["LabelMoney", "Purse", "needed"]

TAG = "annotate"
KNOWN_FROM = 64  # inputs that were labelled: from then on it is known what a label costs
AT_FIRST = 2  # one part in so many of the budget, before that


class Purse(Protocol):
    """What an engine knows of its money."""

    def keep(self, amount: int, *, tag: str) -> None: ...

    def statistics(self) -> Statistics: ...


def needed(*, cap: int, labelled: int, under_way: int, charged: int) -> int:
    """What the labels of the inputs under way will cost, in pico-dollars, at what those so far have cost."""
    return cap // AT_FIRST if labelled < KNOWN_FROM else charged * under_way // labelled


class LabelMoney:
    """Keeps as much for labels as the inputs that are being labelled still need.

    Without it a small budget would go to writing inputs: hundreds are asked for before the first is labelled.
    """

    def __init__(self, purse: Purse) -> None:
        self._purse = purse
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
        tag = figures.by_tag.get(TAG)
        amount = needed(
            cap=figures.cap,
            labelled=self._labelled,
            under_way=self._under_way,
            charged=0 if tag is None else tag.cost + tag.saved,
        )
        self._purse.keep(amount, tag=TAG)
