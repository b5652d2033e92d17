"""The nouns: what a provider allows, and what a request takes of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Final, NamedTuple

from engine.errors import UserError

__all__ = [
    "DAILY_REQUESTS",
    "DAILY_TOKENS",
    "DAY_S",
    "DIMENSIONS",
    "INPUT",
    "MINUTE_S",
    "OUTPUT",
    "REQUESTS",
    "Demand",
    "Limits",
    "cost_of",
    "strictest",
]

MINUTE_S: Final = 60.0
DAY_S: Final = 86_400.0

LARGEST: Final = 1e15  # a larger one is none, and arithmetic with it would fail

DIMENSIONS: Final = ("requests", "tokens", "input tokens", "output tokens", "requests per day", "tokens per day")
"""In the order of the fields of `Limits`. What does not say otherwise is per minute."""

REQUESTS, INPUT, OUTPUT, DAILY_REQUESTS, DAILY_TOKENS = 0, 2, 3, 4, 5
"""The places of some of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What the provider allows in a minute or a day; None is not told, and is then learnt.

        Limits(rpm=5000, tpm=2_000_000)                               # OpenAI's way: input and output together
        Limits(rpm=1000, input_tpm=2_000_000, output_tpm=400_000)     # Anthropic's way
        Limits(rpm=30, tpm=6000, rpd=14_400, tpd=500_000)             # with a daily allowance

    Raises UserError for a limit that is not a positive number of at most 1e15.
    """

    rpm: float | None = None
    tpm: float | None = None
    input_tpm: float | None = None
    output_tpm: float | None = None
    rpd: float | None = None
    tpd: float | None = None

    def __post_init__(self) -> None:
        for name, value in self.by_name().items():
            if value is not None and not _is_possible(value):
                raise UserError(
                    f"limits: {name} must be a number above 0 (got {_short(value)}); leave it out to learn it"
                )

    def by_name(self) -> dict[str, float | None]:
        return {field.name: getattr(self, field.name) for field in fields(self)}


def _is_possible(value: object) -> bool:
    """Whoever reads limits from a file may hand us anything."""
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= LARGEST


def _short(value: object) -> str:
    """Python refuses to write out an integer of thousands of digits."""
    is_huge = isinstance(value, int) and abs(value) > LARGEST
    return f"one beyond {LARGEST:g}" if is_huge else repr(value)


class Demand(NamedTuple):
    """What one request takes: of the requests, of a common token limit, and of separate input and output limits."""

    requests: float
    tokens: float
    input_tokens: float
    output_tokens: float


def cost_of(i: int, demand: Demand) -> float:
    """What a request takes of the dimension at a place."""
    if i < DAILY_REQUESTS:
        return demand[i]
    return demand.requests if i == DAILY_REQUESTS else demand.input_tokens + demand.output_tokens


def strictest(told: Iterable[Limits]) -> Limits:
    """What holds for those who share an account: of each limit the smallest that anybody was told."""
    by_name: dict[str, float] = {}
    for limits in told:
        for name, value in limits.by_name().items():
            if value is not None:
                by_name[name] = min(value, by_name.get(name, value))
    return Limits(**by_name)
