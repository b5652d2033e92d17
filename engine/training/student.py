"""What a student is to those who train, judge or serve it: text in, text and a confidence out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from engine.training.spelt import Spelt

__all__ = ["OnProgress", "Prediction", "Progress", "Row", "Sampler", "Student", "exact_share"]


@dataclass(frozen=True, slots=True)
class Row:
    """An input and the output that a student shall learn to give for it."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Prediction:
    """What a student answers, and how likely it holds that answer to be (0 to 1).

    `cut` says that the input is longer than the student can read, and so was not read to its end. What was not read
    whole is not answered with any confidence: it is 0 then.

    `alternatives` are the labels that a student chooses among, each with how likely it holds it to be, the best first
    and twenty at most; what was answered is among them. Whoever writes text of its own has none, and `spelt` instead:
    what it wrote that in.
    """

    output: str
    confidence: float
    cut: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()
    spelt: Spelt | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a training has come.

    `steps` is the best present guess of the whole when a time limit may end it earlier. `validation` is the share of
    validation rows answered exactly, at the latest look.
    """

    step: int
    steps: int
    loss: float
    validation: float | None
    seconds: float


OnProgress = Callable[[Progress], None]


@runtime_checkable
class Sampler(Protocol):
    """A student that can also be asked for answers drawn by chance. A family need not offer it."""

    def sample(
        self, inputs: Sequence[str], *, n: int, temperature: float, seed: int, top_p: float = 1.0
    ) -> list[list[Prediction]]:
        """For each input `n` answers, drawn one by one; `confidence` is how likely each is without any temperature.

        The same inputs, settings and seed give the same answers. `temperature` is above 0; `top_p` draws among the
        likeliest tokens alone that come to this share together.
        """
        ...


class Student(Protocol):
    """A small model that answers."""

    @property
    def family(self) -> str: ...

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        """One prediction an input, in the same order. No inputs, no predictions."""
        ...


def exact_share(student: Student, rows: Sequence[Row]) -> float | None:
    """The share of rows that a student answers exactly; None of no rows."""
    if not rows:
        return None
    answers = student.predict([row.input for row in rows])
    return sum(answer.output == row.output for answer, row in zip(answers, rows, strict=True)) / len(rows)
