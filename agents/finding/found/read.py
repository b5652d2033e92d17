"""Rows drawn from a data set: at most so many, the same ones every time, and a bad one costs itself alone.

A file on this machine is looked through, and its rows are drawn from all of it; of a data set on the hub no more rows
are streamed than are wanted.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from random import Random
from typing import Protocol

from agents.chance import chance
from agents.finding.found.hub_rows import Row, stream
from agents.finding.found.records import FoundRow, Sample
from agents.finding.found.splits import judges
from agents.reading.rows import flat, is_missing, text_of
from agents.reading.sources import Broken, Found, Record, read_source
from agents.run_folder import write_whole
from engine.errors import SmeltError, UserError
from engine.retrieval import DatasetCard
from engine.text import clean

__all__ = ["MOST_JUDGING", "Fetch", "Reader", "any_row"]

MOST_LOOKED_THROUGH = 200_000  # rows of a file, some seconds
MOST_STREAMED = 1000  # rows of a data set on the hub
MOST_JUDGING = 5000  # rows of a test split or a test file
LONGEST_PROBLEM = 200  # characters

Serves = Callable[[FoundRow], bool]


class Fetch(Protocol):
    """Brings rows of a data set on the hub, as `stream` does."""

    def __call__(
        self, name: str, /, *, most: int, configs: Sequence[str], language: str, judging: bool
    ) -> Iterator[Row]: ...


def any_row(_: FoundRow) -> bool:
    return True


class Reader:
    """Draws rows of data sets, and keeps what it has drawn in a folder, if it has one.

    So a run that goes on has the rows that it began with, whatever has become of a file or of the hub since. What could
    not be read at all is tried again. Of a data set on the hub `streamed` rows are fetched, once, and all is drawn from
    these. `fetch` fetches them.
    """

    def __init__(
        self,
        *,
        seed: int,
        language: str = "en",
        folder: Path | None = None,
        streamed: int = MOST_STREAMED,
        fetch: Fetch = stream,
    ) -> None:
        self._seed, self._language, self._folder = seed, language, folder
        self._streamed, self._fetch = streamed, fetch
        self._whole: dict[str, Sample] = {}  # what was streamed, by data set

    def draw(self, card: DatasetCard, *, most: int, serves: Serves = any_row, name: str = "") -> Sample:
        """At most so many of the rows that serve, in their order. Never raises for what is wrong: `problem` says it.

        `name` tells apart what serves where that is not the same each time.
        """
        if not Path(card.id).is_absolute():
            return self._drawn_of(self._all_streamed(card), card, most=most, serves=serves)
        return self._once(card, (most, name), lambda: self._drawn(self._of_file(card), card, most=most, serves=serves))

    def judging(self, card: DatasetCard) -> Sample:
        """Rows by which others judge, at most `MOST_JUDGING`: of a file all, of the hub the test split if any."""
        if Path(card.id).is_absolute():
            return self.draw(card, most=MOST_JUDGING)
        return self._once(card, (MOST_JUDGING, "judging"), lambda: self._read(card, most=MOST_JUDGING, judging=True))

    def _all_streamed(self, card: DatasetCard) -> Sample:
        if card.id not in self._whole:
            most = self._streamed
            self._whole[card.id] = self._once(card, (most, "streamed"), lambda: self._read(card, most=most))
        return self._whole[card.id]

    def _once(self, card: DatasetCard, what: tuple[int, str], read: Callable[[], Sample]) -> Sample:
        """What was read before, if that was kept; otherwise it is read now."""
        most, name = what
        key = hashlib.sha256(repr((card.id, most, self._seed, name)).encode()).hexdigest()[:16]
        path = None if self._folder is None else self._folder / f"{key}.json"
        if path is not None and path.exists():
            return _kept(path)
        sample = read()
        if path is not None and sample.rows:
            write_whole(path, json.dumps(asdict(sample) | {"dataset": card.id}).encode())
        return sample

    def _read(self, card: DatasetCard, *, most: int, judging: bool = False) -> Sample:
        """At most so many rows of the hub, as they come."""
        return self._drawn(self._of_hub(card, most=most, judging=judging), card, most=most)

    def _drawn_of(self, whole: Sample, card: DatasetCard, *, most: int, serves: Serves) -> Sample:
        drawn = _Drawn(most, self._chance(card))
        for row in whole.rows:
            if serves(row):
                drawn.offer(row)
        return replace(whole, rows=drawn.in_order())

    def _drawn(self, records: Iterator[Record], card: DatasetCard, *, most: int, serves: Serves = any_row) -> Sample:
        drawn = _Drawn(most, self._chance(card))
        met, broken, problem = 0, 0, ""
        try:
            for record in records:
                if isinstance(record, Broken):
                    broken += 1
                    continue
                met += 1
                if serves(row := _row(record, card)):
                    drawn.offer(row)
        except SmeltError as error:
            problem = clean(str(error), LONGEST_PROBLEM)
        return Sample(rows=drawn.in_order(), met=met, broken=broken, problem=problem)

    def _chance(self, card: DatasetCard) -> Random:
        return chance(self._seed, "rows", Path(card.id).name)

    def _of_file(self, card: DatasetCard) -> Iterator[Record]:
        # Of a folder that was named, what lies there to judge by is left alone.
        return islice(read_source(card.id, wanted=lambda file: not judges(file.stem)), MOST_LOOKED_THROUGH)

    def _of_hub(self, card: DatasetCard, *, most: int, judging: bool) -> Iterator[Record]:
        if Path(card.id).exists():  # the package would read that instead, and nobody has asked for it
            raise UserError(
                f"{card.id}: here lies something of that name; start smelt elsewhere, or name its whole path"
            )
        rows = self._fetch(card.id, most=most, configs=card.configs, language=self._language, judging=judging)
        for number, row in enumerate(rows, start=1):
            yield Found(card.id, number, row)


def _kept(path: Path) -> Sample:
    """What was drawn before. Raises UserError where that is damaged."""
    try:
        table = json.loads(path.read_bytes())
        rows = tuple(FoundRow(row["number"], row["columns"]) for row in table["rows"])
        return Sample(rows=rows, met=table["met"], broken=table["broken"], problem=table["problem"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is damaged ({error}); delete it to have the data set read again") from error


class _Drawn:
    """So many of the rows that are offered, each with the same chance."""

    def __init__(self, most: int, draw: Random) -> None:
        self._most, self._draw = most, draw
        self._offered = 0
        self._rows: list[FoundRow] = []

    def offer(self, row: FoundRow) -> None:
        self._offered += 1
        if len(self._rows) < self._most:
            self._rows.append(row)
        elif (place := self._draw.randrange(self._offered)) < self._most:
            self._rows[place] = row

    def in_order(self) -> tuple[FoundRow, ...]:
        return tuple(sorted(self._rows, key=lambda row: row.number))


def _row(record: Found, card: DatasetCard) -> FoundRow:
    names = {column.name: column.labels for column in card.columns if column.labels}
    values = {name: _text(value, names.get(name, ())) for name, value in _flat(record.columns)}
    return FoundRow(record.line, {name: value for name, value in values.items() if value is not None})


def _flat(columns: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """The columns, those of an object by their names within it: {"translation": {"de": ...}} is "translation.de".

    Chats are their last question and answer, and answers in the form of SQuAD their first one.
    """
    for name, value in flat(columns).items():
        if isinstance(value, dict) and isinstance(value.get("text"), list):
            yield name, next(iter(value["text"]), None)
        elif isinstance(value, dict) and value and all(isinstance(inner, str) for inner in value.values()):
            yield from ((f"{name}.{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _text(value: object, labels: tuple[str, ...]) -> str | None:
    """A value as text, a class by its name; None for what is missing."""
    if is_missing(value) or isinstance(value, bytes):
        return None
    if labels and (named := _named(value, labels)) is not None:
        return named
    if isinstance(value, str):
        return _mended(value)
    return text_of(value)


def _named(value: object, labels: tuple[str, ...]) -> str | None:
    """The name of a class; a number that stands for none stays a number."""
    try:
        number = int(str(value))
    except ValueError:
        return None
    return labels[number] if 0 <= number < len(labels) else None


def _mended(text: str) -> str:
    """A line that is no UTF-8 comes with its bytes as half characters; what is most usual then is Western European."""
    if not any("\udc80" <= character <= "\udcff" for character in text):
        return text
    return text.encode("utf-8", "surrogateescape").decode("cp1252", "replace")
