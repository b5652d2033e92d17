"""Look for what exists already: which base model to start from, which data sets are near, and what to train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from agents.asks import Asks
from agents.finding.bases import has_gpu, named_base
from agents.finding.choose import (
    MAX_BYTES,
    Filtered,
    Ranked,
    Ranking,
    StudentChoice,
    rank_datasets,
    rank_models,
)
from agents.finding.describe import Note, describe
from agents.finding.student_choice import Situation, answers_with_labels, choose_student
from agents.records import Spec
from engine.retrieval import (
    Catalogue,
    DatasetCard,
    ModelCard,
    dataset_place,
    load_datasets,
    load_models,
    model_place,
)

if TYPE_CHECKING:
    from engine.retrieval.dense import Encodes

__all__ = [
    "Retrieval",
    "Wishes",
    "dataset_table",
    "filters_told",
    "found_datasets",
    "found_models",
    "model_table",
    "retrieve",
    "size_told",
]

SHOWN = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrieval:
    """What the teacher said ought to exist, what was found for it, and the student chosen."""

    hypothesis: str
    data_hypotheses: tuple[str, ...]
    models: Ranking[ModelCard]
    datasets: Ranking[DatasetCard]
    choice: StudentChoice


async def retrieve(asks: Asks, spec: Spec, *, note: Note, wanted: str, base: str | None, rows: int) -> Retrieval:
    """Describe the model and the data set that ought to exist, rank what does, and choose the student.

    `wanted` and `base` are what the user said of it, `rows` how many there will be.
    """
    hypotheses = await describe(asks, spec, thing="model", note=note)
    models = found_models(hypotheses, Wishes(language=spec.language, has_labels=answers_with_labels(spec)))
    dataset = await describe(asks, spec, thing="dataset", note=note)
    datasets = found_datasets(dataset, Wishes(language=spec.language))
    situation = Situation(has_labels=answers_with_labels(spec), rows=rows, has_gpu=has_gpu)
    choice = choose_student(situation, models, wanted=wanted, base=named_base(base))
    return Retrieval(
        hypothesis=hypotheses[0], data_hypotheses=tuple(dataset), models=models, datasets=datasets, choice=choice
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What a candidate must be: of these licences (None: any), in this language, no larger, at home on this machine.

    `has_labels`: it need not write, since the answers are labels.
    """

    language: str | None = None
    licences: tuple[str, ...] | None = None
    max_bytes: int = MAX_BYTES
    memory: int | None = None
    has_labels: bool = True


def found_models(
    queries: Sequence[str],
    wishes: Wishes,
    *,
    catalogue: Catalogue[ModelCard] | None = None,
    encoder: Encodes | None = None,
) -> Ranking[ModelCard]:
    """The models of a catalogue, ranked; without one, of the usual."""
    cards = (catalogue or load_models()).cards
    return rank_models(
        queries, cards, place=model_place, language=wishes.language, licences=wishes.licences,
        max_bytes=wishes.max_bytes, memory=wishes.memory, has_labels=wishes.has_labels, encoder=encoder,
    )  # fmt: skip


def found_datasets(
    queries: Sequence[str],
    wishes: Wishes,
    *,
    catalogue: Catalogue[DatasetCard] | None = None,
    encoder: Encodes | None = None,
) -> Ranking[DatasetCard]:
    """The data sets of a catalogue, ranked; without one, of the usual."""
    cards = (catalogue or load_datasets()).cards
    return rank_datasets(
        queries, cards, place=dataset_place, language=wishes.language, licences=wishes.licences, encoder=encoder
    )


def model_table(ranking: Ranking[ModelCard], *, top: int = SHOWN) -> list[dict[str, str]]:
    """The best candidates, kept or not, with what speaks for them and what against."""
    candidates: list[Ranked[ModelCard] | Filtered[ModelCard]] = [*ranking.kept, *ranking.filtered]
    best = sorted(candidates, key=lambda candidate: -candidate.score)[:top]
    return [
        {
            "model": candidate.card.id,
            "score": f"{candidate.score:.1f}",
            "why": ", ".join(candidate.why),
            "size": size_told(candidate.card.bytes),
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
            "why": ", ".join(ranked.why),
            "rows": "unknown" if ranked.card.rows is None else f"{ranked.card.rows:,}",
            "licence": ranked.card.licence,
            "where": {"machine": "on this machine", "hub": "on the hub", None: "out of reach"}[ranked.place],
        }
        for ranked in ranking.kept[:top]
    ]


def filters_told(ranking: Ranking[ModelCard] | Ranking[DatasetCard]) -> str:
    """How many were left out for which reason, in one line; empty when none was."""
    counts = Counter(filtered.reason for filtered in ranking.filtered)
    return ", ".join(
        f"{counts[reason]:,} by {reason}" for reason in sorted(counts, key=lambda name: (-counts[name], name))
    )


def size_told(size: int | None) -> str:
    """A size in the unit that a download is thought of."""
    return "unknown" if size is None else f"{size / 1e9:.2f} GB"


def _verdict(candidate: Ranked[ModelCard] | Filtered[ModelCard]) -> str:
    if isinstance(candidate, Filtered):
        return f"no: {candidate.detail}"
    return "can be used, on this machine" if candidate.place == "machine" else "can be used, from the hub"
