"""The number of the last commit, kept outside the database, and the lock that lets one process in.

SQLite drops what follows a damaged frame of its write-ahead log without a word. A journal that knows fewer commits
than its mark has lost some, and says so instead.

The mark is written after every commit, so it never runs ahead of the journal, and is fsynced at every hundredth and at
closing: a process that is killed loses none of it, a power cut may set it back by a hundred. Not covered: file systems
without locks, and systems without flock (Windows).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

__all__ = ["Mark"]

_FSYNC_EVERY: Final = 100
_DIGITS: Final = 20


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

    def read(self) -> int:
        """The highest commit marked, 0 for a new mark; ValueError if the file says nothing of the kind."""
        text = os.pread(self._file, _DIGITS + 2, 0)
        if text and len(text) != _DIGITS + 1:
            raise ValueError("the mark is cut short")
        return int(text) if text else 0

    def write(self, commits: int) -> None:
        # In place and always equally long, in one call: there is no moment at which half of it is there.
        os.pwrite(self._file, b"%0*d\n" % (_DIGITS, commits), 0)
        if commits % _FSYNC_EVERY == 0:
            self._sync(self._file)

    def close(self) -> None:
        """Make the mark durable and let go of the lock."""
        try:
            self._sync(self._file)
        finally:
            os.close(self._file)
