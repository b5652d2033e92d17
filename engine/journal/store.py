"""The journal's file: a SQLite database with a write-ahead log, fsynced at every commit. Synchronous throughout.

Rows are only ever added: an intent, later a charge and perhaps a reply of the same attempt. A single row of running
totals is kept with every commit, so that a ledger which lost or changed a line does not add up, and is refused. Which
attempts a key was asked at is known in memory (`engine.journal.keys`), read anew when the journal is opened.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Final

from engine.errors import JournalUnusable
from engine.journal.keys import Keys
from engine.journal.mark import Mark
from engine.journal.records import Counts, Entry, Rows, Stored, Sums, Totals, Worth, unpacked
from engine.messages import RawReply

__all__ = ["Store", "peek"]

_VERSION: Final = 2
_APPLICATION: Final = int.from_bytes(b"SMLT", "big")

_SCHEMA: Final = """
BEGIN;
CREATE TABLE intent (attempt INTEGER PRIMARY KEY, key BLOB NOT NULL, tag TEXT NOT NULL, bound INTEGER NOT NULL);
CREATE TABLE charge (attempt INTEGER PRIMARY KEY, cost INTEGER NOT NULL, assumed INTEGER NOT NULL,
    worth INTEGER -- of the reply: 0 nothing, 1 perhaps something to a better parser, 2 an answer; NULL if none was kept
);
CREATE TABLE reply (attempt INTEGER PRIMARY KEY, status INTEGER NOT NULL, headers BLOB NOT NULL, body BLOB NOT NULL,
    latency_s REAL NOT NULL, checksum INTEGER NOT NULL
);
CREATE TABLE total (commits INTEGER NOT NULL, attempts INTEGER NOT NULL, spent INTEGER NOT NULL,
    assumed INTEGER NOT NULL, keys BLOB NOT NULL -- all of the intents' keys, by exclusive or
);
INSERT INTO total VALUES (0, 0, 0, 0, zeroblob(32));
PRAGMA application_id = 1397574740; -- "SMLT"
PRAGMA user_version = 2;
COMMIT;
"""

_FIND: Final = """
WITH ours AS (SELECT attempt FROM intent WHERE key = ? AND attempt IN ({places}))
SELECT cost, assumed, worth, (SELECT COUNT(*) FROM ours), status, headers, body, latency_s, checksum
FROM ours JOIN charge USING (attempt) LEFT JOIN reply USING (attempt)
WHERE worth > 0 ORDER BY worth DESC, attempt DESC LIMIT 1
"""

_SUMMED: Final = """
SELECT (SELECT COUNT(*) FROM intent), COALESCE(SUM(cost * NOT assumed), 0), COALESCE(SUM(cost * assumed), 0) FROM charge
"""

_IN_FLIGHT: Final = "FROM intent WHERE NOT EXISTS (SELECT 1 FROM charge WHERE charge.attempt = intent.attempt)"

_ANSWERED_TWICE: Final = """
SELECT COUNT(*) FROM (
    SELECT 1 FROM intent JOIN charge USING (attempt) WHERE worth = 2 GROUP BY key HAVING COUNT(*) > 1
)
"""

_BY_TAG: Final = """
SELECT tag, COUNT(*), COUNT(worth), COALESCE(SUM(cost * NOT assumed), 0), COALESCE(SUM(cost * assumed), 0)
FROM intent LEFT JOIN charge USING (attempt) GROUP BY tag ORDER BY tag
"""

_ENTRIES: Final = """
SELECT attempt, key, tag, bound, cost, COALESCE(assumed, 0), worth, status, headers, body, latency_s, checksum
FROM intent LEFT JOIN charge USING (attempt) LEFT JOIN reply USING (attempt)
WHERE attempt > ? ORDER BY attempt LIMIT 100
"""

# Every look-up goes through the keys of the intents, and every total through the charges: both are gone through when
# a journal is opened. The replies, which are most of the file, are checked when read.
_CHECKS: Final = ("PRAGMA quick_check(intent)", "PRAGMA quick_check(charge)")

# A statement gives up the interpreter when it runs, and may wait milliseconds to get it back from a busy event loop.
# So there are few: one for up to 32 rows, else one for each 32, 64, 96 or 128 and one for the rest.
_ROWS_STEP: Final = 32
_MOST_ROWS_PER_STATEMENT: Final = 128
_CACHED_STATEMENTS: Final = 128


class Store:
    """The rows of one journal. `commit` and `finish` belong to one thread, the other methods to another.

    `last_attempt`, `recovered`, `spent` and `assumed` are as they were when it was opened.
    """

    def __init__(self, name: str, writing: sqlite3.Connection, reading: sqlite3.Connection, mark: Mark | None) -> None:
        self.name = name
        self._path = None if mark is None else Path(name)
        self._writing = writing
        self._reading = reading
        self._mark = mark
        self._sums = _sums(writing, name)
        self.keys = _keys(writing, name, mixed=self._sums.keys)
        self.last_attempt: int = writing.execute("SELECT COALESCE(MAX(attempt), 0) FROM intent").fetchone()[0]
        self.recovered = self._recover()
        self.spent, self.assumed = self._sums.spent, self._sums.assumed

    @classmethod
    def temporary(cls) -> Store:
        """Nothing durable: a nameless file that SQLite deletes, so that a long run does not fill the memory."""
        database = _connect("")
        database.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;" + _SCHEMA)
        return cls("(temporary)", database, database, None)

    @classmethod
    def open(cls, path: Path) -> Store:
        """The store at `path`, made if it is not there. Raises JournalUnusable, and then holds nothing open."""
        with contextlib.ExitStack() as opened, _told(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            mark = _locked_mark(path)
            opened.callback(mark.close)
            writing = opened.enter_context(contextlib.closing(_connect(str(path))))
            _prepare(writing, path)
            _verify(writing, mark, path)
            reading = opened.enter_context(contextlib.closing(_connect(str(path))))
            store = cls(str(path), writing, reading, mark)
            opened.pop_all()
        return store

    def commit(self, batch: Sequence[Rows]) -> None:
        """Make all of it durable, or none of it."""
        charges = [rows.charge for rows in batch if rows.charge]
        intents = [rows.intent for rows in batch if rows.intent]
        sums = self._sums.after(intents, charges)
        with _told(self.name):
            with _transaction(self._writing) as database:
                _insert(database, "intent", intents)
                _insert(database, "charge", charges)
                _insert(database, "reply", [rows.reply for rows in batch if rows.reply])
                database.execute("UPDATE total SET commits = ?, attempts = ?, spent = ?, assumed = ?, keys = ?", sums)
            self._sums = sums
            self._set_mark()

    def find(self, key: bytes) -> Stored | None:
        attempts = self.keys.attempts(key)
        if not attempts:
            return None
        statement = _FIND.format(places=", ".join("?" * len(attempts)))
        with _told(self.name):  # all of the rows, or the connection would keep its snapshot
            rows = self._reading.execute(statement, (key, *attempts)).fetchall()
        if not rows:
            return None
        cost, assumed, worth, attempts, *reply = rows[0]
        return Stored(self._reply(reply), cost, assumed=bool(assumed), answers=worth == Worth.ANSWER, attempts=attempts)

    def counts(self) -> Counts:
        with _told(self.name):
            return _counts(self._reading)

    def entries(self) -> Iterator[Entry]:
        after = 0
        while rows := self._page(after):
            for attempt, key, tag, bound, cost, assumed, worth, *reply in rows:
                yield Entry(
                    attempt=attempt,
                    key=key,
                    tag=tag,
                    bound=bound,
                    cost=cost,
                    assumed=bool(assumed),
                    raw=None if worth is None else self._reply(reply),
                )
            after = rows[-1][0]

    def finish(self) -> None:
        """No more will be written. What is in the log is durable already, so a failure here loses nothing."""
        with contextlib.suppress(sqlite3.Error):
            self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writing.close()
        if self._mark is not None:
            with contextlib.suppress(OSError):
                self._mark.close()

    def close(self) -> None:
        """No more will be read."""
        self._reading.close()

    def _page(self, after: int) -> list[tuple[Any, ...]]:
        with _told(self.name):
            return self._reading.execute(_ENTRIES, (after,)).fetchall()

    def _reply(self, row: Sequence[Any]) -> RawReply:
        if (raw := unpacked(*row)) is None:
            raise _damaged(self.name, "a reply is not what was written")
        return raw

    def _recover(self) -> int:
        """Charge what a process before us left in flight at its bounds: it may have been sent, and billed."""
        left = self._writing.execute(f"SELECT attempt, bound {_IN_FLIGHT}").fetchall()
        if left:
            self.commit([Rows(charge=(attempt, bound, True, None)) for attempt, bound in left])
        return len(left)

    def _set_mark(self) -> None:
        if self._mark is None or self._path is None:
            return
        self._mark.write(self._sums.commits)
        # SQLite goes on writing into a deleted file, and everything in it would be lost.
        if not self._path.exists():
            raise JournalUnusable(
                f"the journal {self.name} is gone: its folder was deleted or unmounted during the run"
            )


def peek(path: Path) -> Counts:
    """The figures of a journal that another process may be writing; changes nothing and takes no lock."""
    if not path.is_file():
        raise JournalUnusable(f"there is no journal at {path}")
    with _told(path), contextlib.closing(_connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database:
        if _is_new(database, path):
            raise _foreign(path)
        return _counts(database)


def _connect(database: str, *, uri: bool = False) -> sqlite3.Connection:
    # Transactions are begun by us; the connections are made in one thread and used in another, one at a time.
    return sqlite3.connect(
        database, isolation_level=None, check_same_thread=False, cached_statements=_CACHED_STATEMENTS, uri=uri
    )


def _locked_mark(path: Path) -> Mark:
    try:
        return Mark(_mark_of(path))
    except BlockingIOError:
        raise JournalUnusable(
            f"the journal {path} is in use: wait for the run that holds it, or use another folder"
        ) from None


def _mark_of(path: Path) -> Path:
    return path.with_name(f"{path.name}-mark")


def _prepare(database: sqlite3.Connection, path: Path) -> None:
    """Refuse what is no journal of ours before touching it; then make it one that can be written."""
    is_new = _is_new(database, path)
    if database.execute("PRAGMA journal_mode = WAL").fetchone() != ("wal",):
        raise JournalUnusable(
            f"the journal {path} needs a write-ahead log, which its file system cannot hold: use a local disk"
        )
    database.execute("PRAGMA synchronous = FULL")
    if is_new:
        database.executescript(_SCHEMA)


def _is_new(database: sqlite3.Connection, path: Path) -> bool:
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
        raise _foreign(path)
    return True


def _verify(database: sqlite3.Connection, mark: Mark, path: Path) -> None:
    """Hold the journal against its mark and its running totals. Bodies are checked when they are read."""
    sums = _sums(database, path)
    if (lost := _marked(mark, path) - sums.commits) > 0:
        raise JournalUnusable(
            f"the journal {path} has lost its newest {lost} commits: put back a whole copy of it, "
            f"or delete {_mark_of(path)} to go on without them"
        )
    if any(database.execute(check).fetchall() != [("ok",)] for check in _CHECKS):
        raise _damaged(path, "its pages contradict each other")
    if database.execute(_SUMMED).fetchone() != (sums.attempts, sums.spent, sums.assumed):
        raise _damaged(path, "its lines do not add up to its totals")


def _sums(database: sqlite3.Connection, name: object) -> Sums:
    rows = database.execute("SELECT commits, attempts, spent, assumed, keys FROM total").fetchall()
    if len(rows) != 1 or list(map(type, rows[0])) != [int, int, int, int, bytes]:
        raise _damaged(name, "its totals are gone")
    return Sums(*rows[0])


def _keys(database: sqlite3.Connection, name: object, *, mixed: bytes) -> Keys:
    """What was asked before, and at which attempts: a second or two for a million."""
    keys, seen = Keys(), 0
    for attempt, key in database.execute("SELECT attempt, key FROM intent"):
        keys.add(key, attempt)
        seen ^= int.from_bytes(key)
    if seen != int.from_bytes(mixed):
        raise _damaged(name, "its lines do not add up to its totals")
    return keys


def _marked(mark: Mark, path: Path) -> int:
    try:
        return mark.read()
    except ValueError:
        raise JournalUnusable(f"{_mark_of(path)} is damaged: delete it to trust the journal as it is") from None


def _counts(database: sqlite3.Connection) -> Counts:
    by_tag = {
        tag: Totals(attempts=attempts, replies=replies, spent=spent, assumed=assumed)
        for tag, attempts, replies, spent, assumed in database.execute(_BY_TAG)
    }
    (in_flight,) = database.execute(f"SELECT COUNT(*) {_IN_FLIGHT}").fetchone()
    (answered_twice,) = database.execute(_ANSWERED_TWICE).fetchone()
    return Counts(
        attempts=sum(totals.attempts for totals in by_tag.values()),
        in_flight=in_flight,
        replies=sum(totals.replies for totals in by_tag.values()),
        answered_twice=answered_twice,
        by_tag=by_tag,
    )


@contextlib.contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield database
        database.execute("COMMIT")
    except BaseException:
        with contextlib.suppress(sqlite3.Error):  # what went wrong first is what people must hear of
            database.execute("ROLLBACK")
        raise


def _insert(database: sqlite3.Connection, table: str, rows: Sequence[tuple[object, ...]]) -> None:
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
def _told(name: object) -> Iterator[None]:
    """Faults of the disk and of the file become one line for people; misuse of SQLite stays a bug of ours."""
    try:
        yield
    except (sqlite3.ProgrammingError, sqlite3.IntegrityError, sqlite3.InterfaceError):
        raise
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        way_out = _WAYS_OUT.get(code, "start a new run if this stays")
        raise JournalUnusable(f"the journal {name} cannot be used ({error}): {way_out}") from error
    except OSError as error:
        raise JournalUnusable(
            f"the journal {name} cannot be used ({error.strerror}): check the disk and its folder"
        ) from error


def _damaged(name: object, how: str) -> JournalUnusable:
    return JournalUnusable(f"the journal {name} is damaged, {how}: put back a copy, or start a new run")


def _foreign(path: Path) -> JournalUnusable:
    return JournalUnusable(f"{path} is not a journal of Smelt: use another path")
