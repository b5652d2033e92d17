"""How servers that others wrote refuse, and that each refusal has its own name here. Slow."""

from __future__ import annotations

import asyncio

import pytest

from engine import Engine, Request, Statistics
from engine.errors import AuthenticationRefused, ConfigurationRefused, ContextOverflow, SmeltError
from tests.peers.peers import Peer, Weather
from tests.peers.script import PLAIN, TOO_LONG, UNKNOWN_MODEL, Scripted

pytestmark = [pytest.mark.slow, pytest.mark.peers]


def refusals(
    peer: Peer, engine: Engine, *texts: str, weather: Weather = Weather.CALM
) -> tuple[list[SmeltError], Statistics]:
    async def ask() -> tuple[list[SmeltError], Statistics]:
        async with peer.under(weather, Scripted()), engine:
            requests = [Request.user(text, max_tokens=24) for text in texts]
            errors = [outcome.error async for outcome in engine.map(requests)]
            return [error for error in errors if error is not None], engine.statistics()

    return asyncio.run(ask())


def test_a_wrong_key_stops_everything_and_costs_nothing(peer: Peer) -> None:
    peer.must("key")
    wrong = "sk-wrong-0123456789abcdef"

    errors, statistics = refusals(peer, peer.engine(api_key=wrong), *(f"{PLAIN} {i}" for i in range(5)))

    assert {type(error) for error in errors} == {AuthenticationRefused}
    assert len(errors) == 5
    assert (statistics.spent, statistics.assumed) == (0, 0)
    assert wrong not in "".join(map(str, errors))


def test_a_model_that_is_not_there_stops_everything_and_costs_nothing(peer: Peer) -> None:
    """Some say so under a status that may mean anything: then it is everything once the first three were refused."""
    peer.must("model")

    errors, statistics = refusals(peer, peer.engine(model=UNKNOWN_MODEL), *(f"{PLAIN} {i}" for i in range(40)))

    assert len(errors) == 40
    assert isinstance(errors[-1], ConfigurationRefused)
    assert (statistics.spent, statistics.assumed) == (0, 0)


def test_what_is_too_long_costs_its_row_alone_and_no_money(peer: Peer) -> None:
    peer.must("long")

    errors, statistics = refusals(peer, peer.engine(), f"{TOO_LONG} {'word ' * 50}", weather=Weather.NARROW)

    assert [type(error) for error in errors] == [ContextOverflow]
    assert (statistics.spent, statistics.assumed) == (0, 0)
