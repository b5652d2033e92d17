"""How many items go into a call, and which texts are answered together: arithmetic on what happened."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.batching import SMALL_MATRIX, Appetite, Gathering, Taste, items_that_pay, merged
from engine.errors import UserError
from engine.messages import Request

TASTES: tuple[Taste, ...] = ("good", "broken", "stale")


GOOD: Taste = "good"


def fed(appetite: Appetite, *tastes: Taste) -> int:
    """The size after replies to calls of whatever the size was at the time."""
    for taste in tastes:
        appetite.notify(asked=appetite.size, taste=taste)
    return appetite.size


# -- several items in one call


def test_it_grows_by_half_while_replies_are_whole_and_varied() -> None:
    appetite = Appetite(start=8, most=32)

    assert [fed(appetite, "good", "good", "good") for _ in range(5)] == [12, 18, 27, 32, 32]
    assert appetite.why == "grown: replies were whole and varied at 27"


@pytest.mark.parametrize(
    ("taste", "why"),
    [("broken", "cut: replies were not whole at 10"), ("stale", "cut: replies repeated what is there at 10")],
)
def test_five_bad_replies_cut_it_and_after_that_it_grows_by_one_and_slowly(taste: Taste, why: str) -> None:
    appetite = Appetite(start=10, most=100)

    assert fed(appetite, *[taste] * 4) == 10
    assert fed(appetite, taste) == 7
    assert appetite.why == why
    assert fed(appetite, *[GOOD] * 5) == 7
    assert fed(appetite, GOOD) == 8
    assert fed(appetite, *[taste] * 5) == 5
    assert fed(appetite, *[GOOD] * 11) == 5
    assert fed(appetite, GOOD) == 6


def test_a_bad_reply_now_and_then_is_chance() -> None:
    appetite = Appetite(start=10, most=10)

    assert fed(appetite, *(TASTES[1:] * 2 + (GOOD,) * 4) * 9) == 10


def test_news_of_another_size_is_no_news() -> None:
    appetite = Appetite(start=10, most=100)
    for _ in range(50):
        appetite.notify(asked=9, taste="broken")
        appetite.notify(asked=11, taste="good")

    assert (appetite.size, appetite.why) == (10, "as it was set")


@given(
    start=st.integers(1, 20),
    growth=st.integers(0, 60),
    news=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(TASTES)), max_size=200),
)
def test_it_stays_in_bounds_and_the_same_news_give_the_same_sizes(
    start: int, growth: int, news: list[tuple[int, Taste]]
) -> None:
    def sizes() -> list[int]:
        appetite = Appetite(start=start, most=start + growth)
        seen = []
        for off, taste in news:
            appetite.notify(asked=appetite.size - off // 3, taste=taste)
            seen.append(appetite.size)
        return seen

    assert sizes() == sizes()
    assert all(1 <= size <= start + growth for size in sizes())


@pytest.mark.parametrize(("start", "most"), [(0, 1), (4, 3)])
def test_bounds_that_cannot_be_meant_are_refused(start: int, most: int) -> None:
    with pytest.raises(UserError, match="1 <= start <= most"):
        Appetite(start=start, most=most)


# -- what is worth sharing a call


def test_a_long_prompt_and_short_items_are_worth_sharing() -> None:
    choice = items_that_pay(shared=400, each=20, answer=30, most=8, room=2000)

    assert choice.items == 8
    assert choice.why == "sharing a prompt of 400 tokens among 8 saves 83% of what is sent"


@pytest.mark.parametrize(
    ("shared", "each", "answer", "most", "why"),
    [
        (400, 20, 30, 1, "as it was set"),
        (400, 20, 1500, 8, "no room for a second"),
        (400, 1500, 30, 8, "no room for a second"),
        (20, 200, 30, 8, "would save only"),
    ],
    ids=["told so", "long answers", "long items", "little to share"],
)
def test_what_is_not_worth_it_is_asked_one_at_a_time(shared: int, each: int, answer: int, most: int, why: str) -> None:
    choice = items_that_pay(shared=shared, each=each, answer=answer, most=most, room=2000)

    assert choice.items == 1
    assert why in choice.why


@given(st.integers(0, 5000), st.integers(0, 5000), st.integers(0, 5000), st.integers(1, 64), st.integers(1, 5000))
@example(0, 0, 0, 2, 2)
def test_a_choice_keeps_to_its_room(shared: int, each: int, answer: int, most: int, room: int) -> None:
    choice = items_that_pay(shared=shared, each=each, answer=answer, most=most, room=room)

    assert 1 <= choice.items <= most
    assert choice.items == 1 or (choice.items * answer <= room and choice.items * each <= room)


# -- several completions of one request


def test_requests_that_read_the_same_become_one_with_n() -> None:
    same = [Request.user("hello", temperature=0.7, sample=sample) for sample in range(3)]
    other = Request.user("good bye", temperature=0.7)

    assert merged([*same, other, same[0]]) == (replace(same[0], n=3), other, same[0])


def test_what_differs_in_anything_but_its_sample_stays_apart() -> None:
    plain = Request.user("hello")
    others = [
        replace(plain, temperature=0.5),
        replace(plain, max_tokens=9),
        replace(plain, tag="x"),
        replace(plain, n=2),
    ]

    assert merged([plain, *others]) == (plain, *others)
    assert merged([replace(plain, n=2), plain]) == (replace(plain, n=2), plain)


@given(st.lists(st.sampled_from("aab"), max_size=30))
def test_no_completion_is_lost_or_moved(texts: list[str]) -> None:
    requests = [Request.user(text, sample=at) for at, text in enumerate(texts)]
    together = merged(requests)

    assert [request.messages[0].content for request in together for _ in range(request.n)] == texts
    assert max((request.n for request in together), default=1) <= 8


# -- micro-batches


def tickets(gathering: Gathering, *sizes: int, now: float = 0.0) -> list[int]:
    return [gathering.add(size=size, now=now) for size in sizes]


def test_nothing_leaves_where_nothing_waits() -> None:
    gathering = Gathering()

    assert gathering.take(now=0) is None
    assert gathering.due is None


def test_where_one_comes_after_the_other_none_waits() -> None:
    gathering = Gathering(patience_s=5)
    for now in range(3):
        [ticket] = tickets(gathering, 10, now=now)
        batch = gathering.take(now=now)
        assert batch is not None
        assert (batch.tickets, batch.why) == ((ticket,), "alone")


def test_after_company_a_single_one_waits_for_more_but_not_for_ever() -> None:
    gathering = Gathering(patience_s=5)
    tickets(gathering, 10, 10)
    assert gathering.take(now=0) is None
    assert gathering.due == 5
    both = gathering.take(now=5)
    assert both is not None
    assert (both.tickets, both.why) == ((1, 2), "waited long enough")

    tickets(gathering, 10, now=6)
    assert gathering.take(now=6) is None
    late = gathering.take(now=11)
    assert late is not None
    assert (late.tickets, late.why) == ((3,), "waited long enough")


def test_it_leaves_at_once_when_it_is_full() -> None:
    gathering = Gathering(most=3, patience_s=5)
    tickets(gathering, 10, 10, 10)
    batch = gathering.take(now=0)

    assert batch is not None
    assert (batch.tickets, batch.why) == ((1, 2, 3), "full")


def test_its_matrix_keeps_to_the_tokens_allowed() -> None:
    gathering = Gathering(padded=100, patience_s=5)
    tickets(gathering, 40, 40, 40)
    batch = gathering.take(now=0)

    assert batch is not None
    assert (batch.tickets, batch.why) == ((1, 2), "full")


def test_those_of_a_length_go_together_and_whoever_waited_longest_is_among_them() -> None:
    gathering = Gathering(patience_s=5)
    tickets(gathering, 500, 10, 450, 12, 9, 480)
    first = gathering.take(now=0)
    assert first is not None
    assert (first.tickets, first.why) == ((3, 6, 1), "others wait")

    tickets(gathering, 11, now=1)
    second = gathering.take(now=5)
    assert second is not None
    assert (second.tickets, second.why) == ((5, 2, 7, 4), "waited long enough")


def test_where_little_is_wasted_lengths_do_not_matter() -> None:
    gathering = Gathering(patience_s=0)
    tickets(gathering, 500, 10)
    batch = gathering.take(now=0)

    assert batch is not None
    assert batch.tickets == (2, 1)


@given(
    sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=80),
    most=st.integers(1, 20),
    padded=st.integers(1, 20_000),
)
def test_everybody_leaves_once_the_oldest_first_and_no_batch_is_too_large(
    sizes: list[int], most: int, padded: int
) -> None:
    gathering = Gathering(most=most, padded=padded, patience_s=1)
    waiting = dict(zip(tickets(gathering, *sizes), sizes, strict=True))
    while waiting:
        batch = gathering.take(now=gathering.due or 0.0)
        assert batch is not None
        assert min(waiting) in batch.tickets
        lengths = [max(1, waiting.pop(ticket)) for ticket in batch.tickets]
        assert len(lengths) <= most
        assert len(lengths) == 1 or len(lengths) * max(lengths) <= padded
        assert min(lengths) * 2 >= max(lengths) or len(lengths) * max(lengths) <= SMALL_MATRIX
    assert not len(gathering)


@pytest.mark.parametrize(
    ("most", "padded", "patience_s"), [(0, 1, 1.0), (1, 0, 1.0), (1, 1, -1.0), (1, 1, float("nan"))]
)
def test_a_gathering_without_room_is_refused(most: int, padded: int, patience_s: float) -> None:
    with pytest.raises(UserError, match="room and patience"):
        Gathering(most=most, padded=padded, patience_s=patience_s)


def test_a_gathering_that_was_narrowed_stays_so() -> None:
    gathering = Gathering(most=8, padded=800)
    gathering.narrow(most=4, padded=300)
    gathering.narrow(most=6, padded=1000)
    for _ in range(4):
        gathering.add(size=100, now=0.0)

    first = gathering.take(now=1.0)

    assert first is not None
    assert (len(first.tickets), first.why) == (3, "full")
