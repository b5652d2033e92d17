"""What failures mean for a request and for all, and that nothing outlives its time."""

from __future__ import annotations

import pytest

from engine import (
    AuthenticationRefused,
    ConfigurationRefused,
    ContentFiltered,
    DeadlineExceeded,
    EndpointUnreachable,
    Engine,
    Events,
    Limits,
    Outcome,
    RequestRejected,
    UnreadableReply,
    UserError,
)
from engine.events import Noted
from engine.fakes import virtual_time
from engine.messages import RawReply, Request
from engine.providers import AttemptTimedOut, ConnectionFailed
from tests.engine.asking import GENEROUS, nothing_is_left, now, question, questions
from tests.engine.scripted import Scripted, Step, answered, ask, ask_all, refusal, reply

# -- failures


def test_a_reply_that_cannot_be_read_is_kept_and_asked_again_a_few_times() -> None:
    async def main() -> None:
        broken = RawReply(200, {}, b"<html>", 0.1)
        provider = Scripted(*[broken] * 9)
        async with Engine(provider, budget=GENEROUS) as engine:
            with pytest.raises(UnreadableReply):
                await engine.ask(question())
            assert len(provider.sent) == 6
            assert engine._opened().counts().replies == 6
            assert engine.statistics().spent == 0
            assert engine.statistics().assumed > 0
            assert nothing_is_left(engine)

    virtual_time.run(main())


def test_replies_that_can_never_be_read_end_as_that_whatever_time_there_was() -> None:
    """Where nothing gets through their tries are not counted, and their time runs out instead."""

    class Garbled(Scripted):
        async def send(self, request: Request, *, timeout_s: float) -> RawReply:
            raw = await super().send(request, timeout_s=timeout_s)
            return raw if request.messages[-1].content == "hello" else RawReply(200, {}, b"<html>", 0.1)

    async def main() -> None:
        async with Engine(Garbled(), budget=GENEROUS) as engine:
            await engine.ask(question())
            outcomes = [outcome async for outcome in engine.map(questions(4))]

            assert {type(outcome.error) for outcome in outcomes} == {UnreadableReply}
            assert nothing_is_left(engine)

    virtual_time.run(main())


def test_who_runs_out_of_time_says_what_the_last_try_came_to() -> None:
    provider = Scripted(answered(question()), *[refusal(500)] * 99)

    async def main() -> list[str]:
        async with Engine(provider, budget=GENEROUS, deadline_s=300) as engine:
            await engine.ask(question())
            return [str(outcome.error) async for outcome in engine.map(questions(4))]

    said = virtual_time.run(main())

    assert any("no answer within 300 s, the last try: 500: no" in line for line in said)


def test_a_reply_that_a_filter_refused_is_not_paid_for_twice() -> None:
    async def main() -> None:
        provider = Scripted(reply(filtered=True))
        async with Engine(provider, budget=GENEROUS) as engine:
            for _ in range(2):
                with pytest.raises(ContentFiltered):
                    await engine.ask(question())
        assert len(provider.sent) == 1

    virtual_time.run(main())


def test_a_bug_of_ours_in_reading_loses_no_paid_reply() -> None:
    async def main() -> None:
        async with Engine(Scripted(reply(bug=True)), budget=GENEROUS) as engine:
            with pytest.raises(ZeroDivisionError):
                await engine.ask(question())
            assert engine._opened().counts().replies == 1
            assert nothing_is_left(engine)

    virtual_time.run(main())


def test_a_refused_key_stops_everything_at_once() -> None:
    provider = Scripted(*[refusal(401, "invalid_api_key")] * 500)
    outcomes = ask_all(provider, questions(500))

    assert all(isinstance(outcome.error, AuthenticationRefused) for outcome in outcomes)
    assert len(provider.sent) <= 16  # those that were in flight


def test_whoever_waits_hears_of_a_refusal_at_once() -> None:
    async def main() -> float:
        steps = [refusal(429, "slow_down", retry_after="600"), refusal(429, "insufficient_quota")]
        async with Engine(Scripted(*steps), budget=GENEROUS) as engine:
            outcomes = [outcome async for outcome in engine.map(questions(2), ordered=False)]
            assert {type(outcome.error).__name__ for outcome in outcomes} == {"QuotaExhausted"}
            assert nothing_is_left(engine)
            return now()

    assert virtual_time.run(main()) == 1.0


def test_when_the_first_requests_are_all_malformed_it_is_not_the_requests() -> None:
    provider = Scripted(*[refusal(400, "unsupported_parameter")] * 100, latency_s=1)
    outcomes = ask_all(provider, questions(100), concurrency=1)

    kinds = [type(outcome.error).__name__ for outcome in outcomes]
    assert kinds == ["RequestRejected"] * 3 + ["ConfigurationRefused"] * 97
    assert len(provider.sent) == 3


def test_one_malformed_row_costs_one_row() -> None:
    steps: list[Step] = [answered(question("row 0")), *[refusal(400, "invalid_value")] * 5]
    outcomes = ask_all(Scripted(*steps), questions(10), concurrency=1)

    assert [type(outcome.error).__name__ for outcome in outcomes] == [
        "NoneType",
        *["RequestRejected"] * 5,
        *["NoneType"] * 4,
    ]


def test_a_model_that_is_not_there_stops_everything() -> None:
    assert isinstance(ask(Scripted(refusal(404, "model_not_found")), question()), ConfigurationRefused)


NO_CONNECTION = ConnectionFailed("http://127.0.0.1:1/v1: cannot connect (Connection refused)", sent=False)


async def dead_end(step: Step, *, rows: int) -> tuple[list[Outcome], list[str], float]:
    """How rows end where every attempt ends in `step`, what a person is told meanwhile, and how long it takes."""
    told: list[str] = []
    events = Events()
    events.subscribe(lambda event: told.append(event.text) if isinstance(event, Noted) else None)
    provider = Scripted(*[step] * 10_000, latency_s=0.01)
    async with Engine(provider, budget=GENEROUS, events=events) as engine:
        outcomes = [outcome async for outcome in engine.map(questions(rows))]
        assert nothing_is_left(engine)
    return outcomes, [text for text in told if "journal" not in text], now()


@pytest.mark.parametrize(("asked_s", "told"), [
    pytest.param("432", ["test/model lets us wait for 0:07:12 (429: no)"], id="as of a limit a day"),
    pytest.param("30", [], id="as of a limit a minute"),
])  # fmt: skip
def test_a_long_wait_is_told_once(asked_s: str, told: list[str]) -> None:
    """Nothing moves meanwhile, and whoever looks on should know why."""
    heard: list[str] = []
    events = Events()
    events.subscribe(lambda event: heard.append(event.text) if isinstance(event, Noted) else None)
    turned_away = refusal(429, "rate_limit_exceeded", retry_after=asked_s)

    async def main() -> None:
        provider = Scripted(*[turned_away] * 3)
        async with Engine(provider, budget=GENEROUS, events=events, concurrency=3) as engine:
            outcomes = [outcome async for outcome in engine.map(questions(3))]

        assert all(outcome.reply is not None for outcome in outcomes)

    virtual_time.run(main())

    assert [text for text in heard if "journal" not in text] == told


@pytest.mark.parametrize("rows", [1, 3000])
def test_an_endpoint_where_nothing_listens_is_given_up_within_seconds(rows: int) -> None:
    outcomes, told, lasted_s = virtual_time.run(dead_end(NO_CONNECTION, rows=rows))

    assert isinstance(outcomes[-1].error, EndpointUnreachable)
    assert "http://127.0.0.1:1/v1: cannot connect (Connection refused); check the base URL" in str(outcomes[-1].error)
    assert outcomes[-1].error.exit_code == 4
    assert len(outcomes) == rows
    assert lasted_s < 15
    assert told == [f"no answer yet from test/model: {NO_CONNECTION}; trying again"]


@pytest.mark.parametrize("step", [refusal(500), refusal(503), ConnectionFailed("broke"), RawReply(200, {}, b"<", 0.1)])
def test_an_endpoint_that_never_said_anything_else_is_given_up_in_minutes(step: Step) -> None:
    outcomes, told, lasted_s = virtual_time.run(dead_end(step, rows=3000))

    assert isinstance(outcomes[-1].error, EndpointUnreachable)
    assert "nothing but failures in" in str(outcomes[-1].error)
    assert 60 <= lasted_s < 150
    assert len(told) == 1


def test_who_says_when_to_come_back_is_waited_for() -> None:
    provider = Scripted(*[refusal(503, retry_after="30")] * 20)

    assert getattr(ask(provider, question()), "text", None) == "HELLO"


@pytest.mark.long
def test_after_the_first_answer_an_outage_is_waited_out() -> None:
    steps: list[Step] = [answered(question("row 0")), *[refusal(503)] * 20]
    outcomes = ask_all(Scripted(*steps), questions(3), concurrency=1)

    assert [outcome.error for outcome in outcomes] == [None] * 3


@pytest.mark.parametrize(("refused", "next_is_sent_at"), [(1, 1.0), (2, 32.0)])
def test_when_one_is_told_to_wait_it_waits_and_when_it_was_no_bad_luck_all_do(
    refused: int, next_is_sent_at: float
) -> None:
    async def main() -> list[float]:
        provider = TellsWhen(*[refusal(429, "rate_limit_exceeded", retry_after="30")] * refused)
        async with Engine(provider, budget=GENEROUS, concurrency=1) as engine:
            outcomes = [outcome async for outcome in engine.map(questions(4))]
            assert all(outcome.reply for outcome in outcomes)
        return provider.sent_at

    sent_at = virtual_time.run(main())
    assert next_is_sent_at <= sent_at[refused] <= next_is_sent_at + 4
    assert len(sent_at) == 4 + refused


class TellsWhen(Scripted):
    def __init__(self, *steps: Step) -> None:
        super().__init__(*steps)
        self.sent_at: list[float] = []

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        self.sent_at.append(now())
        return await super().send(request, timeout_s=timeout_s)


def test_limits_are_learnt_from_the_replies() -> None:
    async def main() -> Limits:
        told = reply(texts=["A"], usage=[1, 1], headers={"x-ratelimit-limit-requests": "60"})
        async with Engine(Scripted(told), budget=GENEROUS) as engine:
            await engine.ask(question())
            return engine.statistics().limits

    assert virtual_time.run(main()) == Limits(rpm=60)


def test_a_request_that_no_limit_can_admit_fails_at_once_with_limit_and_need() -> None:
    provider = Scripted()
    found = ask_all(provider, [question(max_tokens=5_000)], limits=Limits(output_tpm=1_000))[0].error

    assert isinstance(found, RequestRejected)
    assert "5000" in str(found)
    assert "1000" in str(found)
    assert not provider.sent


# -- time


def test_nothing_outlives_its_deadline() -> None:
    async def main() -> float:
        async with Engine(
            Scripted(latency_s=10_000), budget=GENEROUS, deadline_s=60, attempt_timeout_s=9_999
        ) as engine:
            with pytest.raises(DeadlineExceeded, match="within 60 s"):
                await engine.ask(question())
            assert engine.statistics().assumed > 0
            assert nothing_is_left(engine)
        return now()

    assert virtual_time.run(main()) == 60.0


def test_a_long_line_is_no_reason_to_give_up() -> None:
    """An hour's worth of rows at a limit of ten a minute, each with a minute to be answered in."""
    outcomes = ask_all(Scripted(), questions(600), limits=Limits(rpm=10), deadline_s=60)

    assert all(outcome.reply for outcome in outcomes)


def test_a_provider_that_is_down_leaves_nobody_hanging() -> None:
    async def main() -> float:
        async with Engine(Scripted(*[refusal(503)] * 10**5), budget=GENEROUS, deadline_s=120) as engine:
            outcomes = [outcome async for outcome in engine.map(questions(500), ordered=False)]
            assert all(outcome.error for outcome in outcomes)
            assert nothing_is_left(engine)
            return now()

    assert virtual_time.run(main()) <= 2 * 120


def test_an_attempt_that_stalls_is_given_up_and_made_again() -> None:
    async def main() -> int:
        provider = Scripted(AttemptTimedOut("stalled"))
        async with Engine(provider, budget=GENEROUS) as engine:
            return (await engine.ask(question())).attempts

    assert virtual_time.run(main()) == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("deadline_s", 0),
        ("deadline_s", float("nan")),
        ("deadline_s", None),
        ("deadline_s", "x"),
        ("attempt_timeout_s", -1),
        ("attempt_timeout_s", "x"),
        ("run_deadline_s", "x"),
        ("run_deadline_s", 0),
        ("run_deadline_s", float("nan")),
        ("concurrency", 0),
        ("limits", "x"),
        ("budget", 5),
        ("budget", "5"),
        ("price", 0.5),
        ("price", (1, 2)),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(name: str, value: object) -> None:
    with pytest.raises(UserError, match=name):
        Engine(Scripted(), **{"budget": GENEROUS, name: value})  # type: ignore[arg-type]
