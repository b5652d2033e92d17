"""The journal's database as a file: its tables, its version, how it is opened, how rows go in."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from engine.errors import JournalUnusable
from engine.journal.faults import foreign

__all__ = ["connect", "insert", "is_new", "make", "prepare", "transaction"]

_VERSION: Final = 3
_APPLICATION: Final = int.from_bytes(b"SMLT", "big")

# Requests and replies, which are most of the file, are kept apart: opening reads the other tables whole.
_SCHEMA: Final = """
BEGIN;
CREATE TABLE intent (attempt INTEGER PRIMARY KEY, key BLOB NOT NULL, tag TEXT NOT NULL, bound INTEGER NOT NULL,
    checksum INTEGER -- of the request; NULL if none was told
);
CREATE TABLE request (attempt INTEGER PRIMARY KEY, sent BLOB NOT NULL);
CREATE TABLE charge (attempt INTEGER PRIMARY KEY, cost INTEGER NOT NULL, assumed INTEGER NOT NULL,
    worth INTEGER -- of the reply: 0 nothing, 1 perhaps something to a better parser, 2 an answer; NULL if none was kept
);
CREATE TABLE reply (attempt INTEGER PRIMARY KEY, status INTEGER NOT NULL, headers BLOB NOT NULL, body BLOB NOT NULL,
    latency_s REAL NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE total (commits INTEGER NOT NULL, attempts INTEGER NOT NULL, spent INTEGER NOT NULL,
    assumed INTEGER NOT NULL,
    intents BLOB NOT NULL,   -- the exclusive or of all keys and bounds
    charges INTEGER NOT NULL -- the sum of four times the attempt, and the worth plus one if there is one
);
CREATE TABLE batch (note INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, told BLOB NOT NULL,
    checksum INTEGER NOT NULL
);
CREATE TABLE merged (name TEXT NOT NULL, attempts INTEGER NOT NULL); -- of another journal so many are here; the most
CREATE TABLE name (name TEXT NOT NULL); -- tells this journal from every other; stands in its mark, too
INSERT INTO total VALUES (0, 0, 0, 0, zeroblob(32), 0);
INSERT INTO name VALUES (hex(randomblob(8)));
PRAGMA application_id = 1397574740; -- "SMLT"
PRAGMA user_version = 3;
COMMIT;
"""

# Journals of this version that were made before there were batches, or several journals of a run, lack these tables.
_LATER: Final = (
    """
CREATE TABLE IF NOT EXISTS batch (note INTEGER PRIMARY KEY, name TEXT NOT NULL, kind TEXT NOT NULL, told BLOB NOT NULL,
    checksum INTEGER NOT NULL
)
""",
    "CREATE TABLE IF NOT EXISTS merged (name TEXT NOT NULL, attempts INTEGER NOT NULL)",
)

# Of 4, 8 and 16 KiB, measured: a page costs a system call or two, and a commit writes one of each table at least.
_PAGE_BYTES: Final = 8192

# A statement gives up the interpreter when it runs, and may wait milliseconds to get it back from a busy event loop.
# So there are few: one for up to 32 rows, else one for each 32, 64, 96 or 128 and one for the rest.
_ROWS_STEP: Final = 32
_MOST_ROWS_PER_STATEMENT: Final = 128
_CACHED_STATEMENTS: Final = 256


def connect(database: str, *, uri: bool = False) -> sqlite3.Connection:
    # Transactions are begun by us; the connections are made in one thread and used in another, one at a time.
    return sqlite3.connect(
        database, isolation_level=None, check_same_thread=False, cached_statements=_CACHED_STATEMENTS, uri=uri
    )


def make(database: sqlite3.Connection) -> None:
    """An empty journal."""
    database.executescript(_SCHEMA)


def prepare(database: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no journal of ours before touching it; then make it one that can be written."""
    if is_fresh := is_new(database, path):
        database.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
    if database.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise JournalUnusable(
            f"the journal {path} needs a write-ahead log, which its file system cannot hold: use a local disk"
        )
    database.execute("PRAGMA synchronous = FULL")
    if is_fresh:
        make(database)
    else:
        for table in _LATER:
            database.execute(table)


def is_new(database: sqlite3.Connection, path: Path) -> bool:
    """True for an empty file, False for a journal that we can read; anything else is refused."""
    (application,), (version,) = (
        database.execute(f"PRAGMA {name}").fetchone() for name in ("application_id", "user_version")
    )
    if application == _APPLICATION and version == _VERSION:
        return False
    if application == _APPLICATION:
        way_out = "update Smelt" if version > _VERSION else "go on with the Smelt that made it"
        raise JournalUnusable(
            f"the journal {path} is of version {version} and this Smelt reads version {_VERSION}: "
            f"{way_out}, or use another folder"
        )
    if application or version or database.execute("SELECT COUNT(*) FROM sqlite_master").fetchone() != (0,):
        raise foreign(path)
    return True


@contextlib.contextmanager
def transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # what went wrong first is what people must hear of
            database.execute("ROLLBACK")
        raise


def insert(database: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
    start = 0
    while start < len(rows):
        chunk = rows[start : start + _rows_of_statement(len(rows) - start)]
        places = f"({', '.join('?' * len(chunk[0]))})"
        statement = f"INSERT INTO {table} VALUES {', '.join([places] * len(chunk))}"  # noqa: S608 - names of ours
        database.execute(statement, list(chain.from_iterable(chunk)))
        start += len(chunk)


def _rows_of_statement(left: int) -> int:
    """Of few different sizes, so that all statements stay prepared."""
    return left if left <= _ROWS_STEP else min(_MOST_ROWS_PER_STATEMENT, left - left % _ROWS_STEP)
