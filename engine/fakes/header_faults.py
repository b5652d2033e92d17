"""Headers that lie: limits that are not told, out of date or nonsense; and redirects."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

from engine.fakes.case import Case, Refused, Served, Spoilt
from engine.fakes.limits import Standing
from engine.messages import SIMULATED_HEADER

__all__ = ["HEADER_FAULTS", "REDIRECTS"]

_STRANGE: Final = {"limit": "many", "remaining": "NaN", "reset": "soon"}
_PRETENDED: Final = (Standing("requests", 600, 600, 0.0), Standing("tokens", 100_000, 100_000, 0.0))
_NEVER_ABSENT: Final = {"content-type", SIMULATED_HEADER}  # nobody is to take a simulated answer for a real one


def _told(case: Case) -> dict[str, str]:
    """Headers of limits as the dialect writes them; what they say is not true."""
    return case.dialect.limit_headers(_PRETENDED, wall=case.wall)


def _stale(case: Case, served: Served) -> Served:
    """As if nobody had ever asked for anything."""
    return replace(served, headers={**served.headers, **_told(case)})


def _negative(case: Case, served: Served) -> Served:
    wrong = {name: value if "limit-requests" in name else "-1" for name, value in _told(case).items()}
    return replace(served, headers={**served.headers, **wrong})


def _malformed(case: Case, served: Served) -> Served:
    wrong = {name: next(text for part, text in _STRANGE.items() if part in _tail(name)) for name in _told(case)}
    return replace(served, headers={**served.headers, **wrong, "retry-after": "a while"})


def _tail(name: str) -> str:
    """Past the family: its own name has the word `limit` in it."""
    return name.partition("ratelimit-")[2]


def _absent(_: Case, served: Served) -> Served:
    return replace(served, headers={name: value for name, value in served.headers.items() if name in _NEVER_ABSENT})


def _huge(case: Case, served: Served) -> Served:
    return replace(served, headers={**served.headers, "x-padding": "x" * (int(case.settings["kilobytes"]) << 10)})


def _redirect(status: int, case: Case) -> Served:
    return Served(status, {**case.headers, "location": str(case.settings["location"])}, b"")


HEADER_FAULTS: Final[Mapping[str, Spoilt]] = {
    "headers_absent": Spoilt(
        about="no header but the content's type and length, and the mark of a simulation", spoil=_absent
    ),
    "headers_stale": Spoilt(about="limits told as if nothing had been used of them", spoil=_stale),
    "headers_negative": Spoilt(about="limits of which -1 is left", spoil=_negative),
    "headers_malformed": Spoilt(about="limits that are no numbers, waits that are no times", spoil=_malformed),
    "huge_header": Spoilt(about="one header of 300 KB", settings={"kilobytes": 300}, spoil=_huge),
}

REDIRECTS: Final[Mapping[str, Refused]] = {
    f"redirect-{status}": Refused(
        about=f"{status}, to a place that answers with a 404 and writes down who came",
        settings={"location": "/v1/redirected"},
        say=partial(_redirect, status),
    )
    for status in (301, 302, 307, 308)
}
