"""How likely a model holds what it is told: as likely as when it wrote that itself, whatever is told beside it."""

from __future__ import annotations

import math

import pytest

from engine.training.likelihood import log_likelihoods
from engine.training.searching import search
from engine.training.spelling import END
from engine.training.tiny import new_model

INPUTS = [[10, 11, 12, END], [20, END]]


@pytest.mark.long
def test_what_it_wrote_is_as_likely_as_when_it_wrote_it() -> None:
    model = new_model(seed=3)
    written = search(model, INPUTS, longest=6, beginnings=3)

    told = log_likelihoods(model, INPUTS, [[[*one.tokens, END]] for one in written], longest=6)

    assert [math.exp(likely) for [likely] in told] == pytest.approx([one.probability for one in written], rel=1e-4)


@pytest.mark.long
def test_what_is_told_beside_an_answer_changes_nothing_and_no_answers_are_none() -> None:
    model = new_model(seed=3)
    lengths = (7, 1, 30, 2, 11, 3, 1100, 5, 19, 4, 1, 900, 0)
    answers = [[*[10 + length % 7] * length, END] for length in lengths]

    [together, other, none] = log_likelihoods(model, [*INPUTS, [30, END]], [answers, answers[:2], []], longest=1100)
    alone = [log_likelihoods(model, INPUTS[:1], [[answer]], longest=1100)[0][0] for answer in answers]

    assert together == pytest.approx(alone, rel=1e-4)
    assert other == pytest.approx(log_likelihoods(model, INPUTS[1:], [answers[:2]], longest=1100)[0], rel=1e-4)
    assert none == []
    assert model.training


@pytest.mark.long
def test_what_is_longer_than_it_writes_is_not_likely_at_all_and_takes_no_time() -> None:
    model = new_model(seed=3)
    answers = [[*[10] * length, END] for length in (1_000_000, 6, 7)]

    [[endless, written, longer], [none]] = log_likelihoods(model, INPUTS, [answers, answers[:1]], longest=6)

    assert endless == longer == none == -math.inf
    assert written > -math.inf
