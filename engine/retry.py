"""Which failure deserves what: whom to ask again, when, and when to give up.

It knows verdicts (`engine.verdict`), not statuses: weather is waited for as long as the time lasts, chance gets a few
tries, everything else none. The waiting itself is tenacity's.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, TypeVar

from engine.clock import Clock
from engine.errors import ConfigurationRefused, EndpointUnreachable, ProviderRefused, SmeltError
from engine.verdict import CHANCE, Kind, Verdict

if TYPE_CHECKING:
    from tenacity import RetryCallState

__all__ = ["Patience", "Setback", "Standing", "persist"]

T = TypeVar("T")

FIRST_REJECTIONS = 3

FIRST_FAILURES = 5
UNREACHED_S = 3.0
SILENT_S = 60.0


class Setback(Exception):
    """An attempt failed; the loop decides what its verdict deserves.

    `in_outage`: nobody else's attempts succeed either, so it was not this request's bad luck.
    """

    def __init__(self, verdict: Verdict, *, in_outage: bool = False) -> None:
        super().__init__(verdict.message)
        self.verdict = verdict
        self.is_chance = verdict.kind in CHANCE and not in_outage


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How often and how long to try again.

    `attempts` counts only failures that may be chance; weather is waited for until the request's own deadline.
    The wait doubles from `first_s` to `longest_s`, with half of it left to chance so that many do not return at once.
    """

    attempts: int = 6  # where one in nine fails by chance, of a thousand rows five would lose one now and then
    first_s: float = 0.5
    longest_s: float = 30.0

    def wait_s(self, verdict: Verdict, *, failures: int, chance: Random) -> float:
        """How long to wait after so many failures in all; never less than the provider asked for."""
        backoff = min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 30))
        if verdict.delay_s is None:
            return backoff * chance.uniform(0.5, 1.0)
        return verdict.delay_s + min(backoff, 0.1 * verdict.delay_s) * chance.uniform(0.5, 1.0)


class Standing:
    """How we stand with the provider: whether a failure is about one request or about everything.

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

    def notify_answer(self) -> None:
        self._was_answered = True

    def notice_doubt(self) -> bool:
        """True once: when nothing but failures has come for so often that somebody should know."""
        is_for_sure = self._failures >= FIRST_FAILURES or not self._was_reached
        if self._was_doubted or self._was_answered or self._failures == 0 or not is_for_sure:
            return False
        self._was_doubted = True
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


async def persist(
    attempt: Callable[[], Awaitable[T]],
    *,
    patience: Patience,
    deadline: Callable[[], float],
    clock: Clock,
    chance: Random,
    notify: Callable[[Verdict, float | None], None],
) -> T:
    """Call `attempt` until it returns; while it raises Setback, do what the verdict deserves.

    Nothing is held while waiting. Raises the verdict's error when it cannot be retried, when chance has failed too
    often, or when the wait would end after the `deadline` (on the clock). `notify` is told each verdict and the wait
    that follows it, None when nothing does.
    """
    try:
        return await attempt()
    except Setback as setback:
        first = setback
    # Nearly every request succeeds at once: only the others pay for the machinery.
    return await _again(attempt, first, patience=patience, deadline=deadline, clock=clock, chance=chance, notify=notify)


async def _again(
    attempt: Callable[[], Awaitable[T]],
    first: Setback,
    *,
    patience: Patience,
    deadline: Callable[[], float],
    clock: Clock,
    chance: Random,
    notify: Callable[[Verdict, float | None], None],
) -> T:
    from tenacity import AsyncRetrying, retry_if_exception_type

    failures_by_chance = 0
    last = first
    is_first = True

    async def replay_first() -> T:
        nonlocal last, is_first
        if is_first:
            is_first = False
            raise first
        try:
            return await attempt()
        except Setback as setback:
            last = setback
            raise

    def wait(state: RetryCallState) -> float:
        return patience.wait_s(last.verdict, failures=state.attempt_number, chance=chance)

    def stop(state: RetryCallState) -> bool:
        nonlocal failures_by_chance
        verdict = last.verdict
        failures_by_chance += last.is_chance
        too_late = clock.monotonic() + state.upcoming_sleep >= deadline()
        is_over = not verdict.may_retry or failures_by_chance >= patience.attempts or too_late
        notify(verdict, None if is_over else state.upcoming_sleep)
        return is_over

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(Setback), wait=wait, stop=stop, sleep=clock.sleep, reraise=True
    )
    try:
        return await retrying(replay_first)
    except Setback as setback:
        raise setback.verdict.error() from None
