"""Cards of models and data sets: one JSON object a line, shipped with Smelt or the user's own.

Reads and checks; which card suits a task is somebody else's question.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from importlib.resources import as_file, files
from pathlib import Path
from typing import BinaryIO, Generic, TypeVar

import orjson

from engine.errors import UserError

__all__ = ["Catalogue", "DatasetCard", "ModelCard", "Skipped", "load_datasets", "load_models"]

# A card is a paragraph. A line beyond this is a mistake (a whole file on one line), and is not read into memory.
_LONGEST_LINE = 64 * 1024

_BLANKS = re.compile(r"[ \t\r\n]+")

_TAG = re.compile(r"<[a-zA-Z/!?][^<>]*>")


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What is known of a model before it is fetched.

    `family` says which trainer would take it ("seq2seq", "classifier", "causal", "embedding"), `bytes` is the size of
    its weights, `languages` are ISO 639 codes, "multilingual" among them when there are too many to name.
    """

    id: str
    description: str
    tags: tuple[str, ...]
    task: str
    languages: tuple[str, ...]
    licence: str
    family: str
    architecture: str
    parameters: int
    bytes: int
    downloads: int
    gated: bool

    @property
    def text(self) -> str:
        """The words by which it is found."""
        return " ".join((self.id, self.description, *self.tags, self.task, self.architecture))


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCard:
    """What is known of a data set before it is fetched; `rows` counts all its splits."""

    id: str
    description: str
    tags: tuple[str, ...]
    languages: tuple[str, ...]
    licence: str
    rows: int
    columns: tuple[str, ...]
    downloads: int
    gated: bool

    @property
    def text(self) -> str:
        """The words by which it is found."""
        return " ".join((self.id, self.description, *self.tags, *self.columns))


Card = TypeVar("Card", ModelCard, DatasetCard)


@dataclass(frozen=True, slots=True)
class Skipped:
    """A line that is no card, and why not; lines count from 1."""

    line: int
    reason: str


@dataclass(frozen=True, slots=True)
class Catalogue(Generic[Card]):
    """The cards of a file in its order, and the lines that were left out."""

    cards: tuple[Card, ...]
    skipped: tuple[Skipped, ...] = ()


def load_models(path: Path | None = None) -> Catalogue[ModelCard]:
    """The model cards of a JSONL file; without a path, those that come with Smelt.

    A line that is no card is skipped with its reason. Raises UserError when the file cannot be read.
    """
    return _load(ModelCard, path, shipped="models.jsonl")


def load_datasets(path: Path | None = None) -> Catalogue[DatasetCard]:
    """The data-set cards of a JSONL file; without a path, those that come with Smelt.

    A line that is no card is skipped with its reason. Raises UserError when the file cannot be read.
    """
    return _load(DatasetCard, path, shipped="datasets.jsonl")


def _load(kind: type[Card], path: Path | None, *, shipped: str) -> Catalogue[Card]:
    if path is not None:
        return _read(kind, path)
    with as_file(files("engine.retrieval") / "cards" / shipped) as bundled:
        return _read(kind, bundled)


def _read(kind: type[Card], path: Path) -> Catalogue[Card]:
    cards: dict[str, Card] = {}
    skipped: list[Skipped] = []
    try:
        with path.open("rb") as file:
            for number, line in _numbered_lines(file):
                try:
                    card = _card(kind, line)
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
    # mypy cannot know that the checks below yield the types that the fields are annotated with; the tests do.
    return kind(**{field.name: _CHECKS[str(field.type)](row, field.name) for field in fields(kind)})  # type: ignore[arg-type]


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


_CHECKS: Mapping[str, Callable[[Mapping[str, object], str], object]] = {
    "str": _text,
    "tuple[str, ...]": _texts,
    "int": _count,
    "bool": _flag,
}
