"""Catalogues of models and data sets: what ships with Smelt, what was built from the hub, or the user's own.

Reads and checks; which card suits a task is somebody else's question.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, fields, replace
from datetime import datetime
from importlib.resources import as_file, files
from pathlib import Path
from typing import BinaryIO, Generic

import orjson

from engine.errors import UserError
from engine.retrieval.card import Card, Column, DatasetCard, ModelCard, is_hub_name
from engine.retrieval.folder import cards_in
from engine.retrieval.store import Kind, kept_in, read_cards

__all__ = ["Catalogue", "Skipped", "load_datasets", "load_models", "shipped_datasets", "shipped_models"]

_LONGEST_ID = 255  # bytes of a part of it: no file is called longer, nor anything on the hub

# A card is a paragraph. A line beyond this is a mistake (a whole file on one line), and is not read into memory.
_LONGEST_LINE = 64 * 1024

_BLANKS = re.compile(r"[ \t\r\n]+")

_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that is no card, and why not; lines count from 1. In a folder it is a whole file, by its path."""

    line: int
    reason: str
    file: str = ""

    def __str__(self) -> str:
        return f"{self.file}: {self.reason}" if self.file else f"line {self.line}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Catalogue(Generic[Card]):
    """The cards of a file in its order, and what was left out of it."""

    cards: tuple[Card, ...]
    skipped: tuple[Skipped, ...] = ()


def load_models(path: Path | None = None) -> Catalogue[ModelCard]:
    """The model cards of a JSONL file; without a path, those built from the hub and those that come with Smelt.

    A line that is no card is skipped with its reason. An id is a name on the hub, or a path of what lies beside the
    file or below: whoever wrote it has no say over the rest of this machine. Raises UserError when the file cannot be
    read.
    """
    return _usual(ModelCard, "models") if path is None else _read(ModelCard, path)


def load_datasets(path: Path | None = None) -> Catalogue[DatasetCard]:
    """The data-set cards of a JSONL file, or of the tables in a folder; without a path, as for models.

    A line, or a file, that is no card is skipped with its reason. Raises UserError when there is nothing to read.
    """
    if path is None:
        return _usual(DatasetCard, "datasets")
    if not path.is_dir():
        return _read(DatasetCard, path)
    cards, odd = cards_in(path.absolute())
    return Catalogue(cards, tuple(Skipped(0, reason, file) for file, reason in odd))


def shipped_models() -> Catalogue[ModelCard]:
    """The model cards that come with Smelt."""
    return _shipped(ModelCard, "models")


def shipped_datasets() -> Catalogue[DatasetCard]:
    """The data-set cards that come with Smelt."""
    return _shipped(DatasetCard, "datasets")


def _usual(kind: type[Card], name: Kind) -> Catalogue[Card]:
    """What was built from the hub, and of what ships the rest."""
    shipped: Catalogue[Card] = _shipped(kind, name)
    built = kept_in(name)
    if not built.exists():
        return shipped
    try:
        cards: tuple[Card, ...] = read_cards(built, kind=kind)
    except UserError as error:  # the smaller catalogue does, and it is said why
        return Catalogue(shipped.cards, (Skipped(0, str(error), str(built)),))
    # What was built says what the hub says now; it stands for what ships under the same id.
    by_id: dict[str, Card] = {}
    for card in shipped.cards + cards:
        by_id[card.id] = card
    return Catalogue(tuple(by_id.values()))


def _shipped(kind: type[Card], name: Kind) -> Catalogue[Card]:
    with as_file(files("engine.retrieval") / "cards" / f"{name}.jsonl") as bundled:
        return _read(kind, bundled)


def _read(kind: type[Card], path: Path) -> Catalogue[Card]:
    cards: dict[str, Card] = {}
    skipped: list[Skipped] = []
    try:
        with path.open("rb") as file:
            for number, line in _numbered_lines(file):
                try:
                    card = _at_home(_card(kind, line), path.absolute().parent)
                    if card.id in cards:
                        raise _NoCardError(f"the id {card.id!r} was there before")
                    cards[card.id] = card
                except _NoCardError as error:
                    skipped.append(Skipped(number, str(error)))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise UserError(f"cannot read the catalogue {path}: {reason}; give a JSONL file, one card a line") from error
    return Catalogue(tuple(cards.values()), tuple(skipped))


def _numbered_lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """The lines that are not blank; of one too long, only so much that it shows."""
    number = 0
    while line := file.readline(_LONGEST_LINE + 1):
        number += 1
        rest = line
        while len(rest) > _LONGEST_LINE and not rest.endswith(b"\n"):
            rest = file.readline(_LONGEST_LINE + 1)
        if line.strip():
            yield number, line


class _NoCardError(Exception):
    """A line that is no card; the message says why."""


def _card(kind: type[Card], line: bytes) -> Card:
    if len(line) > _LONGEST_LINE:
        raise _NoCardError(f"longer than {_LONGEST_LINE // 1024} KiB")
    try:
        row = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise _NoCardError("not JSON") from error
    if not isinstance(row, dict):
        raise _NoCardError("not a JSON object")
    # What may be left unsaid has a default, and is not looked at unless it is there.
    named = [field for field in fields(kind) if field.name in row or field.default is MISSING]
    # mypy cannot know that the checks below yield the types that the fields are annotated with; the tests do.
    card = kind(**{field.name: _CHECKS[str(field.type)](row, field.name) for field in named})  # type: ignore[arg-type]
    if any(len(part.encode()) > _LONGEST_ID for part in card.id.split("/")):
        raise _NoCardError(f"'id' is longer than {_LONGEST_ID} bytes")
    return card


_LIES_THERE: Mapping[type, Callable[[Path], bool]] = {ModelCard: Path.is_dir, DatasetCard: Path.is_file}


def _at_home(card: Card, folder: Path) -> Card:
    """The card under the whole path of what it names in the folder, else as it is, if it names something on the hub."""
    there = folder / card.id
    try:
        is_inside = there.resolve().is_relative_to(folder.resolve())
        is_there = _LIES_THERE[type(card)](there)
    except (OSError, RuntimeError, ValueError) as error:  # no path at all: a loop of links, a null byte
        raise _NoCardError("'id' is neither a name on the hub nor a file of this catalogue") from error
    if is_inside and (is_there or Path(card.id).is_absolute()):
        return replace(card, id=str(there))
    if not is_hub_name(card.id):
        raise _NoCardError("'id' is neither a name on the hub nor a path of what lies beside this file or below")
    return card


def _field(row: Mapping[str, object], name: str) -> object:
    if name not in row:
        raise _NoCardError(f"no {name!r}")
    return row[name]


def _text(row: Mapping[str, object], name: str) -> str:
    return _clean(_field(row, name), name)


def _clean(value: object, name: str) -> str:
    text = _BLANKS.sub(" ", value).strip() if isinstance(value, str) else ""
    if not text:
        raise _NoCardError(f"{name!r} is not a text")
    # Cards are drawn on terminals and in reports: what could steer either has no business in one.
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text):
        raise _NoCardError(f"{name!r} holds control characters")
    if _TAG.search(text):
        raise _NoCardError(f"{name!r} holds markup")
    return text


def _texts(row: Mapping[str, object], name: str) -> tuple[str, ...]:
    value = _field(row, name)
    if not isinstance(value, list):
        raise _NoCardError(f"{name!r} is not a list of texts")
    return tuple(_clean(item, name) for item in value)


def _count(row: Mapping[str, object], name: str) -> int:
    value = _field(row, name)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise _NoCardError(f"{name!r} is not a whole number from 0 up")
    return value


def _flag(row: Mapping[str, object], name: str) -> bool:
    value = _field(row, name)
    if not isinstance(value, bool):
        raise _NoCardError(f"{name!r} is neither true nor false")
    return value


def _unless_null(check: Callable[[Mapping[str, object], str], object]) -> Callable[[Mapping[str, object], str], object]:
    return lambda row, name: None if row[name] is None else check(row, name)


def _moment(row: Mapping[str, object], name: str) -> str:
    text = _text(row, name)
    try:
        datetime.fromisoformat(text)
    except ValueError as error:
        raise _NoCardError(f"{name!r} is no day or moment in ISO 8601") from error
    return text


def _columns(row: Mapping[str, object], name: str) -> tuple[Column, ...]:
    value = _field(row, name)
    if not isinstance(value, list):
        raise _NoCardError(f"{name!r} is not a list of columns")
    return tuple(_column(item, name) for item in value)


def _column(item: object, name: str) -> Column:
    """A column by its name alone, or as an object with name, type, labels and sample."""
    if not isinstance(item, dict):
        return Column(_clean(item, name))
    known = {"type": "unknown", "labels": [], "sample": []} | item
    return Column(_text(known, "name"), _text(known, "type"), _texts(known, "labels"), _sample(known, "sample"))


def _sample(row: Mapping[str, object], name: str) -> tuple[str, ...]:
    """Values as they stand in the rows: they may be empty, and may hold markup, which is often what they are about."""
    value = _field(row, name)
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise _NoCardError(f"{name!r} is not a list of texts")
    return tuple("".join(map(_shown, item)) for item in value)


def _shown(character: str) -> str:
    return " " if unicodedata.category(character) in ("Cc", "Cs") else character


_CHECKS: Mapping[str, Callable[[Mapping[str, object], str], object]] = {
    "str": _text,
    "tuple[str, ...]": _texts,
    "int": _count,
    "int | None": _unless_null(_count),
    "str | None": _unless_null(_moment),
    "bool": _flag,
    "tuple[Column, ...]": _columns,
}
