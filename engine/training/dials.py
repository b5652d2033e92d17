"""What of a recipe a search may turn, how far, and which settings it compares. Pure.

Dials are factors on a family's own values, so the same ones serve a model from scratch and one that has read before.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, TypeAlias

from engine.errors import UserError
from engine.training.recipe import Recipe

__all__ = ["DIALS", "Dials", "adjusted", "checked_dials", "dials_told", "settings"]

Dials: TypeAlias = Mapping[str, float]
"""Factors by name; what is not named stays as it is."""

DIALS: Final = ("learning_rate", "batch", "regularisation")

# How far each way, as a factor. `regularisation` is that of a logistic regression, whose score is flat around its best.
_BY_STEPS: Final[Mapping[str, float]] = {"learning_rate": 4, "batch": 2}
_WIDTHS: Final[Mapping[str, Mapping[str, float]]] = {
    "linear": {"regularisation": 10},
    "embedding": {"regularisation": 10},
}


def settings(family: str, *, count: int, seed: int) -> list[dict[str, float]]:
    """So many settings to compare: first the family's own, then others by chance, spread evenly over each dial.

    settings("tiny", count=2, seed=0)  # [{}, {"learning_rate": 1.4, "batch": 0.71}]
    """
    widths = _WIDTHS.get(family, _BY_STEPS)
    others, chance = max(0, count - 1), random.Random(f"{seed}/{family}")
    places = {name: chance.sample(range(others), others) for name in widths}
    return [{}] + [
        {name: _factor(width, (places[name][number] + chance.random()) / others) for name, width in widths.items()}
        for number in range(others)
    ]


def _factor(width: float, place: float) -> float:
    """From 1 / `width` (place 0) to `width` (place 1), as far from one step to the next by ratio; two digits."""
    return float(f"{width ** (2 * place - 1):.2g}")


def adjusted(recipe: Recipe, dials: Dials) -> Recipe:
    """A recipe with its dials turned. Passes stay, so with a smaller batch there are more steps."""
    return replace(
        recipe,
        peak_learning_rate=recipe.peak_learning_rate * dials.get("learning_rate", 1),
        batch=max(1, round(recipe.batch * dials.get("batch", 1))),
    )


def checked_dials(dials: Dials) -> Dials:
    """The same; UserError for a dial that there is not, or a factor that is none."""
    for name, factor in dials.items():
        if name not in DIALS:
            raise UserError(f"there is no dial {name!r} to turn; there are {', '.join(DIALS)}")
        if not 0 < factor < float("inf"):
            raise UserError(f"dial {name!r} is a factor above 0 (got {factor})")
    return dials


def dials_told(dials: Dials) -> str:
    """In words: "learning rate x 0.5, batch x 2", or "as it stands"."""
    return ", ".join(f"{name.replace('_', ' ')} x {factor:g}" for name, factor in dials.items()) or "as it stands"
