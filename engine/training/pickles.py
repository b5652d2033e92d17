"""Which files are pickles. They run whatever code is in them when they are opened; here none is ever opened."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from engine.errors import UserError

__all__ = ["PICKLES", "check_weights"]

PICKLES = (".bin", ".ckpt", ".joblib", ".pickle", ".pkl", ".pt", ".pth")
"""How their names end; `.npz` and `.npy` may hold some too, and are read without."""


def check_weights(folder: Path) -> None:
    """Raise UserError where a folder has its weights as pickles only, with the way to others.

    Pickles that lie beside safetensors are left alone: nobody opens them.
    """
    if any(folder.rglob("*.safetensors")):
        return
    if (pickle := next(_pickles(folder), None)) is not None:
        raise UserError(
            f"{folder}: has its weights in {pickle.name} only, a pickle, which can run code and is not opened here; "
            "where you trust it, load it with transformers, and model.save_pretrained(FOLDER) writes safetensors"
        )


def _pickles(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in PICKLES)
