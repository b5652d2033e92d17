"""Which failure deserves what: whom to ask again, when, and when to give up.

It knows verdicts (`engine.verdict`), not statuses: weather is waited for as long as the time lasts, chance gets a few
tries, everything else none. The waiting itself is tenacity's.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from random import Random
from typing import TYPE_CHECKING, TypeVar

from engine.clock import Clock
from engine.errors import ConfigurationRefused, EndpointUnreachable, ProviderRefused, SmeltError
from engine.verdict import CHANCE, Kind, Verdict

if TYPE_CHECKING:
    from tenacity import RetryCallState

__all__ = ["LONG_WAIT_S", "LOOK_AGAIN_S", "TRIES", "Setback", "Standing", "Standings", "persist", "wait_s"]

T = TypeVar("T")

# Only failures that may be chance use tries up; weather is waited for until the request's own deadline.
TRIES = 6  # where one in nine fails by chance, of a thousand rows five would lose one now and then
SHORTEST_S = 0.5
LONGEST_S = 30.0

FIRST_REJECTIONS = 3

FIRST_FAILURES = 5
UNREACHED_S = 3.0
SILENT_S = 60.0

LONG_WAIT_S = 60.0  # above what limits a minute ask for: a limit a day may ask for hours, and nothing moves meanwhile
LOOK_AGAIN_S = 30.0  # whether such a wait holds for everybody


class Setback(Exception):
    """An attempt failed; the loop decides what its verdict deserves.

    `in_outage`: nobody else's attempts succeed either, so it was not this request's bad luck. Nor was it where no
    connection could be made: nobody has seen the request yet.
    """

    def __init__(self, verdict: Verdict, *, in_outage: bool = False) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict
        self.is_chance = verdict.kind in CHANCE and not in_outage and not verdict.unreached


def wait_s(verdict: Verdict, *, failures: int, chance: Random, longest_s: float = math.inf) -> float:
    """How long to wait after so many failures in all; never less than the provider asked for.

    Where it asked for more than `longest_s`, the next try finds out whether that holds for everybody. The wait doubles,
    with half of it left to chance so that many do not return at once.
    """
    backoff = min(LONGEST_S, SHORTEST_S * 2.0 ** min(failures - 1, 30))
    if verdict.delay_s is not None and verdict.delay_s > longest_s:
        backoff = LOOK_AGAIN_S
    elif verdict.delay_s is not None:
        return verdict.delay_s + min(backoff, 0.1 * verdict.delay_s) * chance.uniform(0.5, 1.0)
    return backoff * chance.uniform(0.5, 1.0)


class Standing:
    """How we stand with the provider at one address: whether a failure is about one request or about everything.

    A refused key, an empty account and a model that is not there hold for everything. So does a rejection that met the
    first three requests while nothing was ever answered: then it is not the requests.

    An endpoint that never said anything worth waiting for is given up: after five failures and three seconds when no
    connection could be made, after five and a minute when all that came was errors or silence. A reply that says to
    come back later (a 429, or any with a time to wait) is worth waiting for. None of this holds once something was
    answered: then it is an outage, and outages are waited out.
    """

    def __init__(self) -> None:
        self._was_answered = False
        self._rejected = 0
        self._was_reached = False
        self._failures = 0  # in a row, before anything worth waiting for
        self._failing_since = math.inf
        self._was_doubted = False
        self._told_until = -math.inf

    def notify_answer(self) -> None:
        self._was_answered = True

    def notice_doubt(self) -> bool:
        """True once: when nothing but failures has come for so often that somebody should know."""
        is_for_sure = self._failures >= FIRST_FAILURES or not self._was_reached
        if self._was_doubted or self._was_answered or self._failures == 0 or not is_for_sure:
            return False
        self._was_doubted = True
        return True

    def notice_wait(self, verdict: Verdict, *, now: float) -> bool:
        """True when we are asked to wait for so long that somebody should know: once for each such wait."""
        delay_s = verdict.delay_s or 0.0
        if delay_s < LONG_WAIT_S or now < self._told_until:
            return False
        self._told_until = now + delay_s
        return True

    def notify_failure(self, verdict: Verdict, *, now: float) -> SmeltError | None:
        """The error that every further request deserves, if the failure is about everything."""
        error = verdict.error()
        if isinstance(error, ProviderRefused):
            return error
        self._was_reached = self._was_reached or not verdict.unreached
        if self._was_answered:
            return None
        if verdict.kind is Kind.CONFIG:
            return self._notify_rejection(error)
        return self._notify_silence(verdict, now=now)

    def _notify_rejection(self, error: SmeltError) -> SmeltError | None:
        self._rejected += 1
        if self._rejected < FIRST_REJECTIONS:
            return None
        return ConfigurationRefused(f"the first {self._rejected} requests were all rejected, the last with: {error}")

    def _notify_silence(self, verdict: Verdict, *, now: float) -> SmeltError | None:
        is_silence = verdict.kind in CHANCE or verdict.kind is Kind.OVERLOAD
        if not is_silence or verdict.delay_s is not None:
            self._failures, self._failing_since = 0, math.inf
            return None
        self._failures += 1
        self._failing_since = min(self._failing_since, now)
        lasted_s = now - self._failing_since
        if self._failures < FIRST_FAILURES or lasted_s < (SILENT_S if self._was_reached else UNREACHED_S):
            return None
        if not self._was_reached:
            return EndpointUnreachable(f"{verdict.message}; check the base URL, and that the server is running")
        return EndpointUnreachable(
            f"nothing but failures in {lasted_s:.0f} s, the last: {verdict.message}; check the endpoint, or try later"
        )


class Standings:
    """The same of a provider at several addresses: what holds for all of them."""

    def __init__(self, places: int = 1) -> None:
        self._places = tuple(Standing() for _ in range(places))
        self._given_up: set[int] = set()

    def __getitem__(self, place: int) -> Standing:
        return self._places[place]

    def notify_failure(self, verdict: Verdict, *, place: int, now: float) -> SmeltError | None:
        """As `Standing.notify_failure`; one that nobody reaches is given up only when all others are, too."""
        error = self._places[place].notify_failure(verdict, now=now)
        if not isinstance(error, EndpointUnreachable):
            return error
        self._given_up.add(place)
        return error if len(self._given_up) == len(self._places) else None


async def persist(
    attempt: Callable[[], Awaitable[T]],
    *,
    after: Setback,
    deadline: Callable[[], float],
    clock: Clock,
    chance: Random,
    notify: Callable[[Verdict, float | None], None],
    longest_s: float = math.inf,
) -> T:
    """After a first attempt has failed, call `attempt` until it returns, as long as the verdicts deserve it.

    Nothing is held while waiting. Raises the verdict's error when it cannot be retried, when chance has failed too
    often, or when the wait would end after the `deadline` (on the clock). `notify` is told each verdict and the wait
    that follows it, None when nothing does. A wait of more than `longest_s` that we are asked for is not kept to.
    """
    from tenacity import AsyncRetrying, retry_if_exception_type

    failures_by_chance = 0
    last = after
    is_first = True

    async def replay_first() -> T:
        nonlocal last, is_first
        if is_first:
            is_first = False
            raise after
        try:
            return await attempt()
        except Setback as setback:
            last = setback
            raise

    def wait(state: RetryCallState) -> float:
        return wait_s(last.verdict, failures=state.attempt_number, chance=chance, longest_s=longest_s)

    def stop(state: RetryCallState) -> bool:
        nonlocal failures_by_chance
        verdict = last.verdict
        failures_by_chance += last.is_chance
        too_late = clock.monotonic() + state.upcoming_sleep >= deadline()
        is_over = not verdict.may_retry or failures_by_chance >= TRIES or too_late
        notify(verdict, None if is_over else state.upcoming_sleep)
        return is_over

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Setback), wait=wait, stop=stop, sleep=clock.sleep, reraise=True
    )
    try:
        return await retrying(replay_first)
    except Setback as setback:
        raise setback.verdict.error() from None
