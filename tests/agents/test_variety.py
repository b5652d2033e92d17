"""Variety is high where texts differ and low where they repeat each other."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.filtering.variety import distinct_share, variety_of
from agents.reporting.shown import Sample


def test_distinct_groups_are_counted_over_all_texts() -> None:
    assert distinct_share(["a b a b"], 1) == 0.5
    assert distinct_share(["a b c", "A B d"], 2) == 0.75
    assert distinct_share(["a"], 2) == 0.0
    assert distinct_share([], 1) == 0.0


def test_repetition_shows() -> None:
    varied = variety_of(["where is my train?", "the card was stolen", "pay this bill at once"])
    alike = variety_of(["where is my train?", "Where is my train", "where is my  train?"])

    assert (varied.repeated, alike.repeated) == (0.0, 1.0)
    assert varied.nearest < 0.3 < 0.8 < alike.nearest
    assert varied.distinct_1 > alike.distinct_1


@given(st.lists(st.text(max_size=20), max_size=8))
@settings(deadline=None)
def test_every_figure_is_a_share_and_the_order_changes_none(texts: list[str]) -> None:
    one, other = variety_of(texts), variety_of(texts[::-1])

    assert (one.distinct_1, one.distinct_2, one.repeated) == (other.distinct_1, other.distinct_2, other.repeated)
    assert all(0 <= share <= 1 for share in (one.distinct_1, one.distinct_2, one.distinct_3, one.nearest, one.repeated))


@given(st.sets(st.integers(1, 200)))
def test_a_sample_does_not_depend_on_the_order(numbers: set[int]) -> None:
    one, other = Sample[int](20, seed=0), Sample[int](20, seed=0)
    for number in numbers:
        one.add(number, number)
    for number in sorted(numbers, reverse=True):
        other.add(number, number)

    assert one.things() == other.things()
    assert len(one.things()) == min(20, len(numbers))
    assert set(one.things()) <= numbers
