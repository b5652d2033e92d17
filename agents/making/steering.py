"""What the loop that makes rows remembers and decides, without waiting for anything.

`Steering.build` says which groups come next, `Steering.apply` takes in what a group brought. A group is one generating
request and everything that follows from it. Called in the order of the groups, the two give the same run every time.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agents.filtering.filter import Candidate, judge_row, make_known, same_text
from agents.judging.rubric import refusal_of
from agents.making.annealing import SHARES, Heats, examples_shown, make_schedule
from agents.making.axes import AXES_A_REQUEST, choose_attributes
from agents.making.course import Course, asked_told
from agents.making.generate import Assignment, build_request, draw_seeds, most_inputs, provenance
from agents.making.groups import Brought, Group
from agents.making.hard_cases import HardCases
from agents.making.outcomes import (
    calls_told,
    happened_of,
    inputs_taste,
    labels_at_once,
    labels_taste,
    most_at_once,
    usual_reason,
)
from agents.making.plan import Target, Wish, aim_of, choose_target, make_plan
from agents.making.synthesis import LEAST_LAG, Labelling, Settings, StopReason, Synthesis
from agents.making.variation import draw_attributes
from agents.making.worth import Worth
from agents.reading.passages import LONGEST, passage_for
from agents.records import Draft, Example, Pair, Reject, RejectReason, Spec, Vote
from agents.voting.annotate import Annotation, Voting
from agents.voting.ballots import inputs_per_call
from agents.voting.vote import Aims, Trust, normaliser, tally
from engine.batching import Appetite
from engine.errors import BudgetReached, Interrupted, ProviderRefused, SmeltError
from engine.events import Event, RowAccepted, RowRejected, StageProgressed
from engine.messages import Request

__all__ = ["Steering"]

STAGE = "generate"
YIELD_WINDOW = 32  # applied groups from which the yield of the next ones is expected
ASSUMED_GROUPS = 2  # groups taken to have brought everything asked for, before any was measured
IN_FULL = 8  # one group in so many is voted on in full even where one vote has proved to be enough


@dataclass(slots=True)
class Counted:
    """What is counted along the way."""

    outputs: Counter[str] = field(default_factory=Counter)  # accepted rows by answer
    asked: Counter[Target | None] = field(default_factory=Counter)  # requests by target
    pending: Counter[Target | None] = field(default_factory=Counter)  # inputs asked for and not judged yet, by target
    attributes: Counter[str] = field(default_factory=Counter)  # requests by what their inputs were asked to be
    questions: Counter[bytes] = field(default_factory=Counter)  # how often a request read just so
    votes_asked: int = 0
    votes_failed: int = 0


class Steering:
    """The state of a run: `apply` takes in what a group brought, `build` says which groups come next.

    Both are synchronous and know no clock; called in the order of the groups they give the same run every time.
    """

    def __init__(self, spec: Spec, settings: Settings, withheld: Sequence[str], found: Sequence[Example] = ()) -> None:
        self._spec = spec
        self._settings = settings
        self._known = make_known(spec, withheld=withheld, filtered=settings.filtered)
        if settings.passages:  # an input may hold one
            self._known = replace(self._known, longest_input=max(self._known.longest_input, 2 * LONGEST))
        self._plan = make_plan(spec, shares=settings.shares, balanced=settings.balanced)
        self._hard = HardCases(settings.hard, labels=spec.labels, wanted=settings.examples, seed=settings.seed)
        self._anchors = [pair.input for pair in spec.demonstrations]
        # Of a temperature, or where the endpoint takes none of how few examples are shown and how much is asked for.
        band = settings.temperatures or SHARES
        self._heats, self._hottest = Heats(make_schedule(settings.annealing, band=band)), band.high
        self._inputs_at_once = Appetite(start=settings.per_request, most=most_at_once(settings, self._plan))
        self._labels_at_once = labels_at_once(most=settings.labels_per_call)
        self._counted = Counted()
        self._trust = Trust()
        self._aims = Aims()
        self._normalise = normaliser(spec)
        self._worth = Worth(lag=settings.lag)
        self._has_changed = False  # the way of asking, because rows had become too dear
        self._is_too_dear = False
        self._built = 0
        self._examples: list[Example] = []
        self._inputs: list[str] = []  # of the examples
        self._answers = {pair.input: pair.output for pair in spec.demonstrations}  # and of the examples
        self._ballots: defaultdict[str, list[str]] = defaultdict(list)  # of inputs that came with answers, each time
        self._rejects: list[Reject] = []
        self._labellings: list[Labelling] = []
        self._temperatures: list[float | None] = []
        self._asked: list[int] = []
        self._yields: list[int] = []
        self._costs_usd: list[float] = []
        self._course = Course(STAGE, self._plan, window=YIELD_WINDOW, wanted=settings.examples)
        self._error: SmeltError | None = None
        for example in found:
            self._keep(example)

    # Which groups come next

    def build(self) -> list[Group]:
        """The groups to start now: as many as are expected to be needed still, within the lag."""
        groups: list[Group] = []
        if not self.is_over and self._error is None:
            while count := self._next_count():
                groups.append(self._build_one(count))
        return groups

    @property
    def is_over(self) -> bool:
        """Whether nothing that is under way can matter any more.

        After an error that others got round it does: it may have been paid for. What the user must mend ends it all.
        """
        if self._error is None or self._is_enough:
            return self._is_enough or self._is_stuck or self._is_too_dear
        return not isinstance(self._error, BudgetReached | ProviderRefused | Interrupted)

    @property
    def _is_enough(self) -> bool:
        return len(self._examples) >= self._settings.examples

    @property
    def _is_stuck(self) -> bool:
        patience = self._settings.patience
        return len(self._yields) >= patience and not any(self._yields[-patience:])

    def _next_count(self) -> int:
        """How many inputs the next group asks for; 0 when none is to be started now."""
        size, start, pending = self._inputs_at_once.size, self._settings.per_request, self._counted.pending.total()
        missing = math.ceil((self._settings.examples - len(self._examples)) / self._rows_per_input - pending)
        # Twice as many are begun as have ended: what is under way is asked before anything was learnt from the others.
        most = min(self._settings.most_under_way, LEAST_LAG * start + sum(self._asked))
        if missing <= 0 or (pending and pending + size > most):
            return 0
        return min(size, max(start, missing))

    @property
    def _rows_per_input(self) -> float:
        asked, yields = self._asked[-YIELD_WINDOW:], self._yields[-YIELD_WINDOW:]
        assumed = ASSUMED_GROUPS * self._settings.per_request
        return (sum(yields) + assumed) / (sum(asked) + assumed)

    def _build_one(self, count: int) -> Group:
        settings, counted = self._settings, self._counted
        wish, seeds, attributes = self._next_wish(), self._next_seeds(), self._next_attributes()
        target = wish.target
        assignment = Assignment(
            number=self._built,
            count=min(count, wish.most or count, most_inputs(seeds)),
            target=target,
            seeds=seeds,
            attributes=attributes,
            case=self._hard.choose(self._built, target=target, rows=len(self._examples) + counted.pending.total()),
            passage=passage_for(settings.passages, self._built),
            rows=tuple(Pair(seed, self._answers[seed]) for seed in seeds) if settings.joint else None,
            completions=settings.completions if settings.joint else 1,
            temperature=None if settings.temperatures is None else self._heat(attributes),
        )
        self._built += 1
        counted.asked[target] += 1
        counted.pending[target] += assignment.inputs
        self._hard.notify_asked(assignment.case, inputs=assignment.inputs)
        return Group(
            assignment=assignment,
            request=self._told_apart(build_request(self._spec, assignment)),
            spec=self._spec,
            known=self._known.now(),
            voting=self._voting(assignment),
        )

    def _voting(self, assignment: Assignment) -> Voting:
        """How the inputs are voted on: in full what is hard on purpose, and now and then a group, to go on learning."""
        in_full = assignment.case is not None or assignment.number % IN_FULL == 0
        return replace(
            self._settings.voting,
            together=self._labels_at_once.size,
            weights=self._trust.weights,
            aim=None if in_full else self._aims.aim(aim_of(assignment.target)),
        )

    def _heat(self, attributes: Sequence[str] = ()) -> float:
        return self._hottest if self._has_changed else self._heats.at(self._kinds(attributes))

    def _next_wish(self) -> Wish:
        return choose_target(
            self._plan,
            outputs=self._counted.outputs,
            asked=self._counted.asked,
            pending=self._counted.pending,
            wanted=self._settings.examples,
            rows_per_input=self._rows_per_input,
        )

    def _next_seeds(self) -> tuple[str, ...]:
        return draw_seeds(
            self._anchors,
            () if self._has_changed else self._inputs,
            count=self._examples_shown,
            seed=self._settings.seed,
            number=self._built,
        )

    def _next_attributes(self) -> tuple[str, ...]:
        """What it is asked to be: values of the axes in their turn, and where no temperature may be sent, more."""
        settings, asked = self._settings, self._counted.attributes
        most = len(settings.axes) if self._has_changed else AXES_A_REQUEST
        chosen = choose_attributes(settings.axes, asked, seed=settings.seed, number=self._built, most=most)
        asked.update(chosen)
        if settings.temperatures is not None:
            return chosen
        return (*chosen, *draw_attributes(self._heat(), seed=settings.seed, number=self._built))

    @property
    def _examples_shown(self) -> int:
        usual = self._settings.seeds_shown
        return usual if self._settings.temperatures is not None else examples_shown(self._heat(), usual=usual)

    def _told_apart(self, request: Request) -> Request:
        """With few seeds, requests may read the same and are still meant to be several."""
        question = request.identity(asked_of="")
        self._counted.questions[question] += 1
        return replace(request, sample=self._counted.questions[question] - 1)

    # What a group brought

    def apply(self, brought: Brought) -> list[Event]:
        """Take in a group: rows are kept or left out, and what comes next may change. Returns what there is to tell."""
        assignment = brought.group.assignment
        self._counted.pending[assignment.target] -= assignment.inputs
        self._error = self._error or brought.generated.error
        kept, left_out = len(self._examples), len(self._rejects)
        if brought.generated.reason is not None:
            where = provenance(assignment)
            self._rejects.append(Reject("", None, brought.generated.reason, where, brought.generated.detail))
        for draft, ended in brought.drafts:
            if draft.output is not None:
                self._ballots[same_text(draft.input)].append(draft.output)
            if not self._is_enough:
                self._judge(draft, ended, brought.group)
        examples, rejects = self._examples[kept:], self._rejects[left_out:]
        reasons = [reject.reason for reject in rejects]
        self._hard.notify_judged(assignment.case, inputs=assignment.inputs, rows=len(examples))
        self._asked.append(assignment.inputs)
        self._yields.append(len(examples))
        self._temperatures.append(assignment.temperature)
        self._costs_usd.append(brought.cost_usd)
        self._anneal(assignment, kept=len(examples), reasons=reasons)
        self._heed(brought, rows=len(examples))
        self._taste(brought, reasons)
        return self._news(examples, rejects)

    def _judge(self, draft: Draft, ended: Reject | Annotation, group: Group) -> None:
        if isinstance(ended, Reject):
            self._rejects.append(ended)
            return
        self._error = self._error or ended.error  # one behind the last row that is wanted takes nothing away
        self._counted.votes_asked += ended.asked
        self._counted.votes_failed += len(ended.failures)
        if ended.vote is not None:
            self._trust.notify(list(map(self._normalise, ended.vote.samples)), ended.vote.models)
            accepted = self._judge_voted(draft, ended.vote)
            first = ended.first if ended.first is not None else ended.vote.winner
            if group.voting.aim is None:
                self._aims.notify(aim_of(group.assignment.target), first=first, winner=ended.vote.winner)
            self._labellings.append(
                Labelling(draft.input, first, ended.vote.winner, ended.vote.agreement, accepted, ended.lasting)
            )
        elif ended.reason is not None:
            self._rejects.append(Reject(draft.input, None, ended.reason, draft.provenance, "too few votes came back"))

    def _judge_voted(self, draft: Draft, vote: Vote) -> bool:
        if (
            finding := judge_row(Candidate.voted(draft.input, vote), self._known) or refusal_of(vote.verdict)
        ) is not None:
            where = draft.provenance
            self._rejects.append(Reject(draft.input, vote.winner, finding.reason, where, finding.detail, vote.verdict))
            return False
        self._keep(Example(draft.input, vote.winner, vote, draft.provenance))
        return True

    def _keep(self, example: Example) -> None:
        self._known.add(example.input)
        self._counted.outputs[example.output] += 1
        self._inputs.append(example.input)
        self._answers[example.input] = example.output
        self._examples.append(example)

    def _anneal(self, assignment: Assignment, *, kept: int, reasons: Sequence[RejectReason]) -> None:
        happened = happened_of(
            reasons,
            kept=kept,
            accepted=len(self._examples),
            wanted=self._settings.examples,
            is_joint=assignment.rows is not None,
        )
        self._heats.notify(self._kinds(assignment.attributes), happened)

    def _kinds(self, attributes: Sequence[str]) -> Sequence[str]:
        """What has a temperature of its own: only feedback can tell one kind from another."""
        return attributes if self._settings.annealing == "feedback" else ()

    def _heed(self, brought: Brought, *, rows: int) -> None:
        """Ask in another way, or stop, when rows have become too dear. What an error ended says nothing about it."""
        if brought.error is not None:
            return
        advice = self._worth.notify(rows=rows, usd=brought.cost_usd)
        self._has_changed = self._has_changed or advice == "change"
        self._is_too_dear = self._is_too_dear or advice == "stop"

    def _taste(self, brought: Brought, reasons: Sequence[RejectReason]) -> None:
        """Let the sizes of calls know what these were like. What failed or was refused says nothing about them."""
        if brought.generated.error is None and brought.generated.reason not in ("refusal", "failed"):
            asked = brought.group.assignment.count
            taste = inputs_taste(reasons, drafts=len(brought.drafts), asked=asked)
            self._inputs_at_once.notify(asked=asked, taste=taste)
        if len(brought.annotations) > 1:
            self._labels_at_once.notify(asked=brought.group.voting.together, taste=labels_taste(brought.annotations))

    def _news(self, examples: Sequence[Example], rejects: Sequence[Reject]) -> list[Event]:
        heat = self._heat()
        takes_heat = self._settings.temperatures is not None
        facts = asked_told(len(self._yields), heat, examples=None if takes_heat else self._examples_shown)
        return [
            *(RowAccepted(example.input, example.output) for example in examples),
            *(RowRejected(reject.reason) for reject in rejects),
            StageProgressed(STAGE, len(self._examples), self._settings.examples, facts),
            *self._course.told(examples, rejects, outputs=self._counted.outputs, heat=heat if takes_heat else None),
        ]

    # How it ended

    def result(self) -> Synthesis:
        """What came of it. Raises the error if one ended it that the user must mend first."""
        stop, why = self._ending()
        error = self._error if stop in ("budget", "refused") else None
        if error is not None and not isinstance(error, BudgetReached | ProviderRefused):
            raise error
        return Synthesis(
            examples=tuple(map(self._voted_again, self._examples)),
            rejects=tuple(self._rejects),
            labellings=tuple(self._labellings),
            stop=stop,
            why=why,
            error=error,
            temperatures=tuple(self._temperatures),
            asked=tuple(self._asked),
            costs_usd=tuple(self._costs_usd),
            calls=self._calls(),
            yields=tuple(self._yields),
            votes_asked=self._counted.votes_asked,
            votes_failed=self._counted.votes_failed,
        )

    def _voted_again(self, example: Example) -> Example:
        """An example that came with its answer, by the vote of all answers that came with its input."""
        ballots = self._ballots.get(same_text(example.input), ())
        if len(ballots) < 2:
            return example
        vote = tally(ballots, normaliser(self._spec) if self._settings.filtered else str.strip)
        models = (example.provenance.model,) * len(ballots)
        verdict = example.vote.verdict if vote.winner == example.output else None
        return replace(example, output=vote.winner, vote=replace(vote, models=models, verdict=verdict))

    def _calls(self) -> str:
        """How many items share a call by now, and why, in a sentence."""
        inputs, labels = self._inputs_at_once, self._labels_at_once
        latest = self._inputs[-inputs.size :] or self._anchors
        choice = inputs_per_call(self._spec, latest, replace(self._settings.voting, together=labels.size))
        return calls_told(inputs, labels, choice, most=self._settings.labels_per_call)

    def _ending(self) -> tuple[StopReason, str]:
        made = f"{len(self._examples)} of {self._settings.examples} rows"
        if self._is_enough and self._error is None:
            return "target", f"all {self._settings.examples:,} rows are made"
        # Rows that make up for what an error kept away are not those of a run without it, and a resumed one asks again.
        if self._is_enough:
            made = f"{made}, some of them not those that a run without this makes"
        if isinstance(self._error, BudgetReached):
            return "budget", f"the budget is reached: {made}"
        if self._error is not None:
            return "refused", f"{self._error}: {made}"
        if self._is_too_dear and not self._is_stuck:
            return "yield", f"{self._worth.why}: {made}"
        since = len(self._yields) - self._settings.patience
        usual = usual_reason(reject for reject in self._rejects if reject.provenance.request >= since)
        mostly = f" (mostly: {usual})" if usual else ""
        return "nothing new", f"the last {self._settings.patience} requests brought no new row{mostly}: {made}"
