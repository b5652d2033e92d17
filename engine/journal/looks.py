"""Reading a journal: its figures and its entries. It takes no lock and changes nothing, so anybody may look on."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from engine.errors import JournalUnusable
from engine.journal.faults import damaged, foreign, told
from engine.journal.records import Counts, Entry, Totals, Worth, is_whole, unpacked
from engine.journal.tables import connect, is_new
from engine.messages import RawReply

__all__ = ["IN_FLIGHT", "counts", "entries", "latencies", "name_at", "name_of", "peek", "read", "reply_in", "requests"]

IN_FLIGHT: Final = "FROM intent WHERE NOT EXISTS (SELECT 1 FROM charge WHERE charge.attempt = intent.attempt)"

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
SELECT attempt, key, tag, sent, intent.checksum, bound, cost, COALESCE(assumed, 0), worth,
    status, headers, body, latency_s, reply.checksum
FROM intent LEFT JOIN request USING (attempt) LEFT JOIN charge USING (attempt) LEFT JOIN reply USING (attempt)
WHERE attempt > ? ORDER BY attempt LIMIT 100
"""


_LATENCIES: Final = """
SELECT latency_s FROM intent JOIN charge USING (attempt) JOIN reply USING (attempt) WHERE tag = ? AND worth = 2
ORDER BY attempt
"""


def peek(path: Path) -> Counts:
    """The figures of a journal that another process may be writing."""
    with _looking_at(path) as database:
        return counts(database)


def read(path: Path) -> Iterator[Entry]:
    """Every attempt of a journal that another process may be writing, in order, a few at a time from the disk."""
    with _looking_at(path) as database:
        yield from entries(database, path)


def requests(path: Path) -> Iterator[bytes]:
    """What was asked, as the senders wrote it down, the newest first; of a journal that another process may write."""
    with _looking_at(path) as database:
        yield from (sent for (sent,) in database.execute("SELECT sent FROM request ORDER BY attempt DESC"))


def latencies(path: Path, *, tag: str) -> list[float]:
    """How long each call of a tag took that was answered, in seconds, in order; another process may be writing."""
    with _looking_at(path) as database:
        return [latency_s for (latency_s,) in database.execute(_LATENCIES, (tag,))]


def name_at(path: Path) -> str | None:
    """What tells the journal at `path` from every other; None where there is none."""
    if not path.is_file():
        return None
    with _looking_at(path) as database:
        return name_of(database, path)


def counts(database: sqlite3.Connection) -> Counts:
    by_tag = {
        tag: Totals(attempts=attempts, replies=replies, spent=spent, assumed=assumed)
        for tag, attempts, replies, spent, assumed in database.execute(_BY_TAG)
    }
    in_flight, at_stake = database.execute(f"SELECT COUNT(*), COALESCE(SUM(bound), 0) {IN_FLIGHT}").fetchone()
    (answered_twice,) = database.execute(_ANSWERED_TWICE).fetchone()
    return Counts(
        attempts=sum(totals.attempts for totals in by_tag.values()),
        in_flight=in_flight,
        at_stake=at_stake,
        replies=sum(totals.replies for totals in by_tag.values()),
        answered_twice=answered_twice,
        by_tag=by_tag,
    )


def entries(database: sqlite3.Connection, name: object) -> Iterator[Entry]:
    """Every attempt in the order of their numbers, a few at a time."""
    after = 0
    while rows := _page(database, name, after=after):
        for attempt, key, tag, sent, checksum, bound, cost, assumed, worth, *reply in rows:
            if not is_whole(sent, checksum):
                raise damaged(name, "a request is not what was written")
            yield Entry(
                attempt=attempt,
                key=key,
                tag=tag,
                request=sent,
                bound=bound,
                cost=cost,
                assumed=bool(assumed),
                raw=None if worth is None else reply_in(reply, name),
                worth=None if worth is None else Worth(worth),
            )
        after = rows[-1][0]


def reply_in(row: Sequence[Any], name: object) -> RawReply:
    """The reply that a row holds: status, headers, body, latency and checksum."""
    if (raw := unpacked(*row)) is None:
        raise damaged(name, "a reply is not what was written")
    return raw


def name_of(database: sqlite3.Connection, path: object) -> str:
    """What tells this journal from every other."""
    names = database.execute("SELECT name FROM name").fetchall()
    if len(names) == 1 and isinstance(name := names[0][0], str) and name.isascii() and name.isalnum():
        return name
    raise damaged(path, "its name is gone")


def _page(database: sqlite3.Connection, name: object, *, after: int) -> list[tuple[Any, ...]]:
    with told(name):
        return database.execute(_ENTRIES, (after,)).fetchall()


@contextlib.contextmanager
def _looking_at(path: Path) -> Iterator[sqlite3.Connection]:
    if not path.is_file():
        raise JournalUnusable(f"there is no journal at {path}")
    with told(path), contextlib.closing(connect(_address(path), uri=True)) as database:
        if is_new(database, path):
            raise foreign(path)
        yield database


def _address(path: Path) -> str:
    # SQLite shares its log's index with whoever writes, by a file beside it. Where none can be made nobody writes, and
    # a journal that was closed has no log.
    log = path.with_name(f"{path.name}-wal")
    is_still = not os.access(path.parent, os.W_OK) and not log.exists()
    return f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if is_still else ''}"
