"""What a run was charged, in the words of its report. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from agents.config import SPENDING_STAGES
from agents.reporting.outlook import Outlook, OutOfMoney
from engine import Statistics
from engine.budget import Share
from engine.journal import Totals
from engine.prices import PICO_PER_USD, dollars, in_full
from engine.statistics import ModelStatistics

__all__ = ["NOTHING", "UNSAID", "Money", "StageMoney", "by_stage", "money_of"]

NOTHING = dollars(0)
UNSAID = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class StageMoney:
    """What one stage was charged, by this process and all before it, for so many `calls`: failed ones count too.

    `charged` is what `usd` is in numbers. `at_most` and `kept` are its part of the budget, "-" where it has none.
    """

    stage: str
    calls: int = 0
    charged: str = NOTHING
    assumed: str = NOTHING
    usd: float = 0.0
    at_most: str = UNSAID
    kept: str = UNSAID


@dataclass(frozen=True, slots=True, kw_only=True)
class Money:
    """What the run was charged, as "$0.1234": `spent` is known, `assumed` charged at its bound because nobody knows.

    `saved_by_journal` is what asking again would have cost, `saved_by_sampling` what prompts would have that were paid
    once for several completions, `saved_by_cache` what the provider's cache made cheaper: `cached_share` of the input.
    `stages` are those that asked, `models` were asked, if several. `outlook` says what more money would bring.
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
    stages: tuple[StageMoney, ...] = ()
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
        per_accepted=dollars(charged // accepted) if accepted else UNSAID,
        requests=figures.requests,
        from_journal=figures.from_journal,
        stages=tuple(_part(name, share) for name, share in figures.shares.items()),
        models=tuple(_model(each) for each in figures.by_model) if len(figures.by_model) > 1 else (),
        outlook=error.outlook if isinstance(error, OutOfMoney) else None,
    )


def by_stage(money: Money, totals: Mapping[str, Totals]) -> Money:
    """The same with what each stage came to, which the journal knows once all is written down."""
    parts = {each.stage: each for each in money.stages}
    known = {*totals, *parts}
    names = [*(name for name in SPENDING_STAGES if name in known), *sorted(known - {*SPENDING_STAGES})]
    return replace(money, stages=tuple(_charged(parts.get(name) or StageMoney(stage=name), totals) for name in names))


def _charged(part: StageMoney, totals: Mapping[str, Totals]) -> StageMoney:
    if (total := totals.get(part.stage)) is None:
        return part
    charged = total.spent + total.assumed
    return replace(
        part,
        calls=total.attempts,
        charged=dollars(charged),
        assumed=dollars(total.assumed),
        usd=round(charged / PICO_PER_USD, 9),
    )


def _part(name: str, share: Share) -> StageMoney:
    """What a stage may take of the budget."""
    return StageMoney(
        stage=name,
        at_most=UNSAID if share.at_most is None else dollars(share.at_most),
        kept=dollars(share.kept) if share.kept else UNSAID,
    )


def _model(figures: ModelStatistics) -> dict[str, str]:
    return {
        "model": figures.model,
        "standing": figures.standing,
        "replies": f"{figures.replies:,}",
        "from_journal": f"{figures.from_journal:,}",
        "charged": dollars(figures.cost),
    }
