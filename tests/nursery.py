"""Children that die or suffer where they are told to: the side of the tests, with strace where it may be used."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]

LONGEST = 2**26  # bytes that a child may print

# What the whole command line makes in these tests, and what of Smelt it needs for that.
ROWS = 80
FILES = ("data/train.parquet", "data/validation.parquet", "data/test.parquet", "data/rejected.parquet", "spec.json")
MODULES = (
    "agents.cli", "agents.cli.making", "agents.cli.prompt_files", "agents.cli.reporting", "agents.cli.watching",
    "agents.demo.dates.world", "agents.demo.intents.world", "agents.pipeline", "agents.reporting.report",
    "engine.dashboard.storing", "engine.providers.resolve",
    "aiohttp", "encodings.idna", "httpcore", "httpx", "huggingface_hub", "jinja2", "multiprocessing", "numpy.ma",
    "numpy.random", "numpy.typing", "pandas", "pyarrow.compute", "pyarrow.pandas_compat", "pyarrow.parquet",
    "pydantic", "rank_bm25", "regex", "rensa", "rich.live", "rich.progress", "rich.syntax", "tenacity", "tomlkit",
    "typer._adapters", "zoneinfo",
)  # fmt: skip

# What asking in batches needs besides, in both dialects.
OF_BATCHES = (
    "anthropic", "anyio._backends._asyncio", "asyncio_throttle", "engine.providers.anthropic_batches",
    "engine.providers.openai_batches", "httpcore2", "openai", "openai.resources", "opentelemetry.propagate", "tenacity",
)  # fmt: skip

Point = tuple[str, int]


@dataclass(frozen=True)
class Ended:
    """How a child ended."""

    status: int
    out: str
    err: str

    @property
    def killed(self) -> bool:
        return self.status == -signal.SIGKILL


class Nursery:
    """A process that forks a child for each order: one at a time."""

    def __init__(self, process: Process) -> None:
        self._process = process

    async def order(
        self, call: str, arguments: object, *, point: Point | None = None, largest_file: int | None = None
    ) -> Ended:
        """Have a child do something, to be killed at a point if one is given; `largest_file` is what it may write."""
        self._say(call, arguments, point=point or (), largest_file=largest_file)
        return Ended(**await self._hear())

    async def order_traced(self, call: str, arguments: object, *, inject: str) -> Ended:
        """The same, with something done to its system calls by strace; they are counted by thread.

        inject="fsync:signal=KILL:when=3"       dies before the third fsync of a thread
        inject="pwrite64:error=ENOSPC:when=9+"  from the ninth write on, the disk is full
        """
        self._say(call, arguments, traced=True)
        pid = (await self._hear())["pid"]
        async with traced(pid, inject):
            self._go()
            return Ended(**await self._hear())

    def _go(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"\n")

    def _say(self, call: str, arguments: object, **more: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"call": call, "with": arguments, **more}).encode() + b"\n")

    async def _hear(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        async with asyncio.timeout(60):
            heard: dict[str, Any] = json.loads(await self._process.stdout.readline())
        return heard


@asynccontextmanager
async def nursery(*modules: str) -> AsyncIterator[Nursery]:
    """With these modules imported already."""
    environment = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.victim",
        *modules,
        stdin=PIPE,
        stdout=PIPE,
        cwd=ROOT,
        env=environment,
        limit=LONGEST,
    )
    try:
        yield Nursery(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


@asynccontextmanager
async def traced(pid: int, inject: str) -> AsyncIterator[None]:
    syscall = inject.partition(":")[0]
    command = ("strace", "-f", "-o", "/dev/null", "-e", f"trace={syscall}", "-e", f"inject={inject}", "-p", str(pid))
    strace = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE)
    assert strace.stderr is not None
    attached = await strace.stderr.readline()
    assert b"attached" in attached, attached
    try:
        yield
    finally:
        await strace.wait()


def killing(syscall: str, passage: int) -> str:
    """What has strace kill a process before the so-manieth time that one of its threads makes a system call."""
    return f"{syscall}:signal=KILL:when={passage}"


def strace_refusal() -> str | None:
    """Why strace cannot be used here, or None."""
    if shutil.which("strace") is None:
        return "there is no strace on this machine"
    probe = ["strace", "-o", "/dev/null", "-e", "trace=fsync", "-e", "inject=fsync:signal=KILL:when=1", sys.executable]
    done = subprocess.run([*probe, "-c", "import os; os.fsync(os.open('.', 0))"], capture_output=True, text=True)
    return None if done.returncode == -signal.SIGKILL else f"strace may not be used here: {done.stderr.strip()[-200:]}"


def generating(
    run: Path, url: str, *more: object, dialect: str = "openai", budget: str = "5", rows: int = ROWS
) -> list[str]:
    """The words that make data with a teacher behind HTTP."""
    prompt = ROOT / "agents" / "demo" / "dates" / "prompt.md"
    prices = ("--price-in", "0.25", "--price-out", "2", "--budget", budget)
    teacher = ("--model", f"{dialect}/dates", "--base-url", url, *prices)
    return [str(word) for word in ("generate", prompt, *teacher, "--examples", rows, "--out", run, "--quiet", *more)]


def files_of(run: Path) -> dict[str, bytes]:
    return {name: (run / name).read_bytes() for name in FILES}
