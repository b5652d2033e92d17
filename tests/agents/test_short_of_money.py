"""Runs that are short of money: told the truth about it, and whoever follows the advice gets the whole soon."""

from __future__ import annotations

import asyncio
import dataclasses
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from agents.config import Configuration, Stages
from agents.parsing.specs import read_spec, write_spec
from agents.pipeline import Made, make_data
from agents.records import Example
from agents.reporting.outlook import Outlook, OutOfMoney
from agents.run_folder import Reread, RunFolder
from engine.errors import BudgetReached
from engine.events import Events
from engine.fakes.server import FakeProvider
from engine.providers.resolve import world_named

DATES = Path(__file__).parents[2] / "agents" / "demo" / "dates" / "prompt.md"
ROWS = 60
FOLLOW_UPS = 4
OF_THIS_PROCESS: dict[str, Any] = {"saved_by_journal": "", "requests": 0, "from_journal": 0}


async def carried(folder: RunFolder, configuration: Configuration) -> Made | OutOfMoney:
    try:
        return await make_data(folder, configuration, withheld=(), events=Events(), on_engine=lambda _: None)
    except OutOfMoney as error:
        return error


def rows_of(ended: Made | OutOfMoney) -> tuple[Example, ...]:
    return ended.synthesis.examples if isinstance(ended, Made) else ()


def error_of(ended: Made | OutOfMoney) -> BaseException | None:
    return ended.error if isinstance(ended, Made) else ended


def followed(path: Path, budget: str, stages: Stages | None = None) -> list[Made | OutOfMoney]:
    """A run, and each time it is short of money what comes of the budget that it says it needs."""
    folder = RunFolder(path / "run")

    async def follow() -> list[Made | OutOfMoney]:
        async with FakeProvider(world_named("dates", seed=0), latency_scale=0) as fake:
            given = Configuration(
                model="openai/dates", base_url=fake.url, price_in="0.25", price_out="2", budget=budget, stages=stages,
                examples=ROWS, train=False,
            )  # fmt: skip
            folder.begin(prompt=DATES.read_text(encoding="utf-8"), configuration=given)
            ended = [await carried(folder, given)]
            while (advice := advised(ended[-1])) is not None:
                ended.append(await carried(folder, folder.with_budget(advice.budget)))
            return ended

    return asyncio.run(follow())


def advised(ended: Made | OutOfMoney) -> Outlook | None:
    """What it takes; nothing where all is made."""
    error = error_of(ended)
    if error is None:
        return None
    assert isinstance(error, OutOfMoney)
    assert error.outlook is not None
    return error.outlook


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Example, ...]:
    """The rows of a run that was never short of money."""
    [whole] = followed(tmp_path_factory.mktemp("whole"), "5")
    return rows_of(whole)


@pytest.mark.parametrize(
    ("budget", "stages"),
    [
        pytest.param("0.000001", None, id="for nothing"),
        pytest.param("0.0011", None, id="for half of the look around"),
        pytest.param("0.003", None, id="for a few rows"),
        pytest.param("0.0044", None, id="for most"),
        pytest.param("0.00455", None, id="for all but the last rows"),
        pytest.param("0.00465", None, id="to the last call"),
        pytest.param("0.02", Stages(at_most={"generate": "0.05"}), id="one may take little"),
        pytest.param("0.02", Stages(at_most={"annotate": "0.06", "retrieve": "0.5"}), id="two may take little"),
        pytest.param("0.006", Stages(kept={"annotate": "0.7"}), id="much is kept for labels"),
        pytest.param("0.006", Stages(kept={"generate": "0.7"}), id="much is kept for inputs"),
        pytest.param("0.004", Stages(at_most={"annotate": "0.3"}, kept={"retrieve": "0.5"}), id="both"),
    ],
)
@pytest.mark.long
def test_who_follows_the_advice_gets_more_rows_each_time_and_soon_the_undisturbed_ones(
    tmp_path: Path, undisturbed: tuple[Example, ...], budget: str, stages: Stages | None
) -> None:
    ended = followed(tmp_path, budget, stages)
    rows = [len(rows_of(each)) for each in ended]

    assert error_of(ended[0]) is not None or rows == [ROWS]
    assert all(fewer < more for fewer, more in pairwise(rows) if fewer < ROWS)
    assert len(ended) <= 1 + FOLLOW_UPS
    assert rows_of(ended[-1]) == undisturbed


@pytest.mark.long
def test_whoever_has_a_part_of_the_budget_that_binds_is_named(tmp_path: Path) -> None:
    short = followed(tmp_path, "0.02", Stages(at_most={"generate": "0.05"}))[0]
    advice = advised(short)

    assert advice is not None
    assert "'generate' has 5% of the budget" in advice.told()
    assert "the share of 'generate', $0.0010 of a budget of $0.02, is reached" in str(error_of(short))


@pytest.mark.long
def test_what_is_told_of_the_money_is_how_it_stands_in_the_end(tmp_path: Path) -> None:
    """At the first refusal calls were in flight, and their money set aside; by the end it was spent, or free again."""
    [short, *_] = followed(tmp_path, "0.0044")

    assert isinstance(short, Made)
    assert isinstance(short.error, BudgetReached)
    assert f"{short.money.spent} spent and {short.money.assumed} assumed" in str(short.error)
    assert short.money.reserved == "$0.00"


@pytest.mark.slow
@pytest.mark.parametrize("budget", [f"0.00{tenths}" for tenths in range(440, 500, 6)])
def test_at_the_end_of_a_budget_a_run_is_the_undisturbed_one_or_says_that_it_is_not(
    tmp_path: Path, undisturbed: tuple[Example, ...], budget: str
) -> None:
    ended = followed(tmp_path, budget)

    assert error_of(ended[0]) is not None or rows_of(ended[0]) == undisturbed
    assert rows_of(ended[-1]) == undisturbed


@pytest.mark.parametrize(
    "kept",
    [
        pytest.param({"retrieve": "0.5"}, id="half"),
        pytest.param({"parse": "1"}, id="all of it, for what asks nothing"),
        pytest.param({"parse": "0.5", "retrieve": "0.5"}, id="all of it, for two"),
    ],
)
@pytest.mark.long
def test_what_is_kept_for_a_stage_is_everybodys_once_it_is_over(
    tmp_path: Path, undisturbed: tuple[Example, ...], kept: dict[str, str]
) -> None:
    [whole] = followed(tmp_path, "0.008", Stages(kept=kept))

    assert rows_of(whole) == undisturbed


@pytest.mark.long
def test_a_run_that_is_read_again_keeps_its_cap_and_needs_no_more_than_before(tmp_path: Path) -> None:
    """For nothing more is asked: what it was charged is all it may spend, and nobody's business but its own."""
    [*_, whole] = followed(tmp_path, "0.003")
    assert isinstance(whole, Made)
    folder = Reread(tmp_path / "run")

    again = asyncio.run(carried(folder, folder.configuration()))

    assert isinstance(again, Made)
    assert rows_of(again) == rows_of(whole)
    assert again.error is None
    assert dataclasses.replace(again.money, **OF_THIS_PROCESS) == dataclasses.replace(whole.money, **OF_THIS_PROCESS)


def test_a_run_that_is_read_again_within_its_cap_wants_no_more_money(tmp_path: Path) -> None:
    """What it lacks there would be there if it only asked: it was interrupted."""
    [whole] = followed(tmp_path, "5")
    spec = RunFolder(tmp_path / "run").spec
    edited = read_spec(spec)
    write_spec(spec, dataclasses.replace(edited, instruction=f"{edited.instruction} Be quick."))
    folder = Reread(tmp_path / "run")

    again = asyncio.run(carried(folder, folder.configuration()))

    assert isinstance(whole, Made)
    assert isinstance(again, OutOfMoney)
    assert again.outlook is None
