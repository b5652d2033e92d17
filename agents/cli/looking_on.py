"""The commands that look on from another terminal: watch, runs. They read, and nobody waits for them."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.options import JsonOption, PlainOption, examples
from agents.cli.output import print_json, say, say_table

if TYPE_CHECKING:
    from rich.console import Console

    from agents.run_folder import RunFolder
    from agents.run_state import RunState
    from engine.dashboard.surfaces import Painted

__all__ = ["register"]

LOOK_EVERY_S = 1.0
LINE_EVERY_S = 10.0


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("smelt watch runs/dates", "smelt watch runs/dates --plain"))(watch)
    app.command(epilog=examples("smelt runs", "smelt runs --json"))(runs)


def watch(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="The folder of a run, whoever carries it.")],
    plain: PlainOption = False,
    json: JsonOption = False,
) -> int:
    """Look on at a run from another terminal. It only reads; q leaves, and the run goes on."""
    from agents.run_folder import RunFolder
    from agents.run_state import look_at
    from engine.dashboard.live import chosen_surface
    from engine.dashboard.surfaces import Painted

    folder = RunFolder(run)
    state = look_at(folder)
    if json:
        print_json(_as_json(state))
        return 0
    surface = chosen_surface(_console(), plain=plain, state=state.told())
    if isinstance(surface, Painted):
        state = _watch_painted(folder, state, surface)
    else:
        state = _watch_lines(folder, state)
    say(f"{folder.path}: {state.told()}")
    return 0


def _watch_painted(folder: RunFolder, state: RunState, surface: Painted) -> RunState:
    """The picture, until the run ends or whoever looks on leaves."""
    from agents.run_state import look_at

    lock = threading.Lock()  # of nobody else's
    surface.begin(state.view, lambda _text: None)
    try:
        while not state.is_over and not surface.is_left:
            surface.tell_state(state.told())
            surface.show(state.view, state.figures, lock)
            surface.wait(LOOK_EVERY_S, state.view, lock)
            state = look_at(folder)
    finally:
        surface.tell_state(state.standing)
        surface.end(state.view, state.figures)
    return state


def _watch_lines(folder: RunFolder, state: RunState) -> RunState:
    """A line now and then, until the run ends."""
    from agents.run_state import look_at
    from engine.dashboard.lines import standing_told

    said = ""
    while True:
        line = standing_told(state.view, state.figures)
        if line != said:
            say(line)
            sys.stdout.flush()
        said = line
        if state.is_over:
            return state
        time.sleep(LINE_EVERY_S)
        state = look_at(folder)


def runs(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", show_default=False, help="Where the runs lie (runs).")
    ] = Path("runs"),
    json: JsonOption = False,
) -> None:
    """List runs with their state, spend and score."""
    from agents.run_state import runs_in

    tables = [_described(each) for each in runs_in(folder)]
    if json:
        print_json({"runs": tables})
        return
    say_table(
        f"runs in {folder}",
        [{"run": str(table["run"]), **{name: _cell(table[name]) for name in COLUMNS}} for table in tables],
    )


COLUMNS = ("state", "rows", "spent", "teacher", "score")


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _described(folder: RunFolder) -> dict[str, object]:
    """One run for the list; of one that cannot be read, why not."""
    from agents.run_state import headline, look_at
    from engine.errors import SmeltError

    try:
        state = look_at(folder)
    except SmeltError as error:
        return {"run": str(folder.path), **dict.fromkeys(COLUMNS), "state": f"unreadable: {error}"}
    return {**_as_json(state), "score": headline(folder)}


def _as_json(state: RunState) -> dict[str, object]:
    from engine.prices import dollars, in_full

    figures, view = state.figures, state.view
    spent = None
    if figures is not None:
        of = "" if figures.cap is None else f" of {in_full(figures.cap)}"
        spent = f"{dollars(figures.spent + figures.assumed)}{of}"
    wanted = next((stage.total for stage in view.stages if stage.name == view.rows_of), None)
    return {
        "run": str(state.folder.path),
        "state": state.standing,
        "told": state.told(),
        "rows": f"{view.accepted:,}" + (f" of {wanted:,}" if wanted else ""),
        "accepted": view.accepted,
        "wanted": wanted,
        "spent": spent,
        "spent_usd": None if figures is None else figures.cost_usd,
        "teacher": view.model,
        "stage": None if view.current is None else view.current.name,
    }


def _console() -> Console:
    from rich.console import Console as RichConsole

    return RichConsole(file=sys.stdout, highlight=False, emoji=False, markup=False)
