"""A run ends when rows have become too dear, and not before something else was tried."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agents.making.worth import WINDOW, Advice, Worth


def advised(worth: Worth, *, rows: int, times: int, usd: float = 0.01) -> list[Advice]:
    return [worth.notify(rows=rows, usd=usd) for _ in range(times)]


def test_a_steady_run_goes_on() -> None:
    assert set(advised(Worth(lag=8), rows=5, times=10 * WINDOW)) == {"go on"}


def test_a_run_that_dries_up_is_told_to_change_and_then_to_stop() -> None:
    worth = Worth(lag=8)
    advised(worth, rows=20, times=WINDOW)

    dry = advised(worth, rows=1, times=4 * WINDOW)

    assert dry.index("change") == WINDOW - 2  # one of the good ones is still among the latest
    assert dry.index("stop") == dry.index("change") + 8 + WINDOW
    assert "rows a dollar" in worth.why


def test_what_was_under_way_before_a_change_does_not_count_against_it() -> None:
    worth = Worth(lag=8)
    advised(worth, rows=20, times=WINDOW)
    while worth.notify(rows=0, usd=0.01) != "change":
        pass

    assert set(advised(worth, rows=0, times=8) + advised(worth, rows=20, times=3 * WINDOW)) == {"go on"}


def test_a_change_that_helps_is_forgiven() -> None:
    worth = Worth(lag=0)
    advised(worth, rows=20, times=WINDOW)
    advice = advised(worth, rows=0, times=WINDOW) + advised(worth, rows=20, times=2 * WINDOW)

    assert advice.count("change") == 1
    assert next(each for each in advised(worth, rows=0, times=2 * WINDOW) if each != "go on") == "change"


def test_where_nothing_costs_anything_requests_count() -> None:
    worth = Worth(lag=0)
    advised(worth, rows=20, times=WINDOW, usd=0.0)

    assert "change" in advised(worth, rows=1, times=2 * WINDOW, usd=0.0)


def test_dearer_requests_are_judged_by_what_they_cost() -> None:
    worth = Worth(lag=0)
    advised(worth, rows=10, times=WINDOW, usd=0.01)

    assert "change" in advised(worth, rows=10, times=2 * WINDOW, usd=0.2)


@given(st.lists(st.tuples(st.integers(0, 30), st.floats(0, 1)), max_size=200), st.integers(0, 20))
def test_nothing_is_stopped_that_was_not_changed_before(brought: list[tuple[int, float]], lag: int) -> None:
    worth = Worth(lag=lag)

    advice = [worth.notify(rows=rows, usd=usd) for rows, usd in brought]

    if "stop" in advice:
        assert "change" in advice[: advice.index("stop")]
