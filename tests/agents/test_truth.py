"""What a simulated world knows: how often labels were right, and whether given rows are its own."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files

import orjson
import pytest

from agents.making.synthesis import Labelling, Synthesis
from agents.making.truth import knows, label_accuracy
from agents.parsing.parse import parse
from agents.records import Pair, Spec
from engine.evaluation import wilson
from engine.fakes.worlds import EchoWorld
from engine.providers.resolve import world_named

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


@pytest.mark.parametrize(
    ("own", "others", "known"),
    [
        pytest.param(100, 0, True, id="all"),
        pytest.param(96, 4, True, id="nearly all"),
        pytest.param(90, 10, False, id="real ones that it happens to get right"),
        pytest.param(0, 0, False, id="none given"),
    ],
)
def test_a_world_knows_its_own_rows(own: int, others: int, known: bool) -> None:
    rows = [Pair("a", "a")] * own + [Pair("a", "b")] * others

    assert knows(EchoWorld(), SPEC, rows) is known
    assert not knows(None, SPEC, rows)


def test_the_demonstration_rows_of_a_world_are_known_as_its_own() -> None:
    """What `smelt demo` gives with --test are no real rows."""
    folder = files("agents") / "demo" / "dates"
    given = [orjson.loads(line) for line in (folder / "test.jsonl").read_bytes().splitlines()]
    prompt = (folder / "prompt.md").read_text(encoding="utf-8")
    world = world_named("dates", seed=0)

    assert knows(world, parse(prompt), [Pair(row["input"], row["output"]) for row in given])
