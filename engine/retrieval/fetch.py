"""Bring a base model from the hub into its cache on this machine: weights as safetensors, and what reads them."""

from __future__ import annotations

from pathlib import Path

from engine.errors import UserError

__all__ = ["fetch_model"]

FETCHED = ("*.json", "*.model", "*.txt", "*.safetensors")


def fetch_model(model: str, *, endpoint: str | None = None, cache: Path | None = None) -> None:
    """Fetch what a training needs; nothing that could be run. Raises UserError where it cannot be had."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.utils.tqdm import disable_progress_bars

    disable_progress_bars()
    try:
        snapshot_download(model, endpoint=endpoint, cache_dir=cache, allow_patterns=list(FETCHED))
    except Exception as error:  # the hub's library lets through what its transport raises, and changed that once
        why = getattr(error, "strerror", None) or type(error).__name__
        raise UserError(f"{model!r} cannot be fetched from the hub ({why})") from error
