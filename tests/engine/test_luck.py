"""Refusals that do not depend on our speed do not bring it to a standstill."""

from __future__ import annotations

from random import Random

import pytest

from engine.throttle import Demand, Limits, Pace

ONE = Demand(1, 10, 5, 5)


def seconds_for(rows: int, *, share: float, limits: Limits) -> float:
    """One after the other, each refused by chance, whenever the pace lets it, at most a hundred a second."""
    pace, chance, now, answered = Pace(limits), Random(1), 0.0, 0
    while answered < rows:
        now = max(now + 0.01, pace.ready_at(ONE, now=now))
        pace.take(ONE, now=now)
        if chance.random() < share:
            pace.notify_refusal(ONE, sent_at=now, now=now + 0.001, delay_s=None)
        else:
            pace.notify_answer(sent_at=now)
            answered += 1
    return now


@pytest.mark.parametrize("limits", [Limits(), Limits(rpm=6_000)], ids=["untold", "told"])
@pytest.mark.parametrize("share", [0.001, 0.02, 0.05, 0.1, 0.2, 0.3])
def test_refusals_by_chance_do_not_bring_a_long_run_to_a_standstill(limits: Limits, share: float) -> None:
    rows = 12_000
    assert seconds_for(rows, share=share, limits=limits) <= 2 * rows / 100 / (1 - share)
