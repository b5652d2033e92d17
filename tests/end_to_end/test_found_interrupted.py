"""A run that is killed while it rewrites rows of a data set ends in the same bytes, and pays nothing twice. Slow."""

from __future__ import annotations

import asyncio
import csv
import json
import signal
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from pyarrow import parquet

from agents.demo.conversation import read_conversation
from agents.demo.intents.routing import LABELS
from agents.demo.intents.world import Messages
from tests.end_to_end.commands import (
    INTENTS,
    Ended,
    Watched,
    data_of,
    ended,
    generating,
    signal_to,
    smelt,
    start,
    teacher,
)

pytestmark = pytest.mark.slow

RAW, LONG = 30, 150


def catalogue(folder: Path) -> Path:
    """A few rows that fit as they are, and mails that must be rewritten."""
    writer, rng = Messages(), Random(4)
    texts = [writer.write(rng.choice(LABELS), rng, temperature=1.0) for _ in range(RAW + LONG)]
    folder.mkdir()
    with (folder / "archive.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["ticket", "message", "queue"])
        table.writerows((n, text, writer.right(text).title()) for n, text in enumerate(texts[:RAW]))
    mails = [
        {"mail": f"{text} {'Yours faithfully, a customer of many years. ' * 9}", "n": n} for n, text in enumerate(texts)
    ]
    lines = (json.dumps(mail) + "\n" for mail in mails[RAW:])
    (folder / "mails.jsonl").write_text("".join(lines), encoding="utf-8")
    for name in ("archive", "mails"):
        (folder / f"{name}.md").write_text("Messages of customers to a parcel delivery service.", encoding="utf-8")
    return folder


def asked_for(world: Watched) -> Counter[str]:
    return Counter(type(read_conversation(messages)).__name__ for messages, _, _ in world.asked)


def test_a_run_killed_while_it_rewrites_rows_ends_in_the_same_bytes(tmp_path: Path) -> None:
    found = catalogue(tmp_path / "data")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    more = ("--catalogue", found, "--found-share", "0.4")

    def words(run: Path, url: str) -> list[object]:
        prompt, *rest = generating(run, *more, url=url)[1:]
        return ["generate", INTENTS / "prompt.md", *rest[:1], "openai/intents", *rest[2:]] if prompt else []

    async def in_one_go() -> tuple[Ended, Counter[str]]:
        world = Watched("intents")
        async with teacher(world) as fake:
            return await smelt(*words(whole, fake.url)), asked_for(world)

    async def kill_and_resume() -> tuple[Ended, Watched]:
        world = Watched("intents")
        async with teacher(world) as fake:
            process = await start(*words(killed, fake.url))
            world.when(60, lambda: signal_to(process, signal.SIGKILL))
            await ended(process)
            assert 0 < asked_for(world)["Rewrite"] < LONG
            (found / "mails.jsonl").unlink()  # what was read stays with the run
            return await smelt("resume", killed, "--quiet"), world

    done, kinds = asyncio.run(in_one_go())
    resumed, world = asyncio.run(kill_and_resume())

    assert (done.code, resumed.code) == (0, 0), done.err + resumed.err
    assert kinds["Rewrite"] >= 100
    assert data_of(killed) == data_of(whole)
    rows = [
        row
        for part in ("train", "validation", "test")
        for row in parquet.read_table(whole / f"data/{part}.parquet").to_pylist()
    ]
    origins = Counter(row["origin"] for row in rows)
    assert origins["transformed"] > 80
    assert 0 < origins["found"] <= RAW
    assert {row["dataset"] for row in rows if row["origin"] == "transformed"} == {"mails.jsonl"}
    assert world.asked_again <= 60  # what was in flight when it was killed, and nothing that was answered
