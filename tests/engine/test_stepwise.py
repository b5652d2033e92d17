"""Weights for many labels, step by step: better than the means they begin with, and there whenever the time ends."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array

from engine.training.stepwise import means, stepwise

LABELS = 30
CHANCE = np.random.default_rng(5)
WANTED = CHANCE.integers(LABELS, size=900)


def rows(wanted: np.ndarray) -> csr_array:
    """Each row has a term of its label's, and nine that many labels share, half of the labels more often."""
    dense = (CHANCE.random((len(wanted), 40)) < 0.25).astype(np.float32)
    own = np.zeros((len(wanted), LABELS), np.float32)
    own[np.arange(len(wanted)), wanted] = 0.6
    together = np.hstack([dense * (1 + (wanted % 2))[:, None], own])
    return csr_array(together / np.linalg.norm(together, axis=1, keepdims=True))


FEATURES = rows(WANTED)


def right(weights: np.ndarray, bias: np.ndarray) -> float:
    other = CHANCE.integers(LABELS, size=600)
    return float(((rows(other) @ weights.T + bias).argmax(axis=1) == other).mean())


@pytest.mark.parametrize("dense", [False, True], ids=["sparse", "dense"])
def test_steps_better_the_means_that_they_begin_with(dense: bool) -> None:
    features = FEATURES.toarray() if dense else FEATURES

    stepped = stepwise(features, WANTED.tolist(), labels=LABELS)

    assert stepped.steps == stepped.planned
    assert right(stepped.weights, stepped.bias) > right(*means(FEATURES, WANTED.tolist(), labels=LABELS)) + 0.1


def test_dense_rows_give_the_weights_of_sparse_ones() -> None:
    sparse, dense = (stepwise(each, WANTED.tolist(), labels=LABELS) for each in (FEATURES, FEATURES.toarray()))

    assert dense.weights == pytest.approx(sparse.weights, abs=1e-3)


@pytest.mark.parametrize(("until", "steps"), [(-1.0, 0), (4.0, 3), (1e9, 16)], ids=["over", "short", "enough"])
def test_no_step_begins_when_the_time_is_over_and_what_stands_is_kept(until: float, steps: int) -> None:
    clock = itertools.count()

    stepped = stepwise(FEATURES, WANTED.tolist(), labels=LABELS, until=until, now=lambda: float(next(clock)))

    assert (stepped.steps, stepped.planned) == (steps, 16)
    assert right(stepped.weights, stepped.bias) > 3 / LABELS


def test_the_same_rows_give_the_same_weights_and_rows_count_as_much_as_they_are_told_to() -> None:
    first, again, doubled, other = (
        stepwise(FEATURES, WANTED.tolist(), labels=LABELS, counts=counts)
        for counts in (None, None, [2.0] * len(WANTED), (1 + WANTED % 3).tolist())
    )

    assert first.weights.tobytes() == again.weights.tobytes()
    assert doubled.weights == pytest.approx(first.weights, abs=1e-5)
    assert not np.allclose(first.weights, other.weights)
