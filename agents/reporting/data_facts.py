"""A data set in figures: what was left out, balance, variety, agreement, and how it went. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from agents.filtering.balance import MOST_LABELS
from agents.filtering.variety import Variety, variety_of
from agents.finding.found.records import Found
from agents.judging.judging import JudgeFacts
from agents.making.axes import Axis, coverage
from agents.making.hard_cases import hard_rows
from agents.making.synthesis import Synthesis
from agents.making.truth import LabelAccuracy
from agents.reading.documents import Coverage, Documents, coverage_of
from agents.records import Example, Pair, Provenance, Reject, Spec
from agents.reporting.lengths import Lengths, lengths_of
from agents.reporting.shown import SAMPLED, SHOWN, Shown, cut, drawn

__all__ = ["Answer", "AxisRows", "DataFacts", "Stretch", "answers_of", "data_facts", "tenths"]

NOTHING_FOUND = Found()
NO_LENGTHS = Lengths()
MOST_FREQUENT = 20  # answers that the balance lists, where they are no labels
MOST_STRETCHES = 40  # as many points as a narrow screen can tell apart


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer, how many rows have it, and how many of the anchors; `wanted` is the share that was to have it."""

    answer: str
    rows: int
    anchors: int
    wanted: float | None = None


@dataclass(frozen=True, slots=True)
class AxisRows:
    """An axis of variation, and how many rows were made for each of its values."""

    name: str
    values: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some generating requests in a row: how hot they were in the mean, how many inputs they asked for, and what came.

    `usd` is what they and the labels of their inputs were paid; `temperature` is None where the endpoint takes none.
    `repeats` are inputs that nearly were there already.
    """

    requests: int
    temperature: float | None
    asked: int
    kept: int
    usd: float
    repeats: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFacts:
    """The data set in figures, with twenty rows and twenty that were left out, drawn by chance.

    `balance` has every label, or the most frequent answers of several rows; `agreements` a count for each tenth of
    agreement among all inputs that were voted on, the last for full agreement. `varied` says what moved in place of the
    temperature.
    """

    accepted: int
    rejected: Mapping[str, int]
    splits: Mapping[str, int]
    answers: int  # different ones
    balance: tuple[Answer, ...]
    anchors: int  # rows that the balance is compared with
    variety: Variety
    coverage: tuple[AxisRows, ...]
    documents: Coverage | None
    votes_asked: int
    votes_saved: int
    votes_kept: float  # the share of winners that all votes would have given too, at least
    agreement: float
    agreements: tuple[int, ...]
    stop: str
    course: tuple[Stretch, ...]
    varied: str
    label_accuracy: LabelAccuracy | None
    rows: tuple[Shown, ...]
    rejects: tuple[Shown, ...]
    judge: JudgeFacts | None = None
    origins: Mapping[str, int] = field(default_factory=dict)  # how many rows were generated, found, transformed
    sources: tuple[Mapping[str, str], ...] = ()  # the data sets that were looked into, and what was made of them
    input_lengths: Lengths = NO_LENGTHS
    output_lengths: Lengths = NO_LENGTHS


def data_facts(
    synthesis: Synthesis,
    found: Found = NOTHING_FOUND,
    *,
    spec: Spec,
    axes: Sequence[Axis],
    cases: Sequence[str] = (),
    documents: Documents | None = None,
    anchors: Sequence[Pair],
    splits: Mapping[str, int],
    votes: int,
    label_accuracy: LabelAccuracy | None,
    seed: int,
    judge: JudgeFacts | None = None,
    shares: Mapping[str, float] = MappingProxyType({}),
) -> DataFacts:
    """The data in figures.

    `votes` is how many a fixed vote would have asked of each input; `shares` are those of the rows that answers were to
    have.
    """
    examples, voted = synthesis.examples, synthesis.labellings
    answers = Counter(example.output for example in examples)
    rejects = (*found.rejects, *synthesis.rejects)
    return DataFacts(
        accepted=len(examples),
        rejected=dict(Counter(reject.reason for reject in rejects).most_common()),
        splits=dict(splits),
        answers=len(answers),
        balance=answers_of(answers, anchors=Counter(pair.output for pair in anchors), spec=spec, shares=shares),
        anchors=len(anchors),
        variety=variety_of(drawn((example.input for example in examples), SAMPLED, seed=seed)),
        coverage=_coverage(axes, cases, examples),
        documents=None if documents is None else coverage_of(documents, examples, requests=synthesis.requests),
        votes_asked=synthesis.votes_asked,
        votes_saved=votes * len(voted) - synthesis.votes_asked,
        votes_kept=sum(each.lasting for each in voted) / (len(voted) or 1),
        agreement=sum(example.vote.agreement for example in examples) / max(1, len(examples)),
        agreements=tenths(each.agreement for each in voted),
        stop=synthesis.why,
        course=_course(synthesis),
        varied=synthesis.varied,
        label_accuracy=label_accuracy,
        rows=tuple(map(_kept, drawn(examples, SHOWN, seed=seed))),
        rejects=tuple(map(_left_out, drawn(rejects, SHOWN, seed=seed))),
        judge=judge,
        origins=dict(Counter(example.provenance.origin for example in examples)),
        sources=tuple(source.told() for source in found.sources),
        input_lengths=lengths_of(example.input for example in examples),
        output_lengths=lengths_of(example.output for example in examples),
    )


def _coverage(axes: Sequence[Axis], cases: Sequence[str], examples: Sequence[Example]) -> tuple[AxisRows, ...]:
    """The axes of the plan, and its hard cases as one more."""
    rows = coverage(axes, examples)
    if cases:
        rows["hard cases"] = hard_rows(cases, (example.provenance.case for example in examples))
    return tuple(AxisRows(name, values) for name, values in rows.items())


def answers_of(
    counts: Counter[str], *, anchors: Counter[str], spec: Spec, shares: Mapping[str, float] = MappingProxyType({})
) -> tuple[Answer, ...]:
    """Every label, or else the answers of several rows, the most frequent; and what is named but no row has."""
    named = (*spec.labels, *(() if spec.empty_answer is None else (spec.empty_answer,)))
    most, least = (MOST_LABELS, 1) if spec.labels else (MOST_FREQUENT, 2)
    frequent = [answer for answer, rows in counts.most_common(most) if rows >= least]
    return tuple(
        Answer(cut(answer), counts[answer], anchors[answer], shares.get(answer))
        for answer in dict.fromkeys([*frequent, *named])
    )


def tenths(agreements: Iterable[float]) -> tuple[int, ...]:
    """How many fall into each tenth from 0 on; the last is for those of 1, and nothing else."""
    counts = Counter(int(10 * agreement) for agreement in agreements)
    return tuple(counts[tenth] for tenth in range(11))


def _course(synthesis: Synthesis) -> tuple[Stretch, ...]:
    """How it went, request by request, or by stretches of equal length where there are many."""
    size = max(1, math.ceil(synthesis.requests / MOST_STRETCHES))
    repeats = Counter(each.provenance.request // size for each in synthesis.rejects if each.reason == "duplicate")
    return tuple(
        _stretch(synthesis, slice(start, start + size), repeats=repeats[start // size])
        for start in range(0, synthesis.requests, size)
    )


def _stretch(synthesis: Synthesis, part: slice, *, repeats: int) -> Stretch:
    heats = [heat for heat in synthesis.temperatures[part] if heat is not None]
    return Stretch(
        requests=len(synthesis.yields[part]),
        temperature=round(math.fsum(heats) / len(heats), 4) if heats else None,
        asked=sum(synthesis.asked[part]),
        kept=sum(synthesis.yields[part]),
        usd=math.fsum(synthesis.costs_usd[part]),
        repeats=repeats,
    )


def _place(source: Provenance) -> str:
    if source.dataset:
        return f"row {source.row} of {source.dataset}"
    if source.origin == "served":
        return "asked of a student"
    return f"request {source.request}" if source.request >= 0 else "of an earlier run"


def _kept(example: Example) -> Shown:
    return Shown(
        input=cut(example.input),
        output=cut(example.output),
        about=f"{_place(example.provenance)}, agreement {example.vote.agreement:.2f}",
    )


def _left_out(reject: Reject) -> Shown:
    return Shown(
        input=cut(reject.input),
        output=cut(reject.output or ""),
        about=_place(reject.provenance),
        reason=reject.reason,
        detail=cut(reject.detail),
    )
