"""The student `linear`: learns labels, comes back the same, refuses what cannot teach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.training import FAMILIES, Row, load, read_card, train
from engine.training.linear import ANALYSERS, C

ROWS = [
    *(Row(f"where is my parcel number {i}", "delivery") for i in range(8)),
    *(Row(f"I want {i} euros back", "refund") for i in range(8)),
    *(Row(f"包裹 {i} 在哪里", "配送") for i in range(8)),
]
INPUTS = ["my parcel?", "give the euros back", "包裹呢", "", "!"]


def test_it_learns_labels_in_any_script(tmp_path: Path) -> None:
    student = train("linear", ROWS, ROWS[::5], tmp_path / "student")

    assert [one.output for one in student.predict(INPUTS)[:3]] == ["delivery", "refund", "配送"]
    assert all(1 / 3 <= one.confidence <= 1 for one in student.predict(INPUTS))
    assert all(one.alternatives[0] == (one.output, one.confidence) for one in student.predict(INPUTS))
    assert student.predict([]) == []


def test_it_comes_back_from_its_folder_the_same(tmp_path: Path) -> None:
    student = train("linear", ROWS, [], tmp_path / "student")

    assert load(tmp_path / "student").predict(INPUTS) == student.predict(INPUTS)


def test_what_comes_back_is_what_scikit_learn_made(tmp_path: Path) -> None:
    import numpy as np
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    by_hand = make_pipeline(
        make_union(*(TfidfVectorizer(**settings, dtype=np.float32) for settings in ANALYSERS.values())),
        LogisticRegression(C=C, max_iter=500, tol=1e-3),
    ).fit([row.input for row in ROWS], [row.output for row in ROWS])

    found = train("linear", ROWS, [], tmp_path / "student").predict(INPUTS)

    assert [one.output for one in found] == by_hand.predict(INPUTS).tolist()
    assert [one.confidence for one in found] == pytest.approx(
        by_hand.predict_proba(INPUTS).max(axis=1).tolist(), abs=1e-4
    )


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        train("linear", ROWS, [], tmp_path / name)

    for file in ("model.safetensors", "vocabulary.json", "student.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_the_folder_holds_arrays_and_names_only(tmp_path: Path) -> None:
    train("linear", ROWS, ROWS[:4], tmp_path / "student", task={"prompt": "Route the message."})

    assert {file.name for file in (tmp_path / "student").iterdir()} == {
        "model.safetensors",
        "student.json",
        "vocabulary.json",
    }
    card = read_card(tmp_path / "student")
    assert card.family == "linear"
    assert card.sizes["labels"] == 3
    assert card.metrics["validation_exact_match"] == 1.0
    assert card.task == {"prompt": "Route the message."}


def test_a_student_takes_the_place_of_an_older_one(tmp_path: Path) -> None:
    train("linear", ROWS, [], tmp_path / "student")
    train("linear", [Row("yes", "1"), Row("no", "0")], [], tmp_path / "student")

    assert load(tmp_path / "student").predict(["yes"])[0].output == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


def test_a_folder_with_anything_else_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")

    with pytest.raises(UserError, match="no student; choose another folder"):
        train("linear", ROWS, [], tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("rows", "says"),
    [
        pytest.param([], "at least 2 rows .*got 0", id="none"),
        pytest.param(ROWS[:1], "at least 2 rows .*got 1", id="one"),
        pytest.param(ROWS[:8], "all 8 rows have the output 'delivery'", id="one-label"),
        pytest.param([Row("a", ""), Row("b", "")], "all 2 rows have the output ''", id="empty-outputs"),
    ],
)
def test_rows_that_cannot_teach_are_one_line_and_nothing_is_written(
    family: str, rows: list[Row], says: str, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=says) as raised:
        train(family, rows, [], tmp_path / "student")

    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_inputs_without_a_word_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no input holds a single letter or digit"):
        train("linear", [Row("!", "a"), Row("?", "b")], [], tmp_path / "student")

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"time_limit_s": 0.0}])
def test_conditions_that_mean_nothing_are_one_line(wrong: dict[str, int], tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must be"):
        train("linear", ROWS, [], tmp_path / "student", **wrong)  # type: ignore[arg-type]


def test_an_unknown_family_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'huge'; there are .*linear, seq2seq, tiny"):
        train("huge", ROWS, [], tmp_path / "student")


@pytest.mark.parametrize(
    ("card", "says"),
    [
        pytest.param(None, "student.json cannot be read there", id="absent"),
        pytest.param("{", "damaged or not ours", id="cut"),
        pytest.param("[1]", "damaged or not ours", id="no-object"),
        pytest.param('{"model": "gpt"}', "damaged or not ours", id="foreign"),
        pytest.param('{"family": "linear", "format": 99}', "format 99", id="newer"),
        pytest.param('{"family": "huge", "format": 1}', "unknown student family", id="family"),
        pytest.param('{"family": "linear", "format": 1}', "damaged student", id="no-weights"),
    ],
)
def test_a_folder_that_is_no_student_is_one_line(card: str | None, says: str, tmp_path: Path) -> None:
    if card is not None:
        (tmp_path / "student.json").write_text(card)

    with pytest.raises(UserError, match=says) as raised:
        load(tmp_path)

    assert "\n" not in str(raised.value)


def test_damaged_weights_are_one_line(tmp_path: Path) -> None:
    train("linear", ROWS, [], tmp_path / "student")
    weights = tmp_path / "student" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])

    with pytest.raises(UserError, match="damaged student"):
        load(tmp_path / "student")


def test_labels_that_differ_by_case_stay_two_labels(tmp_path: Path) -> None:
    train("linear", [*ROWS, Row("where is DELIVERY", "Delivery")], [], tmp_path / "student")

    labels = json.loads((tmp_path / "student" / "vocabulary.json").read_text(encoding="utf-8"))["labels"]
    assert {"delivery", "Delivery"} < set(labels)


def test_several_labels_an_answer_are_learnt_each_for_itself(tmp_path: Path) -> None:
    rows = [
        *(Row(f"the parcel is late {i}", "delivery") for i in range(8)),
        *(Row(f"I want {i} euros back", "refund") for i in range(8)),
        *(Row(f"{i} days late, and I want my euros back", "delivery, refund") for i in range(8)),
    ]

    student = train("linear", rows, rows[::5], tmp_path / "student")
    answers = student.predict(["is it late", "euros back", "late and want euros back"])

    assert [one.output for one in answers] == ["delivery", "refund", "delivery, refund"]
    assert load(tmp_path / "student").predict(INPUTS) == student.predict(INPUTS)


def test_a_student_of_two_labels_that_was_kept_before_comes_back(tmp_path: Path) -> None:
    """One row of weights, for the second label: what scikit-learn has of two."""
    import numpy as np
    from safetensors.numpy import load_file, save_file

    student = train("linear", ROWS[:16], [], tmp_path / "student")
    weights = tmp_path / "student" / "model.safetensors"
    arrays = load_file(weights)
    former = {**arrays, "weights": arrays["weights"][1:], "bias": arrays["bias"][1:], "classes": np.arange(2)}
    save_file({name: np.ascontiguousarray(array) for name, array in former.items()}, weights)

    assert load(tmp_path / "student").predict(INPUTS) == student.predict(INPUTS)


BANKING = Path(__file__).parents[2].parent / "shared" / "data" / "banking77" / "dev.jsonl"


@pytest.mark.slow
@pytest.mark.skipif(not BANKING.exists(), reason="the third-party data sets are not beside this checkout")
def test_it_learns_77_real_intents(tmp_path: Path) -> None:
    lines = [json.loads(line) for line in BANKING.read_text(encoding="utf-8").splitlines()]
    rows = [Row(line["input"], line["output"]) for line in lines]
    held_out, known = rows[::5], [row for i, row in enumerate(rows) if i % 5]

    student = train("linear", known, [], tmp_path / "student")

    answers = student.predict([row.input for row in held_out])
    right = sum(answer.output == row.output for answer, row in zip(answers, held_out, strict=True))
    assert right / len(held_out) > 0.88
