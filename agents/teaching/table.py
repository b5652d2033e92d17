"""What tuning a teacher brought, as a table: who learnt from what, how much of it, and how good it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engine.evaluation import Score
from engine.text import visible

__all__ = ["Cell", "TeachReport", "lines_of", "page_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """A line of the table: whom it judges, on how many real labels it stands, from how many rows it learnt.

    Without `scores`, `why` says what kept it from being trained. `unanswered` are test rows without an answer that
    could be used; they count as wrong.
    """

    who: str
    labels: int
    rows: int
    scores: tuple[Score, ...] = ()
    why: str = ""
    unanswered: int = 0
    seconds: float | None = None  # of training; None where none was, or an earlier start had done it

    @classmethod
    def of(cls, table: Mapping[str, Any]) -> Cell:
        """The cell that `asdict` made plain values of."""
        return cls(**{**table, "scores": tuple(Score(**score) for score in table["scores"])})


@dataclass(frozen=True, slots=True, kw_only=True)
class TeachReport:
    """A tuned teacher, where it lies, and the table. Scores are on `test_rows` real rows, never on made-up ones."""

    model: str
    teacher: str
    spec: str
    student: str
    test_rows: int
    seed: int
    whole: bool
    cells: tuple[Cell, ...]
    notes: tuple[str, ...] = ()

    def as_table(self) -> dict[str, object]:
        """Plain values, for JSON."""
        return asdict(self)


def lines_of(report: TeachReport) -> list[dict[str, str]]:
    """The lines as text, all with the same columns."""
    metrics = next((tuple(score.metric for score in cell.scores) for cell in report.cells if cell.scores), ("score",))
    return [_line(cell, metrics) for cell in report.cells]


def _line(cell: Cell, metrics: tuple[str, ...]) -> dict[str, str]:
    told = [score.figure for score in cell.scores]
    figures = told or [cell.why, *[""] * (len(metrics) - 1)]
    return {
        "real labels": f"{cell.labels:,}",
        "who": cell.who,
        "rows": f"{cell.rows:,}",
        **dict(zip(metrics, figures, strict=True)),
        "unanswered": f"{cell.unanswered:,}" if cell.unanswered else "",
    }


def page_of(report: TeachReport) -> str:
    """The table as a page of Markdown, with what it is about and how the teacher is used."""
    lines = lines_of(report)
    columns = list(lines[0])
    table = [_row(columns), _row(["---"] * len(columns)), *(_row(list(line.values())) for line in lines)]
    about = (
        f"`{report.model}` was tuned on real labels in both directions: to label inputs, and to write new ones. Each "
        f"line is judged on the same {report.test_rows:,} real rows; intervals are 95 %. Students are of the family "
        f"`{report.student}`. Annotated rows were labelled by the tuned teacher, generated ones written by it as well."
    )
    use = "Ask it as any other teacher, with the task as it has learnt it:"
    command = f"    smelt run {report.spec} --model local/{report.teacher}"
    parts = ["# A tuned teacher", about, "\n".join(table), *report.notes, use, command]
    return "\n\n".join(parts) + "\n"


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(' '.join(visible(cell).replace('|', '/').split()) for cell in cells)} |"
