"""Who follows a training: looks at validation rows, keeps the best moment, leaves bookmarks, tells how it stands.

When a look is due and when it is over, the course says; what a look is, and the model, it is handed.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

from engine.errors import TrainingDiverged
from engine.training.bookmark import Bookmark, Place
from engine.training.course import Course
from engine.training.lesson import Lesson
from engine.training.state import Tensors, copied, named, part_of, put_back, state_of
from engine.training.student import Progress

__all__ = ["STEPS_BETWEEN_REPORTS", "Watch"]

STEPS_BETWEEN_REPORTS: Final = 20


class Watch:
    """Follows a training: hands what happens to the course, does what the course finds due, tells who wants to know."""

    def __init__(
        self,
        *,
        course: Course,
        model: Any,
        look: Callable[[], float] | None,
        lesson: Lesson,
        started: float,
        bookmark: Bookmark,
    ) -> None:
        self.course = course
        self.step = 0
        self.loss = math.nan
        self._model = model
        self._look = look
        self._lesson = lesson
        self._started = started
        self._bookmark = bookmark
        self._latest: float | None = None
        self._best_weights: dict[str, Any] = {}

    def go_on(self) -> Tensors:
        """Take up what an earlier process left: the numbers here; gives the tensors, none at a new beginning."""
        found = self._bookmark.read()
        if found is None:
            return {}
        place, tensors = found
        self.step, self.loss, self._latest = place.step, place.loss, place.latest
        self._started -= place.seconds
        self.course.recall(place.course)
        self._best_weights = part_of(tensors, "best")
        return tensors

    def mark(self, optimizer: Any) -> None:
        """Leave a bookmark if it is time for one; never after the last step."""
        if self.course.over or not self._bookmark.due:
            return
        place = Place(
            step=self.step,
            seconds=self.seconds(),
            loss=self.loss,
            latest=self._latest,
            course=self.course.told(),
        )
        self._bookmark.write(place, {**state_of(self._model, optimizer), **named("best", self._best_weights)})
        if self._bookmark.problem is not None:
            self.note(
                f"no bookmark can be written ({self._bookmark.problem}): if this training is stopped, it begins anew"
            )

    def step_done(self, step: int) -> None:
        self.step = step
        self.course.step_done(step, seconds=self.seconds())
        if self._look is not None and self.course.look_due(seconds=self.seconds()):
            self._take_a_look(self._look)
            self._report()

    def loss_seen(self, loss: float) -> None:
        if not math.isfinite(loss):
            self._bookmark.drop()  # from there it would come to the same
            raise TrainingDiverged(
                f"training diverged: the loss at step {self.step} is {loss}, and nothing was saved; try another seed, "
                "another base, or the student 'linear', which cannot diverge"
            )
        self.loss = loss
        self._report()

    def finish(self) -> None:
        """One last look, then back to the best moment."""
        if self._look is not None:
            self._take_a_look(self._look)
            put_back(self._model, self._best_weights)
        self._report()

    def note(self, text: str) -> None:
        self._lesson.note(text)

    def _take_a_look(self, look: Callable[[], float]) -> None:
        before = self.seconds()
        self._latest = look()
        if self.course.looked(self._latest, took_s=self.seconds() - before):
            self._best_weights = copied(self._model)

    def _report(self) -> None:
        if self._lesson.on_progress:
            steps = self.course.steps_expected(self.step)
            self._lesson.on_progress(Progress(self.step, steps, self.loss, self._latest, self.seconds()))

    def seconds(self) -> float:
        """Since it began, what earlier processes took included."""
        return time.monotonic() - self._started
