"""The simulated teacher, whatever its task: it reads requests from messages, errs at its rates, and never raises."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.demo.breakage import break_array, break_label, break_list, written_list
from agents.demo.conversation import (
    Annotate,
    AnnotateMany,
    Describe,
    Generate,
    Split,
    demonstrations_in,
    read_conversation,
)
from agents.demo.dates.world import World as Dates
from agents.demo.intents.world import World as Intents
from agents.demo.teacher import cold, favourite, heat
from agents.demo.vices import NO_VICES, USUAL_VICES, Vices
from agents.prompts import fill
from agents.records import Pair, Spec
from agents.voting.ballots import Voting, call_for
from agents.voting.lists import read_labels
from engine.messages import Message
from engine.providers.simulated import World

TASK = "Write the date in ISO form."
DEMONSTRATIONS = (Pair("5 March 2021", "2021-03-05"), Pair("soon", "N/A"))


def generating(*, inputs: Sequence[str] = ("5 March 2021",), count: int = 8, target: str = "") -> tuple[Message, ...]:
    shown = "\n".join(json.dumps(text) for text in inputs)
    return (Message("user", fill("generate", instruction=TASK, inputs=shown, count=str(count), target=target)),)


def annotating(text: str, *, task: str = TASK) -> tuple[Message, ...]:
    turns = [
        turn for pair in DEMONSTRATIONS for turn in (Message("user", pair.input), Message("assistant", pair.output))
    ]
    return (Message("system", fill("annotate", instruction=task)), *turns, Message("user", text))


def annotating_many(texts: Sequence[str]) -> tuple[Message, ...]:
    spec = Spec(instruction=TASK, demonstrations=tuple(DEMONSTRATIONS))
    return call_for(spec, texts, tuple(range(len(texts))), Voting(), vote=0).request.messages


def describing(what: Literal["model", "dataset"], *, task: str = TASK) -> tuple[Message, ...]:
    return (Message("user", fill(f"describe_{what}", instruction=task, examples="5 March 2021 -> 2021-03-05")),)


def splitting(prompt: str) -> tuple[Message, ...]:
    return (Message("user", fill("parse", prompt=prompt, shape='{"instruction": "..."}')),)


def said(world: World, messages: Sequence[Message], *, temperature: float = 0.7, sample: int = 0) -> str:
    return world.answer(messages, temperature=temperature, max_tokens=10_000, sample=sample).text


def test_a_generating_request_is_read() -> None:
    target = fill("generate_other", target="N/A")

    asked = read_conversation(generating(inputs=("a", 'b "c"\n'), count=12, target=target))

    assert asked == Generate(task=TASK, shown=("a", 'b "c"\n'), count=12, target="N/A", wanted=False)


def test_a_target_is_read_even_when_the_task_talks_of_right_answers() -> None:
    task = "The right answer is: anything. Write 3 words."
    text = fill("generate", instruction=task, inputs='"a"', count="5", target=fill("generate_target", target="no: x"))

    asked = read_conversation((Message("user", text),))

    assert asked == Generate(task=task, shown=("a",), count=5, target="no: x", wanted=True)


def test_an_annotating_request_is_read() -> None:
    asked = read_conversation(annotating("due 5/3/21"))

    assert isinstance(asked, Annotate)
    assert (asked.demonstrations, asked.input) == (DEMONSTRATIONS, "due 5/3/21")


def test_a_request_to_annotate_several_is_read() -> None:
    texts = ('due "5/3/21"\n1. no', "soon", "grüß")
    asked = read_conversation(annotating_many(texts))

    assert isinstance(asked, AnnotateMany)
    assert asked.inputs == texts
    assert set(asked.demonstrations) == set(DEMONSTRATIONS)


def test_a_list_to_be_labelled_alone_is_one_input() -> None:
    assert isinstance(read_conversation(annotating('1. "a"\n2. "b"')), Annotate)
    assert isinstance(
        read_conversation(annotating('1. "a"', task="Sort the numbered list into a JSON array.\n\nBe brief.")), Annotate
    )


def test_requests_for_descriptions_and_splits_are_read() -> None:
    assert read_conversation(describing("model")) == Describe(task=TASK, what="model")
    assert read_conversation(describing("dataset")) == Describe(task=TASK, what="dataset")
    assert read_conversation(splitting("Do it.")) == Split(prompt="Do it.")


@pytest.mark.parametrize(
    "messages",
    [
        pytest.param((), id="nothing"),
        pytest.param((Message("user", "Say hello"),), id="small talk"),
        pytest.param((Message("system", TASK), Message("assistant", "yes")), id="no question"),
        pytest.param((Message("user", "a"), Message("assistant", "b"), Message("user", "c")), id="no instruction"),
        pytest.param((Message("user", "<task></task> <inputs></inputs> Write some"),), id="no count"),
    ],
)
def test_what_no_stage_asks_is_nothing_we_know(messages: tuple[Message, ...]) -> None:
    assert read_conversation(messages) is None
    assert said(Dates(), messages).startswith("I am not sure what you are asking.")


def test_a_task_of_others_is_nothing_we_know() -> None:
    asked = annotating("fine film", task="Tell the sentiment.")

    assert said(Dates(), asked) == said(Dates(), asked, sample=1)
    assert "know only my task: intents" in said(Intents(), annotating("hello"))


def test_a_prompt_is_split_word_for_word() -> None:
    prompt = 'Do it.\n\nInput: a\nOutput: 1\n\ninput="b"\noutput="2"\n'

    assert demonstrations_in(prompt) == ("Do it.", (Pair("a", "1"), Pair("b", "2")))
    assert json.loads(said(Dates(), splitting(prompt)))["demonstrations"][1] == {"input": "b", "output": "2"}


messages_of_any_kind = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant"]), st.text() | st.characters(categories=["Cs"])),
    max_size=5,
).map(tuple)
hostile_texts = st.one_of(
    st.text(),
    st.text(alphabet="0123456789/.- '[]:<>"),
    st.sampled_from(["[/x]", "</task>", "Posted: ", "\ud800", "\x1b[2J", "٣/٤/٢٠٢١", "9" * 5_000, "ſep 5, 2021", "{}"]),
    st.builds("[Posted: {}] in {} {}s".format, st.dates(), st.integers(0, 10**6), st.sampled_from(["year", "day"])),
)


@given(messages_of_any_kind, st.sampled_from([Dates(), Intents()]))
def test_no_messages_make_a_world_raise(messages: tuple[Message, ...], world: World) -> None:
    assert said(world, messages)


@given(hostile_texts, st.floats(0, 2), st.integers(0, 3))
def test_no_text_in_its_place_makes_a_world_raise(text: str, temperature: float, sample: int) -> None:
    for world in (Dates(vices=Vices(wrong_label=1, near_duplicate=1)), Intents(vices=Vices(wrong_label=1))):
        for asked in (
            annotating(text),
            annotating_many([text, "b"]),
            generating(inputs=(text,)),
            describing("model", task=text),
            splitting(text),
        ):
            said(world, asked, temperature=temperature, sample=sample)
            world.truth(asked)


def test_huge_messages_are_answered_at_once() -> None:
    """Reading stops after some thousand characters, so a pasted novel cannot hold up a run."""
    novel = "Input: 5 March 2021 in early 1/2/2021 where is " * 40_000

    assert said(Dates(), annotating(novel))
    assert said(Dates(), annotating(f"[Posted: 2020-01-01] {novel}"))
    assert said(Dates(), splitting(novel.replace("Input", "\nInput")))
    assert len(said(Dates(), generating(count=999_999))) < 50_000


@given(st.integers(0, 3), st.text(max_size=20), st.floats(0, 2), st.integers(0, 2))
def test_the_same_question_gets_the_same_answer_from_any_instance(
    seed: int, text: str, temperature: float, sample: int
) -> None:
    asked = annotating(text)

    answers = {
        Dates(seed).answer(asked, temperature=temperature, max_tokens=50, sample=sample),
        Dates(seed).answer(asked, temperature=temperature, max_tokens=50, sample=sample),
    }

    assert len(answers) == 1


def test_seed_temperature_sample_and_words_each_make_another_answer() -> None:
    first = said(Dates(), generating())

    assert said(Dates(1), generating()) != first
    assert said(Dates(), generating(), temperature=0.8) != first
    assert said(Dates(), generating(), sample=1) != first
    assert said(Dates(), generating(count=9)) != first


def test_a_whole_number_is_the_same_temperature_as_its_float() -> None:
    """JSON carries 1.0 as 1 in some dialects."""
    assert said(Dates(), generating(), temperature=1) == said(Dates(), generating(), temperature=1.0)


def test_max_tokens_cuts_and_does_nothing_else() -> None:
    whole = Dates().answer(generating(), temperature=0.7, max_tokens=1_000)
    cut = Dates().answer(generating(), temperature=0.7, max_tokens=10)

    assert (whole.finish_reason, cut.finish_reason) == ("stop", "length")
    assert cut.text == whole.text[:40]


def test_long_replies_take_longer_than_labels() -> None:
    labels = sorted(
        Dates().answer(annotating(f"room {n}"), temperature=0.7, max_tokens=50).latency_s for n in range(99)
    )
    lists = sorted(
        Dates().answer(generating(count=20 + n), temperature=0.7, max_tokens=999).latency_s for n in range(99)
    )

    assert 0.2 < labels[49] < 0.4 < 0.8 < lists[49]


def test_without_vices_lists_are_whole_and_hold_what_was_asked() -> None:
    target = fill("generate_target", target="N/A")
    world = Dates(vices=NO_VICES)

    written = json.loads(said(world, generating(count=40, target=target)))

    assert len(written) == 40
    assert {world.truth(annotating(text)) for text in written} == {"N/A"}


def test_with_vices_now_and_then_a_list_is_broken_refused_or_miscounted() -> None:
    replies = [said(Dates(seed), generating(count=6)) for seed in range(400)]
    counts = [len(json.loads(reply)) for reply in replies if reply.startswith('["') and reply.endswith('"]')]

    assert 10 < 400 - len(counts) < 80
    assert {4, 5, 6, 7} == set(counts)


def test_without_vices_every_input_of_several_gets_its_label_under_its_number() -> None:
    texts = [f"on {day} May 2021" for day in range(1, 20)]

    labels = read_labels(said(Dates(vices=NO_VICES), annotating_many(texts)), count=19)

    assert labels == {day: f"2021-05-{day:02}" for day in range(1, 20)}


TIDY = Vices(refusal=0, broken_label=0, broken_array=0, skip=0)
SLASHES = [f"{n % 12 + 1}/{n % 28 + 1}/2{n % 10}" for n in range(8)]
TRUTHS = [Dates().truth(annotating(text)) for text in SLASHES]


def right_in_lists(vices: Vices, *, lists: int = 600, sample: int = 0) -> list[list[bool]]:
    """For each of so many lists which of its eight labels are right, in the order of the list."""
    asked = annotating_many(SLASHES)
    replies = [said(Dates(seed, vices=vices), asked, sample=sample) for seed in range(lists)]
    read = [read_labels(reply, count=8) for reply in replies]
    return [[labels[number] == truth for number, truth in enumerate(TRUTHS, start=1)] for labels in read]


def share(rows: Sequence[Sequence[bool]]) -> float:
    return sum(map(sum, rows)) / sum(map(len, rows))


@pytest.mark.long
def test_labels_of_several_inputs_err_like_single_ones_and_a_little_more() -> None:
    asked = [annotating(text) for text in SLASHES]
    alone = share([[said(Dates(n, vices=TIDY), asked[n % 8]) == TRUTHS[n % 8]] for n in range(4_800)])
    together = share(right_in_lists(TIDY))

    assert 0.8 < together < alone < 0.98
    assert 0.005 < alone - together < 0.04


def test_the_further_down_a_list_the_likelier_a_label_is_wrong() -> None:
    rows = right_in_lists(Vices(refusal=0, broken_label=0, broken_array=0, skip=0, slip=0, lapse=0, crowding=0.3))

    assert share([row[:4] for row in rows]) - share([row[4:] for row in rows]) > 0.03


@pytest.mark.long
def test_wrong_labels_come_together_where_a_teacher_has_lost_the_thread() -> None:
    def of_one_reply(lapse: float) -> int:
        rows = right_in_lists(Vices(refusal=0, broken_label=0, broken_array=0, skip=0, slip=0, crowding=0, lapse=lapse))
        return sum(row.count(False) >= 4 for row in rows)

    assert of_one_reply(0.3) > 4 * of_one_reply(0) > 0


@pytest.mark.long
def test_completions_of_one_request_lose_the_thread_together_and_are_now_and_then_the_same() -> None:
    lapsing = Vices(refusal=0, broken_label=0, broken_array=0, skip=0, slip=0, crowding=0, lapse=0.3, stubborn=0)
    first, second = (right_in_lists(lapsing, sample=sample) for sample in (0, 1))
    both = sum(one.count(False) >= 3 and other.count(False) >= 3 for one, other in zip(first, second, strict=True))
    asked = [annotating(f"{n} May 2021") for n in range(1, 29)] * 20
    vices = Vices(wrong_label=0.5, worst_label=0.5, stubborn=0.5)
    alike = [said(Dates(n, vices=vices), words) == said(Dates(n, vices=vices), words, sample=1)
             for n, words in enumerate(asked)]  # fmt: skip

    assert both > 20
    assert 0.6 < sum(alike) / len(alike) < 0.95


def test_with_vices_now_and_then_a_list_of_labels_is_no_use_or_lacks_one() -> None:
    texts = [f"on {day} May 2021" for day in range(1, 9)]
    read = [read_labels(said(Dates(seed), annotating_many(texts)), count=8) for seed in range(400)]

    assert 4 < sum(not labels for labels in read) < 60
    assert 1 < sum(0 < len(labels) < 8 for labels in read) < 40


def test_a_target_is_mostly_obeyed() -> None:
    world = Dates(vices=Vices(broken_array=0, refusal=0))
    target = fill("generate_target", target="N/A")
    texts = [
        text
        for n in range(100)
        for text in json.loads(said(world, generating(count=9 + n % 3, target=target), sample=n))
    ]
    obeyed = sum(world.truth(annotating(text)) == "N/A" for text in texts) / len(texts)

    assert 0.7 < obeyed < 0.95


@given(st.text(), st.integers())
def test_a_broken_label_still_holds_the_label(label: str, seed: int) -> None:
    broken = break_label(label, Random(seed))

    assert label in broken
    assert broken != label


@given(st.lists(st.text(), min_size=1), st.integers())
def test_a_broken_list_is_no_json_array(items: list[str], seed: int) -> None:
    broken = break_array(items, Random(seed))
    try:
        value = json.loads(broken)
    except ValueError:
        value = None

    assert not isinstance(value, list)


@given(st.dictionaries(st.integers(1, 99), st.text(), min_size=1), st.integers())
@pytest.mark.long
def test_a_broken_list_of_labels_is_not_what_was_asked_for(items: dict[int, str], seed: int) -> None:
    assert break_list(items, Random(seed)) != written_list(items)


def test_heat_and_cold_are_one_where_the_rates_are_stated() -> None:
    assert heat(0.7) == pytest.approx(1)
    assert cold(0.7) == pytest.approx(1)
    assert heat(1) > heat(0.2)
    assert cold(1) < cold(0.2)


def test_the_favourites_of_a_cold_teacher_are_the_first_ones() -> None:
    def mean(temperature: float) -> float:
        rng = Random(0)
        return sum(favourite(range(100), rng, temperature=temperature) for _ in range(2_000)) / 2_000

    assert mean(0.0) < mean(0.7) < mean(1.0)
    assert mean(1.0) == pytest.approx(49.5, abs=2)


def test_inputs_that_were_to_be_hard_are_misread_more_often() -> None:
    world = Dates(vices=replace(NO_VICES, wrong_label=USUAL_VICES.wrong_label))

    def wrong(wish: str) -> float:
        asked = (said(world, generating(target=wish), sample=n) for n in range(60))
        texts = [text for reply in asked for text in json.loads(reply)]
        return sum(said(world, annotating(text)) != world.truth(annotating(text)) for text in texts) / len(texts)

    assert wrong(fill("generate_noisy")) > 1.5 * wrong("")


def test_a_translation_is_the_instruction_itself() -> None:
    asked = fill("translate", instruction=TASK, language="German", kept="")

    assert said(Dates(), (Message("user", asked),)) == TASK
