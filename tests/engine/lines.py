"""Lines of requests in tests: what they are told, and who passes them when."""

from __future__ import annotations

from engine import Limits
from engine.admission import Admission, Echo
from engine.clock import SystemClock
from engine.concurrency import Crowd, News
from engine.limiter import Limiter
from engine.throttle import Demand

ONE = Demand(1, 0, 0, 0)
EVEN = Limits(rpm=600 / 0.985)  # one each tenth of a second
GOOD = Echo(News.GOOD)


def one() -> Demand:
    return ONE


def line(told: Limits | None = None, *, concurrency: int = 1000, limiter: Limiter | None = None) -> Admission:
    clock = SystemClock()
    return Admission(limiter=limiter or Limiter(clock=clock), crowd=Crowd(fixed=concurrency), clock=clock, told=told)


async def passes(admission: Admission, demand: Demand, moments: list[tuple[int, float]], who: int) -> None:
    ticket = await admission.enter(lambda: demand)
    moments.append((who, ticket.since))
    admission.leave(ticket, GOOD)
