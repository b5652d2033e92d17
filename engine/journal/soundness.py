"""Whether a journal is whole: held against its mark, its running totals, and itself, before anything is read of it.

Every intent and every charge is looked at. Requests, replies and notes of batches are checked when they are read, each
against its digest. Not covered: the tags, which only statistics know, and rows changed by somebody who mends the totals
too.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.errors import JournalUnusable
from engine.journal.faults import damaged
from engine.journal.keys import Keys
from engine.journal.looks import name_of
from engine.journal.mark import Mark, Marked
from engine.journal.records import Sums

__all__ = ["known_keys", "mark_path", "read_sums", "verify"]

_SUMMED: Final = """
SELECT (SELECT COUNT(*) FROM intent), COALESCE(SUM(cost * NOT assumed), 0), COALESCE(SUM(cost * assumed), 0),
    COALESCE(SUM(4 * attempt + COALESCE(worth + 1, 0)), 0) FROM charge
"""

# Every look-up goes through the keys of the intents, and every total through the charges.
_CHECKS: Final = ("PRAGMA quick_check(intent)", "PRAGMA quick_check(charge)", "PRAGMA quick_check(batch)")


def verify(database: sqlite3.Connection, mark: Mark, path: Path) -> None:
    """Raises JournalUnusable for a journal that lost or changed a line, or is not the one that its mark knows."""
    sums = read_sums(database, path)
    _hold_against(mark, sums, path, name=name_of(database, path))
    if any(database.execute(check).fetchall() != [("ok",)] for check in _CHECKS):
        raise damaged(path, "its pages contradict each other")
    if database.execute(_SUMMED).fetchone() != (sums.attempts, sums.spent, sums.assumed, sums.charges):
        raise _does_not_add_up(path)


def read_sums(database: sqlite3.Connection, name: object) -> Sums:
    rows = database.execute("SELECT commits, attempts, spent, assumed, intents, charges FROM total").fetchall()
    if len(rows) != 1 or list(map(type, rows[0])) != [int, int, int, int, bytes, int]:
        raise damaged(name, "its totals are gone")
    return Sums(*rows[0])


def known_keys(database: sqlite3.Connection, name: object, *, sums: Sums) -> Keys:
    """What was asked before, at which attempts, and which of them were answered: two seconds or so for a million."""
    keys = Keys()
    try:
        keys.add_all(_checked_keys(database, name, sums=sums))
        for (attempt,) in database.execute("SELECT attempt FROM charge WHERE worth > 0"):
            keys.notify_reply(attempt)
    except TypeError:  # a text where a key or a number should be
        raise _does_not_add_up(name) from None
    return keys


def _checked_keys(database: sqlite3.Connection, name: object, *, sums: Sums) -> Iterator[tuple[bytes, int]]:
    mixed, rows = 0, database.execute("SELECT attempt, key, bound FROM intent ORDER BY attempt")
    for number, (attempt, key, bound) in enumerate(rows, start=1):
        if attempt != number:
            raise _does_not_add_up(name)
        mixed ^= int.from_bytes(key) ^ bound
        yield key, attempt
    if mixed != int.from_bytes(sums.intents):
        raise _does_not_add_up(name)


def mark_path(path: Path) -> Path:
    return path.with_name(f"{path.name}-mark")


def _hold_against(mark: Mark, sums: Sums, path: Path, *, name: str) -> None:
    marked = _marked(mark, path)
    if marked is None:
        return
    if marked.name != name and sums.commits > 0:  # an empty one was made just now: ours is gone
        raise JournalUnusable(
            f"the journal {path} is not the one that was here before, but of another run: put that one back, "
            f"or delete {mark_path(path)} to go on with this one"
        )
    if (lost := marked.commits - sums.commits) > 0:
        raise JournalUnusable(
            f"the journal {path} has lost its newest {lost} commits: put back a whole copy of it, "
            f"or delete {mark_path(path)} to go on without them"
        )


def _marked(mark: Mark, path: Path) -> Marked | None:
    try:
        return mark.read()
    except ValueError:
        raise JournalUnusable(f"{mark_path(path)} is damaged: delete it to trust the journal as it is") from None


def _does_not_add_up(name: object) -> JournalUnusable:
    return damaged(name, "its lines do not add up to its totals")
