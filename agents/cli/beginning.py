"""The command that writes files to begin with: init."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from agents.cli.options import FLEET, FOUND, MAKING, PACE, STUDENT, TEACHER, JsonOption, examples
from agents.cli.output import print_json, say

if TYPE_CHECKING:
    from agents.config import Configuration

__all__ = ["EXAMPLES", "configuration_text", "prompt_text", "register"]

CONFIG, PROMPT = "smelt.toml", "prompt.md"
WIDTH = 79  # of a comment

EXAMPLES: Mapping[str, tuple[str, str]] = {
    "dates": ("dates", "a short text to a date in ISO form: answers are text of one form"),
    "intents": ("intents", "messages to a parcel company to one of thirteen intents: answers are labels"),
    "extraction": (
        "passages",
        "a question and a text to the words of it that answer: answers are taken from the input",
    ),
}
"""The examples: whose prompt and simulated teacher each is, and what its task is."""

SET = {"examples": "300", "train_seconds": "60.0"}
"""What is set beside the model, so that a first run takes a minute or two."""

BY_COMMANDS = ("formers", "train", "inputs", "input_column", "inputs_sha256", "serves")
"""Options that commands write into a run, and nobody into a file."""

SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Who writes and labels": ("model", "fallback", "base_url", "dialect", "insecure_http"),
    "Money": (
        "budget", "price_in", "price_out", "price_cached_in", "price_cache_write", "price_batch",
    ),
    "Pace": ("rpm", "tpm", "concurrency", "hedge", "batch", "deadline", "ray", "workers", "gpus"),
    "Rows": (
        "examples", "votes", "per_request", "labels_per_call", "sampled_votes", "judge", "annealing", "seed",
        "documents", "instruction_language",
    ),
    "Rows that exist already": ("catalogue", "datasets", "licences", "rows_per_dataset", "found_share"),
    "The student": (
        "student", "base", "trial", "tune", "preset", "train_seconds", "threads", "device", "test",
    ),
}  # fmt: skip

WITHOUT_FLAG: Mapping[str, str] = {
    "price_cached_in": "Price of a million input tokens that the provider had cached; as price_in when not said.",
    "price_cache_write": "Price of a million input tokens that it puts into its cache; as price_in when not said.",
    "price_batch": "The share of these prices that batches cost; half at OpenAI and Anthropic when not said.",
    "per_request": "Inputs asked for in one request to begin with; later up to four times as many.",
    "labels_per_call": "The most inputs that are labelled in one call; 1 labels each alone.",
    "sampled_votes": "Votes of a round are the completions of one request: cheaper, but they err together more often.",
}
"""What an option means that no flag has; of all others it is the help of the flag."""

FOR_INSTANCE: Mapping[str, str] = {
    "fallback": '["anthropic/claude-haiku-4-5"]',
    "base_url": '"http://localhost:11434/v1"',
    "dialect": '"ollama"',
    "budget": "5",
    "price_in": "0.25",
    "price_out": "2",
    "price_cached_in": "0.025",
    "price_cache_write": "0.25",
    "price_batch": "0.5",
    "rpm": "500",
    "tpm": "200000",
    "concurrency": "32",
    "deadline": "3600.0",
    "ray": '"auto"',
    "workers": "4",
    "gpus": "0.5",
    "examples": "2000",
    "documents": '"handbook"',
    "instruction_language": '"en"',
    "catalogue": '"my-tables"',
    "datasets": '["auto"]',
    "licences": '["cc-by-4.0"]',
    "base": '"google/flan-t5-small"',
    "trial": "3",
    "tune": "8",
    "threads": "4",
    "test": '"my-rows.csv"',
}
"""What may stand there, of options that have no value of their own."""

OPENING = f"""\
# Options of a run: smelt run {PROMPT} --config {CONFIG}
# Flags win over this file. A line that is commented out has what holds when
# nothing is said, or an example of what may stand there. The prompt is a text:
# the task in your words and, best, some examples: Input: ... Output: ...
"""

TABLES = """
# -- Tables, each of which ends what stands above it

# Another model for a role: annotator, judge or parser.
# [models]
# annotator = "openai/gpt-5.4-mini"

# Parts of the budget, in place of the line above: what a stage may take of it,
# and what is kept for one.
# [budget]
# usd = 5
# generate = 0.7
# kept = { annotate = 0.2 }

# A server of a kind of your own: what it is like, and in what it differs.
# [dialects.mine]
# like = "vllm"
"""


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("smelt init", "smelt init my-task --example intents"))(init)


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", show_default=False, help="Where the files go; made if need be (here).")
    ] = Path(),
    example: Annotated[
        str, typer.Option(metavar="NAME", help="The task to begin with: dates, intents or extraction.")
    ] = "dates",
    force: Annotated[bool, typer.Option("--force", help="Write over files that are there.")] = False,
    json: JsonOption = False,
) -> int:
    """Write a prompt and a configuration to begin with. Both can be run as they are, for nothing."""
    from agents.checks import one_of
    from agents.run_folder import write_whole
    from engine.errors import UserError

    one_of("example", example, tuple(EXAMPLES))
    files = {folder / PROMPT: prompt_text(example), folder / CONFIG: configuration_text(example)}
    there = [str(path) for path in files if path.exists()]
    if there and not force:
        raise UserError(f"{' and '.join(there)}: there already; name another folder, or write over it with --force")
    for path, text in files.items():
        write_whole(path, text.encode())
    if json:
        print_json({"prompt": str(folder / PROMPT), "config": str(folder / CONFIG), "example": example})
        return 0
    for line in _told(folder, example):
        say(line)
    return 0


def _told(folder: Path, example: str) -> Iterator[str]:
    """What was written, and what to do with it."""
    from shlex import quote

    world, task = EXAMPLES[example]
    inside = "" if folder == Path() else f"cd {quote(str(folder))} && "
    yield f"{folder / PROMPT}: the prompt, {task}"
    yield f"{folder / CONFIG}: every option with what it means; simulated/{world} is the teacher, for nothing"
    yield ""
    yield f"try it: {inside}smelt run {PROMPT} --config {CONFIG}"
    yield "then write your own task in place of the prompt, name a real model, and ask what it would cost:"
    yield f"{inside}smelt estimate {PROMPT} --config {CONFIG} --model openai/gpt-5.4-mini --budget 5"


def prompt_text(example: str) -> str:
    """The prompt of an example."""
    from importlib.resources import files

    return (files("agents.demo") / EXAMPLES[example][0] / PROMPT).read_text(encoding="utf-8")


def configuration_text(example: str) -> str:
    """`smelt.toml`: each option with its meaning and its default, or what may stand there, commented out."""
    from agents.config import Configuration

    usual = Configuration()
    values = {"model": f'"simulated/{EXAMPLES[example][0]}"', **SET}
    parts = [OPENING]
    for section, names in SECTIONS.items():
        options = "\n".join(_option(name, usual, values.get(name)) for name in names)
        parts.append(f"\n# -- {section}\n\n{options}")
    return "".join([*parts, TABLES])


def _option(name: str, usual: Configuration, value: str | None) -> str:
    """An option with its meaning: set to a value, or else commented out."""
    line = f"{name} = {value}" if value is not None else f"# {name} = {_default(name, usual)}"
    meaning = textwrap.fill(_meaning(name), WIDTH, initial_indent="# ", subsequent_indent="# ")
    return f"{meaning}\n{line}\n"


def _default(name: str, usual: Configuration) -> str:
    import json

    default = getattr(usual, name)
    return FOR_INSTANCE[name] if default is None else json.dumps(default)


def _meaning(name: str) -> str:
    """The help of its flag: what documentation and command line say too."""
    if name in WITHOUT_FLAG:
        return WITHOUT_FLAG[name]
    groups: tuple[Mapping[str, Any], ...] = (TEACHER, MAKING, FOUND, STUDENT, PACE, FLEET)
    option = next(group[name] for group in groups if name in group)
    return str(get_args(option)[1].help)
