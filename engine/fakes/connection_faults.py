"""Connections that break, and answers that come late, slowly, or never."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from random import Random
from typing import Final

from engine.fakes.case import Case, Ending, Pace, Served, Spoilt, Unread
from engine.fakes.chance import chance

__all__ = ["CONNECTION_FAULTS", "DELAYS", "UNREAD", "log_normal"]


def log_normal(median_s: float, *, sigma: float, draw: str) -> float:
    """A latency whose logarithm is spread by `sigma`; the same for the same draw, and never without end."""
    return median_s * math.exp(min(5.0, sigma * Random(draw).gauss(0.0, 1.0)))


def _ending(ending: Ending, _: Case, served: Served) -> Served:
    return replace(served, ending=ending)


def _later(case: Case, served: Served) -> Served:
    return replace(served, delay_s=served.delay_s + case.settings["seconds"])


def _latency(case: Case, served: Served) -> Served:
    seconds, sigma = case.settings["seconds"], case.settings["sigma"]
    return replace(served, delay_s=log_normal(seconds, sigma=sigma, draw=f"latency {chance(case.body, 'latency')}"))


def _drip(case: Case, served: Served) -> Served:
    return replace(served, pace=Pace(byte_s=case.settings["seconds"]))


def _stall_after_headers(case: Case, served: Served) -> Served:
    return replace(served, pace=Pace(after_head_s=case.settings["seconds"]))


def _broken(about: str, ending: Ending) -> Spoilt:
    return Spoilt(about=about, spoil=partial(_ending, ending))


UNREAD: Final[Mapping[str, Unread]] = {
    "refuse": Unread(
        about="the connection is reset, and for so many seconds nobody can connect (the control endpoint included)",
        settings={"seconds": 1.0},
        closes_the_door=True,
    ),
    "reset_unread": Unread(about="the connection is reset before the request is read"),
}

CONNECTION_FAULTS: Final[Mapping[str, Spoilt]] = {
    "reset": _broken("the connection is reset after the request was read", "reset"),
    "truncated": _broken("the connection closes in the middle of the body", "truncated"),
    "length_too_long": _broken("content-length says more than comes before the connection closes", "declared_longer"),
    "length_too_short": _broken("content-length says half of what comes", "declared_shorter"),
    "breaks_when_reused": _broken(
        "a good answer; whatever is sent on that connection afterwards is lost", "breaks_when_reused"
    ),
}

DELAYS: Final[Mapping[str, Spoilt]] = {
    "latency": Spoilt(
        about="the answer takes so many seconds; with sigma, log-normal around them",
        settings={"seconds": 1.0, "sigma": 0.0},
        spoil=_latency,
    ),
    "stall": Spoilt(about="the answer comes, so many seconds late", settings={"seconds": 30.0}, spoil=_later),
    "stall_after_headers": Spoilt(
        about="the head comes at once, the body so many seconds later",
        settings={"seconds": 30.0},
        spoil=_stall_after_headers,
    ),
    "drip": Spoilt(about="one byte every so many seconds", settings={"seconds": 0.1}, spoil=_drip),
    "hang": _broken("nothing ever comes", "hang"),
}
