"""The command line: one function a sub-command, errors as one line, exit codes at the bottom.

0 done · 1 our bug · 2 bad input or usage · 3 budget reached before the target · 4 provider refused · 130 interrupted
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from agents.cli import looking, making, students
from engine.errors import SmeltError
from engine.text import clean

__all__ = ["app", "main"]

app = typer.Typer(
    name="smelt",
    help="Pour in a prompt, draw off a small model.",
    epilog="Start with: smelt run PROMPT.md --model openai/NAME --budget 5",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
for commands in (making, students, looking):
    commands.register(app)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"smelt {version('smelt')}")
        raise typer.Exit


@app.callback()
def _top(
    version: bool = typer.Option(
        False, "--version", callback=_version, is_eager=True, help="Say the version and stop."
    ),
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error."),
) -> None:
    """Pour in a prompt, draw off a small model."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(_run(given, debug="--debug" in given))


def _run(arguments: list[str], *, debug: bool) -> int:
    # --debug may stand anywhere, since it is typed after something has gone wrong.
    arguments = [argument for argument in arguments if argument != "--debug"]
    command = typer.main.get_command(app)
    try:
        code = command.main(args=arguments, prog_name="smelt", standalone_mode=False)
    except (KeyboardInterrupt, typer.Abort):
        return _failed("interrupted; continue a run with: smelt resume RUN", code=130)
    except SmeltError as error:
        return _failed(str(error), code=error.exit_code, debug=debug)
    except TyperException as error:
        return _failed(error.format_message(), code=2, debug=debug)
    except BrokenPipeError:
        # Whoever read our output has gone: not an error of anybody's. Python would complain again while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # noqa: BLE001 - whatever else is a bug of ours: said in one line, with the way to tell us more
        kind = type(error).__name__
        return _failed(f"a bug in Smelt ({kind}: {error}); --debug shows where", code=1, debug=debug)
    return code if isinstance(code, int) else 0


def _failed(message: str, *, code: int, debug: bool = False) -> int:
    if debug:
        traceback.print_exc()
    print(f"smelt: {clean(message, limit=1000)}", file=sys.stderr)  # noqa: T201
    return code
