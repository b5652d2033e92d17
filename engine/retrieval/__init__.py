"""Finding what exists already: cards of models and data sets, searched by words. Knows nothing of tasks."""

from __future__ import annotations

from engine.retrieval.base import base_card
from engine.retrieval.bm25 import Hit, Index
from engine.retrieval.card import Column, DatasetCard, ModelCard, is_hub_name
from engine.retrieval.catalogue import (
    Catalogue,
    Skipped,
    load_datasets,
    load_models,
    shipped_datasets,
    shipped_models,
)
from engine.retrieval.folder import OWN
from engine.retrieval.reach import Place, dataset_place, hub_answers, machine_memory, model_place
from engine.retrieval.search import Search
from engine.retrieval.words import tokenize

__all__ = [
    "OWN",
    "Catalogue",
    "Column",
    "DatasetCard",
    "Hit",
    "Index",
    "ModelCard",
    "Place",
    "Search",
    "Skipped",
    "base_card",
    "dataset_place",
    "hub_answers",
    "is_hub_name",
    "load_datasets",
    "load_models",
    "machine_memory",
    "model_place",
    "shipped_datasets",
    "shipped_models",
    "tokenize",
]
