"""What is known of a model or of a data set before it is fetched. Nouns alone: who reads or ranks them is elsewhere."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Card", "Column", "DatasetCard", "ModelCard", "is_hub_name"]

_HUB_NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)?", re.ASCII)

_LABELS = 100  # of a column; a card is found by what its labels are about


def is_hub_name(text: str) -> bool:
    """Whether a text could name something on the hub: "name" or "owner/name", and never a way out of a folder."""
    return _HUB_NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """What is known of a model before it is fetched. An `id` that is an absolute path is a folder on this machine.

    `family` says which trainer would take it ("seq2seq", "classifier", "causal", "embedding"), `bytes` is the size of
    its weights, `languages` are ISO 639 codes, "multilingual" among them when there are too many to name, `updated` is
    the day, or the moment, in ISO 8601. None stands for what nobody has said.
    """

    id: str
    description: str
    tags: tuple[str, ...]
    task: str
    languages: tuple[str, ...]
    licence: str
    family: str
    architecture: str
    parameters: int | None = None
    bytes: int | None = None
    downloads: int
    gated: bool
    updated: str | None = None

    @property
    def text(self) -> str:
        """The words by which it is found."""
        return " ".join((self.id, self.description, *self.tags, self.task, self.architecture))


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a data set: its name, and what is known of its values.

    `type` is "text", "int", "float", "bool", "label", "time", "list", "object", "bytes" or "unknown". A "label" holds
    whole numbers that stand for the names in `labels`, the first for 0. `sample` holds the values of the first rows as
    text, the same rows in every column of a card.
    """

    name: str
    type: str = "unknown"
    labels: tuple[str, ...] = ()
    sample: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetCard:
    """What is known of a data set before it is fetched. An `id` that is an absolute path is a file on this machine.

    `id` is its name on the hub or the path of a file. `rows` counts all its splits, `bytes` is what would have to be
    downloaded for all of it, `configs` are the names of its parts, the usual one first, and `columns` those of that
    one. None stands for what nobody has said.
    """

    id: str
    description: str
    tags: tuple[str, ...]
    languages: tuple[str, ...]
    licence: str
    rows: int | None = None
    bytes: int | None = None
    configs: tuple[str, ...] = ()
    columns: tuple[Column, ...]
    downloads: int
    gated: bool
    updated: str | None = None

    @property
    def text(self) -> str:
        """The words by which it is found."""
        names = (column.name for column in self.columns)
        labels = (label for column in self.columns for label in column.labels[:_LABELS])
        return " ".join((self.id, self.description, *self.tags, *names, *labels))


Card = TypeVar("Card", ModelCard, DatasetCard)
