"""Batches in the journal: attempts that outlive the process that made them, and what was noted of each batch.

An attempt that is out when its process dies is otherwise written off at its bound. One that is out in a batch goes on
at the provider, so it stays in flight, and whoever opens the journal next may settle it.
"""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Mapping, Sequence

import orjson

from engine.journal.faults import damaged
from engine.journal.records import Line, NoteRow, OpenBatch, is_whole

__all__ = ["BEGUN", "in_batches", "last_note", "note_row", "open_batches"]

BEGUN = "begun"
"""The first note of a batch, durable together with its attempts: `first` and `last` are their numbers."""

_LINES = """
SELECT attempt, key, tag, bound, sent, intent.checksum FROM intent LEFT JOIN request USING (attempt)
WHERE attempt BETWEEN ? AND ? AND NOT EXISTS (SELECT 1 FROM charge WHERE charge.attempt = intent.attempt)
ORDER BY attempt
"""


def note_row(number: int, name: str, kind: str, told: Mapping[str, object]) -> NoteRow:
    """A note as a row."""
    words = orjson.dumps(told)
    return number, name, kind, words, _checksum(name, kind, words)


def last_note(database: sqlite3.Connection) -> int:
    (last,) = database.execute("SELECT COALESCE(MAX(note), 0) FROM batch").fetchone()
    return int(last)


def in_batches(database: sqlite3.Connection, name: object) -> list[range]:
    """The attempts of every batch there ever was."""
    return [_attempts(notes[BEGUN]) for notes in _notes(database, name).values()]


def open_batches(database: sqlite3.Connection, name: object) -> list[OpenBatch]:
    """The batches some of whose attempts have not ended, in the order in which they began."""
    found = []
    for batch, notes in _notes(database, name).items():
        attempts = _attempts(notes[BEGUN])
        if lines := _lines(database, name, attempts):
            begun = notes[BEGUN]
            asked_of, at = str(begun.get("asked_of")), float(str(begun.get("at", 0)))
            found.append(OpenBatch(name=batch, asked_of=asked_of, at=at, attempts=attempts, notes=notes, lines=lines))
    return found


def _lines(database: sqlite3.Connection, name: object, attempts: range) -> Sequence[Line]:
    lines = []
    for attempt, key, tag, bound, sent, checksum in database.execute(_LINES, (attempts.start, attempts.stop - 1)):
        if sent is None or not is_whole(sent, checksum):
            raise damaged(name, "a request is not what was written")
        lines.append(Line(attempt=attempt, key=key, tag=tag, bound=bound, request=sent))
    return lines


def _notes(database: sqlite3.Connection, name: object) -> dict[str, dict[str, Mapping[str, object]]]:
    """What was noted, by batch and kind; of several notes of a kind the last counts."""
    notes: dict[str, dict[str, Mapping[str, object]]] = {}
    for batch, kind, told, checksum in database.execute("SELECT name, kind, told, checksum FROM batch ORDER BY note"):
        if not isinstance(told, bytes) or _checksum(batch, kind, told) != checksum:
            raise damaged(name, "what it says of a batch is not what was written")
        notes.setdefault(batch, {})[kind] = orjson.loads(told)
    if any(BEGUN not in each for each in notes.values()):
        raise damaged(name, "the beginning of a batch is gone")
    return notes


def _attempts(begun: Mapping[str, object]) -> range:
    return range(int(str(begun["first"])), int(str(begun["last"])) + 1)


def _checksum(name: str, kind: str, told: bytes) -> int:
    return zlib.crc32(told, zlib.crc32(f"{name} {kind}".encode()))
