"""Several processes learn one lesson: the same steps as one, and one that dies ends it in a line."""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Sequence
from pathlib import Path
from random import Random
from typing import Any

import psutil  # type: ignore[import-untyped]
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import training
from engine.errors import Interrupted, UserError
from engine.fakes.checkpoints import save_encoder
from engine.training import Progress, Row
from engine.training.bookmark import Bookmark
from engine.training.company import Errand, follows, is_launched, launched
from engine.training.lesson import Lesson
from engine.training.team import ALONE, Team

COLOURS = ("red", "green", "blue", "white")


def rows(count: int) -> list[Row]:
    chance = Random(0)
    return [Row(f"a {chance.choice(COLOURS)} thing, number {i}", COLOURS[i % 4]) for i in range(count)]


@given(lengths=st.lists(st.integers(1, 40), max_size=40), size=st.integers(1, 5))
def test_each_row_of_a_step_is_computed_once_and_all_have_as_much_to_do(lengths: list[int], size: int) -> None:
    teams = [Team(rank, size) for rank in range(size)]
    parts = [team.own(range(len(lengths)), lengths) for team in teams]

    assert sorted(row for some, _ in parts for row in some) == list(range(len(lengths)))
    assert all(their_lengths == [lengths[row] for row in some] for some, their_lengths in parts)
    tokens = [sum(their_lengths) for _, their_lengths in parts]
    assert max(tokens) - min(tokens) <= max(lengths, default=0)


def test_who_is_alone_exchanges_nothing() -> None:
    tensors: Sequence[Any] = ["no tensor at all"]

    ALONE.begin(tensors, step=3)
    ALONE.add_up(tensors)
    assert (ALONE.heed(0.5), ALONE.heed(None), ALONE.leads) == (0.5, None, True)
    assert repr(Team(1, 3)) == "<Team [2 of 3]>"


def test_a_follower_has_the_same_lesson_but_for_its_place() -> None:
    lesson = Lesson(rows=tuple(rows(8)), validation=tuple(rows(4)), seed=3, weights=(1.0,) * 8, dials={"batch": 0.5})
    errand = Errand.of(lesson, family="tiny", folder=Path("a"), rank=1, size=2, port=5)

    theirs = Errand(**json.loads(json.dumps(dataclasses.asdict(errand)))).lesson(ALONE)

    assert theirs == lesson
    assert Path(errand.folder).is_absolute()


@pytest.mark.parametrize(
    ("environment", "is_follower"),
    [
        ({}, False),
        ({"WORLD_SIZE": "1", "RANK": "0", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, False),
        ({"WORLD_SIZE": "4", "RANK": "0", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, False),
        ({"WORLD_SIZE": "4", "RANK": "3", "MASTER_ADDR": "a", "MASTER_PORT": "1"}, True),
        ({"WORLD_SIZE": "4", "RANK": "3"}, False),  # of something else, since nobody says where the others are
    ],
)
def test_whoever_starts_several_processes_says_which_is_which(environment: dict[str, str], is_follower: bool) -> None:
    assert follows(environment) == is_follower
    assert is_launched(environment) == (environment.get("WORLD_SIZE") == "4" and "MASTER_PORT" in environment)


def test_who_was_started_alone_is_alone() -> None:
    with launched({}) as team:
        assert team is ALONE


def test_what_was_learnt_by_other_processes_is_another_training(tmp_path: Path) -> None:
    lesson = Lesson(rows=tuple(rows(8)))
    together = Lesson(rows=tuple(rows(8)), team=Team(1, 2))

    names = {Bookmark.beside(tmp_path, each, recipe=()).training for each in (lesson, together)}
    assert len(names) == 2


def test_who_learns_in_seconds_learns_in_one_process(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--processes: 'linear' learns in seconds, in one process; leave it out"):
        training.train("linear", rows(8), [], tmp_path / "s", processes=2)


def taught(folder: Path, base: Path, *, processes: int, count: int = 48, **settings: Any) -> dict[str, Any]:
    """The weights after some steps of a classifier without dropout."""
    from safetensors.numpy import load_file

    training.train(
        "classifier", rows(count), rows(12), folder, base=str(base), threads=2, processes=processes, **settings
    )
    return load_file(folder / "model.safetensors")


def base_without_dropout(folder: Path) -> Path:
    save_encoder(folder)
    told = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    told |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(told), encoding="utf-8")
    return folder


@pytest.mark.slow
def test_two_processes_learn_what_one_does(tmp_path: Path) -> None:
    """Up to rounding, since sums are taken in another order; as many processes learn the very same again."""
    import numpy as np

    base = base_without_dropout(tmp_path / "base")
    alone, together, again = (taught(tmp_path / name, base, processes=p) for name, p in (("a", 1), ("b", 2), ("c", 2)))

    assert alone.keys() == together.keys()
    assert all(np.allclose(alone[name], together[name], atol=1e-4) for name in alone)
    assert all(np.array_equal(together[name], again[name]) for name in together)
    card = json.loads((tmp_path / "b" / "student.json").read_text(encoding="utf-8"))
    assert card["metrics"]["steps"] == card["metrics"]["steps_planned"]


@pytest.mark.slow
def test_a_process_that_is_killed_ends_the_training_in_a_line(tmp_path: Path) -> None:
    base = base_without_dropout(tmp_path / "base")

    def kill(progress: Progress) -> None:
        if progress.step == 40:
            [follower] = psutil.Process().children()
            follower.send_signal(signal.SIGKILL)

    with pytest.raises(Interrupted) as caught:
        taught(tmp_path / "s", base, processes=2, count=400, on_progress=kill)

    assert str(caught.value) == (
        "process 2 of 2 of the training was ended by SIGKILL; the same command goes on where the training was"
    )
    assert not (tmp_path / "s").exists()
    assert not psutil.Process().children()
