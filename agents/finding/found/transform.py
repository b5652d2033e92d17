"""Rows of another data set rewritten as rows of the task (DataTune): understood, planned on a few, done one by one.

The teacher first says what the task is about in more words, which columns matter, and by which steps a row is
rewritten. Then every row is a request of its own, and every reply that was paid for counts, whatever comes after it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from agents.asks import Asks, all_of, attempt, coldest, question_of
from agents.filtering.filter import Finding, declines
from agents.finding.found.asking import ask_for_text, read_said
from agents.finding.found.records import FoundRow, Sample
from agents.finding.found.words import row_line, row_lines, shown_examples
from agents.prompts import fill, opening
from agents.records import Draft, Pair, Provenance, Reject, Spec
from engine.errors import AnswerCut, ContentFiltered, RequestFailed, SchemaMissed, SmeltError
from engine.messages import Outcome, Reply, Request
from engine.structured import read_json

__all__ = ["Rewriting", "Task", "plan_rewriting", "read_columns", "read_row", "rewrite"]

PLANNING, TAG = "retrieve", "transform"  # the few questions need not wait where the many go in batches
WORDS_TOKENS = 600  # of a description or a plan
ROWS_SHOWN = 5
LEAST_TOKENS, MOST_TOKENS = 160, 4096
LONGEST_VALUE = 6000  # characters of a value that are shown when its row is rewritten

_NAMES = {"type": "array", "items": {"type": "string"}}
_ROW = {
    "type": ["object", "null"],
    "properties": {"input": {"type": "string"}, "output": {"type": "string"}},
    "required": ["input", "output"],
}


@dataclass(frozen=True, slots=True)
class Rewriting:
    """How the rows of one data set are rewritten: what is shown of them, and by which steps."""

    columns: tuple[str, ...]
    plan: str


@dataclass(frozen=True, slots=True)
class Task:
    """A row to rewrite, and where what comes of it is from."""

    row: FoundRow
    provenance: Provenance


async def plan_rewriting(asks: Asks, spec: Spec, sample: Sample) -> Rewriting | None:
    """How rows of a data set could become rows of the task; None when the teacher has no plan.

    Three requests. Raises what ends more than a request: the budget, a refused key.
    """
    shown = row_lines([row.columns for row in sample.rows[:ROWS_SHOWN]])
    selecting = fill("select_columns", instruction=spec.asked, rows=shown)
    columns = read_columns(await ask_for_text(asks, selecting, max_tokens=WORDS_TOKENS, tag=PLANNING), sample)
    examples = shown_examples(spec)
    expanding = fill("expand_task", instruction=spec.asked, examples=examples)
    about = await ask_for_text(asks, expanding, max_tokens=WORDS_TOKENS, tag=PLANNING)
    rows = row_lines([_of(row, columns) for row in sample.rows[:ROWS_SHOWN]])
    planning = fill("plan_transform", instruction=spec.asked, about=about or "(nothing)", examples=examples, rows=rows)
    plan = await ask_for_text(asks, planning, max_tokens=WORDS_TOKENS, tag=PLANNING)
    return Rewriting(columns, plan.strip()) if plan and plan.strip() and not declines(plan) else None


def read_columns(text: str | None, sample: Sample) -> tuple[str, ...]:
    """The columns that a reply names and that are there; all of them when it names none."""
    named = {name.strip().casefold() for name in read_said(text or "", schema=_NAMES) or ()}
    return tuple(name for name in sample.columns if name.strip().casefold() in named) or sample.columns


async def rewrite(
    asks: Asks, spec: Spec, rewriting: Rewriting, tasks: Sequence[Task]
) -> tuple[list[Draft | Reject], SmeltError | None]:
    """The rows rewritten at the same time, in their order; those that an error of the whole run kept away are missing.

    That error comes beside them: what was paid for by then counts.
    """
    outcomes = await all_of(attempt(asks, _request(asks, spec, rewriting, task.row)) for task in tasks)
    ended = [_ended(outcome, task) for outcome, task in zip(outcomes, tasks, strict=True)]
    errors = (outcome.error for outcome in outcomes if not isinstance(outcome.error, RequestFailed))
    return [each for each in ended if each is not None], next(filter(None, errors), None)


def _request(asks: Asks, spec: Spec, rewriting: Rewriting, row: FoundRow) -> Request:
    common = {"instruction": spec.asked, "examples": shown_examples(spec), "plan": rewriting.plan}
    shown = row_line(_of(row, rewriting.columns), longest=LONGEST_VALUE)
    size = len(shown.encode("utf-8", "surrogatepass"))
    return Request.user(
        fill("transform_row", row=shown, **common),
        max_tokens=min(MOST_TOKENS, LEAST_TOKENS + size),  # a token is hardly ever less than a byte
        temperature=coldest(asks, tag=TAG),
        tag=TAG,
        stable=len(opening("transform_row", **common)),
    )


def _of(row: FoundRow, columns: Sequence[str]) -> dict[str, str]:
    return {name: value for name, value in row.columns.items() if name in columns}


def _ended(outcome: Outcome, task: Task) -> Draft | Reject | None:
    """What came of a row; None where an error ended more than it."""
    source = task.provenance
    if outcome.reply is not None:
        told = replace(source, model=outcome.reply.model, question=question_of(outcome.request))
        return _draft(outcome.reply, replace(told, cost_usd=outcome.reply.paid_usd))
    if isinstance(outcome.error, ContentFiltered):
        return Reject("", None, "refusal", source, str(outcome.error))
    if isinstance(outcome.error, RequestFailed):
        return Reject("", None, "failed", source, f"{type(outcome.error).__name__}: {outcome.error}")
    return None


def _draft(reply: Reply, source: Provenance) -> Draft | Reject:
    said = read_row(reply.text, is_cut=reply.finish_reasons[0] == "length")
    if isinstance(said, Pair):
        return Draft(said.input, source, said.output)
    refused = reply.finish_reasons[0] in ("refusal", "filtered")
    return Reject("", None, "refusal" if refused else said.reason, source, said.detail)


def read_row(text: str, *, is_cut: bool = False) -> Pair | Finding:
    """The row in a reply, or why there is none. Never raises."""
    try:
        said = read_json(text, schema=_ROW, is_cut=is_cut)
    except AnswerCut as error:
        return Finding("length", str(error))
    except SchemaMissed as error:
        return Finding("refusal" if declines(text) else "unreadable", str(error))
    if not isinstance(said, dict):
        return Finding("unsuited", "the teacher says that the row cannot serve")
    return Pair(said["input"].strip(), said["output"].strip())
