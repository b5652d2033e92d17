"""What people said of a student's answers: rows that they hold to be right, in a file beside it. Real rows: anchors.

The file is JSON lines with `input` and `output`, so whatever takes labelled rows takes it: `smelt run --test`,
`smelt evaluate`, `smelt curate --anchors`. Texts in it are data.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from agents.reading.rows import records, text_of
from agents.run_folder import write_whole
from engine.errors import UserError

__all__ = ["FILE", "Correction", "Verdict", "file_beside", "save"]

FILE = "corrections.jsonl"

Verdict = Literal["right", "wrong"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Correction:
    """A row as somebody holds it to be right.

    `said` is what the student had answered, as sure as `confidence`, and `verdict` what that was held to be: where it
    is "right", `output` is the same. `at` is when, in ISO 8601.
    """

    input: str
    output: str
    verdict: Verdict
    said: str
    confidence: float
    at: str

    def line(self) -> bytes:
        """A line of JSON; half a surrogate pair becomes U+FFFD."""
        line = json.dumps(asdict(self), ensure_ascii=False)
        # Two characters that stand in texts only, and at which some readers would break the line.
        return text_of(line.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")).encode() + b"\n"


def file_beside(student: Path) -> Path:
    """Where they are kept: in the folder of the student's run, or beside a student that has none.

    Never within a student's own folder, which is replaced when it is trained again.
    """
    folder = student.resolve()
    if (folder.parent / "run.toml").is_file():
        return folder.parent / FILE
    return folder.with_name(f"{folder.name}.{FILE}")


def save(path: Path, correction: Correction) -> int:
    """Keep it, durably, and say how many there are. A newer one takes the place of an older one of the same input.

    Raises UserError when the file is damaged or cannot be written; what stands in it is then as it was.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone(path.parent):
            _mend(path)
            others = _others(path, correction.input)
            if others is None:
                return _appended(path, correction)
            write_whole(path, b"".join((*others, correction.line())))
            return len(others) + 1
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror or error}") from error


def _others(path: Path, text: str) -> list[bytes] | None:
    """The lines about other inputs, or None where no line is about this one, so that all stay as they are."""
    if not path.exists():
        return None
    kept = [row for _, row in records(path)]  # raises where a line is none, and nothing is lost then
    others = [row for row in kept if row.get("input") != text_of(text)]
    return None if len(others) == len(kept) else [_line(row) for row in others]


def _mend(path: Path) -> None:
    """Take off what a power cut left of a line: it was never said to be kept."""
    if not path.exists():
        return
    with path.open("r+b") as file:
        whole = file.read()
        if not whole.endswith(b"\n"):
            file.truncate(whole.rfind(b"\n") + 1)


def _line(row: object) -> bytes:
    return text_of(json.dumps(row, ensure_ascii=False)).encode() + b"\n"


def _appended(path: Path, correction: Correction) -> int:
    with path.open("a+b") as file:
        file.write(correction.line())
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        return sum(1 for line in file if line.strip())


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Within the block no other page writes there; whoever comes second waits."""
    entrance = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(entrance, fcntl.LOCK_EX)
        yield
    finally:
        os.close(entrance)
