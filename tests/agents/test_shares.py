"""What is learnt from, what chooses and what judges; and what is odd about rows is said."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.records import Pair
from agents.students.shares import apart_from, oddities, shared_out, split_off
from engine.errors import UserError

INPUTS = st.lists(st.text(max_size=5), min_size=3, max_size=60).filter(lambda inputs: len(set(inputs)) >= 3)


@settings(max_examples=30)
@given(INPUTS, st.integers(0, 9))
def test_every_row_is_in_one_share_and_copies_of_an_input_are_together(inputs: list[str], seed: int) -> None:
    rows = [Pair(text, str(number)) for number, text in enumerate(inputs)]

    shares = split_off(rows, seed=seed)

    parts = (shares.train, shares.validation, shares.test)
    assert sorted(int(row.output) for part in parts for row in part) == list(range(len(rows)))
    assert sum(len({row.input for row in part}) for part in parts) == len(set(inputs))
    assert all(parts)


@pytest.mark.parametrize(
    ("inputs", "aside"),
    [
        pytest.param(3, 1, id="the fewest"),
        pytest.param(10, 1, id="ten"),
        pytest.param(11, 2, id="at least a tenth"),
        pytest.param(1000, 100, id="many"),
    ],
)
def test_a_tenth_chooses_another_judges_and_the_rest_is_learnt(inputs: int, aside: int) -> None:
    shares = split_off([Pair(f"input {n}", "x") for n in range(inputs)], seed=0)

    assert (len(shares.validation), len(shares.test)) == (aside, aside)
    assert len(shares.train) == inputs - 2 * aside


def test_another_seed_draws_other_rows_and_the_order_given_changes_nothing() -> None:
    rows = [Pair(f"input {n}", "x") for n in range(100)]

    assert set(split_off(rows, seed=0).test) == set(split_off(rows[::-1], seed=0).test)
    assert set(split_off(rows, seed=0).test) != set(split_off(rows, seed=1).test)


def test_too_few_inputs_to_share_out_are_one_line() -> None:
    with pytest.raises(UserError, match=r"^the rows: 2 different inputs are too few"):
        split_off([Pair("a", "x"), Pair("b", "y"), Pair("a", "x")], seed=0)


def test_near_copies_of_an_input_are_in_one_share() -> None:
    words = [
        f"{one} {two} in the {three}"
        for one in ("dog", "cat")
        for two in ("sleeps", "eats", "hides")
        for three in ("old barn", "hall")
    ]
    rows = [Pair(text, "x") for word in words for text in (word, f"{word.upper()}!", f"  {word}.")]

    shares = split_off(rows, seed=3)

    for part in (shares.train, shares.validation, shares.test):
        texts = {row.input.strip(" .!").casefold() for row in part}
        assert len(part) == 3 * len(texts)
    assert shares.test
    assert shares.validation


def test_where_all_inputs_are_nearly_one_they_are_shared_out_all_the_same() -> None:
    shares = split_off([Pair(f"please pay my bill{dots}", "x") for dots in (".", "..", "...", "!", "?")], seed=0)

    assert (len(shares.test), len(shares.validation), len(shares.train)) == (1, 1, 3)


def test_where_others_judge_there_is_no_share_for_that() -> None:
    shares = split_off([Pair("red", "x"), Pair("blue", "y")], seed=0, judged=False)

    assert (len(shares.test), len(shares.validation), len(shares.train)) == (0, 1, 1)
    with pytest.raises(UserError, match="1 different input is too few"):
        split_off([Pair("red", "x")], seed=0, judged=False)


def test_rows_that_are_nearly_rows_to_judge_by_are_taken_out() -> None:
    rows = [
        Pair("Where is my parcel now? I wait.", "track"),
        Pair("pay by card", "pay"),
        Pair("due on 5 March", "date"),
    ]
    judging = [Pair("where is my parcel now? I wait", "track"), Pair("due on 6 March", "date")]

    assert apart_from(rows, judging) == rows[1:]
    assert apart_from(rows, []) == rows


def written(path: Path, rows: Sequence[Pair]) -> Path:
    path.write_text("".join(json.dumps({"input": row.input, "output": row.output}) + "\n" for row in rows), "utf-8")
    return path


def test_of_a_file_what_is_nearly_a_row_that_judges_is_not_learnt_from_and_that_is_said(tmp_path: Path) -> None:
    words = ("apple", "pear", "quince", "plum", "cherry", "grape", "melon", "fig")
    data = written(tmp_path / "a.jsonl", [Pair(f"do you sell {word} trees", word[:1]) for word in words])
    test = written(tmp_path / "t.jsonl", [Pair("Do you sell APPLE trees?", "a")])

    shares, remarks = shared_out(data, test, seed=0)

    assert [row.input for row in shares.test] == ["Do you sell APPLE trees?"]
    assert len(shares.train) + len(shares.validation) == 7
    assert remarks == [f"1 row is left out: nearly a row of {test}"]
    with pytest.raises(UserError, match="every input is nearly one of"):
        shared_out(data, data, seed=0)


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        pytest.param(["x"] * 9, "all 9 rows have the output 'x': add rows with another answer", id="one"),
        pytest.param(["x"] * 9 + ["y"], "left to learn from have the output 'x'; the others are kept aside", id="left"),
    ],
)
def test_rows_with_one_output_are_one_line_that_counts_them(tmp_path: Path, outputs: list[str], said: str) -> None:
    data = written(tmp_path / "a.jsonl", [Pair(f"row {number}", output) for number, output in enumerate(outputs)])

    def shared_out_often() -> None:
        """Until chance keeps the other output aside."""
        for seed in range(30):
            shared_out(data, None, seed=seed)

    with pytest.raises(UserError, match=re.escape(said)):
        shared_out_often()


def test_rows_without_anything_odd_have_nothing_said_of_them() -> None:
    assert oddities([Pair(f"row {n}", "ab"[n % 2]) for n in range(8)]) == []


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        pytest.param(["a", "", " ", "a", "b", "b"], "2 rows have an empty output, which is learnt", id="empty"),
        pytest.param(
            ["Spam", "spam", "spam", "ham", "ham", "ham", "Spam", "spam"],
            "outputs that differ in letter case, blanks or a final stop alone are learnt as different: "
            "'spam' (3) and 'Spam' (2)",
            id="letter case",
        ),
    ],
)  # fmt: skip
def test_what_is_odd_about_outputs_is_said(outputs: list[str], said: str) -> None:
    [told] = oddities([Pair(f"row {n}", output) for n, output in enumerate(outputs)])

    assert told.startswith(said)


def test_texts_that_differ_in_case_are_texts() -> None:
    assert oddities([Pair("a", "Paris"), Pair("b", "paris"), Pair("c", "Rome")]) == []


def test_inputs_with_two_answers_are_said_and_what_they_hold_is_data() -> None:
    rows = [Pair("x\x1b[31m", "a"), Pair("x\x1b[31m", "b"), Pair("y", "a"), Pair("z", "b")]

    [told] = oddities(rows)

    assert told.startswith("1 input has more than one output: 'x")
    assert "\x1b" not in told
