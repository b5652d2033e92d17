"""Which of the found rows go into the data: never too many, of no answer more than its share, whatever their order."""

from __future__ import annotations

import math
import random

from hypothesis import given, settings
from hypothesis import strategies as st

from agents.finding.found.mix import portion
from agents.making.plan import make_plan
from agents.records import Example, Provenance, Spec, Vote

SPEC = Spec(instruction="x", kind="classification", labels=("a", "b", "c"))


def example(number: int, label: str) -> Example:
    source = Provenance(request=-number - 1, position=0, temperature=None, target=None, origin="found")
    return Example(f"row {number}", label, Vote(label, 1.0, (label,)), source)


@settings(max_examples=30)
@given(st.lists(st.sampled_from("abc"), max_size=40), st.integers(0, 30), st.integers(0, 3))
def test_a_portion_is_within_its_bounds_and_follows_from_the_rows_alone(
    labels: list[str], most: int, seed: int
) -> None:
    rows = [example(number, label) for number, label in enumerate(labels)]
    shuffled = random.Random(seed).sample(rows, len(rows))

    taken = portion(rows, make_plan(SPEC), most=most, seed=seed)

    assert taken == portion(shuffled, make_plan(SPEC), most=most, seed=seed)
    assert len(taken) <= most
    assert all(sum(row.output == label for row in taken) <= math.ceil(most / 3) for label in "abc")
    assert set(taken) <= set(rows)


def test_what_one_answer_lacks_no_other_gets() -> None:
    rows = [example(number, "a") for number in range(10)] + [example(20, "b")]

    taken = portion(rows, make_plan(SPEC), most=9, seed=0)

    assert sorted(row.output for row in taken) == ["a", "a", "a", "b"]
