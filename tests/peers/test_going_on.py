"""A row that was answered is not asked again: after a stop half-way, and after the provider was another. Slow."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest

from engine import Reply, Request, Statistics
from engine.journal import peek
from tests.peers.peers import Peer, Weather
from tests.peers.script import PLAIN, Scripted

pytestmark = [pytest.mark.slow, pytest.mark.peers]

ROWS = 200


def requests() -> list[Request]:
    return [Request.user(f"{PLAIN} Row {i}.", max_tokens=24) for i in range(ROWS)]


AT_ONCE = 8


async def half(peer: Peer, journal: Path) -> int:
    """Ask all, and leave half-way; gives how many replies are on disk. What was in flight may have arrived or not."""
    taken = 0
    async with (
        peer.engine(journal=journal, concurrency=AT_ONCE) as engine,
        contextlib.aclosing(engine.map(requests(), ordered=False)) as outcomes,
    ):
        async for outcome in outcomes:
            outcome.unwrap()
            taken += 1
            if taken == ROWS // 2:
                break
    return peek(journal).replies


def test_what_was_answered_before_a_stop_is_not_asked_again(peer: Peer, tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"

    async def go() -> tuple[int, list[Reply], Statistics, int]:
        async with peer.under(Weather.CALM, Scripted()) as asked:
            stored = await half(peer, journal)
            async with peer.engine(journal=journal) as engine:
                replies = [outcome.unwrap() async for outcome in engine.map(requests())]
                return stored, replies, engine.statistics(), asked()

    stored, replies, statistics, asked = asyncio.run(go())

    assert ROWS // 2 <= stored < ROWS
    assert sum(reply.from_journal for reply in replies) == stored
    assert statistics.attempts == ROWS - stored
    assert ROWS <= asked <= ROWS + AT_ONCE
    assert peek(journal).answered_twice == 0
