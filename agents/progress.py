"""What the loop that makes rows remembers and decides, without waiting for anything.

`Progress.build` says which groups come next, `Progress.apply` takes in what a group brought. A group is one generating
request and everything that follows from it. Called in the order of the groups, the two give the same run every time.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from agents.annealing import DEFAULT_BAND, Band, Happened, Schedule, make_schedule
from agents.annotate import Annotation, Voting
from agents.filter import Candidate, Known, judge_row, make_known
from agents.generate import Assignment, Generated, build_request, draw_seeds, provenance
from agents.plan import Target, choose_target, make_plan
from agents.records import Draft, Example, Reject, RejectReason, Spec, Vote
from engine.errors import BudgetReached, ProviderRefused, SmeltError
from engine.events import Event, RowAccepted, RowRejected, StageProgressed
from engine.messages import Request
from engine.providers import Capabilities

__all__ = ["Brought", "Group", "Labelling", "Progress", "Settings", "StopReason", "Synthesis"]

STAGE = "generate"
LEAST_LAG, MOST_LAG = 8, 64
YIELD_WINDOW = 32  # applied groups from which the yield of the next ones is expected
ASSUMED_GROUPS = 2  # groups taken to have brought everything asked for, before any was measured

REPEATS: frozenset[RejectReason] = frozenset({"duplicate", "leak"})  # the teacher says what is there already

StopReason = Literal["target", "nothing new", "budget", "refused"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much is wanted and how it is asked for.

    Temperatures of None mean that the endpoint takes none. The run stops as stuck when `patience` groups in a row
    brought no row.
    """

    examples: int = 2000
    per_request: int = 8
    votes: int = 3
    annealing: str = "feedback"  # feedback | linear | cosine | constant
    temperatures: Band | None = DEFAULT_BAND
    label_temperature: float | None = 0.7
    seeds_shown: int = 6
    demonstrations_shown: int = 8
    patience: int = 12
    seed: int = 0

    @property
    def lag(self) -> int:
        """How many groups may be under way: an eighth of those that the target takes at least, 8 to 64.

        With the defaults that is 31 groups, some 500 calls: several times what is usually in flight.
        """
        return min(MOST_LAG, max(LEAST_LAG, self.examples // (8 * self.per_request)))

    @property
    def voting(self) -> Voting:
        return Voting(
            votes=self.votes,
            temperature=self.label_temperature,
            demonstrations=self.demonstrations_shown,
            seed=self.seed,
        )

    def within(self, capabilities: Capabilities) -> Settings:
        """The same, as far as an endpoint can carry it: no temperature at all, or none above its ceiling."""
        ceiling = capabilities.max_temperature
        if ceiling is None:
            return replace(self, temperatures=None, label_temperature=None)
        return replace(
            self,
            temperatures=self.temperatures and self.temperatures.below(ceiling),
            label_temperature=None if self.label_temperature is None else min(ceiling, self.label_temperature),
        )


@dataclass(frozen=True, slots=True)
class Labelling:
    """An input that was voted on, whatever became of it: what one label would have said, and what the vote said."""

    input: str
    first: str
    winner: str
    agreement: float
    accepted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """What came of the run, in the order of the requests.

    `temperatures` and `yields` have an entry a request that was applied: how hot it was asked, how many rows it
    brought. `why` says in a sentence why it stopped. `error` is what ended it early, if something did: keep the rows,
    then raise it.
    """

    examples: tuple[Example, ...]
    rejects: tuple[Reject, ...]
    labellings: tuple[Labelling, ...]
    stop: StopReason
    why: str
    error: BudgetReached | ProviderRefused | None
    temperatures: tuple[float | None, ...]
    yields: tuple[int, ...]
    votes_asked: int
    votes_failed: int

    @property
    def requests(self) -> int:
        """The generating requests whose outcome was used."""
        return len(self.yields)


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
class Tally:
    """What is counted along the way."""

    outputs: Counter[str] = field(default_factory=Counter)  # accepted rows by answer
    asked: Counter[Target | None] = field(default_factory=Counter)  # requests by target
    pending: Counter[Target | None] = field(default_factory=Counter)  # those of them not applied yet
    questions: Counter[bytes] = field(default_factory=Counter)  # how often a request read just so
    votes_asked: int = 0
    votes_failed: int = 0


class Progress:
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
        self._tally = Tally()
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
        settings, tally = self._settings, self._tally
        assignment = Assignment(
            number=self._built,
            count=settings.per_request,
            target=self._next_target(),
            seeds=self._next_seeds(),
            temperature=self._temperature,
        )
        self._built += 1
        tally.asked[assignment.target] += 1
        tally.pending[assignment.target] += 1
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
            outputs=self._tally.outputs,
            asked=self._tally.asked,
            pending=self._tally.pending,
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
        self._tally.questions[question] += 1
        return replace(request, sample=self._tally.questions[question] - 1)

    # What a group brought

    def apply(self, brought: Brought) -> list[Event]:
        """Take in a group: rows are kept or left out, and what comes next may change. Returns what there is to tell."""
        self._tally.pending[brought.group.assignment.target] -= 1
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
        self._tally.votes_asked += ended.asked
        self._tally.votes_failed += len(ended.failures)
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
        self._tally.outputs[vote.winner] += 1
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
            votes_asked=self._tally.votes_asked,
            votes_failed=self._tally.votes_failed,
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
