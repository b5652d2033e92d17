"""What a simulated world knows: how often labels were right, and whether given rows are its own."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from agents.records import Spec
from agents.synthesis import Labelling, Synthesis
from agents.truth import label_accuracy
from engine.evaluation import wilson
from engine.fakes.worlds import EchoWorld

SPEC = Spec(instruction="Say it again.")


def synthesis(*labellings: tuple[str, str, str]) -> Synthesis:
    """One labelling for each input, first label and winner."""
    return Synthesis(
        examples=(),
        rejects=(),
        labellings=tuple(
            Labelling(text, first=first, winner=winner, agreement=1.0, accepted=True)
            for text, first, winner in labellings
        ),
        stop="target",
        why="all rows are made",
        error=None,
        temperatures=(),
        yields=(),
        votes_asked=0,
        votes_failed=0,
    )


def test_single_labels_and_winners_are_counted_apart() -> None:
    """Four inputs: one label right in one of them, the vote's winner in three."""
    found = label_accuracy(
        EchoWorld(), SPEC, synthesis(("a", "a", "a"), ("b", "x", "b"), ("c", "x", "c"), ("d", "x", "x"))
    )

    assert found is not None
    assert (found.single, found.voted, found.inputs) == (0.25, 0.75, 4)
    assert (found.single_interval, found.voted_interval) == (wilson(1, 4), wilson(3, 4))


@pytest.mark.parametrize("labellings", [(), (("a", "a", "a"),)])
def test_without_a_world_or_an_input_nothing_is_said(labellings: Sequence[tuple[str, str, str]]) -> None:
    assert label_accuracy(None, SPEC, synthesis(*labellings)) is None
    assert label_accuracy(EchoWorld(), SPEC, synthesis()) is None
