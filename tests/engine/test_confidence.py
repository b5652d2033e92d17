"""What confidence is worth: the bins, the thresholds and how often they keep their promise, and the file."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.evaluation import calibrate, read_calibration, write_calibration
from engine.evaluation.calibration import FILE, as_typed, threshold_for
from engine.evaluation.intervals import at_least

ROWS = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


def drawn(chance: random.Random, rows: int) -> tuple[list[float], list[bool]]:
    """Confidences that are worth what they say."""
    confidences = [chance.random() ** 0.25 for _ in range(rows)]
    return confidences, [chance.random() < confidence for confidence in confidences]


def test_the_exact_bound_of_a_share_is_clopper_and_pearsons() -> None:
    assert at_least(29, 29, doubt=0.05) == pytest.approx(0.05 ** (1 / 29))
    assert at_least(8, 10, doubt=0.025) == pytest.approx(0.4439, abs=1e-4)  # their chart, 95 %
    assert at_least(0, 10, doubt=0.05) == 0
    with pytest.raises(UserError, match="no share"):
        at_least(3, 2, doubt=0.05)


def test_bins_say_how_often_it_was_right_where_it_said_so() -> None:
    found = calibrate([0.95, 0.91, 1.0, 0.15], [True, False, True, False], on="validation")

    low, high = found.bins
    assert (low.low, low.high, low.rows, low.right) == (0.1, 0.2, 1, 0.0)
    assert (high.low, high.high, high.rows) == (0.9, 1.0, 3)
    assert high.confidence == pytest.approx((0.95 + 0.91 + 1) / 3)
    assert high.right == pytest.approx(2 / 3)
    assert found.error == pytest.approx((3 * (2.86 / 3 - 2 / 3) + 0.15) / 4)


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_every_row_lies_in_one_bin_and_thresholds_rise(rows: list[tuple[float, bool]]) -> None:
    confidences, right = [each[0] for each in rows], [each[1] for each in rows]

    found = calibrate(confidences, right, on="validation")

    assert sum(each.rows for each in found.bins) == found.rows == len(rows)
    assert 0 <= found.error <= 1
    precisions = [each.precision for each in found.thresholds]
    assert precisions == sorted(precisions)
    assert [each.coverage for each in found.thresholds] == sorted(
        (each.coverage for each in found.thresholds), reverse=True
    )


def test_the_largest_part_is_taken_that_certainly_suffices() -> None:
    """Half of 400 rows are sure and right, the other half unsure and wrong."""
    confidences = [0.9] * 200 + [0.2] * 200
    right = [True] * 200 + [False] * 200

    found = threshold_for(0.95, confidences, right)

    assert found is not None
    assert (found.confidence, found.coverage) == (0.9, 0.5)


def test_few_rows_vouch_for_nothing_however_right_they_are() -> None:
    assert threshold_for(0.9, [0.99] * 20, [True] * 20) is None
    assert threshold_for(0.9, [0.99] * 60, [True] * 60) is not None


@pytest.mark.long
def test_a_threshold_keeps_its_promise_on_rows_it_was_not_chosen_by() -> None:
    """Of the thresholds for nine right in ten at most one in twenty is broken; chosen by luck, half would be."""
    chance = random.Random(5)
    broken = by_luck = chosen = 0
    for _ in range(200):
        confidences, right = drawn(chance, 500)
        fresh, fresh_right = drawn(chance, 1000)

        def kept(least: float, fresh: list[float] = fresh, fresh_right: list[bool] = fresh_right) -> bool:
            sure = [ok for confidence, ok in zip(fresh, fresh_right, strict=True) if confidence >= least]
            return not sure or sum(sure) >= 0.9 * len(sure)

        if (found := threshold_for(0.9, confidences, right)) is not None:
            chosen += 1
            broken += not kept(found.confidence)
        order = sorted(zip(confidences, right, strict=True), reverse=True)
        lucky = [at for at in range(1, 501) if sum(ok for _, ok in order[:at]) >= 0.9 * at]
        by_luck += bool(lucky) and not kept(order[lucky[-1] - 1][0])

    assert chosen > 100
    assert broken <= 0.05 * chosen
    assert by_luck > 80, "it is worth the trouble"


def test_a_precision_between_two_is_vouched_for_by_the_higher_one() -> None:
    found = calibrate([0.9] * 200 + [0.2] * 200, [True] * 200 + [False] * 200, on="validation")

    assert found.confidence_for(0.93) == found.confidence_for(0.95) == 0.9
    assert found.confidence_for(0.999) is None


@given(st.floats(0, 1, exclude_min=True, exclude_max=True))
def test_who_types_a_threshold_lets_none_through_that_is_less_sure_and_few_less(confidence: float) -> None:
    typed = float(as_typed(confidence))

    assert confidence <= typed <= 1
    assert typed - confidence <= min(confidence, 1 - confidence) / 100


@pytest.mark.parametrize(
    ("confidence", "written"),
    [(0.986, "0.986"), (0.98613, "0.9862"), (0.71, "0.71"), (0.7101, "0.711"), (0.9999931234, "0.99999313"), (1.0, "1"),
     (0.0, "0"), (0.00012345, "0.000124")],
)  # fmt: skip
def test_a_threshold_is_written_with_as_many_digits_as_count(confidence: float, written: str) -> None:
    assert as_typed(confidence) == written


def test_without_rows_there_is_nothing_to_calibrate_on() -> None:
    with pytest.raises(UserError, match="no rows"):
        calibrate([], [], on="validation")


def test_the_file_says_what_was_found(tmp_path: Path) -> None:
    found = calibrate(*drawn(random.Random(1), 300), on="validation")
    write_calibration(tmp_path, found)

    table = json.loads((tmp_path / FILE).read_text())

    assert read_calibration(tmp_path) == found
    assert [path.name for path in tmp_path.iterdir()] == ["calibration.json"]
    assert table["rows"] == 300
    assert table["on"] == "validation"
    assert set(table["thresholds"][0]) == {"precision", "confidence", "coverage"}


def test_a_folder_without_one_says_nothing(tmp_path: Path) -> None:
    assert read_calibration(tmp_path) is None


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="torn"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"{}", id="empty"),
        pytest.param(b'{"format": 9}', id="newer"),
        pytest.param(
            b'{"format": 1, "thresholds": [{"precision": 0.9, "confidence": 7, "coverage": 1}],'
            b' "bins": [], "error": 0, "rows": 9, "on": "x"}',
            id="a confidence of 7",
        ),
        pytest.param(
            b'{"format": 1, "thresholds": [{"precision": 0.9, "confidence": NaN, "coverage": 1}],'
            b' "bins": [], "error": 0, "rows": 9, "on": "x"}',
            id="no number",
        ),
    ],
)
def test_a_file_that_is_none_is_refused_with_the_way_out(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)

    with pytest.raises(UserError, match="take the file away") as caught:
        read_calibration(tmp_path)

    assert str(tmp_path / FILE) in str(caught.value)
