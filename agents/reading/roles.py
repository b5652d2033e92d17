"""Which column of a user's rows is what: told, or guessed from the names; and rows made of just these."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from agents.parsing.anatomy import ASKED, CONTEXTS
from agents.reading.rows import INPUTS, OUTPUTS
from agents.reading.sources import Broken, Found, read_source
from engine.errors import UserError

__all__ = ["Roles", "Row", "find_roles", "read_apart", "row_of"]


@dataclass(frozen=True, slots=True)
class Roles:
    """The columns that hold what is asked, what is answered, and what the answer is taken from, if there are such."""

    input: str
    output: str | None = None
    context: str | None = None

    def told(self) -> str:
        """The roles in one line, with what makes them others."""
        named = [("input", self.input), ("context", self.context), ("output", self.output)]
        parts = [f"{role}: column {name!r}" for role, name in named if name is not None]
        alone = "" if self.output is not None else "; no column of answers: inputs alone are judged"
        return f"{', '.join(parts)}{alone} (other columns: --input, --output, --context)"


@dataclass(frozen=True, slots=True)
class Row:
    """A row with its number among all rows, from 1, and where it stands."""

    number: int
    source: str
    line: int
    input: str
    output: str | None
    context: str | None


def find_roles(
    source: str,
    columns: Mapping[str, object],
    *,
    asked: str | None = None,
    answered: str | None = None,
    given: str | None = None,
) -> Roles:
    """The columns by the names that were told, else by the usual names: what is asked, answered, and given to work on.

    Raises UserError when one that was told is not there, or none that could be the input.
    """
    columns = flat(columns)
    if asked is None and given is None and {"instruction", "input"} <= columns.keys():
        asked, given = "instruction", "input"  # as instruction data has it: the input is what to work on
    asked = _told(source, columns, asked) or _usual(columns, INPUTS)
    if asked is None:
        raise UserError(f"{source}: has no input column; its columns are {_listed(columns)}; name one with --input")
    answered = _told(source, columns, answered) or _usual(columns, OUTPUTS, taken=(asked,))
    known = CONTEXTS if asked.strip().casefold() in ASKED else ()
    given = _told(source, columns, given) or _usual(columns, known, taken=(asked, answered))
    return Roles(asked, answered, given)


def read_apart(source: str, *, asked: str | None = None, given: str | None = None) -> Iterator[Row]:
    """The rows of another split; which column is what is told only as far as there are such columns."""
    roles: Roles | None = None
    for record in read_source(source):
        if isinstance(record, Found):
            if roles is None:
                there = flat(record.columns)
                roles = find_roles(
                    source, there, asked=asked if asked in there else None, given=given if given in there else None
                )
            made = row_of(record, roles, number=0)
            if isinstance(made, Row):
                yield made


def flat(columns: Mapping[str, object]) -> Mapping[str, object]:
    """A row of chat messages as its last question and answer; any other row as it is."""
    messages = columns.get("messages")
    if not isinstance(messages, list) or not all(isinstance(turn, dict) for turn in messages):
        return columns
    said = {turn.get("role"): turn.get("content") for turn in messages}
    return {**columns, "input": said.get("user"), "output": said.get("assistant")}


def _told(source: str, columns: Mapping[str, object], name: str | None) -> str | None:
    if name is None or name in columns:
        return name
    folded = {column.strip().casefold(): column for column in reversed(list(columns))}
    if name.strip().casefold() not in folded:
        raise UserError(f"{source}: has no column {name!r}; its columns are {_listed(columns)}")
    return folded[name.strip().casefold()]


def _usual(columns: Mapping[str, object], usual: Sequence[str], *, taken: Sequence[str | None] = ()) -> str | None:
    names = {column.strip().casefold(): column for column in reversed(list(columns)) if column not in taken}
    return next((names[name] for name in usual if name in names), None)


def _listed(columns: Mapping[str, object]) -> str:
    return ", ".join(f"{name!r:.60}" for name in list(columns)[:20])


def row_of(found: Found, roles: Roles, *, number: int) -> Row | Broken:
    """The row that the columns make; what is missing is empty, and bytes make no row."""
    columns = flat(found.columns)
    values = [columns.get(name) if name is not None else None for name in (roles.input, roles.output, roles.context)]
    if any(isinstance(value, bytes) for value in values):
        return Broken(found.source, found.line, "bytes where text should be")
    asked, answered, given = map(_text, values)
    return Row(
        number,
        found.source,
        found.line,
        asked,
        answered if roles.output is not None else None,
        given if roles.context is not None else None,
    )


def _text(value: object) -> str:
    """A value as text: lists and objects as JSON, but answers in the form of SQuAD as the first one's text."""
    if isinstance(value, str):
        return value
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, dict) and isinstance(value.get("text"), list):
        return str(next(iter(value["text"]), ""))
    if isinstance(value, bool | list | dict):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
