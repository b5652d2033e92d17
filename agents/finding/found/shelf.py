"""Which data sets there are to choose from: those of the catalogue that suit, or those that were named.

What a run has chosen from stays with it, as what it has read does: a folder may have other files tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from agents.config import Configuration
from agents.finding.choose import Ranking, rank_datasets
from agents.finding.found.judging import apart, judging_beside
from agents.finding.found.rank import CANDIDATES
from agents.finding.found.splits import BENCHMARKS
from agents.finding.retrieve import filters_told
from agents.reading.sources import ENDINGS
from agents.run_folder import write_whole
from engine.errors import UserError
from engine.events import Events, Noted
from engine.retrieval import OWN, Catalogue, Column, DatasetCard, dataset_place, is_hub_name, load_datasets

__all__ = ["Shelf", "keep_shelf", "kept_shelf", "shelf_of"]

UNKNOWN_LICENCE = "unknown"
MOST_BENCHMARKS = 3  # that suit the task best; each is read over the network


@dataclass(frozen=True, slots=True)
class Shelf:
    """The data sets to choose from, best first, those that were named, if any, and those that others judge by."""

    cards: tuple[DatasetCard, ...]
    only: tuple[str, ...] = ()
    judging: tuple[DatasetCard, ...] = ()


def shelf_of(configuration: Configuration, queries: Sequence[str], *, language: str, events: Events) -> Shelf:
    """What may be chosen from: the named data sets as they were named, else what suits the queries' words."""
    named = tuple(name for name in configuration.datasets or () if name != "auto")
    path = None if configuration.catalogue is None else Path(configuration.catalogue)
    catalogue = load_datasets(path)
    cards = catalogue.cards
    for skipped in catalogue.skipped if path is not None else ():
        events.emit(Noted(f"data sets: without {skipped}"))
    if named:
        chosen = tuple(card for name in named if (card := _card_named(name, catalogue)) is not None)
        reached = tuple(card for card in chosen if _may_be_learnt(card, events) and _is_in_reach(card, events))
        licensed = _licensed(reached, configuration.licences, events)
        return Shelf(licensed, only=named, judging=_noted(_beside(licensed), events))
    learning, judging = apart(tuple(card for card in cards if card.id not in BENCHMARKS))
    benchmarks = _suiting_benchmarks(queries, cards) if configuration.datasets else ()
    judging = (*_noted(judging, events), *benchmarks)
    ranking = rank_datasets(queries, learning, place=dataset_place, language=language, licences=configuration.licences)
    if path is not None and (left_out := filters_told(ranking)):
        events.emit(Noted(f"data sets: left out: {left_out}"))
    return Shelf(_reached(ranking, with_hub=bool(configuration.datasets), events=events), judging=judging)


def _beside(cards: Sequence[DatasetCard]) -> tuple[DatasetCard, ...]:
    """The files there to judge by that lie beside files that were named, or in folders that were."""
    named = {card.id for card in cards}
    beside = dict.fromkeys(str(file) for card in cards for file in judging_beside(card.id))
    return tuple(_bare(file, licence=OWN) for file in beside if file not in named)


def _noted(judging: Sequence[DatasetCard], events: Events) -> tuple[DatasetCard, ...]:
    for card in judging:
        events.emit(Noted(f"data sets: {Path(card.id).name} is there to judge by: its rows are kept out"))
    return tuple(judging)


def _suiting_benchmarks(queries: Sequence[str], cards: Sequence[DatasetCard]) -> tuple[DatasetCard, ...]:
    """The known benchmarks that suit best and can be had: what is found elsewhere may hold their rows."""
    benchmarks = tuple(card for card in cards if card.id in BENCHMARKS)
    if not benchmarks:
        return ()
    ranking = rank_datasets(queries, benchmarks, place=dataset_place)
    return tuple(ranked.card for ranked in ranking.kept if ranked.place is not None)[:MOST_BENCHMARKS]


def _reached(ranking: Ranking[DatasetCard], *, with_hub: bool, events: Events) -> tuple[DatasetCard, ...]:
    """Those on this machine, and with the hub those there too, as far as it answers."""
    there = sum(ranked.place == "hub" for ranked in ranking.kept)
    if there and not with_hub:
        events.emit(
            Noted(f"data sets: {there:,} more are on the hub; --datasets auto streams rows of the best of them")
        )
    chosen = [ranked for ranked in ranking.kept if ranked.place == "machine" or (with_hub and ranked.place == "hub")]
    if not chosen:
        events.emit(Noted("data sets: none can be had from here: none suits, or the hub does not answer"))
    return tuple(ranked.card for ranked in chosen[:CANDIDATES])


def _is_called(name: str, file: str) -> bool:
    """Whether somebody who names a data set so means this file: by its path, or by its name with or without ending."""
    return bool(file) and name in (file, Path(file).name, Path(file).stem)


def _card_named(name: str, catalogue: Catalogue[DatasetCard]) -> DatasetCard | None:
    """The card of that id, or of the file of that name; without one, what is known of a data set is its name.

    None for a file that the catalogue has left out: why it did is said already.
    """
    for card in catalogue.cards:
        if _is_called(name, card.id):
            return card
    if any(_is_called(name, skipped.file) for skipped in catalogue.skipped):
        return None
    path = Path(name).absolute()  # what somebody has typed himself may be any path
    return _bare(str(path), licence=OWN) if path.exists() else _bare(name, licence=UNKNOWN_LICENCE)


def _bare(name: str, *, licence: str) -> DatasetCard:
    """A card of a data set of which no more than the name is known."""
    return DatasetCard(
        id=name, description=name, tags=(), languages=(), licence=licence, columns=(), downloads=0, gated=False
    )


def _may_be_learnt(card: DatasetCard, events: Events) -> bool:
    if card.id in BENCHMARKS:
        events.emit(Noted(f"data sets: without {card.id}: it is a benchmark, and all of it is there to judge by"))
    return card.id not in BENCHMARKS


def _is_in_reach(card: DatasetCard, events: Events) -> bool:
    is_path = not is_hub_name(card.id) or Path(card.id).suffix.lower() in ENDINGS
    place = None if is_path and not Path(card.id).exists() else dataset_place(card.id)
    if place is None:
        why = "there is no such file" if is_path else "it is not on this machine, and the hub does not answer"
        events.emit(Noted(f"data sets: without {card.id}: {why}"))
    return place is not None


def _licensed(cards: Sequence[DatasetCard], licences: Sequence[str] | None, events: Events) -> tuple[DatasetCard, ...]:
    allowed = tuple(card for card in cards if licences is None or card.licence in (*licences, OWN))
    for card in cards:
        if card not in allowed:
            events.emit(Noted(f"data sets: without {card.id}: its licence is {card.licence}"))
    return allowed


def keep_shelf(folder: Path, shelf: Shelf) -> None:
    """Write down what there was to choose from; where there was nothing, it is looked again."""
    if shelf.cards:
        write_whole(folder / "shelf.json", json.dumps(asdict(shelf)).encode())


def kept_shelf(folder: Path) -> Shelf | None:
    """What was written down; None where nothing is. Raises UserError where it is damaged."""
    path = folder / "shelf.json"
    if not path.exists():
        return None
    try:
        table = json.loads(path.read_bytes())
        cards, judging = (tuple(map(_card, table[name])) for name in ("cards", "judging"))
        return Shelf(cards, tuple(table["only"]), judging)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is damaged ({error}); delete it to have the data sets chosen again") from error


def _card(table: dict[str, object]) -> DatasetCard:
    """A card as it was written down: lists were tuples."""
    columns = tuple(Column(**_as_tuples(column)) for column in table.pop("columns"))  # type: ignore[arg-type,attr-defined]
    return DatasetCard(**_as_tuples(table), columns=columns)  # type: ignore[arg-type]  # we wrote it


def _as_tuples(table: dict[str, object]) -> dict[str, object]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in table.items()}
