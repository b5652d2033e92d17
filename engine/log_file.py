"""A file of what has happened: events, and what libraries log, as JSON lines. Reads and never steers.

What it leaves out: the texts of rows, which are in the data, and of requests and replies, which are in the journal.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import re
import sys
import traceback
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from engine.errors import UserError
from engine.events import (
    AttemptFailed,
    Event,
    Measured,
    ReplyReceived,
    RequestFinished,
    RequestSent,
    RowAccepted,
    RowRejected,
    StageProgressed,
    Weighed,
)
from engine.text import clean

__all__ = ["LogFile", "secrets_in"]

LARGEST_FILE = 100_000_000  # bytes: of some 600,000 lines
OLDER_FILES = 3
LONGEST_TEXT = 4000

# So many that a person looks at them only in search of something.
_DEBUG = (RequestSent, ReplyReceived, StageProgressed, Measured, Weighed, RowAccepted, RowRejected)

_SECRET_NAME = re.compile(r"(KEY|TOKEN|SECRET|PASSWORD|CREDENTIALS?)$", re.IGNORECASE)
_SHORTEST_SECRET = 8  # what is shorter stands in words that mean nothing by it


class LogFile(RotatingFileHandler):
    """A listener and a handler of `logging` in one: `events.subscribe(LogFile("run.jsonl"))`.

    A line is a JSON object with `at` (UTC), `level`, and either `event` with what belongs to it, or `logger` and
    `message`. Amounts are in USD, times in seconds. It is appended to; beyond 100 MB the file is put aside as
    `FILE.1`, and three such are kept. A secret of `secrets` never stands in it. Raises UserError where nothing can be
    written; what fails later is said once, on standard error, and what is logged goes on without it.
    """

    def __init__(self, path: str | Path, *, secrets: Collection[str] = ()) -> None:
        try:
            super().__init__(path, maxBytes=LARGEST_FILE, backupCount=OLDER_FILES, encoding="utf-8", errors="replace")
        except OSError as error:
            raise UserError(f"{path}: no log can be written there: {error.strerror or error}") from error
        forms = {form for secret in secrets for form in (secret, json.dumps(secret)[1:-1])}
        self._secret = re.compile("|".join(map(re.escape, sorted(forms, key=len, reverse=True)))) if forms else None
        self._gone = False

    def __call__(self, event: Event) -> None:
        self.write(level_of(event), {"event": type(event).__name__, **_told(event)})

    def write(self, level: int, facts: Mapping[str, object]) -> None:
        """One line of these facts."""
        self.handle(logging.makeLogRecord({"levelno": level, "levelname": logging.getLevelName(level), "facts": facts}))

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line of JSON, without secrets."""
        head = {"at": _moment(record.created), "level": record.levelname.lower()}
        line = json.dumps({**head, **_facts(record)}, ensure_ascii=False, default=str)
        return line if self._secret is None else self._secret.sub("[secret]", line)

    def close(self) -> None:
        """No more lines. What a full disk did not take has been told by then."""
        with suppress(OSError):
            super().close()

    def emit(self, record: logging.LogRecord) -> None:
        if not self._gone:
            super().emit(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: ARG002, N802 - logging's own name for it
        self._gone = True
        sys.stderr.write(f"smelt: {self.baseFilename}: the log ends here: {sys.exc_info()[1]}; the rest goes on\n")


def level_of(event: Event) -> int:
    """How urgent an event is, in `logging`'s levels."""
    if isinstance(event, AttemptFailed) or (isinstance(event, RequestFinished) and event.error is not None):
        return logging.WARNING
    return logging.DEBUG if isinstance(event, (*_DEBUG, RequestFinished)) else logging.INFO


def secrets_in(environment: Mapping[str, str]) -> list[str]:
    """The values of variables whose names say that nobody else may read them."""
    return [value for name, value in environment.items() if _SECRET_NAME.search(name) and len(value) > _SHORTEST_SECRET]


def _told(event: Event) -> dict[str, object]:
    """What belongs to an event, under the names of its fields."""
    if isinstance(event, RowAccepted):
        return {}
    facts: dict[str, object] = {field.name: getattr(event, field.name) for field in dataclasses.fields(event)}
    if isinstance(event, ReplyReceived):
        facts["cost_usd"] = facts.pop("cost", 0) / 10**12  # type: ignore[operator]  # an int
    return {name: clean(value, LONGEST_TEXT) if isinstance(value, str) else value for name, value in facts.items()}


def _facts(record: logging.LogRecord) -> Mapping[str, object]:
    if (facts := getattr(record, "facts", None)) is not None:
        return facts  # type: ignore[no-any-return]  # put there by `write`
    said = {"logger": record.name, "message": clean(record.getMessage(), LONGEST_TEXT)}
    return {**said, "traceback": _traceback(record)} if record.exc_info else said


def _traceback(record: logging.LogRecord) -> list[str]:
    if not record.exc_info or record.exc_info[0] is None:
        return []
    lines = "".join(traceback.format_exception(*record.exc_info)).splitlines()
    return [clean(line, LONGEST_TEXT) for line in lines]


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
