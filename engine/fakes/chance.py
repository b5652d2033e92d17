"""Chance without dice: a number between 0 and 1 from a seed and a request, and how often a request was seen."""

from __future__ import annotations

import hashlib
from collections import Counter
from typing import Final

__all__ = ["Sightings", "chance"]

_BYTES: Final = 8


def chance(body: bytes, key: str) -> float:
    """The same for the same request and key, evenly spread over others, from 0 up to 1."""
    return int.from_bytes(hashlib.blake2b(body, digest_size=_BYTES, key=key.encode()).digest()) / 2.0 ** (8 * _BYTES)


class Sightings:
    """How often each request was seen, known by its bytes."""

    def __init__(self) -> None:
        self._counts: Counter[bytes] = Counter()

    def count(self, body: bytes) -> int:
        """One more; its number, from 1 on."""
        name = hashlib.blake2b(body, digest_size=_BYTES).digest()
        self._counts[name] += 1
        return self._counts[name]
