"""Servers that fail now and then, or that limit as they are told to: no row is lost, and few are turned away. Slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import Limits, Request, Statistics
from tests.peers.peers import MESSAGE, Limited, Peer, Weather, missing, mocklimit
from tests.peers.script import PLAIN, Scripted

pytestmark = [pytest.mark.slow, pytest.mark.peers]

ROWS = 200


def rows(peer: Peer, count: int, *, weather: Weather, **how: object) -> tuple[int, Statistics, int, float]:
    """How many rows were answered, how the engine stood then, what the peer counted, and how long it took."""

    async def ask() -> tuple[int, Statistics, int, float]:
        async with peer.under(weather, Scripted()) as asked, peer.engine(**how) as engine:
            began = time.monotonic()
            requests = (Request.user(f"{PLAIN} Row {i}.", max_tokens=24) for i in range(count))
            answered = sum([outcome.reply is not None async for outcome in engine.map(requests)])
            return answered, engine.statistics(), asked(), time.monotonic() - began

    return asyncio.run(ask())


def test_where_some_requests_fail_every_row_is_answered_all_the_same(peer: Peer) -> None:
    peer.must("storm")

    answered, statistics, asked, _ = rows(peer, ROWS, weather=Weather.STORM)

    assert answered == ROWS
    assert sum(statistics.failures.values()) > 0
    assert statistics.attempts == ROWS + sum(statistics.failures.values())
    assert asked >= statistics.attempts  # a proxy may have tried again by itself


def test_where_some_are_turned_away_every_row_is_answered_all_the_same(peer: Peer) -> None:
    peer.must("rush")

    answered, statistics, asked, _ = rows(peer, ROWS, weather=Weather.RUSH)

    assert answered == ROWS
    assert set(statistics.failures) == {"rate"}
    assert asked == statistics.attempts


def told(name: str) -> dict[str, str]:
    return {what: f"x-ratelimit-{what}-{name}" for what in ("limit", "remaining", "reset")}


OPENAI = Limited(
    strategy="fixed_window",
    limits=(
        {"dimension": "requests", "limit": 900, "window_seconds": 60, "headers": told("requests")},
        {"dimension": "prompt_tokens", "limit": 10**6, "window_seconds": 60, "headers": told("tokens")},
    ),
    format={"reset": "go_duration", "retry_after": {"header": "retry-after-ms", "unit": "milliseconds"}},
)
ANTHROPIC = Limited(
    strategy="token_bucket",
    limits=tuple(
        {
            "dimension": dimension,
            "capacity": a_minute,
            "refill_rate": a_minute / 60,
            "headers": {what: f"anthropic-ratelimit-{name}-{what}" for what in ("limit", "remaining", "reset")},
        }
        for dimension, name, a_minute in (
            ("requests", "requests", 900),
            ("input_tokens", "input-tokens", 10**6),
            ("output_tokens", "output-tokens", 10**5),
        )
    ),
    format={"reset": "rfc3339", "retry_after": {"header": "retry-after", "unit": "seconds"}},
    errors="anthropic",
    path="/messages",
    usage=("input_tokens", "output_tokens"),
    answer=MESSAGE,
    api="anthropic",
)
SILENT = Limited(
    strategy="sliding_window",
    limits=({"dimension": "requests", "limit": 40, "window_seconds": 2},),
    errors="google",
)


@pytest.fixture
def limited(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Peer]:
    if reason := missing("mocklimit"):
        pytest.skip(reason)
    with mocklimit(tmp_path, request.param) as peer:
        yield peer


@pytest.mark.parametrize(
    "limited", [pytest.param(OPENAI, id="openai"), pytest.param(ANTHROPIC, id="anthropic")], indirect=True
)
def test_a_limit_that_is_told_is_kept_from_the_first_reply_on(limited: Peer) -> None:
    answered, statistics, asked, took_s = rows(limited, ROWS, weather=Weather.CALM)

    assert (answered, asked) == (ROWS, ROWS)
    assert statistics.failures == {}
    assert statistics.limits.rpm == 900
    assert took_s > 0.5 * ROWS / 900 * 60  # a slow machine only makes it longer


@pytest.mark.parametrize("limited", [pytest.param(SILENT, id="silent")], indirect=True)
def test_a_limit_that_is_not_told_is_found(limited: Peer) -> None:
    answered, statistics, asked, _ = rows(limited, 2 * ROWS, weather=Weather.CALM)

    assert answered == 2 * ROWS
    assert set(statistics.failures) == {"rate"}
    assert asked == statistics.attempts


@pytest.mark.parametrize("limited", [pytest.param(SILENT, id="silent")], indirect=True)
def test_a_limit_that_only_the_user_knows_is_kept(limited: Peer) -> None:
    answered, statistics, asked, _ = rows(limited, ROWS, weather=Weather.CALM, limits=Limits(rpm=1000))

    assert (answered, asked) == (ROWS, ROWS)
    assert statistics.failures == {}
