"""Which student is trained anew, and which is there already."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from agents.cli.students import _say_progress
from agents.finding.choose import StudentChoice
from agents.records import Example, Provenance, Spec, Vote
from agents.students.task import Task
from agents.students.train import Trained, train_student, vote_weights
from engine.events import Events
from engine.training import Progress, Row

GREETINGS = [Row("good day", "hello"), Row("see you", "bye"), Row("good morning", "hello")]


def trained(folder: Path, *, seed: int = 0) -> Trained:
    task = Task(name="greet", prompt="p", spec=Spec(instruction="Greet."), teacher="simulated/x", simulated=True)
    return train_student(
        StudentChoice(family="linear", checkpoint=None, why="it is small"),
        GREETINGS,
        GREETINGS,
        folder,
        task=task,
        seed=seed,
        time_limit_s=10,
        threads=1,
        events=Events(),
    )


def test_a_student_is_trained_anew_only_for_other_conditions_and_has_its_card_each_time(tmp_path: Path) -> None:
    folder = tmp_path / "student"
    trained(folder)
    first = (folder / "student.json").stat().st_ino
    (folder / "README.md").unlink()

    trained(folder)
    again = (folder / "student.json").stat().st_ino
    card = (folder / "README.md").read_text(encoding="utf-8")
    trained(folder, seed=1)

    assert again == first != (folder / "student.json").stat().st_ino
    assert "\n# greet\n" in card
    assert "simulated teacher" in card


def test_what_a_training_that_was_killed_left_to_go_on_with_goes_once_there_is_a_student(tmp_path: Path) -> None:
    """Killed after the student was kept and before its bookmark was dropped; or killed, and another family taken."""
    folder, bookmark = tmp_path / "student", tmp_path / "student.part" / "state.safetensors"
    for _ in ("trained", "there already"):
        bookmark.parent.mkdir()
        bookmark.write_bytes(b"of another training")

        trained(folder)

        assert [path.name for path in tmp_path.iterdir()] == ["student"]


def test_rows_that_are_only_read_have_no_loss_to_tell(capsys: pytest.CaptureFixture[str]) -> None:
    _say_progress(Progress(step=3, steps=9, loss=math.nan, validation=None, seconds=2.0))
    _say_progress(Progress(step=9, steps=9, loss=0.5, validation=0.25, seconds=4.0))

    told = "".join(capsys.readouterr())
    assert told.splitlines() == ["step 3 of 9, 2 s", "step 9 of 9, loss 0.500, validation 0.250, 4 s"]


def voted(agreement: float) -> Example:
    return Example(
        "x",
        "y",
        Vote(winner="y", agreement=agreement, samples=("y",)),
        Provenance(request=0, position=0, temperature=None, target=None),
    )


def test_rows_count_by_the_square_of_their_votes_agreement() -> None:
    assert vote_weights([voted(1), voted(0.5), voted(0)]) == (1, 0.25, 0.0001)
    assert vote_weights([voted(1), voted(1)]) is None
    assert vote_weights([]) is None
