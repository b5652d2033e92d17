"""What a simulated teacher has to know of a task: how inputs look, and what is right."""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Protocol

__all__ = ["Subject"]


class Subject(Protocol):
    """What is to be known of a task: how its inputs look, and what is right."""

    @property
    def kinds(self) -> Mapping[str, float]:
        """The kinds of answer one can write an input for, each with its share in well-made data."""
        ...

    @property
    def prior(self) -> Mapping[str, float]:
        """The same kinds, with the shares that come to a teacher's mind unasked."""
        ...

    @property
    def about(self) -> Mapping[str, str]:
        """A description of the model and of the dataset that ought to exist."""
        ...

    def write(self, kind: str, rng: Random, *, temperature: float) -> str:
        """A new input whose right answer is of that kind."""
        ...

    def nudge(self, text: str, rng: Random) -> str:
        """The input, barely changed."""
        ...

    def right(self, text: str) -> str:
        """The right answer to any input."""
        ...

    def wrong(self, text: str, rng: Random) -> str:
        """An answer as somebody gives it who has misread the input; never the right one."""
        ...

    def hardness(self, text: str) -> float:
        """How easily the input is misread; 1 on average."""
        ...
