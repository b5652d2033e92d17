"""The journal's rows on disk: a SQLite database with a write-ahead log, fsynced at every commit; nothing here awaits.

Rows are only ever added: an intent with its request, later a charge and perhaps a reply of the same attempt. A single
row of running totals is kept with every commit, so that a ledger which lost or changed a line does not add up, and is
refused. Which attempts a key was asked at is known in memory (`engine.journal.keys`), read anew at every opening.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from engine.errors import JournalInUse, JournalUnusable
from engine.journal.batches import in_batches, last_note, open_batches
from engine.journal.faults import told
from engine.journal.looks import IN_FLIGHT, counts, entries, name_of, reply_in
from engine.journal.mark import Mark
from engine.journal.records import Counts, Entry, OpenBatch, Rows, Stored, Worth
from engine.journal.soundness import known_keys, mark_path, read_sums, verify
from engine.journal.tables import connect, insert, make, prepare, transaction

__all__ = ["Store"]

_FIND: Final = """
SELECT worth, cost, assumed, status, headers, body, latency_s, reply.checksum
FROM intent LEFT JOIN charge USING (attempt) LEFT JOIN reply USING (attempt)
WHERE attempt IN ({places}) AND key = ? ORDER BY attempt
"""

_CUT: Final = """
SELECT 1 FROM intent JOIN charge USING (attempt) JOIN reply USING (attempt)
WHERE attempt IN ({places}) AND key = ? AND worth = 0 AND status BETWEEN 200 AND 299 LIMIT 1
"""

_TOTAL: Final = "UPDATE total SET commits = ?, attempts = ?, spent = ?, assumed = ?, intents = ?, charges = ?"

# A nameless file is made by the first page that does not fit into the cache; what is freed is used again.
_SPILL: Final = """
PRAGMA cache_size = 1;
BEGIN; CREATE TABLE padding (bytes BLOB); INSERT INTO padding VALUES (zeroblob(65536)); DROP TABLE padding; COMMIT;
PRAGMA cache_size = -2000; -- kibibytes, as SQLite has it
"""


class Store:
    """The rows of one journal. `commit` and `finish` belong to one thread, the other methods to another.

    `last_attempt`, `last_note`, `recovered`, `still_out` (attempts in batches), `spent` and `assumed` are as they were
    when it was opened.
    """

    def __init__(self, name: str, writing: sqlite3.Connection, reading: sqlite3.Connection, mark: Mark | None) -> None:
        self.name = name
        self._path = None if mark is None else Path(name)
        self._writing = writing
        self._reading = reading
        self._mark = mark
        self._marked_name = name_of(writing, name)
        self._sums = read_sums(writing, name)
        self.keys = known_keys(writing, name, sums=self._sums)
        self.last_attempt = self._sums.attempts
        self.last_note = last_note(writing)
        self.recovered, self.still_out = self._recover()
        self.spent, self.assumed = self._sums.spent, self._sums.assumed

    @classmethod
    def temporary(cls) -> Store:
        """Nothing durable: a nameless file that SQLite deletes, so that a long run does not fill the memory.

        The file is there from the start: in the middle of a run there may be no file descriptor left for it.
        """
        with contextlib.ExitStack() as opened, told("(temporary)"):
            database = opened.enter_context(contextlib.closing(connect("")))
            database.executescript("PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF;")
            make(database)
            database.executescript(_SPILL)
            opened.pop_all()
        return cls("(temporary)", database, database, None)

    @classmethod
    def open(cls, path: Path) -> Store:
        """The store at `path`, made if it is not there. Raises JournalUnusable, and then holds nothing open."""
        with contextlib.ExitStack() as opened, told(path):
            path = path.resolve()  # the lock lies beside the file, by whatever name that is reached
            path.parent.mkdir(parents=True, exist_ok=True)
            mark = _locked_mark(path)
            opened.callback(mark.close)
            writing = opened.enter_context(contextlib.closing(connect(str(path))))
            prepare(writing, path)
            verify(writing, mark, path)
            reading = opened.enter_context(contextlib.closing(connect(str(path))))
            store = cls(str(path), writing, reading, mark)
            opened.pop_all()
        return store

    def commit(self, batch: Sequence[Rows]) -> None:
        """Make all of it durable, or none of it."""
        charges = [rows.charge for rows in batch if rows.charge]
        intents = [rows.intent for rows in batch if rows.intent]
        sums = self._sums.after(intents, charges)
        with told(self.name):
            with transaction(self._writing) as database:
                insert(database, "intent", intents)
                insert(database, "request", [rows.request for rows in batch if rows.request])
                insert(database, "charge", charges)
                insert(database, "reply", [rows.reply for rows in batch if rows.reply])
                insert(database, "batch", [rows.note for rows in batch if rows.note])
                insert(database, "merged", [rows.merged for rows in batch if rows.merged])
                database.execute(_TOTAL, sums)
            self._sums = sums
            self._set_mark()

    def find(self, key: bytes) -> Stored | None:
        """The newest answer to a question, or failing that the newest reply that may be one."""
        attempts = self.keys.attempts(key)
        if not self.keys.may_answer(attempts):
            return None
        rows = self._rows(_FIND, attempts, key)
        # Of equal ones the last: max takes the first, so they are looked at from the end.
        best = max(reversed(rows), key=lambda row: row[0] or Worth.NOTHING, default=None)
        if best is None or not best[0]:
            return None
        worth, cost, assumed, *reply = best
        raw = reply_in(reply, self.name)
        return Stored(raw, cost, assumed=bool(assumed), answers=worth == Worth.ANSWER, attempts=len(rows))

    def was_cut(self, key: bytes) -> bool:
        """Whether a good reply to this question was cut short on purpose."""
        attempts = self.keys.attempts(key)
        return bool(attempts) and bool(self._rows(_CUT, attempts, key))

    def counts(self) -> Counts:
        with told(self.name):
            return counts(self._reading)

    def entries(self) -> Iterator[Entry]:
        return entries(self._reading, self.name)

    def open_batches(self) -> list[OpenBatch]:
        with told(self.name):
            return open_batches(self._reading, self.name)

    @property
    def marked_name(self) -> str:
        """What tells this journal from every other."""
        return self._marked_name

    def merged(self, name: str) -> int:
        """How many attempts of another journal are here."""
        with told(self.name):
            (most,) = self._reading.execute(
                "SELECT COALESCE(MAX(attempts), 0) FROM merged WHERE name = ?", (name,)
            ).fetchone()
        return int(most)

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

    def _rows(self, statement: str, attempts: Sequence[int], key: bytes) -> list[Any]:
        with told(self.name):  # all of the rows, or the connection would keep its snapshot
            places = ", ".join("?" * len(attempts))
            return self._reading.execute(statement.format(places=places), (*attempts, key)).fetchall()

    def _recover(self) -> tuple[int, set[int]]:
        """Charge what a process before us left in flight at its bounds: it may have been sent, and billed.

        What is out in a batch goes on without its process, and is left as it is. Says how many were charged, and which
        are still out.
        """
        batches = in_batches(self._writing, self.name)
        left = self._writing.execute(f"SELECT attempt, bound {IN_FLIGHT}").fetchall()
        still_out = {attempt for attempt, _ in left if any(attempt in each for each in batches)}
        lost = [(attempt, bound) for attempt, bound in left if attempt not in still_out]
        if lost:
            self.commit([Rows(charge=(attempt, bound, True, None)) for attempt, bound in lost])
        return len(lost), still_out

    def _set_mark(self) -> None:
        if self._mark is None or self._path is None:
            return
        self._mark.write(self._sums.commits, name=self._marked_name)
        # SQLite goes on writing into a deleted file, and everything in it would be lost.
        if not self._path.exists():
            raise JournalUnusable(
                f"the journal {self.name} is gone: its folder was deleted or unmounted during the run"
            )


def _locked_mark(path: Path) -> Mark:
    try:
        return Mark(mark_path(path))
    except BlockingIOError:
        raise JournalInUse(
            f"the journal {path} is in use: wait for the run that holds it, or use another folder"
        ) from None
