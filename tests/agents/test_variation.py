"""Where no temperature may be sent, inputs are made to differ by what is asked of them, and the run says so."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.demo.conversation import Generate, read_conversation
from agents.demo.dates.world import World
from agents.demo.vices import USUAL_VICES
from agents.making.generate import Assignment, build_request
from agents.making.plan import Target
from agents.making.synthesis import Settings, Synthesis
from agents.making.synthesize import synthesize
from agents.making.variation import AXES, attributes_asked, draw_attributes
from agents.parsing.parse import parse, read_prompt
from agents.records import Spec
from engine import Budget, Engine, Event, Events, Price
from engine.events import StageProgressed
from engine.fakes.server import FakeProvider

PROMPT = Path(__file__).parents[2] / "agents" / "demo" / "dates" / "prompt.md"
NEWEST = ("anthropic/claude-opus-5", "anthropic/claude-sonnet-5", "anthropic/claude-haiku-4-5")
shares = st.floats(0, 1)


@given(shares, st.integers(0, 99), st.integers(0, 999))
def test_no_more_than_one_attribute_of_each_axis_is_asked_for(share: float, seed: int, number: int) -> None:
    drawn = draw_attributes(share, seed=seed, number=number)

    axes = [next(at for at, axis in enumerate(AXES) if attribute in axis) for attribute in drawn]
    assert axes == sorted(set(axes))
    assert len(drawn) == attributes_asked(share)
    assert drawn == draw_attributes(share, seed=seed, number=number)


def test_the_hotter_the_more_is_asked_for() -> None:
    asked = [attributes_asked(share / 20) for share in range(21)]

    assert (asked[0], asked[-1]) == (0, len(AXES))
    assert all(cooler <= hotter for cooler, hotter in pairwise(asked))


def test_every_attribute_has_its_turn() -> None:
    drawn = Counter(attribute for number in range(400) for attribute in draw_attributes(1, seed=0, number=number))

    assert set(drawn) == {attribute for axis in AXES for attribute in axis}
    assert min(drawn.values()) > 40


@given(st.none() | st.builds(Target, st.sampled_from(["yes", "N/A"]), st.booleans()), shares)
def test_a_request_says_what_its_inputs_shall_be_and_a_teacher_reads_it(target: Target | None, share: float) -> None:
    attributes = draw_attributes(share, seed=1, number=2)
    assignment = Assignment(number=2, count=5, target=target, seeds=("x",), attributes=attributes)

    asked = read_conversation(build_request(Spec(instruction="Read it."), assignment).messages)

    assert isinstance(asked, Generate)
    assert (asked.attributes, asked.count) == (attributes, 5)
    assert asked.target == (target.answer if target else None)


def made_by(
    model: str, *, dialect: str | None = None, rows: int = 120, annealing: str = "feedback", repeats: float = 0.14
) -> tuple[Synthesis, list[Event]]:
    """Rows of a teacher behind our fake, which refuses temperatures where the service does."""
    heard: list[Event] = []

    async def main() -> Synthesis:
        events = Events()
        events.subscribe(heard.append)
        world = World(vices=replace(USUAL_VICES, near_duplicate=repeats))
        async with (
            FakeProvider(world, latency_s=0) as fake,
            Engine(
                model, base_url=fake.url, dialect=dialect, budget=Budget(usd=9), price=Price(input=1, output=2)
            ) as e,
        ):
            settings = Settings(examples=rows, annealing=annealing).within(e.capabilities)
            made = await synthesize(e, parse(read_prompt(PROMPT)), settings=settings, events=events)
            assert fake.audit.count(400) == 0
            return made

    return asyncio.run(main()), heard


@pytest.mark.parametrize(
    ("model", "dialect"),
    [(NEWEST[0], None), (NEWEST[1], None), (NEWEST[2], "anthropic-2026-10-21")],
    ids=["the newest family", "the one before", "the newest version"],
)
def test_duplicates_stay_few_without_a_temperature(model: str, dialect: str | None) -> None:
    made, heard = made_by(model, dialect=dialect)

    repeated = sum(reject.reason == "duplicate" for reject in made.rejects)
    assert made.stop == "target"
    assert set(made.temperatures) == {None}
    assert repeated < 0.15 * len(made.labellings)
    assert all(example.provenance.attributes for example in made.examples)
    facts = [dict(event.facts) for event in heard if isinstance(event, StageProgressed)]
    assert facts[0]["attributes asked for"] == "3"


def test_the_schedule_moves_how_much_is_asked_for() -> None:
    made, heard = made_by(NEWEST[0], annealing="linear")

    attributes = [len(example.provenance.attributes) for example in made.examples]
    assert attributes[0] == 0
    assert attributes[-1] >= 3
    assert attributes == sorted(attributes)
    facts = [dict(event.facts) for event in heard if isinstance(event, StageProgressed)]
    assert facts[-1]["attributes asked for"] == "4"


def test_with_a_temperature_nothing_is_asked_of_inputs() -> None:
    made, _ = made_by("anthropic/claude-sonnet-4-5", rows=40)

    assert None not in made.temperatures
    assert not any(example.provenance.attributes for example in made.examples)
