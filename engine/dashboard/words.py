"""Figures in few words: times, counts, what was saved and what stages have."""

from __future__ import annotations

from collections.abc import Mapping

from engine.dashboard.timing import Left
from engine.dashboard.view import View
from engine.prices import dollars
from engine.statistics import Statistics
from engine.text import clean

__all__ = [
    "clock_time",
    "count",
    "forecast_told",
    "left_told",
    "per_row",
    "rejections",
    "savings_told",
    "shares_told",
    "short_count",
]


_SIZES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


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


def per_row(view: View, figures: Statistics) -> int | None:
    """What an accepted row has cost so far, in pico-dollars; None while there is none, or nothing was charged."""
    charged = figures.spent + figures.assumed
    return charged // view.accepted if view.accepted and charged else None


def forecast_told(view: View, figures: Statistics) -> str:
    """What all rows will have cost at this rate: "about $0.38 for all rows", or where the cap ends it.

    Nothing in a stage that brings no rows, such as a training.
    """
    charged, stage = figures.spent + figures.assumed, view.current
    if stage is None or stage.name != view.rows_of or not stage.total or not charged:
        return ""
    if not 0 < stage.done < stage.total:
        return ""
    whole, unit = charged * stage.total // stage.done, clean(stage.unit, 16) or "of it"
    if figures.cap is not None and whole > figures.cap:
        return f"the cap ends it at about {count(stage.done * figures.cap // charged)} {unit}"
    return f"about {dollars(whole)} for all {unit}"


def left_told(left: Left) -> str:
    """As in "2:50 to 3:40 left", and "3:10 left" where both are the same."""
    low, high = clock_time(left.low), clock_time(left.high)
    return f"{low} left" if low == high else f"{low} to {high} left"


def clock_time(seconds: float) -> str:
    """0:07, 12:34, 3:04:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def count(number: float) -> str:
    """1,234,567."""
    return f"{number:,.0f}"


def short_count(number: float) -> str:
    """9,999, 12.3k, 1.23M: in full up to ten thousand, then three digits that count."""
    if number < 10_000:
        return f"{number:,.0f}"
    # What would be rounded up to a thousand of one letter is one of the next.
    size, letter = next((size, letter) for size, letter in _SIZES if number >= 0.9995 * size)
    return f"{number / size:.3g}{letter}"


def rejections(reasons: Mapping[str, int]) -> str:
    """Reasons with their counts, the most frequent first, then by name: "duplicate 31, format 12"."""
    ordered = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{clean(reason, 30)} {count(times)}" for reason, times in ordered)
