"""Teachers that write as a real one did: few ideas by temperature, slips of form, and a truth that can be told."""

from __future__ import annotations

import json
from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.demo.author import Author, Written
from agents.demo.conversation import Generate, Vary, read_conversation
from agents.demo.countries.atlas import ALIASES, code_of
from agents.demo.countries.world import Sentences
from agents.demo.countries.world import World as Countries
from agents.demo.held_out import held_out
from agents.demo.intents.measured import Tickets
from agents.demo.intents.measured import World as Intents
from agents.demo.measured import IDEAS, TEMPERATURES, WRITING, between
from agents.demo.passages.facts import RELATIONS
from agents.demo.passages.world import Passages
from agents.demo.passages.world import World as Questions
from agents.demo.rewording import gist, reworded
from agents.making.axes import read_axes
from agents.making.generate import Assignment, build_request
from agents.prompts import fill
from agents.records import Pair, Spec
from agents.voting.lists import read_inputs, read_pairs
from engine.messages import Message

SUBJECTS: tuple[Written, ...] = (Sentences(), Tickets(), Passages())
TASKS = {
    "countries": "Name the country of each sentence.",
    "passages": "Answer from the context.",
}
# Of so many rows, so many different questions were seen: while the temperature rose, and at 1.4 all along.
SEEN = {0.36: (500, 54), 0.58: (500, 88), 0.80: (500, 123), 1.02: (500, 206), 1.24: (500, 285), 1.4: (5000, 2400)}


def asked(task: str, **wishes: object) -> tuple[Message, ...]:
    assignment = Assignment(number=0, seeds=("Input.",), **wishes)  # type: ignore[arg-type]
    return build_request(Spec(instruction=task), assignment).messages


def said(world: Author, messages: tuple[Message, ...], *, temperature: float = 1.0, sample: int = 0) -> str:
    return world.answer(messages, temperature=temperature, max_tokens=100_000, sample=sample).text


@pytest.mark.parametrize(("temperature", "seen"), SEEN.items())
def test_as_many_ideas_come_up_as_different_questions_were_seen(temperature: float, seen: tuple[int, int]) -> None:
    rows, different = seen
    rng = Random(1)

    found = len({IDEAS.draw(rng, temperature=temperature) for _ in range(rows)})

    assert 0.7 * different < found < 1.3 * different


@given(st.floats(0, 2), st.integers())
def test_an_idea_can_be_drawn_at_any_temperature(temperature: float, seed: int) -> None:
    assert 0 <= IDEAS.draw(Random(seed), temperature=temperature) < IDEAS.count


def test_the_shares_of_ideas_sum_up_to_one() -> None:
    assert sum(IDEAS.share(idea, temperature=0.9) for idea in range(IDEAS.count)) == pytest.approx(1)


def test_rates_lie_on_lines_between_what_was_read() -> None:
    rates = WRITING.spoiled

    assert [between(rates, each) for each in TEMPERATURES] == pytest.approx(rates)
    assert between(rates, 0.0) == rates[0]
    assert between(rates, 2.0) == rates[-1]
    assert between(rates, (TEMPERATURES[0] + TEMPERATURES[1]) / 2) == pytest.approx((rates[0] + rates[1]) / 2)


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda each: type(each).__name__)
def test_a_rewording_keeps_the_gist_and_the_answer(subject: Written) -> None:
    rng = Random(0)
    for row in held_out(subject, count=200):
        again = subject.nudge(row.input, rng)

        assert subject.gist(again) == subject.gist(row.input)
        assert subject.right(again) == row.output


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda each: type(each).__name__)
def test_a_wrong_answer_is_never_the_right_one(subject: Written) -> None:
    rng = Random(0)
    for row in held_out(subject, count=200):
        assert subject.wrong(row.input, rng) != row.output


@pytest.mark.parametrize("subject", SUBJECTS, ids=lambda each: type(each).__name__)
def test_held_out_rows_have_answers_in_their_shares(subject: Written) -> None:
    rows = held_out(subject, count=300)

    assert all(row.output for row in rows)
    if subject.nothing is not None:
        share = sum(row.output == subject.nothing for row in rows) / len(rows)
        assert share == pytest.approx(subject.kinds[subject.nothing], abs=0.08)


def test_a_passage_that_was_spoiled_has_no_answer_and_is_answered_all_the_same() -> None:
    passages, rng = Passages(), Random(0)
    for row in held_out(passages, count=100):
        spoiled = passages.spoil(row.input, rng)

        assert passages.right(spoiled) == ""
        assert passages.gist(spoiled) == passages.gist(row.input)
        assert any(passages.wrong(spoiled, rng) in each.answers for each in RELATIONS)


def test_answers_of_passages_stand_in_them() -> None:
    assert all(row.output in row.input for row in held_out(Passages(), count=200))


@pytest.mark.parametrize(("code", "alias"), [(code, each) for code, names in ALIASES.items() for each in names])
def test_every_name_of_a_country_is_read(code: str, alias: str) -> None:
    assert code_of(f"They met a {alias} client.") == code
    assert code_of(f"They met a {alias} client in Atlantis and in Lyon, Toronto.") == "N/A"


@pytest.mark.parametrize("text", ["in South America", "all over Africa", "in the Alps", ""])
def test_a_continent_is_no_country(text: str) -> None:
    assert code_of(text) == "N/A"


@given(st.integers(), st.sampled_from(["Hi there.", "It rained in Oslo.", "Who knows"]))
def test_words_around_a_text_are_taken_off_again(seed: int, text: str) -> None:
    assert gist(reworded(text, Random(seed))) == gist(text)


def test_joint_requests_are_answered_with_rows() -> None:
    rows = (Pair("in Lyon", "FR"), Pair("abroad", "N/A"))
    messages = asked(TASKS["countries"], count=20, rows=rows)

    assert read_conversation(messages) == Generate(
        task=TASKS["countries"], shown=("in Lyon", "abroad"), count=20, joint=True
    )
    pairs = read_pairs(said(Countries(), messages)).pairs
    assert len(pairs) >= 15
    assert {code for _, code in pairs} & ALIASES.keys()


def test_who_writes_rows_says_that_there_is_nothing_in_a_form_of_its_own() -> None:
    messages = asked(TASKS["countries"], count=100, rows=())
    pairs = [pair for sample in range(5) for pair in read_pairs(said(Countries(), messages, sample=sample)).pairs]

    empty = [label for text, label in pairs if code_of(text) == "N/A"]
    slipped = sum(" == N/A" in label for label in empty) / len(empty)
    assert 0.2 < len(empty) / len(pairs) < 0.4
    assert slipped == pytest.approx(0.92, abs=0.07)


def test_who_is_told_where_to_look_finds_other_things() -> None:
    here = asked(TASKS["countries"], count=150, attributes=("sport", "a diary"))
    there = asked(TASKS["countries"], count=150, attributes=("science", "a headline"))
    world, subject = Countries(), Sentences()

    found = [{subject.gist(text) for text in read_inputs(said(world, each)).inputs} for each in (here, there)]
    shared = len(found[0] & found[1]) / min(map(len, found))
    assert shared < 0.3


def test_a_cold_teacher_repeats_itself() -> None:
    messages, subject, world = asked(TASKS["passages"], count=150), Passages(), Questions()

    different = [
        len({subject.gist(text) for text in read_inputs(said(world, messages, temperature=temperature)).inputs})
        for temperature in (0.35, 0.9, 1.4)
    ]
    assert different == sorted(different)
    assert 2 * different[0] < different[2]


@pytest.mark.parametrize(
    ("world", "task"),
    [
        pytest.param(Countries(), TASKS["countries"], id="countries"),
        pytest.param(Questions(), TASKS["passages"], id="passages"),
    ],
)
def test_the_teacher_says_what_inputs_differ_in(world: Author, task: str) -> None:
    messages = (Message("user", fill("axes", instruction=task, examples="a -> b")),)

    assert read_conversation(messages) == Vary(task=task)
    assert len(read_axes(said(world, messages))) == 2


def test_the_skew_of_the_mind_shows_in_what_is_written_unasked() -> None:
    task = "Sort: track parcel, late delivery, missing parcel, damaged parcel, change address, refund, customs, account"
    messages = asked(task, count=150)
    texts = [text for sample in range(4) for text in read_inputs(said(Intents(), messages, sample=sample)).inputs]

    found = Counter(Tickets().right(text) for text in texts)
    assert found["track parcel"] > 5 * found["none of these"]


@pytest.mark.parametrize("world", [Countries, Questions, Intents], ids=lambda each: each.__module__.split(".")[-2])
def test_the_same_seed_says_the_same(world: type[Author]) -> None:
    messages = asked("context, country: " + TASKS["countries"], count=9)

    assert said(world(seed=3), messages) == said(world(seed=3), messages)  # type: ignore[call-arg]


def test_every_row_is_json_unless_it_is_broken() -> None:
    text = said(Questions(), asked(TASKS["passages"], count=3, rows=()), temperature=0.2, sample=2)

    assert all(set(row) == {"input", "output"} for row in json.loads(text))
