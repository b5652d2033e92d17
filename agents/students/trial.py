"""Try several students shortly, on slices of the training rows, and take the best: `--trial K`.

What is tried, for how long and who goes on is decided in `halving`; here it is done. Scores are those on validation
rows, from which none of the students learns and by which none chooses its best moment.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import orjson

from agents.chance import chance
from agents.finding.choose import MAX_BYTES, Ranked, Ranking, StudentChoice, trainable_as
from agents.finding.student_choice import BASED
from agents.records import StudentFamily, TaskKind
from agents.run_folder import write_whole
from agents.students.halving import (
    Candidate,
    Outcome,
    Round,
    best_first,
    goes_on,
    rounds_for,
    seconds_each,
    slice_sizes,
    winner,
)
from engine.errors import UserError
from engine.evaluation import Score, score
from engine.events import Events, Noted, StageProgressed
from engine.retrieval import ModelCard
from engine.text import clean
from engine.training import Progress, Row, Student, load_packages, train

__all__ = ["TRIAL_SHARE", "Tried", "candidates_for", "trial_table", "tried", "try_students"]

TRIAL_SHARE = 1 / 3  # of the time for training; the winner's whole training has the rest

SCORED = 300  # validation rows at most: a share of 0.8 is then known to 0.05 or so

LONGEST_PROBLEM = 200  # characters of what a loader says

Teach = Callable[[Candidate, Sequence[Row], float], Student]
"""Train a candidate on rows, for so many seconds at most."""

Fetch = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Tried:
    """The rounds of a trial, on how many validation rows they were scored, and the student that came out of them."""

    rounds: tuple[Round, ...]
    scored_on: int
    choice: StudentChoice


def candidates_for(ranking: Ranking[ModelCard], *, has_labels: bool, top: int, wanted: str) -> tuple[Candidate, ...]:
    """What is tried: the best base models that can be had, and beside them whatever fits the task and needs none.

    With a family wanted that starts from a base model, such models alone. A sentence encoder is tried as it is, any
    other tuned. Rivals stand first: of equals they are taken.
    """
    rivals: tuple[StudentFamily, ...] = () if wanted in BASED else ("linear", "tiny") if has_labels else ("tiny",)
    own = [Candidate(name=name, family=name, rank=rank) for rank, name in enumerate(rivals)]
    based = [
        Candidate(
            name=ranked.card.id,
            family=family,
            checkpoint=ranked.card.id,
            bytes=ranked.card.bytes or MAX_BYTES,  # nobody has said: as dear as can be
            rank=rank,
            is_here=ranked.place == "machine",
        )
        for rank, (ranked, family) in enumerate(_as_students(ranking, wanted=wanted)[:top], start=len(own))
    ]
    return (*own, *based)


def _as_students(ranking: Ranking[ModelCard], *, wanted: str) -> list[tuple[Ranked[ModelCard], StudentFamily]]:
    """The models that students can start from, each with the family that is wanted, or else the one of its own card."""
    families = [each for each in BASED if wanted in (each, "auto")]
    found = []
    for ranked in ranking.kept:
        fitting = [family for family in families if trainable_as(family, ranked.card)]
        if fitting:
            found.append((ranked, next((each for each in fitting if each == ranked.card.family), fitting[0])))
    return found


def tried(
    candidates: Sequence[Candidate],
    rows: Sequence[Row],
    validation: Sequence[Row],
    *,
    file: Path,
    otherwise: StudentChoice,
    kind: TaskKind,
    seed: int,
    seconds: float,
    threads: int | None,
    wished: object,
    events: Events,
    preset: str = "own",
    device: str = "auto",
    teach: Teach | None = None,
) -> Tried:
    """What came of a trial, also of one that an earlier start of the same run has brought to its end.

    `file` keeps it; `wished` is what the user asked for; `teach` is another way of training.
    Where nobody could be tried the choice is `otherwise`.
    """
    recipe = _recipe(rows, validation, (kind, seed, seconds, threads, preset, device, wished))
    kept = _kept(file, recipe)
    if kept is not None:
        events.emit(Noted(f"the trial is over: {kept.choice.why}"))
        return kept
    if teach is None:
        load_packages()  # or whoever is first would pay for all
    scored = _drawn(validation, seed=seed)[:SCORED]
    place = file.with_suffix("")
    try:
        rounds = try_students(
            candidates, rows, scored, kind=kind, seed=seed, seconds=seconds,
            teach=teach or partial(
                _teach, place=place, seed=seed, threads=threads, preset=preset, device=device, events=events
            ), events=events,
        )  # fmt: skip
    finally:
        shutil.rmtree(place, ignore_errors=True)
    done = Tried(rounds, len(scored), _choice(rounds, candidates, otherwise=otherwise, scored=len(scored)))
    shutil.rmtree(place.with_name(f"{place.name}.part"), ignore_errors=True)
    write_whole(file, orjson.dumps({"recipe": recipe, **asdict(done)}, option=orjson.OPT_INDENT_2))
    return done


def try_students(
    candidates: Sequence[Candidate],
    rows: Sequence[Row],
    validation: Sequence[Row],
    *,
    kind: TaskKind,
    seed: int,
    seconds: float,
    teach: Teach,
    events: Events,
    fetch: Fetch | None = None,
    now: Callable[[], float] = time.monotonic,
) -> tuple[Round, ...]:
    """The rounds of a trial; `seconds` bounds what trainings and scoring take, fetching apart.

    A candidate that cannot be fetched, loaded or trained is out, and a line says why. Without validation rows, or with
    one candidate, there is nothing to tell.
    """
    order = _drawn(rows, seed=seed)
    standing, rounds = tuple(candidates), list[Round]()
    for size in slice_sizes(len(rows), rounds=rounds_for(len(candidates))):
        left = seconds - sum(outcome.seconds for each in rounds for outcome in each.outcomes)
        if len(standing) < 2 or left <= 0 or not validation:
            break
        attempt = partial(
            _attempt, order[:size], validation, kind=kind, seed=seed, teach=teach, fetch=fetch or _fetch, now=now
        )
        rounds.append(_round(standing, size, attempt=attempt, left=left))
        standing = tuple(replace(candidate, is_here=True) for candidate in goes_on(rounds[-1].outcomes))
        events.emit(Noted(_told(rounds[-1], number=len(rounds), standing=standing)))
    return tuple(rounds)


def _round(standing: Sequence[Candidate], size: int, *, attempt: Callable[..., Outcome], left: float) -> Round:
    each, took = seconds_each(left, standing=len(standing)), 0.0
    outcomes = list[Outcome]()
    for candidate in standing:
        if took >= left:
            outcomes.append(Outcome(candidate=candidate, problem="no time was left for it"))
            continue
        outcomes.append(attempt(candidate, seconds=each))
        took += outcomes[-1].seconds
    return Round(size, tuple(outcomes))


def _attempt(
    rows: Sequence[Row],
    validation: Sequence[Row],
    candidate: Candidate,
    *,
    seconds: float,
    kind: TaskKind,
    seed: int,
    teach: Teach,
    fetch: Fetch,
    now: Callable[[], float],
) -> Outcome:
    try:
        if candidate.checkpoint is not None and not candidate.is_here:
            fetch(candidate.checkpoint)
    except UserError as error:
        return Outcome(candidate=candidate, problem=_in_a_line(error))
    began = now()
    try:
        student = teach(candidate, rows, seconds)
        answers = [answer.output for answer in student.predict([row.input for row in validation])]
    except Exception as error:  # noqa: BLE001 - whatever foreign weights break costs them the trial, not the run
        return Outcome(candidate=candidate, problem=_in_a_line(error), seconds=now() - began)
    scores = score(answers, [row.output for row in validation], kind=kind, seed=seed)
    return Outcome(candidate=candidate, scores=scores, seconds=now() - began)


def _teach(
    candidate: Candidate,
    rows: Sequence[Row],
    seconds: float,
    *,
    place: Path,
    seed: int,
    threads: int | None,
    preset: str,
    device: str,
    events: Events,
) -> Student:
    # Without validation rows: by those it would choose its best moment, and then be scored by them.
    return train(
        candidate.family, rows, (), place, seed=seed, time_limit_s=seconds, base=candidate.checkpoint, threads=threads,
        preset=preset, device=device, dials=candidate.dials,
        on_progress=lambda progress: events.emit(_progressed(candidate, progress)),
    )  # fmt: skip


def _fetch(name: str) -> None:
    from engine.retrieval.fetch import fetch_model

    fetch_model(name)


def _progressed(candidate: Candidate, progress: Progress) -> StageProgressed:
    return StageProgressed("train", progress.step, progress.steps, (("trial of", candidate.name),))


def _in_a_line(error: Exception) -> str:
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return clean(f"{kind}{error}", LONGEST_PROBLEM).removesuffix(":")


def _told(done: Round, *, number: int, standing: Sequence[Candidate]) -> str:
    results = "; ".join(f"{outcome.candidate.name} {_result(outcome)}" for outcome in done.outcomes)
    if len(standing) == 1:
        ahead = f"{standing[0].name} is the best"
    else:
        ahead = f"{', '.join(candidate.name for candidate in standing)} go on" if standing else "nobody goes on"
    return f"trial, round {number}, on {done.rows:,} rows: {results}; {ahead}"


def _result(outcome: Outcome) -> str:
    return str(outcome.scores[0]) if outcome.scores else f"is out: {outcome.problem}"


def _choice(
    rounds: Sequence[Round], candidates: Sequence[Candidate], *, otherwise: StudentChoice, scored: int
) -> StudentChoice:
    best = winner(rounds)
    if best is None:
        few = "there was nothing to compare" if len(candidates) < 2 or not scored else "none of them could be tried"
        return replace(otherwise, why=f"{otherwise.why} (no trial: {few})")
    one = best.candidate
    why = (
        f"the best of {len(candidates)} students tried on slices of the rows is {one.name}: {best.scores[0]} on "
        f"{scored} validation rows after {rounds[-1].rows:,} rows"
    )
    return StudentChoice(one.family, one.checkpoint, why, one.dials)


def trial_table(trial: Tried) -> list[dict[str, str]]:
    """The rounds as rows of text, the best first in each: from how many rows, how well, what became of it."""
    return [line for number, each in enumerate(trial.rounds, 1) for line in _lines(trial, each, number=number)]


def _lines(trial: Tried, each: Round, *, number: int) -> list[dict[str, str]]:
    metrics, ahead = _metrics(trial), goes_on(each.outcomes)
    placed = [outcome.candidate for outcome in best_first(each.outcomes)]
    placed += [outcome.candidate for outcome in each.outcomes if outcome.candidate not in placed]
    return [
        {
            "round": str(number),
            "student": outcome.candidate.name,
            "rows": f"{each.rows:,}",
            **_figures(outcome.scores, metrics),
            "seconds": f"{outcome.seconds:.0f}",
            "outcome": _fate(outcome, ahead, is_last=number == len(trial.rounds)),
        }
        for outcome in sorted(each.outcomes, key=lambda one: placed.index(one.candidate))
    ]


def _fate(outcome: Outcome, ahead: Sequence[Candidate], *, is_last: bool) -> str:
    if outcome.problem:
        return f"out: {outcome.problem}"
    if outcome.candidate not in ahead:
        return "out"
    if not is_last:
        return "goes on"
    return "the best" if outcome.candidate == ahead[0] else "the time was over"


def _metrics(trial: Tried) -> tuple[str, ...]:
    scored = (outcome.scores for each in trial.rounds for outcome in each.outcomes if outcome.scores)
    return tuple(figure.metric for figure in next(scored, ()))


def _figures(scores: Sequence[Score], metrics: Sequence[str]) -> Mapping[str, str]:
    told = {each.metric: each.figure for each in scores}
    return {metric: told.get(metric, "-") for metric in metrics}


def _drawn(rows: Sequence[Row], *, seed: int) -> list[Row]:
    """The rows in an order of chance, of which each slice is the beginning: who learns from more keeps what it had."""
    order = list(rows)
    chance(seed, "trial").shuffle(order)
    return order


def _recipe(rows: Sequence[Row], validation: Sequence[Row], conditions: object) -> str:
    """A name for all that shapes a trial but what can be had from here, which may be another thing tomorrow."""
    digest = hashlib.sha256(repr(conditions).encode("utf-8", "surrogatepass"))
    for row in (*rows, None, *validation):
        digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _kept(file: Path, recipe: str) -> Tried | None:
    """What an earlier start has written down; None where that is nothing, another trial's, or damaged."""
    try:
        told = orjson.loads(file.read_bytes())
        if told["recipe"] != recipe:
            return None
        rounds = tuple(Round(each["rows"], tuple(map(_outcome, each["outcomes"]))) for each in told["rounds"])
        return Tried(rounds, told["scored_on"], StudentChoice(**told["choice"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _outcome(told: Mapping[str, Any]) -> Outcome:
    scores = tuple(Score(**each) for each in told["scores"])
    return Outcome(**{**told, "candidate": Candidate(**told["candidate"]), "scores": scores})
