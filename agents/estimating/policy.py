"""How a run goes on from its pilot: how much each group asks for, how many are under way. Pure.

It is the part of `Steering` that decides about sizes, by what is expected on the average of many runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from agents.estimating.heard import Tried
from agents.making.outcomes import labels_at_once, most_at_once
from agents.making.plan import aim_of, make_plan
from agents.making.steering import IN_FULL
from agents.making.synthesis import LEAST_LAG, Settings
from agents.records import Spec
from agents.voting.vote import votes_to_ask
from engine.batching import Appetite, Taste

__all__ = ["Policy", "Sizes", "policy_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """How a run goes about it.

    Groups begin with `start` inputs and come to ask for `most`; at most `under_way` inputs are asked for and not
    judged, and early on no more than `lead` beyond those that are. Inputs get `first_votes` at once and `votes` at
    most, in calls for up to `labels_at_most`; `shares` are those of the rows that are written for one answer, and
    the part `in_full` of these is voted on in full whatever is known. A run that is stuck ends after `patience` groups.
    """

    wanted: int
    start: int
    most: int
    under_way: int
    lead: int
    lag: int
    votes: int
    first_votes: int
    labels_at_most: int
    shares: tuple[tuple[str, float], ...] = ()
    in_full: float = 1 / IN_FULL
    patience: int = 12


def policy_of(spec: Spec, settings: Settings) -> Policy:
    """What the settings of a run come to."""
    quotas = make_plan(spec, shares=settings.shares, balanced=settings.balanced)
    aims = ((aim_of(quota.target), quota.share) for quota in quotas)
    return Policy(
        wanted=settings.examples,
        start=settings.per_request,
        most=most_at_once(settings, quotas),
        under_way=settings.most_under_way,
        lead=LEAST_LAG * settings.per_request,
        lag=settings.lag,
        votes=settings.votes,
        first_votes=votes_to_ask([], remaining=settings.votes),
        labels_at_most=settings.labels_per_call,
        shares=tuple((answer, share) for answer, share in aims if answer is not None),
        in_full=1 / IN_FULL + (settings.hard.share if settings.hard.cases else 0.0),
        patience=settings.patience,
    )


@dataclass(slots=True)
class Sizes:
    """How many inputs each group asks for and how many labels share a call: what the run's own appetites make of it.

    `begin` says which groups are begun when so many have ended, `end` that one has.
    """

    policy: Policy
    inputs: Appetite = field(init=False)
    labels: Appetite = field(init=False)
    begun: list[int] = field(default_factory=list)  # inputs, by group
    begun_after: list[int] = field(default_factory=list)  # groups that had ended then
    ended: int = 0
    inputs_ended: int = 0
    _inputs_begun: int = 0

    def __post_init__(self) -> None:
        self.inputs = Appetite(start=self.policy.start, most=self.policy.most)
        self.labels = labels_at_once(most=self.policy.labels_at_most)

    def begin(self, known: Sequence[Tried] = ()) -> None:
        """Begin what may be under way now; what the groups of the pilot asked for is known."""
        while True:
            number, pending = len(self.begun), self._inputs_begun - self.inputs_ended
            size = known[number].asked if number < len(known) else self.inputs.size
            if pending and pending + size > min(self.policy.under_way, self.policy.lead + self.inputs_ended):
                return
            self.begun.append(size)
            self.begun_after.append(self.ended)
            self._inputs_begun += size

    def end(self, *, inputs: Taste, labels: Taste, together: int) -> int:
        """The next group in order has ended; how many inputs it was asked for."""
        size = self.begun[self.ended]
        self.inputs.notify(asked=size, taste=inputs)
        self.labels.notify(asked=together, taste=labels)
        self.ended += 1
        self.inputs_ended += size
        return size


class Rationed:
    """A taste now and then, as often as it is to be expected and as evenly: chance has no part in it."""

    def __init__(self) -> None:
        self._due = 0.5

    def next(self, share: float) -> bool:
        self._due += share
        comes = self._due >= 1.0
        self._due -= comes
        return comes


def share_of(tastes: Iterable[Taste], taste: Taste) -> float:
    """How many of them are like that, 0 to 1."""
    found = list(tastes)
    return found.count(taste) / len(found) if found else 0.0
