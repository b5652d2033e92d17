"""Who gives up a question, as at a deadline of its own, and asks it again, pays for one answer."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.journal import peek
from tests.engine.asking import question
from tests.engine.fleet.near_fleets import Service, fleet_of, until


@pytest.mark.parametrize("worker_dies", [False, True])
def test_what_was_given_up_in_flight_and_is_asked_again_is_asked_once(tmp_path: Path, *, worker_dies: bool) -> None:
    """Whoever is at it answers both, or has; only where it dies another one has to ask."""

    async def main() -> None:
        service = Service(latency_s=0.1)
        fleet, near = fleet_of(service, 3, tmp_path)
        async with fleet:
            for _ in range(3):
                asked = asyncio.create_task(fleet.ask(question("once")))
                await until(lambda: service.asked)
                asked.cancel()
                await asyncio.wait([asked])
            if worker_dies:
                await near.links[next(iter(service.by_worker))].die()
            assert (await fleet.ask(question("once"))).text == "ONCE"
        assert service.asked["once"] == 1 + worker_dies
        counts = peek(tmp_path / "journal.db")
        assert counts.answered_twice == 0
        assert service.billed <= sum(each.spent + each.assumed for each in counts.by_tag.values())

    asyncio.run(main())


def test_what_was_given_up_and_answered_meanwhile_is_not_asked_again(tmp_path: Path) -> None:
    async def main() -> None:
        service = Service(latency_s=0.02)
        fleet, _ = fleet_of(service, 3, tmp_path)
        async with fleet:
            asked = asyncio.create_task(fleet.ask(question("once")))
            await until(lambda: service.asked)
            asked.cancel()
            await until(lambda: any(each.replies for each in fleet.statistics().workers))
            assert (await fleet.ask(question("once"))).text == "ONCE"
        assert service.asked == {"once": 1}

    asyncio.run(main())
