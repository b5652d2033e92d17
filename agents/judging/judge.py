"""Asking a judge about labelled rows: it is calibrated first, on rows whose truth is known, and perhaps not used.

What a judge says of a row changes that row alone. Where it says nothing that can be read, the row is asked about alone
once more, and then passes as it would without a judge: a judge that fails costs money, and no rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from typing import TypeVar

from agents.asks import Asks, all_of, attempt, coldest, question_of, takes_schema
from agents.chance import chance
from agents.judging.calibration import (
    LEAST_ANCHORS,
    Calibration,
    Trial,
    anchors_of,
    calibrated,
    deal,
    too_few,
    trials_of,
)
from agents.judging.rubric import companies, length_of, question, read_verdicts
from agents.records import Pair, Spec, Verdict
from agents.voting.ballots import Annotation, may_be_one_of_them
from engine.errors import RequestFailed, SmeltError
from engine.messages import Outcome

__all__ = ["Judge", "Judged", "calibrate", "judged", "verdicts"]

TOGETHER = 8  # rows that may share a call
LONGEST_JUDGED = 200_000  # characters; what is set aside for one longer row would end a small budget for all others
SHOWN = 4  # rows that are known to be right, in each call

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """A judge as it was calibrated, and as it is asked: how many rows at once, beside which that are right."""

    spec: Spec
    calibration: Calibration
    shown: tuple[Pair, ...] = ()
    together: int = TOGETHER
    temperature: float | None = None
    with_schema: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What came of asking about one row: a verdict, if one could be read; what was paid; what ended more than that."""

    verdict: Verdict | None = None
    cost_usd: float = 0.0
    error: SmeltError | None = None


async def calibrate(asks: Asks, spec: Spec, given: Sequence[Pair], *, seed: int) -> Judge:
    """A judge, with what right rows and spoiled ones say of it; ask it only if its calibration says so.

    The anchors are the demonstrations and rows of the user's own. Each is judged beside others than itself.
    Raises the SmeltError that ends more than a question.
    """
    anchors = anchors_of(spec.demonstrations, given, seed=seed)
    demonstrations = [pair for pair in anchors if pair in spec.demonstrations]
    if len(anchors) < LEAST_ANCHORS:
        return Judge(spec=spec, calibration=too_few(len(anchors)))
    shown = min(SHOWN, len(demonstrations) // 2)
    judge = Judge(
        spec=spec,
        calibration=too_few(0),
        shown=tuple(chance(seed, "shown").sample(demonstrations, shown)),
        together=min(TOGETHER, len(anchors) - shown),
        temperature=coldest(asks, tag="judge"),
        with_schema=takes_schema(asks, tag="judge"),
    )
    trials = trials_of(spec, anchors, seed=seed)
    calls = deal(trials, together=judge.together, shown=shown, demonstrations=len(demonstrations), seed=seed)
    asked = await all_of(_tried(asks, judge, call, demonstrations, seed) for call in calls)
    ended = _by_row(calls, asked)
    if error := next((one.error for one in ended.values() if one.error), None):
        raise error
    return replace(
        judge,
        calibration=calibrated(
            trials,
            [ended[trial].verdict for trial in trials],
            anchors=len(anchors),
            cost_usd=math.fsum(ended[trial].cost_usd for trial in trials),
        ),
    )


async def _tried(
    asks: Asks, judge: Judge, call: Sequence[Trial], demonstrations: Sequence[Pair], seed: int
) -> list[Judged]:
    """Rows of a call, beside demonstrations that are not among them."""
    theirs = {trial.row.input for trial in call} | {
        demonstrations[trial.anchor].input for trial in call if trial.anchor < len(demonstrations)
    }
    others = [pair for pair in demonstrations if pair.input not in theirs]
    draw = chance(seed, "shown", *sorted(theirs))
    shown = tuple(draw.sample(others, min(len(judge.shown), len(others))))
    return await _company(asks, replace(judge, shown=shown), [trial.row for trial in call])


async def judged(
    asks: Asks, judge: Judge | None, annotations: Sequence[Annotation], *, is_asked: Callable[[Annotation], bool]
) -> tuple[Annotation, ...]:
    """Annotations with what the judge says of their winners; those without one, or not to be asked about, as is."""
    if judge is None:
        return tuple(annotations)
    rows = {
        place: Pair(each.input, each.vote.winner)
        for place, each in enumerate(annotations)
        if each.vote is not None and is_asked(each)
    }
    ended = dict(zip(rows, await verdicts(asks, judge, list(rows.values())), strict=True))
    return tuple(_with(each, ended.get(place)) for place, each in enumerate(annotations))


def _with(annotation: Annotation, one: Judged | None) -> Annotation:
    if one is None or annotation.vote is None:
        return annotation
    vote = replace(annotation.vote, verdict=one.verdict, cost_usd=annotation.vote.cost_usd + one.cost_usd)
    return replace(
        annotation, vote=vote, cost_usd=annotation.cost_usd + one.cost_usd, error=annotation.error or one.error
    )


async def verdicts(asks: Asks, judge: Judge, rows: Sequence[Pair]) -> list[Judged]:
    """What the judge says of each row, several of which share a call; nothing of rows longer than any should be."""
    readable = [place for place, row in enumerate(rows) if length_of(row) <= LONGEST_JUDGED]
    companions = companies([rows[place] for place in readable], together=judge.together)
    calls = [[readable[place] for place in company] for company in companions]
    asked = await all_of(_company(asks, judge, [rows[place] for place in call]) for call in calls)
    found = _by_row(calls, asked)
    return [found.get(place, Judged()) for place in range(len(rows))]


def _by_row(calls: Sequence[Sequence[T]], asked: Sequence[Sequence[Judged]]) -> dict[T, Judged]:
    """What came of each row, whichever call it was in."""
    return dict(zip(chain(*calls), chain(*asked), strict=True))


async def _company(asks: Asks, judge: Judge, rows: Sequence[Pair]) -> list[Judged]:
    """What it says of rows that share a call; those without a verdict are asked about alone, unless that is in vain."""
    request = question(
        judge.spec, rows, shown=judge.shown, temperature=judge.temperature, with_schema=judge.with_schema
    )
    outcome = await attempt(asks, request)
    found = _read(outcome, judge, rows)
    paid = (outcome.reply.paid_usd if outcome.reply else 0.0) / len(rows)
    ended = [replace(one, cost_usd=paid) for one in found]
    silent = [place for place, one in enumerate(ended) if one.verdict is None and one.error is None]
    if len(rows) == 1 or not (outcome.reply or may_be_one_of_them(outcome.error)):
        return ended
    again = await all_of(_company(asks, judge, [rows[place]]) for place in silent)
    for place, (alone,) in zip(silent, again, strict=True):
        ended[place] = replace(alone, cost_usd=alone.cost_usd + paid)
    return ended


def _read(outcome: Outcome, judge: Judge, rows: Sequence[Pair]) -> list[Judged]:
    reply = outcome.reply
    if reply is None:
        error = None if isinstance(outcome.error, RequestFailed) else outcome.error
        return [Judged(error=error)] * len(rows)
    reason = reply.finish_reasons[0]
    if reason in ("refusal", "filtered"):
        return [Judged()] * len(rows)
    found = read_verdicts(reply.text, count=len(rows), is_cut=reason == "length")
    told = partial(replace, model=reply.model, question=question_of(outcome.request))
    threshold = judge.calibration.threshold
    verdicts = (found.get(number) for number in range(1, len(rows) + 1))
    return [Judged(verdict=each and told(each, refused=each.score < threshold)) for each in verdicts]
