"""What a request asks for, read from its messages alone: a simulated teacher has no other way to know.

Nothing here knows a task; the words looked for are those of `agents/prompts/`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agents.demo.asked_of_data import AskedOfData, between, read_asked_of_data
from agents.records import Pair
from engine.messages import Message

__all__ = [
    "Annotate",
    "AnnotateMany",
    "Check",
    "Conversation",
    "Describe",
    "Generate",
    "Split",
    "Translate",
    "Vary",
    "demonstrations_in",
    "read_conversation",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generate:
    """Write `count` new inputs, perhaps such that the right answer is (or, not `wanted`, is not) `target`.

    With `joint`, each with its answer. `attributes` are what the inputs shall be, and `hard` asks for hard cases.
    """

    task: str
    shown: tuple[str, ...]
    count: int
    target: str | None = None
    wanted: bool = True
    attributes: tuple[str, ...] = ()  # what the inputs shall be
    joint: bool = False
    hard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotate:
    """Answer one input."""

    task: str
    demonstrations: tuple[Pair, ...]
    input: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotateMany:
    """Answer each of several inputs, under its number."""

    task: str
    demonstrations: tuple[Pair, ...]
    inputs: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe:
    """Describe the model or the data set that ought to exist."""

    task: str
    what: Literal["model", "dataset"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Split a prompt into its instruction and its demonstrations."""

    prompt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Vary:
    """Say what inputs of a task differ in."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Translate:
    """Translate the instruction of a task."""

    task: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Say of each row whether it is right."""

    task: str
    rows: tuple[Pair, ...]


Conversation = Generate | Annotate | AnnotateMany | Check | Describe | Split | Translate | Vary | AskedOfData

_COUNT = re.compile(r"\bwrite (\d{1,6})\b", re.IGNORECASE)
_TARGET = re.compile(r"^.*\bright answer is( not)?: (.+)$", re.MULTILINE)
_SO = re.compile(r"^Write all of them so: (.+)$", re.MULTILINE)
_HARD = re.compile(r"^Make all of them (?:borderline|hard) cases: ", re.MULTILINE)
_NUMBERED = re.compile(r"^\d{1,6}\. (.+)$", re.MULTILINE)
_ROW = re.compile(r"^\d{1,6}\. (\{.*\})$", re.MULTILINE)
_DEMONSTRATION = re.compile(r"^[ ]*(?:Input:|input=)([^\n]*)\n[ ]*(?:Output:|output=)([^\n]*)$", re.MULTILINE)


def read_conversation(messages: Sequence[Message]) -> Conversation | None:
    """What is asked, or None when it is nothing that a teacher of ours is ever asked."""
    if not messages or messages[-1].role != "user":
        return None
    if len(messages) == 1:
        return _read_single(messages[0].content)
    if messages[0].role == "system":
        return _read_annotate(messages)
    return None


def demonstrations_in(prompt: str) -> tuple[str, tuple[Pair, ...]]:
    """The text before the first demonstration, and the demonstrations, of a prompt in one of our demos' layouts."""
    found = list(_DEMONSTRATION.finditer(prompt))
    instruction = prompt[: found[0].start()] if found else prompt
    return instruction.strip(), tuple(Pair(_bare(match[1]), _bare(match[2])) for match in found)


def _read_single(text: str) -> Conversation | None:
    prompt = between(text, "prompt")
    if prompt is not None and "JSON object" in text:
        return Split(prompt=prompt)
    task = between(text, "task")
    if task is None:
        return None
    rows = between(text.partition("</task>")[2], "rows")
    if rows is not None and '"verdicts"' in text:
        return Check(task=task, rows=tuple(map(_row, _ROW.findall(rows))))
    if (of_data := read_asked_of_data(text, task=task)) is not None:
        return of_data
    inputs = between(text, "inputs")
    if inputs is not None:
        return _read_generate(text, task=task, inputs=inputs)
    asks = text.rpartition("</task>")[2]
    if "respects in which" in asks:
        return Vary(task=task)
    if "translated instruction" in asks:
        return Translate(task=task)
    if "model card" in asks:
        return Describe(task=task, what="model")
    return Describe(task=task, what="dataset") if "data set" in asks else None


def _read_generate(text: str, *, task: str, inputs: str) -> Generate | None:
    # Only what stands after the inputs is ours, but for a passage; elsewhere there may be talk of right answers too.
    asks = text.rpartition("</inputs>")[2]
    asks = asks.partition("<passage>")[0] + asks.rpartition("</passage>")[2]
    count = _COUNT.search(asks)
    if count is None:
        return None
    target, so = _TARGET.search(asks), _SO.search(asks)
    return Generate(
        task=task,
        shown=tuple(_json_lines(inputs)),
        count=int(count[1]),
        target=target[2].strip() if target else None,
        wanted=not (target and target[1]),
        attributes=tuple(so[1].split("; ")) if so else (),
        joint="JSON objects" in asks,
        hard=_HARD.search(asks) is not None,
    )


def _read_annotate(messages: Sequence[Message]) -> Annotate | AnnotateMany:
    task = messages[0].content
    turns = messages[1:-1]
    pairs = [
        Pair(asked.content, answered.content)
        for asked, answered in zip(turns[::2], turns[1::2], strict=False)
        if (asked.role, answered.role) == ("user", "assistant")
    ]
    asks = task.rpartition("\n\n")[2]  # what is ours; before it, a task may talk of lists too
    inputs = _numbered(messages[-1].content) if "numbered list" in asks and "JSON string" in asks else ()
    if not inputs:
        return Annotate(task=task, demonstrations=tuple(pairs), input=messages[-1].content)
    shown = [zip(_numbered(pair.input), _numbered(pair.output), strict=False) for pair in pairs]
    demonstrations = tuple(Pair(asked, answered) for lines in shown for asked, answered in lines)
    return AnnotateMany(task=task, demonstrations=demonstrations, inputs=inputs)


def _row(line: str) -> Pair:
    try:
        told = json.loads(line)
    except ValueError:
        return Pair(line, "")
    return Pair(str(told["input"]), str(told["output"]))


def _numbered(text: str) -> tuple[str, ...]:
    return tuple(_unquoted(line) for line in _NUMBERED.findall(text))


def _json_lines(text: str) -> list[str]:
    """The JSON strings in a block of lines; what is none is taken as it stands."""
    return [_unquoted(line.strip()) for line in text.splitlines() if line.strip()]


def _unquoted(line: str) -> str:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return line
    if isinstance(value, dict) and isinstance(value.get("input"), str):
        return str(value["input"])
    return value if isinstance(value, str) else line


def _bare(text: str) -> str:
    """Without the quotation marks that `input="..."` puts around a value."""
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text
