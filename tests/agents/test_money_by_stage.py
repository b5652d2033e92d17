"""What each stage cost, as the journal has it, beside what it took."""

from __future__ import annotations

import dataclasses

import orjson

from agents.reporting.charts import charts_of
from agents.reporting.money import StageMoney, by_stage
from agents.reporting.report import as_json
from agents.reporting.stage_lines import stage_lines
from engine.journal import Totals
from tests.agents.reports import MONEY, report

CENT = 10**10


def test_every_stage_that_asked_has_its_calls_and_its_charge_in_the_order_of_a_run() -> None:
    parts = (StageMoney(stage="judge", kept="$0.20"), StageMoney(stage="generate", at_most="$3.50"))
    totals = {
        "teach": Totals(attempts=1, replies=1, spent=CENT, assumed=0),
        "generate": Totals(attempts=60, replies=58, spent=50 * CENT, assumed=2 * CENT),
        "parse": Totals(attempts=1, replies=1, spent=0, assumed=0),
    }

    told = by_stage(dataclasses.replace(MONEY, stages=parts), totals).stages

    assert told == (
        StageMoney(stage="parse", calls=1),
        StageMoney(stage="generate", calls=60, charged="$0.52", assumed="$0.02", usd=0.52, at_most="$3.50"),
        StageMoney(stage="judge", kept="$0.20"),
        StageMoney(stage="teach", calls=1, charged="$0.01", usd=0.01),
    )


def test_who_asks_in_the_time_of_another_stage_stands_behind_it_and_those_that_ask_nobody_have_no_calls() -> None:
    table = orjson.loads(orjson.dumps(as_json(report())))

    lines = stage_lines(table["money"], table["pace"])

    assert [(each.stage, each.seconds, each.within, each.calls) for each in lines] == [
        ("generate", 200.0, "", 60), ("annotate", None, "generate", 250), ("train", 90.0, "", None),
    ]  # fmt: skip
    assert [each.stage for each in stage_lines(table["money"], None)] == ["generate", "annotate"]


def test_the_charts_have_dollars_and_seconds_by_stage() -> None:
    charts = charts_of(orjson.loads(orjson.dumps(as_json(report()))))

    assert charts["stage-usd"].about == "USD: generate 0.5; annotate 0.75."
    assert charts["stage-seconds"].about == "seconds: generate 200; train 90."
