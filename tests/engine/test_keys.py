"""Which attempts a key was asked at: none is ever missing, and hardly one too many."""

from __future__ import annotations

import hashlib
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.journal.keys import Keys

LARGEST = 2**36 - 1


def key(number: int) -> bytes:
    return hashlib.sha256(str(number).encode()).digest()


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 20), st.integers(1, LARGEST)), max_size=60))
@pytest.mark.long
def test_every_attempt_at_a_key_is_found_in_order(asked: list[tuple[int, int]]) -> None:
    one_by_one, at_once = Keys(), Keys()
    for number, attempt in asked:
        one_by_one.add(key(number), attempt)
    at_once.add_all((key(number), attempt) for number, attempt in asked)

    for number, keys in itertools.product(range(21), (one_by_one, at_once)):
        assert keys.attempts(key(number)) == sorted(attempt for other, attempt in asked if other == number)


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
@pytest.mark.long
def test_keys_that_begin_alike_are_taken_for_one_and_others_are_not(one: bytes, other: bytes) -> None:
    keys = Keys()
    keys.add(one, 1)

    assert keys.attempts(one[:5] + other[5:]) == [1]
    assert bool(keys.attempts(other)) == (one[:5] == other[:5])


def test_new_keys_are_hardly_ever_taken_for_known_ones() -> None:
    keys = Keys()
    for number in range(50_000):
        keys.add(key(number), number + 1)

    assert sum(bool(keys.attempts(key(-1 - number))) for number in range(10_000)) <= 1
    assert all(keys.attempts(key(number)) == [number + 1] for number in range(0, 50_000, 997))


@given(st.sets(st.integers(1, 500)))
@pytest.mark.long
def test_which_attempts_were_replied_to_is_remembered(replied: set[int]) -> None:
    keys = Keys()
    for attempt in sorted(replied, reverse=True):
        keys.notify_reply(attempt)

    assert {attempt for attempt in range(600) if keys.may_answer([attempt])} == replied
    assert keys.may_answer(list(range(600))) == bool(replied)
