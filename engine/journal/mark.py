"""The number of the last commit, kept outside the database, and the lock that lets one process in.

SQLite drops what follows a damaged frame of its write-ahead log without a word. A journal that knows fewer commits
than its mark has lost some, and says so instead; one of another name was put in the place of the one that was here.

The mark is written after every commit, so it never runs ahead of the journal, and is fsynced at every hundredth and at
closing: a process that is killed loses none of it, a power cut may set it back by a hundred. Not covered: file systems
without locks, and systems without flock (Windows).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

__all__ = ["Mark", "Marked"]

_FSYNC_EVERY: Final = 100
_DIGITS: Final = 20
_LONGEST: Final = 128  # a mark has less than half


class Marked(NamedTuple):
    """What a mark says: so many commits, of the journal of that name."""

    commits: int
    name: str


class Mark:
    """A small file beside the journal. Raises BlockingIOError when another journal object holds it.

    `sync` makes what was written to a file descriptor durable.
    """

    def __init__(self, path: Path, *, sync: Callable[[int], None] = os.fsync) -> None:
        self._sync = sync
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._file)
            raise

    def read(self) -> Marked | None:
        """What was marked last, None by a new mark; ValueError if the file says nothing of the kind."""
        text = os.pread(self._file, _LONGEST, 0)
        if not text:
            return None
        commits, _, name = text.partition(b" ")
        if len(commits) != _DIGITS or not name.endswith(b"\n"):
            raise ValueError("the mark is cut short")
        return Marked(int(commits), name[:-1].decode("ascii"))

    def write(self, commits: int, *, name: str) -> None:
        # In place and always equally long, in one call: there is no moment at which half of it is there.
        line = b"%0*d %s\n" % (_DIGITS, commits, name.encode("ascii"))
        if os.pwrite(self._file, line, 0) != len(line):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if commits % _FSYNC_EVERY == 0:
            self._sync(self._file)

    def close(self) -> None:
        """Make the mark durable and let go of the lock."""
        try:
            self._sync(self._file)
        finally:
            os.close(self._file)
