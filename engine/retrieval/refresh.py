"""A large catalogue from the hub, in the user's cache: listed anew each time, and only what has changed is fetched.

What was fetched is on disk from time to time, so that a refresh that was stopped goes on where it was.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

from engine.errors import EndpointUnreachable, UserError
from engine.retrieval.card import Card, DatasetCard, ModelCard
from engine.retrieval.hub import Hub
from engine.retrieval.hub_cards import dataset_of, described, model_of, weights_file
from engine.retrieval.store import kept_in, read_cards, write_cards

__all__ = ["Refreshed", "refresh_datasets", "refresh_models"]

MODEL_TASKS: Final = (
    "text-classification", "token-classification", "question-answering", "zero-shot-classification", "summarization",
    "translation", "text2text-generation", "text-generation", "fill-mask", "sentence-similarity", "feature-extraction",
)  # fmt: skip
DATASET_TASKS: Final = (
    "text-classification", "token-classification", "question-answering", "zero-shot-classification", "summarization",
    "translation", "text-generation", "fill-mask", "multiple-choice", "table-question-answering", "text-retrieval",
)  # fmt: skip

_MODEL_FIELDS: Final = (
    "cardData", "config", "downloads", "gated", "lastModified", "pipeline_tag", "safetensors", "siblings", "tags",
)  # fmt: skip
_DATASET_FIELDS: Final = ("cardData", "description", "downloads", "gated", "lastModified", "tags")

_PAGE: Final = 500  # lines of a listing; with all these fields a page weighs some megabytes
_START_OF_A_CARD: Final = 48 * 1024  # bytes: the head of YAML alone may take 20 KiB
_KEPT_EVERY: Final = 50  # cards that a kill may cost
_AT_ONCE: Final = 8
_FAILURES_IN_A_ROW: Final = 8  # cards that cannot be had though the hub was asked again and again: it is gone

OnProgress = Callable[[str], None]
"""Whoever shows the user how far it has come."""


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What came of a refresh: how many cards there are now, and how many of them had to be fetched or failed."""

    path: Path
    cards: int
    fetched: int
    failed: int


async def refresh_models(hub: Hub, *, top: int, folder: Path | None = None, on_progress: OnProgress) -> Refreshed:
    """Build or renew the catalogue of models: for each task the `top` most downloaded, each with its card and size.

    Raises EndpointUnreachable when the hub is gone; what was fetched until then is kept, and counts next time.
    """
    path = kept_in("models", folder=folder)
    known = _known(path, ModelCard)
    lists = _listed(hub, "/api/models", "pipeline_tag", MODEL_TASKS, _MODEL_FIELDS, top, on_progress)
    items = [item async for lines in lists for item in lines]
    listed = {card.id: (card, item) for item in items if (card := model_of(item)) is not None}
    cards = {name: _renewed(card, known.get(name)) for name, (card, _) in listed.items()}
    stale = [name for name, (card, _) in listed.items() if not _is_current(card, known.get(name))]

    def keep() -> None:
        write_cards(path, list(cards.values()), kind=ModelCard)

    async def fetch(name: str) -> None:
        card, item = listed[name]
        cards[name] = await _fetched(hub, card, item)

    failed = await _each(stale, fetch, keep=keep, on_progress=on_progress)
    return Refreshed(path, len(cards), len(stale) - failed, failed)


async def refresh_datasets(hub: Hub, *, top: int, folder: Path | None = None, on_progress: OnProgress) -> Refreshed:
    """Build or renew the catalogue of data sets: for each task the `top` most downloaded. The listing says it all.

    What is listed when it stops is kept beside what was known; the next time begins the list anew.
    """
    path = kept_in("datasets", folder=folder)
    known = _known(path, DatasetCard)
    cards: dict[str, DatasetCard] = {}
    async for lines in _listed(hub, "/api/datasets", "filter", _DATASET_FILTERS, _DATASET_FIELDS, top, on_progress):
        cards |= {card.id: card for item in lines if (card := dataset_of(item)) is not None}
        write_cards(path, list((known | cards).values()), kind=DatasetCard)  # whatever ends it costs one task's list
    write_cards(path, list(cards.values()), kind=DatasetCard)
    changed = sum(not _is_current(card, known.get(name)) for name, card in cards.items())
    return Refreshed(path, len(cards), changed, 0)


_DATASET_FILTERS: Final = tuple(f"task_categories:{task}" for task in DATASET_TASKS)


def _known(path: Path, kind: type[Card]) -> dict[str, Card]:
    """The cards of an earlier refresh, by id."""
    if not path.exists():
        return {}
    try:
        return {card.id: card for card in read_cards(path, kind=kind)}
    except UserError:  # damaged, or of an earlier version: everything is fetched, and the file is replaced
        return {}


async def _listed(
    hub: Hub, path: str, by: str, tasks: Sequence[str], wanted: Sequence[str], top: int, on_progress: OnProgress
) -> AsyncIterator[list[Mapping[str, Any]]]:
    """The lines of the listing for each task, the most downloaded first; what serves two tasks comes twice."""
    found = 0
    for task in tasks:
        on_progress(f"listing {task.split(':')[-1]}: {found:,} so far")
        params = {by: task, "sort": "downloads", "limit": min(top, _PAGE), "expand": list(wanted)}
        lines: list[Mapping[str, Any]] = []
        async for page in hub.pages(path, params):
            lines += [line for line in page if isinstance(line, dict)]
            if len(lines) >= top:
                break
        found += len(lines[:top])
        yield lines[:top]


def _is_current(card: ModelCard | DatasetCard, known: ModelCard | DatasetCard | None) -> bool:
    return known is not None and known.updated is not None and known.updated == card.updated


def _renewed(card: ModelCard, known: ModelCard | None) -> ModelCard:
    """What the listing says now, with the words and the size that were fetched for an earlier one.

    Where those are out of date, or there are none, the day is left out: so it is known to be fetched still.
    """
    if known is None:
        return replace(card, updated=None)
    day = card.updated if _is_current(card, known) else None
    return replace(card, description=known.description, bytes=card.bytes or known.bytes, updated=day)


async def _fetched(hub: Hub, card: ModelCard, item: Mapping[str, Any]) -> ModelCard:
    page = await hub.start_of(f"/{card.id}/resolve/main/README.md", limit=_START_OF_A_CARD)
    weights = weights_file(item) if card.bytes is None else None
    size = None if weights is None else await hub.size_of(f"/{card.id}/resolve/main/{weights}")
    return described(card, page, size=size)


async def _each(
    names: Sequence[str],
    fetch: Callable[[str], Awaitable[None]],
    *,
    keep: Callable[[], None],
    on_progress: OnProgress,
) -> int:
    """Fetch each, a few at once; returns how many could not be had. However it ends, what was fetched is kept."""
    left: Iterator[str] = iter(names)
    done = failed = in_a_row = 0

    async def work() -> None:
        nonlocal done, failed, in_a_row
        for name in left:
            try:
                await fetch(name)
                in_a_row = 0
            except EndpointUnreachable:
                failed, in_a_row = failed + 1, in_a_row + 1
                if in_a_row >= _FAILURES_IN_A_ROW:
                    raise
            done += 1
            on_progress(f"cards: {done:,} of {len(names):,}")
            if done % _KEPT_EVERY == 0:
                keep()

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(min(_AT_ONCE, len(names))):
                group.create_task(work())
    except ExceptionGroup as gone:  # the first failure has ended the others
        raise gone.exceptions[0] from gone
    finally:
        keep()
    return failed
