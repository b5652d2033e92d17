"""What a tuned teacher learns: the very requests that would be sent to it, with the answers that real rows give. Pure.

Both directions are taught to one model: inputs are labelled, alone and several to a call, and labels, or nothing, are
answered with inputs. Since the words are those of `ballots` and `generate`, whoever asks a tuned teacher asks as ever.
Kaddour & Liu 2023, arXiv 2310.01119.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace

from agents.chance import chance
from agents.making.generate import Assignment, build_request, draw_seeds
from agents.making.plan import Target, make_plan
from agents.parsing.derive import derive, held_to
from agents.parsing.label_sets import is_short
from agents.prompts import fill
from agents.records import Pair, Spec
from agents.voting.ballots import Voting, call_for, vote_requests
from agents.voting.lists import numbered, quoted
from engine.messages import Request

__all__ = ["DEMONSTRATIONS", "Told", "annotating", "annotating_together", "generating", "in_turn", "spec_for", "told"]

WAYS = 3
"""How often a row is asked about alone, each time with another draw and order of the demonstrations."""

MOST_TOGETHER = 8  # inputs of a shared call
MOST_INPUTS = 8  # that a request asks for, as the first ones of a run do
SEEDS_SHOWN = 6
FREE = 4  # one in so many requests for inputs of a task with labels names none

DEMONSTRATIONS = 8
"""How many real rows stand in for the examples of a prompt that has none."""

ROWS_A_LABEL = 3  # on average, before the outputs of rows count as a closed set


@dataclass(frozen=True, slots=True)
class Told:
    """A request, and what is to be answered to it."""

    request: Request
    answer: str


def told(spec: Spec, rows: Sequence[Pair], *, seed: int) -> list[Told]:
    """All that is learnt from the rows; of rows with one input the first counts."""
    once = list({row.input: row for row in reversed(rows)}.values())[::-1]
    return [
        *annotating(spec, once, seed=seed),
        *annotating_together(spec, once, seed=seed),
        *generating(spec, once, seed=seed),
    ]


def annotating(spec: Spec, rows: Sequence[Pair], *, seed: int, ways: int = WAYS) -> list[Told]:
    """Input to label, one at a time; a row is never among the demonstrations that are shown with it."""
    return [
        Told(request, row.output)
        for row in rows
        for request in vote_requests(_without(spec, {row.input}), row.input, Voting(votes=ways, seed=seed))
    ]


def annotating_together(spec: Spec, rows: Sequence[Pair], *, seed: int) -> list[Told]:
    """Inputs to labels, several to a call, every row once; nothing where there is but one row."""
    return [_together(spec, company, seed=seed) for company in _companies(rows, seed=seed)]


def _together(spec: Spec, company: Sequence[Pair], *, seed: int) -> Told:
    texts = [row.input for row in company]
    shown = _without(spec, set(texts))
    call = call_for(shown, texts, tuple(range(len(texts))), Voting(seed=seed, together=MOST_TOGETHER), vote=0)
    return Told(call.request, numbered([row.output for row in company]))


def _companies(rows: Sequence[Pair], *, seed: int) -> Iterator[Sequence[Pair]]:
    draw = chance(seed, "companies")
    left = list(rows)
    draw.shuffle(left)
    while len(left) > 1:
        size = draw.randint(2, min(MOST_TOGETHER, len(left)))
        yield left[:size]
        del left[:size]


def generating(spec: Spec, rows: Sequence[Pair], *, seed: int) -> list[Told]:
    """Label, or nothing, to inputs: as many requests as there are rows, each for some rows that the others stand for.

    The answers asked for are those that a run would ask for, as far as rows have them.
    """
    wanted = _targets(spec, rows)
    return [
        _generating_one(spec, rows, wanted[number % len(wanted)], seed=seed, number=number)
        for number in range(len(rows))
    ]


def _targets(spec: Spec, rows: Sequence[Pair]) -> list[Target | None]:
    """In turn; now and then none, though a task with labels would always name one."""
    planned = [quota.target for quota in make_plan(spec)]
    met = [each for each in planned if each is not None and any(each.is_met_by(row.output) for row in rows)]
    if not met:
        return [None]
    pieces = [met[start : start + FREE - 1] for start in range(0, len(met), FREE - 1)]
    return [each for piece in pieces for each in (*piece, None)]


def _generating_one(spec: Spec, rows: Sequence[Pair], target: Target | None, *, seed: int, number: int) -> Told:
    draw = chance(seed, "inputs", number)
    fitting = [row.input for row in rows if target is None or target.is_met_by(row.output)]
    # One row at least is left to be shown, if there is another.
    most = max(1, min(MOST_INPUTS, len(fitting), len(rows) - 1))
    answer = draw.sample(fitting, draw.randint(1, most))
    others = [row.input for row in rows if row.input not in answer]
    anchors = [pair.input for pair in spec.demonstrations if pair.input not in answer]
    seeds = draw_seeds(anchors, others, count=SEEDS_SHOWN, seed=seed, number=number)
    assignment = Assignment(number=number, count=len(answer), target=target, seeds=seeds)
    return Told(build_request(spec, assignment), f"[{', '.join(map(quoted, answer))}]")


def _without(spec: Spec, inputs: Collection[str]) -> Spec:
    return replace(spec, demonstrations=tuple(pair for pair in spec.demonstrations if pair.input not in inputs))


# -- the task, as it is told


def spec_for(spec: Spec | None, rows: Sequence[Pair], *, known: int) -> Spec:
    """The task as a tuned teacher is asked it: a prompt that shows no examples gets the first rows as such.

    Without a prompt the rows alone say what the task is, and their outputs which labels there are, if they are labels.
    These belong to the task and are told by all rows; shown are none but the first `known` of them.
    """
    shown = rows[: min(known, DEMONSTRATIONS)]
    if spec is None:
        labels = _labels(rows)
        named = fill("teach_labels", labels=", ".join(labels)) if labels else fill("teach_bare")
        return derive(named, shown, layout="rows", confidence=1.0, told=labels)
    if not spec.demonstrations:
        spec = replace(spec, demonstrations=tuple(shown))
    return held_to(spec, rows[:known])


def _labels(rows: Sequence[Pair]) -> tuple[str, ...]:
    """The outputs in order of their first mention, if they are few and short enough to be a closed set."""
    outputs = tuple(dict.fromkeys(row.output.strip() for row in rows))
    is_closed = 1 < len(outputs) <= len(rows) / ROWS_A_LABEL and all(map(is_short, outputs))
    return outputs if is_closed else ()


def in_turn(rows: Sequence[Pair], *, seed: int, by_output: bool) -> list[Pair]:
    """The rows in an order of which every beginning is a fair share: by chance, and with `by_output` label by label."""
    mixed = list(rows)
    chance(seed, "few").shuffle(mixed)
    if not by_output:
        return mixed
    place: dict[str, int] = {}
    turns = []
    for number, row in enumerate(mixed):
        place[row.output] = place.get(row.output, -1) + 1
        turns.append((place[row.output], number))
    return [mixed[number] for _, number in sorted(turns)]
