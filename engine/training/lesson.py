"""What a family is given to learn from, checked once for all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from engine.errors import UserError
from engine.text import meant
from engine.training.dials import Dials, adjusted, checked_dials
from engine.training.machine import DEVICES
from engine.training.recipe import PRESETS, Recipe, preset
from engine.training.student import OnProgress, Row
from engine.training.team import ALONE, Team

__all__ = ["Lesson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Rows to learn from, rows to choose by, and the conditions.

    Raises UserError for what cannot teach anything: fewer than two rows, one output for all, a limit of no time, and
    for weights that are not one a row, above 0.
    """

    rows: tuple[Row, ...]
    validation: tuple[Row, ...] = ()
    seed: int = 0
    time_limit_s: float | None = None
    base: str | None = None
    threads: int | None = None
    weights: tuple[float, ...] | None = None  # how much each row counts; None: all alike
    preset: str = "own"  # see `recipe.preset`
    device: str = "auto"  # see `machine.device_for`
    dials: Dials = field(default_factory=dict)  # of the family's recipe, turned by a search
    whole: bool = False  # `causal` alone: teach every weight, not an adapter beside them
    remember: bool = True  # `tiny` alone: keep the rows as a memory where that helps
    task: Mapping[str, object] = field(default_factory=dict)
    on_progress: OnProgress | None = None
    on_note: Callable[[str], None] | None = None  # told what the user ought to know, in a line each
    is_enough: Callable[[], bool] = lambda: False  # whether somebody wants what has been learnt by now
    team: Team = ALONE  # the processes that learn it together

    def __post_init__(self) -> None:
        if len(self.rows) < 2:
            raise UserError(f"a student needs at least 2 rows to learn from (got {len(self.rows)})")
        outputs = {row.output for row in self.rows}
        if len(outputs) == 1:
            only = next(iter(outputs))
            raise UserError(f"all {len(self.rows)} rows have the output {only[:60]!r}: add rows with another answer")
        if self.time_limit_s is not None and not self.time_limit_s > 0:
            raise UserError(f"the time limit must be above 0 seconds (got {self.time_limit_s})")
        if self.threads is not None and self.threads < 1:
            raise UserError(f"threads must be at least 1 (got {self.threads})")
        if self.preset not in PRESETS:
            near = meant(self.preset, PRESETS)
            raise UserError(f"unknown preset {self.preset!r}{near}; there are {', '.join(PRESETS)}")
        if self.device not in DEVICES:  # also for families that compute on no device
            near = meant(self.device, DEVICES)
            raise UserError(f"unknown device {self.device!r}{near}; there are {', '.join(DEVICES)}")
        checked_dials(self.dials)
        if self.weights is not None:
            self._check_weights(self.weights)

    def _check_weights(self, weights: tuple[float, ...]) -> None:
        if len(weights) != len(self.rows):
            raise UserError(f"there must be one weight a row (got {len(weights)} for {len(self.rows)} rows)")
        wrong = next((each for each in weights if not 0 < each < math.inf), None)
        if wrong is not None:
            raise UserError(f"the weight of a row must be above 0 (got {wrong}): leave out what shall not count")

    def applied(self, recipe: Recipe) -> Recipe:
        """A family's recipe as this lesson wants it: under its preset, with its dials turned."""
        return adjusted(preset(self.preset, recipe), self.dials)

    def note(self, text: str) -> None:
        if self.on_note is not None:
            self.on_note(text)

    def note_cut(self, count: int, *, longest: int) -> None:
        """Say how many inputs are not read to their end; nothing of none. They still teach something."""
        if count:
            inputs = "1 input is" if count == 1 else f"{count:,} inputs are"
            self.note(f"{inputs} longer than the {longest:,} tokens that this student reads: cut at the end")
