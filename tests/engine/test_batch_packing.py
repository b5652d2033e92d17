"""Files of legal size, in order of arrival, that leave neither too early nor never."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from engine.batches.packing import HOLD_S, LONGEST_HOLD_S, Packing
from engine.providers.batches import FileLimits

ROOM = FileLimits(lines=5, bytes=100)


def packing(limits: FileLimits = ROOM, *, quiet_s: float = 2.0, patience_s: float = 10.0) -> Packing:
    return Packing(limits, quiet_s=quiet_s, patience_s=patience_s)


def filled(sizes: Sequence[int], *, limits: FileLimits = ROOM) -> Packing:
    gathered = packing(limits)
    for ticket, size in enumerate(sizes):
        gathered.add(ticket, size=size, now=0.0)
    return gathered


def all_files(gathered: Packing, *, now: float = 1e9) -> list[list[int]]:
    files = []
    while tickets := gathered.take(now=now):
        files.append(tickets)
    return files


@given(st.lists(st.integers(1, 99), max_size=40), st.integers(1, 8), st.integers(100, 300))
def test_every_file_is_legal_and_together_they_hold_everybody_once_in_order(
    sizes: list[int], lines: int, most: int
) -> None:
    files = all_files(filled(sizes, limits=FileLimits(lines=lines, bytes=most)))

    assert [ticket for file in files for ticket in file] == list(range(len(sizes)))
    assert all(1 <= len(file) <= lines for file in files)
    assert all(sum(sizes[ticket] + 1 for ticket in file) <= most for file in files)


@given(st.lists(st.integers(1, 99), min_size=1, max_size=40))
def test_no_file_could_have_taken_the_first_of_the_next(sizes: list[int]) -> None:
    files = all_files(filled(sizes))

    for file, following in pairwise(files):
        is_full = len(file) == ROOM.lines
        assert is_full or sum(sizes[ticket] + 1 for ticket in [*file, following[0]]) > ROOM.bytes


@given(st.lists(st.floats(0, 9), min_size=1, max_size=30), st.floats(0.1, 3), st.floats(3, 20))
def test_nobody_waits_longer_than_patience_and_a_file_leaves_when_it_is_quiet(
    gaps: list[float], quiet_s: float, patience_s: float
) -> None:
    gathered = packing(FileLimits(lines=10**6, bytes=10**9), quiet_s=quiet_s, patience_s=patience_s)
    came: dict[int, float] = {}
    now = 0.0
    for ticket, gap in enumerate(gaps):
        came[ticket], now = now, now + gap
        gathered.add(ticket, size=1, now=came[ticket])
        while (due := gathered.due) is not None and due <= now:
            tickets = gathered.take(now=due) or []
            assert tickets
            assert due - came[tickets[0]] <= patience_s + 1e-9
            assert due - came[tickets[-1]] <= quiet_s + 1e-9 or due - came[tickets[0]] >= patience_s - 1e-9


def test_a_full_file_leaves_at_once() -> None:
    gathered = filled([1] * 4)
    assert gathered.take(now=0.0) is None

    gathered.add(4, size=1, now=0.0)

    assert gathered.take(now=0.0) == [0, 1, 2, 3, 4]
    assert gathered.due is None


def test_who_gave_up_is_in_no_file() -> None:
    gathered = filled([10, 10, 10])

    assert gathered.remove(1)
    assert not gathered.remove(1)
    assert gathered.take(now=2.0) == [0, 2]


def test_a_line_that_no_file_could_hold_does_not_fit() -> None:
    gathered = packing()

    assert gathered.fits(99)
    assert not gathered.fits(100)


def test_a_full_queue_holds_files_back_until_another_of_ours_ends() -> None:
    gathered = filled([1] * 5)

    gathered.notify_queue_full(lines=5, others=1, now=0.0)
    assert gathered.take(now=1e12) is None
    gathered.notify_end()

    assert gathered.take(now=0.0) == [0, 1, 2, 3, 4]


def test_a_queue_that_is_full_without_us_means_smaller_files_later_and_later() -> None:
    gathered = filled([1] * 5)

    gathered.notify_queue_full(lines=5, others=0, now=0.0)
    assert gathered.due == HOLD_S
    assert gathered.take(now=HOLD_S) == [0, 1]
    gathered.notify_queue_full(lines=2, others=0, now=100.0)

    assert gathered.due == 100.0 + 2 * HOLD_S
    assert gathered.take(now=100.0 + 2 * HOLD_S) == [2]


def test_files_grow_again_with_every_batch_that_ends() -> None:
    gathered = packing()
    gathered.notify_queue_full(lines=4, others=0, now=0.0)
    sizes = []
    for start in range(0, 50, 5):
        gathered.notify_end()
        for ticket in range(start, start + 5):
            gathered.add(ticket, size=1, now=0.0)
        sizes.append(len(gathered.take(now=1e9) or []))
        all_files(gathered)

    assert sizes[0] == 3
    assert sizes == sorted(sizes)
    assert sizes[-1] == ROOM.lines


@given(st.integers(1, 60))
def test_no_hold_is_longer_than_the_longest(refusals: int) -> None:
    gathered = filled([1])

    for _ in range(refusals):
        gathered.notify_queue_full(lines=1, others=0, now=0.0)

    assert HOLD_S <= (gathered.due or 0) <= LONGEST_HOLD_S
    assert gathered.take(now=LONGEST_HOLD_S) == [0]
