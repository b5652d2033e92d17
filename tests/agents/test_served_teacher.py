"""A teacher behind a student: a label, or silence in bounded time; nothing that is paid for is lost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.records import Spec
from agents.run_folder import RunFolder
from agents.served.folder import served_annotations
from agents.served.teacher import Labelled, Patience, Teacher
from engine import Budget, Engine, Price
from engine.fakes import virtual_time
from engine.messages import RawReply, Request
from engine.providers import Capabilities, ConnectionFailed, Reading
from engine.providers.openai import read_completion

SPEC = Spec(instruction="Say whether it is good or bad.", kind="classification", labels=("good", "bad"))
T = TypeVar("T")


class Town:
    """A provider in OpenAI's words: says what `says` makes of the input, after `latency_s`, or breaks off."""

    name = "test/town"
    endpoint = "https://town.example/v1 openai-chat town"
    simulated = False
    price = Price(input=1, output=2)
    capabilities = Capabilities()

    def __init__(
        self,
        says: Callable[[str], str | int] = lambda _: "good",
        *,
        latency_s: float = 1.0,
        until: asyncio.Event | None = None,
    ) -> None:
        self.says = says
        self.latency_s = latency_s
        self.until = until
        self.asked: list[str] = []
        self.was_asked = asyncio.Event()

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002 - quick enough
        text = request.messages[-1].content
        self.asked.append(text)
        self.was_asked.set()
        await asyncio.sleep(self.latency_s)
        if self.until is not None:
            await self.until.wait()
        told = self.says(text)
        if told == 0:
            raise ConnectionFailed("nobody there")
        if isinstance(told, int):
            return RawReply(told, {}, b'{"error": {"message": "no", "code": "invalid_api_key"}}', 0.1)
        choice = f'{{"index":0,"message":{{"role":"assistant","content":"{told}"}},"finish_reason":"stop"}}'
        usage = '{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}'
        return RawReply(200, {}, f'{{"model":"town-1","choices":[{choice}],"usage":{usage}}}'.encode(), 0.1)

    def read(self, request: Request, raw: RawReply) -> Reading:
        return read_completion(request, raw, model="town")

    async def aclose(self) -> None:
        raise AssertionError("a provider that was handed in stays the caller's")


def with_teacher(
    town: Town,
    then: Callable[[Teacher], Coroutine[Any, Any, T]],
    *,
    budget: float = 1.0,
    journal: Path | None = None,
    **settings: Any,
) -> T:
    async def ask() -> T:
        teacher = Teacher(Engine(town, budget=Budget(budget), journal=journal), SPEC, **settings)
        async with teacher.working():
            return await then(teacher)

    # A journal on disk is written by a thread, for which no clock waits.
    return virtual_time.run(ask()) if journal is None else asyncio.run(ask())


async def ask_one(teacher: Teacher) -> object:
    return await teacher.label("fine")


@pytest.mark.parametrize("said", ["good", "Good.", "Answer: good"])
def test_a_label_comes_clean_and_with_who_gave_it(said: str) -> None:
    assert with_teacher(Town(lambda _: said), ask_one) == Labelled(output="good", model="town-1")


def test_what_does_not_fit_the_task_is_no_label() -> None:
    assert with_teacher(Town(lambda _: "splendid"), ask_one) == "unclear"


def test_without_money_there_is_silence_and_no_error() -> None:
    town = Town()

    assert with_teacher(town, ask_one, budget=1e-9) == "budget"
    assert town.asked == []


def test_a_slow_answer_is_not_waited_for_but_kept(tmp_path: Path) -> None:
    folder, come = RunFolder(tmp_path), asyncio.Event()
    town = Town(latency_s=0, until=come)

    async def ask(teacher: Teacher) -> object:
        silence = await teacher.label("fine")
        await town.was_asked.wait()
        come.set()
        return silence

    assert with_teacher(town, ask, journal=folder.journal, patience_s=0.01) == "late"

    [annotation] = served_annotations(folder, SPEC)
    assert annotation.input == "fine"
    assert annotation.vote is not None
    assert annotation.vote.winner == "good"


def test_what_was_answered_once_is_not_paid_for_again(tmp_path: Path) -> None:
    town = Town(latency_s=0)

    async def twice(teacher: Teacher) -> list[object]:
        return [await teacher.label("fine"), await teacher.label("fine")]

    first = with_teacher(town, twice, journal=tmp_path / "journal.db")
    assert first == with_teacher(town, twice, journal=tmp_path / "journal.db")
    assert town.asked == ["fine"]


def test_after_a_refusal_of_everything_it_is_asked_again_a_minute_later() -> None:
    town = Town(lambda _: 401)

    async def over_time(teacher: Teacher) -> list[object]:
        before = [await teacher.label("a"), await teacher.label("b")]
        town.says = lambda _: "bad"
        meanwhile = await teacher.label("c")
        await asyncio.sleep(60)
        return [*before, meanwhile, await teacher.label("d")]

    ended = with_teacher(town, over_time)

    assert ended[:3] == ["unavailable"] * 3
    assert ended[3] == Labelled(output="bad", model="town-1")
    assert town.asked == ["a", "d"]


def test_nobody_waits_for_long_while_nobody_answers() -> None:
    """After three in a row that waited in vain nobody does for a while."""

    async def ask(teacher: Teacher) -> tuple[list[object], float]:
        ended = [await teacher.label(str(i)) for i in range(3)]
        before = asyncio.get_running_loop().time()
        return [*ended, await teacher.label("next")], asyncio.get_running_loop().time() - before

    ended, waited = with_teacher(Town(lambda _: 0, latency_s=50), ask, patience_s=20)

    assert ended == ["late", "late", "late", "unavailable"]
    assert waited == 0


def test_more_questions_than_a_line_should_hold_are_not_asked() -> None:
    async def ask(teacher: Teacher) -> list[object]:
        return list(await asyncio.gather(*(teacher.label(str(i)) for i in range(300))))

    ended = with_teacher(Town(), ask)

    assert ended.count("busy") == 300 - 256


def test_several_votes_are_asked_where_they_are_wanted() -> None:
    town = Town()

    with_teacher(town, ask_one, votes=3)

    assert town.asked == ["fine", "fine"]  # the third could change nothing


def test_the_figures_tell_what_was_spent_of_what() -> None:
    async def ask(teacher: Teacher) -> dict[str, float]:
        await teacher.label("fine")
        return dict(teacher.figures())

    figures = with_teacher(Town(), ask)

    assert figures == {"spent_dollars": 14e-6, "budget_dollars": 1.0, "teacher_asking": 0.0}


@given(st.lists(st.tuples(st.floats(0, 100), st.sampled_from(["ask", "answer", "failure", "refused"])), max_size=40))
def test_patience_asks_at_most_once_a_pause_while_all_fails_and_always_after_an_answer(
    story: list[tuple[float, str]],
) -> None:
    patience, now, last_asked = Patience(most=1, pause_s=10, long_pause_s=60), 0.0, None
    for waited, what in story:
        now += waited
        if what == "ask":
            is_asked = patience.is_worth_asking(now=now)
            assert is_asked or last_asked is not None
            if is_asked and last_asked is not None:
                assert now - last_asked >= 10
            last_asked = now if last_asked is not None and is_asked else last_asked
        elif what == "answer":
            patience.notify_answer()
            last_asked = None
        else:
            patience.notify_failure(now=now, refused=what == "refused")
            last_asked = now


def test_each_try_in_vain_doubles_the_wait_for_the_next_and_those_under_way_before_do_not() -> None:
    patience, now, waits = Patience(most=3, pause_s=15, longest_s=100), 0.0, list[float]()
    for _ in range(40):  # a burst that was under way when all began to fail
        patience.notify_failure(now=now)
    for _ in range(5):
        waits.append(next(s for s in range(200) if patience.is_worth_asking(now=now + s)))
        now += waits[-1]
        patience.notify_failure(now=now)

    patience.notify_answer()
    for _ in range(3):
        patience.notify_failure(now=now)

    assert waits == [15, 30, 60, 100, 100]
    assert not patience.is_worth_asking(now=now + 14)
    assert patience.is_worth_asking(now=now + 15)


def test_a_spec_with_a_pattern_is_held_to_it() -> None:
    dated = replace(SPEC, kind="text", labels=(), output_pattern=r"\d{4}-\d\d-\d\d")

    async def ask() -> object:
        teacher = Teacher(Engine(Town(lambda text: text), budget=Budget(1)), dated)
        async with teacher.working():
            return [await teacher.label("2024-05-03"), await teacher.label("in May")]

    assert virtual_time.run(ask()) == [Labelled(output="2024-05-03", model="town-1"), "unclear"]


def test_whoever_runs_the_server_is_told_once_that_it_fails_and_once_that_it_answers_again() -> None:
    town, told = Town(lambda _: 401), list[str]()

    async def over_time(teacher: Teacher) -> None:
        for text in "abc":
            await teacher.label(text)
            await asyncio.sleep(60)
        town.says = lambda _: "bad"
        await teacher.label("d")
        await teacher.label("e")

    with_teacher(town, over_time, note=told.append)

    assert told == [
        "the student answers alone, and the teacher is asked now and then only: 401: no",
        "the teacher answers again",
    ]


def test_that_one_is_late_is_told_only_when_it_is_always_so() -> None:
    told: list[str] = []

    async def ask(teacher: Teacher) -> list[int]:
        return [len(told) for i in range(4) if await teacher.label(str(i))]

    assert with_teacher(Town(lambda _: 0, latency_s=50), ask, patience_s=20, note=told.append) == [0, 0, 1, 1]
    assert "no answer within 20 s" in told[0]


def test_that_there_is_no_money_is_told_once() -> None:
    told: list[str] = []

    async def twice(teacher: Teacher) -> None:
        await teacher.label("a")
        await teacher.label("b")

    with_teacher(Town(), twice, budget=1e-9, note=told.append)

    assert len(told) == 1
    assert "the budget of" in told[0]
