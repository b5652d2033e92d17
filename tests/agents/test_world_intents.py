"""The world that routes messages: every template reads as its intent, and overlap between intents is real."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agents.demo.intents
from agents.demo.conversation import demonstrations_in
from agents.demo.held_out import held_out
from agents.demo.intents.routing import LABELS, NONE, SLIPS, intents_in, route
from agents.demo.intents.templates import CLOSERS, OPENERS, REQUESTS, SECOND_THOUGHTS, SLOTS, STORIES
from agents.demo.intents.world import Messages, World
from agents.demo.vices import Vices
from agents.prompts import fill
from agents.records import Pair
from engine.messages import Message

HERE = Path(agents.demo.intents.__file__).parent
INSTRUCTION, DEMONSTRATIONS = demonstrations_in((HERE / "prompt.md").read_text(encoding="utf-8"))
MESSAGES = Messages()

TEMPLATES = [(label, template) for label, templates in REQUESTS.items() for template in templates]


def filled(template: str, *, seed: int) -> str:
    rng = Random(seed)
    slots = {name: rng.choice(options) for name, options in SLOTS.items()}
    return template.format(n=rng.randint(2, 40), id="PX123456", **slots)


def annotating(text: str, *, shown: tuple[Pair, ...] = ()) -> tuple[Message, ...]:
    turns = [turn for pair in shown for turn in (Message("user", pair.input), Message("assistant", pair.output))]
    return (Message("system", fill("annotate", instruction=INSTRUCTION)), *turns, Message("user", text))


def generating(target: str = "", *, count: int = 10) -> tuple[Message, ...]:
    inputs = "\n".join(json.dumps(pair.input) for pair in DEMONSTRATIONS[:4])
    return (Message("user", fill("generate", instruction=INSTRUCTION, inputs=inputs, count=str(count), target=target)),)


def share_right(temperature: float, *, times: int = 1) -> float:
    """Of 400 messages, each labelled so many times."""
    world, rows, rng = World(vices=Vices(broken_label=0, refusal=0)), held_out(MESSAGES, count=400), Random(0)
    asked = [
        (annotating(row.input, shown=tuple(rng.sample(DEMONSTRATIONS, 5))), row) for row in rows for _ in range(times)
    ]
    answers = (world.answer(messages, temperature=temperature, max_tokens=50).text for messages, _ in asked)
    return sum(answer == row.output for answer, (_, row) in zip(answers, asked, strict=True)) / len(asked)


@pytest.mark.parametrize(("label", "template"), TEMPLATES, ids=[template for _, template in TEMPLATES])
def test_every_request_reads_as_its_intent(label: str, template: str) -> None:
    assert {route(filled(template, seed=seed)) for seed in range(30)} == {label}


@pytest.mark.parametrize("label", STORIES)
def test_every_story_touches_on_its_intent_alone(label: str) -> None:
    assert all(intents_in(filled(story, seed=seed)) == [label] for story in STORIES[label] for seed in range(30))


def test_greetings_and_the_like_touch_on_nothing() -> None:
    assert not any(intents_in(filled(text, seed=0)) for text in (*OPENERS, *CLOSERS, *SECOND_THOUGHTS))


def test_the_intent_that_a_message_comes_to_last_counts() -> None:
    text = "My parcel arrived damaged. I sent it back on Monday. When do I get my refund?"

    assert intents_in(text) == ["damaged parcel", "return parcel", "refund"]
    assert route(text) == "refund"


def test_an_e_mail_address_is_no_address() -> None:
    assert route("I want to change my e-mail address") == "account"


@pytest.mark.parametrize("word", SLIPS)
def test_slips_of_the_pen_are_read_over(word: str) -> None:
    assert SLIPS[word] != word
    assert intents_in(f"my {SLIPS[word]} is") == intents_in(f"my {word} is")


@given(st.sampled_from(LABELS), st.integers(0, 10**9), st.floats(0, 2))
def test_what_is_written_has_the_answer_it_was_written_for(label: str, seed: int, temperature: float) -> None:
    assert MESSAGES.right(MESSAGES.write(label, Random(seed), temperature=temperature)) == label


@given(st.sampled_from(LABELS), st.integers(0, 10**9), st.text(max_size=40))
def test_a_wrong_answer_is_another_label(label: str, seed: int, text: str) -> None:
    rng = Random(seed)
    for message in (MESSAGES.write(label, rng, temperature=1.0), text):
        wrong = MESSAGES.wrong(message, rng)

        assert wrong in LABELS
        assert wrong != MESSAGES.right(message)


@pytest.mark.parametrize("pair", DEMONSTRATIONS, ids=lambda pair: pair.output)
def test_the_prompt_agrees_with_the_world(pair: Pair) -> None:
    assert route(pair.input) == pair.output


def test_the_prompt_shows_and_explains_every_label() -> None:
    assert {pair.output for pair in DEMONSTRATIONS} == set(LABELS)
    assert all(f"- {label}: " in INSTRUCTION for label in LABELS)


def test_the_held_out_file_is_what_the_world_yields() -> None:
    kept = [json.loads(line) for line in (HERE / "test.jsonl").read_text(encoding="utf-8").splitlines()]

    assert [Pair(**row) for row in kept] == held_out(MESSAGES, count=400)


def test_held_out_rows_are_new_different_and_of_every_intent() -> None:
    rows = held_out(MESSAGES, count=400)

    assert len({row.input for row in rows}) == 400
    assert not {row.input for row in rows} & {pair.input for pair in DEMONSTRATIONS}
    assert min(Counter(row.output for row in rows).values()) >= 15
    assert {row.output for row in rows} == set(LABELS)


def test_heat_makes_labels_wrong_more_often() -> None:
    cold, usual, hot = share_right(0.0), share_right(0.7, times=4), share_right(1.0)

    assert cold > usual > hot
    assert usual == pytest.approx(0.94, abs=0.02)


def test_left_alone_the_teacher_writes_what_comes_to_mind() -> None:
    world = World(vices=Vices(broken_array=0, refusal=0, near_duplicate=0))
    replies = (
        world.answer(generating(count=9 + n % 3), temperature=0.7, max_tokens=9_999, sample=n) for n in range(90)
    )
    labels = Counter(route(text) for reply in replies for text in json.loads(reply.text))

    assert labels["track parcel"] > 3 * labels["account"]
    assert labels[NONE] < 0.04 * labels.total()


def test_a_label_that_is_asked_for_is_mostly_written() -> None:
    world = World(vices=Vices(broken_array=0, refusal=0, near_duplicate=0))
    reply = world.answer(
        generating(fill("generate_target", target=NONE), count=150), temperature=0.7, max_tokens=99_999
    )
    labels = Counter(route(text) for text in json.loads(reply.text))

    assert 0.75 < labels[NONE] / labels.total() < 0.97


@pytest.mark.slow
def test_words_alone_tell_most_intents_and_not_all() -> None:
    """The overlap is real: a bag of words from some hundred rows is good, and not perfect."""
    text_features = pytest.importorskip("sklearn.feature_extraction.text")
    linear_model = pytest.importorskip("sklearn.linear_model")
    rng = Random(1)
    held = held_out(MESSAGES, count=400)
    texts = [MESSAGES.write(label, rng, temperature=0.8) for label in LABELS for _ in range(60)]
    features = text_features.TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True)
    model = linear_model.LogisticRegression(C=10, max_iter=1_000)

    model.fit(features.fit_transform(texts), [route(text) for text in texts])
    score = model.score(features.transform([row.input for row in held]), [row.output for row in held])

    assert 0.8 < score < 0.97
