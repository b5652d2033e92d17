"""What a run was charged, in the words of its report. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from agents.reporting.outlook import Outlook, OutOfMoney
from engine import Statistics
from engine.budget import Share
from engine.prices import dollars, in_full
from engine.statistics import ModelStatistics

__all__ = ["Money", "money_of"]

NOTHING = dollars(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the run was charged, as "$0.1234": `spent` is known, `assumed` charged at its bound because nobody knows.

    `saved_by_journal` is what asking again would have cost, `saved_by_sampling` what prompts would have that were paid
    once for several completions, `saved_by_cache` what the provider's cache made cheaper: `cached_share` of the input.
    `stages` have parts of the budget, `models` were asked, if several. `outlook` says what more money would bring.
    """

    cap: str
    charged: str
    spent: str
    assumed: str
    reserved: str
    saved_by_journal: str
    saved_by_sampling: str
    per_accepted: str
    requests: int
    from_journal: int
    stages: tuple[Mapping[str, str], ...] = ()
    models: tuple[Mapping[str, str], ...] = ()
    outlook: Outlook | None = None
    saved_by_cache: str = NOTHING
    cached_share: float = 0.0

    def told(self) -> str:
        """What was charged, and how much of that is only assumed."""
        return self.charged if self.assumed == NOTHING else f"{self.charged}, {self.assumed} of it assumed"


def money_of(figures: Statistics, *, accepted: int, error: Exception | None = None) -> Money:
    """The ledger of the run, in the words of the report; `error` is what ended it early."""
    charged = figures.spent + figures.assumed
    return Money(
        cap="none" if figures.cap is None else in_full(figures.cap),
        charged=dollars(charged),
        spent=dollars(figures.spent),
        assumed=dollars(figures.assumed),
        reserved=dollars(figures.reserved),
        saved_by_journal=dollars(figures.saved_by_journal),
        saved_by_sampling=dollars(figures.saved_by_sampling),
        saved_by_cache=dollars(figures.saved_by_cache),
        cached_share=round(figures.cached_share, 4),
        per_accepted=dollars(charged // accepted) if accepted else "-",
        requests=figures.requests,
        from_journal=figures.from_journal,
        stages=tuple(_stage(name, share) for name, share in figures.shares.items()),
        models=tuple(_model(each) for each in figures.by_model) if len(figures.by_model) > 1 else (),
        outlook=error.outlook if isinstance(error, OutOfMoney) else None,
    )


def _stage(name: str, share: Share) -> dict[str, str]:
    return {
        "stage": name,
        "charged": dollars(share.charged),
        "at_most": "-" if share.at_most is None else dollars(share.at_most),
        "kept": dollars(share.kept) if share.kept else "-",
    }


def _model(figures: ModelStatistics) -> dict[str, str]:
    return {
        "model": figures.model,
        "standing": figures.standing,
        "replies": f"{figures.replies:,}",
        "from_journal": f"{figures.from_journal:,}",
        "charged": dollars(figures.cost),
    }
