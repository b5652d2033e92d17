"""How to teach: the dials that differ between a model from scratch and one that has read before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from engine.errors import UserError

__all__ = ["PRESETS", "Decay", "Recipe", "fitted_to", "preset"]

Decay: TypeAlias = Literal["cosine", "linear"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The dials of AdamW and of the course. `longest_output` says nothing to what only reads."""

    batch: int  # rows a step, of average length
    tokens: int | None = None  # a step, of which fewer rows are taken where they are long; None: as many as `batch`
    peak_learning_rate: float
    fewest_steps: int  # see `steps_for`
    passes: int
    most_passes: int
    longest_input: int  # tokens, with the end mark
    longest_output: int = 0
    weight_decay: float = 0.0
    warm_up: float = 0.05  # of the whole way
    decay: Decay = "cosine"
    patience: int | None = None  # looks without a better score after which it ends; None: never
    last_looks: int = 1  # how often the validation rows are answered after the last step, for which a limit leaves room


PRESETS = ("own", "paper")


FEWEST_ROWS = 4  # a step, however long they are


def fitted_to(recipe: Recipe, *, tokens: float) -> Recipe:
    """A recipe for rows of so many tokens on average: fewer of them a step where that many tokens would be too many."""
    if recipe.tokens is None:
        return recipe
    return replace(recipe, batch=min(recipe.batch, max(FEWEST_ROWS, round(recipe.tokens / tokens))))


def preset(name: str, recipe: Recipe) -> Recipe:
    """A family's recipe under a preset: "own" leaves it as it is, "paper" has the defaults of Prompt2Model.

    These are AdamW at 5e-5, falling in a straight line without warm-up, over three passes in batches of 8 rows
    (Viswanathan et al. 2023, arXiv 2308.12261, and its code). Raises UserError for another name.
    """
    if name not in PRESETS:
        raise UserError(f"unknown preset {name!r}; there are {', '.join(PRESETS)}")
    if name == "own":
        return recipe
    return replace(
        recipe,
        batch=8,
        tokens=None,
        peak_learning_rate=5e-5,
        fewest_steps=1,
        passes=3,
        most_passes=3,
        warm_up=0.0,
        decay="linear",
        patience=None,
    )
