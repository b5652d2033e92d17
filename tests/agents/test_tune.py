"""A search among the settings of one student: which are tried, which is taken, what is told."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.finding.choose import StudentChoice
from agents.students.halving import Candidate
from agents.students.trial import Tried
from agents.students.tune import settings_for, tuned
from engine.errors import TrainingDiverged
from engine.events import Event, Events, Noted
from engine.training import Prediction, Row, train

ROWS = [Row(f"row {n}", f"answer {n % 4}") for n in range(400)]
VALIDATION = [Row(f"kept {n}", f"answer {n % 4}") for n in range(40)]
TINY = StudentChoice("tiny", None, "tiny, because nothing else is here")


class Fast:
    """A student that is the better, the higher its learning rate; at three times and more it diverges."""

    family = "tiny"

    def __init__(self, candidate: Candidate) -> None:
        rate = candidate.dials.get("learning_rate", 1)
        if rate >= 3:
            raise TrainingDiverged("the loss is nan")
        self._right = round(10 * rate)

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        wanted = {row.input: row.output for row in VALIDATION}
        known = set(sorted(inputs)[: self._right])
        return [Prediction(wanted[text] if text in known else "?", 1.0) for text in inputs]


def search(file: Path, *, count: int, choice: StudentChoice = TINY) -> tuple[Tried, list[str]]:
    events, told = Events(), list[Event]()
    events.subscribe(told.append)
    done = tuned(
        choice, ROWS, VALIDATION, count=count, file=file, kind="classification", seed=0, seconds=20, threads=1,
        preset="own", device="cpu", events=events, teach=lambda candidate, _, __: Fast(candidate),
    )  # fmt: skip
    return done, [event.text for event in told if isinstance(event, Noted)]


def test_the_own_setting_is_first_and_all_are_the_same_student() -> None:
    found = settings_for(StudentChoice("seq2seq", "org/m", "why"), count=5, seed=0)

    assert found[0].name == "as it stands"
    assert [candidate.rank for candidate in found] == [0, 1, 2, 3, 4]
    assert {(candidate.family, candidate.checkpoint) for candidate in found} == {("seq2seq", "org/m")}
    assert len({candidate.name for candidate in found}) == 5


def test_the_best_setting_goes_into_the_choice_and_a_broken_one_only_out(tmp_path: Path) -> None:
    done, told = search(tmp_path / "tuned.json", count=8)

    rates = [candidate.dials["learning_rate"] for candidate in settings_for(TINY, count=8, seed=0)[1:]]
    assert max(rates) >= 3
    assert done.choice.dials["learning_rate"] == max(rate for rate in rates if rate < 3)
    assert done.choice.why.startswith(f"{TINY.why}; of 8 settings, learning rate x ")
    assert "is out: the loss is nan" in told[0]


def test_a_search_that_came_to_its_end_is_not_gone_through_again(tmp_path: Path) -> None:
    first, _ = search(tmp_path / "tuned.json", count=4)
    again, told = search(tmp_path / "tuned.json", count=4)

    assert again == first
    assert len(told) == 1


def test_one_setting_alone_leaves_the_choice_as_it_was(tmp_path: Path) -> None:
    done, _ = search(tmp_path / "tuned.json", count=1)

    assert done.rounds == ()
    assert done.choice.dials == {}


@pytest.mark.slow
def test_settings_of_a_real_student_differ_in_what_they_learn(tmp_path: Path) -> None:
    rows = [Row(f"{word} {n}", word) for word in ("yes", "no", "perhaps") for n in range(20)]
    sure, unsure = (
        train("linear", rows, (), tmp_path / str(factor), dials={"regularisation": factor}) for factor in (0.1, 10)
    )

    assert sure.predict(["yes 3"])[0].confidence > unsure.predict(["yes 3"])[0].confidence + 0.1
