"""Figures in few words: money, times, counts."""

from __future__ import annotations

from collections.abc import Mapping

from engine.prices import PICO_PER_USD
from engine.text import clean

__all__ = ["clock_time", "count", "held_up_by", "money", "rejections"]


def money(pico_dollars: int) -> str:
    """$0.0012, $1.25, $1,250.00: four decimals below a dollar, where a run's money mostly is."""
    dollars = pico_dollars / PICO_PER_USD
    return f"${dollars:,.4f}" if dollars < 1 else f"${dollars:,.2f}"


def clock_time(seconds: float) -> str:
    """0:07, 12:34, 3:04:05."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


_HELD_UP: Mapping[str, str] = {
    "provider weather": "the provider has trouble",
    "concurrency": "all slots taken",
    "money": "waiting for money",
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
