"""The sieve in front of the journal: it may say yes in error, and never no."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from engine.journal.sieve import Sieve


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


@given(st.sets(st.binary(min_size=32, max_size=32), max_size=50))
def test_what_was_added_is_never_denied(keys: set[bytes]) -> None:
    sieve = Sieve()
    for each in keys:
        sieve.add(each)

    assert all(sieve.may_hold(each) for each in keys)


def test_what_was_not_added_is_hardly_ever_affirmed() -> None:
    sieve = Sieve()
    for number in range(50_000):
        sieve.add(key(number))

    assert sum(sieve.may_hold(key(-1 - number)) for number in range(10_000)) <= 2
