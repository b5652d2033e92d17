"""Commands without the start of Python: each is forked from a process that has imported what most of them need.

Starting Python and importing takes a second of a processor, many times what most commands then do. What is forked is
a process of its own in everything else: its words, its folder, its streams, its signals, how it ends. With
SMELT_COLD=1 there are none of these, and tests start every command as a shell would.
"""

from __future__ import annotations

import asyncio
import atexit
import contextlib
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, NamedTuple, Protocol

from agents.reporting import page
from tests.nursery import MODULES

ROOT = Path(__file__).parents[1]
LONGEST = 2**17  # bytes of an order


class Forked(NamedTuple):
    """A command under way: its process, and a pipe that will hold how it ended."""

    pid: int
    status: IO[bytes]


class Nest:
    """The process that forks, for this one; it ends with it."""

    def __init__(self) -> None:
        self.environment = environment_now()
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", str(theirs.fileno())], cwd=ROOT, pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment,
            )  # fmt: skip  # pipes, as the streams of each command are: what cannot be sought stays so
        atexit.register(self._close)

    def fork(self, words: Sequence[str], *, out: int, err: int, cwd: Path) -> Forked:
        """Begin a command whose streams are these files; nothing is typed to it."""
        ours, theirs = os.pipe()
        with Path(os.devnull).open("rb") as nothing:
            order = json.dumps({"words": list(words), "cwd": str(cwd)}).encode()
            socket.send_fds(self._socket, [order], [nothing.fileno(), out, err, theirs])
        os.close(theirs)
        status = os.fdopen(ours, "rb")
        return Forked(int(status.readline()), status)

    def _close(self) -> None:
        self._socket.close()
        self._process.communicate()


def environment_now() -> dict[str, str]:
    """This process's, without keys and without what pytest writes there for every test."""
    unwanted = ("PYTEST_CURRENT_TEST",)
    return {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY") and name not in unwanted}


@cache
def _nest() -> Nest:
    return Nest()


def nest() -> Nest | None:
    """What forks commands here; None where each has to be started afresh.

    For libraries read the environment while they are imported, so a test that changes it has commands of its own.
    """
    if os.environ.get("SMELT_COLD") or not hasattr(os, "fork") or not hasattr(socket, "send_fds"):
        return None
    found = _nest()
    return found if afresh(found.environment) == afresh(environment_now()) else None


def afresh(environment: dict[str, str]) -> dict[str, str]:
    """Without what only the start of Python reads."""
    return {name: value for name, value in environment.items() if name != "PYTHONPATH"}


class Started(Protocol):
    """A command under way, as asyncio has it."""

    @property
    def pid(self) -> int: ...
    @property
    def returncode(self) -> int | None: ...
    @property
    def stdout(self) -> asyncio.StreamReader | None: ...
    async def communicate(self) -> tuple[bytes, bytes]: ...
    def kill(self) -> None: ...
    def terminate(self) -> None: ...


class Warm:
    """A forked command, as asyncio has those that it starts."""

    def __init__(self, pid: int, out: asyncio.StreamReader, err: asyncio.StreamReader, end: asyncio.Task[int]) -> None:
        self.pid = pid
        self.stdout: asyncio.StreamReader | None = out
        self._out, self._err = out, err
        self._end = end

    @property
    def returncode(self) -> int | None:
        return self._end.result() if self._end.done() else None

    async def communicate(self) -> tuple[bytes, bytes]:
        out, err, _ = await asyncio.gather(self._out.read(), self._err.read(), self._end)
        return out, err

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def terminate(self) -> None:
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        if self.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)


async def started(nest: Nest, words: Sequence[str], *, cwd: Path) -> Warm:
    """Fork a command and read what it prints."""
    (out, outer), (err, errer) = os.pipe(), os.pipe()
    forked = nest.fork(words, out=outer, err=errer, cwd=cwd)
    os.close(outer)
    os.close(errer)
    status = await reading(forked.status)
    outs, errs = await reading(os.fdopen(out, "rb")), await reading(os.fdopen(err, "rb"))
    return Warm(forked.pid, outs, errs, asyncio.create_task(told(status)))


async def told(status: asyncio.StreamReader) -> int:
    return int(await status.read())


async def reading(pipe: IO[bytes]) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=2**26)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), pipe)
    return reader


# -- the process that forks


def serve(orders: socket.socket) -> None:
    """Fork a child for each order, which waits for the command that it forks and says how that ended."""
    signal.signal(signal.SIGCHLD, lambda *_: reap())
    while True:
        order, files, _, _ = socket.recv_fds(orders, LONGEST, 4)
        if not order:
            return
        if os.fork() == 0:
            orders.close()
            wait_for(json.loads(order), files)
            return
        for file in files:
            os.close(file)


def reap() -> None:
    """Let go of children that have ended; what they took of the processor is then counted."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass


def wait_for(order: dict[str, object], files: Sequence[int]) -> None:
    """Fork the command and wait for it; returns in the command alone, when it has been carried out."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    *streams, status = files
    pid = os.fork()
    if pid == 0:
        os.close(status)
        carry_out(order, streams)
        return
    for each in streams:
        os.close(each)
    os.write(status, f"{pid}\n".encode())
    _, code = os.waitpid(pid, 0)
    os.write(status, str(os.waitstatus_to_exitcode(code)).encode())
    os._exit(0)


def carry_out(order: dict[str, object], streams: Sequence[int]) -> None:
    from agents.cli import main

    for number, file in enumerate(streams):
        os.dup2(file, number)
        os.close(file)
    os.chdir(str(order["cwd"]))
    random.seed()
    words = order["words"]
    assert isinstance(words, list)
    sys.argv[1:] = words
    main(words)


if __name__ == "__main__":
    for name in MODULES:
        import_module(name)
    page._environment().get_template("report.html")  # compiled once
    serve(socket.socket(fileno=int(sys.argv[1])))
