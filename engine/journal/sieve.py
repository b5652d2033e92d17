"""Which keys may be in the journal: it may say yes in error, never no.

A look-up in SQLite costs ten microseconds, and most questions are new. Here a new one is told for half of one, out of
2 MiB that do not grow (a Bloom filter). Beyond some ten million keys it says yes to most, and costs next to nothing.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["Sieve"]

_BYTES: Final = 2**21
_PLACE: Final = _BYTES * 8 - 1  # a mask: places are numbers of bits
_WORDS: Final = struct.Struct("<4I")


class Sieve:
    """Remembers keys of at least 16 bytes, which must be as good as random, as digests are."""

    def __init__(self) -> None:
        self._bits = bytearray(_BYTES)

    def add(self, key: bytes) -> None:
        bits = self._bits
        for word in _WORDS.unpack_from(key):
            place = word & _PLACE
            bits[place >> 3] |= 1 << (place & 7)

    def may_hold(self, key: bytes) -> bool:
        """False when the key was surely never added."""
        bits = self._bits
        for word in _WORDS.unpack_from(key):
            place = word & _PLACE
            if not bits[place >> 3] >> (place & 7) & 1:
                return False
        return True
