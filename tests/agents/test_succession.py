"""Another teacher in the middle of a run: nothing said of the one before holds, and what was answered counts."""

from __future__ import annotations

import dataclasses
import tomllib
from pathlib import Path
from typing import Any

import pytest

from agents.config import Configuration
from agents.config_file import checked_options
from agents.models import models_told
from agents.run_folder import RunFolder
from agents.succession import check_asked_alike, succeeded
from engine.errors import UserError
from tests.agents.commands import in_this_process

BEFORE = "openai/a at http://127.0.0.1:1/v1 openai-chat a"
BEGUN = Configuration(
    model="openai/a",
    base_url="http://127.0.0.1:1/v1",
    dialect="vllm",
    price_in="1",
    price_out="2",
    budget="5",
    rpm=600,
    concurrency=4,
    examples=300,
    seed=7,
)


def test_what_was_said_of_the_one_before_is_forgotten_and_the_rest_stays() -> None:
    now = succeeded(BEGUN, {"model": "openai/b", "price_in": "3", "price_out": "4"}, asked=[BEFORE])

    assert now == Configuration(
        model="openai/b", price_in="3", price_out="4", budget="5", examples=300, seed=7, formers=(BEFORE,)
    )
    assert models_told(now) == "openai/b; before: openai/a"


def test_a_run_whose_workers_had_cards_goes_on_with_a_model_that_needs_none_and_in_one_process() -> None:
    begun = Configuration(model="local/a", ray="auto", gpus=0.5)

    assert succeeded(begun, {"model": "openai/b"}, asked=[]).gpus is None
    assert succeeded(begun, {"ray": "none"}, asked=[]).cluster is None


def test_the_same_model_elsewhere_is_another_too() -> None:
    now = succeeded(BEGUN, {"base_url": "http://127.0.0.1:2/v1"}, asked=[BEFORE])

    assert (now.model, now.price, now.rpm, now.formers) == ("openai/a", None, None, (BEFORE,))
    assert models_told(now) == "openai/a"


def test_a_server_more_behind_the_first_is_no_other_teacher() -> None:
    more = ("http://127.0.0.1:1/v1", "http://127.0.0.1:3/v1")

    now = succeeded(BEGUN, {"base_url": more}, asked=[BEFORE])

    assert (now.base_url, now.price, now.rpm, now.formers) == (more, BEGUN.price, 600, None)
    assert succeeded(now, {"base_url": more[::-1]}, asked=[BEFORE]).price is None


def test_another_pace_is_no_other_teacher() -> None:
    now = succeeded(BEGUN, {"rpm": 60}, asked=[BEFORE])

    assert (now.rpm, now.concurrency, now.price, now.formers) == (60, 4, BEGUN.price, None)


def test_who_was_asked_before_is_written_into_the_run_and_read_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    configuration = succeeded(
        BEGUN, {"model": "openai/b"}, asked=[BEFORE, "anthropic/c at https://x/v1 anthropic-messages 1 c"]
    )

    folder.begin(prompt="Say hello", configuration=configuration)

    assert folder.configuration() == configuration
    assert folder.asked() == ()


@pytest.mark.parametrize("told", ["openai/a", ["openai/a"], [1], {}])
def test_formers_that_name_nobody_are_refused(told: object) -> None:
    with pytest.raises(UserError, match="formers"):
        checked_options({"formers": told})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        pytest.param(
            ("--model", "openai/b", "--base-url", "http://127.0.0.1:9/v1"), "no price is known", id="no price"
        ),
        pytest.param(("--model", "openia/b"), "did you mean 'openai'?", id="no such provider"),
        pytest.param(("--base-url", "somewhere"), "write it as https://host/v1", id="no address"),
        pytest.param(
            ("--reparse", "--model", "openai/b"),
            "--reparse asks nobody and pays for nothing; leave out --model",
            id="nobody is asked",
        ),
    ],
)
def test_a_teacher_that_cannot_be_meant_leaves_the_run_as_it_is(
    tmp_path: Path, options: tuple[str, ...], said: str
) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(prompt="Say hello", configuration=BEGUN)

    ran = in_this_process("resume", folder.path, *options)

    assert (ran.code, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert said in ran.err
    assert folder.configuration() == BEGUN


def begun_with(fallback: str = "", **settings: Any) -> Configuration:
    table = tomllib.loads(f"fallback = [{fallback}]") if fallback else {}
    return Configuration(**(dataclasses.asdict(BEGUN) | checked_options(table) | settings))


ALIKE = '{ model = "openai/b", base_url = "http://127.0.0.1:2/v1" }'
WITHOUT_TEMPERATURE = '{ model = "anthropic/b", base_url = "http://127.0.0.1:2", dialect = "anthropic-2026-10-21" }'


@pytest.mark.parametrize("settings", [{}, {"sampled_votes": True}])
def test_a_fall_back_that_is_asked_alike_may_join_a_run(settings: dict[str, Any]) -> None:
    check_asked_alike(begun_with(**settings), begun_with(ALIKE, **settings))


def test_a_fall_back_that_would_change_what_the_run_asks_is_refused_by_name() -> None:
    with pytest.raises(UserError, match="anthropic/b cannot be asked as this run has asked") as caught:
        check_asked_alike(begun_with(), begun_with(f"{ALIKE}, {WITHOUT_TEMPERATURE}"))

    assert "openai/b" not in str(caught.value)


def test_another_teacher_is_asked_in_its_own_way_whoever_falls_back() -> None:
    check_asked_alike(begun_with(), begun_with(WITHOUT_TEMPERATURE, model="openai/c"))


def test_a_run_that_began_so_goes_on_so() -> None:
    check_asked_alike(begun_with(WITHOUT_TEMPERATURE), begun_with(f"{ALIKE}, {WITHOUT_TEMPERATURE}"))


def test_a_judge_that_was_held_to_a_schema_is_not_followed_by_one_that_cannot_be() -> None:
    """What it is asked would read otherwise, and every verdict be paid for again."""
    told = '{ model = "openai/b", base_url = "http://127.0.0.1:2/v1", dialect = "groq" }'

    check_asked_alike(begun_with(sampled_votes=False), begun_with(told))
    with pytest.raises(UserError, match="openai/b cannot be asked as this run has asked"):
        check_asked_alike(begun_with(judge=True), begun_with(told, judge=True))
