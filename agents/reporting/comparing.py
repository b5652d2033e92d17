"""Several runs of one task side by side: what was set otherwise, what it cost and took, what came of it.

Pure but for `read_run`, which reads a run's folder. Students are compared by a paired test on the rows that both were
judged by; where they share none, only their intervals stand beside each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.config import Configuration
from agents.config_file import as_table
from agents.evaluate.judged_rows import judged_rows
from agents.evaluate.judgement import CALLED, Sample
from agents.reporting.report import read_report
from agents.run_folder import RunFolder
from engine.errors import UserError
from engine.evaluation import Difference, better

__all__ = ["Compared", "Comparison", "Line", "Paired", "compared", "is_of_another_task", "read_run"]

UNSAID = "-"
ABOUT_INPUT = ("inputs", "inputs_sha256", "formers")  # no settings: what the run found when it began or went on


@dataclass(frozen=True, slots=True)
class Compared:
    """A run that has a report."""

    name: str
    configuration: Configuration
    prompt: str
    report: Mapping[str, Any]
    judged: Mapping[str, Sequence[Sample]]


@dataclass(frozen=True, slots=True)
class Line:
    """A figure or a setting, of each run, in their order."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Paired:
    """How far a run's student is ahead of the first run's, on the rows that both were judged by.

    `of` are all rows that either was judged by.
    """

    run: str
    on: str
    of: int
    ahead: Difference

    def told(self, first: str) -> str:
        """As a sentence."""
        how = (
            "clearly better than" if self.ahead.is_better
            else "clearly worse than" if self.ahead.is_worse
            else "not clearly apart from"
        )  # fmt: skip
        shared = "" if self.of == self.ahead.rows else f" that they share, of {self.of:,}"
        return (
            f"On {self.ahead.rows:,} {CALLED[self.on]}{shared}, {self.run} is {how} {first}: "  # type: ignore[index]  # one of them
            f"{self.ahead} {self.ahead.metric}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """The runs by name, and what there is to say of them; `left_out` says why of each that is not among them.

    `judgements` are the main scores in numbers: for each set of rows those of the runs, in the form of `report.json`.
    """

    runs: tuple[str, ...]
    settings: tuple[Line, ...]
    cost: tuple[Line, ...]
    data: tuple[Line, ...]
    scores: tuple[Line, ...]
    paired: tuple[Paired, ...]
    judgements: tuple[Mapping[str, Any], ...] = ()
    left_out: tuple[str, ...] = ()

    def told(self) -> list[str]:
        """Whose student does better, in sentences."""
        if not self.paired:
            return ["No two students were judged by the same rows: give both runs the same --test FILE."]
        return [paired.told(self.runs[0]) for paired in self.paired]


def read_run(path: Path) -> Compared:
    """A run that has ended. Raises UserError, in one line, for any other."""
    folder = RunFolder(path)
    configuration = folder.configuration()
    if configuration.inputs is not None:
        raise UserError(f"{path}: labelled a file's inputs, and has no student to compare: smelt report {path}")
    return Compared(
        path.resolve().name, configuration, folder.prompt_text(), read_report(folder), judged_rows(folder.judged)
    )


def is_of_another_task(run: Compared, first: Compared) -> bool:
    """Whether the answers of the two are of different kinds: the wording of a prompt may be what is compared."""
    ours, theirs = first.report["spec"], run.report["spec"]
    return any(ours[name] != theirs[name] for name in ("kind", "form")) or set(ours["labels"]) != set(theirs["labels"])


def compared(runs: Sequence[Compared], *, left_out: Sequence[str] = ()) -> Comparison:
    """The first run is the one that the others are held against."""
    named = _named_apart([run.name for run in runs])
    reports = [run.report for run in runs]
    return Comparison(
        runs=tuple(named),
        settings=tuple(_settings(runs)),
        cost=tuple(_costs(reports)),
        data=tuple(_data([report["data"] for report in reports])),
        scores=tuple(_scores(reports)),
        paired=tuple(_paired(runs, named)),
        judgements=tuple(_side_by_side(reports, named)),
        left_out=tuple(left_out),
    )


def _named_apart(names: Sequence[str]) -> list[str]:
    return [name if names.count(name) == 1 else f"{at}: {name}" for at, name in enumerate(names, start=1)]


def _settings(runs: Sequence[Compared]) -> Iterator[Line]:
    """Those that are not the same in all runs."""
    tables = [{**as_table(run.configuration), "prompt": run.prompt} for run in runs]
    for name in sorted(set().union(*tables) - set(ABOUT_INPUT)):
        values = [table.get(name) for table in tables]
        if any(value != values[0] for value in values):
            yield Line(name, tuple(_numbered(values) if name == "prompt" else map(_setting, values)))


def _setting(value: object) -> str:
    return UNSAID if value is None else str(value)


def _numbered(prompts: Sequence[object]) -> Iterator[str]:
    """Prompts are too long for a table: who has which of them."""
    seen = list(dict.fromkeys(prompts))
    return (f"prompt {1 + seen.index(prompt)}" for prompt in prompts)


def _costs(reports: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    money = [report["money"] for report in reports]
    yield Line("charged", tuple(each["charged"] for each in money))
    yield Line("per row", tuple(each["per_accepted"] for each in money))
    yield Line("requests", tuple(f"{each['requests']:,}" for each in money))
    paces = [report["pace"] for report in reports]
    yield Line("seconds in all", tuple(UNSAID if pace is None else f"{pace['seconds']:,.0f}" for pace in paces))
    took = [report["training"] and report["training"]["seconds"] for report in reports]
    yield Line("seconds of training", tuple(UNSAID if seconds is None else f"{seconds:,.0f}" for seconds in took))


def _data(facts: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    yield Line("rows kept", tuple(f"{each['accepted']:,}" for each in facts))
    reasons = dict.fromkeys(reason for each in facts for reason in each["rejected"])
    for reason in reasons:
        yield Line(f"left out: {reason}", tuple(f"{each['rejected'].get(reason, 0):,}" for each in facts))
    yield Line("different answers", tuple(f"{each['answers']:,}" for each in facts))
    yield Line("different pairs of words", tuple(f"{each['variety']['distinct_2']:.1%}" for each in facts))
    yield Line("nearly another one", tuple(f"{each['variety']['repeated']:.1%}" for each in facts))
    yield Line("mean agreement", tuple(f"{each['agreement']:.3f}" for each in facts))
    truths = [each["label_accuracy"] for each in facts]
    if any(truths):
        yield Line("labels right", tuple(UNSAID if truth is None else f"{truth['voted']:.1%}" for truth in truths))


def _scores(reports: Sequence[Mapping[str, Any]]) -> Iterator[Line]:
    """The student's main score on each set of rows, real ones first, and whether it is fit for use."""
    yield Line("student", tuple(report["choice"]["student"] if report["training"] else UNSAID for report in reports))
    yield Line("fit for use", tuple(report["trust"] for report in reports))
    by_place = [{each["on"]: each for each in report["judgements"]} for report in reports]
    for on in ("test", "synthetic", "demonstrations"):
        if any(on in places for places in by_place):
            yield Line(CALLED[on], tuple(_score(places.get(on)) for places in by_place))


def _side_by_side(reports: Sequence[Mapping[str, Any]], named: Sequence[str]) -> Iterator[Mapping[str, Any]]:
    """The scores of the runs that have one on the same kind of rows, as a report has a student's and its rivals'."""
    for on in ("test", "synthetic"):
        judged = [
            {"name": name, "scores": each["student"]["scores"][:1], "is_baseline": False}
            for name, report in zip(named, reports, strict=True)
            for each in report["judgements"]
            if each["on"] == on
        ]
        metrics = {each["scores"][0]["metric"] for each in judged}
        if len(judged) > 1 and len(metrics) == 1:
            yield {"on": on, "student": judged[0], "baselines": judged[1:]}


def _score(judgement: Mapping[str, Any] | None) -> str:
    if judgement is None:
        return UNSAID
    score = judgement["student"]["scores"][0]
    interval = f"({score['low']:.3f} to {score['high']:.3f})"
    return f"{score['value']:.3f} {interval} {score['metric']}, {judgement['rows']:,} rows"


def _paired(runs: Sequence[Compared], named: Sequence[str]) -> Iterator[Paired]:
    first, *others = runs
    for name, run in zip(named[1:], others, strict=True):
        for on in ("test", "synthetic", "demonstrations"):
            metric = _shared_metric(first.report, run.report, on)
            ours, theirs = _by_row(run.judged.get(on, ())), _by_row(first.judged.get(on, ()))
            both = [row for row in theirs if row in ours]
            if metric is not None and both:
                ahead = better(
                    [ours[row] for row in both], [theirs[row] for row in both], [wanted for _, wanted in both],
                    metric=metric, seed=first.configuration.seed,
                )  # fmt: skip
                yield Paired(run=name, on=on, of=len(ours.keys() | theirs.keys()), ahead=ahead)


def _shared_metric(first: Mapping[str, Any], other: Mapping[str, Any], on: str) -> str | None:
    metrics = [
        each["student"]["scores"][0]["metric"] for report in (first, other) for each in report["judgements"]
        if each["on"] == on
    ]  # fmt: skip
    return str(metrics[0]) if len(metrics) == 2 and metrics[0] == metrics[1] else None


def _by_row(samples: Sequence[Sample]) -> dict[tuple[str, str], str]:
    """Answers by input and right answer; of equal rows the answers are equal."""
    return {(sample.input, sample.wanted): sample.got for sample in samples}
