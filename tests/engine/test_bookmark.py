"""A training that was stopped goes on where its bookmark lies, and ends in the same weights. Slow."""

from __future__ import annotations

import itertools
import math
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from engine.training import OnProgress, Progress, Row, train
from engine.training.bookmark import Bookmark, Place, clear_beside
from engine.training.encoder_decoder import teach
from engine.training.lesson import Lesson
from engine.training.spelling import Bytes
from engine.training.taught import Taught
from engine.training.tiny import RECIPE, SCRATCH, new_model

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]

PLACE = Place(step=40, seconds=2.5, loss=math.inf, latest=None, course={"fraction": 0.25, "best": None})
TENSORS = {"weights.a": torch.arange(6.0).reshape(2, 3), "chance": torch.tensor([1, 2], dtype=torch.uint8)}
LETTERS = "abcdefgh"
ROWS = tuple(Row(f"{a}{b}", a) for a in LETTERS for b in LETTERS)
SHORT = replace(RECIPE, fewest_steps=100, passes=1, most_passes=50)


def bookmark(folder: Path, *, training: str = "this one", **how: Any) -> Bookmark:
    return Bookmark(folder / "student.part", training=training, **how)


# -- the file


def test_what_was_written_last_is_read_by_the_next_process(tmp_path: Path) -> None:
    bookmark(tmp_path).write(replace(PLACE, step=20), {})
    bookmark(tmp_path).write(PLACE, TENSORS)

    found = bookmark(tmp_path).read()

    assert found is not None
    assert found[0] == PLACE
    assert found[1].keys() == TENSORS.keys()
    assert all(torch.equal(found[1][name], tensor) for name, tensor in TENSORS.items())
    assert [path.name for path in (tmp_path / "student.part").iterdir()] == ["state.safetensors"]
    bookmark(tmp_path).drop()
    assert not list(tmp_path.iterdir())


def test_another_trainings_bookmark_is_as_good_as_none(tmp_path: Path) -> None:
    bookmark(tmp_path).write(PLACE, TENSORS)

    assert bookmark(tmp_path, training="another").read() is None
    assert bookmark(tmp_path / "elsewhere").read() is None


def test_whatever_shapes_what_is_learnt_makes_it_another_training(tmp_path: Path) -> None:
    lesson = Lesson(rows=ROWS, validation=ROWS[:3])
    others = [
        replace(lesson, rows=ROWS[1:]),
        replace(lesson, validation=ROWS[:2]),
        replace(lesson, seed=1),
        replace(lesson, time_limit_s=9),
        replace(lesson, base="a checkpoint"),
        replace(lesson, threads=1),
    ]
    Bookmark.beside(tmp_path / "student", lesson, recipe=RECIPE).write(PLACE, TENSORS)

    assert Bookmark.beside(tmp_path / "student", lesson, recipe=RECIPE).read() is not None
    assert Bookmark.beside(tmp_path / "student", replace(lesson, task={"a": 1}), recipe=RECIPE).read() is not None
    assert Bookmark.beside(tmp_path / "student", lesson, recipe=SHORT).read() is None
    assert all(Bookmark.beside(tmp_path / "student", other, recipe=RECIPE).read() is None for other in others)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-5]), id="cut short"),
        pytest.param(lambda path: path.write_bytes(bytes(200)), id="zeroed"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes().replace(b"seconds", b"sekunde")), id="changed"),
        pytest.param(lambda path: (path.unlink(), path.mkdir()), id="a folder"),
    ],
)
def test_a_damaged_bookmark_is_as_good_as_none(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    bookmark(tmp_path).write(PLACE, TENSORS)

    damage(tmp_path / "student.part" / "state.safetensors")

    assert bookmark(tmp_path).read() is None


def test_it_is_due_after_a_while_and_takes_a_fiftieth_of_the_time_at_most(tmp_path: Path) -> None:
    seconds = itertools.count()
    watch = {"now": 0.0}

    def now() -> float:
        return watch["now"]

    mark = bookmark(tmp_path, soonest_s=5, now=now)
    due = [mark.due]
    watch["now"] = 5.0
    due.append(mark.due)
    mark.write(PLACE, TENSORS)
    due.append(mark.due)
    assert due == [False, True, False]

    slow = bookmark(tmp_path, soonest_s=5, now=lambda: float(next(seconds)))  # each look at the clock takes a second
    slow.write(PLACE, TENSORS)
    due = [slow.due for _ in range(60)]
    assert due.index(True) == 49


def test_where_the_disk_takes_no_bookmark_the_training_goes_on_without(tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")
    mark = bookmark(tmp_path / "a file", soonest_s=0)
    due = [mark.due]

    mark.write(PLACE, TENSORS)

    assert [*due, mark.due] == [True, False]
    assert mark.problem == "Not a directory"
    assert mark.read() is None
    mark.drop()


def test_what_somebody_else_has_in_a_folder_of_that_name_stays(tmp_path: Path) -> None:
    bookmark(tmp_path).write(PLACE, TENSORS)
    theirs = tmp_path / "student.part" / "chapter one"
    theirs.write_text("mine")

    bookmark(tmp_path).drop()

    assert list((tmp_path / "student.part").iterdir()) == [theirs]


def test_what_was_killed_while_it_wrote_leaves_the_bookmark_before_and_nothing_in_the_end(tmp_path: Path) -> None:
    bookmark(tmp_path).write(PLACE, TENSORS)
    (tmp_path / "student.part" / "new.safetensors").write_bytes(b"half of it")

    found = bookmark(tmp_path).read()
    clear_beside(tmp_path / "student")

    assert found is not None
    assert found[0] == PLACE
    assert not list(tmp_path.iterdir())


# -- trainings


class Killed(Exception):
    """What a test ends a training with."""


def killing(step: int | None, *, steps: list[int] | None = None) -> OnProgress:
    """Ends a training when it tells of a step after this one, and notes what it tells of before."""

    def on_progress(progress: Progress) -> None:
        if steps is not None:
            steps.append(progress.step)
        if step is not None and progress.step > step:
            raise Killed

    return on_progress


def taught(folder: Path, *, until: int | None = None, steps: list[int] | None = None) -> tuple[Taught, dict[str, Any]]:
    """A training on one thread, killed after the step `until`; with bookmarks whenever there may be one."""
    lesson = Lesson(rows=ROWS, validation=ROWS[::7], threads=1, on_progress=killing(until, steps=steps))
    due = bookmark(folder, soonest_s=0, now=lambda: 0.0)  # always
    model = new_model(seed=0)
    came = teach(
        model,
        Bytes(),
        lesson,
        recipe=SHORT,
        threads=1,
        started=time.monotonic(),
        bookmark=due,
    )
    return came, model.state_dict()


def test_a_training_killed_and_killed_again_ends_in_the_same_weights(tmp_path: Path) -> None:
    whole, weights = taught(tmp_path / "no bookmarks here")
    with pytest.raises(Killed):
        taught(tmp_path, until=40)
    with pytest.raises(Killed):
        taught(tmp_path, until=80)
    steps: list[int] = []
    resumed, resumed_weights = taught(tmp_path, steps=steps)

    assert min(steps) > 60
    assert resumed.steps == whole.steps == 100
    assert resumed.passes == whole.passes
    assert resumed.validation_exact_match == whole.validation_exact_match
    assert resumed_weights.keys() == weights.keys()
    assert all(torch.equal(resumed_weights[name], tensor) for name, tensor in weights.items())


def test_the_next_call_for_the_same_student_goes_on_and_leaves_no_bookmark(tmp_path: Path) -> None:
    folder, steps = tmp_path / "student", list[int]()
    lesson = Lesson(rows=ROWS, validation=ROWS[::7], threads=1, base=SCRATCH, on_progress=killing(20))
    left = Bookmark.beside(folder, lesson, recipe=(RECIPE, None))
    with pytest.raises(Killed):
        teach(
            new_model(seed=0), Bytes(), lesson, recipe=RECIPE, threads=1, started=time.monotonic(),
            bookmark=bookmark(tmp_path, training=left.training, soonest_s=0, now=lambda: 0.0),
        )  # fmt: skip

    def tell(progress: Progress) -> None:
        steps.append(progress.step)

    train("tiny", ROWS, ROWS[::7], folder, threads=1, base=SCRATCH, on_progress=tell)

    assert min(steps) > 20
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


def test_the_time_that_a_killed_process_took_counts(tmp_path: Path) -> None:
    with pytest.raises(Killed):
        taught(tmp_path, until=60)
    found = bookmark(tmp_path).read()
    assert found is not None

    resumed, _ = taught(tmp_path)

    assert resumed.seconds > found[0].seconds > 0


KILLED_AT = (1, 40, 80)  # steps; before the first bookmark, and twice after one

PROGRAM = """
import os, signal, sys
from pathlib import Path
from tests.engine.test_bookmark import Killed, taught
folder, died = Path(sys.argv[1]), []
for step in map(int, sys.argv[2:]):
    if (child := os.fork()) == 0:
        try:
            taught(folder, until=step)
        except Killed:
            os.kill(os.getpid(), signal.SIGKILL)
    died.append(os.WTERMSIG(os.waitpid(child, 0)[1]))
came, weights = taught(folder)
_, undisturbed = taught(folder / "undisturbed")
print(died, came.steps, all(weights[name].equal(undisturbed[name]) for name in undisturbed))
"""


def test_killed_with_no_warning_at_any_moment_it_ends_in_the_same_weights(tmp_path: Path) -> None:
    """Children of a process that has computed nothing yet, so that none of them shares a thread that is not there."""
    words = [sys.executable, "-c", PROGRAM, str(tmp_path), *map(str, KILLED_AT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, cwd=ROOT)

    assert done.stdout.strip() == f"{[int(signal.SIGKILL)] * 3} 100 True", done.stderr
