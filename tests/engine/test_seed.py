"""The seed: what its procedures make, that they stay clear of what it is judged by, and that it brings something."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.training import Row, read_card, train
from engine.training.seed import (
    choosing,
    copying,
    dating,
    extracting,
    lettering,
    looking_up,
    numbering,
    permuting,
    records,
    shaping,
)
from engine.training.seed.material import Maker
from engine.training.seed.numbering import in_words
from engine.training.seed.pretraining import Plan
from engine.training.seed.shipped import SHIPPED, keep_seed, plant, read_seed_card
from engine.training.seed.tasks import HELD_OUT, PROCEDURES, TASKS_OF_EACH, Task, draw, maker_of, rows_of, trained_tasks
from engine.training.tiny import RECIPE, SCRATCH, new_model

DEMO = Path(__file__).parents[2] / "agents" / "demo"
ISO = re.compile(r"\d{4}-\d\d-\d\d")
ENGLISH_MONTHS = {
    "january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
    "december",
}  # fmt: skip


def made_by(maker: Maker, count: int = 15) -> list[Row]:
    return [maker(Random(number)) for number in range(count)]


def every_row(count: int) -> list[Row]:
    """So many rows of each task, those held out too."""
    return [
        row
        for name in PROCEDURES
        for number in range(TASKS_OF_EACH)
        for row in made_by(maker_of(Task(name, number)), count)
    ]


def test_there_are_many_procedures_and_each_says_what_it_does() -> None:
    assert len(PROCEDURES) >= 150
    assert all(procedure.__doc__ for procedure in PROCEDURES.values())
    assert set(HELD_OUT) < set(PROCEDURES)
    assert not {task.procedure for task in trained_tasks()} & set(HELD_OUT)


@pytest.mark.parametrize("name", PROCEDURES)
def test_a_procedure_depends_on_its_chance_alone_and_fits_the_longest_input(name: str) -> None:
    for number in range(TASKS_OF_EACH):
        rows = made_by(maker_of(Task(name, number)))

        assert rows == made_by(maker_of(Task(name, number)))
        assert all(0 < len(row.output.encode()) < RECIPE.longest_output for row in rows)
        assert all(0 < len(row.input.encode()) < RECIPE.longest_input for row in rows)


def test_no_row_of_a_demo_and_no_date_in_iso_form_is_ever_made() -> None:
    lines = [line for file in DEMO.glob("*/test.jsonl") for line in file.read_text(encoding="utf-8").splitlines()]
    demo = {json.loads(line)["input"] for line in lines}
    rows = every_row(6)

    assert len(demo) > 1500
    assert not demo & {row.input for row in rows}
    assert not [row for row in rows if ISO.search(row.output) or ISO.search(row.input)]


def test_no_month_is_named_in_english() -> None:
    named = {name.lower() for names in dating.MONTHS.values() for name in names.split()}

    assert not named & (ENGLISH_MONTHS | {month[:3] for month in ENGLISH_MONTHS})


@pytest.mark.parametrize(
    ("procedure", "right"),
    [
        (copying.copy, lambda text: text),
        (copying.reversed_words, lambda text: " ".join(reversed(text.split()))),
        (copying.reversed_letters, lambda text: "".join(reversed(text))),
        (shaping.upper, str.upper),
        (shaping.without_spaces, lambda text: "".join(text.split())),
        (shaping.camel, lambda text: re.sub(" (.)", lambda found: found[1].upper(), text)),
        (choosing.largest_number, lambda text: str(max(int(one) for one in text.split()))),
        (choosing.number_of_words, lambda text: str(text.count(" ") + 1)),
        (choosing.words_once, lambda text: " ".join(sorted(set(text.split()), key=text.split().index))),
        (lettering.doubles_made_single, lambda text: re.sub(r"(.)\1", r"\1", text)),
        (numbering.digits_summed, lambda text: str(sum(int(one) for one in text))),
        (permuting.surname_last, lambda text: " ".join(reversed(text.split(", ")))),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_simple_procedures_are_right(procedure: object, right: object) -> None:
    rows = made_by(procedure(Random(0)))  # type: ignore[operator]  # the table above mixes functions of two kinds

    assert [row.output for row in rows] == [right(row.input) for row in rows]  # type: ignore[operator]


def test_what_is_asked_for_stands_where_the_question_points() -> None:
    for row in made_by(records.json_field_asked(Random(1))):
        key, _, record = row.input.partition("\n")
        assert json.loads(record)[key] == row.output
    for row in made_by(looking_up.word_behind(Random(0))):
        asked, *_mark = re.split(r"( : |\n| \| | \? )", row.input, maxsplit=1)
        assert f"{asked} {row.output}" in row.input


def test_what_is_found_stands_in_the_text_and_nothing_is_said_where_nothing_is() -> None:
    rows = made_by(extracting.users_of_mails(Random(5)), 100)
    answers = {row.output for row in rows if "@" not in row.input}

    assert len(answers) == 1
    for row in rows:
        if "@" in row.input:
            assert re.findall(r"(\S+)@", row.input)[0] in row.output


@pytest.mark.parametrize(
    ("value", "language", "told"),
    [
        (0, "English", "zero"),
        (17, "Turkish", "on yedi"),
        (21, "German", "einundzwanzig"),
        (42, "English", "forty-two"),
        (100, "French", "cent"),
        (305, "Swedish", "trehundrafem"),
        (1234, "German", "tausendzweihundertvierunddreißig"),
        (58, "Chinese", "五十八"),
        (71, "French", "septante et un"),
        (28, "Italian", "ventotto"),
        (23, "Dutch", "drieëntwintig"),
    ],
)
def test_numbers_in_words(value: int, language: str, told: str) -> None:
    assert in_words(value, language) == told


def test_letters_sound_as_unicode_names_them() -> None:
    sounds = {
        "сон": "son",
        "שלום": "shlvm",
        "카": "ka",
        "カー": "kaー",
        "слово": "slovo",
        "θυν": "thyn",
        "كتاب": "ktab",
    }

    assert {text: lettering.romanised(text) for text in sounds} == sounds


def test_times_are_right() -> None:
    for row in made_by(dating.duration_in_minutes(Random(0))):
        hours, minutes = map(int, re.findall(r"\d+", row.input))
        assert int(row.output) == 60 * hours + minutes


@given(st.integers(0, 5), st.integers(1, 50))
@settings(max_examples=20, deadline=None)
def test_what_is_drawn_depends_on_the_chance_alone(seed: int, count: int) -> None:
    makers = [maker_of(task) for task in trained_tasks()[:20]]

    drawn = draw(makers, count=count, chance=Random(seed))

    assert drawn == draw(makers, count=count, chance=Random(seed))
    assert len(drawn) == count


def test_rows_to_judge_by_have_different_inputs() -> None:
    rows = rows_of(Task("surname_first", 0), count=100, seed=0)

    assert len({row.input for row in rows}) == 100
    assert rows == rows_of(Task("surname_first", 0), count=100, seed=0)


def test_the_learning_rate_is_level_and_then_comes_down() -> None:
    plan = Plan(steps=10_000)

    assert plan.learning_rate(0) < 0.01
    assert plan.learning_rate(300) == plan.learning_rate(7_999) == 1
    assert plan.learning_rate(9_000) == pytest.approx(0.5)
    assert plan.learning_rate(10_000) == 0
    assert Plan(steps=20_000).learning_rate(7_999) == plan.learning_rate(7_999)


def test_what_ships_is_what_its_card_says() -> None:
    """Changed procedures make another seed: then it is to be made again."""
    card = read_seed_card(SHIPPED)
    weights = (SHIPPED / "seed.safetensors").read_bytes()

    assert hashlib.sha256(weights).hexdigest() == card.sha256
    assert 500_000 < len(weights) < 6_000_000
    assert list(card.procedures) == [name for name in PROCEDURES if name not in HELD_OUT]
    assert tuple(card.held_out) == HELD_OUT
    assert card.tasks_of_each == TASKS_OF_EACH


@pytest.mark.parametrize("base", ["nowhere", "."])
def test_a_folder_without_a_seed_is_one_line(base: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no seed for 'tiny'") as raised:
        read_seed_card(tmp_path / base)

    assert "\n" not in str(raised.value)


# From here on models are made, and trained for moments.


@pytest.mark.long
def test_a_seed_that_is_kept_comes_back(tmp_path: Path) -> None:
    from torch import allclose

    one, two = new_model(seed=1, width=32), new_model(seed=2, width=32)

    card = keep_seed(one, read_seed_card(SHIPPED), tmp_path)
    plant(two, tmp_path)

    assert read_seed_card(tmp_path) == card
    assert card.sha256 == hashlib.sha256((tmp_path / "seed.safetensors").read_bytes()).hexdigest()
    pairs = zip(one.parameters(), two.parameters(), strict=True)
    assert all(allclose(first, second, atol=1e-2) for first, second in pairs)


@pytest.mark.long
def test_a_damaged_seed_is_one_line(tmp_path: Path) -> None:
    keep_seed(new_model(seed=1, width=32), read_seed_card(SHIPPED), tmp_path)
    (tmp_path / "seed.safetensors").write_bytes(b"nothing")

    with pytest.raises(UserError, match="is damaged"):
        plant(new_model(seed=1, width=32), tmp_path)


@pytest.mark.slow
def test_a_seed_that_was_stopped_ends_as_one_that_never_was(tmp_path: Path) -> None:
    """A state is kept while the rate is level, and a plan of more steps goes the same way up to there."""
    from engine.training.seed.pretraining import pretrain

    whole, stopped = (new_model(seed=0, width=16, dropout=0.0) for _ in range(2))
    pretrain(whole, Plan(steps=24, width=16, batch=4), tell=lambda _: None)
    pretrain(stopped, Plan(steps=20, width=16, batch=4), folder=tmp_path, between_states=8, tell=lambda _: None)
    again = new_model(seed=0, width=16, dropout=0.0)
    pretrain(again, Plan(steps=24, width=16, batch=4), folder=tmp_path, tell=lambda _: None)

    assert [one.tolist() for one in again.parameters()] == [one.tolist() for one in whole.parameters()]
    assert [one.tolist() for one in stopped.parameters()] != [one.tolist() for one in whole.parameters()]


@pytest.mark.slow
def test_from_the_seed_it_learns_what_it_does_not_from_scratch(tmp_path: Path) -> None:
    """A procedure that the seed has never seen, 20 rows, the same 200 steps for both."""
    rows = rows_of(Task("surname_first", 0), count=70, seed=2)

    right = {}
    for base in (SCRATCH, None):
        where = tmp_path / (base or "seed")
        student = train("tiny", rows[:20], [], where, base=base, threads=1, dials={"batch": 2})
        answers = student.predict([row.input for row in rows[20:]])
        right[base] = sum(one.output == row.output for one, row in zip(answers, rows[20:], strict=True))

    assert right[None] > right[SCRATCH] + 25
    assert (read_card(tmp_path / "seed").base or "").startswith("the seed ")
    assert read_card(tmp_path / "scratch").base is None
