"""Who answers: the student at its desk, or somebody who asks it first and others where it is unsure."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

from engine.desk import Desk
from engine.training import Prediction
from engine.training.sampling import Sampling
from engine.training.spelt import Spelt

__all__ = ["Answer", "Answering", "By", "FromStudent"]

By = Literal["student", "teacher"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer as it is given, and who gave it.

    `model` is what the reply names as its model. `confidence` is how likely whoever gave it holds it to be (0 to 1);
    None where that was not told. `alternatives` and `spelt` are as a `Prediction` has them. `more` goes out with the
    choice, under `smelt`. `unsure` says why an answer that was not sure enough is still the student's, and in one word;
    empty where it is sure, or somebody else's.
    """

    text: str
    model: str
    by: By = "student"
    confidence: float | None = None
    cut: bool = False
    alternatives: tuple[tuple[str, float], ...] = ()
    spelt: Spelt | None = field(default=None, compare=False, repr=False)
    unsure: str = ""
    more: Mapping[str, object] = field(default_factory=dict)


@runtime_checkable
class Answering(Protocol):
    """Whoever answers inputs. `working` is entered before the first question and left after the last one."""

    @property
    def name(self) -> str:
        """What callers know it as; the name of its model."""
        ...

    @property
    def family(self) -> str:
        """What kind of student it is."""
        ...

    @property
    def waiting(self) -> int:
        """How many inputs wait to be looked at."""
        ...

    @property
    def is_full(self) -> bool:
        """Whether one more would be refused."""
        ...

    def working(self) -> AbstractAsyncContextManager[None]: ...

    async def answer(self, inputs: Sequence[str], sampling: Sampling | None) -> list[list[Answer]]:
        """For each input its answers: the best one, or as many as are to be drawn. Raises TooMany."""
        ...

    def figures(self) -> Mapping[str, float]:
        """What else there is to measure, by name."""
        ...


class FromStudent:
    """The student alone."""

    def __init__(self, desk: Desk, *, name: str) -> None:
        self._desk = desk
        self.name = name

    @property
    def family(self) -> str:
        return self._desk.student.family

    @property
    def waiting(self) -> int:
        return self._desk.waiting

    @property
    def is_full(self) -> bool:
        return self._desk.is_full

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        work = asyncio.create_task(self._desk.work())
        try:
            yield
        finally:
            work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await work

    async def answer(self, inputs: Sequence[str], sampling: Sampling | None) -> list[list[Answer]]:
        if sampling is None:
            return [[self.told(best)] for best in await self._desk.answer(inputs)]
        drawn = await self._desk.sample(inputs, sampling)
        return [[self.told(prediction) for prediction in predictions] for predictions in drawn]

    def told(self, prediction: Prediction, *, unsure: str = "") -> Answer:
        """A prediction as an answer of the student's."""
        return Answer(
            text=prediction.output,
            model=self.name,
            confidence=prediction.confidence,
            cut=prediction.cut,
            alternatives=prediction.alternatives,
            spelt=prediction.spelt,
            unsure=unsure,
        )

    def figures(self) -> Mapping[str, float]:
        return {}
