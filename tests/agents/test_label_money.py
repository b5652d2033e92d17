"""A small budget buys rows: money for labels is kept back while inputs are under way."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.making.label_money import AT_FIRST, KNOWN_FROM, LabelMoney, needed
from agents.making.synthesize import Settings, Synthesis, synthesize
from agents.parsing.parse import parse
from engine import Budget, Engine, Events, Request, Statistics
from engine.fakes import virtual_time

DATES = Path(__file__).parents[2] / "agents" / "demo" / "dates" / "prompt.md"


@given(
    cap=st.integers(0, 10**15), labelled=st.integers(0, 10**5), under_way=st.integers(0, 10**4), share=st.floats(0, 1)
)
def test_what_is_kept_is_what_labels_have_cost_so_far(cap: int, labelled: int, under_way: int, share: float) -> None:
    charged = int(cap * share)

    kept = needed(cap=cap, labelled=labelled, under_way=under_way, charged=charged)

    if labelled < KNOWN_FROM:
        assert kept == cap // AT_FIRST["annotate"]
    else:
        assert kept * labelled <= charged * under_way < (kept + 1) * labelled


def made_for(usd: str, *, thrifty: bool) -> tuple[Synthesis, Statistics]:
    """Rows for so much, of thousands that are wanted."""
    spec = parse(DATES.read_text(encoding="utf-8"))

    async def main() -> tuple[Synthesis, Statistics]:
        async with Engine("simulated/dates", budget=Budget(usd)) as engine:
            made = await synthesize(
                engine, spec, settings=Settings(examples=4000), events=Events(), purse=engine if thrifty else None
            )
            return made, engine.statistics()

    return virtual_time.run(main())


@pytest.mark.long
def test_a_budget_for_a_few_rows_of_many_brings_rows_and_not_only_inputs() -> None:
    spendthrift, _ = made_for("0.05", thrifty=False)
    thrifty, figures = made_for("0.05", thrifty=True)

    assert len(thrifty.examples) > 1.05 * len(spendthrift.examples)
    assert figures.cap is not None
    assert figures.spent + figures.assumed >= 0.97 * figures.cap


def test_without_a_cap_nothing_is_kept() -> None:
    class Free:
        def __init__(self, figures: Statistics) -> None:
            self.figures = figures

        def keep(self, amount: int, *, tag: str) -> None:
            raise AssertionError((amount, tag))

        def statistics(self) -> Statistics:
            return self.figures

    async def main() -> Statistics:
        async with Engine("simulated/dates", budget=Budget(1)) as engine:
            await engine.ask(Request.user("a", tag="annotate"))
            return engine.statistics()

    with LabelMoney(Free(dataclasses.replace(virtual_time.run(main()), cap=None))).labelling(3):
        pass
