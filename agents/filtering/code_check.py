"""Whether answers that should be code are code: they parse, or they run to their end, in a process with limits.

Only `run` runs anything. What is not covered: this is no sandbox. Code that is run may read what you may read, write
into its own empty folder and what else you may write, and reach the network. It is for code that you would run
yourself.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, Literal, NamedTuple, get_args

from engine.errors import UserError
from engine.text import meant

__all__ = ["Kind", "check_code", "kind_of"]

Kind = Literal["javascript", "json", "python", "regex", "run", "sql", "toml", "xml", "yaml"]
"""What an answer must be: text of a language that parses (Python's regular expressions, SQL as SQLite reads it, YAML
that is more than a word), or with `run` Python that runs to its end without an error."""

SECONDS = 5  # of the processor, for one program
PATIENCE_S = 20.0  # beyond that, for one program, asleep or on a busy machine
MEGABYTES = 1024
LONGEST_TOLD = 120  # characters of what went wrong

_FENCED = re.compile(r"\s*```[\w+-]*\n(.*?)\n?```\s*", re.DOTALL)

_LIMITED = """
import resource, sys
for what, most in ((resource.RLIMIT_CPU, {seconds}), (resource.RLIMIT_AS, {bytes}), (resource.RLIMIT_FSIZE, 1 << 20),
                   (resource.RLIMIT_NOFILE, 64), (resource.RLIMIT_CORE, 0)):
    hard = resource.getrlimit(what)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(what, (most, hard))
"""

# A program a language, which says of each line, a code as JSON, what is wrong with it, as JSON.
_PARSING = """
import json, warnings
warnings.simplefilter("ignore")
{parser}
for line in sys.stdin:
    try:
        parse(json.loads(line))
        problem = None
    except SyntaxError as error:
        problem = f"{{error.msg}} (line {{error.lineno}})" if error.lineno else error.msg
    except Exception as error:  # each parser has errors of its own, and all are to be told
        problem = " ".join(f"{{type(error).__name__}}: {{error}}".split())
    print(json.dumps(problem and problem[:{most}]), flush=True)
"""
_PARSERS: Mapping[str, str] = {
    "python": "from ast import parse",
    "regex": "from re import compile as parse",
    "toml": "from tomllib import loads as parse",
    "xml": "from xml.etree.ElementTree import fromstring as parse",
    "yaml": """
import yaml
def parse(code):
    events = list(yaml.parse(code, Loader=yaml.SafeLoader))  # aliases are not filled in
    if not any(isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)) for event in events):
        raise ValueError("neither names with values nor a list")
""",
    "sql": """
import sqlite3
database = sqlite3.connect(":memory:")
def parse(code):
    begun = ""
    for piece in (code.strip().rstrip(";") + ";").split(";")[:-1]:
        begun += piece + ";"
        if sqlite3.complete_statement(begun):
            explain(begun)
            begun = ""
    if begun.strip(";"):
        explain(begun)
def explain(statement):
    try:
        database.execute("EXPLAIN " + statement)
    except sqlite3.Error as error:
        # That there is no such table is no fault of the statement.
        if any(fault in str(error) for fault in ("syntax error", "incomplete input", "unrecognized token")):
            raise
""",
}
_NODE = """
const vm = require("node:vm");
for (const line of require("node:fs").readFileSync(0, "utf8").split("\\n").slice(0, -1)) {
  let problem = null;
  try {
    const code = JSON.parse(line);
    try { new vm.Script(code); }
    catch (error) { if (!/\\b(import|export|await)\\b/.test(code)) throw error; new vm.SourceTextModule(code); }
  } catch (error) { problem = `${error.name}: ${error.message}`.slice(0, 120); }
  process.stdout.write(JSON.stringify(problem) + "\\n");
}
"""
_RUNNING = """
exec(compile(sys.stdin.read(), "answer", "exec"), {"__name__": "__main__"})
"""


def kind_of(told: str) -> Kind:
    """The kind by its name. Raises UserError for another word."""
    for kind in get_args(Kind):
        if told == kind:
            return kind  # type: ignore[no-any-return]  # one of the literals
    raise UserError(f"--code {told}: is none of {', '.join(get_args(Kind))}{meant(told, get_args(Kind))}")


def check_code(answers: Sequence[str], kind: Kind) -> list[str | None]:
    """For each answer what is wrong with it as code, or None. A fence around the whole answer is taken off first."""
    codes = [match[1] if (match := _FENCED.fullmatch(answer)) else answer for answer in answers]
    if kind == "json":
        return [_json_problem(code) for code in codes]
    if kind != "run":
        return _parse_problems(codes, kind)
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(_run_problem, codes))


def _json_problem(code: str) -> str | None:
    try:
        json.loads(code)
    except (ValueError, RecursionError) as error:
        return str(error)[:LONGEST_TOLD]
    return None


def _parse_problems(codes: Sequence[str], kind: Kind) -> list[str | None]:
    """All in one process; one that breaks it, as nests of thousands of brackets do, is named, and the rest goes on."""
    problems: list[str | None] = []
    while len(problems) < len(codes):
        waiting = codes[len(problems) :]
        lines = "".join(json.dumps(code) + "\n" for code in waiting)
        done = _parsed(lines, kind, seconds=SECONDS + len(waiting) // 100)
        problems.extend(json.loads(line) for line in done.said.splitlines())
        if len(problems) < len(codes):
            problems.append("breaks the parser")
    return [problem and problem[:LONGEST_TOLD] for problem in problems]


def _parsed(lines: str, kind: Kind, *, seconds: int) -> _Done:
    if kind != "javascript":
        return _processed(
            _PARSING.format(parser=_PARSERS[kind], most=LONGEST_TOLD), lines, seconds=seconds, packages=kind == "yaml"
        )
    if (node := shutil.which("node")) is None:
        raise UserError("--code javascript: needs node to parse it; install Node.js, or leave --code out")
    told = [node, "--max-old-space-size=512", "--experimental-vm-modules", "--no-warnings", "-e", _NODE]
    # It claims addresses by the terabyte, so that its memory is for itself to limit.
    program = f"""
import os
hard = resource.getrlimit(resource.RLIMIT_AS)[1]
resource.setrlimit(resource.RLIMIT_AS, (hard, hard))
os.execv({node!r}, {told!r})
"""
    return _processed(program, lines, seconds=seconds)


def _run_problem(code: str) -> str | None:
    done = _processed(_RUNNING, code, seconds=SECONDS, heard=False)
    if done.code is None:
        return f"does not end within {PATIENCE_S + SECONDS:.0f} s"
    if done.code < 0:
        return _ENDS.get(signal.Signals(-done.code), f"ended by {signal.Signals(-done.code).name}")
    said = done.complained.strip().splitlines()
    return None if done.code == 0 else (said[-1] if said else f"ended with {done.code}")[:LONGEST_TOLD]


_ENDS = {signal.SIGXCPU: f"takes more than {SECONDS} s of the processor"}


class _Done(NamedTuple):
    """How a process ended: its status, None for one that had to be killed, and what it said."""

    code: int | None
    said: str
    complained: str


def _processed(program: str, given: str, *, seconds: int, heard: bool = True, packages: bool = False) -> _Done:
    """A Python of its own: no environment, an empty folder, limits, and killed with all it began.

    It sees no `packages` but the standard library unless they are asked for. What it says goes through files, whose
    size is limited, too.
    """
    limits = _LIMITED.format(seconds=seconds, bytes=MEGABYTES << 20)
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as complained,
    ):
        asked.write(given.encode("utf-8", "surrogatepass"))
        asked.seek(0)
        child = subprocess.Popen(  # noqa: S603 - on purpose, within limits, and only where asked for
            [sys.executable, "-I", *([] if packages else ["-S"]), "-c", limits + program],
            cwd=folder,
            env={},
            stdin=asked,
            stdout=said if heard else subprocess.DEVNULL,
            stderr=complained,
            start_new_session=True,
        )
        code = _ended(child, seconds=PATIENCE_S + seconds)
        return _Done(code, *(_text(file) for file in (said, complained)))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", "replace")


def _ended(child: subprocess.Popen[bytes], *, seconds: float) -> int | None:
    """The status of a process, None when it did not end in time; whatever it has started ends with it."""
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
