"""What a run tells of its student, for the page beside it: how it was judged, and whose data and model it stands on.

Read from what lies there already; whatever is missing or not as it should be is not told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from engine.errors import UserError
from engine.retrieval import load_models
from engine.training import Card, read_card

__all__ = ["Facts", "Figure", "Source", "facts_of"]

CALLED = {"test": "real rows", "synthetic": "synthetic rows", "demonstrations": "the prompt's demonstrations"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """A score on some rows, with its 95 % interval and the best that a baseline reached there."""

    on: str
    rows: int
    metric: str
    value: float
    low: float
    high: float
    baseline: str = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A data set that rows came from."""

    dataset: str
    rows: int
    licence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known; nothing, where there is no run beside the student."""

    figures: tuple[Figure, ...] = ()
    sources: tuple[Source, ...] = ()
    base_licence: str = ""

    @property
    def has_real(self) -> bool:
        return any(figure.on == CALLED["test"] for figure in self.figures)


def facts_of(student: Path) -> Facts:
    """What the run that a student's folder lies in says of it, and the catalogue of the model it started from."""
    report = _report(student.resolve().parent / "report.json") if student.name == "student" else {}
    return Facts(
        figures=tuple(_figures(report)), sources=tuple(_sources(report)), base_licence=_licence(read_card(student))
    )


def _report(path: Path) -> Mapping[str, object]:
    with suppress(OSError, ValueError):  # there is none yet, or it is not ours
        report = json.loads(path.read_bytes())
        if isinstance(report, dict):
            return report
    return {}


def _figures(report: Mapping[str, object]) -> Iterator[Figure]:
    for judged in _tables(report.get("judgements")):
        rivals = (each for each in _tables(judged.get("baselines")) if each.get("is_baseline") is not False)
        baselines = (score for each in rivals for score in _main(each))
        best = max((value for _, value, _, _ in baselines), default=None)
        for metric, value, low, high in _main(judged.get("student")):
            yield Figure(
                on=CALLED.get(str(judged.get("on")), str(judged.get("on"))),
                rows=int(str(judged.get("rows", 0))),
                metric=metric,
                value=value,
                low=low,
                high=high,
                baseline="-" if best is None else f"{best:.3f}",
            )


def _main(judged: object) -> Iterator[tuple[str, float, float, float]]:
    """The first score of a predictor, if it has any."""
    for score in _tables(judged.get("scores") if isinstance(judged, dict) else None):
        with suppress(KeyError, TypeError, ValueError):
            yield str(score["metric"]), *(float(str(score[name])) for name in ("value", "low", "high"))  # type: ignore[misc]  # three of them
        return


def _sources(report: Mapping[str, object]) -> Iterator[Source]:
    data = report.get("data")
    for told in _tables(data.get("sources") if isinstance(data, dict) else None):
        rows = told.get("kept")
        if isinstance(rows, int) and rows:
            yield Source(dataset=str(told.get("dataset")), rows=rows, licence=str(told.get("licence") or "unknown"))


def _tables(value: object) -> Iterator[Mapping[str, object]]:
    yield from (each for each in (value if isinstance(value, list) else ()) if isinstance(each, dict))


def _licence(card: Card) -> str:
    """As the model's own page says, or else a catalogue."""
    if card.base_licence or card.base is None:
        return card.base_licence or ""
    with suppress(UserError):  # a catalogue that cannot be read is said where it is searched
        return next((each.licence for each in load_models().cards if each.id == card.base), "")
    return ""
