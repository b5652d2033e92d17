"""A fleet answers as one engine does, and whatever dies on the way nothing is lost, paid twice, or overspent."""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from random import Random

import pytest

from engine import Budget, BudgetReached, Engine, Events, Interrupted, Outcome, Request, WorkersLost
from engine.events import Event, Noted, ReplyReceived, RequestSent
from engine.fleet.fleet import Fleet
from engine.fleet.links import Post
from engine.fleet.near import Near, NearLink
from engine.fleet.shares import Loan
from engine.journal import Journal, peek
from tests.engine.asking import question, questions
from tests.engine.fleet.near_fleets import Service, fleet_of, until
from tests.engine.journals import held_up

PICO = 10**12


async def all_of(fleet: Fleet, requests: list[Request]) -> list[Outcome]:
    return [outcome async for outcome in fleet.map(requests)]


def texts(outcomes: list[Outcome]) -> list[str]:
    return [outcome.unwrap().text for outcome in outcomes]


def test_a_fleet_answers_in_order_charges_once_and_leaves_one_journal(tmp_path: Path) -> None:
    async def main() -> None:
        service, heard = Service(), list[Event]()
        events = Events()
        events.subscribe(heard.append)
        fleet, near = fleet_of(service, 3, tmp_path, events=events)
        async with fleet:
            outcomes = await all_of(fleet, questions(200))
            figures = fleet.statistics()
            assert len(near.links) == 3
        assert texts(outcomes) == [f"ROW {i}" for i in range(200)]
        assert sum(service.asked.values()) == 200
        assert len(service.by_worker) == 3
        assert figures.spent == service.billed == 200 * 20 * 10**6
        assert (figures.requests, figures.replies, figures.attempts) == (200, 200, 200)
        assert figures.by_model[0].replies == 200
        assert sum(each.replies for each in figures.workers) == 200
        assert sum(each.cost for each in figures.workers) == figures.spent
        assert sum(isinstance(each, RequestSent) for each in heard) == 200
        assert sum(each.cost for each in heard if isinstance(each, ReplyReceived)) == figures.spent
        assert not (tmp_path / "workers").exists()
        counts = peek(tmp_path / "journal.db")
        assert (counts.replies, counts.in_flight, counts.answered_twice) == (200, 0, 0)
        async with Engine(service.provider("driver"), budget=Budget(usd=1), journal=tmp_path / "journal.db") as one:
            assert texts([outcome async for outcome in one.map(questions(200))]) == texts(outcomes)
            assert one.statistics().spent == figures.spent
        assert sum(service.asked.values()) == 200

    asyncio.run(main())


def test_what_was_asked_before_is_not_asked_again_whoever_asked_it(tmp_path: Path) -> None:
    """By one process before, by a worker of this fleet, or by one that is just at it."""

    async def main() -> None:
        service = Service()
        async with Engine(service.provider("one"), budget=Budget(usd=1), journal=tmp_path / "journal.db") as one:
            await one.ask(question("before"))
        fleet, _ = fleet_of(service, 2, tmp_path)
        async with fleet:
            first = await fleet.ask(question("before"))
            twins = await asyncio.gather(*(fleet.ask(question("twice")) for _ in range(3)))
            again = await fleet.ask(question("twice"))
            assert fleet.statistics().in_flight == 0
        assert (first.from_journal, again.from_journal) == (True, True)
        assert [each.from_journal for each in twins] == [False, True, True]
        assert service.asked == {"before": 1, "twice": 1}

    asyncio.run(main())


@pytest.mark.parametrize("deaths", [1, pytest.param(5, marks=pytest.mark.long)])
def test_what_dead_workers_had_goes_on_elsewhere_and_nothing_durable_is_asked_again(
    tmp_path: Path, deaths: int
) -> None:
    async def main() -> None:
        service, chance = Service(latency_s=0.01), Random(deaths)
        fleet, near = fleet_of(service, 3, tmp_path, budget=Budget(usd=1))
        async with fleet:

            async def kill() -> None:
                for _ in range(deaths):
                    await asyncio.sleep(0.03 + 0.02 * chance.random())
                    if near.links:
                        await chance.choice(list(near.links.values())).die()

            killing = asyncio.create_task(kill())
            outcomes = await all_of(fleet, questions(400))
            await killing
            figures = fleet.statistics()
        assert texts(outcomes) == [f"ROW {i}" for i in range(400)]
        counts = peek(tmp_path / "journal.db")
        assert counts.answered_twice == 0
        charged = sum(each.spent + each.assumed for each in counts.by_tag.values())
        assert service.billed <= charged
        assert figures.spent + figures.assumed >= service.billed
        assert sum(each.standing == "gone" for each in figures.workers) >= 1
        assert set(service.asked.values()) <= {1, 2, 3}

    asyncio.run(main())


@pytest.mark.long
def test_the_cap_holds_and_is_used_whoever_spends(tmp_path: Path) -> None:
    """A cap worth about 200 answers, whose bounds are some times what they cost; some stall, and are billed."""

    async def main() -> None:
        service = Service(stalls=Counter({f"row {i}": 1 for i in range(0, 400, 50)}))
        cap = 200 * 20 * 10**6
        fleet, near = fleet_of(service, 3, tmp_path, budget=Budget(usd=f"{cap / PICO:.6f}"))
        async with fleet:
            outcomes = await all_of(fleet, questions(400))
            assert near.links
            figures = fleet.statistics()
            assert figures.spent + figures.assumed + figures.reserved <= cap
        charged = sum(each.spent + each.assumed for each in peek(tmp_path / "journal.db").by_tag.values())
        refused = [outcome.error for outcome in outcomes if outcome.error is not None]
        assert refused
        assert all(isinstance(error, BudgetReached) for error in refused)
        assert service.billed <= charged <= cap
        assert charged >= 0.9 * cap

    asyncio.run(main())


def test_with_a_higher_cap_a_second_try_is_paid_that_was_refused_before(tmp_path: Path) -> None:
    """An attempt without an answer is charged at its bound, so the cap is spent before the next one."""

    async def main() -> None:
        service = Service(stalls=Counter({"first": 1, "second": 1}))
        fleet, _ = fleet_of(service, 1, tmp_path, budget=Budget(usd="0.0005"))
        async with fleet:
            with pytest.raises(BudgetReached):
                await fleet.ask(question("first"))
            fleet.set_budget(Budget(usd=1))
            assert (await fleet.ask(question("second"))).text == "SECOND"

    asyncio.run(main())


def test_the_others_go_on_while_a_dead_workers_journal_is_read(tmp_path: Path) -> None:
    """What was in flight there cannot be charged while somebody holds the file, so it is read for as long as that."""

    async def main() -> None:
        fleet, near = fleet_of(Service(), 2, tmp_path)
        async with fleet:
            dead = near.links["w0001"]
            await dead.worker.close()
            async with await Journal.open(dead.worker.journal) as left:
                await left.intend(bytes(32), bound=0, tag="")
            with held_up(dead.worker.journal):
                await dead.die()
                await until(lambda: "gone" in [each.standing for each in fleet.statistics().workers])
                assert (await fleet.ask(question("meanwhile"))).text == "MEANWHILE"
                assert dead.worker.journal.is_file()

    asyncio.run(main())


def test_a_drain_brings_home_what_is_in_flight_and_ends_the_rest(tmp_path: Path) -> None:
    async def main() -> None:
        service = Service(latency_s=0.05)
        fleet, _ = fleet_of(service, 2, tmp_path)
        async with fleet:
            asked = asyncio.create_task(all_of(fleet, questions(300)))
            await asyncio.sleep(0.12)
            fleet.drain()
            outcomes = await asked
        answered = [outcome for outcome in outcomes if outcome.reply is not None]
        assert len(answered) == sum(service.asked.values()) == peek(tmp_path / "journal.db").replies
        assert all(isinstance(outcome.error, Interrupted) for outcome in outcomes if outcome.reply is None)
        assert peek(tmp_path / "journal.db").by_tag[""].assumed == 0

    asyncio.run(main())


def test_a_pause_sends_nothing_more_until_it_is_over(tmp_path: Path) -> None:
    async def main() -> None:
        service = Service(latency_s=0.01)
        fleet, _ = fleet_of(service, 2, tmp_path)
        async with fleet:
            asked = asyncio.create_task(all_of(fleet, questions(100)))
            await asyncio.sleep(0.03)
            fleet.pause()
            await asyncio.sleep(0.1)
            sent = sum(service.asked.values())
            await asyncio.sleep(0.1)
            assert sum(service.asked.values()) == sent
            assert fleet.statistics().binding == "pause"
            fleet.resume()
            assert len(texts(await asked)) == 100

    asyncio.run(main())


@pytest.mark.long
def test_a_slow_workers_rest_goes_to_the_others_and_nothing_is_asked_by_two(tmp_path: Path) -> None:
    async def main() -> None:
        service = Service(latency_s=0.01, slow={"w0001": 0.4})
        fleet, _ = fleet_of(service, 2, tmp_path, concurrency=64)
        async with fleet:
            for link in fleet._hiring.links.values():  # type: ignore[attr-defined]  # as made here
                link.worker._engine._routes.branches[0].crowd._limit = 4.0
                link.worker._engine._routes.branches[0].crowd.fixed = 4
            outcomes = await all_of(fleet, questions(120))
        assert len(texts(outcomes)) == 120
        assert set(service.asked.values()) == {1}
        assert service.by_worker["w0002"] > 3 * service.by_worker["w0001"]

    asyncio.run(main())


def test_workers_that_come_later_are_given_work(tmp_path: Path) -> None:
    async def main() -> None:
        service = Service(latency_s=0.01)
        fleet, near = fleet_of(service, 1, tmp_path, concurrency=None)
        async with fleet:
            asked = asyncio.create_task(all_of(fleet, questions(600)))
            await asyncio.sleep(0.03)
            near.want(3)
            await asked
        assert len(service.by_worker) == 3

    asyncio.run(main())


@pytest.mark.long
def test_workers_without_a_coordinator_end_what_they_have_sent_and_send_no_more(tmp_path: Path) -> None:
    async def main() -> None:
        service = Service(latency_s=0.01)
        fleet, near = fleet_of(service, 2, tmp_path)
        async with fleet:
            await all_of(fleet, questions(5))
            near.coordinator = None
            for link in near.links.values():
                link.worker._lent_until = 0.0  # as if it had run out
                link.worker._apply()
            asked = asyncio.create_task(fleet.ask(question("waits")))
            await asyncio.sleep(0.1)
            assert service.asked["waits"] == 0
            await near.open(accounts=1)
            assert (await asked).text == "WAITS"

    asyncio.run(main())


def test_a_worker_whose_coordinator_hangs_sends_nothing_beyond_its_loan(tmp_path: Path) -> None:
    class Hangs(Near):
        async def lend(self, worker: str, holding: Sequence[float], wanted: Sequence[float]) -> Loan:
            if any(holding):
                await asyncio.get_running_loop().create_future()
            return (await super().lend(worker, holding, wanted))._replace(for_s=0.2, again_s=0.1)

    async def main() -> None:
        service = Service()
        near = Hangs(1, hired_as=lambda name, hired: {**hired, "model": service.provider(name)})
        fleet, _ = fleet_of(service, near, tmp_path)
        async with fleet:
            await all_of(fleet, questions(1))
            await asyncio.sleep(0.3)
            asked = asyncio.create_task(fleet.ask(question("waits")))
            await asyncio.sleep(0.05)
            assert service.asked["waits"] == 0
            assert (await asked).text == "WAITS"  # what it does not hold any more it asks for anew

    asyncio.run(main())


@pytest.mark.long
def test_a_machine_that_takes_half_of_the_workers_with_it_does_not_end_the_run(tmp_path: Path) -> None:
    async def main() -> None:
        fleet, near = fleet_of(Service(latency_s=0.05), 10, tmp_path)
        async with fleet:
            await all_of(fleet, questions(1))
            asked = asyncio.create_task(all_of(fleet, questions(40)))
            await asyncio.sleep(0.02)
            await asyncio.gather(*(link.die() for link in list(near.links.values())[:6]))
            assert len(texts(await asked)) == 40

    asyncio.run(main())


@pytest.mark.long
def test_what_a_worker_spent_whose_journal_is_gone_is_charged_now_and_for_later_processes(tmp_path: Path) -> None:
    async def main() -> None:
        service = Service(latency_s=0.05)
        fleet, near = fleet_of(service, 1, tmp_path)
        async with fleet:
            asked = asyncio.create_task(all_of(fleet, questions(8)))
            await asyncio.sleep(0.1)
            (name,) = near.links
            await near.links[name].die()
            shutil.rmtree(tmp_path / "workers" / name)
            assert len(texts(await asked)) == 8
            figures = fleet.statistics()
            assert figures.spent + figures.assumed >= service.billed
        charged = sum(each.spent + each.assumed for each in peek(tmp_path / "journal.db").by_tag.values())
        assert charged == figures.spent + figures.assumed
        assert not (tmp_path / "workers").exists()

    asyncio.run(main())


def test_what_was_bound_for_a_worker_that_died_with_its_journal_keeps_its_money_and_goes_elsewhere(
    tmp_path: Path,
) -> None:
    async def main() -> None:
        service = Service()
        fleet, near = fleet_of(service, 2, tmp_path)
        async with fleet:
            await fleet.ask(question())
            fleet.pause()
            asked = asyncio.create_task(fleet.ask(question()))
            await asyncio.sleep(0.01)
            (name,) = service.by_worker
            await near.links[name].die()
            shutil.rmtree(tmp_path / "workers" / name)
            fleet.resume()
            assert (await asked).text == "HELLO"
            await asyncio.sleep(0.05)
            assert fleet.statistics().reserved == 0

    asyncio.run(main())


def test_a_fleet_that_loses_every_worker_at_once_says_so(tmp_path: Path) -> None:
    class Doomed(Near):
        async def hire(self, post: Post) -> NearLink:
            link = await super().hire(post)
            link.kill()
            return link

    async def main() -> None:
        fleet, _ = fleet_of(Service(), Doomed(1), tmp_path)
        with pytest.raises(WorkersLost, match="one after the other"):
            async with fleet:
                await fleet.ask(question())

    asyncio.run(main())


def test_what_workers_of_a_killed_driver_left_is_taken_in_before_anything_is_asked(tmp_path: Path) -> None:
    async def main() -> None:
        service = Service()
        left = tmp_path / "workers" / "w0003" / "journal.db"
        async with Engine(service.provider("w"), budget=Budget(usd=1), journal=left) as worker:
            await worker.ask(question("paid"))
        fleet, _ = fleet_of(service, 1, tmp_path)
        async with fleet:
            assert fleet.statistics().spent == 20 * 10**6
            assert (await fleet.ask(question("paid"))).from_journal
        assert service.asked == {"paid": 1}

    asyncio.run(main())


def test_news_of_workers_are_told_to_whoever_listens(tmp_path: Path) -> None:
    async def main() -> list[str]:
        events, heard = Events(), list[Event]()
        events.subscribe(heard.append)
        fleet, _ = fleet_of(Service(), 2, tmp_path, events=events)
        async with fleet:
            await fleet.ask(question())
        return [event.text for event in heard if isinstance(event, Noted)]

    assert "worker w0001 has begun on here" in asyncio.run(main())


def test_every_journal_of_a_fleet_is_closed_with_it(tmp_path: Path) -> None:
    async def main() -> None:
        fleet, _ = fleet_of(Service(), 2, tmp_path)
        async with fleet:
            await fleet.ask(question())
        async with await Journal.open(tmp_path / "journal.db"):
            pass

    asyncio.run(main())
