"""Parts of the limits: in use they never come to more than the whole, hardly any of it lies idle, nobody starves."""

from __future__ import annotations

import math
from dataclasses import dataclass
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.fleet.shares import LENT_S, Loan, Shares, is_news, wanted_by, water_level

WORKERS = ("a", "b", "c", "d")

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(WORKERS),
        st.sampled_from(["reports", "reports", "reports", "is not heard", "hears no answer", "dies"]),
        st.sampled_from([0.0, 0.1, 0.4, 1.0]),  # what it could use
        st.sampled_from([0.0, 0.05, 0.5, LENT_S]),  # seconds later
        st.booleans(),  # the books are lost before
    ),
    max_size=40,
)


@dataclass
class Worker:
    """Uses what it was lent last, until that runs out; says something new at once, and nothing new when it is due."""

    part: float = 0.0
    until: float = 0.0
    due: float = 0.0
    told: tuple[float, ...] = (math.inf,)

    def uses(self, now: float) -> float:
        return self.part if now < self.until else 0.0

    def take(self, loan: Loan, *, asked_at: float) -> None:
        self.part, self.until = loan.parts[0], asked_at + loan.for_s


@given(ACTIONS)
@settings(max_examples=100)
def test_what_is_in_use_never_comes_to_more_than_the_whole_whatever_is_lost(
    actions: list[tuple[str, str, float, float, bool]],
) -> None:
    """Reports and answers may be lost, workers may die, and so may whoever keeps the books."""
    shares, now = Shares(1, now=0.0, is_new=True), 0.0
    workers = {name: Worker() for name in WORKERS}
    for name, what, wanted, seconds, is_lost in actions:
        now += seconds
        if is_lost:
            shares = Shares(1, now=now, is_new=False)
        worker = workers[name]
        if what == "dies":
            workers[name] = Worker()
        elif what != "is not heard":
            loan = shares.report(name, holding=(worker.uses(now),), wanted=(wanted,), now=now)
            if what == "reports":
                worker.take(loan, asked_at=now)

        assert sum(each.uses(now) for each in workers.values()) <= 1 + 1e-9
        assert shares.held[0] <= 1 + 1e-9


@pytest.mark.parametrize("workers", [10, 800])
def test_new_books_lend_nothing_while_a_loan_of_the_former_may_last(workers: int) -> None:
    """Of one that is silent meanwhile; the more workers there are, the longer loans last."""
    former = Shares(1, now=0.0, is_new=True)
    for i in range(workers):
        lent = former.report(f"w{i}", holding=(0.0,), wanted=(1.0,), now=0.0)
    new = Shares(1, now=0.0, is_new=False)
    for k in range(6):
        for i in range(1, workers):
            now = lent.for_s / 6 * (k + i / workers)
            assert new.report(f"w{i}", holding=(0.0,), wanted=(1.0,), now=now).parts == (0.0,)

    assert new.report("w1", holding=(0.0,), wanted=(1.0,), now=1.2 * lent.for_s).parts > (0.0,)


def course(demands: list[float], *, seconds: float, chance: Random) -> tuple[float, list[float]]:
    """Workers that could use so much of a limit each report in turn. What was used of the whole, and the parts."""
    shares, now = Shares(1, now=0.0, is_new=True), 0.0
    shares.expect(len(demands), now=now)
    workers = [Worker() for _ in demands]
    looks = [chance.random() / 2 for _ in demands]
    used, measured = 0.0, 0.0
    while now < seconds:
        i = min(range(len(looks)), key=lambda i: looks[i])
        if now > seconds / 4:  # the beginning is for finding out
            used += (looks[i] - now) * sum(min(w.uses(now), d) for w, d in zip(workers, demands, strict=True))
            measured += looks[i] - now
        now = looks[i]
        part, worker = workers[i].uses(now), workers[i]
        wanted = wanted_by(part=part, use=min(part, demands[i]), is_short=demands[i] > part)
        if now >= worker.due or is_news((wanted,), told=worker.told):
            loan = shares.report(str(i), holding=(part,), wanted=(wanted,), now=now)
            worker.take(loan, asked_at=now)
            worker.told, worker.due = (wanted,), now + loan.again_s
        looks[i] = min(now + loan.look_s, worker.due)
    return used / measured, [worker.uses(now) for worker in workers]


@pytest.mark.parametrize(
    "demands",
    [
        pytest.param([1.0] * 4, id="all alike"),
        pytest.param([0.02] * 9 + [3.0], id="one that could use all"),
        pytest.param([0.5, 0.3, 0.1, 0.4], id="some more than there is"),
        pytest.param([0.001 * i for i in range(60)], id="all different"),
    ],
)
def test_a_skewed_demand_uses_nearly_all_of_a_limit(demands: list[float]) -> None:
    used, _ = course(demands, seconds=40.0, chance=Random(0))

    assert used >= 0.97 * min(1.0, sum(demands))


def test_nobody_who_has_something_to_do_starves_and_who_needs_little_gets_it() -> None:
    _, parts = course([0.05, 5.0, 5.0, 0.2], seconds=30.0, chance=Random(1))

    assert parts[0] >= 0.05
    assert parts[3] >= 0.2
    assert abs(parts[1] - parts[2]) < 0.02
    assert parts[1] > 0.3


def test_what_a_dead_worker_held_is_lent_to_others_once_its_loan_has_run_out() -> None:
    shares = Shares(1, now=0.0, is_new=True)
    assert shares.report("dead", holding=(0.0,), wanted=(1.0,), now=0.0).parts == (1.0,)

    assert shares.report("other", holding=(0.0,), wanted=(1.0,), now=LENT_S - 0.1).parts == (0.0,)
    assert shares.report("other", holding=(0.0,), wanted=(1.0,), now=LENT_S).parts == (1.0,)


def test_a_worker_that_has_said_good_bye_leaves_its_part_at_once() -> None:
    shares = Shares(1, now=0.0, is_new=True)
    shares.report("leaving", holding=(0.0,), wanted=(1.0,), now=0.0)

    shares.leave("leaving")

    assert shares.report("other", holding=(0.0,), wanted=(1.0,), now=0.1).parts == (1.0,)


def test_whoever_begins_with_empty_books_lends_nothing_before_all_old_loans_have_run_out() -> None:
    shares = Shares(1, now=100.0, is_new=False)

    assert shares.report("old", holding=(0.4,), wanted=(1.0,), now=100.1).parts == (0.4,)
    assert shares.report("new", holding=(0.0,), wanted=(1.0,), now=100.2).parts == (0.0,)
    assert shares.report("new", holding=(0.0,), wanted=(1.0,), now=100.0 + LENT_S).parts == (0.5,)


def test_a_part_is_kept_for_those_who_are_about_to_come() -> None:
    shares = Shares(1, now=0.0, is_new=True)
    shares.expect(4, now=0.0)

    assert [shares.report(name, holding=(0.0,), wanted=(1.0,), now=0.1).parts[0] for name in WORKERS] == [0.25] * 4


def test_with_many_workers_each_reports_less_often_and_is_lent_for_longer() -> None:
    shares = Shares(1, now=0.0, is_new=True)
    loans = [shares.report(str(i), holding=(0.0,), wanted=(0.001,), now=0.0) for i in range(1000)]

    assert (loans[0].look_s, loans[0].again_s, loans[0].for_s) == (0.5, 2.0, 4.5)
    assert (loans[-1].look_s, loans[-1].for_s) == (2.0, 18.0)
    again = [shares.report(str(i), holding=loans[i].parts, wanted=(0.001,), now=1.0) for i in range(1000)]
    assert shares.report("0", holding=again[0].parts, wanted=(0.001,), now=2.0).again_s == 8.0


def test_whoever_others_wait_for_reports_again_soon() -> None:
    shares = Shares(1, now=0.0, is_new=True)
    alone = shares.report("old", holding=(0.0,), wanted=(1.0,), now=0.0)
    waiting = shares.report("new", holding=(0.0,), wanted=(1.0,), now=0.1)

    giving = shares.report("old", holding=alone.parts, wanted=(1.0,), now=0.2)

    assert (waiting.parts, giving.parts) == ((0.0,), (0.5,))
    assert waiting.again_s == giving.again_s == 0.1


@pytest.mark.parametrize(
    ("wanted", "is_new"),
    [
        pytest.param((0.2, 0.0), False, id="as before"),
        pytest.param((0.21, 0.0), False, id="hardly more"),
        pytest.param((0.4, 0.0), True, id="more"),
        pytest.param((0.1, 0.0), True, id="less"),
        pytest.param((0.2, 0.01), True, id="something of another account"),
    ],
)
def test_only_a_change_of_what_is_wanted_is_worth_a_report(wanted: tuple[float, ...], is_new: bool) -> None:
    assert is_news(wanted, told=(0.2, 0.0)) is is_new


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_the_level_gives_everybody_what_they_want_up_to_the_same(wanted: list[float]) -> None:
    level = water_level(wanted)
    given_out = sum(min(each, level) for each in wanted)

    assert given_out <= 1 + 1e-9
    assert given_out >= min(1.0, sum(wanted)) - 1e-9
