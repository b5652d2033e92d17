"""Which commands there are, what each is for, and where it is: its file is read when it is called, and no other.

So `smelt --help`, and the start of every command, waits for one file and not for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

__all__ = ["COMMANDS", "Commands", "Group"]

# The sentence is the first of what the command says of itself.
COMMANDS: Mapping[str, tuple[str, str]] = {
    "run": ("making", "Turn a prompt into a data set, a student and a report."),
    "resume": ("making", "Continue a run where it stopped, also with another model."),
    "generate": ("making", "Make the data set only."),
    "annotate": ("making", "Label your own inputs by vote."),
    "init": ("beginning", "Write a prompt and a configuration to begin with."),
    "estimate": ("estimating", "Say what a run would cost, take and bring."),
    "parse": ("parsing", "Show how a prompt is understood."),
    "curate": ("curating", "Filter, de-duplicate and balance rows that exist already."),
    "train": ("students", "Train a student on labelled rows."),
    "evaluate": ("evaluating", "Score a student on labelled rows."),
    "predict": ("predicting", "Answer every row of a file."),
    "serve": ("serving", "Answer in the LLM's place."),
    "chat": ("chatting", "Open a page on this machine to ask the student questions."),
    "teach": ("teaching", "Tune a local model as a teacher on few real labels."),
    "models": ("finding", "Rank the base models that could be tuned for a prompt."),
    "datasets": ("finding", "Rank the data sets that could help with a prompt."),
    "doctor": ("looking", "Say what is there and what is missing."),
    "watch": ("looking_on", "Look on at a run from another terminal."),
    "runs": ("looking_on", "List runs with their state, spend and score."),
    "fake-provider": ("faking", "Serve a simulated teacher over HTTP."),
    "export": ("exporting", "Write rows or a student for use elsewhere."),
    "report": ("reporting", "Say what came of a run."),
    "compare": ("reporting", "Set runs side by side."),
}


class Commands(Mapping[str, Any]):
    """The commands by their names, each made of its file when it is first asked for."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            place, _ = COMMANDS[name]
            of_the_file = typer.Typer(rich_markup_mode=None)
            import_module(f"agents.cli.{place}").register(of_the_file)
            self._made |= typer.main.get_group(of_the_file).commands
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(COMMANDS)

    def __len__(self) -> int:
        return len(COMMANDS)


class Group(TyperGroup):
    """All commands under the name `smelt`."""

    def __init__(self, **told: Any) -> None:
        super().__init__(**told)
        self.commands: Any = Commands()

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # it is called so
        rows = [(name, said) for name, (_, said) in COMMANDS.items()]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
