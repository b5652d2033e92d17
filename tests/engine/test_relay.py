"""Several models behind one another: what one cannot do any more the next does, and nothing is lost or paid twice."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import (
    AuthenticationRefused,
    Budget,
    BudgetReached,
    Capabilities,
    ConfigurationRefused,
    Engine,
    Interrupted,
    Limits,
    Model,
    Outcome,
    Price,
    QuotaExhausted,
    Request,
    RequestRejected,
    UserError,
)
from engine.events import Event, Events, Noted
from engine.fakes import virtual_time
from engine.fakes.behaviour import Behaviour
from engine.fakes.limits import RateLimits
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.fallback import PATIENCE_S
from engine.messages import RawReply, Usage
from engine.providers import AttemptTimedOut, ConnectionFailed
from engine.retry import TRIES
from engine.statistics import Statistics
from tests.engine.asking import GENEROUS, nothing_is_left, questions
from tests.engine.models import Fate, Teller, after_dollars, finds_wrong, now, out_between, refused_from
from tests.engine.scripted import answered, refusal


class Run:
    """What came of asking: outcomes, notes, figures, and how long it took."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.notes: list[str] = []
        self.statistics: Statistics
        self.lasted_s = 0.0

    @property
    def errors(self) -> list[object]:
        return [outcome.error for outcome in self.outcomes if outcome.error is not None]

    @property
    def models(self) -> list[str]:
        return [outcome.unwrap().model for outcome in self.outcomes]

    def listen(self, event: Event) -> None:
        if isinstance(event, Noted) and "no journal" not in event.text:
            self.notes.append(event.text)


async def asked(models: Sequence[Any], requests: Sequence[Request], **settings: Any) -> Run:
    run, events = Run(), Events()
    events.subscribe(run.listen)
    first, *others = models
    known: dict[str, Any] = {"budget": GENEROUS, "events": events} | settings
    async with Engine(first, fallback=others, **known) as engine:
        run.outcomes = [outcome async for outcome in engine.map(requests)]
        run.statistics, run.lasted_s = engine.statistics(), now()
        assert nothing_is_left(engine)
    return run


def ask_in_turn(*models: Any, rows: int = 300, **settings: Any) -> Run:
    return virtual_time.run(asked(models, questions(rows), **settings))


def by_name(run: Run) -> dict[str, int]:
    return {each.model: each.replies for each in run.statistics.by_model}


def test_all_is_asked_of_the_first_while_that_answers() -> None:
    first, second = Teller("a"), Teller("b")

    run = ask_in_turn(first, second)

    assert not run.errors
    assert (len(first.seen), len(second.seen)) == (300, 0)
    assert run.notes == []


def test_when_the_credit_ends_the_next_answers_all_that_is_left_and_one_line_says_so() -> None:
    first, second = Teller("a", after_dollars(0.002)), Teller("b", price=Price(input=3, output=6))

    run = ask_in_turn(first, second)

    assert not run.errors
    assert len(set(run.models)) == 2
    assert first.asked.total() + second.asked.total() == 300
    assert not first.asked.keys() & second.asked.keys()
    assert run.notes == ["test/a has no credit left (429: no); test/b is asked from here on"]
    assert run.statistics.spent == first.billed + second.billed
    assert [(each.model, each.standing) for each in run.statistics.by_model] == [
        ("test/a", "gone"),
        ("test/b", "asked"),
    ]
    assert [each.cost for each in run.statistics.by_model] == [first.billed, second.billed]


@pytest.mark.parametrize(("status", "code"), [(401, "invalid_api_key"), (403, ""), (404, "model_not_found"), (402, "")])
def test_a_key_or_a_model_that_dies_in_the_middle_loses_no_row(status: int, code: str) -> None:
    first, second = Teller("a", refused_from(3, status, code)), Teller("b")

    run = ask_in_turn(first, second)

    assert not run.errors
    assert first.asked.total() > 0
    assert first.asked.total() + second.asked.total() == 300
    assert len(run.notes) == 1


def test_a_server_that_is_not_there_is_replaced_in_seconds() -> None:
    first, second = Teller("a", lambda _: ConnectionFailed("refused", sent=False)), Teller("b")

    run = ask_in_turn(first, second)

    assert not run.errors
    assert second.asked.total() == 300
    assert run.lasted_s < 60
    assert run.notes[-1] == (
        "test/a cannot be reached (refused; check the base URL, and that the server is running); "
        "test/b is asked from here on"
    )


@pytest.mark.long
def test_an_outage_is_waited_out_for_half_a_minute_and_then_the_next_answers_until_it_is_over() -> None:
    """The first is asked again as soon as it answers; what the second has then is finished there."""
    first, second = Teller("a", out_between(20, 200)), Teller("b", latency_s=2.0)

    run = ask_in_turn(first, Model(second, limits=Limits(rpm=600)), rows=3000, concurrency=10)

    assert not run.errors
    assert first.asked.total() + second.asked.total() == 3000
    assert not first.asked.keys() & second.asked.keys()
    assert run.notes == [
        "test/a does not answer any more; test/b is asked meanwhile",
        "test/a answers again, and is asked first again",
    ]
    assert 20 + PATIENCE_S <= second.seen[0] < 20 + PATIENCE_S + 10
    assert [each.standing for each in run.statistics.by_model] == ["asked", "asked"]
    during = [at for at in first.seen if 60 <= at < 200]
    assert len(during) < 60  # it is tried now and then, one by one
    assert run.lasted_s > 200


def test_a_short_outage_is_waited_out() -> None:
    first, second = Teller("a", out_between(2, 2 + PATIENCE_S / 2)), Teller("b")

    run = ask_in_turn(first, second, rows=2000)

    assert not run.errors
    assert second.seen == []
    assert run.notes == []


@pytest.mark.long
def test_the_last_one_that_is_left_is_waited_for_as_if_it_were_alone() -> None:
    first, second = Teller("a", refused_from(3, 401)), Teller("b", out_between(10, 200))

    run = ask_in_turn(first, second, rows=2000, concurrency=20)

    assert not run.errors
    assert len(run.notes) == 1
    assert run.lasted_s > 200


@pytest.mark.long
def test_when_both_are_out_they_are_waited_for_in_turn_and_whoever_comes_back_first_goes_on() -> None:
    first, second = Teller("a", out_between(5, 500)), Teller("b", out_between(60, 300))

    run = ask_in_turn(first, Model(second, limits=Limits(rpm=600)), rows=3000, concurrency=20)

    assert not run.errors
    assert first.asked.total() + second.asked.total() == 3000
    assert not first.asked.keys() & second.asked.keys()
    assert 300 < max(second.seen) < run.lasted_s < 600
    assert run.notes[:2] == [
        "test/a does not answer any more; test/b is asked meanwhile",
        "test/b does not answer any more; neither does any other, so they are asked in turn",
    ]
    assert len(run.notes) <= 5


def test_when_none_ever_answers_again_every_row_ends_by_its_deadline() -> None:
    models = [Teller(name, out_between(2, 1e9)) for name in "ab"]

    run = ask_in_turn(*models, rows=100, deadline_s=300, concurrency=4)

    assert len(run.outcomes) == 100
    assert run.errors
    assert run.lasted_s < 1200


def test_what_it_finds_wrong_with_a_request_is_told_to_nobody_else() -> None:
    first, second = Teller("a", lambda teller: None if len(teller.seen) < 9 else finds_wrong(teller)), Teller("b")

    run = ask_in_turn(first, second, rows=20, concurrency=4)

    assert {type(error) for error in run.errors} == {RequestRejected}
    assert second.seen == []


def test_a_first_model_that_rejects_all_that_is_asked_ends_it() -> None:
    """Whatever is wrong with the requests would be wrong, and perhaps paid for, elsewhere too."""
    first, second = Teller("a", finds_wrong), Teller("b")

    run = ask_in_turn(first, second, rows=50)

    assert isinstance(run.errors[-1], ConfigurationRefused)
    assert len(run.errors) == 50
    assert second.seen == []


def test_a_row_that_one_model_fails_by_chance_is_the_next_ones() -> None:
    async def main() -> tuple[str, int]:
        flaky = Teller("a", lambda teller: None if len(teller.seen) == 1 else refusal(500))
        async with Engine(flaky, fallback=[Teller("b")], budget=GENEROUS) as engine:
            first = await engine.ask(Request.user("one"))
            second = await engine.ask(Request.user("two"))
            return f"{first.model} {second.model}", len(flaky.seen)

    assert virtual_time.run(main()) == ("test/a test/b", 1 + TRIES)


def test_when_all_refuse_the_error_names_each_with_its_reason() -> None:
    first, second = Teller("a", after_dollars(0.0005)), Teller("b", refused_from(0, 401, "invalid_api_key"))

    run = ask_in_turn(first, second, rows=100)

    error = run.errors[-1]
    assert isinstance(error, AuthenticationRefused)
    assert error.exit_code == 4
    assert "test/a: 429: no; test/b: 401: no" in str(error)


def test_one_model_alone_still_ends_with_its_own_error() -> None:
    run = ask_in_turn(Teller("a", after_dollars(0.0005)), rows=100)

    assert isinstance(run.errors[-1], QuotaExhausted)


@pytest.mark.long
def test_one_budget_holds_for_all_of_them() -> None:
    first = Teller("a", after_dollars(0.002))
    second = Teller("b", price=Price(input=40, output=80))

    run = ask_in_turn(first, second, rows=2000, budget=Budget(usd="0.5"))

    assert {type(error) for error in run.errors} == {BudgetReached}
    assert first.billed + second.billed == run.statistics.spent
    assert 0.97 * 5e11 < run.statistics.spent <= 5e11


def test_each_is_kept_inside_its_own_limits() -> None:
    first = Model(Teller("a", after_dollars(0.0005)), limits=Limits(rpm=6000))
    second = Teller("b")

    run = ask_in_turn(first, Model(second, limits=Limits(rpm=60)), rows=100)

    assert not run.errors
    minute = [at for at in second.seen if at < second.seen[0] + 60]
    assert len(minute) <= 62


def test_a_resumed_run_takes_what_either_has_said_from_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    first, second = Teller("a", after_dollars(0.002), latency_s=0.01), Teller("b", latency_s=0.01)
    before = asyncio.run(asked((first, second), questions(300), journal=path))
    again = Teller("a"), Teller("b")

    after = asyncio.run(asked(again, questions(300), journal=path))

    assert [each.seen for each in again] == [[], []]
    assert after.models == before.models
    assert [outcome.unwrap().text for outcome in after.outcomes] == [row.unwrap().text for row in before.outcomes]
    assert after.statistics.spent == before.statistics.spent == first.billed + second.billed
    assert [each.from_journal for each in after.statistics.by_model] == [each.asked.total() for each in (first, second)]


def test_what_is_asked_is_what_all_of_them_can_take() -> None:
    """The question is the same whoever answers, so its answer is found again whoever has answered."""
    first = Teller("a")
    second = Teller("b", capabilities=Capabilities(n=False, max_temperature=1.0, schema=False, most_stops=4))

    async def main() -> tuple[Capabilities, int]:
        async with Engine(first, fallback=[second], budget=GENEROUS) as engine:
            reply = await engine.ask(Request.user("row", n=3))
            assert len(reply.texts) == 3
            with pytest.raises(UserError, match="at most 1 here"):
                await engine.ask(Request.user("row", temperature=1.5))
            return engine.capabilities, len(first.seen)

    assert virtual_time.run(main()) == (second.capabilities, 3)


def test_an_objection_names_the_model_that_has_it() -> None:
    limited = Teller("b", capabilities=Capabilities(max_temperature=None))

    async def main() -> None:
        async with Engine(Teller("a"), fallback=[limited], budget=GENEROUS) as engine:
            with pytest.raises(UserError, match="test/b: no temperature"):
                await engine.ask(Request.user("row", temperature=0.5))

    virtual_time.run(main())


OWN_FORMS = {
    "several completions": Request.user("row", n=3, max_tokens=20),
    "a schema": Request.user("row", schema={"type": "object"}, max_tokens=20),
    "both": Request.user("row", n=2, schema={"type": "object"}, max_tokens=20),
    "a temperature": Request.user("row", temperature=1.5, max_tokens=20),
}


@pytest.mark.parametrize("request_", OWN_FORMS.values(), ids=OWN_FORMS)
def test_what_was_paid_for_is_found_when_one_that_can_do_less_is_named_to_fall_back_on(
    tmp_path: Path, request_: Request
) -> None:
    first = Teller("a", latency_s=0.0)
    limited = Teller("b", capabilities=Capabilities(n=False, max_temperature=1.0, schema=False))

    async def main() -> None:
        books: dict[str, Any] = {"budget": GENEROUS, "journal": tmp_path / "journal.db"}
        async with Engine(first, **books) as engine:
            before = await engine.ask(request_)
        async with Engine(first, fallback=[limited], **books) as engine:
            after = await engine.ask(request_)
            assert nothing_is_left(engine)
        assert (after.texts, after.from_journal) == (before.texts, True)
        assert (len(first.seen), limited.seen) == (1, [])

    asyncio.run(main())


@pytest.mark.parametrize("hedge", [False, True])
@pytest.mark.long
def test_what_is_sent_comes_home_whatever_switch_happens_meanwhile(*, hedge: bool) -> None:
    """Both go out and come back at different times: nothing that has left is cancelled, so nothing is paid twice."""

    def out_every_other(seconds: float) -> Fate:
        return lambda _: refusal(503) if int(now() / seconds) % 2 else None

    first, second = Teller("a", out_every_other(40)), Teller("b", out_every_other(70))

    run = ask_in_turn(first, second, rows=1500, concurrency=5, hedge=hedge)

    assert not run.errors
    assert sum("answers again" in note for note in run.notes) > 1
    assert run.statistics.assumed == 0
    assert run.statistics.spent == first.billed + second.billed
    assert not first.asked.keys() & second.asked.keys()


def test_one_model_on_two_routes_is_asked_the_same_question_once() -> None:
    both, spare = Teller("a"), Teller("b")
    rows = [Request.user("row", tag=tag, max_tokens=20) for tag in ("", "label") * 5]

    run = virtual_time.run(asked((both, spare), rows, by_tag={"label": both}))

    assert not run.errors
    assert (both.asked.total(), spare.asked.total()) == (1, 0)


def test_what_failed_on_one_route_is_asked_on_the_other() -> None:
    """A fall-back order that was left for another model says nothing of a route that has this one alone."""
    both, spare = Teller("a", out_between(0, 100)), Teller("b", out_between(0, 50))
    rows = [Request.user("row", tag=tag, max_tokens=20) for tag in ("", "label") * 5]

    run = virtual_time.run(asked((both, spare), rows, by_tag={"label": both}))

    assert not run.errors
    assert both.asked.total() == 1


def test_a_model_that_stands_twice_in_one_order_is_refused_but_not_one_with_another_key() -> None:
    one, other = (Model("openai/x", api_key=key, price=Price(input=1, output=1)) for key in ("k1", "k2"))

    for order in ((teller := Teller("a"), Teller("b"), teller), (one, other, one)):
        with pytest.raises(UserError, match="stands twice in one fall-back order"):
            Engine(order[0], fallback=order[1:], budget=GENEROUS)
    Engine(one, fallback=[other], budget=GENEROUS)


def test_the_same_question_asked_twice_at_once_is_paid_once_though_it_moves() -> None:
    first, second = Teller("a", refused_from(0, 402)), Teller("b")

    run = virtual_time.run(asked((first, second), [Request.user("row")] * 50))

    assert not run.errors
    assert second.asked.total() == 1


def test_requests_of_a_tag_go_to_the_models_that_were_named_for_it() -> None:
    usual, labeller, spare = Teller("a"), Teller("b", after_dollars(0.0005)), Teller("c")
    rows = [Request.user(f"{tag} {i}", tag=tag) for i in range(50) for tag in ("write", "label")]

    run = virtual_time.run(asked((usual,), rows, by_tag={"label": [labeller, spare]}))

    assert not run.errors
    assert {text.split()[0] for text in usual.asked} == {"write"}
    assert {text.split()[0] for text in labeller.asked | spare.asked} == {"label"}
    assert usual.asked.total() == labeller.asked.total() + spare.asked.total() == 50
    assert run.statistics.by_tag["label"].cost == labeller.billed + spare.billed
    assert run.statistics.spent == usual.billed + labeller.billed + spare.billed


def test_tags_that_are_given_the_same_models_share_them() -> None:
    usual, labeller = Teller("a"), Model(Teller("b"), concurrency=3)

    engine = Engine(usual, by_tag={"label": labeller, "judge": [labeller], "write": usual}, budget=GENEROUS)

    assert [each.model for each in engine.statistics().by_model] == ["test/a", "test/b"]
    assert engine.capabilities_of("label") == engine.capabilities


@pytest.mark.parametrize(
    ("settings", "part"),
    [
        pytest.param({"model": Model("simulated/echo"), "limits": Limits(rpm=3)}, "within Model", id="said beside"),
        pytest.param({"model": "simulated/echo", "by_tag": {"label": []}}, "at least one", id="none"),
        pytest.param({"model": "simulated/echo", "fallback": ["nobody/x"]}, "no provider 'nobody'", id="unknown"),
        pytest.param({"model": "openai/x", "api_key": "k", "fallback": ["openai/gpt-5"], "batch": True,
                      "journal": "journal.db", "price": Price(input=1, output=1)}, "needs a key", id="no key"),
    ],
)  # fmt: skip
def test_what_cannot_be_meant_is_refused_at_once(settings: dict[str, Any], part: str) -> None:
    with pytest.raises(UserError, match=part):
        Engine(settings.pop("model"), **({"budget": GENEROUS} | settings))


def test_batches_go_to_one_model() -> None:
    models = [Model(name, api_key="k", price=Price(input=1, output=1)) for name in ("openai/x", "openai/y")]

    with pytest.raises(UserError, match="batches go to one model"):
        Engine(models[0], fallback=models[1:], batch=True, journal="journal.db", budget=GENEROUS)
    Engine(models[0], by_tag={"label": models}, batch=["write"], journal="journal.db", budget=GENEROUS)


def test_an_engine_opened_again_asks_all_of_them_anew() -> None:
    first, second = Teller("a", after_dollars(0)), Teller("b")

    async def main() -> list[str]:
        engine = Engine(first, fallback=[second], budget=GENEROUS)
        async with engine:
            one = await engine.ask(Request.user("one"))
        first.fate = lambda _: None
        async with engine:
            return [one.model, (await engine.ask(Request.user("two"))).model]

    assert virtual_time.run(main()) == ["test/b", "test/a"]


@pytest.mark.long
def test_a_limit_that_comes_back_in_hours_is_no_reason_to_wait_for_hours() -> None:
    """The day's allowance is used up: the provider says to come back in two hours."""
    first = Teller("a", lambda _: refusal(429, "rate_limit_exceeded", retry_after="7200") if now() > 10 else None)
    second = Teller("b")

    run = ask_in_turn(first, second, rows=2000, concurrency=20)

    assert not run.errors
    assert second.asked.total() > 0
    assert run.lasted_s < 600
    assert len(first.seen) < first.asked.total() + 300


@pytest.mark.parametrize("tells_limits", [True, False])
def test_answers_that_were_on_their_way_do_not_end_a_wait_of_hours(tells_limits: bool) -> None:
    """Over a socket, from a service that counts days: it refuses at once, and what it took before comes later."""

    async def main() -> tuple[Run, int]:
        behaviour = Behaviour(limits=RateLimits(rpd=20), tells_limits=tells_limits, latency_s=0.5)
        async with FakeProvider(EchoWorld(), behaviour) as first, FakeProvider(EchoWorld()) as second:
            models = [Model("openai/m", base_url=fake.url, price=Price(input=1, output=2)) for fake in (first, second)]
            return await asked(models, questions(100)), second.audit.count(200)

    run, by_second = virtual_time.run(main())

    assert not run.errors
    assert by_second == 80
    assert run.lasted_s < 120


class Hushed(Teller):
    """From the tenth second on it says nothing for so long, then what it was asked for."""

    def __init__(self, name: str, *, quiet_s: float, until: float = 1e9) -> None:
        super().__init__(name)
        self.quiet_s, self.until = quiet_s, until

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        if not 10 <= now() < self.until:
            return await super().send(request, timeout_s=timeout_s)
        self.seen.append(now())
        await asyncio.sleep(min(self.quiet_s, timeout_s))
        if self.quiet_s > timeout_s:
            raise AttemptTimedOut(f"no complete reply within {timeout_s:g} s")
        self.asked[request.messages[-1].content] += 1
        self.billed += self.price.cost(Usage(10, 5))
        return answered(request)


def test_a_provider_that_falls_silent_is_waited_for_as_long_as_an_outage() -> None:
    """What is out there is not asked elsewhere before its time is over; what waits is, at once."""
    first, second = Hushed("a", quiet_s=1e9), Teller("b")

    run = ask_in_turn(first, second, rows=500, concurrency=10)

    assert not run.errors
    assert run.notes == ["test/a does not answer any more; test/b is asked meanwhile"]
    assert 10 + PATIENCE_S <= second.seen[0] < 10 + PATIENCE_S + 3
    assert first.asked.total() + second.asked.total() == 500
    assert len([at for at in first.seen if at > 10]) < 10 + 10  # those that were out, and a trial now and then
    assert run.lasted_s < 10 + 4 * 120


def test_slow_answers_are_no_silence() -> None:
    first, second = Hushed("a", quiet_s=PATIENCE_S - 2), Teller("b")

    run = ask_in_turn(first, second, rows=200, concurrency=10)

    assert not run.errors
    assert second.seen == []
    assert run.notes == []


@pytest.mark.long
def test_a_silence_that_ends_pays_for_nothing_twice() -> None:
    first, second = Hushed("a", quiet_s=60.0, until=40.0), Teller("b")

    run = ask_in_turn(first, Model(second, limits=Limits(rpm=600)), rows=2000, concurrency=10)

    assert not run.errors
    assert first.asked.total() + second.asked.total() == 2000
    assert not first.asked.keys() & second.asked.keys()
    assert run.notes == [
        "test/a does not answer any more; test/b is asked meanwhile",
        "test/a answers again, and is asked first again",
    ]
    assert run.statistics.assumed == 0


def test_the_last_one_is_waited_for_however_silent_it_is() -> None:
    run = ask_in_turn(Teller("a", refused_from(3, 401)), Hushed("b", quiet_s=100.0, until=50.0), rows=300)

    assert not run.errors
    assert [each.standing for each in run.statistics.by_model] == ["gone", "asked"]


def test_a_provider_that_falls_silent_costs_its_timeouts_and_no_row() -> None:
    first = Teller("a", lambda _: AttemptTimedOut("no complete reply within 120 s") if now() > 10 else None)

    run = ask_in_turn(first, Teller("b"), rows=500, concurrency=10)

    assert not run.errors
    assert run.statistics.assumed > 0
    assert run.notes == ["test/a does not answer any more; test/b is asked meanwhile"]


def test_hedging_goes_together_with_falling_back() -> None:
    run = ask_in_turn(Teller("a", after_dollars(0.002)), Teller("b"), hedge=True)

    assert not run.errors
    assert [each.standing for each in run.statistics.by_model] == ["gone", "asked"]


@pytest.mark.parametrize("when", [0.5, 20.0, 45.0, 70.0])
@pytest.mark.long
def test_an_orderly_end_is_nobody_elses_to_answer(when: float) -> None:
    """Before, in the middle of an outage's patience, while the next is asked, and once the first is back."""
    first, second = Teller("a", out_between(10, 60)), Model(Teller("b"), limits=Limits(rpm=600))

    async def main() -> tuple[list[Outcome], int]:
        async with Engine(first, fallback=[second], budget=GENEROUS, concurrency=10) as engine:
            asyncio.get_running_loop().call_later(when, engine.drain)
            outcomes = [outcome async for outcome in engine.map(questions(3000))]
            assert nothing_is_left(engine)
            return outcomes, engine.statistics().replies

    outcomes, replies = virtual_time.run(main())

    assert len(outcomes) == 3000
    assert sum(outcome.reply is not None for outcome in outcomes) == replies
    assert {type(outcome.error) for outcome in outcomes if outcome.error is not None} == {Interrupted}


@pytest.mark.parametrize("when", [0.5, 20.0, 45.0, 70.0])
@pytest.mark.long
def test_closing_leaves_nothing_behind_whoever_is_asked(when: float) -> None:
    first, second = Teller("a", out_between(10, 60)), Model(Teller("b"), limits=Limits(rpm=600))

    async def main() -> tuple[set[str], int]:
        engine = Engine(first, fallback=[second], budget=GENEROUS, concurrency=10)
        async with engine:
            asking = [asyncio.create_task(engine.ask(each)) for each in questions(2000)]
            await asyncio.sleep(when)
        ends = await asyncio.gather(*asking, return_exceptions=True)
        return {type(end).__name__ for end in ends}, len(asyncio.all_tasks())

    ends, tasks = virtual_time.run(main())

    assert ends <= {"Reply", "Interrupted"}
    assert tasks == 1


def test_cancelling_a_request_that_is_the_trial_leaves_the_model_out_and_the_others_asked() -> None:
    first, second = Teller("a", out_between(1, 1e9)), Teller("b")

    async def main() -> list[str]:
        async with Engine(first, fallback=[second], budget=GENEROUS, concurrency=8) as engine:
            await engine.ask(Request.user("before"))
            await asyncio.sleep(1)
            assert {reply.model for reply in await asyncio.gather(*map(engine.ask, questions(50)))} == {"test/b"}
            for i in range(20):  # whichever of them is the trial
                asking = asyncio.create_task(engine.ask(Request.user(f"cancelled {i}")))
                await asyncio.sleep(0.05)
                asking.cancel()
                await asyncio.sleep(2)
            first.fate = lambda _: None
            await asyncio.sleep(60)
            back = [await engine.ask(Request.user(f"after {i}")) for i in range(3)]
            assert nothing_is_left(engine)
            return [reply.model for reply in back]

    assert virtual_time.run(main()) == ["test/a"] * 3


@given(
    outages=st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 300), st.floats(1, 200)), max_size=5),
    credit=st.floats(0.0005, 0.05),
    rows=st.integers(1, 300),
    slots=st.integers(1, 20),
)
@settings(max_examples=40, deadline=None)
@pytest.mark.long
def test_whatever_the_weather_every_row_is_answered_and_none_is_paid_twice(
    outages: list[tuple[str, float, float]], credit: float, rows: int, slots: int
) -> None:
    """Only a third model, without a fault, is asked for what the others cannot do."""

    def fate(name: str) -> Fate:
        spans = [(start, start + length) for who, start, length in outages if who == name]
        return lambda _: refusal(503) if any(start <= now() < end for start, end in spans) else None

    tellers = [Teller("a", fate("a")), Teller("b", fate("b")), Teller("c")]
    broke, weather = after_dollars(credit), tellers[0].fate
    tellers[0].fate = lambda teller: broke(teller) or weather(teller)

    run = ask_in_turn(*tellers, rows=rows, concurrency=slots)

    assert not run.errors
    assert all(count == 1 for teller in tellers for count in teller.asked.values())
    assert sum(teller.asked.total() for teller in tellers) == rows
    assert run.statistics.spent == sum(teller.billed for teller in tellers)
    assert run.statistics.assumed == 0


class Spelled(Teller):
    """Answers everything; within some spells slowly."""

    def __init__(self, name: str, spells: Sequence[tuple[float, float, float]]) -> None:
        super().__init__(name)
        self.spells = spells

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        took = [slow_s for start, length, slow_s in self.spells if start <= now() < start + length]
        await asyncio.sleep(max(took, default=0.0))
        return await super().send(request, timeout_s=timeout_s)


SPELLS = st.lists(st.tuples(st.floats(0, 200), st.floats(1, 200), st.floats(1, 110)), max_size=3)


@given(first=SPELLS, second=SPELLS, rows=st.integers(1, 300), slots=st.integers(1, 20))
@settings(max_examples=10, deadline=None)
def test_however_slow_the_answers_none_is_paid_twice(
    first: list[tuple[float, float, float]], second: list[tuple[float, float, float]], rows: int, slots: int
) -> None:
    """What is taken for silence and is none costs a change of model."""
    tellers = [Spelled("a", first), Spelled("b", second)]

    run = ask_in_turn(*tellers, rows=rows, concurrency=slots)

    assert not run.errors
    assert sum(teller.asked.total() for teller in tellers) == rows
    assert run.statistics.spent == sum(teller.billed for teller in tellers)
    assert run.statistics.assumed == 0
