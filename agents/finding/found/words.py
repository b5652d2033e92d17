"""How a task and rows from elsewhere are shown to the teacher: short, one line each, as data. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from agents.records import Spec
from agents.voting.lists import quoted, quoted_pair
from engine.text import clean

__all__ = ["listed", "row_line", "row_lines", "shown_examples"]

EXAMPLES_SHOWN = 5
LONGEST_SHOWN = 400  # characters of a value; what a column holds shows in fewer


def shown_examples(spec: Spec) -> str:
    """Some demonstrations, one JSON object a line."""
    return "\n".join(map(quoted_pair, spec.demonstrations[:EXAMPLES_SHOWN])) or "(none given)"


def row_lines(rows: Sequence[Mapping[str, str]], *, longest: int = LONGEST_SHOWN) -> str:
    """Rows, one JSON object a line, with what is long cut short."""
    return "\n".join(row_line(row, longest=longest) for row in rows)


def row_line(row: Mapping[str, str], *, longest: int = LONGEST_SHOWN) -> str:
    """A row as a JSON object on one line."""
    return "{" + ", ".join(f"{quoted(name)}: {quoted(clean(value, longest))}" for name, value in row.items()) + "}"


def listed(values: Sequence[str]) -> str:
    """Texts as a JSON array on one line."""
    return json.dumps([clean(value, LONGEST_SHOWN) for value in values], ensure_ascii=False)
