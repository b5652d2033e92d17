"""Each peer is started once, when a test first wants it; one that is not installed is skipped, and says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.peers.peers import ANTHROPIC, PEERS, Peer, in_anthropics_dialect, missing

Started = Callable[[str], Peer]


@pytest.fixture(scope="session")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Started]:
    running: dict[str, Peer] = {}

    with ExitStack() as stack:

        def start(name: str) -> Peer:
            if reason := missing(name):
                pytest.skip(reason)
            if name not in running:
                running[name] = stack.enter_context(PEERS[name](tmp_path_factory.mktemp(name)))
            return running[name]

        yield start


@pytest.fixture(params=[*PEERS, *ANTHROPIC])
def peer(request: pytest.FixtureRequest, started: Started) -> Peer:
    if request.param not in ANTHROPIC:
        return started(request.param)
    name, model = ANTHROPIC[request.param]
    return in_anthropics_dialect(started(name), model=model)
