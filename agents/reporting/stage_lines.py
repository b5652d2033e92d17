"""What each stage of a run took and cost, side by side, from what `report.json` holds. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.reporting.money import NOTHING, UNSAID

__all__ = ["StageLine", "stage_lines"]

HOSTS = ("generate", "annotate")
"""Stages in whose time others ask as well: labels and verdicts are asked for while inputs are made, or labelled."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StageLine:
    """A stage: its seconds, or else `within` which stage's time it asked; its calls and what they were charged.

    A stage that asks nobody has no calls. `limits` says what its part of the budget is, if it has one.
    """

    stage: str
    seconds: float | None = None
    within: str = ""
    calls: int | None = None
    charged: str = ""
    assumed: str = ""
    limits: str = ""


def stage_lines(money: Mapping[str, Any], pace: Mapping[str, Any] | None) -> list[StageLine]:
    """The stages in their order; those that asked within another's time stand behind that one."""
    seconds: Mapping[str, float] = {} if pace is None else pace["stages"]
    charged = {each["stage"]: each for each in money["stages"]}
    host = next((name for name in HOSTS if name in seconds), "")
    lines = {name: _line(charged.get(name), stage=name, seconds=took) for name, took in seconds.items()}
    guests = [_line(each, stage=name, within=host) for name, each in charged.items() if name not in seconds]
    before = list(lines).index(host) + 1 if host else len(lines)
    told = list(lines.values())
    return [*told[:before], *guests, *told[before:]]


def _line(money: Mapping[str, Any] | None, *, stage: str, seconds: float | None = None, within: str = "") -> StageLine:
    if money is None:
        return StageLine(stage=stage, seconds=seconds, within=within)
    limits = [f"{money['at_most']} at most"] if money["at_most"] != UNSAID else []
    limits += [f"{money['kept']} kept for it"] if money["kept"] != UNSAID else []
    return StageLine(
        stage=stage,
        seconds=seconds,
        within=within,
        calls=money["calls"],
        charged=money["charged"],
        assumed="" if money["assumed"] == NOTHING else money["assumed"],
        limits=", ".join(limits),
    )
