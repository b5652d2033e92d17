"""Faults of disks and files as one line for people: what is wrong with the journal, and what to do about it."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from engine.errors import JournalUnusable

__all__ = ["damaged", "foreign", "told"]

# What to do, by SQLite's primary error code.
_WAYS_OUT: Final = {
    sqlite3.SQLITE_FULL: "make room on the disk, then resume",
    sqlite3.SQLITE_IOERR: "check the disk, then resume",
    sqlite3.SQLITE_READONLY: "make it writable, or use another folder",
    sqlite3.SQLITE_PERM: "make it writable, or use another folder",
    sqlite3.SQLITE_CANTOPEN: "check that its folder can be written",
    sqlite3.SQLITE_BUSY: "close the program that holds it, then resume",
    sqlite3.SQLITE_CORRUPT: "put back a copy, or start a new run",
    sqlite3.SQLITE_NOTADB: "it is another kind of file, so use another path",
}


@contextlib.contextmanager
def told(name: object) -> Iterator[None]:
    """Faults of the disk and of the file become one line for people; misuse of SQLite stays a bug of ours."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.IntegrityError as error:  # our numbers are taken: the file that locks it was deleted meanwhile
        raise JournalUnusable(
            f"the journal {name} is written by another process too: resume when that has ended"
        ) from error
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        way_out = _WAYS_OUT.get(code, "start a new run if this stays")
        raise JournalUnusable(f"the journal {name} cannot be used ({error}): {way_out}") from error
    except UnicodeDecodeError as error:  # even what SQLite says of a damaged file may quote it
        raise damaged(name, "it holds what is no text") from error
    except OSError as error:
        raise JournalUnusable(
            f"the journal {name} cannot be used ({error.strerror}): check the disk and its folder"
        ) from error


def damaged(name: object, how: str) -> JournalUnusable:
    return JournalUnusable(f"the journal {name} is damaged, {how}: put back a copy, or start a new run")


def foreign(path: Path) -> JournalUnusable:
    return JournalUnusable(f"{path} is not a journal of Smelt: use another path")
