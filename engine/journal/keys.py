"""Where the attempts at a question are, in memory: nine bytes each, and a microsecond or two to find or to add.

An index in the database would be the dearest part of the journal. Keys are as good as random, so nearly each new one
would change a page of its own, and a page is written whole: at half a million rows that was two thirds of the writing.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections.abc import Iterable
from typing import Final

__all__ = ["Keys"]

_SHELVES: Final = 4096  # by the first bytes of the key; a million keys put some 240 on each
_ATTEMPT_BITS: Final = 36
_ATTEMPT: Final = 2**_ATTEMPT_BITS - 1  # a mask
_PRINT: Final = 2**28 - 1


class Keys:
    """Remembers at which attempts a key was asked, and which of them brought a reply that is worth reading.

    Keys have 32 bytes, as good as random, as digests are; attempts are numbered 1, 2, 3, ... and added in that order.
    Of a key only 40 bits are kept, so another key's attempts may come along: compare the whole keys of what it names.
    """

    def __init__(self) -> None:
        # On each shelf, in order: 28 more bits of the key and the number of the attempt, as one integer.
        self._shelves = [array("Q") for _ in range(_SHELVES)]
        self._replied = bytearray()  # by attempt

    def add(self, key: bytes, attempt: int) -> None:
        shelf, entry = self._place(key)
        insort(shelf, entry | attempt)

    def add_all(self, asked: Iterable[tuple[bytes, int]]) -> None:
        """Add many at once: in half the time, for they are put in order at the end."""
        for key, attempt in asked:
            shelf, entry = self._place(key)
            shelf.append(entry | attempt)
        for number, shelf in enumerate(self._shelves):  # one after the other: two of each would be twice the memory
            self._shelves[number] = array("Q", sorted(shelf))

    def notify_reply(self, attempt: int) -> None:
        """A reply to this attempt is kept."""
        if (missing := attempt + 1 - len(self._replied)) > 0:
            self._replied += bytes(missing)
        self._replied[attempt] = 1

    def attempts(self, key: bytes) -> list[int]:
        """The attempts at this key, in order; perhaps some of another's."""
        shelf, entry = self._place(key)
        first = bisect_left(shelf, entry)
        last = first
        while last < len(shelf) and shelf[last] <= entry | _ATTEMPT:
            last += 1
        return [each & _ATTEMPT for each in shelf[first:last]]

    def may_answer(self, attempts: list[int]) -> bool:
        """Whether a reply to any of these attempts is kept."""
        replied = self._replied
        for attempt in attempts:  # noqa: SIM110 - the generator of `any` would take a fifth of the look-up
            if attempt < len(replied) and replied[attempt]:
                return True
        return False

    def _place(self, key: bytes) -> tuple[array[int], int]:
        number = int.from_bytes(key[:8], "little")
        return self._shelves[number % _SHELVES], (number >> 12 & _PRINT) << _ATTEMPT_BITS
