"""What a pilot says of each group to come, many times over: a Bayesian bootstrap of its groups. Pure.

Each forecast weighs the groups of the pilot anew (Rubin 1981), so whatever varies from group to group, and together
with what, varies from forecast to forecast; shares get the little doubt that a bootstrap of a dozen groups lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from agents.estimating.heard import Answered, Tried
from agents.voting.ballots import LABELLING

__all__ = ["Numbers", "Rates", "Sums", "later_calls", "rates_of"]

Numbers: TypeAlias = npt.NDArray[np.float64]

DOUBT = 0.2  # of a draft, that the next is lost where none was so far
SCATTER_MOST = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Arrays with an entry a forecast: shares of drafts, and tokens and dollars for each of what they are paid for.

    `scatter` is how many times as much as drafts that end independently the rows of groups vary.
    """

    whole: Numbers  # drafts for each input that was asked for
    looked_at: Numbers  # of the fresh drafts, those that are labelled
    repeats_looked_at: Numbers  # of the repeats, those that are labelled all the same
    kept: Numbers  # of the fresh drafts that are labelled, those that become rows
    more_votes: Numbers  # in full, for each that is labelled, after the first ones
    input_tokens: Numbers  # of a generating request
    output_tokens: Numbers  # for each input that it asks for
    label_shared: Numbers  # tokens of a labelling call whatever it labels
    label_input: Numbers  # for each vote
    label_output: Numbers
    later_calls: Numbers  # in full, after those of the first votes, for each that `later_calls` expects
    usd_beside: Numbers  # for each that is labelled: a judge
    calls_beside: Numbers
    scatter: float


class Sums:
    """Ratios of sums over groups that are weighed anew for each forecast."""

    def __init__(self, groups: Sequence[Tried], *, draws: int, chance: np.random.Generator) -> None:
        self.groups = groups
        # A little below 1, so that the spread is that of a sample's mean and not of a population's.
        flat = np.full(len(groups), max(0.2, (len(groups) - 1) / len(groups)))
        self.weights = chance.dirichlet(flat, size=draws) * len(groups)

    def of(self, what: Callable[[Tried], float]) -> Numbers:
        values: Numbers = self.weights @ np.array([float(what(group)) for group in self.groups])
        return values

    def each(self, what: Callable[[Tried], float], of: Callable[[Tried], float]) -> Numbers:
        """So much of the one for each of the other; 0 where there is nothing."""
        below = self.of(of)
        return np.divide(self.of(what), below, out=np.zeros_like(below), where=below > 0)


def rates_of(groups: Sequence[Tried], sums: Sums, *, first_votes: int, chance: np.random.Generator) -> Rates:
    """What the groups of a pilot say."""

    def part(what: Callable[[Tried], float], of: Callable[[Tried], float]) -> Numbers:
        share, count = sums.each(what, of), sum(map(of, groups))
        scatter = _scatter(groups, what, of)
        held = share * count / scatter
        return chance.beta(held + DOUBT, count / scatter - held + DOUBT) if count else np.ones_like(share)

    labelling = _of_tag(LABELLING)
    beside = _beside
    return Rates(
        whole=part(lambda group: min(len(group.fresh), group.asked), lambda group: group.asked),
        looked_at=part(_looked_at, lambda group: sum(group.fresh)),
        repeats_looked_at=part(lambda group: group.repeats_labelled, lambda group: len(group.fresh) - sum(group.fresh)),
        kept=part(lambda group: group.rows, _looked_at),
        more_votes=sums.each(
            lambda group: group.votes_in_full - first_votes * group.in_full, lambda group: group.in_full
        ),
        input_tokens=sums.each(_total(_of_tag("generate"), "input_tokens"), lambda _: 1.0),
        output_tokens=sums.each(_total(_of_tag("generate"), "output_tokens"), lambda group: group.asked),
        label_shared=sums.each(_total(labelling, "shared_tokens"), lambda group: len(labelling(group))),
        label_input=sums.each(
            lambda group: sum(call.input_tokens - call.shared_tokens for call in labelling(group)),
            lambda group: group.votes,
        ),
        label_output=sums.each(_total(labelling, "output_tokens"), lambda group: group.votes),
        later_calls=_later(sums, first_votes),
        usd_beside=sums.each(lambda group: sum(call.usd for call in beside(group)), lambda group: group.labelled),
        calls_beside=sums.each(lambda group: len(beside(group)), lambda group: group.labelled),
        scatter=_scatter(groups, lambda group: group.rows, lambda group: len(group.fresh)),
    )


def later_calls(votes: Numbers, *, most: int) -> Numbers:
    """The calls that so many votes of a later round come in: hardly ever more than one, none where there is none."""
    calls: Numbers = np.maximum(1.0 - np.exp(-votes), votes / most)
    return calls


def _later(sums: Sums, first_votes: int) -> Numbers:
    """How many times as many calls as expected the later rounds of groups that are voted on in full came in."""

    def more(group: Tried) -> float:
        first = first_votes * np.ceil(group.labelled / group.together) if group.in_full else 0
        return max(0.0, len(_of_tag(LABELLING)(group)) - first) if group.in_full else 0.0

    def looked_for(group: Tried) -> float:
        votes = np.array(max(0.0, group.votes_in_full - first_votes * group.in_full))
        return float(later_calls(votes, most=group.together))

    found = sums.each(more, looked_for)
    return np.where(found > 0, found, 1.0)


def _looked_at(group: Tried) -> float:
    return group.labelled - group.repeats_labelled


def _of_tag(tag: str) -> Callable[[Tried], list[Answered]]:
    return lambda group: [call for call in group.calls if call.tag == tag]


def _beside(group: Tried) -> list[Answered]:
    return [call for call in group.calls if call.tag not in ("generate", LABELLING)]


def _total(calls: Callable[[Tried], list[Answered]], what: str) -> Callable[[Tried], float]:
    return lambda group: sum(float(getattr(call, what)) for call in calls(group))


def _scatter(groups: Sequence[Tried], what: Callable[[Tried], float], of: Callable[[Tried], float]) -> float:
    """How many times as much as independent ones the successes of groups vary: Pearson's chi square by its degrees."""
    held = [(what(group), of(group)) for group in groups if of(group)]
    share = sum(each for each, _ in held) / max(1.0, sum(count for _, count in held))
    if len(held) < 3 or not 0 < share < 1:
        return 1.0
    square = sum((each - share * count) ** 2 / (share * (1 - share) * count) for each, count in held)
    return float(min(SCATTER_MOST, max(1.0, square / (len(held) - 1))))
