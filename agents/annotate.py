"""Labelling inputs: several independent votes each, asked only while the outcome is open.

It makes no difference whose inputs they are: drafts of a teacher or a file of the user's. Where it pays, several
inputs share a call; what cannot be used of its answer is asked again one by one.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from agents.asks import Asks, attempt
from agents.ballots import (
    Annotation,
    Ballot,
    Joint,
    Voting,
    annotation_of,
    ballots_of,
    inputs_per_call,
    joint_ballots,
    joint_votes,
    round_requests,
    vote_requests,
    votes_wanted,
)
from agents.records import Spec

__all__ = ["Annotation", "Voting", "annotate", "annotate_all", "vote_requests"]

T = TypeVar("T")

CALLS_A_BLOCK = 4  # inputs whose next votes are asked for together, in calls: later rounds have few inputs each


async def annotate(asks: Asks, spec: Spec, text: str, voting: Voting) -> Annotation:
    """Label one input by vote.

    Asks as few as could end it, then more only while the leader can still be caught up with: of three votes the
    third is asked when the first two differ. A vote that fails is not asked again; when fewer than half of all votes
    could be counted, there is no vote.
    """
    (annotation,) = await _annotate_block(asks, spec, [text], voting, together=1)
    return annotation


async def annotate_all(asks: Asks, spec: Spec, texts: Sequence[str], voting: Voting) -> tuple[Annotation, ...]:
    """Label inputs at the same time; the annotations come in the order of the inputs, whoever was first."""
    together = inputs_per_call(spec, texts, voting).items
    size = 1 if together == 1 else CALLS_A_BLOCK * together
    blocks = [texts[start : start + size] for start in range(0, len(texts), size)]
    annotated = await _all(_annotate_block(asks, spec, block, voting, together=together) for block in blocks)
    return tuple(annotation for block in annotated for annotation in block)


@dataclass(frozen=True, slots=True)
class _Call:
    """Votes to ask for at once on some inputs: `votes` of them, from number `first` on."""

    places: tuple[int, ...]
    first: int
    votes: int


async def _annotate_block(
    asks: Asks, spec: Spec, texts: Sequence[str], voting: Voting, *, together: int
) -> list[Annotation]:
    """Round after round, until no vote could change an outcome."""
    ballots: list[list[Ballot]] = [[] for _ in texts]
    while calls := _next_round(spec, ballots, voting, together=together):
        rounds = await _all(_ask(asks, spec, [texts[place] for place in call.places], call, voting) for call in calls)
        for call, columns in zip(calls, rounds, strict=True):
            for place, new in zip(call.places, columns, strict=True):
                ballots[place] += new
    return [annotation_of(spec, text, cast, voting) for text, cast in zip(texts, ballots, strict=True)]


def _next_round(spec: Spec, ballots: Sequence[Sequence[Ballot]], voting: Voting, *, together: int) -> list[_Call]:
    """The calls for every input whose outcome is open; those that want the same votes share calls."""
    wanted: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
    for place, cast in enumerate(ballots):
        if votes := votes_wanted(cast, spec, voting):
            wanted[len(cast), votes].append(place)
    return [
        _Call(tuple(places[start : start + together]), first, votes)
        for (first, votes), places in wanted.items()
        for start in range(0, len(places), together)
    ]


async def _ask(asks: Asks, spec: Spec, texts: Sequence[str], call: _Call, voting: Voting) -> list[list[Ballot]]:
    """The ballots of a call, an entry an input."""
    if len(texts) == 1:
        return [await _ask_alone(asks, spec, texts[0], call, voting)]
    joints = joint_votes(spec, texts, voting, first=call.first, votes=call.votes)
    answered = await _all(_ask_joint(asks, spec, joint) for joint in joints)
    rows = [row for rows in answered for row in rows]
    whole = await _all(_made_whole(asks, spec, texts, row, call.first + at, voting) for at, row in enumerate(rows))
    return [list(column) for column in zip(*whole, strict=True)]


async def _ask_alone(asks: Asks, spec: Spec, text: str, call: _Call, voting: Voting) -> list[Ballot]:
    requests = round_requests(spec, text, voting, first=call.first, votes=call.votes)
    outcomes = await _all(attempt(asks, request) for request in requests)
    return [ballot for outcome in outcomes for ballot in ballots_of(outcome, spec)]


async def _ask_joint(asks: Asks, spec: Spec, joint: Joint) -> list[list[Ballot] | None]:
    return joint_ballots(await attempt(asks, joint.request), joint, spec)


async def _made_whole(
    asks: Asks, spec: Spec, texts: Sequence[str], row: list[Ballot] | None, number: int, voting: Voting
) -> list[Ballot]:
    """A vote on each input, as it came or, where no whole list came, asked for one by one."""
    if row is not None:
        return row
    alone = [_Call((place,), number, 1) for place in range(len(texts))]
    asked = await _all(_ask_alone(asks, spec, texts[call.places[0]], call, voting) for call in alone)
    return [replace(ballot, is_repeat=True) for (ballot,) in asked]


async def _all(work: Iterable[Awaitable[T]]) -> list[T]:
    """Everything at the same time, in order; a bug in one ends the others."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(_awaited(each)) for each in work]
    return [task.result() for task in tasks]


async def _awaited(work: Awaitable[T]) -> T:
    return await work
