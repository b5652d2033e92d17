"""A run's judge: seated before rows are made, if one is wanted, and told of in the end: what it refused and cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from agents.asks import Asks
from agents.config import Configuration
from agents.finding.found.records import Found
from agents.judging.calibration import Calibration
from agents.judging.judge import Judge, Judged, calibrate, verdicts
from agents.judging.rubric import refusal_of
from agents.making.synthesis import Synthesis
from agents.records import Example, Pair, Reject, Spec, Verdict
from engine.events import Events, Noted
from engine.prices import dollars

if TYPE_CHECKING:
    from engine import Engine, Statistics

__all__ = ["JudgeFacts", "Ruled", "judge_facts", "judge_found", "ruled_in", "seat_judge", "usable"]

OWN_JUDGE = (
    "the teacher judges its own rows: it finds slips, and not what it takes for right each time; another model does "
    "([models], judge = ...)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruled:
    """How many rows were kept with a verdict and without one, and how many were refused, by criterion."""

    passed: int
    unjudged: int
    refused: Mapping[str, int]

    @classmethod
    def of(cls, kept: Iterable[Verdict | None], refused: Iterable[Verdict | None]) -> Ruled:
        """What the verdicts on the rows that were kept, and on those that were refused, come to."""
        is_judged = Counter(verdict is not None for verdict in kept)
        criteria = Counter(verdict.criterion for verdict in refused if verdict is not None)
        return cls(passed=is_judged[True], unjudged=is_judged[False], refused=dict(criteria.most_common()))

    @property
    def judged(self) -> int:
        return self.passed + sum(self.refused.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeFacts:
    """A judge in figures: what its calibration says, what it refused, and what all of that has cost."""

    told: str
    calibration: Calibration
    ruled: Ruled
    charged: str
    per_accepted: str

    def sentence(self) -> str:
        """The judge in a sentence."""
        if not self.calibration.is_used:
            return f"{self.told[:1].upper()}{self.told[1:]}; asking it cost {self.charged}."
        refused = ", ".join(f"{count:,} for the {criterion}" for criterion, count in self.ruled.refused.items())
        return (
            f"A judge was asked about {self.ruled.judged:,} rows for {self.charged} ({self.per_accepted} a row kept) "
            f"and refused {sum(self.ruled.refused.values()):,}{f' ({refused})' if refused else ''}."
            f"{self._left}{self._doubt}"
        )

    @property
    def _left(self) -> str:
        """That rows were kept which it was not asked about, or of which it said nothing, if there are any."""
        unjudged = self.ruled.unjudged
        return f" {unjudged:,} row{'s were' if unjudged > 1 else ' was'} kept without a verdict." if unjudged else ""

    @property
    def _doubt(self) -> str:
        """That it refused more than anybody should believe, if it did: rows may be unlike those it was tried on."""
        if 2 * self.ruled.passed >= self.ruled.judged:
            return ""
        return " That is more than half: look at what it refused before you believe it."


async def seat_judge(
    spec: Spec, configuration: Configuration, engine: Engine, *, given: Sequence[Pair], events: Events
) -> Judge | None:
    """The judge, where one is wanted, after it was tried on rows whose truth is known. Says what came of that."""
    judge = await calibrate(engine, spec, given, seed=configuration.seed) if configuration.judge else None
    if judge is not None:
        events.emit(Noted(judge.calibration.told()))
    if usable(judge) is not None and "judge" not in configuration.by_role:
        events.emit(Noted(OWN_JUDGE))
    if usable(judge) is None:
        engine.finish(tag="judge")
    return judge


def usable(judge: Judge | None) -> Judge | None:
    """The judge, if its calibration lets it decide anything."""
    return judge if judge is not None and judge.calibration.is_used else None


async def judge_found(asks: Asks, judge: Judge | None, found: Found) -> Found:
    """The rows of existing data that the judge does not refuse; what it refuses is among the rejects of its source."""
    if judge is None or not found.examples:
        return found
    said = await verdicts(asks, judge, [Pair(row.input, row.output) for row in found.examples])
    rows = [_with_verdict(row, one) for row, one in zip(found.examples, said, strict=True)]
    refused = [_refused(row) for row in rows if refusal_of(row.vote.verdict)]
    lost = Counter(reject.provenance.dataset for reject in refused)
    return replace(
        found,
        examples=tuple(row for row in rows if not refusal_of(row.vote.verdict)),
        rejects=(*found.rejects, *refused),
        sources=tuple(replace(source, kept=source.kept - lost[source.dataset]) for source in found.sources),
    )


def _with_verdict(row: Example, one: Judged) -> Example:
    vote = replace(row.vote, verdict=one.verdict, cost_usd=row.vote.cost_usd + one.cost_usd)
    return replace(row, vote=vote)


def _refused(row: Example) -> Reject:
    verdict = row.vote.verdict
    detail = "" if verdict is None else verdict.told()
    return Reject(row.input, row.output, "judge", row.provenance, detail, verdict)


def ruled_in(synthesis: Synthesis, found: Found) -> Ruled:
    """What a judge said of the rows that were made or found."""
    rejects = (*found.rejects, *synthesis.rejects)
    refused = [reject.verdict for reject in rejects if reject.reason == "judge"]
    return Ruled.of([example.vote.verdict for example in synthesis.examples], refused)


def judge_facts(judge: Judge | None, figures: Statistics, ruled: Ruled) -> JudgeFacts | None:
    """What there is to tell of a judge in the end; None where none was wanted."""
    if judge is None:
        return None
    tag = figures.by_tag.get("judge")
    cost = 0 if tag is None else tag.cost + tag.saved
    accepted = ruled.passed + ruled.unjudged
    return JudgeFacts(
        told=judge.calibration.told(),
        calibration=judge.calibration,
        ruled=ruled,
        charged=dollars(cost),
        per_accepted=dollars(cost // accepted) if accepted else "-",
    )
