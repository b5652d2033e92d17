"""Labelling inputs: several independent votes each, asked only while the outcome is open.

It makes no difference whose inputs they are: drafts of a teacher or a file of the user's. Where it pays, several
inputs share a call; what its answer does not tell is asked for again in smaller calls, in the end one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.asks import Asks, all_of, attempt, takes_choices
from agents.records import Spec
from agents.voting.ballots import (
    LABELLING,
    Annotation,
    Ballot,
    Call,
    Voting,
    annotation_of,
    ballots_of,
    call_for,
    closed,
    cost_each,
    inputs_per_call,
    next_calls,
    vote_requests,
)

__all__ = ["Annotation", "Voting", "annotate", "annotate_all", "vote_requests"]

CALLS_A_BLOCK = 4  # inputs whose next votes are asked for together, in calls: later rounds have few inputs each


async def annotate(asks: Asks, spec: Spec, text: str, voting: Voting) -> Annotation:
    """Label one input by vote.

    Asks as few as could end it, then more only while the leader can still be caught up with: of three votes the
    third is asked when the first two differ. A vote that fails is not asked again; when fewer than half of those asked
    for could be counted, there is no vote.
    """
    (annotation,) = await _Block(asks, spec, [text], _held(asks, voting)).annotate()
    return annotation


async def annotate_all(asks: Asks, spec: Spec, texts: Sequence[str], voting: Voting) -> tuple[Annotation, ...]:
    """Label inputs at the same time; the annotations come in the order of the inputs, whoever was first."""
    voting = _held(asks, voting)
    size = CALLS_A_BLOCK * voting.together
    pieces = (texts[start : start + size] for start in range(0, len(texts), size))
    blocks = [block for piece in pieces for block in _blocks(asks, spec, piece, voting)]
    annotated = await all_of(block.annotate() for block in blocks)
    return tuple(annotation for annotations in annotated for annotation in annotations)


def _held(asks: Asks, voting: Voting) -> Voting:
    return replace(voting, held=takes_choices(asks, tag=LABELLING))


def _blocks(asks: Asks, spec: Spec, texts: Sequence[str], voting: Voting) -> list[_Block]:
    """The inputs as one block, or one by one where calls are not shared: then none need wait for the others' rounds."""
    together = inputs_per_call(spec, texts, voting).items
    if together == 1:
        return [_Block(asks, spec, [text], voting) for text in texts]
    return [_Block(asks, spec, texts, replace(voting, together=together))]


@dataclass(frozen=True, slots=True)
class _Block:
    """Inputs whose votes are asked for together, round after round, until no vote could change an outcome."""

    asks: Asks
    spec: Spec
    texts: Sequence[str]
    voting: Voting

    async def annotate(self) -> list[Annotation]:
        ballots: list[list[Ballot]] = [[] for _ in self.texts]
        while calls := next_calls(self.spec, self.texts, ballots, self.voting):
            for votes in await all_of(self._ask(call) for call in calls):
                for vote in votes:
                    for place, ballot in vote.items():
                        ballots[place].append(ballot)
            ballots = closed(self.spec, ballots, self.voting)
        cast = zip(self.texts, ballots, strict=True)
        return [annotation_of(self.spec, text, each, self.voting) for text, each in cast]

    async def _ask(self, call: Call) -> list[dict[int, Ballot]]:
        """For each vote that the call asks for, a ballot for the place of each of its inputs."""
        outcome = await attempt(self.asks, call.request)
        votes = zip(call.votes, ballots_of(outcome, call, self.spec), strict=True)
        return await all_of(self._whole(call, vote, found, lost_usd=cost_each(outcome, call)) for vote, found in votes)

    async def _whole(self, call: Call, vote: int, found: dict[int, Ballot], *, lost_usd: float) -> dict[int, Ballot]:
        """What was found, and what the other inputs bring in a smaller company, or in two if nothing was found.

        These have cost twice: what the first call was paid for each of them is lost.
        """
        lost = tuple(place for place in call.places if place not in found)
        companies = filter(None, [lost] if found else [lost[::2], lost[1::2]])
        smaller = (call_for(self.spec, self.texts, company, self.voting, vote=vote) for company in companies)
        again = [ballots for (ballots,) in await all_of(self._ask(each) for each in smaller)]
        repeats = {place: _repeated(ballot, lost_usd) for each in again for place, ballot in each.items()}
        return found | repeats


def _repeated(ballot: Ballot, lost_usd: float) -> Ballot:
    return replace(ballot, is_repeat=True, cost_usd=ballot.cost_usd + lost_usd)
