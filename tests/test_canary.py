"""A key in the environment, every failure provoked, every byte written or printed searched: found nowhere. Slow.

The whole command line, in processes of its own, against servers that quote the key in every way they can. Searched are
standard output and error, every file below the run, the working, the home and the cache folder, what parquet and SQLite
hold inside of them, and the words that the process list shows.
"""

from __future__ import annotations

import asyncio
import base64
import html
import json
import os
import signal
import sqlite3
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, quote_plus

import pyarrow.parquet
import pytest
from aiohttp import web

from engine.fakes.faults import FaultRates
from engine.fakes.server import FakeProvider
from engine.providers.resolve import world_named

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
PROMPT = ROOT / "agents" / "demo" / "dates" / "prompt.md"
KEYS = {
    "OPENAI_API_KEY": "sk-canary/Qz7+wK4=Vd9%Xb2.Lm5~Rj8_yHc/4Gp6",
    "ANTHROPIC_API_KEY": "sk-ant-canary03-Yt6Zr1Wc8-Nf5Bk2_Ej9Ua7Ho4Si",
}
PRICES = ("--price-in", "0.25", "--price-out", "2", "--budget", "5")
FAULTS = FaultRates(error=0.08, reset=0.08, stall=0.02, truncated=0.08, garbled=0.08, error_under_200=0.02)


def forms_of(key: str) -> dict[str, bytes]:
    """The key in every way in which it could be found again."""
    plain = key.encode()
    forms = {
        "plain": plain,
        "in capitals": plain.upper(),
        "in small letters": plain.lower(),
        "in a URL": quote(key, safe="").encode(),
        "in a form": quote_plus(key).encode(),
        "in JSON": json.dumps(key)[1:-1].encode(),
        "in JSON, slashes escaped": json.dumps(key)[1:-1].replace("/", "\\/").encode(),
        "in JSON escapes": "".join(f"\\u{ord(letter):04x}" for letter in key).encode(),
        "in HTML": html.escape(key).encode(),
        "as Python writes it": repr(key)[1:-1].encode(),
        "in UTF-16": key.encode("utf-16-le"),
    }
    for before in range(3):  # what base64 makes of it, wherever in a group of three bytes it begins
        first, last = -(-before * 8 // 6), (before + len(plain)) * 8 // 6
        for name, encode in (("base64", base64.b64encode), ("base64 for URLs", base64.urlsafe_b64encode)):
            forms[f"in {name}, {before} bytes in"] = encode(bytes(before) + plain)[first:last]
    return forms


FORMS = {(variable, name): form for variable, key in KEYS.items() for name, form in forms_of(key).items()}


@dataclass
class Seen:
    """Everything that a command wrote and printed, by where it was."""

    place: Path
    printed: dict[str, bytes] = field(default_factory=dict)

    def everything(self) -> Iterator[tuple[str, bytes]]:
        yield from self.printed.items()
        for path in self.place.rglob("*"):
            yield f"the name of {path}", str(path).encode()
            if path.is_file():
                yield str(path), path.read_bytes()
                yield str(path), inside_of(path)

    def leaks(self) -> list[str]:
        """Which key stands where, and how; in words that do not repeat it."""
        return sorted(
            {
                f"{variable} {name} in {where}"
                for where, content in self.everything()
                for (variable, name), form in FORMS.items()
                if form in content
            }
        )


def inside_of(path: Path) -> bytes:
    """What a file holds that is not plain to see: parquet compresses its cells, and SQLite may store them in pieces."""
    if path.suffix == ".parquet":
        return json.dumps(pyarrow.parquet.read_table(path).to_pylist(), ensure_ascii=False, default=str).encode()
    if path.suffix == ".db":
        with closing(sqlite3.connect(path)) as database:
            tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = [row for name in tables for row in database.execute(f"SELECT * FROM {name}")]  # noqa: S608
        cells = (cell for row in rows for cell in row)
        return b"\n".join(cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells)
    return b""


# -- servers


@dataclass
class Quoting:
    """Quotes the key that it was sent, in every form, in the body, in headers and in where it redirects to."""

    status: int
    quoted: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        self.asked.set()
        key = request.headers.get("x-api-key") or request.headers["authorization"].removeprefix("Bearer ")
        told = [form.decode("utf-8", "replace") for form in forms_of(key).values() if b"\x00" not in form]
        self.quoted += 1
        said = json.dumps([f"{number}: call me on 3 May 2021, {text}" for number, text in enumerate(told)])
        body: dict[str, object] = {"error": {"message": said, "code": key, "type": key, "param": key}}
        if self.status == 200:
            body = completion(said) if "authorization" in request.headers else message(said)
        headers = {"location": f"/else?key={quote(key, safe='')}&raw={key}", "x-request-id": key, "request-id": key}
        # Escaped in part, as some libraries do it, so that the key stands there in both ways.
        content = json.dumps(body | {"again": key.replace("/", "\\/"), "quoted": told}).replace("\\\\/", "\\/")
        return web.Response(status=self.status, body=content.encode(), headers=headers)


def completion(said: str) -> dict[str, object]:
    usage = {"prompt_tokens": 5, "completion_tokens": 5}
    choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
    return {"model": said, "choices": [choice], "usage": usage}


def message(said: str) -> dict[str, object]:
    usage = {"input_tokens": 5, "output_tokens": 5}
    return {"model": said, "content": [{"type": "text", "text": said}], "stop_reason": "end_turn", "usage": usage}


@asynccontextmanager
async def serving(quoting: Quoting) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", quoting.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


# -- commands


@dataclass
class Shell:
    """A place of its own, with the keys in its environment."""

    place: Path
    seen: Seen = field(init=False)
    turns: int = 0

    def __post_init__(self) -> None:
        for name in ("work", "home", "cache"):
            (self.place / name).mkdir(parents=True)
        self.seen = Seen(self.place)

    async def start(self, *words: object, code: str | None = None) -> Process:
        program = ("-m", "agents") if code is None else ("-c", code)
        environment = os.environ | KEYS | {
            "HOME": str(self.place / "home"), "XDG_CACHE_HOME": str(self.place / "cache"), "PYTHONFAULTHANDLER": "1",
        }  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, *program, *map(str, words), cwd=self.place / "work", env=environment, stdin=DEVNULL,
            stdout=PIPE, stderr=PIPE,
        )  # fmt: skip
        self.seen.printed[f"the words of {process.pid}"] = words_of(process)
        return process

    async def ended(self, process: Process) -> int:
        async with asyncio.timeout(120):
            out, err = await process.communicate()
        self.turns += 1
        self.seen.printed[f"standard output of command {self.turns}"] = out
        self.seen.printed[f"standard error of command {self.turns}"] = err
        assert process.returncode is not None
        return process.returncode

    async def run(self, *words: object, code: str | None = None) -> int:
        return await self.ended(await self.start(*words, code=code))


def words_of(process: Process) -> bytes:
    """As the process list shows them to everybody."""
    return Path(f"/proc/{process.pid}/cmdline").read_bytes()


def generating(url: str, *more: object, dialect: str = "openai", out: str = "run") -> tuple[object, ...]:
    return ("generate", PROMPT, "--model", f"{dialect}/dates", "--base-url", url, *PRICES, "--out", out, *more)


def in_a_shell(place: Path, work: Callable[[Shell], object]) -> Seen:
    async def main() -> Seen:
        shell = Shell(place)
        await work(shell)  # type: ignore[misc]  # a coroutine
        return shell.seen

    return asyncio.run(main())


def test_the_search_finds_a_key_wherever_it_is_planted(tmp_path: Path) -> None:
    """Otherwise finding nothing would mean nothing."""
    for number, form in enumerate(FORMS.values()):
        (tmp_path / f"{number}.txt").write_bytes(b"abc" + form + b"def")
    rows = pyarrow.table({"a": [KEYS["ANTHROPIC_API_KEY"]] * 9})
    pyarrow.parquet.write_table(rows, tmp_path / "rows.parquet", compression="zstd")

    leaks = Seen(tmp_path, {"standard error": KEYS["OPENAI_API_KEY"].encode()}).leaks()

    assert {leak.partition(" in /")[0] for leak in leaks} >= {f"{variable} {name}" for variable, name in FORMS}
    assert any("rows.parquet" in leak for leak in leaks)
    assert any("standard error" in leak for leak in leaks)


AFTERWARDS = """
from contextlib import suppress
from agents.cli import main
for words in (["export", "run", "--requests"], ["report", "run", "--json", "--debug"]):
    with suppress(SystemExit):
        main(words)
"""
ENDS = {200: {0, 2}, 302: {4}, 400: {4}, 401: {4}, 403: {4}, 404: {4}, 429: {130}, 500: {130}, 529: {130}}


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_a_server_that_quotes_the_key_gets_it_written_down_nowhere(tmp_path: Path, dialect: str) -> None:
    """Weather is waited for, until somebody is tired of it; everything else ends the run."""

    async def quoted(status: int, code: set[int], at_once: asyncio.Semaphore) -> list[str]:
        shell, quoting = Shell(tmp_path / str(status)), Quoting(status)
        async with at_once, serving(quoting) as url:
            process = await shell.start(*generating(url, "--examples", 20, "--debug", dialect=dialect))
            if code == {130}:
                await quoting.asked.wait()
                await asyncio.sleep(0.5)
                process.send_signal(signal.SIGINT)
            assert await shell.ended(process) in code, shell.seen.printed
            await shell.run(code=AFTERWARDS)
            assert quoting.quoted > 0
        return shell.seen.leaks()

    async def main() -> list[list[str]]:
        at_once = asyncio.Semaphore(3)
        return await asyncio.gather(*(quoted(status, code, at_once) for status, code in ENDS.items()))

    assert asyncio.run(main()) == [[]] * len(ENDS)


def test_a_run_through_every_fault_a_kill_and_a_resume_writes_the_key_down_nowhere(tmp_path: Path) -> None:
    async def work(shell: Shell) -> None:
        world = world_named("dates", seed=0)
        async with FakeProvider(world, latency_scale=0.2, faults=FAULTS, stall_s=0.3) as fake:
            process = await shell.start(*generating(fake.url, "--examples", 100))
            while len(fake.audit.entries) < 20:  # noqa: ASYNC110 - it has no event for that
                await asyncio.sleep(0.02)
            process.send_signal(signal.SIGABRT)  # and Python tells where it was
            assert await shell.ended(process) == -signal.SIGABRT
            assert await shell.run("resume", "run", "--debug") == 0
            assert await shell.run("export", "run", "--requests", "--out", "requests.jsonl") == 0
            assert await shell.run("report", "run") == 0
            assert await shell.run("train", "run/data/train.parquet", "--seconds", "6", "--threads", "1") == 0
            assert await shell.run("doctor") == 0
            assert len({entry.fault for entry in fake.audit.entries if entry.fault}) >= 4
            assert all(entry.key for entry in fake.audit.entries)

    seen = in_a_shell(tmp_path, work)

    assert b"Fatal Python error: Aborted" in b"".join(seen.printed.values())
    assert seen.leaks() == []


def test_whatever_else_goes_wrong_the_key_is_told_nowhere(tmp_path: Path) -> None:
    """Another key is wanted, nobody listens, the address holds the key, a bug of ours, an answer that never comes."""

    async def work(shell: Shell) -> None:
        async with FakeProvider(world_named("dates", seed=0), api_key="another") as fake:
            assert await shell.run(*generating(fake.url, "--debug", out="refused")) == 4
        async with FakeProvider(world_named("dates", seed=0), latency_s=30) as fake:
            assert await shell.run(code=late(fake.url)) == 0
        assert await shell.run(*generating("http://127.0.0.1:9/v1", "--debug", out="silent")) == 4
        key = KEYS["ANTHROPIC_API_KEY"]
        assert await shell.run(*generating(f"https://{key}@127.0.0.1/v1", "--debug", out="a")) == 2
        assert await shell.run(*generating(f"https://127.0.0.1/v1?key={key}", "--debug", out="b")) == 2
        (shell.place / "work" / "smelt.toml").write_text("api_key = 5\n")
        assert await shell.run(*generating("http://127.0.0.1:9/v1", "--config", "smelt.toml", "--debug", out="c")) == 2
        assert await shell.run(code=BUG) == 1
        for command in ("--help", "--version"):
            assert await shell.run(command) == 0
        # What somebody typed is shown by the process list, whatever we do.
        for name in [name for name in shell.seen.printed if name.startswith("the words of")]:
            del shell.seen.printed[name]

    seen = in_a_shell(tmp_path, work)

    printed = b"".join(seen.printed.values())
    assert b"a bug in Smelt (RuntimeError" in printed
    # Which of the two comes first depends on how busy the machine is.
    assert b"no complete reply within 0.2 s" in printed or b"no answer within 0.5 s" in printed
    assert printed.count(b"Traceback (most recent call last)") >= 5
    assert seen.leaks() == []


BUG = f"""
import sys
from agents.parsing import parse
from agents.cli import main
def boom(*_):
    raise RuntimeError("boom")
parse.parse = boom
main(["parse", {str(PROMPT)!r}, "--debug"])
"""


def late(url: str) -> str:
    """An engine whose attempts time out, and what Python says of that."""
    return f"""
import asyncio, logging, os, traceback
from engine import Engine, Price, Request
logging.basicConfig(level=0)
async def main():
    async with Engine("openai/m", base_url={url!r}, api_key=None, price=Price(input=0, output=0), deadline_s=0.5,
                      attempt_timeout_s=0.2, journal="late.db") as engine:
        try:
            await engine.ask(Request.user("hello"))
        except Exception:
            traceback.print_exc()
        print(engine, vars(engine), engine.statistics())
asyncio.run(main(), debug=True)
"""
