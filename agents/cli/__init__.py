"""The command line: one function a sub-command, errors as one line, exit codes at the bottom.

0 done · 1 our bug · 2 bad input or usage · 3 budget reached before the target · 4 provider refused · 130 interrupted
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import traceback
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from agents.cli.commands import Group
from agents.cli.completion import VARIABLE, InstallOption, ShowOption, offer_words
from agents.cli.listening import OPTION, listening, without_log_file
from agents.cli.optional import in_full
from agents.cli.options import examples
from agents.cli.output import print_json
from agents.interrupts import INTERRUPTED, leave, stopped_by_signals
from engine.errors import SmeltError
from engine.text import clean, meant

__all__ = ["app", "main"]

app = typer.Typer(
    name="smelt",
    cls=Group,
    help="Pour in a prompt, draw off a small model.",
    epilog=examples(
        "smelt doctor",
        "smelt run prompt.md --model openai/gpt-5.4-mini --budget 5",
        "smelt run --help",
    ),
    add_completion=False,  # of our own: theirs knows no way out where no shell is recognised
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)


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
    debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error; may stand anywhere."),
    log_file: str | None = typer.Option(
        None, OPTION, metavar="FILE", help="Append what happens, as JSON lines; may stand anywhere."
    ),
    install_completion: InstallOption = False,
    show_completion: ShowOption = False,
) -> None:
    """Pour in a prompt, draw off a small model."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    _settle_streams()
    _keep_to_ourselves()
    stopped_by_signals()
    code = _run(given, debug="--debug" in given, json="--json" in given)
    leave(code)


def _settle_streams() -> None:
    """A terminal of an old encoding loses a letter rather than the line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _keep_to_ourselves() -> None:
    """Libraries may count their users: not ours. Whoever wants them to has set the variable by then."""
    for variable, off in (("HF_HUB_DISABLE_TELEMETRY", "1"), ("GRADIO_ANALYTICS_ENABLED", "False")):
        os.environ.setdefault(variable, off)


def _run(arguments: list[str], *, debug: bool, json: bool) -> int:
    # --debug may stand anywhere, since it is typed after something has gone wrong.
    arguments = [argument for argument in arguments if argument != "--debug"]
    arguments, log_file = without_log_file(in_full(arguments))
    arguments = arguments or ["--help"]
    try:
        command = typer.main.get_command(app)
        if VARIABLE in os.environ:
            offer_words(command)
        with listening(log_file, command=arguments[0]):
            code = command.main(args=arguments, prog_name="smelt", complete_var=VARIABLE, standalone_mode=False)
        sys.stdout.flush()
    except (BrokenPipeError, SystemExit):  # typer makes the second of the first, and ends with it what Tab asked
        # Whoever read our output has gone: not an error of anybody's. Python would complain again while closing.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    except (KeyboardInterrupt, typer.Abort):
        return _failed("interrupted", code=INTERRUPTED, debug=debug, json=json)
    except SmeltError as error:
        return _failed(str(error), code=error.exit_code, debug=debug, json=json)
    except TyperException as error:
        return _failed(_usage(error), code=2, debug=debug, json=json)
    except OSError as error:  # a full disk, a place that cannot be written: the machine's, not a bug
        return _failed(f"{error.filename or 'the system'}: {error.strerror or error}", code=2, debug=debug, json=json)
    except Exception as error:  # noqa: BLE001 - whatever else is a bug of ours: said in one line, with the way to tell us more
        kind = type(error).__name__
        return _failed(f"a bug in Smelt ({kind}: {error}); --debug shows where", code=1, debug=debug, json=json)
    return code if isinstance(code, int) else 0


def _usage(error: TyperException) -> str:
    """What was wrong with the words of the command, and where they are explained."""
    context = getattr(error, "ctx", None)  # usage errors have one
    if context is None:
        return f"{error.format_message()} (see smelt --help)"
    told, wrong = error.format_message(), getattr(error, "option_name", None)
    if wrong is not None and hasattr(error, "possibilities"):  # an option that there is not: theirs are in no order
        known = [name for option in context.command.get_params(context) for name in option.opts]
        told = f"No such option: {wrong}{meant(wrong, known)}"
    return f"{told} (see {context.command_path} --help)"


def _failed(message: str, *, code: int, debug: bool, json: bool) -> int:
    """The line for a person on standard error, and the one for a program, if it asked for one, on standard output."""
    if debug:
        traceback.print_exc()
    line = clean(message, limit=1000)
    try:
        print(f"smelt: {line}", file=sys.stderr)  # noqa: T201
    except OSError:  # a log on the very disk that is full: then the exit code must do, which Python would change
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    if json:
        with contextlib.suppress(OSError):  # whoever reads there has gone, or the disk is full: it has been said above
            print_json({"error": line, "exit_code": code})
    return code
