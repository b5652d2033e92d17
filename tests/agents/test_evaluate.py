"""A judgement: the student and its rivals on the same rows, and what is wrong with the figures."""

from __future__ import annotations

from collections.abc import Sequence

from agents.evaluate import Judgement, evaluate
from engine.training import Prediction, Row


class ReadsFive:
    """Gives back what it can read: five characters."""

    family = "reads five"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction(text[:5], 0.0 if len(text) > 5 else 0.9, len(text) > 5) for text in inputs]


def judged(*inputs: str) -> Judgement:
    rows = [Row(text, text) for text in inputs]
    return evaluate(ReadsFive(), rows, train=[Row("a", "b")], on="test", kind="text", seed=0)


def test_rows_that_the_student_cannot_read_whole_are_counted_and_warned_of() -> None:
    judgement = judged("short", "too long", "much too long")

    assert judgement.cut == 2
    assert "Of the given test rows, 2 of 3 are longer than the student can read." in judgement.warnings()


def test_rows_that_are_read_whole_need_no_warning() -> None:
    judgement = judged("short", "brief")

    assert judgement.cut == 0
    assert not [text for text in judgement.warnings() if "longer" in text]


def test_rivals_know_the_training_rows_and_without_any_only_the_copy_runs() -> None:
    alone = evaluate(ReadsFive(), [Row("a", "a")], train=[], on="test", kind="text", seed=0)

    assert [rival.name for rival in judged("z").baselines] == ["majority", "copy", "nearest neighbour"]
    assert [rival.name for rival in alone.baselines] == ["copy"]


def test_the_mistakes_it_was_surest_of_are_shown_before_what_it_got_right() -> None:
    class Sure(ReadsFive):
        def predict(self, inputs: Sequence[str]) -> list[Prediction]:
            return [Prediction("x", float(text)) for text in inputs]

    rows = [Row("0.2", "y"), Row("0.5", "x"), Row("0.9", "y")]
    judgement = evaluate(Sure(), rows, train=[], on="test", kind="text", seed=0)

    assert [(sample.input, sample.right) for sample in judgement.samples] == [
        ("0.9", False),
        ("0.2", False),
        ("0.5", True),
    ]
