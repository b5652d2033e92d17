"""Reading the prompt that a user points at: a file, standard input, or the text itself."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from agents.parsing import parse
from engine.errors import UserError

__all__ = ["PromptSource", "read_prompt"]


@dataclass(frozen=True, slots=True)
class PromptSource:
    """The text, and a short name for the run that comes of it."""

    text: str
    name: str


def read_prompt(argument: str) -> PromptSource:
    """The prompt in a file, from standard input (-), or given as text of several words.

    Raises UserError when there is no such file, or it cannot be read, is binary or is empty.
    """
    if argument == "-":
        return PromptSource(_from_standard_input(), "prompt")
    path = Path(argument)
    if not _exists(path) and len(argument.split()) > 3:
        return PromptSource(argument, "prompt")
    return PromptSource(parse.read_prompt(path), _name(path))


def _from_standard_input() -> str:
    raw = sys.stdin.buffer.read(parse.MOST_BYTES)
    if len(raw) == parse.MOST_BYTES:
        raise UserError(parse.too_long(f"{len(raw):,} bytes and more"))
    try:
        return parse.clean(raw.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise UserError(f"standard input is not UTF-8 text (byte {error.start}); a prompt is text") from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a file name, or a NUL in it: it is text
        return False


def _name(path: Path) -> str:
    """`dates` for both dates.md and dates/prompt.md."""
    stem = path.resolve().parent.name if path.stem == "prompt" else path.stem
    return "".join(character if character.isalnum() or character in "-_" else "-" for character in stem) or "prompt"
