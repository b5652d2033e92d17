"""A student that knows when it does not know: its sure answers are given, the others are asked of a teacher.

Nothing that the teacher does or fails to do is an error for whoever asked: without money, without an answer in time or
without one that fits the task, the student's own answer is given, and marked as unsure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from agents.served.teacher import Labelled, Teacher
from engine.serving import Answer, FromStudent
from engine.training.sampling import Sampling

__all__ = ["Cascade"]


class Cascade:
    """The student where it is as sure as `least`, else the teacher; in the place of the student alone.

    Where answers are to be drawn by chance, whether the student is sure is still decided by its best one.
    """

    def __init__(self, student: FromStudent, teacher: Teacher, *, least: float) -> None:
        self._student = student
        self._teacher = teacher
        self._least = least

    @property
    def name(self) -> str:
        return self._student.name

    @property
    def family(self) -> str:
        return self._student.family

    @property
    def waiting(self) -> int:
        return self._student.waiting

    @property
    def is_full(self) -> bool:
        return self._student.is_full

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        async with self._teacher.working(), self._student.working():
            yield

    async def answer(self, inputs: Sequence[str], sampling: Sampling | None) -> list[list[Answer]]:
        best = [answer for [answer] in await self._student.answer(inputs, None)]
        sure = [place for place, answer in enumerate(best) if (answer.confidence or 0.0) >= self._least]
        unsure = [place for place in range(len(best)) if place not in set(sure)]
        told = await asyncio.gather(*(self._ask(inputs[place], best[place]) for place in unsure))
        answers = {place: [best[place]] for place in sure} | {
            place: [answer] for place, answer in zip(unsure, told, strict=True)
        }
        own = [place for place, [answer] in answers.items() if answer.by == "student"]
        if sampling is not None and own:
            drawn = await self._student.answer([inputs[place] for place in own], sampling)
            answers |= {
                place: [_marked(each, answers[place][0].unsure) for each in several]
                for place, several in zip(own, drawn, strict=True)
            }
        return [answers[place] for place in range(len(best))]

    async def _ask(self, text: str, own: Answer) -> Answer:
        """The teacher's answer, or the student's with the reason why it is not that."""
        label = await self._teacher.label(text)
        if not isinstance(label, Labelled):
            return _marked(own, label)
        more: dict[str, object] = {"student": own.text, "student_confidence": own.confidence}
        if label.simulated:
            more["simulated"] = True
        return Answer(text=label.output, model=label.model, by="teacher", more=more)

    def figures(self) -> Mapping[str, float]:
        return self._teacher.figures()


def _marked(answer: Answer, unsure: str) -> Answer:
    return replace(answer, unsure=unsure) if unsure else answer
