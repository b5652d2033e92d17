"""What may be spent: by all together, and by each stage. Who holds to it is `engine.ledger`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from engine.errors import UserError
from engine.prices import PICO_PER_USD, Amount, exact

__all__ = ["Budget", "Share"]

# What the journal's 64-bit integers hold with room to spare.
_LARGEST_USD: Final = 1_000_000

_NO_SHARES: Final[Mapping[str, Amount]] = {}


@dataclass(frozen=True, slots=True)
class Share:
    """What a stage may take at most, and what is kept for it and for nobody else; None is no limit of its own.

    `charged` is what it has taken, known or assumed; `reserved` what is set aside for it. Pico-dollars. For a stage
    that `is_over` nothing is kept any more.
    """

    at_most: int | None = None
    kept: int = 0
    charged: int = 0
    reserved: int = 0
    is_over: bool = False

    @property
    def kept_always(self) -> int:
        """What nobody else may ever take, if all that is in flight turns out to cost nothing."""
        return 0 if self.is_over else max(0, self.kept - self.charged)


@dataclass(frozen=True, slots=True, init=False)
class Budget:
    """The most that may be spent: `Budget(usd=5)`, `Budget(usd="0.50")`.

    Stages (the tags of requests) may have parts of it, as shares of the whole:

        Budget(usd=5, at_most={"generate": 0.7})   # "generate" may take 3.50 USD of the 5, and no more
        Budget(usd=5, kept={"annotate": 0.2})      # 1 USD is left for "annotate", whoever comes before it
    """

    usd: Decimal
    at_most: Mapping[str, Decimal] = field(hash=False)
    kept: Mapping[str, Decimal] = field(hash=False)

    def __init__(
        self, usd: Amount, *, at_most: Mapping[str, Amount] = _NO_SHARES, kept: Mapping[str, Amount] = _NO_SHARES
    ) -> None:
        put = object.__setattr__  # frozen
        put(self, "usd", exact(usd, name="the budget"))
        put(self, "at_most", _shares("at_most", at_most))
        put(self, "kept", _shares("kept", kept))
        if not 1 <= self.cap <= _LARGEST_USD * PICO_PER_USD:
            raise UserError(f"the budget must be above 0 and at most {_LARGEST_USD} USD (got {usd!r})")
        if sum(self.kept.values()) > 1:
            raise UserError(f"no more can be kept for stages than there is (got {sum(self.kept.values())} of 1)")
        for stage in self.at_most.keys() & self.kept.keys():
            if self.kept[stage] > self.at_most[stage]:
                raise UserError(
                    f"{stage!r} may take {self.at_most[stage]} of the budget, "
                    f"so {self.kept[stage]} cannot be kept for it"
                )

    @property
    def cap(self) -> int:
        """The cap in pico-dollars; a fraction of one is rounded away, never up."""
        return _part(PICO_PER_USD, self.usd)

    @property
    def has_shares(self) -> bool:
        """Whether stages have parts of it."""
        return bool(self.at_most or self.kept)

    def shares(self, charged: Mapping[str, int]) -> dict[str, Share]:
        """What each stage that is named may take; `charged` is what stages have taken so far."""
        return {
            stage: Share(
                at_most=_part(self.cap, self.at_most[stage]) if stage in self.at_most else None,
                kept=_part(self.cap, self.kept.get(stage, Decimal(0))),
                charged=charged.get(stage, 0),
            )
            for stage in (*self.at_most, *(stage for stage in self.kept if stage not in self.at_most))
        }


def _shares(name: str, shares: object) -> dict[str, Decimal]:
    if not isinstance(shares, Mapping) or not all(isinstance(stage, str) for stage in shares):
        raise UserError(f"{name} must be shares by the names of stages, as in {{'generate': 0.7}} (got {shares!r})")
    return {stage: _share(stage, share) for stage, share in shares.items()}


def _share(stage: str, share: Amount) -> Decimal:
    part = exact(share, name=f"the share of {stage!r}")
    if not 0 < part <= 1:
        raise UserError(f"the share of {stage!r} must lie between 0 and 1 (got {share!r})")
    return part


def _part(whole: int, share: Decimal) -> int:
    numerator, denominator = share.as_integer_ratio()
    return whole * numerator // denominator
