"""Figures in few words: times, counts, what was saved and what stages have."""

from __future__ import annotations

from collections.abc import Mapping

from engine.prices import dollars
from engine.statistics import Statistics
from engine.text import clean

__all__ = ["clock_time", "count", "held_up_by", "rejections", "savings_told", "shares_told"]


def savings_told(figures: Statistics) -> str:
    """As in "saved $0.12 by the journal, $0.03 by n-sampling, $0.20 by the prompt cache (61 % of the input)".

    Nothing when nothing was saved.
    """
    saved = [
        (figures.saved_by_journal, "by the journal"),
        (figures.saved_by_sampling, "by n-sampling"),
        (figures.saved_by_cache, f"by the prompt cache ({figures.cached_share:.0%} of the input)".replace("%", " %")),
    ]
    told = ", ".join(f"{dollars(amount)} {how}" for amount, how in saved if amount > 0)
    return f"saved {told}" if told else ""


def shares_told(figures: Statistics) -> str:
    """The stages that have parts of the budget: "generate $0.30 of $0.35, annotate $0.05 (kept: $0.20)"."""
    told = []
    for stage, share in figures.shares.items():
        most = "" if share.at_most is None else f" of {dollars(share.at_most)}"
        kept = f" (kept: {dollars(share.kept)})" if share.kept else ""
        told.append(f"{clean(stage, 20)} {dollars(share.charged)}{most}{kept}")
    return ", ".join(told)


def clock_time(seconds: float) -> str:
    """0:07, 12:34, 3:04:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


_HELD_UP: Mapping[str, str] = {
    "provider weather": "the provider has trouble",
    "concurrency": "all slots taken",
    "money": "waiting for money",
    "batches": "waiting for batches",
    "CPU": "limited by this computer",
    "slow consumer": "results are taken slowly",
    "straggler": "waiting for a straggler",
    "lack of work": "nothing waits",
}


def held_up_by(binding: str) -> str:
    """What holds the next request up, as engine.statistics names it: "limited by output tokens", "nothing waits"."""
    return _HELD_UP.get(binding, f"limited by {binding}")


def count(number: int) -> str:
    """1,234,567."""
    return f"{number:,}"


def rejections(reasons: Mapping[str, int]) -> str:
    """Reasons with their counts, the most frequent first, then by name: "duplicate 31, format 12"."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{clean(reason, 30)} {count(times)}" for reason, times in ordered)
