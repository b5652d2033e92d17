"""Rank what exists already: the models and data sets that suit a task, in order, and why the others do not.

Ranks cards and decides; looks nothing up itself, downloads nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Generic, Literal

from agents.records import StudentFamily
from engine.retrieval import OWN, DatasetCard, Hit, ModelCard, Place, Search, is_hub_name
from engine.retrieval.card import Card
from engine.retrieval.search import copies_behind

if TYPE_CHECKING:
    from engine.retrieval.dense import Encodes

__all__ = [
    "ENCODERS",
    "MAX_BYTES",
    "TRAINABLE",
    "FilterReason",
    "Filtered",
    "Ranked",
    "Ranking",
    "StudentChoice",
    "rank_datasets",
    "rank_models",
    "trainable_as",
]

FilterReason = Literal["family", "size", "memory", "language", "licence", "gated", "unreachable"]

ENCODERS = ("embedding", "classifier")
"""The families of cards that read and do not write: sentence encoders, and the others."""

_ENCODERS = ("albert", "bert", "camembert", "deberta", "deberta-v2", "distilbert", "electra", "modernbert", "mpnet",
             "roberta", "xlm-roberta")  # fmt: skip

# LoRA sits on every linear layer, so that it fits whatever is made of these.
_DECODERS = ("bloom", "falcon", "gemma2", "gemma3_text", "gpt2", "gpt_neo", "gpt_neox", "llama", "mistral", "olmo",
             "olmo2", "opt", "phi", "phi3", "qwen2", "qwen3", "smollm3")  # fmt: skip

TRAINABLE: Mapping[StudentFamily, Mapping[str, Collection[str]]] = {
    "seq2seq": {"seq2seq": ("t5", "mt5", "umt5")},
    "causal": {"causal": _DECODERS},
    "embedding": {"embedding": _ENCODERS},
    "classifier": dict.fromkeys(ENCODERS, _ENCODERS),
}
"""Which checkpoints a student can start from: architectures by the family of their cards."""

MAX_BYTES = 3_000_000_000
"""The largest model that is taken unless the user says otherwise."""

# Weights, gradients and the two moments of the optimizer, each at 4 bytes; what a batch needs comes on top. A sentence
# encoder need not be tuned to be of use, and of a decoder-only model an adapter is: then there are weights alone.
_TRAINING_BYTES = 16
_READING_BYTES = 4

_POPULARITY = 0.05

_SAID_WHY = 100  # of a ranking of which few are ever shown

_MOST_DATASETS = 1000  # of a ranking that is looked through from the top

FindPlace = Callable[[str], Place | None]

Objection = tuple[FilterReason, str]


@dataclass(frozen=True, slots=True)
class Ranked(Generic[Card]):
    """A candidate, how well it suits (0 and up), where it can be had, if anywhere, and which words speak for it."""

    card: Card
    score: float
    place: Place | None
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Filtered(Generic[Card]):
    """A candidate that was left out: how well it would have suited, the first reason against it, and that in words."""

    card: Card
    score: float
    reason: FilterReason
    detail: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Ranking(Generic[Card]):
    """The candidates, best first, and those that were left out, best first too."""

    kept: tuple[Ranked[Card], ...]
    filtered: tuple[Filtered[Card], ...]


@dataclass(frozen=True, slots=True)
class StudentChoice:
    """What will be trained, from which checkpoint if from one, and why in one sentence."""

    family: StudentFamily
    checkpoint: str | None
    why: str
    dials: Mapping[str, float] = field(default_factory=dict)  # of its recipe, where a search has turned them


def rank_models(
    query: str | Sequence[str],
    cards: Sequence[ModelCard],
    *,
    place: FindPlace,
    language: str | None = None,
    licences: Collection[str] | None = None,
    max_bytes: int = MAX_BYTES,
    memory: int | None = None,
    has_labels: bool = True,
    encoder: Encodes | None = None,
) -> Ranking[ModelCard]:
    """Models that suit the query's words, weighted by how often they are downloaded; of equals, the more downloaded.

    Of several queries the scores are averaged. `place` says where a model can be had: `engine.retrieval.model_place`.
    `language` is ISO 639-1, `memory` the machine's in bytes; None of them, or of `licences`, lets everything through.
    `has_labels` says that the answers are labels, so that a model need not write. Every model is either kept or
    filtered with a reason.
    """

    def objection(card: ModelCard) -> Objection | None:
        return (
            _untrainable(card, has_labels=has_labels)
            or _too_large(card, max_bytes)
            or _too_hungry(card, memory)
            or _foreign(card.languages, language)
            or _unlicensed(card.licence, licences)
        )

    return _rank(
        _weighted(query, cards, encoder=encoder),
        place=place,
        objection=objection,
        out_of_reach=lambda card, found: _locked(card, found) or _unreachable(found),
    )


def rank_datasets(
    query: str | Sequence[str],
    cards: Sequence[DatasetCard],
    *,
    place: FindPlace,
    language: str | None = None,
    licences: Collection[str] | None = None,
    encoder: Encodes | None = None,
) -> Ranking[DatasetCard]:
    """The first thousand data sets that suit the query's words, weighted by downloads; of equals, the more downloaded.

    This is a list to look at: what cannot be had from here stays in it, with no place. `place` says where a data set
    can be had: `engine.retrieval.dataset_place`.
    """

    def objection(card: DatasetCard) -> Objection | None:
        return _foreign(card.languages, language) or _unlicensed(card.licence, licences)

    scored = _weighted(query, cards, encoder=encoder)[:_MOST_DATASETS]
    return _rank(scored, place=place, objection=objection, out_of_reach=_locked)


def _weighted(query: str | Sequence[str], cards: Sequence[Card], *, encoder: Encodes | None) -> list[Suited[Card]]:
    """The cards with their scores, best first."""
    queries = [query] if isinstance(query, str) else list(query)
    search = Search([card.text for card in cards], encoder=encoder)
    words = {hit.position: hit.score for hit in search.find(queries, k=len(cards))}
    hits = [Hit(at, words.get(at, 0.0) * _popularity(card)) for at, card in enumerate(cards)]
    hits.sort(key=lambda hit: (-hit.score, -cards[hit.position].downloads))
    ranked = copies_behind(hits, [_bare_name(card.id) for card in cards])
    scored = [Suited(cards[hit.position], hit.score, hit.position) for hit in ranked]
    said = [replace(suited, why=search.why(queries[0], suited.position)) for suited in scored[:_SAID_WHY]]
    return said + scored[_SAID_WHY:]


def _bare_name(card: str) -> str:
    """What those call it who publish it again under their own account; a file is nobody's copy."""
    return card.rpartition("/")[2].casefold() if is_hub_name(card) else card


def _popularity(card: ModelCard | DatasetCard) -> float:
    """How much more a card counts for being fetched often: a million times a month, 1.7 times as much."""
    # BM25 times the logarithm of downloads is Prompt2Model's. It lets a famous card win over the right one; a twentieth
    # of it put more right cards first than all of it or none did, on the labelled queries whose downloads are known.
    return 1 + _POPULARITY * math.log1p(card.downloads)


@dataclass(frozen=True, slots=True)
class Suited(Generic[Card]):
    """A card, how well it suits, where it stood, and the words of the query that speak for it."""

    card: Card
    score: float
    position: int
    why: tuple[str, ...] = ()


def _rank(
    scored: Sequence[Suited[Card]],
    *,
    place: FindPlace,
    objection: Callable[[Card], Objection | None],
    out_of_reach: Callable[[Card, Place | None], Objection | None],
) -> Ranking[Card]:
    kept: list[Ranked[Card]] = []
    filtered: list[Filtered[Card]] = []
    for suited in scored:
        card, found = suited.card, None
        against = objection(card)
        if against is None:  # looking for it costs more than reading its card
            found = place(card.id)
            against = out_of_reach(card, found)
        if against is None:
            kept.append(Ranked(card, suited.score, found, suited.why))
        else:
            filtered.append(Filtered(card, suited.score, *against, suited.why))
    return Ranking(tuple(kept), tuple(filtered))


def trainable_as(student: str, card: ModelCard) -> bool:
    """Whether a student of that family can start from the model."""
    return any(
        family == student and card.architecture in taken.get(card.family, ()) for family, taken in TRAINABLE.items()
    )


def _untrainable(card: ModelCard, *, has_labels: bool) -> Objection | None:
    if not any(trainable_as(family, card) for family in TRAINABLE):
        return "family", f"no trainer takes {card.architecture} models of the family {card.family!r} yet"
    if card.family in ENCODERS and not has_labels:
        return "family", "it reads and does not write, and this task wants text"
    return None


def _too_large(card: ModelCard, most: int) -> Objection | None:
    if card.bytes is None or card.bytes <= most:
        return None
    return "size", f"{card.bytes / 1e9:.1f} GB is more than {most / 1e9:.1f} GB"


def _too_hungry(card: ModelCard, memory: int | None) -> Objection | None:
    each = _READING_BYTES if card.family in ("embedding", "causal") else _TRAINING_BYTES
    if memory is None or card.parameters is None or (needs := card.parameters * each) <= memory:
        return None
    return "memory", f"training it takes {needs / 1e9:.0f} GB of memory, and this machine has {memory / 1e9:.0f} GB"


def _foreign(languages: Collection[str], language: str | None) -> Objection | None:
    # Nobody has said which languages it knows: its words must do.
    if language is None or not languages or language in languages or "multilingual" in languages:
        return None
    return "language", f"knows {', '.join(languages)}, not {language}"


def _unlicensed(licence: str, licences: Collection[str] | None) -> Objection | None:
    if licences is None or licence in (*licences, OWN):
        return None
    return "licence", f"its licence is {licence}"


def _locked(card: ModelCard | DatasetCard, found: Place | None) -> Objection | None:
    if card.gated and found == "hub":
        return "gated", "its publisher's terms must be accepted on the hub before it can be fetched"
    return None


def _unreachable(found: Place | None) -> Objection | None:
    if found is None:
        return "unreachable", "it is not on this machine, and the hub does not answer"
    return None
