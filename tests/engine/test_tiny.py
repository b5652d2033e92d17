"""The student `tiny` and what it shares with `seq2seq`: course, bytes, learning, limits, folders."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import TrainingDiverged, UserError
from engine.training import Progress, Row, load, read_card, train
from engine.training.course import Course, learning_rate, steps_for
from engine.training.encoder_decoder import cut
from engine.training.spelling import Bytes
from engine.training.threads import threads_for

SECONDS = st.floats(0, 1000)


@given(st.text())
def test_bytes_give_any_text_back(text: str) -> None:
    tokens = Bytes().encode(text)

    assert tokens[-1] == 1
    assert all(3 <= token < 259 for token in tokens[:-1])
    assert Bytes().decode(tokens) == text


def test_bytes_read_half_a_character_and_a_lone_surrogate() -> None:
    assert Bytes().decode(Bytes().encode("é")[:1]) == ""
    assert Bytes().decode(Bytes().encode("a\ud800")) == "a?"


@given(st.lists(st.integers(), min_size=1, max_size=30), st.integers(1, 30))
def test_a_cut_keeps_the_start_and_the_end_mark(tokens: list[int], longest: int) -> None:
    short = cut(tokens, longest)

    assert len(short) == min(longest, len(tokens))
    assert short[-1] == tokens[-1]
    assert short[:-1] == tokens[: len(short) - 1]


@given(st.floats(0, 1))
def test_the_learning_rate_stays_between_nothing_and_its_peak(fraction: float) -> None:
    assert 0 <= learning_rate(fraction) <= 1


def test_the_learning_rate_warms_up_and_comes_down_to_nothing() -> None:
    assert learning_rate(0) == 0
    assert learning_rate(0.05) > 0.98
    assert learning_rate(0.525) == pytest.approx(0.5, abs=0.05)
    assert learning_rate(1) == pytest.approx(0)


@given(st.lists(SECONDS, min_size=1, max_size=50), st.floats(0.1, 500))
def test_a_course_goes_forward_only_and_is_over_in_time(seconds: list[float], limit: float) -> None:
    course = Course(steps=1000, limit_s=limit)
    seen = [0.0]
    for step, second in enumerate(sorted(seconds), start=1):
        course.step_done(step, seconds=second)
        seen.append(course.fraction)
        assert course.over == (course.fraction >= 1)
        assert course.over or second < limit

    assert seen == sorted(seen)


def test_without_a_limit_a_course_depends_on_steps_alone() -> None:
    course = Course(steps=10)
    course.step_done(5, seconds=1e9)

    assert course.fraction == 0.5
    assert course.steps_expected(5) == 10
    assert course.look_due(seconds=1e9)


def test_under_a_limit_the_steps_expected_follow_the_speed() -> None:
    course = Course(steps=1000, limit_s=100)
    course.step_done(10, seconds=10)

    assert course.steps_expected(10) == pytest.approx(98, abs=1)


def test_looks_are_due_at_each_tenth_once() -> None:
    course = Course(steps=100)
    due = []
    for step in range(1, 101):
        course.step_done(step, seconds=0)
        if course.look_due(seconds=0):
            due.append(step)

    assert due == [10, 20, 30, 40, 50, 60, 70, 80, 90]


@pytest.mark.parametrize("last_looks", [1, 2])
def test_under_a_limit_looking_takes_a_tenth_of_the_time_and_leaves_room_for_the_last_looks(last_looks: int) -> None:
    course = Course(steps=10_000, limit_s=100, last_looks=last_looks)
    seconds, step, looking = 0.0, 0, 0.0
    while not course.over:
        seconds, step = seconds + 0.1, step + 1
        course.step_done(step, seconds=seconds)
        if course.look_due(seconds=seconds):
            seconds, looking = seconds + 5, looking + 5
            course.looked(0.5, took_s=5)

    assert 5 <= looking <= 10
    assert 85 <= seconds + 5 * last_looks <= 100


def test_the_best_moment_is_the_latest_of_the_best() -> None:
    course = Course(steps=100)

    assert [course.looked(score, took_s=0) for score in (0.5, 0.4, 0.5, 0.6)] == [True, False, True, True]
    assert course.best == 0.6


def test_few_rows_are_seen_more_often_but_not_without_end() -> None:
    dials: dict[str, Any] = {"batch": 10, "fewest": 1000, "passes": 5, "most_passes": 50}

    assert steps_for(5, **dials) == 50
    assert steps_for(100, **dials) == 500
    assert steps_for(1000, **dials) == 1000
    assert steps_for(10_000, **dials) == 5000


@pytest.mark.parametrize(
    ("cores", "busy", "most", "threads"), [(2, 0.1, 4, 2), (2, 1.0, 4, 1), (2, 2.0, 4, 1), (64, 10.0, 4, 4)]
)
def test_threads_are_those_that_nobody_uses(cores: int, busy: float, most: int, threads: int) -> None:
    assert threads_for(cores=cores, busy=busy, most=most) == threads


@pytest.mark.parametrize(
    ("set_before", "spins"),
    [({}, "3000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "None")],
    ids=["unset", "own count", "own policy"],
)
def test_threads_spin_briefly_unless_the_user_has_said_otherwise(set_before: dict[str, str], spins: str) -> None:
    code = (
        "import os; from engine.training.threads import spin_briefly; spin_briefly();"
        "print(os.environ.get('GOMP_SPINCOUNT'))"
    )

    told = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(Path(__file__).parents[2])} | set_before,
        capture_output=True,
        text=True,
        check=True,
    )

    assert told.stdout.strip() == spins


@pytest.mark.slow
def test_the_first_loading_of_packages_is_no_part_of_the_time_for_training(tmp_path: Path) -> None:
    """A family is asked to train, and begins to count, when all that it takes is loaded."""
    code = (
        "import sys; from engine import training; from engine.training import tiny\n"
        "tiny.train = lambda lesson, folder: sys.exit(not {'torch', 'transformers', 'sklearn'} <= sys.modules.keys())\n"
        f"training.train('tiny', [training.Row('a', 'b'), training.Row('b', 'a')], [], {str(tmp_path / 's')!r})"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[2])

    assert done.returncode == 0


# From here on models are trained, if only for moments.

LETTERS = "abcdefgh"
ROWS = [Row(f"{a}{b}", a) for a in LETTERS for b in LETTERS]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student that has learnt to give the first letter back, as far as 64 rows take it."""
    folder = tmp_path_factory.mktemp("tiny") / "student"
    train("tiny", ROWS, ROWS[::7], folder, task={"about": "first letters"}, threads=1)
    return folder


@pytest.mark.slow
def test_it_learns_and_comes_back_from_its_folder_the_same(folder: Path) -> None:
    student = load(folder)

    predictions = student.predict([row.input for row in ROWS])

    assert sum(one.output == row.output for one, row in zip(predictions, ROWS, strict=True)) > 50
    assert all(0 <= one.confidence <= 1 for one in predictions)
    assert load(folder).predict(["ab"]) == student.predict(["ab"])
    assert student.predict([]) == []


@pytest.mark.slow
def test_an_input_that_is_not_read_whole_is_answered_without_confidence(folder: Path) -> None:
    """Rows of two bytes and the end mark: twice as long is read."""
    whole, too_long = load(folder).predict(["abcab", "abcabc"])

    assert read_card(folder).sizes["longest_input"] == 6
    assert whole.confidence > 0
    assert not whole.cut
    assert too_long.confidence == 0
    assert too_long.cut


@pytest.mark.slow
def test_one_answer_does_not_depend_on_the_company_it_is_asked_in(folder: Path) -> None:
    student = load(folder)
    alone = [student.predict([text])[0] for text in ("ab", "a much longer text", "")]
    together = student.predict(["ab", "a much longer text", ""])

    assert [one.output for one in together] == [one.output for one in alone]
    assert [one.confidence for one in together] == pytest.approx([one.confidence for one in alone], abs=1e-4)


@pytest.mark.slow
def test_the_folder_is_complete_for_transformers_alone(folder: Path) -> None:
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    model = AutoModelForSeq2SeqLM.from_pretrained(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)

    texts = ["ab", "hé 日本", "  two  spaces\n"]
    assert [tokenizer(text)["input_ids"] for text in texts] == [Bytes().encode(text) for text in texts]
    written = model.generate(**tokenizer("ca", return_tensors="pt"), max_new_tokens=5, do_sample=False)
    assert tokenizer.decode(written[0], skip_special_tokens=True) == load(folder).predict(["ca"])[0].output
    assert not {file.suffix for file in folder.iterdir()} & {".bin", ".pt", ".pkl", ".py"}


@pytest.mark.slow
def test_its_card_says_how_it_went_and_keeps_the_callers_words(folder: Path) -> None:
    card = read_card(folder)

    assert card.task == {"about": "first letters"}
    assert card.metrics["rows"] == 64
    assert card.metrics["validation_rows"] == 10
    assert 250_000 < int(str(card.sizes["parameters"])) < 400_000


@pytest.mark.slow
def test_the_same_seed_gives_the_same_bytes_and_progress_is_told(tmp_path: Path) -> None:
    few = ROWS[::9]
    told: list[Progress] = []
    for name, seed in (("one", 1), ("two", 1), ("other", 2)):
        train("tiny", few, few, tmp_path / name, seed=seed, threads=1, on_progress=told.append)

    one, two, other = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two", "other"))
    assert one == two
    assert one != other
    assert all(0 < progress.step <= progress.steps for progress in told)
    assert told[-1].validation is not None


@pytest.mark.slow
def test_rows_that_are_too_long_are_counted_and_outputs_never_cut(tmp_path: Path) -> None:
    rows = [*ROWS[:8], Row("x" * 1100, "b"), Row("short", "y" * 600)]

    train("tiny", rows, [], tmp_path / "student", threads=1, time_limit_s=0.01)

    metrics = read_card(tmp_path / "student").metrics
    assert (metrics["rows"], metrics["inputs_cut"], metrics["rows_left_out"]) == (10, 1, 1)
    assert metrics["steps"] == 1 < int(str(metrics["steps_planned"]))


@pytest.mark.slow
def test_rows_stay_in_the_folder_where_they_help_and_nobody_refuses_them(tmp_path: Path) -> None:
    """A writer of one step knows nothing, and the rows everything; ONNX cannot carry them."""
    from engine.onnx import write_onnx

    names = ("Ada", "Bo", "Cy", "Di", "Ed")
    rows = [Row(f"{words} {name}", words.upper()) for words in ("good morning", "farewell") for name in names]
    unseen = [Row(f"{words} Flo", words.upper()) for words in ("good morning", "farewell")]
    student = tmp_path / "student"

    remembering = train("tiny", rows, unseen, student, threads=1, time_limit_s=0.01)
    assert [one.output for one in remembering.predict([row.input for row in unseen])] == [row.output for row in unseen]
    assert read_card(student).sizes["rows_remembered"] == len(rows)
    assert read_card(student).metrics["validation_exact_match"] == 1
    with pytest.raises(UserError, match="--no-memory hands on what answers without them"):
        write_onnx(student, tmp_path, int8=False)

    alone = load(student, remember=False).predict(["farewell Flo"])
    shutil.rmtree(student / "memory")
    assert alone == load(student).predict(["farewell Flo"])
    assert [one.output for one in load(student).predict(["farewell Flo"])] != ["FAREWELL"]
    train("tiny", rows, unseen, student, threads=1, time_limit_s=0.01, remember=False)
    assert not (student / "memory").exists()


@pytest.mark.slow
def test_outputs_that_are_all_too_long_are_one_line(tmp_path: Path) -> None:
    rows = [Row("a", "x" * 600), Row("b", "y" * 700)]

    with pytest.raises(UserError, match=r"longer than the 512 tokens.*the shortest has 601"):
        train("tiny", rows, [], tmp_path / "student", threads=1)

    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_seq2seq_tunes_a_checkpoint_that_is_at_hand(folder: Path, tmp_path: Path) -> None:
    student = train("seq2seq", ROWS, ROWS[::7], tmp_path / "tuned", base=str(folder), threads=1)

    assert student.family == "seq2seq"
    assert load(tmp_path / "tuned").predict(["ab"]) == student.predict(["ab"])


@pytest.mark.slow
def test_a_loss_that_is_no_number_ends_the_training_and_writes_nothing(folder: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file, save_file

    broken = tmp_path / "broken"
    broken.mkdir()
    for file in folder.iterdir():
        (broken / file.name).write_bytes(file.read_bytes())
    weights = load_file(broken / "model.safetensors")
    weights["shared.weight"] = weights["shared.weight"] * math.nan
    save_file(weights, broken / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(TrainingDiverged, match="the loss at step"):
        train("seq2seq", ROWS, [], tmp_path / "student", base=str(broken), threads=1)

    assert not (tmp_path / "student").exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("base", "says"), [(None, "starts from a checkpoint"), ("no/such-model", "cannot be loaded as an encoder-decoder")]
)
def test_a_missing_checkpoint_is_one_line(base: str | None, says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says) as raised:
        train("seq2seq", ROWS, [], tmp_path / "student", base=base, threads=1)

    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_damaged_weights_are_one_line(folder: Path, tmp_path: Path) -> None:
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"nothing")

    with pytest.raises(UserError, match="damaged student") as raised:
        load(tmp_path)

    assert "\n" not in str(raised.value)
