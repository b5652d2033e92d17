"""What is asked of the making of rows, and what comes of it: records, no behaviour to speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from agents.making.annealing import DEFAULT_BAND, Band
from agents.making.axes import Axis
from agents.making.hard_cases import NO_CASES, Hard
from agents.reading.passages import Passage
from agents.records import Example, Reject
from agents.voting.annotate import Voting
from engine.errors import BudgetReached, ProviderRefused
from engine.providers import Capabilities

__all__ = ["LEAST_LAG", "Labelling", "Settings", "StopReason", "Synthesis"]

LEAST_LAG, MOST_LAG = 8, 128

VARIED_INSTEAD = "this model takes no temperature: the examples shown and the attributes asked for were varied instead"

StopReason = Literal["target", "nothing new", "yield", "budget", "refused", "pilot"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How much is wanted and how it is asked for.

    `per_request` inputs are asked for at a time to begin with, later fewer or up to `growth` times as many, as the
    replies are. `labels_per_call` is the most inputs that are labelled in one call, where sharing one pays; 1 labels
    each alone. With `sampled`, votes are the n completions of one request (see `Voting`). Temperatures of None mean
    that the endpoint takes none. Each request asks for inputs of some kind on the `axes`, if there are any. The run
    stops as stuck when `patience` groups in a row brought no row.

    `hard` is the share of hard cases among the rows, and their kinds. Each request shows one of the
    `passages`, if there are any.

    The last four are there to compare with. With `joint`, inputs come with their answers, as in Prompt2Model, and are
    not labelled again; the answers of an input that comes several times are put to the vote. `completions` is how many
    replies a generating request asks for then. Without `balanced`, no answer is asked for; without `filtered`, only
    what is there already is left out.
    """

    examples: int = 2000
    per_request: int = 8
    growth: int = 4
    labels_per_call: int = 16
    votes: int = 3
    sampled: bool = False
    annealing: str = "feedback"  # feedback | linear | cosine | constant
    temperatures: Band | None = DEFAULT_BAND
    label_temperature: float | None = 0.7
    seeds_shown: int = 6
    demonstrations_shown: int = 8
    patience: int = 12
    axes: tuple[Axis, ...] = ()
    shares: Mapping[str, float] | None = None  # of the rows, by answer; None: those that the spec calls for
    hard: Hard = NO_CASES
    passages: tuple[Passage, ...] = ()
    seed: int = 0
    joint: bool = False
    completions: int = 1
    balanced: bool = True
    filtered: bool = True

    @property
    def lag(self) -> int:
        """How many groups of the first size may be under way: a quarter of those that the target takes, 8 to 128.

        With the defaults that is 62 groups, some 250 calls: several times what is usually in flight. Fewer would make
        large groups wait for each other.
        """
        return min(MOST_LAG, max(LEAST_LAG, self.examples // (4 * self.per_request)))

    @property
    def most_under_way(self) -> int:
        """How many inputs may be asked for and not yet judged: those of `lag` groups of the first size."""
        return self.lag * self.per_request

    @property
    def voting(self) -> Voting:
        return Voting(
            votes=self.votes,
            temperature=self.label_temperature,
            demonstrations=self.demonstrations_shown,
            seed=self.seed,
            together=self.labels_per_call,
            sampled=self.sampled,
        )

    def within(self, capabilities: Capabilities, *, labelling: Capabilities | None = None) -> Settings:
        """The same, as far as an endpoint can carry it: no temperature at all, or none above its ceiling.

        Where it gives one completion a request, votes are not `sampled`: that would save nothing. `labelling` is what
        the one who labels can do, where that is another.
        """
        labelling = labelling or capabilities
        ceiling, highest = capabilities.max_temperature, labelling.max_temperature
        hottest = None if highest is None or self.label_temperature is None else min(highest, self.label_temperature)
        return replace(
            self,
            sampled=self.sampled and labelling.n,
            temperatures=None if ceiling is None else self.temperatures and self.temperatures.below(ceiling),
            label_temperature=hottest,
        )


@dataclass(frozen=True, slots=True)
class Labelling:
    """An input that was voted on, whatever became of it: what one label would have said, and what the vote said.

    `lasting` is how likely all votes would have said the same.
    """

    input: str
    first: str
    winner: str
    agreement: float
    accepted: bool
    lasting: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Synthesis:
    """What came of the run, in the order of the requests.

    `temperatures`, `asked`, `yields` and `costs_usd` have an entry a request that was applied: how hot it was asked,
    for how many inputs, how many rows it brought, what it and its labels were paid. `why` says in a sentence why it
    stopped, `calls` how full calls were in the end, and why. `error` is what ended it early, if something did: keep the
    rows, then raise it.
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
    asked: tuple[int, ...] = ()
    costs_usd: tuple[float, ...] = ()
    calls: str = ""

    @property
    def varied(self) -> str:
        """What made inputs differ where the model takes no temperature; nothing where it does."""
        return VARIED_INSTEAD if None in self.temperatures else ""

    @property
    def requests(self) -> int:
        """The generating requests whose outcome was used."""
        return len(self.yields)
