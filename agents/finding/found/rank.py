"""Which data sets could serve a task: the teacher votes on what search has found."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from agents.asks import Asks, coldest
from agents.chance import chance
from agents.finding.found.asking import attempt_all, read_said
from agents.finding.found.words import row_lines, shown_examples
from agents.prompts import fill
from agents.records import Spec
from agents.voting.vote import tally
from engine.messages import Request
from engine.retrieval import DatasetCard

__all__ = ["CANDIDATES", "elected", "rank", "read_ballot"]

CANDIDATES = 25
"""How many of what search has found the teacher is asked about."""

VOTES = 3
TAG = "retrieve"
ANSWER_TOKENS = 300
LONGEST_DESCRIPTION = 300  # characters

_NUMBERS = {"type": "array", "items": {"type": "integer"}}


async def rank(
    asks: Asks, spec: Spec, cards: Sequence[DatasetCard], *, seed: int, name_of: Callable[[str], str] = str
) -> tuple[DatasetCard, ...] | None:
    """Those of the data sets that most votes say could serve, best first; None when no vote came that can be read.

    Each vote sees them in another order, beside other examples. `name_of` says what they are called: where files of the
    user's are is nobody's business. Raises what ends more than a request: the budget, a refused key.
    """
    orders = [_order(len(cards), seed=seed, vote=vote) for vote in range(VOTES)]
    lines = [_line(card, name_of(card.id)) for card in cards]
    requests = [_request(asks, spec, lines, order, seed=seed, vote=vote) for vote, order in enumerate(orders)]
    outcomes = await attempt_all(asks, requests)
    replies = [(outcome.reply, order) for outcome, order in zip(outcomes, orders, strict=True)]
    read = [_ballot(reply.text, order) for reply, order in replies if reply is not None]
    ballots = [ballot for ballot in read if ballot is not None]
    return tuple(cards[place] for place in elected(ballots)) if ballots else None


def _order(count: int, *, seed: int, vote: int) -> list[int]:
    order = list(range(count))
    if vote:  # the first sees them as search has ranked them
        chance(seed, "data sets", vote).shuffle(order)
    return order


def _request(
    asks: Asks, spec: Spec, lines: Sequence[Mapping[str, str]], order: Sequence[int], *, seed: int, vote: int
) -> Request:
    numbered = [{"number": str(number), **lines[place]} for number, place in enumerate(order, start=1)]
    pairs = chance(seed, "examples", vote).sample(spec.demonstrations, len(spec.demonstrations))
    prompt = fill(
        "rank_datasets",
        instruction=spec.asked,
        examples=shown_examples(replace(spec, demonstrations=tuple(pairs))),
        datasets=row_lines(numbered, longest=LONGEST_DESCRIPTION),
    )
    heat = coldest(asks, tag=TAG)
    return Request.user(prompt, max_tokens=ANSWER_TOKENS, temperature=heat, tag=TAG, sample=vote)


def _ballot(text: str, order: Sequence[int]) -> list[int] | None:
    """The places that a reply names, best first."""
    numbers = read_ballot(text, count=len(order))
    return None if numbers is None else [order[number - 1] for number in numbers]


def _line(card: DatasetCard, name: str) -> dict[str, str]:
    columns = ", ".join(column.name for column in card.columns)
    return {"name": name, "description": card.description, "columns": columns}


def read_ballot(text: str, *, count: int) -> list[int] | None:
    """The numbers from 1 to `count` in a reply, each once, in its order; None when it is no list of numbers."""
    numbers = read_said(text, schema=_NUMBERS)
    return None if numbers is None else list(dict.fromkeys(number for number in numbers if 1 <= number <= count))


def elected(ballots: Sequence[Sequence[int]]) -> list[int]:
    """The places that more than half of the ballots name, in the order in which the ballots would have them.

    First comes the majority of the first choices, then that of the first choices among the others, and so on. Ties go
    to whom search has ranked higher.
    """
    named = {place for ballot in ballots for place in ballot}
    standing = {place for place in named if 2 * sum(place in ballot for ballot in ballots) > len(ballots)}
    order: list[int] = []
    while standing:
        firsts = sorted(next((place for place in ballot if place in standing), -1) for ballot in ballots)
        # Written with as many digits each, so that of a tie the first in this order wins: the smallest place.
        winner = int(tally([f"{place:04}" for place in firsts if place >= 0], str).winner)
        order.append(winner)
        standing.remove(winner)
    return order
