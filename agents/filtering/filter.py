"""Which rows may stay: one named check a reason, in a fixed order, the first that finds something decides. Pure.

A check gets a row and what is known of the task, and returns what it found in words, or None. Text stands for itself:
nothing in a row can change which checks are made.

What is not covered here: near-duplicates, which take an index of all rows (`engine.duplicates`). Two inputs are
duplicates when they are equal after `same_text`, so dates or amounts that differ in one digit are two inputs.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from agents.filtering.spoken import answer_language, foreign, input_language
from agents.filtering.stock_phrases import BOILERPLATE, PLACEHOLDERS, REFUSALS
from agents.parsing.anatomy import asked_name, context_name, form_of, split_fields, stands_in
from agents.records import RejectReason, Spec, Vote
from agents.voting.vote import fits_spec
from engine.duplicates import NearDuplicates

__all__ = [
    "Candidate",
    "Finding",
    "Known",
    "Seen",
    "declines",
    "judge_input",
    "judge_label",
    "judge_reply",
    "judge_row",
    "make_known",
    "same_text",
]

LEAST_LIMIT, MOST_LIMIT = 1000, 20_000  # characters that any input may have; that none may have
LEAST_AGREEMENT = 0.5  # the winner's share of the votes must lie above
NO_INPUT = frozenset({"n/a", "none", "null", "nan", "undefined", "..."})  # what teachers write instead of one
TIMES_LONGEST = 10  # how many times the longest demonstration is absurdly long
LEAST_QUESTIONS = 4  # demonstrations, each asking another question, before no question may come twice

QUOTES = "\"'`“”‘’«»"


class Finding(NamedTuple):
    """Why a row is left out, and the detail for people."""

    reason: RejectReason
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """What is judged: an input alone, or with the label that won and its share of the votes.

    `context` is what the answer is to be taken from, where that is not the whole input.
    """

    input: str
    output: str | None = None
    agreement: float | None = None
    context: str | None = None

    @classmethod
    def voted(cls, text: str, vote: Vote) -> Candidate:
        """An input with the label that won its votes."""
        return cls(input=text, output=vote.winner, agreement=vote.agreement)


@dataclass(slots=True)
class Seen:
    """The inputs accepted so far, each with its number, so that one may also ask what was known at an earlier point."""

    _numbers: dict[str, int] = field(default_factory=dict)
    _near: NearDuplicates = field(default_factory=NearDuplicates)

    def __len__(self) -> int:
        return len(self._numbers)

    @property
    def kept(self) -> int:
        """How many of them are not nearly another."""
        return len(self._near)

    def add(self, text: str) -> None:
        self._numbers.setdefault(same_text(text), len(self._numbers))

    def add_nearly(self, text: str) -> None:
        """Add it, and all that is nearly the same."""
        self.add(text)
        self._near.sift([text])

    def nearly_holds(self, text: str, *, before: int | None = None) -> bool:
        """Whether nearly the same text was added nearly; with `before`, whether it was among the first so many kept."""
        return self._near.knows(text, before=before)

    def holds(self, text: str, *, before: int | None = None) -> bool:
        """Whether an equal text was added; with `before`, whether it was among the first so many."""
        number = self._numbers.get(same_text(text))
        return number is not None and (before is None or number < before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What rows are judged by: the task, the texts that must not leak into it, the rows accepted so far.

    With `extractive`, answers must stand in their context. `fields` are the parts that every input has ("Question",
    "Context"), `asked` the one that must be another in every row. `language` is the one that inputs must be in,
    `output_language` the one of answers. `horizon` limits the accepted rows to the first so many: a row that is judged
    while others are under way must not depend on which of them came first, so it is judged by what was known at a fixed
    point.
    """

    spec: Spec
    seen: Seen
    withheld: frozenset[str]  # as `same_text` has them
    longest_input: int
    longest_output: int
    refusals: tuple[re.Pattern[str], ...]
    placeholders: tuple[re.Pattern[str], ...]
    boilerplate: tuple[re.Pattern[str], ...] = ()
    extractive: bool = False
    fields: tuple[str, ...] = ()
    asked: str | None = None
    language: str | None = None
    output_language: str | None = None
    horizon: int | None = None
    near_horizon: int | None = None
    filtered: bool = True

    def key(self, text: str) -> str:
        """What must not come twice: the question that an input asks, or all of it."""
        parts = split_fields(text, self.fields) if self.asked is not None else None
        return same_text(text if parts is None or self.asked is None else parts[self.asked])

    def add(self, text: str) -> None:
        """Take in an accepted input."""
        self.seen.add_nearly(text)
        self.seen.add(self.key(text))

    def at(self, horizon: int) -> Known:
        """The same, as it was when so many rows had been accepted."""
        return replace(self, horizon=horizon)

    def now(self) -> Known:
        """The same, as it is by now, whatever is accepted later."""
        return replace(self, horizon=len(self.seen), near_horizon=self.seen.kept)


def make_known(spec: Spec, *, withheld: Iterable[str] = (), filtered: bool = True) -> Known:
    """What to judge a task's rows by, nothing accepted yet. Demonstrations are withheld too.

    A check that the user's own demonstrations would fail is not made: a task about templates has brackets, one about
    languages has texts in several. What is not to be `filtered` is checked for emptiness and for being there already,
    and for nothing else.
    """
    inputs = [pair.input for pair in spec.demonstrations]
    outputs = [pair.output for pair in spec.demonstrations]
    own_texts = (*inputs, *outputs, *spec.labels)
    fields = spec.fields if inputs and all(split_fields(text, spec.fields) for text in inputs) else ()
    known = Known(
        spec=spec,
        seen=Seen(),
        withheld=frozenset(same_text(text) for text in (*inputs, *withheld)),
        longest_input=_limit(inputs),
        longest_output=_limit([*outputs, *spec.labels]),
        refusals=_unknown_to(own_texts, REFUSALS),
        placeholders=_unknown_to(own_texts, PLACEHOLDERS),
        boilerplate=_unknown_to(own_texts, BOILERPLATE),
        fields=fields,
        asked=_asked(inputs, fields) if filtered else None,
        language=input_language(spec),
        output_language=answer_language(spec),
        filtered=filtered,
    )
    extracting = replace(known, extractive=spec.extractive)
    own_rows = [Candidate(input=pair.input, output=pair.output) for pair in spec.demonstrations]
    return known if any(find_context(row, extracting) for row in own_rows) else extracting


def _asked(inputs: Sequence[str], fields: tuple[str, ...]) -> str | None:
    """The part with the question, where there is a context too; one that is asked of several is an instruction."""
    name = asked_name(fields)
    if name is None or context_name(fields) is None or len(inputs) < LEAST_QUESTIONS:
        return None
    questions = {same_text((split_fields(text, fields) or {})[name]) for text in inputs}
    return name if len(questions) == len(inputs) else None


def _limit(texts: Sequence[str]) -> int:
    if not texts:
        return MOST_LIMIT
    return max(LEAST_LIMIT, TIMES_LONGEST * max(map(len, texts)))


def _unknown_to(texts: Sequence[str], patterns: Sequence[re.Pattern[str]]) -> tuple[re.Pattern[str], ...]:
    return tuple(pattern for pattern in patterns if not any(pattern.search(text) for text in texts))


def same_text(text: str) -> str:
    """The form in which inputs are compared: letter case, width, blanks, outer quotes and a final stop aside."""
    # Folding can undo the normal form (İ), so it is taken again.
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    words = " ".join(folded.replace("\u200b", "").split())
    return words.lstrip(QUOTES + " ").rstrip(QUOTES + ".。 ") or words


def find_unreadable(row: Candidate, known: Known) -> str | None:  # noqa: ARG001  # all checks are called alike
    """NUL and lone surrogates: no text that a file, a tokenizer or another program could take."""
    return next(("NUL or half a character in it" for text in _texts(row) if not _is_whole(text)), None)


def _is_whole(text: str) -> bool:
    return "\x00" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def find_empty(row: Candidate, known: Known) -> str | None:
    """Nothing asked, or nothing answered; an empty answer is fine where the task has one."""
    if not row.input.strip():
        return "no input"
    if row.input.strip().strip("[]()<>").casefold() in NO_INPUT:
        return f"no input but {row.input.strip()!r:.20}"
    if row.output is not None and not row.output.strip() and row.output != known.spec.empty_answer:
        return "no label"
    return None


def find_refusal(row: Candidate, known: Known) -> str | None:
    """The teacher declined instead of writing or labelling."""
    return _first_match(known.refusals, row)


def declines(text: str) -> bool:
    """Whether a reply is a polite no."""
    return any(pattern.search(text) for pattern in REFUSALS)


def find_placeholder(row: Candidate, known: Known) -> str | None:
    """A template that was not filled in."""
    return _first_match(known.placeholders, row)


def find_boilerplate(row: Candidate, known: Known) -> str | None:
    """Words to whoever asked for the row stand before it."""
    return _first_match(known.boilerplate, row)


def find_fields(row: Candidate, known: Known) -> str | None:
    """A part that every input has is missing or empty."""
    if not known.fields or split_fields(row.input, known.fields) is not None:
        return None
    return f"not of the form {form_of(known.fields)}"


def find_language(row: Candidate, known: Known) -> str | None:
    """The input or the answer is in another language; short ones are in any."""
    return foreign(row.input, known.language) or foreign(row.output or "", known.output_language)


def find_length(row: Candidate, known: Known) -> str | None:
    """Absurdly long: over ten times the longest demonstration, and over 1,000 characters."""
    if len(row.input) > known.longest_input:
        return f"input of {len(row.input)} characters, at most {known.longest_input}"
    if row.output is not None and len(row.output) > known.longest_output:
        return f"label of {len(row.output)} characters, at most {known.longest_output}"
    return None


def find_leak(row: Candidate, known: Known) -> str | None:
    """The input is a demonstration or a test row; those judge, and must not be learnt by heart."""
    return "equals a demonstration or a test input" if same_text(row.input) in known.withheld else None


def find_duplicate(row: Candidate, known: Known) -> str | None:
    """The same input was accepted before, or one with the same question."""
    if known.seen.holds(row.input, before=known.horizon):
        return "accepted before"
    return "asked before" if known.seen.holds(known.key(row.input), before=known.horizon) else None


def find_near_duplicate(row: Candidate, known: Known) -> str | None:
    """Nearly the same input was accepted before, with the same numbers in it."""
    return "nearly accepted before" if known.seen.nearly_holds(row.input, before=known.near_horizon) else None


def find_label(row: Candidate, known: Known) -> str | None:
    """The label is not in the label set."""
    if row.output is None or not known.spec.labels or fits_spec(row.output, known.spec):
        return None
    return "not in the label set"


def find_format(row: Candidate, known: Known) -> str | None:
    """The label breaks the output format."""
    if row.output is None or known.spec.labels or fits_spec(row.output, known.spec):
        return None
    return f"does not match {known.spec.output_pattern or 'the output schema'}"


def find_context(row: Candidate, known: Known) -> str | None:
    """The answer is to be taken from the context, and does not stand in it."""
    if not known.extractive or row.output is None or row.output == known.spec.empty_answer:
        return None
    return None if stands_in(row.output, context_of(row, known)) else "not in the context"


def context_of(row: Candidate, known: Known) -> str:
    """Where the answer must stand: the context, as a column or as a part of the input; otherwise the whole input."""
    if row.context is not None:
        return row.context
    parts = split_fields(row.input, known.fields) or {}
    name = context_name(known.fields)
    return row.input if name is None else parts.get(name, row.input)


def find_agreement(row: Candidate, known: Known) -> str | None:  # noqa: ARG001  # all checks are called alike
    """The votes did not agree: the winner has no more than the least share."""
    if row.agreement is None or row.agreement > LEAST_AGREEMENT:
        return None
    return f"agreement {row.agreement:.2f}, needs more than {LEAST_AGREEMENT:.2f}"


def _texts(row: Candidate) -> tuple[str, ...]:
    return tuple(text for text in (row.input, row.context, row.output) if text is not None)


def _first_match(patterns: Sequence[re.Pattern[str]], row: Candidate) -> str | None:
    found = (pattern.search(text) for pattern in patterns for text in _texts(row))
    return next((repr(match[0][:80]) for match in found if match), None)


Check = Callable[[Candidate, Known], str | None]

INPUT_CHECKS: tuple[tuple[RejectReason, Check], ...] = (
    ("unreadable", find_unreadable),
    ("empty", find_empty),
    ("refusal", find_refusal),
    ("placeholder", find_placeholder),
    ("boilerplate", find_boilerplate),
    ("length", find_length),
    ("fields", find_fields),
    ("language", find_language),
    ("leak", find_leak),
    ("duplicate", find_duplicate),
    ("duplicate", find_near_duplicate),
)
LABEL_CHECKS: tuple[tuple[RejectReason, Check], ...] = (
    ("label", find_label),
    ("format", find_format),
    ("context", find_context),
    ("agreement", find_agreement),
)


ALWAYS_MADE: tuple[tuple[RejectReason, Check], ...] = (
    ("unreadable", find_unreadable),
    ("empty", find_empty),
    ("leak", find_leak),
    ("duplicate", find_duplicate),
)


def judge_input(text: str, known: Known) -> Finding | None:
    """What speaks against an input before anybody is paid to label it; None when nothing does."""
    return _first_finding(INPUT_CHECKS, Candidate(input=text), known)


def judge_row(row: Candidate, known: Known) -> Finding | None:
    """What speaks against a labelled row; None when nothing does. Inputs are checked first, then labels."""
    return _first_finding((*INPUT_CHECKS, *LABEL_CHECKS), row, known)


def judge_reply(texts: Sequence[str], known: Known) -> Finding | None:
    """What speaks against all inputs of one reply: each may be too short to tell its language, and all say it."""
    found = foreign("\n".join(texts), known.language) if known.filtered else None
    return None if found is None else Finding("language", f"with those of the same reply {found}")


def judge_label(row: Candidate, known: Known) -> Finding | None:
    """What speaks against the label of an input that is somebody's own, and stays whatever it reads like."""
    label = Candidate(input="-", output=row.output, agreement=row.agreement)
    found = judge_row(label, replace(known, fields=(), language=None, extractive=False))
    if found is None and (missing := find_context(row, known)) is not None:
        return Finding("context", missing)
    return found


def _first_finding(checks: Sequence[tuple[RejectReason, Check]], row: Candidate, known: Known) -> Finding | None:
    made = checks if known.filtered else [check for check in checks if check in ALWAYS_MADE]
    found = (Finding(reason, detail) for reason, check in made if (detail := check(row, known)) is not None)
    return next(found, None)
