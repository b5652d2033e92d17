"""A row that was answered is not asked again: after a stop half-way, and after the provider was another. Slow."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from pathlib import Path

import pytest

from engine import Request, Statistics
from engine.journal import peek
from tests.end_to_end.commands import DATES, Ended, Watched, data_of, generating, rows_in, smelt, stopped_at
from tests.end_to_end.commands import ROWS as COMMAND_ROWS
from tests.peers.conftest import Started
from tests.peers.peers import PEERS, Peer, Weather
from tests.peers.script import PLAIN, Scripted

pytestmark = [pytest.mark.slow, pytest.mark.peers]

AT_ONCE = 4


def requests(count: int) -> list[Request]:
    return [Request.user(f"{PLAIN} Row {i}.", max_tokens=24) for i in range(count)]


async def half(peer: Peer, journal: Path, *, rows: int) -> int:
    """Ask all, and leave half-way; gives how many replies are on disk. What was in flight may have arrived or not."""
    taken = 0
    async with (
        peer.engine(journal=journal, concurrency=AT_ONCE) as engine,
        contextlib.aclosing(engine.map(requests(rows), ordered=False)) as outcomes,
    ):
        async for outcome in outcomes:
            outcome.unwrap()
            taken += 1
            if taken == rows // 2:
                break
    return peek(journal).replies


async def the_rest(peer: Peer, journal: Path, *, rows: int, formers: tuple[str, ...] = ()) -> tuple[int, Statistics]:
    """Ask all again, to the end; gives how many of them the journal has answered."""
    async with peer.engine(journal=journal, formers=formers) as engine:
        replies = [outcome.unwrap() async for outcome in engine.map(requests(rows))]
        return sum(reply.from_journal for reply in replies), engine.statistics()


def test_what_was_answered_before_a_stop_is_not_asked_again(peer: Peer, tmp_path: Path) -> None:
    journal, rows = tmp_path / "journal.db", peer.rows

    async def go() -> tuple[int, int, Statistics, int]:
        async with peer.under(Weather.CALM, Scripted()) as asked:
            stored = await half(peer, journal, rows=rows)
            recalled, statistics = await the_rest(peer, journal, rows=rows)
            return stored, recalled, statistics, asked()

    stored, recalled, statistics, asked = asyncio.run(go())

    assert rows // 2 <= stored == recalled < rows
    assert statistics.attempts == rows - stored
    assert rows <= asked <= rows + AT_ONCE
    assert peek(journal).answered_twice == 0


@pytest.mark.parametrize(("first", "then"), list(zip(PEERS, [*list(PEERS)[1:], *PEERS], strict=False)))
def test_after_a_swap_in_the_middle_nothing_is_lost_and_nothing_paid_again(
    started: Started, tmp_path: Path, first: str, then: str
) -> None:
    journal, one, other = tmp_path / "journal.db", started(first), started(then)
    rows = min(one.rows, other.rows)

    async def go() -> tuple[int, int, int, Statistics, int]:
        async with one.under(Weather.CALM, Scripted()) as asked_of_one:
            stored = await half(one, journal, rows=rows)
            before = asked_of_one()
            async with other.under(Weather.CALM, Scripted()) as asked_of_other:
                formers = one.engine().asked_of
                recalled, statistics = await the_rest(other, journal, rows=rows, formers=formers)
                return stored, asked_of_one() - before, recalled, statistics, asked_of_other()

    stored, late, recalled, statistics, asked = asyncio.run(go())

    assert rows // 2 <= stored == recalled < rows
    assert asked == statistics.attempts == rows - stored
    assert late <= AT_ONCE  # a proxy may pass on what was given up
    assert peek(journal).answered_twice == 0


def test_a_run_goes_on_behind_another_server_and_ends_as_if_it_had_not(started: Started, tmp_path: Path) -> None:
    """Two servers that hand on what they are asked, each to a teacher with the same truth, over the command line."""
    run, aimock, litellm = tmp_path / "run", started("aimock"), started("litellm")
    one, other, alone = Watched("dates"), Watched("dates"), tmp_path / "alone"
    one.latency_s = 0.05
    dialect = tmp_path / "smelt.toml"
    dialect.write_text('[dialects.ours]\nlike = "plain"\nn = false\n', encoding="utf-8")

    async def go() -> tuple[Ended, Ended, Ended]:
        async with aimock.under(Weather.CALM, one), litellm.under(Weather.CALM, other):
            words = generating(run, "--dialect", "ours", "--config", dialect, url=aimock.url)
            stopped = await stopped_at(one, 60, signal.SIGINT, words, key=aimock.key)
            there = ("--model", f"openai/{litellm.model}", "--base-url", litellm.url, "--dialect", "litellm")
            swapped = await smelt("resume", run, *there, "--price-in", 1, "--price-out", 2, key=litellm.key)
        whole = ("--model", "simulated/dates", "--examples", COMMAND_ROWS, "--out", alone, "--quiet")
        return stopped, swapped, await smelt("generate", DATES / "prompt.md", *whole)

    stopped, swapped, undisturbed = asyncio.run(go())

    assert (stopped.code, swapped.code, undisturbed.code) == (130, 0, 0), swapped.err
    assert not one.asked & other.asked
    assert one.asked_again == other.asked_again == 0
    assert rows_in(data_of(run)) == rows_in(data_of(alone))
    assert "simulated teacher" in (run / "data" / "README.md").read_text(encoding="utf-8")
