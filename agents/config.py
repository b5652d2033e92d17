"""What a run was asked to do: every option with its default, checked once. `config_file` reads and writes them.

Nothing here does anything. A value that cannot mean anything is a `UserError` before anything is written or paid.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, get_args

from agents.checks import MOST_SEED, check_writable, decimal, flag, one_of, part, positive, within
from agents.parsing.language import LANGUAGES
from agents.records import StudentFamily
from engine.errors import UserError
from engine.text import meant

if TYPE_CHECKING:  # they bring asyncio along, which `smelt --help` need not wait for
    from engine.budget import Budget
    from engine.prices import Price
    from engine.providers.address import Address
    from engine.providers.profile import Profile

__all__ = [
    "MONEY",
    "PACE",
    "RANGES",
    "ROLES",
    "SPENDING_STAGES",
    "Configuration",
    "Models",
    "Stages",
]

MONEY = ("budget", "price_in", "price_out", "price_cached_in", "price_cache_write", "price_batch")

SPENDING_STAGES = ("parse", "retrieve", "transform", "generate", "annotate", "judge")
"""Those that ask the teacher: the tags of its requests, and the names of parts of the budget."""

PACE = ("rpm", "tpm", "concurrency", "hedge", "batch", "deadline", "ray", "workers", "gpus")
"""How fast a run goes and for how long: what it makes follows from none of these, so it may go on with others."""

ROLES: Mapping[str, str] = {"annotator": "annotate", "judge": "judge", "parser": "parse"}
"""Who may be another than the teacher, and the tag of the requests that go to it."""

# Beyond these a number is a slip of the finger, and would only be noticed when memory or money has run out.
RANGES: Mapping[str, tuple[int, int]] = {
    "examples": (1, 10_000_000), "votes": (1, 99), "per_request": (1, 100), "labels_per_call": (1, 100),
    "rows_per_dataset": (1, 1_000_000), "rpm": (1, 10**9), "tpm": (1, 10**12), "concurrency": (1, 10_000),
    "workers": (1, 100_000), "threads": (1, 1024), "trial": (1, 20), "tune": (2, 50),  # of one there is none to choose
}  # fmt: skip

# Texts that end up in a file.
WRITTEN = ("model", "dialect", "base", "test", "documents", "catalogue", "inputs", "input_column")

Models: TypeAlias = tuple[Mapping[str, object], ...]
"""Models in fall-back order: each a table of what is said of it, under the names of a run's options."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """What stages may take of the budget at most, and what is kept for them alone, as shares of the whole."""

    at_most: Mapping[str, str] = dataclasses.field(default_factory=dict)
    kept: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, share in (*self.at_most.items(), *self.kept.items()):
            if name not in SPENDING_STAGES:
                known = ", ".join(SPENDING_STAGES)
                raise UserError(
                    f"budget: no stage {name!r} asks the teacher{meant(name, SPENDING_STAGES)}; those that do: {known}"
                )
            decimal(f"budget: the share of {name!r}", share, above_zero=True, unit="")


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """Every option of a run; the names are those of the flags and of the configuration file.

    Money is in USD, prices are USD per million tokens, limits are per minute, times are in seconds.
    """

    model: str = "auto"  # PROVIDER/NAME
    fallback: Models | None = None  # asked in their order when the model cannot be
    models: Mapping[str, Models] | None = None  # others for some roles; in a file [models]
    base_url: str | tuple[str, ...] | None = None  # several: servers that serve the same model
    dialect: str | None = None  # what stands at the base URL, when its address does not tell
    dialects: Mapping[str, Mapping[str, object]] | None = None  # one's own; in a file [dialects.NAME]
    insecure_http: bool = False  # plain http beyond this machine
    budget: str | None = None  # a decimal number; None only where nothing costs anything real
    stages: Stages | None = None  # parts of the budget; in a file they stand beside it, in a table [budget]
    price_in: str | None = None
    price_out: str | None = None
    price_cached_in: str | None = None  # as price_in when not said
    price_cache_write: str | None = None  # as price_in when not said
    price_batch: str | None = None  # the share of all these that batches cost; known of OpenAI and Anthropic
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    hedge: bool = False
    batch: bool = False  # through the provider's batch endpoint: for less, within a day or so
    deadline: float | None = None  # of asking, from every start on
    ray: str | None = None  # a Ray cluster whose machines ask: HOST:PORT | auto | local | none
    workers: int | None = None  # on it; one a machine when not said
    gpus: float | None = None  # graphics cards of each, or a part of one, where a model answers in its process
    formers: tuple[str, ...] | None = None  # models and endpoints that this run asked before; `smelt resume --model`
    examples: int | None = None  # 2,000 for labels, 4,000 for text
    votes: int = 3
    per_request: int = 8
    labels_per_call: int = 16
    sampled_votes: bool = False
    judge: bool = False  # labelled rows are judged before they are kept, where that is shown to be of use
    annealing: str = "feedback"  # feedback | linear | cosine | constant
    seed: int = 0
    student: str = "auto"  # auto | tiny | linear | embedding | classifier | seq2seq | causal
    base: str | None = None  # what it starts from: a folder, or a model's name on the hub
    trial: int | None = None  # so many base models are tried on slices of the rows, beside `linear` and `tiny`
    tune: int | None = None  # so many settings of the student's recipe are tried on slices of the rows
    preset: str = "own"  # own | paper: the defaults of Prompt2Model
    train_seconds: float = 150.0
    threads: int | None = None
    device: str = "auto"  # auto | cpu | cuda | mps
    test: str | None = None  # a file of real labelled rows, to judge by
    documents: str | None = None  # a folder of documents that inputs are written from
    instruction_language: str | None = None  # that requests have the instruction in; None: as it is written
    catalogue: str | None = None  # a folder of data sets, or a file of records of some
    datasets: tuple[str, ...] | None = None  # those to take rows from; ("auto",) | ("none",)
    licences: tuple[str, ...] | None = None  # those that data sets may have; None: any
    rows_per_dataset: int = 1000  # taken from each
    found_share: float = 0.5  # of the rows, at most, that come from data sets
    train: bool = True  # False: the data set alone
    serves: bool = False  # a folder of answers behind a student that serves, and no run: nothing is made there
    inputs: str | None = None  # a file of inputs to label, in place of making any
    input_column: str | None = None  # found by its usual names when not said
    inputs_sha256: str | None = None  # of that file when the run began

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            within(name, getattr(self, name), least, most)
        within("seed", self.seed, 0, MOST_SEED)
        for name in WRITTEN:
            check_writable(flag(name), getattr(self, name) or "")
        for url in self.base_urls:
            check_writable("--base-url", url)
        positive("train_seconds", self.train_seconds)
        positive("deadline", self.deadline)
        part("found_share", self.found_share)
        for name in MONEY:
            decimal(flag(name), getattr(self, name), above_zero=name == "budget")
        self._check_cluster()
        if (self.price_in is None) != (self.price_out is None):
            raise UserError("--price-in and --price-out belong together: give both, or neither")
        beside = (self.price_cached_in, self.price_cache_write, self.price_batch)
        if self.price_in is None and any(price is not None for price in beside):
            raise UserError(
                "price_cached_in, price_cache_write and price_batch go with --price-in and --price-out: give these too"
            )
        # What the engine would not take is refused here, when nothing is written yet.
        _ = self.cap, self.price, self.profile, self.order, self.by_role
        one_of("annealing", self.annealing, ("feedback", "linear", "cosine", "constant"))
        one_of("student", self.student, ("auto", *get_args(StudentFamily)))
        one_of("preset", self.preset, ("own", "paper"))
        one_of("device", self.device, ("auto", "cpu", "cuda", "mps"))
        if self.instruction_language is not None:
            one_of("instruction_language", self.instruction_language, tuple(sorted(LANGUAGES)))

    def _check_cluster(self) -> None:
        if self.ray is not None and not self.ray.strip():
            raise UserError("--ray: an address is HOST:PORT, auto, local or none (got an empty one)")
        if self.workers is not None and self.ray is None:
            raise UserError("--workers is how many ask on a Ray cluster: say --ray too, or leave it out")
        if self.gpus is not None and (self.ray is None or not (self.is_local or self.model == "auto")):
            raise UserError("--gpus is what each worker has, with --ray, for a model in its process (local/NAME)")
        if self.gpus is not None and not (0 < self.gpus <= 1 or (self.gpus > 1 and self.gpus == int(self.gpus))):
            raise UserError(f"--gpus must be a part of a card, or a whole number of them (got {self.gpus:g})")
        if self.batch and self.cluster is not None:
            raise UserError("--batch: batches are sent by one process; leave out --batch, or leave out --ray")

    @property
    def cap(self) -> Budget | None:
        """The most that may be spent; None where nothing costs anything real."""
        from engine.budget import Budget

        if self.budget is None:
            return None
        stages = self.stages or Stages()
        return Budget(self.budget, at_most=stages.at_most, kept=stages.kept)

    @property
    def order(self) -> tuple[Configuration, ...]:
        """The teacher and those who stand in for it, each with what is said of it alone."""
        return (self, *self._said_of("fallback", self.fallback or ()))

    @property
    def by_role(self) -> dict[str, tuple[Configuration, ...]]:
        """The same for each role that another than the teacher has."""
        return {role: self._said_of(role, models) for role, models in (self.models or {}).items()}

    @property
    def everyone(self) -> tuple[Configuration, ...]:
        """All who may be asked."""
        return (*self.order, *(each for order in self.by_role.values() for each in order))

    def _said_of(self, where: str, models: Models) -> tuple[Configuration, ...]:
        try:
            return tuple(Configuration(**table, dialects=self.dialects) for table in models)  # type: ignore[arg-type]
        except UserError as error:
            raise UserError(f"{where}: {error}") from error

    @property
    def profile(self) -> Profile | None:
        """What was said to stand at the base URL, or is one of the user's own that is known to stand there."""
        from engine.providers.profile import known_at, profile_named, profile_of

        own = {name: profile_of(name, table) for name, table in (self.dialects or {}).items()}
        if self.dialect is not None:
            return profile_named(self.dialect, own=own)
        first = next(iter(self.endpoints), None)
        return None if first is None else known_at(first, own, api=self.model.partition("/")[0])

    @property
    def cluster(self) -> str | None:
        """The address of the Ray cluster whose machines ask; None: this process does."""
        return None if self.ray == "none" else self.ray

    @property
    def is_local(self) -> bool:
        """Whether anybody who may be asked answers in the process that asks."""
        return any(each.model.startswith("local/") for each in self.everyone)

    @property
    def base_urls(self) -> tuple[str, ...]:
        """All of them; none for the provider's own address."""
        return (self.base_url,) if isinstance(self.base_url, str) else self.base_url or ()

    @property
    def endpoints(self) -> tuple[Address, ...]:
        """Where else than at the provider's own address it is asked: nowhere, there, or at each of several."""
        from engine.providers.address import Address

        return tuple(Address.of(url, insecure_http=self.insecure_http) for url in self.base_urls)

    @property
    def price(self) -> Price | None:
        """The price that was given; None leaves it to the price table."""
        from engine.prices import Price

        if self.price_in is None or self.price_out is None:
            return None
        return Price(
            input=self.price_in,
            output=self.price_out,
            cached_input=self.price_cached_in,
            cache_write=self.price_cache_write,
            batch=self.price_batch,
        )
