"""Whether a model or a data set can be had from here: on this machine, from the hub, or not at all.

Looks and never downloads.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache as cache_once
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import httpx

__all__ = ["Place", "dataset_place", "hub_answers", "machine_memory", "model_place", "snapshots"]

Place = Literal["machine", "hub"]
"""Where something is: on this machine (a folder, or the hub's local cache), or on the hub and the hub answers."""

_WEIGHTS = ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin", "pytorch_model.bin.index.json")

_HUB_TIMEOUT_S = 2.0


def model_place(model: str, *, online: Callable[[], bool] | None = None, cache: Path | None = None) -> Place | None:
    """Where the weights of a model are, or None when they cannot be had from here.

    `model` is an id on the hub or a folder, and that by its whole path: what has the name of a model where Smelt was
    started is not that model. `online` and `cache` stand in for `hub_answers` and the usual cache.
    """
    if Path(model).is_absolute():
        return "machine" if _holds_weights(Path(model)) else None
    if any(_holds_weights(folder) for folder in snapshots("models", model, cache)):
        return "machine"
    return _hub(online)


def dataset_place(dataset: str, *, online: Callable[[], bool] | None = None, cache: Path | None = None) -> Place | None:
    """Where the rows of a data set are, or None when they cannot be had from here.

    `dataset` is an id on the hub or a whole path, as for models.
    """
    if Path(dataset).is_absolute():
        return "machine" if Path(dataset).exists() else None
    if snapshots("datasets", dataset, cache):
        return "machine"
    return _hub(online)


def machine_memory() -> int | None:
    """How many bytes of memory this machine has, or None where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):  # no such question here: Windows
        return None


@cache_once
def hub_answers() -> bool:
    """Whether the hub can be asked: HF_HUB_OFFLINE does not forbid it, and it answered within 2 s.

    It does not where the proxy or the certificates that the environment names cannot be used. The first answer holds
    for the whole process.
    """
    import httpx
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    try:
        client = httpx.Client(timeout=_HUB_TIMEOUT_S)
    except (ValueError, httpx.InvalidURL, ImportError, OSError):  # its proxy is none, or needs what is not installed
        return False
    with client:
        return _answers(constants.ENDPOINT, client)


def _answers(url: str, client: httpx.Client) -> bool:
    import httpx

    try:
        return not client.head(url).is_server_error
    except (httpx.HTTPError, httpx.InvalidURL):
        return False


def _hub(online: Callable[[], bool] | None) -> Place | None:
    return "hub" if (online or hub_answers)() else None


def _holds_weights(folder: Path) -> bool:
    # A cache often holds a configuration or a tokenizer alone, from somebody's look-up.
    return (folder / "config.json").is_file() and any((folder / name).exists() for name in _WEIGHTS)


def snapshots(kind: Literal["models", "datasets"], name: str, cache: Path | None) -> list[Path]:
    """The folders of the hub's cache that hold a revision of it, whole or in part."""
    from huggingface_hub import constants

    folder = (cache or Path(constants.HF_HUB_CACHE)) / f"{kind}--{name.replace('/', '--')}" / "snapshots"
    return sorted(folder.iterdir()) if folder.is_dir() else []
