"""Which request goes wrong, and how: a pure function of a seed, the request and how often it was seen before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, Literal, get_args

from engine.fakes.chance import chance
from engine.fakes.checks import check_shares
from engine.fakes.rules import Rule

__all__ = ["Fault", "FaultRates", "drawn", "rule_for"]

Fault = Literal["error", "overloaded", "too_fast", "reset", "stall", "truncated", "garbled", "error_under_200"]
"""What a client meets:

error             500, not billed
overloaded        529 (Anthropic) or 503 (OpenAI), not billed
too_fast          429 whatever the limits say, as services do in a rush; not billed
reset             the connection is reset after the request was read; billed, as it may well be
stall             the answer comes, but `stall_s` seconds late
truncated         the connection closes in the middle of the body; billed
garbled           half of the JSON under a length that fits it; billed
error_under_200   an error body with a good status; not billed
"""

_MISHAPS: Final[Mapping[Fault, Rule]] = {
    "error": Rule("500-server"),
    "overloaded": Rule("529-overloaded"),
    "too_fast": Rule("429-rush"),
    "reset": Rule("reset"),
    "truncated": Rule("truncated"),
    "garbled": Rule("garbled"),
    "error_under_200": Rule("200-error"),
}
_OVERLOADED_OPENAI: Final = Rule("503-overloaded")


def rule_for(fault: Fault, *, dialect: str, stall_s: float) -> Rule:
    """The same as a rule has it."""
    if fault == "stall":
        return Rule("stall", settings={"seconds": stall_s})
    return _OVERLOADED_OPENAI if (fault, dialect) == ("overloaded", "openai") else _MISHAPS[fault]


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultRates:
    """The share of requests that meet each fault, 0 to 1: `FaultRates(error=0.05, reset=0.02)`."""

    error: float = 0.0
    overloaded: float = 0.0
    too_fast: float = 0.0
    reset: float = 0.0
    stall: float = 0.0
    truncated: float = 0.0
    garbled: float = 0.0
    error_under_200: float = 0.0

    def __post_init__(self) -> None:
        check_shares(**dict(self.by_name()))

    def by_name(self) -> list[tuple[Fault, float]]:
        return [(name, getattr(self, name)) for name in get_args(Fault)]

    @property
    def any(self) -> bool:
        return any(rate > 0 for _, rate in self.by_name())


def drawn(rates: FaultRates, *, seed: int, body: bytes, sighting: int) -> Fault | None:
    """The fault that this request meets, if any.

    The same body meets the same fate whenever it comes, but its second sighting (a retry) draws anew.
    """
    met = chance(body, f"{seed}/{sighting}")
    names = [name for name, _ in rates.by_name()]
    bounds = accumulate(rate for _, rate in rates.by_name())
    return next((name for name, bound in zip(names, bounds, strict=True) if met < bound), None)
