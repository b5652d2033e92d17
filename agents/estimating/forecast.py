"""A run carried on from its pilot some hundred times, as it may go: rows, dollars, calls and seconds. Pure.

What groups bring is drawn from what the pilot's brought (`rates`), and how much of it is new from urns that the
pilot speaks for (`novelty`); what is decided on the way, the run's own policies decide (`policy`). So a forecast
knows that calls grow fuller, that votes become fewer where a first one has proved to be enough, that what is
new becomes rarer, and that a run stops when rows have become too dear. It does not know that a teacher changes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from agents.estimating.duration import Paces
from agents.estimating.heard import Answered, Tried
from agents.estimating.novelty import Urns, draw_urns
from agents.estimating.policy import Policy, Rationed, Sizes, share_of
from agents.estimating.prices import Tariff, tariff_of
from agents.estimating.rates import Numbers, Rates, Sums, later_calls, rates_of
from agents.estimating.votes import DISPUTED, Aiming, Ballots
from agents.making.worth import FLOOR, WINDOW
from agents.voting.ballots import LABELLING

__all__ = ["DRAWS", "Paths", "foretell"]

DRAWS = 400
FURTHER = 2.5  # times the dollars that the rows take at which a table of budgets ends
STEPS = 600  # at most; where a run has more groups, several make a step
EXACT = 250  # groups that are a step of their own
SLIPS = 0.07  # of the cost of what is to come: what the model itself may be off by, as a standard deviation


@dataclass(frozen=True, slots=True, kw_only=True)
class Paths:
    """How each forecast goes on: arrays of so many steps by so many forecasts, all of them sums from the beginning.

    `seconds` is when the groups of a step would all have ended if nothing but their own calls took time. `stops` says
    from which step on a forecast stands still, being stuck; as many steps as there are where it never does.
    """

    rows: Numbers
    usd: Numbers
    calls: Numbers
    input_tokens: Numbers
    output_tokens: Numbers
    seconds: Numbers
    stops: Numbers


@dataclass(slots=True)
class _Now:
    """Where all forecasts stand."""

    rows: Numbers
    usd: Numbers
    calls: Numbers
    input_tokens: Numbers
    output_tokens: Numbers
    drawn: Numbers
    different: Numbers
    is_over: Numbers
    best: Numbers  # rows for a dollar
    dear_for: Numbers  # groups in a row that brought less than a tenth of that


def foretell(
    groups: Sequence[Tried],
    policy: Policy,
    *,
    before: Sequence[Answered],
    seed: int,
    draws: int = DRAWS,
) -> Paths:
    """How a run may go on from these groups; `before` are the calls that came before them, such as those about a plan.

    The same pilot and seed foretell the same.
    """
    chance = np.random.default_rng(seed)
    course = _Course(groups, policy, before=before, draws=draws, chance=chance)
    return course.paths()


class _Course:
    """The forecasts, step by step."""

    def __init__(
        self,
        groups: Sequence[Tried],
        policy: Policy,
        *,
        before: Sequence[Answered],
        draws: int,
        chance: np.random.Generator,
    ) -> None:
        self._groups, self._policy, self._chance, self._draws = groups, policy, chance, draws
        sums = Sums(groups, draws=draws, chance=chance)
        self._rates: Rates = rates_of(groups, sums, first_votes=policy.first_votes, chance=chance)
        self._urns: Urns = draw_urns([new for group in groups for new in group.fresh], draws=draws, chance=chance)
        self._aiming = Aiming(policy, [each for group in groups for each in group.aimed], draws=draws, chance=chance)
        self._slips = np.exp(SLIPS * chance.standard_normal(draws))
        calls = [call for group in groups for call in group.calls]
        self._making = tariff_of([call for call in calls if call.tag == "generate"])
        self._labelling = tariff_of([call for call in calls if call.tag == LABELLING])
        self._sizes = Sizes(policy)
        self._paces = Paces(groups, draws=draws, chance=chance)
        self._broken, self._unwhole = Rationed(), Rationed()
        self._now = _start(groups, before, draws=draws)

    def paths(self) -> Paths:
        """All of them, to their ends."""
        steps: list[_Now] = []
        seconds: list[Numbers] = []
        stops = np.full(self._draws, np.inf)
        while not self._is_enough(len(steps)):
            self._sizes.begin(self._groups)
            several = self._several(len(steps))
            number = self._sizes.ended
            size = self._end_one()
            if number < len(self._groups):
                _take_in(self._now, self._groups[number])
            else:
                self._step(size * several, several)
            seconds.append(self._paces.end(size=size, begun_after=self._sizes.begun_after[number], several=several))
            steps.append(replace(self._now))  # arrays are never changed in place
            stops = np.where((self._now.is_over > 0) & np.isinf(stops), len(steps) - 1, stops)
        return Paths(
            rows=np.array([step.rows for step in steps]),
            usd=np.array([step.usd for step in steps]),
            calls=np.array([step.calls for step in steps]),
            input_tokens=np.array([step.input_tokens for step in steps]),
            output_tokens=np.array([step.output_tokens for step in steps]),
            seconds=np.array(seconds),
            stops=np.minimum(stops, len(steps)),
        )

    def _is_enough(self, steps: int) -> bool:
        rows = self._now.rows
        if steps < len(self._groups):
            return False
        return steps > STEPS or bool(np.all((rows >= FURTHER * self._policy.wanted) | (self._now.is_over > 0)))

    def _several(self, steps: int) -> int:
        """How many groups the next step stands for."""
        if steps < max(EXACT, len(self._groups)):
            return 1
        rows = float(np.median(self._now.rows))
        rate = max(0.05, rows / max(1, self._sizes.inputs_ended))
        left = (FURTHER * self._policy.wanted - rows) / (rate * self._sizes.inputs.size)
        return max(1, round(left / max(1, STEPS - steps)))

    def _end_one(self) -> int:
        """The next group ends, with what it is likely to be like; how many inputs it was asked for."""
        number, together = self._sizes.ended, self._sizes.labels.size
        if number < len(self._groups):
            group = self._groups[number]
            return self._sizes.end(inputs=group.inputs_taste, labels=group.labels_taste, together=group.together)
        broken = share_of((group.inputs_taste for group in self._groups), "broken")
        unwhole = share_of((group.labels_taste for group in self._groups), "broken")
        new = float(np.median(self._urns.chance_of_new(self._now.drawn, self._now.different)))
        stale = new < 0.5
        return self._sizes.end(
            inputs="broken" if self._broken.next(broken) else "stale" if stale else "good",
            labels="broken" if self._unwhole.next(unwhole) else "good",
            together=together,
        )

    def _step(self, asked: int, groups: int) -> None:
        """So many inputs are asked for in so many groups: what is drawn, labelled, kept and paid."""
        now, rates, going = self._now, self._rates, 1.0 - self._now.is_over
        drafts = asked * rates.whole
        chance_of_new = self._urns.chance_of_new(now.drawn + drafts / 2, now.different)
        fresh = self._about(drafts, chance_of_new)
        labelled = fresh * rates.looked_at + (drafts - fresh) * rates.repeats_looked_at
        rows = self._about(fresh * rates.looked_at, rates.kept)
        ballots = self._aiming.ballot(labelled, more=rates.more_votes)
        votes, calls = ballots.votes, groups * self._calls_to_label(labelled / groups, ballots)
        input_tokens = groups * rates.input_tokens
        output_tokens = asked * rates.output_tokens
        label_input = calls * rates.label_shared + votes * rates.label_input
        usd = (
            _usd(self._making, input_tokens, output_tokens)
            + _usd(self._labelling, label_input, votes * rates.label_output)
            + labelled * rates.usd_beside
        ) * self._slips
        now.rows = now.rows + going * rows
        now.usd = now.usd + going * usd
        now.calls = now.calls + going * (groups + calls + labelled * rates.calls_beside)
        now.input_tokens = now.input_tokens + going * (input_tokens + label_input)
        now.output_tokens = now.output_tokens + going * (output_tokens + votes * rates.label_output)
        now.drawn = now.drawn + going * drafts
        now.different = now.different + going * fresh
        self._heed(rows, usd, groups)

    def _calls_to_label(self, labelled: Numbers, ballots: Ballots) -> Numbers:
        """The calls that a group's votes come in: as even as can be, vote by vote; later rounds have few inputs."""
        most, rates = self._sizes.labels.size, self._rates
        filled = np.ceil(labelled / most)
        in_full = self._policy.first_votes * filled
        in_full = in_full + rates.later_calls * later_calls(labelled * rates.more_votes, most=most)
        disputed = labelled * ballots.disputed
        settled = filled + later_calls(disputed, most=most) + later_calls(DISPUTED * disputed, most=most)
        calls: Numbers = ballots.settled * settled + (1 - ballots.settled) * in_full
        return calls

    def _about(self, count: Numbers, share: Numbers) -> Numbers:
        """So many of these, as chance has it."""
        spread = np.sqrt(np.maximum(0.0, count * share * (1 - share) * self._rates.scatter))
        return np.clip(count * share + spread * self._chance.standard_normal(self._draws), 0.0, count)

    def _heed(self, rows: Numbers, usd: Numbers, groups: int) -> None:
        """A forecast is over when rows have stayed too dear for long, as `Worth` has it, or do not come at all."""
        now = self._now
        paid = np.where(usd > 0, usd, float(groups))
        worth = rows / paid
        now.best = np.maximum(now.best, worth)
        is_dear = (worth < FLOOR * now.best) | (rows < groups / self._policy.patience)
        now.dear_for = np.where(is_dear, now.dear_for + groups, 0.0)
        now.is_over = np.where(now.dear_for >= 2 * WINDOW + self._policy.lag, 1.0, now.is_over)


def _start(groups: Sequence[Tried], before: Sequence[Answered], *, draws: int) -> _Now:
    """Before the first group."""
    zeros = np.zeros(draws)
    usd = sum(call.usd for call in before)
    paid = sum(call.usd for group in groups for call in group.calls)
    best = sum(group.rows for group in groups) / (paid or len(groups))
    return _Now(
        rows=zeros,
        usd=zeros + usd,
        calls=zeros + len(before),
        input_tokens=zeros + sum(call.input_tokens for call in before),
        output_tokens=zeros + sum(call.output_tokens for call in before),
        drawn=zeros,
        different=zeros,
        is_over=zeros,
        best=zeros + best,
        dear_for=zeros,
    )


def _take_in(now: _Now, group: Tried) -> None:
    """What a group of the pilot brought is known."""
    now.rows = now.rows + group.rows
    now.usd = now.usd + sum(call.usd for call in group.calls)
    now.calls = now.calls + len(group.calls)
    now.input_tokens = now.input_tokens + sum(call.input_tokens for call in group.calls)
    now.output_tokens = now.output_tokens + sum(call.output_tokens for call in group.calls)
    now.drawn = now.drawn + len(group.fresh)
    now.different = now.different + sum(group.fresh)


def _usd(tariff: Tariff, input_tokens: Numbers, output_tokens: Numbers) -> Numbers:
    return tariff.input * input_tokens + tariff.output * output_tokens
