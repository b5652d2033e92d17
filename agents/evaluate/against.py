"""An LLM beside the student: the prompt as it is, one answer to each row, paid for once and kept in a journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from agents.asks import Asks, capabilities_of, coldest
from agents.evaluate.costs import TeacherCosts
from agents.records import Spec
from agents.voting.annotate import Voting, annotate_all
from agents.voting.ballots import LABELLING
from engine.errors import SmeltError
from engine.messages import Reply, Request
from engine.providers import Capabilities

__all__ = ["Answered", "answers_of"]


@dataclass(frozen=True, slots=True)
class Answered:
    """An LLM's answers by input, and what they cost. `error` is what kept it from answering all."""

    answers: Mapping[str, str]
    costs: TeacherCosts
    error: SmeltError | None = None


@dataclass(slots=True)
class _Metered:
    """Passes questions on, and keeps what the answers took."""

    asks: Asks
    replies: list[Reply] = field(default_factory=list)

    async def ask(self, request: Request) -> Reply:
        reply = await self.asks.ask(request)
        self.replies.append(reply)
        return reply

    def capabilities_of(self, tag: str) -> Capabilities | None:
        return capabilities_of(self.asks, tag)


async def answers_of(
    asks: Asks, spec: Spec, inputs: Sequence[str], *, note: Callable[[str], None] = lambda _: None
) -> Answered:
    """Ask for one answer to each input, with the prompt's own examples, at no temperature where that can be said.

    An input to which no usable answer came counts as answered with nothing. What ends more than one input, such as the
    money, ends it all: the answers so far are journaled, and asking again with more begins there.
    """
    metered = _Metered(asks)
    voting = Voting(votes=1, temperature=coldest(asks, tag=LABELLING))
    texts = list(dict.fromkeys(inputs))
    annotations = await annotate_all(metered, spec, texts, voting)
    answers = {each.input: "" if each.vote is None else each.vote.winner for each in annotations if not each.error}
    silent = sum(each.vote is None and each.error is None for each in annotations)
    if silent:
        note(f"to {silent:,} of {len(texts):,} inputs no usable answer came: they count as wrong")
    error = next((each.error for each in annotations if each.error), None)
    return Answered(answers, _costs(metered.replies), error)


def _costs(replies: Sequence[Reply]) -> TeacherCosts:
    if not replies:
        return TeacherCosts(None, None, 0)
    usd = sum(reply.paid_usd for reply in replies) / len(replies)
    return TeacherCosts(usd, median(reply.latency_s for reply in replies), len(replies))
