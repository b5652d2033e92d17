"""What is to be said of a run: three sentences to read first, those that follow, and what to be wary of. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from agents.evaluate import Findings, Judgement
from agents.evaluate.told import ENOUGH_REAL_ROWS, compared, sentences
from agents.filtering.strange import strange_told
from agents.finding.found.told import of_the_data, of_the_scores, of_the_served
from agents.records import Spec
from agents.reporting.data_facts import DataFacts
from agents.reporting.money import Money

__all__ = ["SIMULATED", "Summary", "Trust", "about_prompt", "summary", "warnings"]

SIMULATED = "The teacher is simulated: its answers, prices and latencies are made up, and so is this data."

# Of `tiny`: of inputs of 100 bytes, an eighth of the planned steps left it answering the most frequent answer always.
HARDLY_BEGUN = 0.25

Trust = Literal["yes", "with care", "not yet", "no student"]
"""Whether the figures speak for the student: it is clearly better than the plainest on enough real rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The verdict in three sentences: the score that counts, what it is worth, what the data is and cost.

    `details` are the sentences after it, for who reads on.
    """

    trust: Trust
    verdict: tuple[str, str, str]
    details: tuple[str, ...]


def summary(
    *, found: Findings, data: DataFacts, money: Money, simulated: bool, given_are_synthetic: bool = False
) -> Summary:
    """The outcome, the real figure first if there is one."""
    scored, *rest = sentences(found) or ["No student was trained, so there is no score."]
    trust, worth = _worth(found.judgements, given_are_synthetic=given_are_synthetic)
    teacher = "a simulated teacher" if simulated else "the teacher"
    rows = "1 row was" if data.accepted == 1 else f"{data.accepted:,} rows were"
    made = f"{rows} made and kept with {teacher} for {money.told()} ({data.stop})."
    details = [*of_the_data(data.origins, data.sources), *of_the_served(data.origins)]
    if money.outlook is not None:
        details.append(money.outlook.told())
    details += rest
    if data.judge is not None:
        details.append(data.judge.sentence())
    if data.label_accuracy is not None:
        details.append(data.label_accuracy.told())
    return Summary(trust=trust, verdict=(scored, worth, made), details=tuple(details))


def _worth(judgements: Sequence[Judgement], *, given_are_synthetic: bool) -> tuple[Trust, str]:
    """What the score is worth, the gravest reason first."""
    by_place = {judgement.on: judgement for judgement in judgements}
    real = None if given_are_synthetic else by_place.get("test")
    synthetic = by_place.get("synthetic")
    counts = real or by_place.get("test") or synthetic
    if counts is None:
        return "no student", "There are rows, and no student that anything could be said of."
    if (rival := counts.unbeaten()) is not None:
        return "not yet", (
            f"Do not use it yet: on the {counts.called()} it is not clearly better than the baseline {rival.name!r}."
        )
    if real is None:
        return "with care", "No real labelled row has judged it: how well it does on yours is not known."
    if real.rows < ENOUGH_REAL_ROWS:
        rows = "1 real row has" if real.rows == 1 else f"{real.rows} real rows have"
        return "with care", f"Only {rows} judged it: it beats every baseline, but its score is hardly known."
    if compared(real, synthetic):
        return "with care", "It beats every baseline on real rows, but those and the synthetic ones are not of a kind."
    if real.facts.missing:
        return "with care", "It beats every baseline on real rows, but of some labels there is no real row to judge by."
    return "yes", "It is clearly better than every baseline on real rows."


def warnings(
    *,
    judgements: Sequence[Judgement],
    spec: Spec,
    simulated: bool,
    given_are_synthetic: bool = False,
    training: Mapping[str, object] = MappingProxyType({}),
    origins: Mapping[str, int] = MappingProxyType({}),
    strange: Mapping[str, int] = MappingProxyType({}),
) -> tuple[str, ...]:
    """What a reader must know before trusting the scores.

    `given_are_synthetic` says that the given test rows are a simulated world's own: no real ones. `strange` are their
    labels that the prompt does not have; `training` are the details of the student's.
    """
    found = [text for judgement in judgements for text in judgement.warnings()]
    if cut := _cut_short(training):
        found.append(cut)
    by_place = {judgement.on: judgement for judgement in judgements}
    found += of_the_scores(origins) if judgements else []
    if simulated:
        found.append(SIMULATED)
    if given_are_synthetic:
        found.append("The given test rows follow the simulated world's own rules: they are synthetic too.")
    real = None if given_are_synthetic else by_place.get("test")
    if judgements and real is None:
        found.append(
            f"No real labelled rows were given: the synthetic score is no promise. "
            f"Judge by your own rows with --test FILE ({ENOUGH_REAL_ROWS} or more)."
        )
    found += compared(real, by_place.get("synthetic"))
    return (*found, *strange_told(strange, where="the given test rows"), *about_prompt(spec))


def about_prompt(spec: Spec) -> list[str]:
    """What a reader must know about the prompt."""
    open_ends = [f"The prompt leaves something open ({doubt.about}): {doubt.why}." for doubt in spec.doubts]
    if spec.demonstrations:
        return open_ends
    return ["The prompt has no demonstrations: the teacher had the instruction alone.", *open_ends]


def _cut_short(details: Mapping[str, object]) -> str | None:
    """That somebody, or long before its end the time limit, ended the training, if so it was."""
    steps, planned = details.get("steps"), details.get("steps_planned")
    if not isinstance(steps, int) or not isinstance(planned, int):
        return None
    if details.get("ended_by") == "request":
        return (
            f"You ended the training after {steps:,} of {planned:,} steps. To have it whole, take the folder student "
            "away: smelt resume trains it anew."
        )
    if steps >= HARDLY_BEGUN * planned:
        return None
    return (
        f"The time for training was over after {steps:,} of {planned:,} steps: "
        f"give it more with --train-seconds, or more --threads."
    )
