"""Whether a model or a data set can be had from here: on this machine, from the hub, or not at all.

Looks and never downloads.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Literal

__all__ = ["Place", "dataset_place", "hub_answers", "model_place"]

Place = Literal["machine", "hub"]
"""Where something is: on this machine (a folder, or the hub's local cache), or on the hub and the hub answers."""

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")

_HUB_TIMEOUT_S = 2.0


def model_place(model: str, *, online: Callable[[], bool] | None = None) -> Place | None:
    """Where the weights of a model are, or None when they cannot be had from here."""
    if (Path(model) / "config.json").is_file() or _model_is_cached(model):
        return "machine"
    return _hub(online)


def dataset_place(dataset: str, *, online: Callable[[], bool] | None = None) -> Place | None:
    """Where the rows of a data set are, or None when they cannot be had from here."""
    if Path(dataset).exists() or _dataset_is_cached(dataset):
        return "machine"
    return _hub(online)


@cache
def hub_answers() -> bool:
    """Whether the hub can be asked: HF_HUB_OFFLINE does not forbid it, and it answered within 2 s.

    The first answer holds for the whole process.
    """
    import httpx
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        return httpx.head(constants.ENDPOINT, timeout=_HUB_TIMEOUT_S).status_code < 500
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _hub(online: Callable[[], bool] | None) -> Place | None:
    return "hub" if (online or hub_answers)() else None


def _model_is_cached(model: str) -> bool:
    return any(snapshot.joinpath(name).exists() for snapshot in _snapshots(model, kind="models") for name in _WEIGHTS)


def _dataset_is_cached(dataset: str) -> bool:
    return any(True for _ in _snapshots(dataset, kind="datasets"))


def _snapshots(name: str, *, kind: Literal["models", "datasets"]) -> list[Path]:
    from huggingface_hub import constants

    folder = Path(constants.HF_HUB_CACHE) / f"{kind}--{name.replace('/', '--')}" / "snapshots"
    return sorted(folder.iterdir()) if folder.is_dir() else []
