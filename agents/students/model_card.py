"""The page that lies beside a student: what it is, whose data taught it, how good it is, what it cannot do. Pure.

What is not known is said to be not known. Foreign text is text: nothing in it can be markup.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

from agents.run_folder import write_whole
from agents.students.card_facts import Facts, Figure, facts_of
from agents.students.task import Task, read_task
from engine.text import visible
from engine.training import Card, read_card
from engine.training.recalling import FOLDER

__all__ = ["model_card", "write_model_card"]


def write_model_card(folder: Path, *, student: Path | None = None, more: Sequence[str] = ()) -> None:
    """Write `README.md` into a folder, from what stands in a student's (that very folder, unless told otherwise).

    `more` are paragraphs of ours to put before the last.
    """
    student = student or folder
    remembers = (folder / FOLDER).is_dir()
    page = model_card(read_card(student), read_task(student), facts_of(student), remembers=remembers, more=more)
    write_whole(folder / "README.md", page.encode("utf-8", "replace"))


def model_card(
    card: Card, task: Task | None, facts: Facts | None = None, *, remembers: bool = True, more: Sequence[str] = ()
) -> str:
    """The model card in plain words. `task` is None for a student of bare rows, `facts` where no run tells of it.

    `remembers` says whether the rows of a student that was trained with a memory are still there.
    """
    facts = facts or Facts()
    parts = [
        _front_matter(card, task, facts),
        "# A student" if task is None else f"# {_line(task.name)}",
        _what(card),
        "## The task",
        "Learnt from rows alone, without a prompt." if task is None else _quoted(task.spec.instruction),
        "## What it is for",
        _USES,
        "## The data",
        _data(card, task, facts, remembers=remembers),
        "## How good it is",
        _figures(card, facts),
        "## What it cannot do",
        _limits(card),
        "## Licences",
        _licences(card, task, facts),
        *more,
        "## How to use it",
        _USE,
    ]
    return "\n\n".join(parts) + "\n"


_USES = (
    "For inputs like those of the task above, and for that task alone. Not for other tasks and languages, not where "
    "somebody gains from leading it astray, and not where a wrong answer does harm that nobody would notice in time: "
    "there, let it answer what it is sure of, and a person or a larger model the rest."
)

_USE = """    smelt chat FOLDER
    smelt predict FOLDER inputs.csv
    smelt serve FOLDER

or in Python:

    from pathlib import Path
    from engine.training import load

    load(Path("FOLDER")).predict(["an input"])"""

_LANGUAGE = re.compile(r"[a-z]{2,3}")
_BASE = re.compile(
    r"[\w.-]+/[\w.-]+", re.ASCII
)  # a name on the hub; a folder of this machine is nobody else's business
_LICENCE = re.compile(r"[a-z0-9][a-z0-9.-]{1,40}")


def _front_matter(card: Card, task: Task | None, facts: Facts) -> str:
    """What the hub finds a model by. What is foreign is there only if it is what it should be."""
    told: dict[str, object] = {"tags": ["smelt", *([] if task is None else ["synthetic"])]}
    if task is not None:
        languages = dict.fromkeys(filter(None, (task.spec.language, task.spec.output_language)))
        told["language"] = [each for each in languages if _LANGUAGE.fullmatch(each)]
        told["pipeline_tag"] = "text-classification" if task.spec.labels else "text-generation"
    if card.base and _BASE.fullmatch(card.base):
        told["base_model"] = card.base
    if facts.base_licence and _LICENCE.fullmatch(facts.base_licence):
        told["license"] = facts.base_licence
    lines = (f"{name}: {json.dumps(value)}" for name, value in told.items() if value)
    return "\n".join(["---", *lines, "---"])


def _what(card: Card) -> str:
    parameters = card.sizes.get("parameters")
    size = f" of {parameters:,} parameters" if isinstance(parameters, int) else ""
    return f"A student of the family `{card.family}`{size}, {_start(card)}, made by Smelt."


def _start(card: Card) -> str:
    if not card.base:
        return "trained from nothing"
    licence = f" (licence: {_line(card.base_licence)})" if card.base_licence else ""
    how = "over the vectors of" if card.family == "embedding" else "tuned from"
    return f"{how} `{_line(card.base)}`{licence}"


def _data(card: Card, task: Task | None, facts: Facts, *, remembers: bool) -> str:
    return "\n\n".join(filter(None, (_writers(task), _sources(facts), _memory(card, remembers=remembers))))


def _memory(card: Card, *, remembers: bool) -> str:
    remembered = card.sizes.get("rows_remembered")
    if not isinstance(remembered, int):
        return ""
    if not remembers:
        return (
            f"It was judged while it answered with the help of {remembered:,} of the rows that it learnt from. They "
            "are not in its folder any more, so it answers otherwise than the figures below say."
        )
    return (
        f"**{remembered:,} of the rows that it learnt from lie in its folder `memory`**, and it answers with their "
        "help: whoever has the student can read them. Take that folder away where nobody may, and it answers without."
    )


def _writers(task: Task | None) -> str:
    if task is None:
        return "Rows that were given; who wrote them is not known here."
    if task.simulated:
        return (
            f"Inputs and labels were written by a **simulated teacher** ({_line(task.teacher)}): a program with a "
            "known truth, which says nothing about any real model."
        )
    return f"Inputs and labels were written by `{_line(task.teacher)}`, not by people."


def _sources(facts: Facts) -> str:
    if not facts.sources:
        return ""
    lines = (f"- {_line(each.dataset)}: {each.rows:,} rows, licence: {_line(each.licence)}" for each in facts.sources)
    return "\n".join(["Some rows are from data sets that others made:", "", *lines])


def _figures(card: Card, facts: Facts) -> str:
    rows = card.metrics.get("rows", card.sizes.get("rows"))
    score = card.metrics.get("validation_exact_match")
    told = "not measured" if not isinstance(score, float) else f"{score:.3f}"
    flatters = "" if card.family in ("linear", "embedding") else ", which chose the best moment and so flatter a little"
    learnt = f"Rows learnt from: {rows}. Exact match on validation rows{flatters}: {told}."
    if not facts.figures:
        return learnt
    return "\n\n".join((learnt, _table(facts.figures), _SYNTHETIC if not facts.has_real else _REAL))


def _table(figures: Sequence[Figure]) -> str:
    head = ("| judged on | rows | metric | score | 95 % interval | best baseline |", "| --- " * 6 + "|")
    lines = (
        f"| {_cell(each.on)} | {each.rows:,} | {_cell(each.metric)} | {each.value:.3f} "
        f"| {each.low:.3f} to {each.high:.3f} | {_cell(each.baseline)} |"
        for each in figures
    )
    return "\n".join((*head, *lines))


_SYNTHETIC = (
    "No real rows judged it: a score on synthetic rows says how well it imitates its teacher, and not how good it is."
)
_REAL = "What real rows say counts; a score on synthetic rows says how well it imitates its teacher."


def _limits(card: Card) -> str:
    longest = card.sizes.get("longest_input")
    if not isinstance(longest, int):
        return "It answers with one of the labels that it has seen, and with no other. " + _SURE
    read = f"{longest - 1} bytes" if card.family == "tiny" else f"{longest} tokens"
    return f"Inputs are read up to {read}; the answer to a longer one has confidence 0. {_SURE}"


_SURE = "Confidence is the student's own: it may be sure and wrong, above all of inputs unlike those it learnt from."


def _licences(card: Card, task: Task | None, facts: Facts) -> str:
    """Whose terms may bind whoever passes it on. Smelt knows names of licences, and gives no advice in law."""
    base = "It starts from no other model."
    if card.base:
        known = f"has the licence {_line(facts.base_licence)}" if facts.base_licence else "has its own licence"
        base = f"The model it starts from {known}, which goes on holding."
    sources = " So do those of the data sets above." if facts.sources else ""
    return f"{base}{sources} {_terms(task)}"


def _terms(task: Task | None) -> str:
    if task is None:
        return "Whose rows taught it may bind whoever passes it on."
    if task.simulated:
        return "A simulated teacher has no terms."
    return (
        f"Its rows were written by `{_line(task.teacher)}`: the terms of providers and the licences of models may say "
        "what their answers are used for, and some forbid training models that compete with theirs. Read them before "
        "you pass it on."
    )


def _cell(text: str) -> str:
    return _line(text).replace("|", "\\|")


def _quoted(text: str) -> str:
    """Foreign text as a block that it cannot break out of."""
    return "\n".join(f"    {line}" for line in visible(text).splitlines())


def _line(text: str) -> str:
    """Foreign text within a line: no marks of Markdown or HTML are left in it that could begin anything."""
    return " ".join(_MARKS.sub(r"\\\g<0>", visible(text).replace("`", "'")).split())


_MARKS = re.compile(r"[\\<>\[\]!]")
