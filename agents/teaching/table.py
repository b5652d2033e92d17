"""What tuning a teacher brought, as a table: who learnt from what, how much of it, and how good it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from engine.evaluation import Score
from engine.text import visible

__all__ = ["OF_ALL", "OF_REAL_ROWS", "Cell", "TeachReport", "lines_of", "page_of", "warnings_of"]

OF_REAL_ROWS: Final = "student of real rows"
OF_ALL: Final = "student of all of these"


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


def warnings_of(cells: Sequence[Cell]) -> list[str]:
    """A line where what the teacher made has clearly done harm, on the most labels that tell of both students."""
    by_who = {(cell.who, cell.labels): cell.scores[0] for cell in cells if cell.scores}
    for labels in sorted({cell.labels for cell in cells}, reverse=True):
        alone, together = by_who.get((OF_REAL_ROWS, labels)), by_who.get((OF_ALL, labels))
        if alone is not None and together is not None:
            return [_harm(labels, alone, together)] if alone.low > together.high else []
    return []


def _harm(labels: int, alone: Score, together: Score) -> str:
    return (
        f"This teacher makes students worse: {alone.metric} {alone.figure} of {labels:,} real labels alone, "
        f"{together.figure} with what it made. A larger model or more labels may do better; until then leave it out."
    )


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
