"""What the loop that makes rows remembers and decides, without waiting for anything.

`Steering.build` says which groups come next, `Steering.apply` takes in what a group brought. A group is one generating
request and everything that follows from it. Called in the order of the groups, the two give the same run every time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from agents.annealing import Happened, Schedule, make_schedule
from agents.annotate import Annotation, Voting
from agents.filter import Candidate, Known, judge_row, make_known
from agents.generate import Assignment, Generated, build_request, draw_seeds, provenance
from agents.plan import Target, choose_target, make_plan
from agents.records import Draft, Example, Reject, RejectReason, Spec, Vote
from agents.synthesis import Labelling, Settings, StopReason, Synthesis
from engine.errors import BudgetReached, ProviderRefused, SmeltError
from engine.events import Event, RowAccepted, RowRejected, StageProgressed
from engine.messages import Request

__all__ = ["Brought", "Group", "Steering"]

STAGE = "generate"
YIELD_WINDOW = 32  # applied groups from which the yield of the next ones is expected
ASSUMED_GROUPS = 2  # groups taken to have brought everything asked for, before any was measured

REPEATS: frozenset[RejectReason] = frozenset({"duplicate", "leak"})  # the teacher says what is there already


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Everything a group needs, fixed when it is built."""

    assignment: Assignment
    request: Request
    spec: Spec
    known: Known
    voting: Voting


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a group brings home: each draft is rejected at sight or has its annotation, in order of position."""

    group: Group
    generated: Generated
    drafts: tuple[tuple[Draft, Reject | Annotation], ...] = ()

    @property
    def error(self) -> SmeltError | None:
        labelled = (ended.error for _, ended in self.drafts if isinstance(ended, Annotation))
        return self.generated.error or next(filter(None, labelled), None)


@dataclass(slots=True)
class Counted:
    """What is counted along the way."""

    outputs: Counter[str] = field(default_factory=Counter)  # accepted rows by answer
    asked: Counter[Target | None] = field(default_factory=Counter)  # requests by target
    pending: Counter[Target | None] = field(default_factory=Counter)  # those of them not applied yet
    questions: Counter[bytes] = field(default_factory=Counter)  # how often a request read just so
    votes_asked: int = 0
    votes_failed: int = 0


class Steering:
    """The state of a run: `apply` takes in what a group brought, `build` says which groups come next.

    Both are synchronous and know no clock; called in the order of the groups they give the same run every time.
    """

    def __init__(self, spec: Spec, settings: Settings, withheld: tuple[str, ...]) -> None:
        self._spec = spec
        self._settings = settings
        self._known = make_known(spec, withheld=withheld)
        self._plan = make_plan(spec)
        self._anchors = [pair.input for pair in spec.demonstrations]
        self._schedule: Schedule | None = None
        self._temperature: float | None = None
        if settings.temperatures is not None:
            self._schedule = make_schedule(settings.annealing, band=settings.temperatures)
            self._temperature = self._schedule.first
        self._counted = Counted()
        self._built = 0
        self._examples: list[Example] = []
        self._inputs: list[str] = []  # of the examples
        self._rejects: list[Reject] = []
        self._labellings: list[Labelling] = []
        self._temperatures: list[float | None] = []
        self._yields: list[int] = []
        self._error: SmeltError | None = None

    # Which groups come next

    def build(self, *, under_way: int) -> list[Group]:
        """The groups to start now: as many as are expected to be needed still, within the lag."""
        if self.is_over or self._error is not None:
            return []
        room = self._settings.lag - under_way
        return [self._build_one() for _ in range(min(room, self._groups_needed() - under_way))]

    @property
    def is_over(self) -> bool:
        """Whether nothing that is under way can matter any more. After an error it does: it may have been paid for."""
        return self._is_enough or (self._error is None and self._is_stuck)

    @property
    def _is_enough(self) -> bool:
        return len(self._examples) >= self._settings.examples

    @property
    def _is_stuck(self) -> bool:
        patience = self._settings.patience
        return len(self._yields) >= patience and not any(self._yields[-patience:])

    def _groups_needed(self) -> int:
        recent = self._yields[-YIELD_WINDOW:]
        rows = sum(recent) + ASSUMED_GROUPS * self._settings.per_request
        rows_per_group = rows / (len(recent) + ASSUMED_GROUPS)
        return math.ceil((self._settings.examples - len(self._examples)) / rows_per_group)

    def _build_one(self) -> Group:
        settings, counted = self._settings, self._counted
        assignment = Assignment(
            number=self._built,
            count=settings.per_request,
            target=self._next_target(),
            seeds=self._next_seeds(),
            temperature=self._temperature,
        )
        self._built += 1
        counted.asked[assignment.target] += 1
        counted.pending[assignment.target] += 1
        return Group(
            assignment=assignment,
            request=self._told_apart(build_request(self._spec, assignment)),
            spec=self._spec,
            known=self._known.at(len(self._known.seen)),
            voting=settings.voting,
        )

    def _next_target(self) -> Target | None:
        return choose_target(
            self._plan,
            outputs=self._counted.outputs,
            asked=self._counted.asked,
            pending=self._counted.pending,
            wanted=self._settings.examples,
            per_request=self._settings.per_request,
        )

    def _next_seeds(self) -> tuple[str, ...]:
        return draw_seeds(
            self._anchors,
            self._inputs,
            count=self._settings.seeds_shown,
            seed=self._settings.seed,
            number=self._built,
        )

    def _told_apart(self, request: Request) -> Request:
        """With few seeds, requests may read the same and are still meant to be several."""
        question = request.identity(asked_of="")
        self._counted.questions[question] += 1
        return replace(request, sample=self._counted.questions[question] - 1)

    # What a group brought

    def apply(self, brought: Brought) -> list[Event]:
        """Take in a group: rows are kept or left out, and what comes next may change. Returns what there is to tell."""
        self._counted.pending[brought.group.assignment.target] -= 1
        self._error = self._error or brought.error
        kept, left_out = len(self._examples), len(self._rejects)
        if brought.generated.reason is not None:
            where = provenance(brought.group.assignment)
            self._rejects.append(Reject("", None, brought.generated.reason, where, brought.generated.detail))
        for draft, ended in brought.drafts:
            if not self._is_enough:
                self._judge(draft, ended)
        examples, rejects = self._examples[kept:], self._rejects[left_out:]
        self._yields.append(len(examples))
        self._temperatures.append(brought.group.assignment.temperature)
        self._anneal(kept=len(examples), reasons=[reject.reason for reject in rejects])
        return self._news(examples, rejects)

    def _judge(self, draft: Draft, ended: Reject | Annotation) -> None:
        if isinstance(ended, Reject):
            self._rejects.append(ended)
            return
        self._counted.votes_asked += ended.asked
        self._counted.votes_failed += len(ended.failures)
        if ended.vote is not None:
            accepted = self._judge_voted(draft, ended.vote)
            first = ended.first if ended.first is not None else ended.vote.winner
            self._labellings.append(
                Labelling(draft.input, first, ended.vote.winner, ended.vote.agreement, accepted=accepted)
            )
        elif ended.reason is not None:
            self._rejects.append(Reject(draft.input, None, ended.reason, draft.provenance, "too few votes came back"))

    def _judge_voted(self, draft: Draft, vote: Vote) -> bool:
        row = Candidate(input=draft.input, output=vote.winner, agreement=vote.agreement)
        if (finding := judge_row(row, self._known)) is not None:
            self._rejects.append(Reject(draft.input, vote.winner, finding.reason, draft.provenance, finding.detail))
            return False
        self._known.seen.add(draft.input)
        self._counted.outputs[vote.winner] += 1
        self._inputs.append(draft.input)
        self._examples.append(Example(draft.input, vote.winner, vote, draft.provenance))
        return True

    def _anneal(self, *, kept: int, reasons: Sequence[RejectReason]) -> None:
        if self._schedule is None or self._temperature is None:
            return
        repeated = sum(reason in REPEATS for reason in reasons)
        bad = sum(reason not in REPEATS and reason != "failed" for reason in reasons)
        happened = Happened(
            accepted=len(self._examples),
            wanted=self._settings.examples,
            drafts=kept + repeated + bad,
            duplicates=repeated,
            rejects=bad,
        )
        self._temperature = self._schedule.next(self._temperature, happened)

    def _news(self, examples: Sequence[Example], rejects: Sequence[Reject]) -> list[Event]:
        facts = [("requests", str(len(self._yields)))]
        if self._temperature is not None:
            facts.append(("temperature", f"{self._temperature:.2f}"))
        return [
            *(RowAccepted(example.input, example.output) for example in examples),
            *(RowRejected(reject.reason) for reject in rejects),
            StageProgressed(STAGE, len(self._examples), self._settings.examples, tuple(facts)),
        ]

    # How it ended

    def result(self) -> Synthesis:
        """What came of it. Raises the error if one ended it that the user must mend first."""
        stop, why = self._ending()
        error = self._error if stop in ("budget", "refused") else None
        if error is not None and not isinstance(error, BudgetReached | ProviderRefused):
            raise error
        return Synthesis(
            examples=tuple(self._examples),
            rejects=tuple(self._rejects),
            labellings=tuple(self._labellings),
            stop=stop,
            why=why,
            error=error,
            temperatures=tuple(self._temperatures),
            yields=tuple(self._yields),
            votes_asked=self._counted.votes_asked,
            votes_failed=self._counted.votes_failed,
        )

    def _ending(self) -> tuple[StopReason, str]:
        made = f"{len(self._examples)} of {self._settings.examples} rows"
        if self._is_enough:
            return "target", f"all {self._settings.examples} rows are made"
        if isinstance(self._error, BudgetReached):
            return "budget", f"the budget is reached: {made}"
        if self._error is not None:
            return "refused", f"{self._error}: {made}"
        return "nothing new", f"the last {self._settings.patience} requests brought no new row{self._mostly()}: {made}"

    def _mostly(self) -> str:
        """The usual reason of late, for the sentence that says why a run is stuck."""
        since = len(self._yields) - self._settings.patience
        late = Counter(reject.reason for reject in self._rejects if reject.provenance.request >= since)
        return f" (mostly: {late.most_common(1)[0][0]})" if late else ""
