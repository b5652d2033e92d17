"""All that can happen to a request, by the name that a rule has for it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from types import MappingProxyType
from typing import Final

from engine.fakes.body_faults import BODY_FAULTS
from engine.fakes.case import Mishap, Spoilt
from engine.fakes.connection_faults import CONNECTION_FAULTS, DELAYS, UNREAD
from engine.fakes.error_rows import ERROR_ROWS
from engine.fakes.header_faults import HEADER_FAULTS, REDIRECTS
from engine.fakes.usage_faults import CHOICE_FAULTS, USAGE_FAULTS

__all__ = ["FAMILIES", "MISHAPS"]


FAMILIES: Final[Mapping[str, Mapping[str, Mishap]]] = MappingProxyType(
    {
        "nothing": {
            "answer": Spoilt(about="a good answer: for rules that only set headers, or spare what others meet",
                             spoil=lambda _, served: served)
        },
        "connections": {**UNREAD, **CONNECTION_FAULTS},
        "delays": DELAYS,
        "bodies": BODY_FAULTS,
        "usage": USAGE_FAULTS,
        "choices": CHOICE_FAULTS,
        "headers": HEADER_FAULTS,
        "redirects": REDIRECTS,
        "errors": ERROR_ROWS,
    }
)  # fmt: skip
"""The mishaps, by what goes wrong; for those who list them."""

MISHAPS: Final[Mapping[str, Mishap]] = MappingProxyType(
    dict(chain.from_iterable(family.items() for family in FAMILIES.values()))
)
