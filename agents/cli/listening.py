"""What else hears of a command, beside whoever watches it: `--log-file`, and an OpenTelemetry endpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from agents.cli.output import say_aside
from agents.listeners import heard_by
from engine.errors import UserError
from engine.text import clean

if TYPE_CHECKING:
    from engine.log_file import LogFile
    from engine.open_telemetry import OpenTelemetry

__all__ = ["OPTION", "listening", "without_log_file"]

OPTION = "--log-file"


def without_log_file(arguments: Sequence[str]) -> tuple[list[str], str | None]:
    """The words of a command without this option, which may stand anywhere, and the file that it named."""
    words, named = list(arguments), None
    end = words.index("--") if "--" in words else len(words)
    for place in reversed(range(end)):
        name, is_one_word, value = words[place].partition("=")
        if name == OPTION and is_one_word:
            named = named or value
            del words[place]
        elif words[place] == OPTION and place + 1 < end:
            named = named or words[place + 1]
            del words[place : place + 2]
    return words, named


@contextmanager
def listening(log_file: str | None, *, command: str) -> Iterator[None]:
    """Within the block everything that is announced goes there, too; with the end of the command, however it ends."""
    telemetry = _Telemetry(command)
    try:
        with _log_of(log_file, command=command) if log_file else nullcontext(), heard_by(telemetry.made):
            yield
    finally:
        telemetry.close()


@contextmanager
def _log_of(path: str, *, command: str) -> Iterator[None]:
    import logging
    from importlib.metadata import version

    from engine.log_file import LogFile, secrets_in

    log = LogFile(path, secrets=secrets_in(os.environ))
    everywhere = logging.getLogger()
    everywhere.addHandler(log)
    log.write(logging.INFO, {"event": "CommandStarted", "command": command, "version": version("smelt")})
    try:
        with heard_by(lambda: log):
            yield
    except BaseException as error:  # told to the log whatever it is, Ctrl-C too, and raised on
        _tell_end(log, logging.ERROR, error)
        raise
    else:
        log.write(logging.INFO, {"event": "CommandEnded", "command": command})
    finally:
        everywhere.removeHandler(log)
        log.close()


def _tell_end(log: LogFile, level: int, error: BaseException) -> None:
    said = {"error": type(error).__name__, "message": clean(str(error), limit=1000)}
    log.write(level, {"event": "CommandFailed", **said, "exit_code": getattr(error, "exit_code", None)})


class _Telemetry:
    """Made when there is something to hear, so that nobody else waits for the packages that it takes."""

    def __init__(self, command: str) -> None:
        self._command = command
        self._asked = False
        self._made: OpenTelemetry | None = None

    def made(self) -> OpenTelemetry | None:
        if not self._asked and any(name.startswith("OTEL_EXPORTER_OTLP") for name in os.environ):
            from engine.open_telemetry import OpenTelemetry

            try:
                self._made = OpenTelemetry.from_environment(os.environ, title=f"smelt {self._command}")
            except UserError as error:  # somebody else's setting, as a rule: no reason not to run
                say_aside(f"note: {error}")
        self._asked = True
        return self._made

    def close(self) -> None:
        if self._made is not None:
            self._made.close()
            if self._made.trouble is not None:
                say_aside(f"note: OpenTelemetry: not all was sent: {self._made.trouble}")
