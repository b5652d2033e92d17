"""Through batches as alone: each answer is paid once, at half the price, whatever calls and lines meet."""

from __future__ import annotations

import asyncio
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempt import Ending
from engine.batches import Timing
from engine.batches.course import MOST_FAILURES
from engine.budget import Budget
from engine.errors import AuthenticationRefused, BudgetReached, ConfigurationRefused, RequestRejected
from engine.fakes import virtual_time
from engine.journal import Journal
from engine.messages import RawReply, Request
from engine.providers.batches import CallFailed, FileLimits, Flaw, LineReply, Look
from engine.verdict import Kind
from tests.engine.batch_world import (
    COST,
    CUT_OFF,
    NOT_THERE,
    PICO,
    REFUSED,
    UNHEARD,
    WRONG_KEY,
    Books,
    Post,
    answered,
    post,
    requests,
)


async def all_asked(there: Post, count: int) -> list[Ending]:
    return await asyncio.gather(*(there.ask(request) for request in requests(count)))


def texts_of(endings: list[Ending]) -> list[str]:
    return [ending.reading.texts[0] for ending in endings if ending.reading is not None]


def capitals(count: int) -> list[str]:
    return [f"TEXT {number}" for number in range(count)]


def check_books(there: Post, *, answers: int, assumed: int = 0) -> None:
    """Every answer was paid once, at half the price, and nothing is left in flight."""
    assert there.ledger.spent == answers * COST * PICO == there.journal.spent
    assert there.ledger.assumed == assumed == there.journal.assumed
    assert (there.ledger.reserved, there.depot.out) == (0, 0)
    assert there.journal.open_batches() == []
    assert there.journal.counts().in_flight == 0


def test_requests_leave_together_and_each_is_answered_and_settled_at_half_the_price() -> None:
    books = Books()

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 30)) == capitals(30)
            check_books(there, answers=30)

    virtual_time.run(main())

    assert books.batches == 1


def test_files_are_of_legal_size() -> None:
    books = Books(limits=FileLimits(lines=7, bytes=10**6))

    async def main() -> None:
        async with post(books) as there:
            await all_asked(there, 30)
            check_books(there, answers=30)

    virtual_time.run(main())

    assert [len(job.lines) for job in books.jobs.values()] == [7, 7, 7, 7, 2]


def test_a_request_that_no_file_could_hold_is_refused_and_costs_nothing() -> None:
    async def main() -> None:
        async with post(Books(limits=FileLimits(lines=10, bytes=500))) as there:
            with pytest.raises(RequestRejected, match="too long for a batch"):
                await there.ask(Request.user("x" * 1000))
            check_books(there, answers=0)

    virtual_time.run(main())


@pytest.mark.parametrize("uploads", [True, False])
@pytest.mark.parametrize("call", ["upload", "create", "look", "results", "line 3"])
@pytest.mark.parametrize("failure", [REFUSED, UNHEARD, CUT_OFF], ids=["refused", "unheard", "cut off"])
@pytest.mark.long
def test_a_call_that_fails_is_made_again_and_nothing_is_paid_twice(call: str, failure: object, uploads: bool) -> None:
    books = Books(uploads=uploads, meets={call: [failure, None, failure]})  # type: ignore[list-item]

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 10)) == capitals(10)
            check_books(there, answers=10)

    virtual_time.run(main())

    assert books.batches == 1


@pytest.mark.parametrize("uploads", [True, False])
def test_a_creation_whose_reply_was_lost_is_found_and_not_made_again(uploads: bool) -> None:
    books = Books(uploads=uploads, lost=1, hidden_until=300.0)

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 10)) == capitals(10)
            check_books(there, answers=10)

    virtual_time.run(main())

    assert (books.batches, books.calls["create"]) == (1, 1)


def test_a_creation_that_never_was_is_made_anew_when_that_is_sure() -> None:
    books = Books(meets={"create": [CUT_OFF]})

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 10)) == capitals(10)
            check_books(there, answers=10)
            assert asyncio.get_running_loop().time() > 600.0

    virtual_time.run(main())

    assert (books.batches, books.calls["create"]) == (1, 2)


def test_a_wrong_key_refuses_every_line_and_costs_nothing() -> None:
    books = Books(meets={"upload": [WRONG_KEY]})

    async def main() -> None:
        async with post(books) as there:
            endings = await asyncio.gather(*(there.send(request) for request in requests(3)))
            assert [ending.verdict.kind for ending in endings if ending.verdict] == [Kind.AUTH] * 3
            check_books(there, answers=0)

    virtual_time.run(main())


def test_a_key_that_fails_later_stops_everything_and_leaves_the_batch_out() -> None:
    books = Books(meets={"look": [WRONG_KEY]})

    async def main() -> None:
        async with await Journal.open(None) as journal:
            async with post(books, journal=journal) as there:
                asking = [asyncio.create_task(there.ask(request)) for request in requests(3)]
                await asyncio.sleep(1000)
                assert [type(error) for error in there.stopped] == [AuthenticationRefused]
                for task in asking:
                    task.cancel()
                await asyncio.gather(*asking, return_exceptions=True)
            async with post(books, journal=journal) as there:
                assert texts_of(await all_asked(there, 3)) == capitals(3)
                check_books(there, answers=3)

    virtual_time.run(main())

    assert books.batches == 1


def test_a_batch_that_is_not_there_means_a_wrong_account_and_is_not_paid_anew() -> None:
    books = Books(meets={"look": [NOT_THERE] * (MOST_FAILURES + 1)})

    async def main() -> None:
        async with post(books) as there:
            asking = asyncio.create_task(there.ask(requests(1)[0]))
            await asyncio.sleep(1000)
            assert [type(error) for error in there.stopped] == [ConfigurationRefused]
            assert "key of the account" in str(there.stopped[0])
            asking.cancel()

    virtual_time.run(main())


def test_results_that_are_not_there_for_a_moment_are_fetched_again_and_not_paid_again() -> None:
    books = Books(meets={"results": [NOT_THERE] * MOST_FAILURES})

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 2)) == capitals(2)
            check_books(there, answers=2)

    virtual_time.run(main())

    assert books.batches == 1


def test_what_results_told_before_the_rest_was_gone_is_kept() -> None:
    books = Books(meets={"line 2": [NOT_THERE] * (MOST_FAILURES + 1)})

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 3)) == capitals(3)
            bounds = [entry.bound for entry in there.journal.entries()][:1]
            check_books(there, answers=3, assumed=sum(bounds))

    virtual_time.run(main())

    assert [len(job.lines) for job in books.jobs.values()] == [3, 1]


def test_results_that_are_gone_are_charged_at_their_bounds_and_asked_again() -> None:
    books = Books(meets={"results": [NOT_THERE] * (MOST_FAILURES + 1)})

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 2)) == capitals(2)
            bounds = [entry.bound for entry in there.journal.entries()][:2]
            check_books(there, answers=2, assumed=sum(bounds))

    virtual_time.run(main())


def test_lines_that_expired_or_failed_are_asked_again_for_nothing() -> None:
    def fate(ident: str, text: str, sighting: int) -> LineReply | None:
        number = int(text.split()[1])
        if sighting == 1 and number % 3 == 0:
            return LineReply.not_run(ident, why="batch_expired")
        if sighting == 1 and number % 3 == 1:
            return LineReply.refused(ident, RawReply(500, {}, b'{"error":{"type":"server_error"}}', 0.0))
        return answered(ident, text)

    books = Books(fate=fate)

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 30)) == capitals(30)
            check_books(there, answers=30)

    virtual_time.run(main())

    assert [len(job.lines) for job in books.jobs.values()] == [30, 20]


def test_a_line_that_is_rejected_fails_alone() -> None:
    def fate(ident: str, text: str, _: int) -> LineReply | None:
        if text == "text 1":
            return LineReply.refused(ident, RawReply(400, {}, b'{"error":{"code":"context_length_exceeded"}}', 0.0))
        return answered(ident, text)

    async def main() -> None:
        async with post(Books(fate=fate)) as there:
            endings = await all_asked(there, 3)
            assert [ending.verdict and ending.verdict.kind for ending in endings] == [None, Kind.CONTEXT, None]
            check_books(there, answers=2)

    virtual_time.run(main())


def test_a_line_without_a_word_is_charged_at_its_bound_and_asked_again() -> None:
    books = Books(fate=lambda ident, text, sighting: None if sighting == 1 else answered(ident, text))

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 2)) == capitals(2)
            bounds = [entry.bound for entry in there.journal.entries()][:2]
            check_books(there, answers=2, assumed=sum(bounds))

    virtual_time.run(main())


def test_what_is_not_ours_or_comes_twice_is_passed_over() -> None:
    def fate(ident: str, text: str, _: int) -> LineReply | None:
        return answered("somebody-else-7" if text == "text 9" else ident.replace("0", "0"), text)

    async def main() -> None:
        async with post(Books(fate=fate)) as there:
            endings = await asyncio.gather(*(there.send(request) for request in requests(10)))
            assert texts_of(endings) == capitals(9)
            assert endings[9].verdict is not None

    virtual_time.run(main())


def test_a_batch_that_was_not_run_for_one_line_is_sent_again_without_it() -> None:
    flaws = (Flaw(2, "invalid_json_line", "not parseable"),)
    books = Books(looks=[Look(state="failed", word="failed", flaws=flaws)])

    async def main() -> None:
        async with post(books) as there:
            endings = await all_asked(there, 5)
            assert texts_of(endings) == [text for text in capitals(5) if text != "TEXT 1"]
            assert endings[1].verdict is not None
            assert endings[1].verdict.kind is Kind.CONFIG
            check_books(there, answers=4)

    virtual_time.run(main())


def test_a_full_queue_makes_files_smaller_until_they_fit() -> None:
    full = Look(state="failed", word="failed", flaws=(Flaw(None, "token_limit_exceeded", "Enqueued"),))
    books = Books(looks=[full])

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 8)) == capitals(8)
            check_books(there, answers=8)

    virtual_time.run(main())

    assert [len(job.lines) for job in books.jobs.values()][:2] == [8, 4]


def test_money_that_is_set_aside_never_passes_the_cap_and_the_rest_waits_for_it() -> None:
    """Each bound is several times what an answer costs, so not all can be out at once."""
    books, budget = Books(), Budget(usd="0.002")
    most = 0

    async def main() -> None:
        nonlocal most
        async with post(books, budget=budget) as there:

            async def watch() -> None:
                nonlocal most
                while True:
                    ledger = there.ledger
                    most = max(most, ledger.spent + ledger.assumed + ledger.reserved)
                    await asyncio.sleep(1)

            watching = asyncio.create_task(watch())
            assert texts_of(await all_asked(there, 60)) == capitals(60)
            watching.cancel()
            check_books(there, answers=60)

    virtual_time.run(main())

    assert books.batches > 1
    assert 0 < most <= budget.cap


def test_the_budget_is_reached_when_nothing_in_flight_could_make_room() -> None:
    async def main() -> None:
        async with post(Books(), budget=Budget(usd="0.0003")) as there:
            endings = await asyncio.gather(*(there.ask(request) for request in requests(60)), return_exceptions=True)
            reached = [ending for ending in endings if isinstance(ending, BudgetReached)]
            assert reached
            assert len(reached) < 60
            check_books(there, answers=60 - len(reached))

    virtual_time.run(main())


def test_who_gives_up_before_a_batch_leaves_is_not_in_it() -> None:
    books = Books()

    async def main() -> None:
        async with post(books) as there:
            leaving, staying = (asyncio.create_task(there.ask(request)) for request in requests(2))
            await asyncio.sleep(1)
            leaving.cancel()
            await staying
            check_books(there, answers=1)

    virtual_time.run(main())

    assert [list(job.lines.values()) for job in books.jobs.values()] == [["text 1"]]


def test_who_gives_up_after_it_has_left_is_answered_into_the_journal_and_may_ask_again_for_nothing() -> None:
    books = Books()

    async def main() -> None:
        async with post(books) as there:
            first = asyncio.create_task(there.ask(requests(1)[0]))
            await asyncio.sleep(50)
            first.cancel()
            assert texts_of([await there.ask(requests(1)[0])]) == capitals(1)
            check_books(there, answers=1)

    virtual_time.run(main())

    assert books.batches == 1


@pytest.mark.parametrize("uploads", [True, False])
@pytest.mark.parametrize("seconds", [1.0, 2.5, 8.0, 50.0, 101.0, 103.0, 107.5])
def test_a_process_that_ends_leaves_its_batch_to_the_next(seconds: float, uploads: bool) -> None:
    books = Books(uploads=uploads)

    async def main() -> None:
        async with await Journal.open(None) as journal:
            async with post(books, journal=journal) as there:
                asking = [asyncio.create_task(there.ask(request)) for request in requests(10)]
                await asyncio.sleep(seconds)
                for task in asking:
                    task.cancel()
                await asyncio.gather(*asking, return_exceptions=True)
            answered_before = journal.counts().replies
            async with post(books, journal=journal) as there:
                if not answered_before:
                    assert texts_of(await all_asked(there, 10)) == capitals(10)
                check_books(there, answers=10)

    virtual_time.run(main())

    assert books.batches == 1


def test_what_was_out_is_answered_into_the_journal_even_if_nobody_asks_again() -> None:
    books = Books()

    async def main() -> None:
        async with await Journal.open(None) as journal:
            async with post(books, journal=journal) as there:
                asking = asyncio.create_task(there.ask(requests(1)[0]))
                await asyncio.sleep(50)
                asking.cancel()
            async with post(books, journal=journal) as there:
                assert there.ledger.reserved > 0
                await asyncio.sleep(200)
                check_books(there, answers=1)

    virtual_time.run(main())


def test_a_smaller_budget_does_not_make_what_is_out_undone() -> None:
    books = Books()

    async def main() -> None:
        async with await Journal.open(None) as journal:
            async with post(books, journal=journal) as there:
                asking = asyncio.create_task(asyncio.wait([asyncio.create_task(there.ask(r)) for r in requests(9)]))
                await asyncio.sleep(50)
                asking.cancel()
            async with post(books, journal=journal, budget=Budget(usd="0.000001")) as there:
                await asyncio.sleep(200)
                with pytest.raises(BudgetReached):
                    await there.ask(Request.user("one more"))
                check_books(there, answers=9)

    virtual_time.run(main())


def test_a_creation_under_way_is_let_come_to_its_end_by_whoever_closes() -> None:
    class Slow(Books):
        async def create(self, **arguments: object) -> str:
            await asyncio.sleep(20)
            return await super().create(**arguments)  # type: ignore[arg-type]

    books = Slow()

    async def main() -> None:
        async with await Journal.open(None) as journal:
            async with post(books, journal=journal) as there:
                asking = asyncio.create_task(there.ask(requests(1)[0]))
                await asyncio.sleep(5)
                asking.cancel()
            (batch,) = journal.open_batches()
            assert batch.notes["created"] == {"batch": "batch-0"}

    virtual_time.run(main())


@pytest.mark.long
def test_calls_are_paced_however_many_batches_are_out() -> None:
    books = Books(limits=FileLimits(lines=1, bytes=1000), seconds=0.0)

    async def main() -> float:
        async with post(books, timing=Timing(quiet_s=0.01, first_look_s=0.01, calls_a_second=20)) as there:
            began = asyncio.get_running_loop().time()
            await all_asked(there, 10)
            return asyncio.get_running_loop().time() - began

    # In real time, for the throttle knows no other: 10 uploads, creations and looks at 20 a second.
    assert asyncio.run(main()) >= 1.0


FAILURES = st.sampled_from([REFUSED, UNHEARD, CUT_OFF, None])


@settings(max_examples=60)
@given(
    meets=st.dictionaries(
        st.sampled_from(["upload", "create", "find", "look", "results", "line 2"]), st.lists(FAILURES, max_size=4)
    ),
    lost=st.integers(0, 2),
    uploads=st.booleans(),
    ends=st.lists(st.floats(0.5, 900), max_size=3),
    seed=st.integers(0, 99),
)
@pytest.mark.long
def test_whatever_fails_and_whenever_processes_end_every_answer_is_paid_once(
    meets: dict[str, list[CallFailed | None]], lost: int, uploads: bool, ends: list[float], seed: int
) -> None:
    """Calls fail in any way, lines do not run, replies to creations are lost, and one process follows on the other."""

    def fate(ident: str, text: str, _: int) -> LineReply | None:
        attempt = ident.rpartition("-")[2]
        is_late = Random(f"{seed}/{attempt}").random() < 0.2  # the same however often the results are read
        return LineReply.not_run(ident, why="batch_expired") if is_late else answered(ident, text)

    books = Books(uploads=uploads, lost=lost, meets=meets, fate=fate, limits=FileLimits(lines=4, bytes=10**6))

    async def until_ended(journal: Journal, seconds: float) -> None:
        async with post(books, journal=journal) as there:
            asking = [asyncio.create_task(ask_what_is_missing(there, request)) for request in requests(6)]
            await asyncio.wait(asking, timeout=seconds)
            assert there.ledger.spent + there.ledger.assumed + there.ledger.reserved <= (there.ledger.cap or 0)
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)

    async def main() -> None:
        async with await Journal.open(None) as journal:
            for seconds in ends:
                await until_ended(journal, seconds)
            async with post(books, journal=journal) as there:
                asking = [ask_what_is_missing(there, request) for request in requests(6)]
                assert sorted(await asyncio.gather(*asking)) == capitals(6)
                await asyncio.sleep(10_000)  # what nobody waits for ends, too
                check_books(there, answers=6)
            assert journal.counts().answered_twice == 0

    virtual_time.run(main())


async def ask_what_is_missing(there: Post, request: Request) -> str:
    """As an engine does: look into the journal, then ask, until there is an answer."""
    key = request.identity(asked_of=there.attempts.asked_of)
    while (stored := there.journal.find(key)) is None:
        await there.send(request)
    return stored.raw.body.decode()


@pytest.mark.parametrize(("ended", "is_assumed"), [(3, False), (4, True)], ids=["all told", "one untold"])
@pytest.mark.long
def test_a_line_that_an_expired_batch_does_not_speak_of_is_free_when_all_that_ran_are_told(
    ended: int, is_assumed: bool
) -> None:
    def fate(ident: str, text: str, sighting: int) -> LineReply | None:
        if sighting == 1 and text == "text 3":
            return LineReply.not_run(ident, why="batch_expired")
        return None if sighting == 1 and text == "text 4" else answered(ident, text)

    books = Books(fate=fate, looks=[Look(state="ended", word="expired", ended=ended, total=5, files=("results",))])

    async def main() -> None:
        async with post(books) as there:
            assert texts_of(await all_asked(there, 5)) == capitals(5)
            bound = next(entry.bound for entry in there.journal.entries())
            check_books(there, answers=5, assumed=bound if is_assumed else 0)

    virtual_time.run(main())
