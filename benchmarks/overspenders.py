"""How budgets are kept by hand: a semaphore, a few tries, and a sum of what the usages said."""

from __future__ import annotations

import asyncio

from benchmarks.schedules import STAGES, Biller, Books, drawn
from engine import Request, SmeltError
from engine.fakes import virtual_time
from engine.providers import TransportFailure

__all__ = ["overspent"]

TRIES = 3
WORK = 3.0  # times the budget: whoever does not stop must be seen not to


def overspent(seed: int) -> dict[str, float]:
    """By how much of the cap a schedule is overspent, by the provider's books, in each way of doing it by hand."""
    return {
        "sum afterwards": virtual_time.run(_by_hand(seed, leaves_room=False)),
        "check, then spend": virtual_time.run(_by_hand(seed, leaves_room=True)),
    }


async def _by_hand(seed: int, *, leaves_room: bool) -> float:
    """Spend while the sum is below the cap; where it leaves room, while a call as they were so far fits as well."""
    schedule = drawn(seed, work=WORK)
    books = Books()
    biller = Biller(schedule, books)
    slots, cap = asyncio.Semaphore(schedule.in_flight), schedule.caps[0]
    spent, calls = 0, 0

    async def ask(request: Request) -> None:
        nonlocal spent, calls
        async with slots:
            for _ in range(TRIES):
                usual = spent / calls if leaves_room and calls else 0
                if spent + usual >= cap:
                    return
                try:
                    raw = await biller.send(request, timeout_s=schedule.timeout_s)
                    usage = biller.read(request, raw).usage
                except (TransportFailure, SmeltError):
                    continue
                if usage is not None:
                    spent += schedule.price.cost(usage)
                    calls += 1
                return

    await asyncio.gather(*(ask(request) for request in schedule.requests()))
    return max(0, sum(map(books.billed, STAGES)) - cap) / cap
