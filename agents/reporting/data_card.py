"""The page that lies beside the data: what it is, who wrote it, what was left out, in plain words. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.records import Example, Reject, Spec
from engine.text import visible

__all__ = ["DataCard", "card_text", "table_text"]


@dataclass(frozen=True, slots=True, kw_only=True)
class DataCard:
    """What a reader of the data must know and cannot see in it."""

    teacher: str
    simulated: bool


def card_text(spec: Spec, parts_of: Mapping[str, Sequence[Example]], rejects: Sequence[Reject], card: DataCard) -> str:
    """The data card: what this is, in plain words, and where its parts are, for people and for `load_dataset`."""
    name = visible(card.teacher)
    teacher = f"a **simulated teacher** ({name})" if card.simulated else f"`{name}`"
    rows = [(name, len(examples)) for name, examples in parts_of.items()]
    every = [example for examples in parts_of.values() for example in examples]
    reasons = Counter(reject.reason for reject in rejects)
    parts = [
        _front_matter(spec),
        "# Training data made from a prompt",
        f"Inputs and labels were written by {teacher}, not by people. "
        + (_SIMULATED if card.simulated else _SYNTHETIC),
        table_text(("part", "rows"), rows),
        "## The task",
        _quoted(spec.instruction),
        "## The columns",
        _COLUMNS,
        "## The answers",
        table_text(("answer", "rows"), _answer_counts(spec, every)),
        *_origins(every),
        "## What was left out",
        table_text(("reason", "rows"), reasons.most_common()) if reasons else "Nothing.",
    ]
    return "\n\n".join(parts) + "\n"


def _front_matter(spec: Spec) -> str:
    """What the hub finds a data set by, and where its parts are. A language that is none is left out: it is foreign."""
    spoken = dict.fromkeys(filter(None, (spec.language, spec.output_language)))
    languages = "".join(f"- {language}\n" for language in spoken if _LANGUAGE.fullmatch(language))
    found_by = f"language:\n{languages}" if languages else ""
    task = "text-classification" if spec.labels else "question-answering" if spec.extractive else "text-generation"
    return f"---\n{found_by}task_categories:\n- {task}\ntags:\n- synthetic\n{_PARTS}"


_LANGUAGE = re.compile(r"[a-z]{2,3}")
_PARTS = """configs:
- config_name: default
  data_files:
  - split: train
    path: train.parquet
  - split: validation
    path: validation.parquet
  - split: test
    path: test.parquet
---"""

_SYNTHETIC = (
    "A score on its test part says how well a student imitates the teacher; how good the teacher is, and how close its "
    "inputs are to real ones, only real rows can say."
)
_SIMULATED = (
    "A simulated teacher is a program with a known truth: it shows how Smelt works, and says nothing about any real "
    "model."
)
_FOUND = (
    "Not all rows were made from the prompt: some were found in data sets that others made, as they are or rewritten "
    "by the teacher. Their licences go on holding for these rows: look at them before you pass the data on."
)
_SERVED = (
    "Some inputs were asked of a student while it served, and labelled by a teacher because the student was unsure. "
    "People wrote them without this data in mind: look at them before you pass the data on."
)
_COLUMNS = """`input` and `output` are the row. `agreement` is the winning label's share of the votes; `votes` holds
them all, `vote_models` who gave each, `vote_questions` in which call. `request` and `position` say which reply the
input came from, `stage` in which stage, `model` who wrote it, `question` in which call (`smelt export RUN --requests`
has the calls). Rows of one request and near-duplicates are in the same part. `temperature` is how hot it was asked for,
`target` which answer was asked for, `seeds` which inputs were shown, `attributes` what the inputs were asked to be,
`case` the kind of hard case, where they were to be hard ones, `document` where the passage stands that they were
written from. Rows of one passage are in the same part.
`cost_usd` is the row's part of what its calls were paid. `origin` says whether the row was generated, found in a data
set, transformed from one (then `dataset`, `row` and `licence` say which, and where in it), or served: asked of a
student, and labelled by a teacher. A `request` below 0 is none of this run's. `rejected.parquet` holds
what was left out, each with its `reason` and a `detail`. Where a judge was asked, `judge_score` (1 to 5),
`judge_fault`, `judge_model` and `judge_question` say what it gave the row, which criterion that fails, who it was, and
in which call."""


def _origins(examples: Sequence[Example]) -> list[str]:
    """Where rows come from and under which licence, if any were not generated."""
    counts = Counter((row.provenance.origin, row.provenance.dataset, row.provenance.licence) for row in examples)
    rows = [
        (f"{origin}: {dataset} (licence: {licence})" if dataset else origin, count)
        for (origin, dataset, licence), count in counts.most_common()
    ]
    if len(rows) == len(counts.keys() & {("generated", "", "")}):
        return []
    origins = {origin for origin, _, _ in counts}
    told = [*([_FOUND] if origins & {"found", "transformed"} else []), *([_SERVED] if "served" in origins else [])]
    return ["## Where the rows come from", *told, table_text(("origin", "rows"), rows)]


def _answer_counts(spec: Spec, examples: Sequence[Example]) -> list[tuple[str, int]]:
    if spec.labels:
        counts = Counter(example.output for example in examples)
        return [(label, counts[label]) for label in spec.labels]
    empty = sum(example.output == spec.empty_answer for example in examples)
    nothing = [] if spec.empty_answer is None else [(f"{spec.empty_answer} (nothing to find)", empty)]
    return [*nothing, ("text", len(examples) - empty)]


def table_text(head: tuple[str, str], rows: Sequence[tuple[str, str | int]]) -> str:
    lines = (f"| {_cell(name)} | {_cell(value)} |" for name, value in [head, ("---", "---"), *rows])
    return "\n".join(lines)


def _cell(value: str | int) -> str:
    return " ".join(visible(str(value)).replace("|", "\\|").split())


def _quoted(text: str) -> str:
    """Foreign text as a block that it cannot break out of."""
    return "\n".join(f"    {line}" for line in visible(text).splitlines())
