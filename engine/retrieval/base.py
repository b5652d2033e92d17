"""A model that somebody names, as a card: from a catalogue, or from what its own folder says. Downloads nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine.retrieval.card import ModelCard
from engine.retrieval.folder import OWN
from engine.retrieval.hub_cards import model_of
from engine.retrieval.reach import snapshots

__all__ = ["base_card"]


def base_card(name: str, known: Iterable[ModelCard], *, cache: Path | None = None) -> ModelCard | None:
    """The card of a model: 1. of a folder; 2. of a catalogue; 3. of the hub's cache. None where nothing is known of it.

    A folder's card has its whole path for an id. `cache` stands in for the hub's usual one.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return _read(folder, name=str(folder.resolve()))
    listed = next((card for card in known if card.id == name), None)
    if listed is not None:
        return listed
    return next((card for place in snapshots("models", name, cache) if (card := _read(place, name=name))), None)


def _read(folder: Path, *, name: str) -> ModelCard | None:
    try:
        config: Any = json.loads((folder / "config.json").read_bytes())
    except (OSError, ValueError):
        return None
    # sentence-transformers alone writes this file, and what it saved makes sentences into vectors.
    tags = ["sentence-transformers"] if (folder / "modules.json").is_file() else []
    card = model_of({"id": "folder", "config": config, "tags": tags})
    size = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    return None if card is None else replace(card, id=name, licence=OWN, bytes=size or None)
