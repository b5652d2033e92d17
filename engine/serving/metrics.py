"""Figures of a server in the text format that Prometheus reads (exposition format 0.0.4). Counts, and never steers.

Written out here: three kinds of figures take fewer lines than a registry of somebody else's would take to tame.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from engine.serving.answers import Answer

__all__ = ["CONTENT_TYPE", "Histogram", "Metrics", "exposed"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

SECONDS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
SIZES: Final = (1, 2, 4, 8, 16, 32, 64)
SHARES: Final = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 1.0)

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Histogram:
    """How many values lie at or below each bound."""

    bounds: Sequence[float]
    total: float = 0.0
    _counts: list[int] = field(init=False)

    def __post_init__(self) -> None:
        self._counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        self._counts[bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        return sum(self._counts)

    def lines(self, name: str) -> list[str]:
        so_far, lines = 0, []
        for bound, count in zip((*self.bounds, math.inf), self._counts, strict=True):
            so_far += count
            lines.append(_line(f"{name}_bucket", (("le", _number(bound)),), so_far))
        return [*lines, _line(f"{name}_sum", (), self.total), _line(f"{name}_count", (), so_far)]


@dataclass(slots=True)
class Metrics:
    """What a server counts. Figures of the moment, such as the queue, are handed in when it is asked."""

    requests: Counter[Labels] = field(default_factory=Counter)  # by path and status
    answers: Counter[Labels] = field(default_factory=Counter)  # by who gave them
    unsure: Counter[Labels] = field(default_factory=Counter)  # by what became of them
    seconds: Histogram = field(default_factory=lambda: Histogram(SECONDS))
    batches: Histogram = field(default_factory=lambda: Histogram(SIZES))
    confidence: Histogram = field(default_factory=lambda: Histogram(SHARES))

    def request_done(self, *, path: str, status: int, seconds: float) -> None:
        """A request has been answered, or refused. `path` is one of the server's own: anybody may send any other."""
        self.requests[(("path", path), ("status", str(status)))] += 1
        self.seconds.add(seconds)

    def batch_begun(self, size: int) -> None:
        self.batches.add(size)

    def answered(self, answer: Answer) -> None:
        """An answer was given. Of a teacher's the student's own confidence counts, where that is told."""
        self.answers[(("by", answer.by),)] += 1
        confidence = answer.more.get("student_confidence", answer.confidence)
        if isinstance(confidence, float | int):
            self.confidence.add(float(confidence))
        if answer.by == "teacher" or answer.unsure:
            self.unsure[(("outcome", answer.unsure or "asked"),)] += 1

    def text(self, now: Mapping[str, float]) -> str:
        """All figures; `now` are those of the moment, by name."""
        lines = [
            *exposed("smelt_requests_total", "counter", "Requests by path and status.", self.requests),
            *exposed("smelt_answers_total", "counter", "Answers by who gave them.", self.answers),
            *exposed("smelt_unsure_total", "counter", "Unsure answers by what became of them.", self.unsure),
            *_head("smelt_request_seconds", "histogram", "How long requests took."),
            *self.seconds.lines("smelt_request_seconds"),
            *_head("smelt_batch_size", "histogram", "How many inputs were answered together."),
            *self.batches.lines("smelt_batch_size"),
            *_head("smelt_confidence", "histogram", "How sure the student was."),
            *self.confidence.lines("smelt_confidence"),
        ]
        for name, value in now.items():
            lines += exposed(f"smelt_{name}", "gauge", f"{name.replace('_', ' ').capitalize()}.", {(): value})
        return "\n".join(lines) + "\n"


def exposed(name: str, kind: str, told: str, values: Mapping[Labels, float]) -> list[str]:
    """A figure with all its labels, in a fixed order; one without any value yet is told without."""
    return [*_head(name, kind, told), *(_line(name, labels, values[labels]) for labels in sorted(values))]


def _head(name: str, kind: str, told: str) -> list[str]:
    return [f"# HELP {name} {told}", f"# TYPE {name} {kind}"]


def _line(name: str, labels: Labels, value: float) -> str:
    told = ",".join(f'{label}="{_escaped(text)}"' for label, text in labels)
    return f"{name}{{{told}}} {_number(value)}" if told else f"{name} {_number(value)}"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if value == int(value) else repr(float(value))
