"""The command that says what a run would cost before it is paid for: estimate."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from agents.cli.making import RUNS, confirm_spending, options_of
from agents.cli.options import FOUND, MAKING, OUTPUT, PACE, STUDENT, TEACHER, PromptArgument, examples, taking
from agents.cli.output import print_json, say, say_aside, say_facts, say_table
from agents.cli.progress import under_way

if TYPE_CHECKING:
    from agents.config import Configuration
    from agents.estimating.estimate import Estimate
    from agents.run_folder import RunFolder
    from engine.events import Events

__all__ = ["register"]

FEWEST_REQUESTS, MOST_REQUESTS = 3, 500


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "smelt estimate prompt.md --model openai/gpt-5.4-mini --budget 5",
            "smelt estimate agents/demo/dates/prompt.md --model simulated/dates --examples 500",
            "smelt estimate prompt.md --inputs tickets.csv --model openai/gpt-5.4-mini --pilot-budget 0.10",
        )
    )(estimate)


PROMPT = {"prompt": PromptArgument}
PILOT = {
    "pilot_budget": Annotated[
        str | None, typer.Option(metavar="USD", help="What the pilot may spend at most (a tenth of --budget).")
    ],
    "pilot_requests": Annotated[
        int | None,
        typer.Option(
            metavar="N", help="Size of the pilot: requests with the labels that follow (12); of --inputs, times 32 (3)."
        ),
    ],
    "data_only": Annotated[
        bool, typer.Option("--data-only", help="Estimate smelt generate: the data set without a student.")
    ],
    "inputs": Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Estimate smelt annotate: labels for these inputs instead of new rows."),
    ],
    "input_column": Annotated[
        str | None, typer.Option(metavar="NAME", help="The column that holds them; found by its name when not said.")
    ],
}
SHOWN = {name: OUTPUT[name] for name in ("config", "out", "json", "quiet", "yes")}


@taking(PROMPT, PILOT, TEACHER, MAKING, FOUND, STUDENT, PACE, SHOWN)
def estimate(**told: Any) -> int:
    """Say what a run would cost, take and bring. A small pilot is paid, and the run goes on from it."""
    return _estimate(**told)


def _estimate(
    *,
    prompt: str,
    pilot_budget: str | None,
    pilot_requests: int | None,
    data_only: bool,
    config: Path | None,
    out: Path | None,
    json: bool,
    quiet: bool,
    yes: bool,
    **flags: Any,
) -> int:
    from agents.checks import decimal, within

    within("pilot_requests", pilot_requests, FEWEST_REQUESTS, MOST_REQUESTS)
    decimal("--pilot-budget", pilot_budget, above_zero=True)
    own = {**options_of(flags), "train": flags["inputs"] is None and not data_only}
    folder, configuration, budget = _begin(
        prompt, flags=own, pilot_budget=pilot_budget, config=config, out=out, yes=yes
    )
    made = _piloted(folder, configuration, pilot_budget, pilot_requests, budget=budget, quiet=quiet)
    if json:
        print_json(dataclasses.asdict(made))
    else:
        _show(made)
    return 0


def _begin(
    argument: str,
    *,
    flags: Mapping[str, object],
    pilot_budget: str | None,
    config: Path | None,
    out: Path | None,
    yes: bool,
) -> tuple[RunFolder, Configuration, str | None]:
    """The folder of the run, its configuration, and the budget that it was given: None where only the pilot's was."""
    from agents.cli.prompt_files import read_prompt
    from agents.config_file import resolve
    from agents.estimating.pilot import capped
    from agents.prepare import prepare
    from agents.run_folder import RunFolder, free_name

    source = read_prompt(argument)
    asked = resolve(file=config, flags=flags)
    has_budget = asked.budget is not None or pilot_budget is None
    wanted = asked if has_budget else dataclasses.replace(asked, budget=pilot_budget)
    configuration = prepare(wanted, prompt=source.text, note=say_aside)
    if not yes:
        models = [each.model for each in configuration.everyone]
        confirm_spending(models, capped(configuration, pilot_budget).budget)
    folder = RunFolder(out or free_name(RUNS, source.name))
    begun = configuration
    if not has_budget and folder.manifest.exists():  # piloted before, with another cap of the pilot's alone
        begun = dataclasses.replace(configuration, budget=folder.configuration().budget)
    folder.begin(prompt=source.text, configuration=begun)
    return folder, configuration, configuration.budget if has_budget else None


def _piloted(
    folder: RunFolder,
    configuration: Configuration,
    pilot_budget: str | None,
    requests: int | None,
    *,
    budget: str | None,
    quiet: bool,
) -> Estimate:
    """Run the pilot before somebody's eyes."""
    from agents.estimating.estimate import estimate_run
    from agents.estimating.labels import estimate_labels
    from agents.listeners import announced
    from engine.errors import BudgetReached

    events = announced()
    estimated = estimate_run if configuration.inputs is None else estimate_labels
    try:
        with _shown(events, quiet=quiet):
            return estimated(
                folder, configuration, pilot_usd=pilot_budget, requests=requests, budget=budget, events=events
            )
    except BudgetReached as error:
        raise BudgetReached(
            f"too little for a pilot: {error}; the same again with --pilot-budget USD goes on in {folder.path} (--out)"
        ) from error


@contextmanager
def _shown(events: Events, *, quiet: bool) -> Iterator[None]:
    """How far the pilot is, and what should be read as lines, all on standard error."""
    from agents.estimating.pilot import STAGE
    from engine.events import Event, Noted, StageFinished, StageProgressed, StageStarted

    done = 0
    with ExitStack() as showing:
        advance = showing.enter_context(under_way("understanding the prompt", shown=not quiet))

        def hear(event: Event) -> None:
            nonlocal advance, done
            match event:
                case StageStarted(stage, total) if stage == STAGE:
                    showing.close()
                    advance = showing.enter_context(under_way("piloting", total=total, shown=not quiet))
                case StageProgressed(_, so_far):
                    advance(so_far - done)
                    done = so_far
                case Noted(text) if not quiet:
                    say_aside(text)
                case StageFinished(stage, summary) if not quiet:
                    say_aside(f"{stage}: {summary}")

        events.subscribe(hear)
        yield


def _show(made: Estimate) -> None:
    """The estimate for a person."""
    from agents.estimating.told import facts_told, next_told, pilot_told, table_told

    say("")
    say(pilot_told(made))
    say("")
    say(f"{made.wanted:,} {made.what} (in brackets: nine in ten forecasts)")
    say_facts({f"  {name}": value for name, value in facts_told(made).items()})
    if made.table:
        say("")
        say_table("what a budget brings", table_told(made))
    say("")
    for note in made.notes:
        say(f"note: {note}")
    for line in next_told(made):
        say(line)
