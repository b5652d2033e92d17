"""Look for what exists already: which base model to start from, which data sets are near, and what to train."""

from __future__ import annotations

from dataclasses import dataclass

from agents.asks import Asks
from agents.choose import Filtered, Ranked, Ranking, StudentChoice, choose_student, rank_datasets, rank_models
from agents.describe import Note, describe, own_words
from agents.records import Spec
from engine.retrieval import DatasetCard, ModelCard, dataset_place, load_datasets, load_models, model_place

__all__ = ["Retrieval", "dataset_rows", "dataset_table", "model_rows", "model_table", "retrieve"]

SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """What the teacher said ought to exist, what was found for it, and the student chosen."""

    hypothesis: str
    models: Ranking[ModelCard]
    datasets: Ranking[DatasetCard]
    choice: StudentChoice


async def retrieve(asks: Asks, spec: Spec, *, note: Note, wanted: str) -> Retrieval:
    """Describe the model and the data set that ought to exist, and rank what does."""
    hypothesis = await describe(asks, spec, thing="model", note=note)
    models = _ranked_models(hypothesis, language=spec.language)
    dataset = await describe(asks, spec, thing="dataset", note=note)
    datasets = _ranked_datasets(dataset, language=spec.language)
    choice = choose_student(spec, models, wanted=wanted)
    return Retrieval(hypothesis=hypothesis, models=models, datasets=datasets, choice=choice)


def model_rows(spec: Spec, *, top: int) -> list[dict[str, str]]:
    """The ranking of base models by the prompt's own words, as rows of text."""
    return model_table(_ranked_models(own_words(spec), language=spec.language), top=top)


def dataset_rows(spec: Spec, *, top: int) -> list[dict[str, str]]:
    """The ranking of data sets by the prompt's own words, as rows of text."""
    return dataset_table(_ranked_datasets(own_words(spec), language=spec.language), top=top)


def model_table(ranking: Ranking[ModelCard], *, top: int = SHOWN) -> list[dict[str, str]]:
    """The best candidates, kept or not, with what speaks against them."""
    candidates: list[Ranked[ModelCard] | Filtered[ModelCard]] = [*ranking.kept, *ranking.filtered]
    best = sorted(candidates, key=lambda candidate: -candidate.score)[:top]
    return [
        {
            "model": candidate.card.id,
            "score": f"{candidate.score:.1f}",
            "size": "unknown" if candidate.card.bytes is None else f"{candidate.card.bytes / 1e9:.2f} GB",
            "licence": candidate.card.licence,
            "verdict": _verdict(candidate),
        }
        for candidate in best
    ]


def dataset_table(ranking: Ranking[DatasetCard], *, top: int = SHOWN) -> list[dict[str, str]]:
    """The nearest data sets and where they can be had; none is downloaded."""
    return [
        {
            "data set": ranked.card.id,
            "score": f"{ranked.score:.1f}",
            "rows": "unknown" if ranked.card.rows is None else f"{ranked.card.rows:,}",
            "licence": ranked.card.licence,
            "where": {"machine": "on this machine", "hub": "on the hub", None: "out of reach"}[ranked.place],
        }
        for ranked in ranking.kept[:top]
    ]


def _verdict(candidate: Ranked[ModelCard] | Filtered[ModelCard]) -> str:
    if isinstance(candidate, Filtered):
        return f"no: {candidate.detail}"
    return "can be used, on this machine" if candidate.place == "machine" else "can be used, from the hub"


def _ranked_models(query: str, *, language: str) -> Ranking[ModelCard]:
    return rank_models(query, load_models().cards, place=model_place, language=language)


def _ranked_datasets(query: str, *, language: str) -> Ranking[DatasetCard]:
    return rank_datasets(query, load_datasets().cards, place=dataset_place, language=language)
