"""What was paid for is in the journal: a newer reader asks nobody, another setting for what it changes alone. Slow."""

from __future__ import annotations

import asyncio
import json
import signal
from pathlib import Path

import pyarrow.parquet
import pytest

from engine.fakes.server import FakeProvider
from engine.journal import peek
from engine.prices import dollars
from engine.providers.resolve import world_named
from tests.nursery import MODULES, Ended, Nursery, files_of, generating, nursery

pytestmark = pytest.mark.slow


def rows_in(run: Path) -> int:
    return sum(pyarrow.parquet.read_table(run / "data" / f"{part}.parquet").num_rows for part in ("train", "test"))


def test_reading_again_asks_nobody_and_keeps_the_cap(tmp_path: Path) -> None:
    """A run that came to its end is the same again; one that was killed keeps what it has, and can go on asking."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"

    async def main() -> None:
        async with (
            FakeProvider(world_named("dates", seed=0), latency_scale=0.05) as fake,
            nursery(*MODULES) as children,
        ):
            assert (await children.order("smelt", {"words": generating(whole, fake.url)})).status == 0
            undisturbed, asked = files_of(whole), len(fake.audit.entries)
            again = await reread(children, whole)
            assert (again.status, again.err) == (0, "")
            assert files_of(whole) == undisturbed
            assert len(fake.audit.entries) == asked

            half = peek(whole / "journal.db").replies // 2
            dead = await children.order("smelt", {"words": generating(killed, fake.url)}, point=("charged", half))
            assert dead.status == -signal.SIGKILL
            left = peek(killed / "journal.db")
            manifest, asked = (killed / "run.toml").read_bytes(), len(fake.audit.entries)
            short = await reread(children, killed)
            assert short.status == 3
            assert short.err.endswith(f"to go on asking: smelt resume {killed}\n")
            assert 0 < rows_in(killed) < rows_in(whole)
            assert len(fake.audit.entries) == asked
            assert (killed / "run.toml").read_bytes() == manifest
            money = json.loads((killed / "report.json").read_bytes())["money"]
            charged = sum(tag.spent + tag.assumed for tag in left.by_tag.values()) + left.at_stake
            assert money["charged"] == dollars(charged)

            went_on = await resumed(children, killed)
            assert (went_on.status, went_on.err) == (0, "")
            assert files_of(killed) == undisturbed
            assert peek(killed / "journal.db").answered_twice == 0

    asyncio.run(main())


def test_another_setting_asks_again_for_nothing_but_what_it_changes(tmp_path: Path) -> None:
    """And what comes of it is what the run would have come to, had it begun with that setting."""
    run, fresh = tmp_path / "run", tmp_path / "fresh"

    async def main() -> None:
        async with (
            FakeProvider(world_named("dates", seed=0), latency_scale=0.02) as fake,
            nursery(*MODULES) as children,
        ):
            first = await children.order("smelt", {"words": generating(run, fake.url)})
            before = attempts_in(run)

            edit(run, "train_seconds = 150.0", "train_seconds = 60.0")  # of a stage that comes later
            later = await resumed(children, run)
            after_later = attempts_in(run)

            edit(run, "votes = 3", "votes = 5")
            voted = await resumed(children, run)
            after_voted = attempts_in(run)
            anew = await children.order("smelt", {"words": [*generating(fresh, fake.url), "--votes", "5"]})

            assert [each.status for each in (first, later, voted, anew)] == [0] * 4
            assert after_later == before
            assert {stage for stage in before if after_voted[stage] != before[stage]} == {"annotate"}
            assert after_voted["annotate"] < before["annotate"] + attempts_in(fresh)["annotate"]
            assert files_of(run) == files_of(fresh)
            assert peek(run / "journal.db").answered_twice == 0

    asyncio.run(main())


def attempts_in(run: Path) -> dict[str, int]:
    return {stage: totals.attempts for stage, totals in peek(run / "journal.db").by_tag.items()}


def edit(run: Path, old: str, new: str) -> None:
    text = (run / "run.toml").read_text()
    assert old in text
    (run / "run.toml").write_text(text.replace(old, new))


async def resumed(children: Nursery, run: Path) -> Ended:
    return await children.order("smelt", {"words": ["resume", str(run), "--quiet"]})


async def reread(children: Nursery, run: Path) -> Ended:
    return await children.order("smelt", {"words": ["resume", str(run), "--reparse", "--quiet"]})


def test_what_cannot_be_read_again_is_said_in_one_line(tmp_path: Path) -> None:
    async def main() -> list[Ended]:
        async with nursery("agents.cli") as children:
            words = [["resume", str(tmp_path), "--reparse"], ["resume", "x", "--reparse", "--budget", "5"]]
            return [await children.order("smelt", {"words": each}) for each in words]

    no_run, both = asyncio.run(main())

    assert (no_run.status, both.status) == (2, 2)
    assert "holds no run" in no_run.err
    assert "leave out --budget" in both.err
