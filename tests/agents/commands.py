"""The command line as a test calls it: in this process, or in one of its own."""

from __future__ import annotations

import asyncio
import contextlib
import io
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from agents.cli import main
from tests.warm import Nest, nest, started

__all__ = ["Ran", "Smelt", "in_a_forked_process", "in_its_own_process", "in_this_process"]


@dataclass(frozen=True)
class Ran:
    """What came of a command."""

    code: int
    out: str
    err: str


Smelt = Callable[..., Ran]


def in_this_process(*words: object, given: bytes = b"") -> Ran:
    """`main` with its streams caught: quick, and with our own files under the eyes of the test.

    `given` is what it has to read on standard input.
    """
    caught = io.BytesIO(), io.BytesIO()
    out, err = (io.TextIOWrapper(stream, encoding="utf-8", write_through=True) for stream in caught)
    with (
        signals_as_before(),
        standard_input(given),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        main([str(word) for word in words])
    said, complained = (stream.getvalue().decode() for stream in caught)
    return Ran(int(str(ended.value.code)), said, complained)


@contextlib.contextmanager
def standard_input(given: bytes) -> Iterator[None]:
    """These bytes to read there, as a pipe would have them, in the place of the terminal of whoever runs the tests."""
    before, sys.stdin = sys.stdin, io.TextIOWrapper(io.BufferedReader(io.BytesIO(given)))
    try:
        yield
    finally:
        sys.stdin = before


@contextlib.contextmanager
def signals_as_before() -> Iterator[None]:
    """A command that has ended is deaf to signals; this process is not to be."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def in_its_own_process(*words: object) -> Ran:
    """`python -m agents`, as a shell would start it."""
    done = subprocess.run(
        [sys.executable, "-m", "agents", *map(str, words)], capture_output=True, text=True, stdin=subprocess.DEVNULL
    )
    return Ran(done.returncode, done.stdout, done.stderr)


def in_a_forked_process(*words: object) -> Ran:
    """The same, without the start of Python where that can be spared."""
    forks = nest()
    return in_its_own_process(*words) if forks is None else asyncio.run(_forked(forks, words))


async def _forked(forks: Nest, words: Sequence[object]) -> Ran:
    process = await started(forks, [str(word) for word in words], cwd=Path.cwd())
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
