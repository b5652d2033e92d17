"""A provider that lets nobody in for long, by its own word: whether that is waited for, or ends the run in order.

A limit a day is used up, as a rule. Short waits cost time and no row; a wait that is longer than a request may take is
an end, at which nothing has failed. It sends nothing, and knows nothing of what was asked.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from engine.admission import Admission
from engine.clock import Clock
from engine.errors import LimitReached
from engine.events import Noted
from engine.retry import LONG_WAIT_S, LOOK_AGAIN_S
from engine.underway import Underway
from engine.verdict import WEATHER, Verdict

__all__ = ["OpeningHours", "Shut", "longest_wait_s"]

BY_DAY: Final = "per day"  # so end the names of such limits


def longest_wait_s(deadline_s: float) -> float:
    """What is waited for: as long as a request may take, and what limits a minute ask for in any case."""
    return max(deadline_s, LONG_WAIT_S)


class Shut:
    """Whether the provider lets nobody in for longer than a request may wait: then there is nothing to wait for.

    A wait of a minute or more (a limit a day) puts off, and after one such wait every other that is asked for. It is
    waited for unless it is longer than `longest_s`, or asked for again and again for so long while nobody is answered.
    """

    def __init__(self, *, longest_s: float) -> None:
        self.longest_s = longest_s
        self.why = ""  # it put somebody off, the last time, in its own words
        self._since = math.inf
        self._has_put_off = False  # of what comes back in a minute and a half, half the waits are shorter than one

    def puts_off(self, verdict: Verdict) -> bool:
        least_s = 0.0 if self._has_put_off else LONG_WAIT_S
        return verdict.kind in WEATHER and verdict.delay_s is not None and verdict.delay_s >= least_s

    def notify_answer(self) -> None:
        self._since = math.inf

    def notify_put_off(self, verdict: Verdict, *, now: float) -> bool:
        """True when it has done nothing else for longer than a request may wait."""
        self._since, self.why, self._has_put_off = min(self._since, now), verdict.message, True
        return now - self._since >= self.longest_s

    def is_too_long(self, wait_s: float) -> bool:
        return wait_s > self.longest_s


class OpeningHours:
    """Looks after the waits that one provider asks for, and ends what is asked of it when they are too long.

    `is_last` says whether nobody else could be asked instead: only then it ends, and `on_failure` is told.
    """

    def __init__(
        self,
        name: str,
        *,
        admission: Admission,
        underway: Underway,
        clock: Clock,
        deadline_s: float,
        is_last: Callable[[], bool],
        on_failure: Callable[[LimitReached, float], None],
        emit: Callable[[Noted], None],
    ) -> None:
        self._name = name
        self._admission = admission
        self._underway = underway
        self._clock = clock
        self._deadline_s = deadline_s
        self._is_last = is_last
        self._on_failure = on_failure
        self._emit = emit
        self._shut = Shut(longest_s=longest_wait_s(deadline_s))
        self._looking: asyncio.TimerHandle | None = None  # whether it lets nobody in
        self._was_told_of_days = False
        admission.on_long_wait = self._on_long_wait

    def close(self) -> None:
        if self._looking is not None:
            self._looking.cancel()
            self._looking = None

    def notify_answer(self) -> None:
        self._shut.notify_answer()

    def notify_failure(self, verdict: Verdict) -> None:
        """Long waits that the provider asks for are no fault of a request's: its time begins anew after them."""
        if not self._shut.puts_off(verdict):
            return
        now, asked_s = self._clock.monotonic(), verdict.delay_s or 0.0
        waits_s = LOOK_AGAIN_S if self._shut.is_too_long(asked_s) else asked_s
        self._underway.spare_until(now + waits_s + self._deadline_s)
        if self._shut.notify_put_off(verdict, now=now):
            self._end(now + asked_s, f"has let nobody in for {_span(self._shut.longest_s)}, and wants us back after")

    def note_wait(self, wait_s: float, why: str) -> None:
        """Tell whoever looks on why nothing moves."""
        self._emit(Noted(f"{self._name} lets us wait for {_span(wait_s)} ({why})"))

    def _on_long_wait(self, until: float) -> None:
        """Whoever is next waits for long: perhaps for longer than is any use."""
        wait_s, what = until - self._clock.monotonic(), self._admission.binding or ""
        if what.endswith(BY_DAY) and not self._was_told_of_days:
            self._was_told_of_days = True
            self.note_wait(wait_s, f"the {what} are used up, and come back so slowly")
        if not self._shut.is_too_long(wait_s):
            self._underway.spare_until(until + self._deadline_s)
        elif self._looking is None:
            self._looking = asyncio.get_running_loop().call_later(LOOK_AGAIN_S, self._look)

    def _look(self) -> None:
        """An answer to what left later would have shown that the wait was not meant for everybody."""
        self._looking = None
        until, now = self._admission.shut_until(), self._clock.monotonic()
        if self._admission.waiting and self._shut.is_too_long(until - now + LOOK_AGAIN_S):
            self._end(until)

    def _end(self, until: float, what: str = "lets nobody in before") -> None:
        if not self._is_last():
            return
        again = datetime.fromtimestamp(self._clock.time() + until - self._clock.monotonic(), UTC)
        why = self._shut.why or f"the {self._admission.binding} are used up"
        error = LimitReached(f"{self._name} {what} {again:%Y-%m-%d %H:%M} UTC ({why})")
        self._underway.stop(error)
        self._on_failure(error, 0.0)


def _span(seconds: float) -> timedelta:
    """For people: in whole seconds."""
    return timedelta(seconds=math.ceil(seconds))
