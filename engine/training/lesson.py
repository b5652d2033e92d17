"""What a family is given to learn from, checked once for all of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.errors import UserError
from engine.training.student import OnProgress, Row

__all__ = ["Lesson"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Rows to learn from, rows to choose by, and the conditions.

    Raises UserError for what cannot teach anything: fewer than two rows, one output for all, a limit of no time.
    """

    rows: tuple[Row, ...]
    validation: tuple[Row, ...] = ()
    seed: int = 0
    time_limit_s: float | None = None
    base: str | None = None
    threads: int | None = None
    task: Mapping[str, object] = field(default_factory=dict)
    on_progress: OnProgress | None = None

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
