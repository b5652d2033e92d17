"""The seed that ships, and folders like it: weights in half precision, and a card that says how they were made."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from engine.errors import UserError

__all__ = ["SHIPPED", "SeedCard", "keep_seed", "plant", "read_seed_card"]

SHIPPED: Final = Path(__file__).parent / "shipped"
WEIGHTS: Final = "seed.safetensors"
CARD: Final = "seed.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedCard:
    """What makes a seed again, and what it must then be."""

    steps: int
    width: int
    batch: int
    peak_learning_rate: float
    seed: int
    procedures: Sequence[str]
    held_out: Sequence[str]
    tasks_of_each: int
    parameters: int
    sha256: str  # of the file of weights


def keep_seed(model: Any, card: SeedCard, folder: Path) -> SeedCard:
    """Write weights and card; gives the card with the sum of the weights' file."""
    import torch
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: one.detach().to(torch.float16).contiguous() for name, one in model.named_parameters()}
    save_file(tensors, folder / WEIGHTS, metadata={"format": "pt"})
    told = SeedCard(**{**asdict(card), "sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest()})
    (folder / CARD).write_text(json.dumps(asdict(told), indent=2) + "\n", encoding="utf-8")
    return told


def read_seed_card(folder: Path) -> SeedCard:
    """UserError where there is no seed."""
    try:
        return SeedCard(**json.loads((folder / CARD).read_bytes()))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"{str(folder)!r} holds no seed for 'tiny' ({CARD} cannot be read): leave the base out for the one that"
            " ships, or give 'scratch' for none"
        ) from error


def plant(model: Any, folder: Path) -> None:
    """Put a seed's weights into a new model of its width; UserError where they are damaged."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        tensors = load_file(folder / WEIGHTS)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.copy_(tensors[name])
    except (OSError, KeyError, RuntimeError, SafetensorError) as error:
        raise UserError(f"the seed in {folder} is damaged ({type(error).__name__}): install Smelt again") from error
