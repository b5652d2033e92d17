"""What whoever watches a run may do to it by a key: pause, resume, move the cap, finish in order.

Keys are pressed in another thread than the engine works in, so everything here is done in the engine's own.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
from collections.abc import Callable
from concurrent.futures import Future
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from agents.run_folder import Reread, RunFolder
from engine import Engine
from engine.errors import SmeltError
from engine.events import Event, StageStarted
from engine.prices import PICO_PER_USD, dollars, in_full

__all__ = ["RunControls", "cap_above", "cap_below"]

PATIENCE_S = 3.0  # the engine's thread may be busy for so long before whoever pressed a key is told so
STOPS = "Ctrl-C stops at once"
NOBODY_ASKED = "nothing is being asked just now, so there is nothing to change"

# Steps of a tenth to a twentieth of what there is: below 2, below 5 and below 10 of each power of ten.
STEPS = ((Decimal(2), Decimal("0.1")), (Decimal(5), Decimal("0.2")), (Decimal(10), Decimal("0.5")))


class RunControls:
    """Steers the engine of one run, once there is one. What is done to the cap is written down before it holds."""

    def __init__(self, folder: RunFolder) -> None:
        self._folder = folder
        self._engine: Engine | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stage = ""
        self._is_finishing = False

    def take(self, engine: Engine) -> None:
        """This is the engine from now on; called in its thread."""
        self._engine, self._loop = engine, asyncio.get_running_loop()

    def within(self, function: Callable[[], None]) -> None:
        """Have something done in the engine's thread. Raises RuntimeError once its loop is closed."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(function)

    def pause(self) -> str:
        return self._done(_paused)

    def resume(self) -> str:
        return self._done(_resumed)

    def raise_cap(self) -> str:
        return self._done(lambda engine: self._moved(engine, cap_above))

    def lower_cap(self) -> str:
        return self._done(lambda engine: self._moved(engine, cap_below))

    def notice(self, event: Event) -> None:
        """Which stage has begun; a listener to StageStarted."""
        if isinstance(event, StageStarted):
            self._stage = event.stage

    def is_enough(self) -> bool:
        """Whether whoever watches wants what has been learnt by now."""
        return self._is_finishing

    def finishing(self) -> str:
        if not self._is_over_with_asking:
            return "calls in flight come home, then it stops; smelt resume goes on"
        if self._stage == "train":
            return "the training ends, and its best student so far is judged"
        return "nothing changes: little is left, and it ends by itself"

    def finish(self) -> str:
        """While somebody is asked, as the first Ctrl-C does; a second one is left to Ctrl-C itself."""
        if self._is_finishing:
            return f"it finishes already; {STOPS}"
        if not self._is_over_with_asking:
            self._is_finishing = True
            os.kill(os.getpid(), signal.SIGINT)
            return f"finishing: calls in flight come home; {STOPS}"
        if self._stage == "train":
            self._is_finishing = True
            return f"the training ends, and its best student is judged; {STOPS}"
        return f"little is left, and it ends by itself; {STOPS}"

    @property
    def _is_over_with_asking(self) -> bool:
        return self._loop is not None and self._loop.is_closed()

    def _done(self, action: Callable[[Engine], str]) -> str:
        """What came of an action in the engine's thread."""
        engine, ended = self._engine, Future[str]()
        if engine is None:
            return NOBODY_ASKED

        def act() -> None:
            try:
                ended.set_result(action(engine))
            except SmeltError as error:
                ended.set_result(str(error))
            except OSError as error:  # the disk is full: nothing has changed then
                ended.set_result(f"that could not be written down ({error.strerror}), so nothing has changed")

        try:
            self.within(act)
            return ended.result(timeout=PATIENCE_S)
        except RuntimeError:  # its loop is closed
            return NOBODY_ASKED
        except TimeoutError:
            return "the run is busy with something else; it will be done after that"

    def _moved(self, engine: Engine, step: Callable[[int], int]) -> str:
        figures = engine.statistics()
        if figures.cap is None or isinstance(self._folder, Reread):
            return "this run has no cap that could be moved"
        committed = figures.spent + figures.assumed + figures.reserved
        cap = max(step(figures.cap), committed)
        if cap == figures.cap:
            return f"the cap stays at {in_full(cap)}: it cannot go below what is spent or set aside"
        configuration = dataclasses.replace(self._folder.configuration(), budget=f"{Decimal(cap) / PICO_PER_USD:f}")
        budget = configuration.cap
        if budget is None:
            return "this run has no cap that could be moved"
        self._folder.keep(configuration)  # durable before it holds, so that a resumed run has it too
        engine.set_budget(budget)
        if cap == committed:
            return f"the cap is {in_full(cap)} now, all of it spent or set aside: no more calls are begun"
        return f"the cap is {in_full(cap)} now, {dollars(cap - committed)} of it free"


def _paused(engine: Engine) -> str:
    engine.pause()
    figures = engine.statistics()
    out = f", and {figures.in_batches:,} that are out in batches" if figures.in_batches else ""
    alone = figures.in_flight - figures.in_batches
    calls = "1 call in flight comes" if alone == 1 else f"{alone:,} calls in flight come"
    return f"paused: {calls} home{out}; nothing more is asked; r goes on"


def _resumed(engine: Engine) -> str:
    engine.resume()
    return "resumed"


def cap_above(cap: int) -> int:
    """The next larger cap, in pico-dollars, a tenth to a twentieth above: $1, $1.10, ..., $2, $2.20, ..., $5, $5.50."""
    usd = Decimal(cap) / PICO_PER_USD
    step = _step(usd)
    above = (usd / step + 1).to_integral_value(ROUND_FLOOR) * step
    return max(cap + 1, int(above * PICO_PER_USD))  # of a few pico-dollars a tenth is none


def cap_below(cap: int) -> int:
    """The next smaller cap: after `cap_above`, the one before it."""
    usd = Decimal(cap) / PICO_PER_USD
    step = _step(usd * Decimal("0.99"))  # from exactly 10 it goes down by the steps below 10
    below = (usd / step - 1).to_integral_value(ROUND_CEILING) * step
    return max(1, int(below * PICO_PER_USD))


def _step(usd: Decimal) -> Decimal:
    power = Decimal(1).scaleb(usd.adjusted())
    return next(step for below, step in STEPS if usd < below * power) * power
