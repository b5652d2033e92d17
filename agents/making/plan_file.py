"""`plan.json`: what inputs shall differ in, who writes them, which shares of answers and of hard cases are wanted.

    {
      "axes": {"who writes": ["a student in a hurry", "a lawyer"], "mood": ["angry", "calm"]},
      "shares": {"N/A": 0.4},
      "hard": {"share": 0.1, "cases": ["nothing", "long"]}
    }

It is for reading and for editing. Without shares, those of `agents.making.plan` hold: equal ones for labels, for
nothing to find what the demonstrations show. Without hard cases none are asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import orjson

from agents.asks import Asks
from agents.making.axes import Axis, propose_axes
from agents.making.hard_cases import ALL_CASES, NO_CASES, USUAL_SHARE, Hard, cases_for
from agents.making.plan import make_plan
from agents.records import Spec
from agents.run_folder import write_whole
from engine.errors import UserError

__all__ = ["Plan", "plan_for", "read_plan", "write_plan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What inputs shall differ in, the share (0 to 1) of rows that each named answer shall get, and the hard cases."""

    axes: tuple[Axis, ...] = ()
    shares: Mapping[str, float] = field(default_factory=dict)
    hard: Hard = NO_CASES


async def plan_for(asks: Asks, spec: Spec, path: Path) -> Plan:
    """The plan that is written down there; where none is, the teacher is asked, and its plan written down."""
    if path.exists():  # noqa: ASYNC240  # a look at the run's own folder, where the next question takes seconds
        return read_plan(path, spec)
    hard = Hard(share=USUAL_SHARE, cases=cases_for(spec))
    plan = Plan(axes=await propose_axes(asks, spec), shares=shares_of(spec), hard=hard)
    write_plan(path, plan)
    return plan


def shares_of(spec: Spec) -> dict[str, float]:
    """The shares that a spec calls for, of the answers that it names."""
    wanted = ((quota.target, quota.share) for quota in make_plan(spec))
    return {target.answer: round(share, 4) for target, share in wanted if target is not None and not target.negated}


def write_plan(path: Path, plan: Plan) -> None:
    """Write a plan down, whole or not at all."""
    table = {
        "axes": {axis.name: axis.values for axis in plan.axes},
        "shares": dict(plan.shares),
        "hard": {"share": plan.hard.share, "cases": plan.hard.cases},
    }
    write_whole(path, orjson.dumps(table, option=orjson.OPT_INDENT_2) + b"\n")


def read_plan(path: Path, spec: Spec) -> Plan:
    """Read a plan, edited perhaps. Raises UserError for what is none, or does not fit the spec."""
    try:
        table = orjson.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read as JSON ({error}); delete it to have it made anew") from error
    if not isinstance(table, dict) or set(table) - {"axes", "shares", "hard"}:
        raise UserError(f'{path}: a plan is a JSON object with "axes", "shares" and "hard", and nothing else')
    return Plan(
        axes=_axes(table.get("axes", {}), path),
        shares=_shares(table.get("shares", {}), spec, path),
        hard=_hard(table.get("hard", {}), path),
    )


def _axes(table: object, path: Path) -> tuple[Axis, ...]:
    if not isinstance(table, dict) or not all(map(_are_values, table.values())):
        raise UserError(f"{path}: 'axes' is an object that gives each axis a list of one or more values, each a line")
    return tuple(Axis(name, tuple(values)) for name, values in table.items())


def _are_values(values: object) -> bool:
    if not isinstance(values, list) or not values:
        return False
    return all(isinstance(value, str) and value.strip() and not set(value) & set(";\n") for value in values)


def _shares(table: object, spec: Spec, path: Path) -> dict[str, float]:
    known = spec.labels or tuple(filter(None, [spec.empty_answer]))
    if not isinstance(table, dict) or not all(_is_share(share) for share in table.values()):
        raise UserError(f"{path}: 'shares' is an object that gives answers a number, 0 or more")
    if unknown := [answer for answer in table if answer not in known]:
        there_are = ", ".join(known) or "none"
        raise UserError(f"{path}: {unknown[0]!r:.80} is no answer that can have a share; there are: {there_are}")
    if not spec.labels and sum(table.values()) > 1:
        raise UserError(f"{path}: the share of {spec.empty_answer!r:.80} is above 1")
    if spec.labels and table and not sum(table.values()):
        raise UserError(f"{path}: all shares are 0; at least one answer must be wanted")
    return {answer: float(share) for answer, share in table.items()}


def _hard(table: object, path: Path) -> Hard:
    if not isinstance(table, dict) or set(table) - {"share", "cases"}:
        raise UserError(f'{path}: \'hard\' is an object with a "share" of the rows and a list of "cases"')
    share, cases = table.get("share", 0), table.get("cases", [])
    if not _is_share(share) or share > 1:
        raise UserError(f"{path}: the share of hard cases is a number from 0 to 1 (got {share!r:.40})")
    if not isinstance(cases, list) or not all(isinstance(case, str) and case in ALL_CASES for case in cases):
        raise UserError(f"{path}: the hard cases are some of {', '.join(ALL_CASES)} (got {cases!r:.80})")
    return Hard(share=float(share), cases=tuple(dict.fromkeys(cases)))


def _is_share(share: object) -> bool:
    return isinstance(share, int | float) and not isinstance(share, bool) and 0 <= share < float("inf")
