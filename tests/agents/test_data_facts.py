"""The data in figures: nothing that is missing goes unseen, and what is shown is fair and can be read."""

from __future__ import annotations

from collections import Counter

import pytest

from agents.making.axes import Axis
from agents.making.synthesis import Labelling, Synthesis
from agents.records import Example, Pair, Provenance, Reject, Spec, Vote
from agents.reporting.data_facts import DataFacts, answers_of, data_facts, tenths
from agents.reporting.shown import LONGEST, SHOWN, cut, drawn

LABELS = Spec(instruction="Which?", kind="classification", labels=("a", "b", "c"))
TEXT = Spec(instruction="Find it.", empty_answer="N/A")


def example(number: int, output: str, *attributes: str) -> Example:
    source = Provenance(
        request=number // 4, position=number % 4, temperature=1.0, target=None, attributes=attributes, cost_usd=0.01
    )
    return Example(f"input number {number}", output, Vote(output, 1.0, (output, output)), source)


def synthesis(examples: tuple[Example, ...], *, rejects: int = 0, requests: int = 4) -> Synthesis:
    where = Provenance(request=1, position=0, temperature=1.0, target=None)
    return Synthesis(
        examples=examples,
        rejects=tuple(Reject(f"again {number}", None, "duplicate", where) for number in range(rejects)),
        labellings=tuple(Labelling(each.input, each.output, each.output, 1.0, True) for each in examples),
        stop="target",
        why="all rows are made",
        error=None,
        temperatures=(0.5,) * (requests // 2) + (1.0,) * (requests - requests // 2),
        asked=(8,) * requests,
        costs_usd=(0.25,) * requests,
        yields=(6,) * requests,
        votes_asked=2 * len(examples),
        votes_failed=0,
    )


def facts(made: Synthesis, *, axes: tuple[Axis, ...] = ()) -> DataFacts:
    anchors = (Pair("x", "a"), Pair("y", "b"))
    return data_facts(made, spec=LABELS, axes=axes, anchors=anchors, splits={}, votes=3, label_accuracy=None, seed=0)


def test_a_label_without_a_row_is_listed_with_none() -> None:
    told = facts(synthesis(tuple(example(number, "ab"[number % 2]) for number in range(8))))

    assert [(each.answer, each.rows, each.anchors) for each in told.balance] == [("a", 4, 1), ("b", 4, 1), ("c", 0, 0)]
    assert told.answers == 2


def test_of_texts_those_are_listed_that_several_rows_have_and_nothing_to_find_always() -> None:
    counts = Counter({"one": 1, "two": 2})

    listed = answers_of(counts, anchors=Counter({"N/A": 3}), spec=TEXT)

    assert [(each.answer, each.rows, each.anchors) for each in listed] == [("two", 2, 0), ("N/A", 0, 3)]


def test_values_of_axes_that_no_row_was_made_for_are_listed() -> None:
    told = facts(synthesis((example(0, "a", "kind"), example(1, "b", "kind"))), axes=(Axis("tone", ("kind", "cold")),))

    assert [(axis.name, axis.values) for axis in told.coverage] == [("tone", {"kind": 2, "cold": 0})]


def test_twenty_rows_of_each_kind_are_shown_whatever_else_there_is() -> None:
    told = facts(synthesis(tuple(example(number, "a") for number in range(300)), rejects=50))

    assert len(told.rows) == len(told.rejects) == SHOWN
    assert told.rows[0].about.startswith("request ")
    assert told.rejects[0].reason == "duplicate"


def test_a_megabyte_is_cut_and_says_so() -> None:
    assert cut("x" * 10**6).endswith(f"x ... ({10**6 - LONGEST:,} more characters)")
    assert len(cut("x" * 10**6)) < LONGEST + 50
    assert cut("x" * LONGEST) == "x" * LONGEST


@pytest.mark.parametrize(
    ("requests", "points", "each"),
    [pytest.param(4, 4, 1, id="few"), pytest.param(40, 40, 1, id="forty"), pytest.param(1000, 40, 25, id="many")],
)
def test_the_course_has_at_most_forty_points_and_loses_nothing(requests: int, points: int, each: int) -> None:
    course = facts(synthesis((example(0, "a"),), requests=requests)).course

    assert len(course) == points
    assert course[0].requests == each
    assert sum(stretch.requests for stretch in course) == requests
    assert sum(stretch.kept for stretch in course) == 6 * requests
    assert sum(stretch.usd for stretch in course) == pytest.approx(requests / 4)
    assert (course[0].temperature, course[-1].temperature) == (0.5, 1.0)


def test_full_agreement_has_a_place_of_its_own() -> None:
    assert tenths([1.0, 0.99, 0.5, 2 / 3, 1.0]) == (0, 0, 0, 0, 0, 1, 1, 0, 0, 1, 2)


def test_who_is_shown_does_not_depend_on_how_many_are_wanted() -> None:
    """A smaller sample is a part of a larger one, and both keep the order."""
    small, large = drawn(range(1000), 10, seed=1), drawn(range(1000), 100, seed=1)

    assert set(small) < set(large)
    assert small == sorted(small)
    assert drawn(range(1000), 10, seed=2) != small


def test_repeats_are_counted_where_they_came() -> None:
    told = facts(synthesis(tuple(example(number, "a") for number in range(8)), rejects=3))

    assert [stretch.repeats for stretch in told.course] == [0, 3, 0, 0]


def test_the_balance_says_what_was_wanted() -> None:
    listed = answers_of(Counter(a=3), anchors=Counter(), spec=LABELS, shares={"a": 0.5, "b": 0.5})

    assert [(each.answer, each.wanted) for each in listed] == [("a", 0.5), ("b", 0.5), ("c", None)]
