"""Finding what exists already: cards of models and data sets, searched by words. Knows nothing of tasks."""

from __future__ import annotations

from engine.retrieval.bm25 import Hit, Index, tokenize
from engine.retrieval.catalogue import Catalogue, DatasetCard, ModelCard, Skipped, load_datasets, load_models
from engine.retrieval.reach import Place, dataset_place, hub_answers, model_place

__all__ = [
    "Catalogue",
    "DatasetCard",
    "Hit",
    "Index",
    "ModelCard",
    "Place",
    "Skipped",
    "dataset_place",
    "hub_answers",
    "load_datasets",
    "load_models",
    "model_place",
    "tokenize",
]
