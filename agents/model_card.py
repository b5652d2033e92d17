"""The page that lies beside a student: what it is, whose data taught it, how good it was, what it cannot read."""

from __future__ import annotations

from pathlib import Path

from agents.run_folder import write_whole
from agents.task import Task, read_task
from engine.text import visible
from engine.training import Card, read_card

__all__ = ["model_card", "write_model_card"]


def write_model_card(folder: Path) -> None:
    """Write `README.md` into a student's folder, from what stands there already."""
    page = model_card(read_card(folder), read_task(folder))
    write_whole(folder / "README.md", page.encode("utf-8", "replace"))


def model_card(card: Card, task: Task | None) -> str:
    """The model card in plain words. `task` is None for a student of bare rows."""
    parts = [
        "# A student" if task is None else f"# {_line(task.name)}",
        _what(card),
        "## The task",
        "Learnt from rows alone, without a prompt." if task is None else _quoted(task.spec.instruction),
        "## The data",
        _data(task),
        "## How it went",
        _figures(card),
        "## What it cannot do",
        _limits(card),
        "## How to use it",
        _USE,
    ]
    return "\n\n".join(parts) + "\n"


_USE = """    smelt chat FOLDER
    smelt serve FOLDER

or in Python:

    from pathlib import Path
    from engine.training import load

    load(Path("FOLDER")).predict(["an input"])"""


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


def _data(task: Task | None) -> str:
    if task is None:
        return "Rows that were given; who wrote them is not known here."
    if task.simulated:
        return (
            f"Inputs and labels were written by a **simulated teacher** ({_line(task.teacher)}): a program with a "
            "known truth, which says nothing about any real model."
        )
    return f"Inputs and labels were written by `{_line(task.teacher)}`, not by people."


def _figures(card: Card) -> str:
    rows = card.metrics.get("rows", card.sizes.get("rows"))
    score = card.metrics.get("validation_exact_match")
    told = "not measured" if not isinstance(score, float) else f"{score:.3f}"
    flatters = "" if card.family in ("linear", "embedding") else ", which chose the best moment and so flatter a little"
    return f"Rows learnt from: {rows}. Exact match on validation rows{flatters}: {told}."


def _limits(card: Card) -> str:
    longest = card.sizes.get("longest_input")
    if not isinstance(longest, int):
        return "It answers with one of the labels that it has seen, and with no other."
    read = f"{longest - 1} bytes" if card.family == "tiny" else f"{longest} tokens"
    return (
        f"Inputs are read up to {read}; the answer to a longer one has confidence 0. "
        "Confidence is the student's own and is not calibrated."
    )


def _quoted(text: str) -> str:
    """Foreign text as a block that it cannot break out of."""
    return "\n".join(f"    {line}" for line in visible(text).splitlines())


def _line(text: str) -> str:
    return " ".join(visible(text).replace("`", "'").split())
