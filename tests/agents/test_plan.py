"""Which answers are asked for: quotas by what rows really got, no target starving another."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.making.plan import Quota, Target, Wish, choose_target, make_plan
from agents.records import Pair, Spec

LABELS = Spec(
    instruction="Route it.",
    kind="classification",
    labels=("card", "cash", "other"),
    demonstrations=(Pair("a", "card"), Pair("b", "card"), Pair("c", "card"), Pair("d", "cash")),
)


def dates(*, empty: int, full: int) -> Spec:
    rows = [Pair(f"nothing {i}", "N/A") for i in range(empty)] + [Pair(f"date {i}", "2020-01-01") for i in range(full)]
    return Spec(instruction="Find the date.", demonstrations=tuple(rows), empty_answer="N/A")


def simulate(
    plan: tuple[Quota, ...], *, requests: int, answers: dict[str, str] | None = None
) -> Counter[Target | None]:
    """Ask one after another; each request brings ten rows of what was asked for, or of what `answers` says."""
    asked: Counter[Target | None] = Counter()
    outputs: Counter[str] = Counter()
    for _ in range(requests):
        wanted = 10 * requests
        target = choose_target(plan, outputs=outputs, asked=asked, pending={}, wanted=wanted, rows_per_input=1).target
        asked[target] += 1
        output = "" if target is None else ("something" if target.negated else target.answer)
        outputs[(answers or {}).get(output, output)] += 10
    return asked


def test_labels_get_equal_shares_and_come_in_turn() -> None:
    asked = simulate(make_plan(LABELS), requests=30)

    assert asked == {Target("card"): 10, Target("cash"): 10, Target("other"): 10}


def test_requests_under_way_count_so_that_the_first_ones_differ_too() -> None:
    plan, pending = make_plan(LABELS), Counter[Target | None]()
    for _ in range(3):
        wish = choose_target(plan, outputs={}, asked=pending, pending=pending, wanted=90, rows_per_input=1)
        pending[wish.target] += 8

    assert list(pending) == [Target("card"), Target("cash"), Target("other")]


@pytest.mark.parametrize(("empty", "full", "share"), [(3, 5, 0.375), (1, 30, 0.1), (9, 1, 0.5)])
def test_the_empty_answer_is_asked_for_as_often_as_shown_within_bounds(empty: int, full: int, share: float) -> None:
    plan = make_plan(dates(empty=empty, full=full))

    assert plan == (Quota(Target("N/A"), share), Quota(Target("N/A", negated=True), 1 - share))
    assert simulate(plan, requests=80)[Target("N/A")] == round(80 * share)


def test_text_without_an_empty_answer_has_no_target() -> None:
    plan = make_plan(Spec(instruction="Translate."))

    assert simulate(plan, requests=5) == {None: 5}


def test_a_target_that_the_teacher_cannot_write_for_is_asked_for_at_most_twice_its_share() -> None:
    asked = simulate(make_plan(LABELS), requests=90, answers={"other": "card"})

    assert asked[Target("other")] == pytest.approx(60, abs=1)
    assert asked[Target("cash")] > 20


@given(
    outputs=st.dictionaries(st.sampled_from(["card", "cash", "other"]), st.integers(0, 500)),
    asked=st.dictionaries(st.sampled_from([quota.target for quota in make_plan(LABELS)]), st.integers(0, 500)),
)
def test_there_is_always_a_target(outputs: dict[str, int], asked: dict[Target | None, int]) -> None:
    wish = choose_target(make_plan(LABELS), outputs=outputs, asked=asked, pending={}, wanted=100, rows_per_input=0.5)

    assert wish.target in {quota.target for quota in make_plan(LABELS)}
    assert wish.most is not None
    assert wish.most > 0


@pytest.mark.parametrize(
    ("wanted", "got", "pending", "most"),
    [
        pytest.param(20, 0, 0, 10, id="5 rows at a yield of a half"),
        pytest.param(20, 3, 0, 4, id="what is there already counts"),
        pytest.param(20, 3, 3, 1, id="and what is under way, by its yield"),
        pytest.param(2000, 499, 0, 25, id="in a large run a twentieth more is nothing"),
    ],
)
def test_no_more_is_asked_for_than_is_still_wanted_of_a_target(wanted: int, got: int, pending: int, most: int) -> None:
    plan = (Quota(Target("rare"), 0.25), Quota(Target("common"), 0.75))
    wish = choose_target(
        plan,
        outputs={"rare": got, "common": wanted},
        asked={Target("rare"): 1, Target("common"): 1},
        pending={Target("rare"): pending},
        wanted=wanted,
        rows_per_input=0.5,
    )

    assert wish == Wish(Target("rare"), most)


def test_of_inputs_that_may_have_any_answer_as_many_may_be_asked_for_as_one_likes() -> None:
    plan = make_plan(Spec(instruction="Translate."))

    assert choose_target(plan, outputs={}, asked={}, pending={}, wanted=5, rows_per_input=1) == Wish(None, None)


def test_a_target_knows_what_meets_it() -> None:
    assert Target("N/A").is_met_by("N/A")
    assert not Target("N/A", negated=True).is_met_by("N/A")
    assert Target("N/A", negated=True).is_met_by("2020-01-01")
    assert str(Target("N/A", negated=True)) == "not: N/A"
