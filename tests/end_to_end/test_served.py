"""A student that serves with a teacher behind it, killed in the midst, and the run that goes on from what it served."""

from __future__ import annotations

import asyncio
import re
import shutil
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from pyarrow import parquet

from agents.demo.held_out import held_out
from agents.demo.intents.world import _MESSAGES
from agents.parsing.specs import read_spec
from agents.records import Spec
from agents.run_folder import RunFolder
from agents.served.folder import served_annotations
from tests.end_to_end.commands import Ended, Watched, ended, smelt, start, teacher
from tests.warm import Started

pytestmark = pytest.mark.slow

ASKED = 30
KILLED_AT = 12  # answers


def inputs() -> list[str]:
    """Inputs of the task that are neither the run's nor those that judge it, which are the first four hundred."""
    return [pair.input for pair in held_out(_MESSAGES, count=400 + ASKED)[400:]]


async def address_of(process: Started) -> str:
    assert process.stdout is not None
    line = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
    found = re.search(r"http://\S+/v1", line)
    assert found, line
    return found[0]


async def answers(url: str, texts: list[str], *, on_answer: Any = lambda _: None) -> list[dict[str, Any]]:
    """What came back, all asked at the same time; nothing for those that were cut off."""
    got: list[dict[str, Any]] = []

    async def ask(session: aiohttp.ClientSession, text: str) -> None:
        body = {"messages": [{"role": "user", "content": text}]}
        try:
            async with session.post(f"{url}/chat/completions", json=body) as reply:
                got.append({"input": text, **(await reply.json())["choices"][0]})
                on_answer(len(got))
        except aiohttp.ClientError:
            return

    async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as group:
        for text in texts:
            group.create_task(ask(session, text))
    return got


def serving(run: Path, url: str) -> tuple[object, ...]:
    return (
        "serve", run, "--port", 0, "--fallback", "openai/intents", "--base-url", url, "--price-in", "0.25",
        "--price-out", "2", "--budget", "1", "--confidence", "1",
    )  # fmt: skip


def labelled(run: Path) -> dict[str, str]:
    spec: Spec = read_spec(run / "spec.json")
    found = served_annotations(RunFolder(run / "served"), spec)
    return {each.input: each.vote.winner for each in found if each.vote is not None}


def test_a_server_that_is_killed_loses_no_paid_answer_and_the_next_run_pays_for_none_again(
    routed: tuple[Path, Ended], tmp_path: Path
) -> None:
    run = shutil.copytree(routed[0], tmp_path / "routing")
    world = Watched("intents")
    texts = inputs()

    async def serve_and_die() -> tuple[list[dict[str, Any]], dict[str, str]]:
        async with teacher(world, latency_scale=0.2) as fake:
            process = await start(*serving(run, fake.url))
            url = await address_of(process)
            got = await answers(url, texts, on_answer=lambda count: process.kill() if count == KILLED_AT else None)
            await ended(process)
            return got, labelled(run)

    async def serve_again_and_stop() -> tuple[list[dict[str, Any]], int, str]:
        async with teacher(world, latency_scale=0.2) as fake:
            before = world.asked.total()
            process = await start(*serving(run, fake.url))
            url = await address_of(process)
            got = await answers(url, texts)
            async with aiohttp.ClientSession() as session, session.get(url.replace("/v1", "/metrics")) as reply:
                figures = await reply.text()
            process.terminate()
            assert (await ended(process)).code == 0
            return got, world.asked.total() - before, figures

    first, kept = asyncio.run(serve_and_die())
    paid = {each["input"]: each["message"]["content"] for each in first if each["smelt"]["by"] == "teacher"}
    assert len(paid) >= KILLED_AT
    assert paid.items() <= kept.items()

    second, asked, figures = asyncio.run(serve_again_and_stop())
    assert len(second) == ASKED
    assert {each["smelt"]["by"] for each in second} == {"teacher"}
    assert asked <= ASKED - len(paid)
    assert 'smelt_answers_total{by="teacher"} 30' in figures

    before = world.asked.total()
    words = ("run", "--continue", run, "--model", "simulated/intents", "--student", "linear")
    done = asyncio.run(smelt(*words, "--out", tmp_path / "next", "--json"))
    rows = [
        row
        for part in ("train", "validation", "test")
        for row in parquet.read_table(tmp_path / "next" / "data" / f"{part}.parquet").to_pylist()
    ]
    served = {row["input"]: row["output"] for row in rows if row["origin"] == "served"}
    taken = parquet.read_table(run / "data" / "train.parquet").num_rows

    assert done.code == 0, done.err
    assert world.asked.total() == before
    assert served.items() <= labelled(run).items()
    assert len(served) >= ASKED // 2
    assert len(rows) > taken
    assert done.table()["data"]["origins"]["served"] == len(served)  # type: ignore[index]
    assert "asked of a student that served" in " ".join(done.table()["details"])  # type: ignore[arg-type]
