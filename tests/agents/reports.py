"""A report with everything in it, and how a page is taken apart: for all tests of reports."""

from __future__ import annotations

import dataclasses
from html.parser import HTMLParser
from typing import Any

import orjson

from agents.evaluate import (
    Costs,
    GrowthCurve,
    Judged,
    Judgement,
    Origin,
    Point,
    Promise,
    Sample,
    StudentSpeed,
    TeacherCosts,
)
from agents.filtering.variety import Variety
from agents.making.truth import LabelAccuracy
from agents.reading.documents import Coverage
from agents.records import Pair, Spec
from agents.reporting.data_facts import Answer, AxisRows, DataFacts, Stretch
from agents.reporting.money import Money, StageMoney
from agents.reporting.outlook import Outlook
from agents.reporting.pace import Moment, Pace
from agents.reporting.page import render_html
from agents.reporting.report import (
    Choice,
    Report,
    Training,
    as_json,
)
from agents.reporting.shown import Shown
from engine.evaluation import Bin, Calibration, Confusion, Difference, Forecast, LabelScore, Score, Threshold

SPEC = Spec(instruction="Name the city.", demonstrations=(Pair("The tower of Pisa", "Pisa"),))
MONEY = Money(
    cap="$5.00",
    charged="$1.2500",
    spent="$1.2400",
    assumed="$0.0100",
    reserved="$0.00",
    saved_by_journal="$0.0300",
    saved_by_sampling="$0.0400",
    per_accepted="$0.0125",
    requests=310,
    from_journal=4,
    stages=(
        StageMoney(stage="generate", calls=60, charged="$0.50", usd=0.5, at_most="$3.50"),
        StageMoney(stage="annotate", calls=250, charged="$0.7500", assumed="$0.0100", usd=0.75, kept="$0.20"),
    ),
    outlook=Outlook(usd="0.40", rows=1200, low=1100, high=1300, budget="5.40"),
)
DATA = DataFacts(
    accepted=100,
    rejected={"duplicate": 7},
    splits={"train": 80, "validation": 10, "test": 10},
    answers=2,
    balance=(Answer("Pisa", 60, 1), Answer("N/A", 40, 0)),
    anchors=1,
    variety=Variety(texts=100, distinct_1=0.2, distinct_2=0.6, distinct_3=0.9, nearest=0.3, repeated=0.01),
    coverage=(AxisRows("tone", {"formal": 30, "angry": 0}), AxisRows("hard cases", {"noisy": 12, "none": 88})),
    documents=Coverage(
        documents=3,
        found=41,
        shown=4,
        used=2,
        used_documents=1,
        most=(("<b>guide</b>.md", 100),),
        skipped=("photo.jpg: is of a kind that is not read",),
        unread=1,
    ),
    votes_asked=210,
    votes_saved=90,
    votes_kept=1.0,
    agreement=0.97,
    agreements=(0, 0, 0, 0, 0, 0, 7, 0, 0, 0, 93),
    stop="all 100 rows are made",
    course=(Stretch(2, 0.7, 16, 14, 0.002), Stretch(2, 0.8, 16, 12, 0.003)),
    varied="",
    label_accuracy=LabelAccuracy.of(single=90, voted=98, inputs=100),
    rows=(Shown(input="The arena of Verona", output="Verona", about="request 3, agreement 1.00"),),
    rejects=(Shown(input="Pisa again", output="Pisa", reason="duplicate", detail="nearly there"),),
)


def judged(name: str, value: float) -> Judged:
    low, high = max(0.0, value - 0.05), min(1.0, value + 0.05)
    return Judged(name, (Score("exact match", value, low, high, 200), Score("chrF++", 100 * value, 0.0, 100.0, 200)))


PROMISED = Calibration(
    thresholds=(Threshold(0.9, 0.71, 0.8), Threshold(0.95, 0.9, 0.3)),
    bins=(Bin(0.7, 0.8, 40, 0.75, 0.5), Bin(0.9, 1.0, 160, 0.97, 0.9)),
    error=0.11,
    rows=200,
    on="validation",
)
COSTS = Costs(student=StudentSpeed(0.012, 0.002, 20), teacher=TeacherCosts(0.0004, 1.5, 300))
GROWTH = GrowthCurve(
    family="linear",
    stands_in=True,
    metric="exact match",
    on="test",
    judged=200,
    points=(Point(20, 0.5, 0.4, 0.6), Point(40, 0.6, 0.5, 0.7), Point(80, 0.7, 0.6, 0.8), Point(160, 0.8, 0.7, 0.9)),
    twice=Forecast(320, 0.86, 0.81, 0.9, 0.5),
)


def judgement(on: Origin, value: float, *, rows: int = 200, best: float = 0.2) -> Judgement:
    return Judgement(
        on=on,
        rows=rows,
        student=judged("tiny", value),
        baselines=(judged("majority", best), judged("copy", 0.0), TEACHER),
        labels=(LabelScore.of("Pisa", rows=5, given=4, right=4), LabelScore.of("Rome", rows=0, given=1, right=0)),
        confusion=Confusion(("Pisa", "Rome"), ((4, 1), (0, 0))),
        calibration=PROMISED,
        promises=(Promise(0.9, 0.71, 150, 0.92, 0.86, 0.95),),
        samples=(Sample("in Pisa", "Pisa", "Rome", 0.4, False), Sample("in Rome", "Rome", "Rome", 0.9, True)),
    )


PACE = Pace(
    sittings=2,
    seconds=300.0,
    stages={"generate": 200.0, "train": 90.0},
    bound={"requests": 150.0, "money": 20.0},
    limits_met=4,
    moments=tuple(
        Moment(
            sitting=1 + number // 2, minute=number % 2, minutes=1.0, requests_per_minute=60.0 * number,
            tokens_per_minute=600.0, limits_met=4 * (number == 2), failed=1, in_flight=3.5, allowed=8.0,
            bound_by="money" if number == 3 else "requests",
        )
        for number in range(4)
    ),
)  # fmt: skip
TEACHER = dataclasses.replace(
    judged("teacher, one label", 0.97),
    behind=Difference("exact match", -0.07, -0.1, -0.04, 0.001, 200),
    is_baseline=False,
)
BOTH = (judgement("synthetic", 0.9), judgement("test", 0.8), judgement("demonstrations", 1.0, rows=8))


def report(**changes: Any) -> Report:
    """A report with everything in it, or with what is changed."""
    told: dict[str, Any] = {
        "name": "cities",
        "teacher": "openai/gpt",
        "simulated": False,
        "seed": 3,
        "spec": SPEC,
        "data": DATA,
        "money": MONEY,
        "choice": Choice(
            "tiny",
            "Because it is small.",
            ({"model": "t5", "verdict": "no"},),
            ({"data set": "c4"},),
            "a model of cities",
            ({"round": "1", "student": "t5", "outcome": "out: it broke"},),
        ),
        "training": Training("tiny", 80, 12.5, {"steps": 300}),
        "judgements": BOTH,
        "promised": PROMISED,
        "costs": COSTS,
        "growth": GROWTH,
        "verdict": ("It does well.", "Enough so.", "It was cheap."),
        "trust": "yes",
        "details": ("There is more to say.",),
        "advice": ("Show more.",),
        "pace": PACE,
        "warnings": ("Mind the gap.",),
        "folder": "runs/cities",
        **changes,
    }
    return Report(**told)


class Skeleton(HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, tuple[tuple[str, str | None], ...]]] = []
        self.text = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def page_of(told: Report) -> str:
    return render_html(orjson.loads(orjson.dumps(as_json(told))))


def with_texts(value: Any, text: str) -> Any:
    """The same with `text` in the place of every text, but for what is ours: the names that the code knows."""
    if isinstance(value, str):
        ours = {"synthetic", "test", "demonstrations", "exact match", "chrF++", "yes"}
        return value if value in ours else text
    if isinstance(value, dict):
        return {key: with_texts(item, text) for key, item in value.items()}
    if isinstance(value, list):
        return [with_texts(item, text) for item in value]
    return value
