"""The plan as a file: proposed once, edited by hand, and refused where it cannot be meant."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from agents.making.axes import Axis
from agents.making.hard_cases import Hard
from agents.making.plan import Quota, Target, make_plan
from agents.making.plan_file import Plan, plan_for, read_plan, write_plan
from agents.records import Pair, Spec
from engine.errors import UserError
from engine.fakes import virtual_time
from engine.messages import Reply, Request, Usage

DATES = Spec(
    instruction="Find the date.",
    demonstrations=(Pair("5 May 2020", "2020-05-05"), Pair("soon", "N/A")),
    empty_answer="N/A",
)
LABELS = Spec(instruction="Route it.", kind="classification", labels=("card", "cash", "other"))


class Proposes:
    """Always says the same axes, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    async def ask(self, request: Request) -> Reply:
        self.asked += 1
        text = '{"mood": ["angry", "calm"]}'
        return Reply(texts=(text,), finish_reasons=("stop",), usage=Usage(1, 1), model=request.tag)


def test_the_teacher_is_asked_once_and_its_plan_kept(tmp_path: Path) -> None:
    teacher, path = Proposes(), tmp_path / "plan.json"

    plans = [virtual_time.run(plan_for(teacher, DATES, path)) for _ in range(2)]

    assert (
        plans[0]
        == plans[1]
        == Plan(
            axes=(Axis("mood", ("angry", "calm")),),
            shares={"N/A": 0.5},
            hard=Hard(share=0.1, cases=("nothing", "several", "long", "noisy")),
        )
    )
    assert teacher.asked == 1


def test_what_was_edited_counts(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text('{"axes": {}, "shares": {"card": 3, "cash": 1}}')

    plan = virtual_time.run(plan_for(Proposes(), LABELS, path))

    assert plan.axes == ()
    assert make_plan(LABELS, shares=plan.shares) == (Quota(Target("card"), 0.75), Quota(Target("cash"), 0.25))


def test_a_plan_comes_back_as_it_was_written(tmp_path: Path) -> None:
    plan = Plan(axes=(Axis("mood", ("angry", "calm")), Axis("field", ("é", "x"))), shares={"card": 0.5, "other": 0.5})
    plan = replace(plan, hard=Hard(share=0.3, cases=("borderline", "noisy")))

    write_plan(tmp_path / "plan.json", plan)

    assert read_plan(tmp_path / "plan.json", LABELS) == plan


@pytest.mark.parametrize(
    ("share", "quotas"),
    [
        pytest.param(0.4, (Quota(Target("N/A"), 0.4), Quota(Target("N/A", negated=True), 0.6)), id="some"),
        pytest.param(0.0, (Quota(Target("N/A", negated=True), 1.0),), id="none"),
        pytest.param(1.0, (Quota(Target("N/A"), 1.0),), id="all"),
    ],
)
def test_the_share_of_nothing_to_find_may_be_stated(share: float, quotas: tuple[Quota, ...]) -> None:
    assert make_plan(DATES, shares={"N/A": share}) == quotas


@pytest.mark.parametrize(
    ("table", "spec", "says"),
    [
        pytest.param([], LABELS, "JSON object", id="no object"),
        pytest.param({"axis": {}}, LABELS, "nothing else", id="unknown field"),
        pytest.param({"axes": {"mood": "calm"}}, LABELS, "list of one or more", id="no list"),
        pytest.param({"axes": {"mood": []}}, LABELS, "list of one or more", id="no values"),
        pytest.param({"axes": {"mood": ["a; b"]}}, LABELS, "list of one or more", id="two in one"),
        pytest.param({"shares": {"card": -1}}, LABELS, "0 or more", id="below zero"),
        pytest.param({"shares": {"card": True}}, LABELS, "0 or more", id="no number"),
        pytest.param({"shares": {"cheque": 1}}, LABELS, "no answer that can have a share", id="unknown label"),
        pytest.param({"shares": {"card": 0}}, LABELS, "all shares are 0", id="nothing wanted"),
        pytest.param({"shares": {"N/A": 1.5}}, DATES, "above 1", id="too much"),
        pytest.param({"shares": {"2020-05-05": 0.5}}, DATES, "there are: N/A", id="an answer of many"),
        pytest.param({"hard": 0.2}, LABELS, "a list of", id="hard cases that are none"),
        pytest.param({"hard": {"share": 1.5, "cases": ["long"]}}, LABELS, "from 0 to 1", id="more than all"),
        pytest.param({"hard": {"share": 0.1, "cases": ["mean"]}}, LABELS, "some of borderline", id="unknown case"),
        pytest.param({"hard": {"share": 0.1, "cases": [["long"]]}}, LABELS, "some of borderline", id="no case"),
    ],
)
def test_what_cannot_be_meant_is_refused(table: object, spec: Spec, says: str, tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps(table))

    with pytest.raises(UserError, match=says):
        read_plan(path, spec)


def test_a_plan_of_before_hard_cases_asks_for_none(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text('{"axes": {}, "shares": {}}')

    assert read_plan(tmp_path / "plan.json", LABELS).hard.share == 0


def test_what_is_no_json_says_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_text("{")

    with pytest.raises(UserError, match="delete it"):
        read_plan(tmp_path / "plan.json", DATES)
