"""A process that dies where it is told to. `python -m tests.victim` forks one for each order.

Orders come as JSON lines on standard input, and how each child ended goes out the same way:

    {"call": "ask", "with": {"url": ..., "trial": ..., "folder": ...}, "point": ["COMMIT", 3], "traced": true}
    {"pid": 4711}                           of a traced one only, which then waits for one more line
    {"status": -9, "out": "", "err": ""}

`point` names a place that the child passes, and how often it may: it kills itself, as `kill -9` would, the so-manieth
time. The places are those between any two steps of the journal and of an attempt (`Doom`). Nothing in the engine knows
of them: they hang on what it is handed, or on what it calls.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import resource
import signal
import sqlite3
import sys
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import IO, Any, NoReturn
from unittest import mock

from engine import Budget, Engine, Limits, Price, Request
from engine.clock import SystemClock
from engine.journal import journal, store
from engine.journal.mark import Mark
from engine.journal.records import Rows
from engine.journal.tables import connect
from engine.messages import RawReply
from engine.providers import Capabilities, Reading
from engine.providers.openai import OpenAI

IN_FLIGHT = 20
REQUESTS = 80
MAX_TOKENS = 40
SEEN = "seen.txt"  # which questions somebody has seen the answers of


def questions(trial: str, count: int = REQUESTS) -> list[Request]:
    """What a trial asks: no two trials ask the same."""
    return [Request.user(f"{trial}/{number}: how are you?", max_tokens=MAX_TOKENS) for number in range(count)]


class Doom:
    """Counts the places that are passed, and ends the process at the one it was told."""

    def __init__(self, name: str | None = None, passage: int = 0) -> None:
        self.passed: Counter[str] = Counter()
        self._name, self._passage = name, passage
        self._lock = threading.Lock()  # the journal has a thread of its own

    def reach(self, name: str) -> None:
        with self._lock:
            self.passed[name] += 1
            if name == self._name and self.passed[name] == self._passage:
                os.kill(os.getpid(), signal.SIGKILL)

    def hang_on_the_journal(self) -> None:
        """In this process, every statement, commit, mark and charge of a journal is a place to die at."""
        doom = self

        class Marked(Mark):
            def __init__(self, path: Path) -> None:
                super().__init__(path, sync=self._durable)
                doom.reach("locked")

            def write(self, commits: int, *, name: str) -> None:
                doom.reach("committed")
                super().write(commits, name=name)
                doom.reach("marked")

            def _durable(self, file: int) -> None:
                doom.reach("before the mark is durable")
                os.fsync(file)
                doom.reach("the mark is durable")

        def connected(database: str, *, uri: bool = False) -> sqlite3.Connection:
            connection = connect(database, uri=uri)
            connection.set_trace_callback(doom._reach_statement)
            return connection

        class Counted(store.Store):
            def commit(self, batch: Sequence[Rows]) -> None:
                super().commit(batch)
                for _ in filter(lambda rows: rows.charge, batch):  # however many rows a commit has
                    doom.reach("charged")

        mock.patch.multiple(store, Mark=Marked, connect=connected).start()
        mock.patch.object(journal, "Store", Counted).start()

    def _reach_statement(self, statement: str) -> None:
        """Before SQLite carries it out: "BEGIN", "INSERT INTO intent", "COMMIT"."""
        words = re.findall(r"\w+", re.sub(r"--.*", "", statement)[:60])
        self.reach(" ".join(words[: 3 if words[0] in {"INSERT", "CREATE", "PRAGMA"} else 1]))


class Watched:
    """OpenAI's dialect, and the places before and after a request is out."""

    simulated = False

    def __init__(self, model: str, url: str, doom: Doom) -> None:
        self._inner = OpenAI(model, base_url=url, api_key="nobody-s-key", clock=SystemClock())
        self._doom = doom

    @property
    def name(self) -> str:
        return self._inner.name

    @property
    def endpoint(self) -> str:
        return self._inner.endpoint

    @property
    def capabilities(self) -> Capabilities:
        return self._inner.capabilities

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        self._doom.reach("intended")
        raw = await self._inner.send(request, timeout_s=timeout_s)
        self._doom.reach("replied")
        return raw

    def read(self, request: Request, raw: RawReply) -> Reading:
        return self._inner.read(request, raw)

    async def aclose(self) -> None:
        await self._inner.aclose()


class Hurried(SystemClock):
    """Waits for a retry are a fiftieth as long."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds / 50)


def asked_of(model: str, url: str) -> str:
    """What the engine's keys name as the one who is asked."""
    provider = OpenAI(model, base_url=url, clock=SystemClock())
    return f"{provider.name} at {provider.endpoint}"


def ask(*, url: str, trial: str, folder: str, doom: Doom) -> None:
    """Ask all questions of a trial, and write the answers down, whole or not at all."""

    seen = os.open(Path(folder) / SEEN, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def session() -> list[str]:
        provider = Watched(trial, url, doom)
        texts = []
        async with Engine(
            provider,
            budget=Budget(usd=1),
            price=Price(input="0.25", output=2),
            limits=Limits(rpm=10_000_000),
            concurrency=IN_FLIGHT,
            journal=Path(folder) / "journal.db",
            clock=Hurried(),
        ) as engine:
            async for outcome in engine.map(questions(trial)):
                os.write(seen, outcome.request.messages[0].content.encode() + b"\n")  # a kill does not take it back
                doom.reach("seen")
                texts.append(outcome.unwrap().text)
        await provider.aclose()
        return texts

    doom.hang_on_the_journal()
    doom.reach("begun")
    texts = asyncio.run(session())
    doom.reach("ended")
    temporary = Path(folder) / "answers.new"
    temporary.write_text(json.dumps(texts))
    temporary.replace(Path(folder) / "answers.json")
    print(json.dumps(doom.passed))


def smelt(*, words: list[str], doom: Doom) -> None:
    """The command line, as if it had been typed."""
    from agents.cli import main

    doom.hang_on_the_journal()
    main(words)


def ask_in_batches(*, doom: Doom, **arguments: Any) -> None:
    """Ask through a batch endpoint."""
    from tests.batch_victim import ask_all

    ask_all(doom=doom, **arguments)


CALLS: dict[str, Callable[..., None]] = {"ask": ask, "smelt": smelt, "ask in batches": ask_in_batches}


# -- the parent, which never asks anything itself


def serve() -> None:
    """Carry out one order after the other, each in a child of its own."""
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            waits, goes = os.pipe()
            pid = os.fork()
            if pid == 0:
                carry_out(order, out=out.fileno(), err=err.fileno(), waits=waits)
            if order.get("traced"):
                say(pid=pid)
                sys.stdin.readline()
            os.write(goes, b"!")
            os.close(goes)
            os.close(waits)
            _, status = os.waitpid(pid, 0)
            say(status=os.waitstatus_to_exitcode(status), out=whole(out), err=whole(err))


def carry_out(order: dict[str, Any], *, out: int, err: int, waits: int) -> NoReturn:
    """In the child: never returns."""
    status = 1
    try:
        os.dup2(out, 1)
        os.dup2(err, 2)
        if order.get("largest_file"):
            resource.setrlimit(resource.RLIMIT_FSIZE, (order["largest_file"],) * 2)
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        os.read(waits, 1)
        CALLS[order["call"]](**order["with"], doom=Doom(*order.get("point", ())))
        status = 0
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else 0
    except BaseException:  # noqa: BLE001 - a child must end here whatever happens: what follows is the parent's
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def whole(file: IO[str]) -> str:
    file.seek(0)
    return file.read()


def say(**what: object) -> None:
    print(json.dumps(what), flush=True)


if __name__ == "__main__":
    for name in ("aiohttp", "encodings.idna", "tenacity", "tomllib", *sys.argv[1:]):
        import_module(name)  # once, for all children
    serve()
