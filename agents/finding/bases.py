"""What a student can start from: the base that the user named, fetched where need be, and whether there is a GPU.

Looks at the machine and the hub; what is chosen is `student_choice`'s business.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

from engine.errors import UserError
from engine.retrieval import ModelCard, Place, base_card, load_models, model_place

__all__ = ["bring_here", "has_gpu", "named_base"]


def named_base(base: str | None) -> ModelCard | None:
    """What is known of the base that the user named, which then is on this machine. UserError where it cannot be."""
    if base is None:
        return None
    bring_here(base)
    card = base_card(base, load_models().cards)
    if card is None:
        raise UserError(f"--base {base}: holds no model (no config.json that can be read); name another")
    return card


def bring_here(
    name: str, *, place: Callable[[str], Place | None] = model_place, fetch: Callable[[str], None] | None = None
) -> None:
    """Have a base model on this machine, from the hub where it is not. Raises UserError where it cannot be had."""
    if Path(name).expanduser().is_dir() or (found := place(name)) == "machine":
        return
    if found is None:
        raise UserError(
            f"{name!r} is neither a folder nor in the hub's cache on this machine, and the hub does not answer: name "
            "what is here, or take 'linear' or 'tiny', which need none"
        )
    (fetch or _fetch)(name)


def _fetch(name: str) -> None:
    from engine.retrieval.fetch import fetch_model

    fetch_model(name)


def has_gpu() -> bool:
    """Whether torch sees a graphics card here."""
    if importlib.util.find_spec("torch") is None:
        return False
    import torch

    return torch.cuda.is_available()
