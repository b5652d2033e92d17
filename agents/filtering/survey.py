"""What the first rows tell of all: the parts of their inputs, whether answers are taken from a context. Pure.

Guesses are said in words, and each can be overruled.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from agents.filtering.filter import MOST_LIMIT, TIMES_LONGEST, same_text
from agents.parsing.anatomy import MOST_INPUTS, asked_name, context_name, fields_of, split_fields, stands_in
from agents.parsing.language import guess_language
from agents.reading.roles import Row
from agents.records import Spec

__all__ = ["Distinct", "Survey", "key_of", "survey"]

Distinct = Literal["question", "input"]
"""What must be there once only: what is asked, whatever context it is asked of; or question and context together."""

SAMPLE = 2000  # rows that are looked at

# A fifth is far above what chance gives answers that are written freely, and below what careless teachers reach: of
# real rows that were made at the highest temperature, 25 in 100 had their answer in the context.
LEAST_EXTRACTED = 1 / 5
LEAST_ANSWERS = 20  # different ones in the sample: fewer are labels, which are not taken from anywhere
LEAST_QUESTIONS = 20  # different ones in the sample before they count as what varies, and not as the instruction
MOST_ASKED = 1 / 2  # the share of rows that one question may have: of a careless teacher's, 16 in 100 had one
SURE_OF_LANGUAGE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What holds for all rows. `asked` is the part or the column that must be there once; None: the whole input."""

    fields: tuple[str, ...] = ()
    has_context: bool = False
    extractive: bool = False
    distinct: Distinct = "input"
    language: str | None = None
    longest: int = MOST_LIMIT

    def told(self) -> str:
        """The guesses in one line, each with what overrules it."""
        parts = [f"inputs of the form {' '.join(f'{name}: …' for name in self.fields)}"] if self.fields else []
        if self.extractive:
            where = "context" if self.has_context else "input"
            parts.append(f"answers must stand in the {where} (otherwise: --no-extractive)")
        elif self.has_context:
            parts.append("answers are written freely (otherwise: --extractive)")
        if self.has_context:
            once = "one row a question" if self.distinct == "question" else "one row an input"
            parts.append(f"{once} (otherwise: --distinct)")
        parts += [f"inputs in {self.language!r} (otherwise: --language)"] if self.language else []
        return ", ".join(parts) or "inputs of one piece"


def survey(
    rows: Sequence[Row],
    spec: Spec,
    *,
    extractive: bool | None = None,
    distinct: Distinct | None = None,
    language: str | None = None,
) -> Survey:
    """What holds for all rows, by a sample of them; what is told is not guessed. `language` may be "any"."""
    inputs = [row.input for row in rows]
    fields = _fields(inputs, spec)
    has_context = context_name(fields) is not None or any(row.context for row in rows)
    found = Survey(fields=fields, has_context=has_context, longest=_longest(inputs))
    return Survey(
        fields=fields,
        has_context=has_context,
        extractive=_is_extractive(rows, found, spec) if extractive is None else extractive,
        distinct=distinct or _distinct(rows, found),
        language=_language(inputs) if language is None else None if language == "any" else language,
        longest=found.longest,
    )


def key_of(row: Row, known: Survey) -> str:
    """The text of a row that must be there once only."""
    name = asked_name(known.fields)
    if known.distinct == "question":
        if row.context is not None:
            return row.input
        parts = split_fields(row.input, known.fields)
        if parts is not None and name is not None:
            return parts[name]
    return row.input if row.context is None else f"{row.input}\n{row.context}"


def _longest(inputs: Sequence[str]) -> int:
    lengths = sorted(map(len, inputs))
    return max(MOST_LIMIT, TIMES_LONGEST * lengths[len(lengths) // 2]) if lengths else MOST_LIMIT


def _fields(inputs: Sequence[str], spec: Spec) -> tuple[str, ...]:
    """The parts that the prompt shows, where the rows have them; otherwise those that the rows have."""
    shown = sum(split_fields(text, spec.fields) is not None for text in inputs) if spec.fields else 0
    return spec.fields if shown and shown >= MOST_INPUTS * len(inputs) else fields_of(inputs)


def _is_extractive(rows: Sequence[Row], known: Survey, spec: Spec) -> bool:
    """As the prompt has it, and otherwise as the rows look."""
    return spec.extractive or (known.has_context and _extracted(rows, known, spec))


def _extracted(rows: Sequence[Row], known: Survey, spec: Spec) -> bool:
    answered = [row for row in rows if row.output and row.output != spec.empty_answer]
    if spec.labels or len({row.output for row in answered}) < min(LEAST_ANSWERS, len(answered) / 2):
        return False
    stands = sum(stands_in(row.output or "", _context(row, known)) for row in answered)
    return stands > 0 and stands >= LEAST_EXTRACTED * len(answered)


def _context(row: Row, known: Survey) -> str:
    if row.context is not None:
        return row.context
    name = context_name(known.fields)
    return (split_fields(row.input, known.fields) or {}).get(name or "", row.input)


def _distinct(rows: Sequence[Row], known: Survey) -> Distinct:
    """Questions, where there are many; a question that is asked of every text is an instruction."""
    if not known.has_context or (asked_name(known.fields) is None and not any(row.context for row in rows)):
        return "input"
    counts = Counter(same_text(key_of(row, _by_question(known))) for row in rows)
    many = len(counts) >= min(LEAST_QUESTIONS, len(rows) / 2)
    return "question" if many and counts.most_common(1)[0][1] <= max(1, MOST_ASKED * len(rows)) else "input"


def _by_question(known: Survey) -> Survey:
    return Survey(fields=known.fields, has_context=True, distinct="question")


def _language(inputs: Sequence[str]) -> str | None:
    counts = Counter(guess_language(text) for text in inputs[:500] if len(text) >= 40)
    if not counts:
        return None
    name, count = counts.most_common(1)[0]
    return name if count >= SURE_OF_LANGUAGE * counts.total() and counts.total() >= 20 else None
