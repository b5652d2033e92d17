"""The engine as a whole: asked once, paid once, kept, inside its cap, and it can be looked at."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from engine import (
    Budget,
    BudgetReached,
    Capabilities,
    Engine,
    Events,
    Limits,
    Message,
    Price,
    UnknownPrice,
    Usage,
    UserError,
)
from engine.events import Event, ReplyReceived, RequestFinished, RequestSent
from engine.fakes import virtual_time
from engine.journal import Journal
from engine.messages import RawReply, Reply, Request
from engine.providers import ConnectionFailed, Reading
from tests.engine.asking import GENEROUS, nothing_is_left, question, questions
from tests.engine.scripted import Scripted, answered, ask, ask_all, refusal

PICO = 10**12


# -- asked once, paid once


def test_a_question_is_answered_and_charged_by_its_usage() -> None:
    provider = Scripted()

    found = ask(provider, question())
    assert getattr(found, "text", None) == "HELLO"
    assert getattr(found, "cost_usd", None) == (10 * 1 + 5 * 2) / 10**6
    assert getattr(found, "attempts", None) == 1


def test_the_same_question_again_is_answered_by_the_journal_for_nothing() -> None:
    async def main() -> None:
        provider = Scripted()
        async with Engine(provider, budget=GENEROUS) as engine:
            first, second = await engine.ask(question()), await engine.ask(question())
            again_on_purpose = await engine.ask(replace(question(), sample=1))

        assert (first.from_journal, second.from_journal, again_on_purpose.from_journal) == (False, True, False)
        assert (second.text, second.cost_usd) == (first.text, 0.0)
        assert second.paid_usd == first.paid_usd == first.cost_usd > 0
        assert len(provider.sent) == 2

    virtual_time.run(main())


def test_the_same_question_at_the_same_time_is_asked_once() -> None:
    provider = Scripted()
    outcomes = ask_all(provider, [question()] * 20)

    assert len(provider.sent) == 1
    assert [outcome.unwrap().text for outcome in outcomes] == ["HELLO"] * 20
    assert sum(outcome.unwrap().cost_usd for outcome in outcomes) == pytest.approx(20 / 10**6)


def test_the_same_question_at_the_same_time_fails_once() -> None:
    provider = Scripted(refusal(400, "context_length_exceeded"))
    outcomes = ask_all(provider, [question()] * 5)

    assert len(provider.sent) == 1
    assert {type(outcome.error).__name__ for outcome in outcomes} == {"ContextOverflow"}


def test_whoever_waited_for_a_twin_that_was_cancelled_asks_itself() -> None:
    async def main() -> str:
        async with Engine(Scripted(latency_s=10), budget=GENEROUS) as engine:
            loop = asyncio.get_running_loop()
            first = loop.create_task(engine.ask(question()))
            second = loop.create_task(engine.ask(question()))
            await asyncio.sleep(5)
            first.cancel()
            return (await second).text

    assert virtual_time.run(main()) == "HELLO"


@pytest.mark.parametrize("cancellations", [1, 3])
@pytest.mark.parametrize("is_twin", [True, False])
def test_a_reply_that_came_is_not_paid_for_again_since_its_asker_was_cancelled(
    cancellations: int, is_twin: bool, tmp_path: Path
) -> None:
    """It is on its way to the disk; whoever asks the same next, or waits for it, gets it from there."""

    async def main() -> tuple[int, bool]:
        provider = CancelsAsItAnswers(cancellations)
        async with Engine(provider, budget=GENEROUS, journal=tmp_path / "journal.db") as engine:
            provider.asker = asyncio.create_task(engine.ask(question()))
            twin = asyncio.create_task(engine.ask(question())) if is_twin else None
            with pytest.raises(asyncio.CancelledError):
                await provider.asker
            reply = await (twin or engine.ask(question()))
            return len(provider.sent), reply.from_journal

    assert asyncio.run(main()) == (1, True)


class CancelsAsItAnswers(Scripted):
    """Has its asker cancelled when the reply has come and is being written, so many times, a turn of the loop each."""

    asker: asyncio.Task[Reply]

    def __init__(self, cancellations: int) -> None:
        super().__init__(latency_s=0)
        self.left = cancellations

    def read(self, request: Request, raw: RawReply) -> Reading:
        if self.left:
            asyncio.get_running_loop().call_soon(self.cancel)
        return super().read(request, raw)

    def cancel(self) -> None:
        self.left -= 1
        self.asker.cancel()
        if self.left:
            asyncio.get_running_loop().call_soon(self.cancel)


def test_a_second_run_asks_nothing_again(tmp_path: Path) -> None:
    async def run(provider: Scripted) -> list[str]:
        async with Engine(provider, budget=GENEROUS, journal=tmp_path / "journal.db") as engine:
            return [outcome.unwrap().text async for outcome in engine.map(questions(20))]

    first, second = Scripted(latency_s=0), Scripted(latency_s=0)
    assert asyncio.run(run(first)) == asyncio.run(run(second))
    assert (len(first.sent), len(second.sent)) == (20, 0)


def test_what_earlier_processes_spent_counts(tmp_path: Path) -> None:
    async def run(requests: list[Request]) -> int:
        async with Engine(Scripted(latency_s=0), budget=GENEROUS, journal=tmp_path / "journal.db") as engine:
            async for _ in engine.map(requests):
                pass
            return engine.statistics().spent

    assert asyncio.run(run(questions(10))) == 10 * 20 * 10**6
    assert asyncio.run(run(questions(15))) == 15 * 20 * 10**6


def test_a_reply_is_on_disk_before_the_caller_sees_it(tmp_path: Path) -> None:
    import shutil

    async def main() -> None:
        async with Engine(Scripted(latency_s=0), budget=GENEROUS, journal=tmp_path / "journal.db") as engine:
            await engine.ask(question())
            shutil.copytree(tmp_path, tmp_path.parent / "as-if-killed-now")

    async def after() -> int:
        async with await Journal.open(tmp_path.parent / "as-if-killed-now" / "journal.db") as journal:
            return journal.counts().replies

    asyncio.run(main())
    assert asyncio.run(after()) == 1


# -- money


def test_what_nobody_knows_is_charged_at_its_bound_and_said_to_be_assumed() -> None:
    async def main() -> None:
        provider = Scripted(ConnectionFailed("reset"), refusal(429, "rate_limit_exceeded"))
        async with Engine(provider, budget=GENEROUS) as engine:
            found = await engine.ask(question())
            statistics = engine.statistics()

        assert found.attempts == 3
        assert statistics.spent == 20 * 10**6
        assert statistics.assumed > 100 * 2 * 10**6  # one lost attempt at max_tokens; the 429 was free
        assert dict(statistics.failures) == {"transient": 1, "rate": 1}

    virtual_time.run(main())


@pytest.mark.parametrize("usage", [None, (10**9, 10**9)], ids=["missing", "beyond what can be true"])
def test_a_reply_whose_usage_cannot_be_believed_is_charged_at_its_bound(usage: tuple[int, int] | None) -> None:
    async def main() -> None:
        async with Engine(Scripted(answered(question(), usage=usage)), budget=GENEROUS) as engine:
            found = await engine.ask(question())
            written, statistics = engine._opened().counts().by_tag[""], engine.statistics()
            assert found.text == "HELLO"
            assert (statistics.spent, written.spent) == (0, 0)
            assert 0 < statistics.assumed < 10**9
            assert written.assumed == statistics.assumed  # an unbelievable figure is written down nowhere
            assert found.cost_usd == statistics.by_tag[""].cost_usd == statistics.assumed / PICO

    virtual_time.run(main())


def test_when_the_money_is_spent_every_further_row_says_so() -> None:
    outcomes = ask_all(Scripted(), questions(400), budget=Budget(usd="0.002"))
    reached = [outcome for outcome in outcomes if isinstance(outcome.error, BudgetReached)]
    spent = sum(outcome.reply.cost_usd for outcome in outcomes if outcome.reply)

    assert 0.0015 < spent <= 0.002
    assert len(reached) == sum(outcome.reply is None for outcome in outcomes)


def test_no_budget_needs_an_explicit_price_of_zero() -> None:
    with pytest.raises(UserError, match="no budget: give one"):
        Engine(Scripted())
    with pytest.raises(UserError):
        Engine(Scripted(), price=Price(input=0, output=1))

    assert "no cap" in repr(Engine(Scripted(), price=Price(input=0, output=0)))


def test_an_unknown_price_is_never_taken_for_zero() -> None:
    class Unpriced(Scripted):
        price = None  # type: ignore[assignment]

    with pytest.raises(UnknownPrice):
        Engine(Unpriced(), budget=GENEROUS)


# -- what may be asked


@pytest.mark.parametrize(
    ("request_", "capabilities"),
    [
        (Request.user("x", temperature=1.5), Capabilities(max_temperature=1.0)),
        (Request.user("x", temperature=0.0), Capabilities(max_temperature=None)),
        (Request.user("x", stop=("\n",)), Capabilities(stop=False)),
        (Request.user("x", stop=("a", "b")), Capabilities(most_stops=1)),
        (Request.user("x", seed=1), Capabilities(seed=False)),
    ],
    ids=["too hot", "no temperature", "stop", "two stops", "seed"],
)
def test_what_the_endpoint_cannot_do_is_refused_before_sending(request_: Request, capabilities: Capabilities) -> None:
    provider = Scripted(capabilities=capabilities)

    assert isinstance(ask(provider, request_), UserError)
    assert not provider.sent


def test_several_completions_are_asked_for_one_by_one_where_they_must_be() -> None:
    async def main() -> None:
        provider = Scripted(capabilities=Capabilities(n=False))
        async with Engine(provider, budget=GENEROUS) as engine:
            found = await engine.ask(replace(question(), n=3))
            again = await engine.ask(replace(question(), n=3))

        assert found.texts == ("HELLO",) * 3
        assert found.usage == Usage(30, 15)
        assert found.cost_usd == pytest.approx(3 * 20 / 10**6)
        assert (again.from_journal, again.cost_usd) == (True, 0.0)
        assert [request.n for request in provider.sent] == [1, 1, 1]
        assert len({request.sample for request in provider.sent}) == 3

    virtual_time.run(main())


def test_a_part_of_one_question_answers_no_other() -> None:
    """Samples 0, 1, 2 of the same question, and two completions of it, are asked anew."""

    async def main() -> None:
        provider = Scripted(capabilities=Capabilities(n=False))
        async with Engine(provider, budget=GENEROUS) as engine:
            whole = replace(question(), n=3)
            others = [*(replace(question(), sample=i) for i in range(3)), replace(question(), n=2)]
            for request in (whole, *others):
                assert not (await engine.ask(request)).from_journal
        assert len(provider.sent) == len({request.sample for request in provider.sent}) == 3 + 3 + 2

    virtual_time.run(main())


def test_it_must_be_open() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(Engine(Scripted(), budget=GENEROUS).ask(question()))


def test_an_address_belongs_to_a_model_given_by_name() -> None:
    with pytest.raises(UserError, match="has its own"):
        Engine(Scripted(), budget=GENEROUS, base_url="https://example.com")


# -- what can be seen


def test_events_tell_the_story_in_order() -> None:
    events, seen = Events(), list[Event]()
    events.subscribe(seen.append)
    ask(Scripted(refusal(429, "rate_limit_exceeded")), question(), events=events)  # type: ignore[arg-type]

    assert [type(event).__name__ for event in seen] == [
        "Noted",
        "RequestSent",
        "AttemptFailed",
        "RequestSent",
        "ReplyReceived",
        "RequestFinished",
    ]
    assert seen[-2] == ReplyReceived("", 20 * 10**6, 10, 5, 0.5, False, "test/model")
    assert seen[-1] == RequestFinished("", None)
    assert RequestSent("") in seen


def test_statistics_are_kept_by_tag() -> None:
    async def main() -> None:
        async with Engine(Scripted(), budget=GENEROUS) as engine:
            for tag in ("draft", "draft", "label"):
                await engine.ask(Request.user("x", tag=tag, max_tokens=10))
            statistics = engine.statistics()

        assert (statistics.requests, statistics.replies, statistics.from_journal) == (3, 3, 2)
        assert statistics.by_tag["draft"].attempts == 1
        assert statistics.by_tag["label"].from_journal == 1
        assert (statistics.input_tokens, statistics.output_tokens) == (10, 5)
        assert statistics.cap == 100 * PICO
        assert statistics.cost_usd == pytest.approx(20 / 10**6)

    virtual_time.run(main())


def test_what_binds_is_said() -> None:
    async def main() -> str | None:
        async with Engine(Scripted(), budget=GENEROUS, limits=Limits(rpm=6)) as engine:
            tasks = [asyncio.get_running_loop().create_task(engine.ask(request)) for request in questions(3)]
            await asyncio.sleep(5)
            binding = engine.statistics().binding
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            return binding

    assert virtual_time.run(main()) == "requests"


def test_the_repr_says_what_is_going_on() -> None:
    async def main() -> None:
        async with Engine(Scripted(), budget=Budget(usd=5), concurrency=2) as engine:
            tasks = [asyncio.get_running_loop().create_task(engine.ask(request)) for request in questions(3)]
            await asyncio.sleep(0.5)
            assert repr(engine) == "<Engine test/model [2 in flight, 1 waiting | $0.00 of $5.00]>"
            await asyncio.wait(tasks)

    virtual_time.run(main())


def test_strange_texts_are_questions_too() -> None:
    strange = ["\x00", "", "﷽" * 10, "\u2028", "𝔘𝔫𝔦𝔠𝔬𝔡𝔢"]
    requests = [Request(messages=(Message("user", text),), max_tokens=10) for text in strange]
    outcomes = ask_all(Scripted(), requests)

    assert all(outcome.reply for outcome in outcomes)


def test_half_a_surrogate_pair_costs_its_row_and_is_named() -> None:
    provider = Scripted()
    requests = [
        question("a"),
        Request.user("b", system="half \ud800"),
        question("c"),
        Request.user("d", stop=("\ud800",)),
    ]
    outcomes = ask_all(provider, requests)

    assert [type(outcome.error).__name__ for outcome in outcomes] == ["NoneType", "RequestRejected"] * 2
    assert str(outcomes[1].error) == "message 1 (system) holds half a surrogate pair, which is no character"
    assert len(provider.sent) == 2


def test_an_item_that_is_no_request_is_named_after_what_was_sent_is_kept() -> None:
    async def main() -> None:
        async with Engine(Scripted(), budget=GENEROUS) as engine:
            outcomes = engine.map([question("a"), "b"])  # type: ignore[list-item]
            assert (await anext(outcomes)).unwrap().text == "A"
            with pytest.raises(TypeError, match=r"an engine is asked Requests.*got str"):
                await anext(outcomes)
            assert engine._opened().counts().replies == 1
            assert nothing_is_left(engine)

    virtual_time.run(main())
