"""No test reaches a network: whatever connects to anything but this machine fails, by construction."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.at_once import at_once

LOOPBACK = ("127.", "::1", "localhost", "0.0.0.0")  # noqa: S104  # an address to compare with, not to listen on


def _forbid_the_network(event: str, arguments: tuple[object, ...]) -> None:
    if event != "socket.connect":
        return
    address = arguments[1]
    if isinstance(address, tuple) and not str(address[0]).startswith(LOOPBACK):
        raise RuntimeError(f"a test tried to connect to {address[0]}: tests run without a network")


# An audit hook sees every connection of this process, whatever library makes it, and replaces nothing.
sys.addaudithook(_forbid_the_network)

# Nor does any look into the catalogues of whoever runs them: a ranking there is not the one that ships.
_CACHE = tempfile.TemporaryDirectory(prefix="smelt-tests-")  # gone when this process is
os.environ["SMELT_CACHE"] = _CACHE.name

# Charts take a second a report: tests that look at them say so.
os.environ["SMELT_PLOTS"] = "0"

# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(scope="module", name="at_once")
def _at_once() -> Iterator[None]:
    with at_once():
        yield
