"""The world that knows dates: what it writes it reads back, and its faults are those of its calendar."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from datetime import date
from operator import eq
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agents.demo.dates
from agents.demo.conversation import demonstrations_in
from agents.demo.dates.calendar import STYLES, find, write
from agents.demo.dates.expressions import AMBIGUOUS, read_post
from agents.demo.dates.posts import Posts
from agents.demo.dates.snippets import Snippets
from agents.demo.dates.world import World
from agents.demo.held_out import held_out
from agents.demo.subject import Subject
from agents.demo.vices import USUAL_VICES, Vices
from agents.prompts import fill
from agents.records import Pair
from engine.messages import Message

HERE = Path(agents.demo.dates.__file__).parent
REAL_PROMPTS = Path(__file__).parents[2].parent / "shared" / "data" / "p2m_prompts" / "dev.jsonl"
INSTRUCTION, DEMONSTRATIONS = demonstrations_in((HERE / "prompt.md").read_text(encoding="utf-8"))
SNIPPETS, POSTS = Snippets(), Posts()

ONLY_LABELS = Vices(broken_label=0, refusal=0)
ONLY_DUPLICATES = Vices(broken_array=0, refusal=0, miscount=0)


def annotating(text: str, rng: Random) -> tuple[Message, ...]:
    shown = rng.sample(DEMONSTRATIONS, 6)
    turns = [turn for pair in shown for turn in (Message("user", pair.input), Message("assistant", pair.output))]
    return (Message("system", fill("annotate", instruction=INSTRUCTION)), *turns, Message("user", text))


def generating(shown: Sequence[str], *, count: int = 10) -> tuple[Message, ...]:
    inputs = "\n".join(map(json.dumps, shown))
    return (Message("user", fill("generate", instruction=INSTRUCTION, inputs=inputs, count=str(count), target="")),)


def snippets(count: int) -> list[str]:
    rng = Random(3)
    kinds, shares = list(SNIPPETS.kinds), list(SNIPPETS.kinds.values())
    return [SNIPPETS.write(kind, rng, temperature=1.0) for kind in rng.choices(kinds, weights=shares, k=count)]


def votes(text: str, rng: Random, *, count: int, temperature: float, world: World) -> list[str]:
    return [
        world.answer(annotating(text, rng), temperature=temperature, max_tokens=50).text.strip() for _ in range(count)
    ]


def shares_right(*counts: int, temperature: float, vices: Vices = USUAL_VICES) -> list[float]:
    """How often the first so many votes on a text win the right label, for each of the counts."""
    rng, world, texts = Random(4), World(vices=vices), snippets(1_500)
    right = [SNIPPETS.right(text) for text in texts]
    labels = [votes(text, rng, count=max(counts), temperature=temperature, world=world) for text in texts]
    winners = [[Counter(each[:count]).most_common(1)[0][0] for each in labels] for count in counts]
    return [sum(map(eq, won, right)) / len(texts) for won in winners]


def share_repeated(temperature: float) -> float:
    """The share of generated inputs that repeat, but for case and ends, one shown or written before in the reply."""
    world, texts, repeated, total = World(vices=ONLY_DUPLICATES), snippets(600), 0, 0
    for start in range(0, 600, 5):
        seen = [text.lower().strip(". ") for text in texts[start : start + 5]]
        reply = world.answer(generating(texts[start : start + 5]), temperature=temperature, max_tokens=9_999)
        for text in json.loads(reply.text):
            plain = text.lower().strip(". ")
            repeated += any(plain.endswith(other) for other in seen)
            seen.append(plain)
            total += 1
    return repeated / total


days = st.dates(date(1950, 1, 1), date(2049, 12, 31))


@given(days, st.sampled_from(STYLES))
def test_every_style_reads_back_as_the_day_that_was_written(day: date, style: str) -> None:
    written = write(day, style)

    found = find(written)

    assert found is not None
    assert found.day == day
    assert found.end == len(written)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        pytest.param("3/5/2021", "2021-03-05", id="slashes: month first"),
        pytest.param("3.5.2021", "2021-05-03", id="dots: day first"),
        pytest.param("3-5-2021", "2021-05-03", id="dashes: day first"),
        pytest.param("2021.3.5", "2021-03-05", id="unless the year stands first"),
        pytest.param("1/2/49 or 1/2/50", "2049-01-02", id="the first of two; '49 is to come"),
        pytest.param("1/2/50", "1950-01-02", id="'50 is past"),
        pytest.param("SEPT 4 2020", "2020-09-04", id="any case"),
        pytest.param("30 February 2021, then 1 March 2021", "2021-03-01", id="no such day"),
        pytest.param("March 5, 10:30", "N/A", id="a time is no year"),
        pytest.param("192.168.10.12", "N/A", id="an address is no date"),
        pytest.param("0001-01-01", "N/A", id="too long ago"),
        pytest.param("", "N/A", id="nothing"),
    ],
)
def test_snippets_are_read_by_the_rules_of_the_prompt(text: str, answer: str) -> None:
    assert SNIPPETS.right(text) == answer


@pytest.mark.parametrize("subject", [SNIPPETS, POSTS], ids=["snippets", "posts"])
@given(seed=st.integers(0, 10**9), temperature=st.floats(0, 2))
def test_what_is_written_has_the_answer_it_was_written_for(subject: Subject, seed: int, temperature: float) -> None:
    for kind in subject.kinds:
        text = subject.write(kind, Random(seed), temperature=temperature)

        assert (subject.right(text) == "N/A") == (kind == "N/A"), text


@pytest.mark.parametrize("subject", [SNIPPETS, POSTS], ids=["snippets", "posts"])
@given(seed=st.integers(0, 10**9), text=st.text(max_size=40))
def test_a_wrong_answer_is_never_the_right_one(subject: Subject, seed: int, text: str) -> None:
    rng = Random(seed)
    for asked in (*(subject.write(kind, rng, temperature=1.0) for kind in subject.kinds), text):
        assert subject.wrong(asked, rng) != subject.right(asked)


@given(st.integers(0, 10**9))
def test_a_nudged_snippet_keeps_its_answer(seed: int) -> None:
    rng = Random(seed)
    text = SNIPPETS.write(rng.choice(list(SNIPPETS.kinds)), rng, temperature=1.0)

    assert SNIPPETS.right(SNIPPETS.nudge(text, rng)) == SNIPPETS.right(text)


def test_snippets_are_short_and_of_average_hardness() -> None:
    texts = snippets(3_000)

    assert max(len(text.encode()) for text in texts) < 64
    assert sum(len(text.encode()) < 45 for text in texts) > 0.95 * len(texts)
    assert sum(map(SNIPPETS.hardness, texts)) / len(texts) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize("pair", DEMONSTRATIONS, ids=lambda pair: pair.input)
def test_the_prompt_agrees_with_the_world(pair: Pair) -> None:
    assert SNIPPETS.right(pair.input) == pair.output


def test_the_held_out_file_is_what_the_world_yields() -> None:
    kept = [json.loads(line) for line in (HERE / "test.jsonl").read_text(encoding="utf-8").splitlines()]

    assert [Pair(**row) for row in kept] == held_out(SNIPPETS, count=500)


def test_held_out_rows_are_new_different_and_three_in_ten_have_no_date() -> None:
    rows = held_out(SNIPPETS, count=500)

    assert len({row.input for row in rows}) == 500
    assert not {row.input for row in rows} & {pair.input for pair in DEMONSTRATIONS}
    assert sum(row.output == "N/A" for row in rows) / 500 == pytest.approx(0.3, abs=0.05)


@pytest.mark.parametrize(
    ("post", "answer"),
    [
        ("[Posted: 2012-03-05] We moved last year and again last month.", "last year == 2011 | last month == 2012-02"),
        ("[Posted: 2012-03-01] Yesterday was fine.", "Yesterday == 2012-02-29"),
        ("[Posted: 2012-01-31] See you the day after tomorrow!", "the day after tomorrow == 2012-02-02"),
        ("[Posted: 2012-01-31] It ended three weeks ago.", "three weeks ago == 2012-01-10"),
        ("[Posted: 2012-01-31] It starts in a month.", "in a month == 2012-02"),
        ("[Posted: 2012-01-31] It starts in 11 months.", "in 11 months == 2012-12"),
        ("[Posted: 2018-11-15] On Monday or next Monday?", "Monday == 2018-11-19 | next Monday == 2018-11-19"),
        (
            "[Posted: 2018-11-15] Open this Friday, as on Thursday.",
            "this Friday == 2018-11-16 | Thursday == 2018-11-22",
        ),
        ("[Posted: 2019-01-31] They met last Wednesday.", "last Wednesday == 2019-01-23"),
        ("[Posted: 2022-04-15] Out at the end of next month.", "the end of next month == 2022-05-31"),
        ("[Posted: 2022-04-15] Due by the end of the year.", "the end of the year == 2022-12-31"),
        ("[Posted: 2014-07-11] Warmer than last Christmas.", "last Christmas == 2013-12-25"),
        (
            "[Posted: 1989-10-30] Due Nov. 1, 2009 or in March 2010.",
            "Nov. 1, 2009 == 2009-11-01 | March 2010 == 2010-03",
        ),
        ("[Posted: 2022-05-17] From July 1st to 4 August.", "July 1st == 2022-07-01 | 4 August == 2022-08-04"),
        ("[Posted: 2022-05-17] It rained in April, since last June.", "April == 2022-04 | last June == 2021-06"),
        ("[Posted: 2013-10-25] Quote of the Day: sleep.", "the Day == 2013-10-25"),
        ("[Posted: 2013-10-25] They may march to 14th Street.", "N/A"),
        ("[Posted: 2013-10-25] Next year, in early May.", "N/A"),
        ("[Posted: 2013-10-25] In the first quarter of next year.", "N/A"),
        ("[Posted: 2013-10-25] Back in a few days.", "N/A"),
        ("[Posted: 2013-10-25] Costs $2013, up 2013%.", "N/A"),
        ("Without its date, next year says nothing.", "N/A"),
        ("[Posted: 2013-13-45] Nor tomorrow after a day that is none.", "N/A"),
    ],
)
def test_posts_are_read_by_the_rules_of_their_prompt(post: str, answer: str) -> None:
    assert POSTS.right(post) == answer


@given(st.dates(date(1000, 1, 1), date(2999, 12, 31)), st.integers(0, 10**9))
def test_expressions_stand_in_the_text_and_have_values_of_the_stated_form(posted: date, seed: int) -> None:
    text = POSTS.write("an expression", Random(seed), temperature=1.0)
    text = f"[Posted: {posted}] {text.partition('] ')[2]}"

    for found in read_post(text):
        assert found.text in text
        if found.value != AMBIGUOUS:
            date.fromisoformat(f"{found.value}-01-01"[:10])


@pytest.mark.skipif(not REAL_PROMPTS.exists(), reason="needs the shared data beside the checkout")
def test_the_world_knows_the_real_prompt_for_temporal_expressions() -> None:
    """All but one demonstration; that one misspells its own expression."""
    rows = map(json.loads, REAL_PROMPTS.read_text(encoding="utf-8").splitlines())
    prompt = next(row["prompt"] for row in rows if row["title"] == "Temporal Expression Normalization")
    instruction, demonstrations = demonstrations_in(prompt)
    system = Message("system", fill("annotate", instruction=instruction))

    answers = {pair: World().truth((system, Message("user", pair.input))) for pair in demonstrations}

    assert len(demonstrations) == 12
    assert [pair.output for pair, answer in answers.items() if answer != pair.output] == [
        "the next three month == 2013-04"
    ]


def test_the_form_of_the_answer_is_read_from_instruction_or_demonstrations() -> None:
    post = Message("user", "[Posted: 2020-01-01] Closed on 5 March 2021.")
    plain = Message("system", "Find the date.")
    shown = (Message("user", "[Posted: 2020-01-02] Now."), Message("assistant", "N/A"))
    equals = (Message("user", "on 1 May 2020"), Message("assistant", "1 May 2020 == 2020-05-01"))

    assert World().truth((plain, post)) == "2020-01-01"
    assert World().truth((Message("system", 'Posts: "[Posted: YYYY-MM-DD]"'), post)) == "5 March 2021 == 2021-03-05"
    assert World().truth((plain, *shown, post)) == "5 March 2021 == 2021-03-05"
    assert World().truth((plain, *equals, post)) == "5 March 2021 == 2021-03-05"
    assert World().truth((Message("system", "Tell the sentiment."), post)) is None
    assert World().truth(generating(["5 March 2021"])) is None


@pytest.mark.long
def test_heat_makes_labels_wrong_more_often() -> None:
    [cold], [usual], [hot] = (shares_right(1, temperature=t, vices=ONLY_LABELS) for t in (0.0, 0.7, 1.0))

    assert cold > usual > hot
    assert usual == pytest.approx(0.94, abs=0.02)


@pytest.mark.long
def test_votes_mend_what_single_labels_break() -> None:
    single, three, five = shares_right(1, 3, 5, temperature=0.7)

    assert single < 0.92
    assert three > single + 0.04
    assert five > three
    assert five > 0.98


def test_cold_makes_a_teacher_repeat_itself() -> None:
    cold, usual, hot = map(share_repeated, (0.2, 0.7, 1.0))

    assert cold > usual + 0.1
    assert usual > hot
    assert 0.03 < hot < 0.15


def test_left_alone_the_teacher_hardly_writes_inputs_without_a_date() -> None:
    """As real ones do: this is what quotas are for."""
    world = World(vices=Vices(broken_array=0, refusal=0, near_duplicate=0))
    replies = (world.answer(generating([text]), temperature=0.7, max_tokens=9_999) for text in snippets(200))
    texts = [text for reply in replies for text in json.loads(reply.text)]

    assert sum(SNIPPETS.right(text) == "N/A" for text in texts) / len(texts) < 0.06
