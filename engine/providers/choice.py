"""Who an engine asks, at which price, and with whom it shares the limits: from what the user gave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeAlias

from engine.budget import Budget
from engine.clock import Clock, check_seconds
from engine.errors import UnknownPrice, UserError
from engine.messages import RawReply, Request
from engine.prices import Amount, Price, lookup
from engine.providers import Capabilities, Provider
from engine.providers.address import Somewhere
from engine.providers.batches import BatchEndpoint
from engine.providers.foreign import decode
from engine.providers.profile import Profile, profiles
from engine.throttle import Limits
from engine.verdict import Kind

__all__ = [
    "Model",
    "Named",
    "account_of",
    "at_once_of",
    "batch_share_of",
    "batches_of",
    "cached_counts_of",
    "check_terms",
    "chosen",
    "common",
    "count_of",
    "errors_of",
    "found_out",
    "known_price",
    "model_of",
    "models_of",
    "price_of",
    "timeout_of",
    "unheeded",
]

USUAL_TIMEOUT_S: Final = 120.0

SURE_CAPS: Final = frozenset({"max_tokens", "max_completion_tokens"})
"""The fields that bound an answer in the dialects that ship with us; for others only their user vouches."""

LONGEST_TOKEN: Final = 256  # characters; of the vocabularies that we know none has one of more than 128, all blanks

EXAMPLES: Final = {Budget: "Budget(usd=5)", Price: "Price(input='0.25', output=2)", Limits: "Limits(rpm=500)"}


@dataclass(frozen=True, slots=True)
class Model:
    """A model and what is known of it: where it answers, what it costs, how fast it may be asked.

        Model("anthropic/claude-haiku-4-5", limits=Limits(rpm=1000))
        Model("openai/qwen3", base_url="http://localhost:8000/v1", price=FREE)
        Model("openai/qwen3", base_url=["http://localhost:8000/v1", "http://localhost:8001/v1"], price=FREE)

    What is left out means the same as for an Engine: the provider's own address, the key from the environment, the
    price of the table, limits and concurrency found out. At several addresses stands the same model: limits and
    concurrency are those of all of them together.
    """

    name: str | Provider
    base_url: Somewhere | None = field(default=None, kw_only=True)
    api_key: str | None = field(default=None, kw_only=True, repr=False)
    dialect: str | Profile | None = field(default=None, kw_only=True)
    price: Price | None = field(default=None, kw_only=True)
    limits: Limits | None = field(default=None, kw_only=True)
    concurrency: int | None = field(default=None, kw_only=True)
    attempt_timeout_s: float | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        check_kind(Price, self.price)
        check_kind(Limits, self.limits)
        if self.attempt_timeout_s is not None:
            check_seconds(attempt_timeout_s=self.attempt_timeout_s)


Named: TypeAlias = str | Provider | Model
"""A model as a caller gives it: by name, as a provider, or with everything that is known of it."""


def model_of(model: Named, *, beside: Model) -> Model:
    """The model with what was said `beside` it, of nobody by name; UserError when it was said in two places."""
    if not isinstance(model, Model):
        return replace(beside, name=model)
    if beside != Model(beside.name):
        raise UserError("say what is known of a model within Model(...), and not beside it")
    return model


def models_of(given: Named | Sequence[Named]) -> tuple[Model, ...]:
    """One model or several, in fall-back order."""
    several = given if isinstance(given, Sequence) and not isinstance(given, str) else (given,)
    if not several:
        raise UserError("a list of models needs at least one (got none)")
    return tuple(each if isinstance(each, Model) else Model(each) for each in several)


def common(capabilities: Iterable[Capabilities]) -> Capabilities:
    """What all of them can do, so that a request may go to any."""
    first, *others = capabilities
    for other in others:
        first = first.shared_with(other)
    return first


def check_kind(kind: type, value: object) -> None:
    """Raise UserError where a number stands for what must say more: of what it is, and of what else."""
    if value is not None and not isinstance(value, kind):
        name = kind.__name__
        raise UserError(f"{name.lower()} must be {name}, as in {EXAMPLES[kind]} (got {value!r})")


def check_terms(*, budget: object, hedge: object, seed: object) -> None:
    """Raise UserError where a word stands for what would be taken for true, or for a number."""
    check_kind(Budget, budget)
    if not isinstance(hedge, bool):
        raise UserError(f"hedge must be True or False (got {hedge!r})")
    if isinstance(seed, bool) or not isinstance(seed, int):
        raise UserError(f"seed must be a whole number (got {seed!r})")


def chosen(model: Model, *, clock: Clock, seed: int) -> Provider:
    """The provider of that name, or the one that was handed over."""
    if isinstance(model.name, str):
        from engine.providers.resolve import resolve

        return resolve(
            model.name,
            base_url=model.base_url,
            api_key=model.api_key,
            clock=clock,
            seed=seed,
            dialect=model.dialect,
        )
    if model.base_url is not None or model.api_key is not None or model.dialect is not None:
        raise UserError("base_url, api_key and dialect belong to a model given by name; this provider has its own")
    return model.name


def found_out(told: Model, *, budget: Budget | None) -> tuple[Model, str]:
    """Who is asked where the model is `auto`, and why: nobody who costs money unless there is a budget."""
    from engine.providers.auto import settled

    has_place = any(each is not None for each in (told.base_url, told.api_key, told.dialect))
    found = settled(has_place=has_place, price=told.price, has_budget=budget is not None)
    return replace(told, name=found.model, base_url=found.base_url, price=found.price), found.note


def account_of(provider: Provider) -> object:
    """Who shares limits with whom; a provider that does not say shares them with nobody but itself."""
    return getattr(provider, "account", None) or (provider.endpoint, id(provider))


def batches_of(provider: Provider) -> Callable[[], BatchEndpoint] | None:
    """How to reach the provider's batch endpoint, if it has one."""
    reach: Callable[[], BatchEndpoint] | None = getattr(provider, "batches", None)
    profile = getattr(provider, "profile", None)
    has_none = isinstance(profile, Profile) and profile.batch is None
    return reach if callable(reach) and not has_none else None


def batch_share_of(provider: Provider, *, price: Price) -> Amount:
    """Which share of the price batches cost: as told with it, as the provider's profile says, else all of it.

    What we know of a service holds at its own host. Whoever speaks its dialect elsewhere may charge what they like, and
    a discount that is not given would break the cap.
    """
    profile = getattr(provider, "profile", None)
    if price.batch is not None or not isinstance(profile, Profile):
        return 1 if price.batch is None else price.batch
    is_known = profile.name not in profiles() or getattr(provider, "official", False)
    return profile.batch if is_known and profile.batch is not None else 1


def count_of(provider: Provider) -> Callable[[Request], int | None] | None:
    """How the provider counts a request's input, if it offers `input_tokens(request)`: exactly, without asking anybody.

    Where the count is only an estimate, as that of Anthropic's counting endpoint is, it must not be offered.
    """
    count = getattr(provider, "input_tokens", None)
    return count if callable(count) else None


def at_once_of(provider: Provider) -> int | None:
    """How many requests to have in flight, where a provider says what is `worth_in_flight`; None: that is found out."""
    most = getattr(provider, "worth_in_flight", None)
    return most if isinstance(most, int) else None


def timeout_of(provider: Provider, *, told: float | None) -> float:
    """What an attempt may take, in seconds: as told, as the provider's `attempt_timeout_s` says, or as is usual."""
    own = getattr(provider, "attempt_timeout_s", None)
    return told if told is not None else own if isinstance(own, float) else USUAL_TIMEOUT_S


def cached_counts_of(provider: Provider) -> bool:
    """Whether input that the provider had in its cache counts against its limits: so it does, where nobody knows."""
    profile = getattr(provider, "profile", None)
    return profile.cached_counts if isinstance(profile, Profile) else True


def unheeded(provider: Provider, raw: RawReply, *, allowed: int, texts: Sequence[str] = ()) -> str | None:
    """Why nobody can tell what an answer costs at most: this one is far longer than it was `allowed` to be, in tokens.

    Only said of a dialect that names a field of its own for that. Servers count a few tokens otherwise than they cut,
    and what some tell is none, or not true: so its `texts` are asked, too.
    """
    profile = getattr(provider, "profile", None)
    if not isinstance(profile, Profile) or profile.output_cap in SURE_CAPS:
        return None
    usage = decode(raw).get("usage")
    told = usage.get("completion_tokens", usage.get("output_tokens")) if isinstance(usage, dict) else None
    counted = told if type(told) is int else 0
    took = max(counted, sum(len(text) for text in texts) // LONGEST_TOKEN)
    if took <= 1.25 * allowed + 16:
        return None
    least = "" if took == counted else "at least "
    return (
        f"{provider.name} took {least}{took:,} tokens for an answer that was allowed {allowed:,}: it does not heed "
        f"{profile.output_cap!r}, so no answer has a bound; name the field that it does heed as output_cap of the "
        f"dialect {profile.name!r}"
    )


def errors_of(provider: Provider) -> Mapping[str, Kind]:
    """What codes, types and statuses of the provider's own mean, where it offers `errors`."""
    own = getattr(provider, "errors", None)
    return own if isinstance(own, Mapping) else {}


def price_of(provider: Provider, *, told: Price | None, budget: Budget | None) -> Price:
    """What calls cost: as told, as the provider says, or by the table. Without a budget somebody must say: nothing."""
    own = getattr(provider, "price", None)
    said = told if told is not None else own if isinstance(own, Price) else None
    if budget is None and (said is None or not said.is_free):
        raise UserError(
            "no budget: give one, as in Budget(usd=5), or say that calls are free with Price(input=0, output=0)"
        )
    return known_price(provider, told=told)


def known_price(provider: Provider, *, told: Price | None) -> Price:
    """What calls cost: as told, as the provider says, or by the table, which knows what its own endpoint charges.

    Raises UnknownPrice for all else: whoever serves a model of that name elsewhere has prices of their own.
    """
    own = getattr(provider, "price", None)
    if told is not None:
        return told
    if isinstance(own, Price):
        return own
    if not getattr(provider, "official", False):
        raise UnknownPrice(
            f"no price is known for {provider.name!r} at {provider.endpoint.partition(' ')[0]}: give it in USD per "
            "million tokens with --price-in and --price-out, or in Python with price=Price(input=..., output=...); "
            "0 and 0 for a server of your own"
        )
    return lookup(provider.name)
