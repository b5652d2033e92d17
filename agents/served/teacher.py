"""A teacher that is asked while a student serves: a label or silence, in bounded time, whatever happens to it.

The engine keeps its laws all the while: every answer is in the journal before anybody reads it, and the cap holds over
every start. What is decided here is when it is worth asking at all.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from agents.asks import coldest
from agents.filtering.filter import Candidate, judge_label, make_known
from agents.records import Spec
from agents.voting.annotate import Voting, annotate
from agents.voting.ballots import LABELLING, Annotation
from engine import Engine
from engine.clock import Clock, SystemClock
from engine.errors import BudgetReached, ProviderRefused, SmeltError
from engine.prices import PICO_PER_USD

__all__ = ["Labelled", "Patience", "Silence", "Teacher"]

Silence = Literal["budget", "busy", "late", "unavailable", "unclear"]
"""Why there is no label: no money, too many questions, none in time, nobody there, none that fits the task."""

MOST_ASKING = 256  # questions at a time; more would only wait for each other
VOTING_TEMPERATURE = 0.7  # of one label among several, as where rows are made


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """A label that fits the task, and the model that gave it."""

    output: str
    model: str
    simulated: bool = False


class Patience:
    """Whether to ask at all: after `most` failures in a row, or one that speaks for all, only now and then for a while.

    Each question of these that is in vain, too, doubles the wait for the next: what fails may be charged, and a day of
    failures every quarter of a minute would have eaten the budget.

    patience = Patience()
    patience.notify_failure(now=0.0, refused=True)
    patience.is_worth_asking(now=1.0)    # False
    patience.is_worth_asking(now=60.0)   # True, for this one; the next has to wait for what comes of it
    """

    def __init__(
        self, *, most: int = 3, pause_s: float = 15.0, long_pause_s: float = 60.0, longest_s: float = 900.0
    ) -> None:
        self._most = most
        self._pause_s = pause_s
        self._long_pause_s = long_pause_s
        self._longest_s = longest_s
        self._is_trying = False  # whether the last question was one of those now and then
        self._failures = 0
        self._ask_at = -math.inf
        self._pause = 0.0

    @property
    def has_run_out(self) -> bool:
        """Whether it is asked now and then only, until it answers again."""
        return self._pause > 0

    def is_worth_asking(self, *, now: float) -> bool:
        if not self._pause:
            return True
        if now < self._ask_at:
            return False
        self._ask_at = now + self._pause
        self._is_trying = True
        return True

    def notify_answer(self) -> None:
        self._failures, self._pause, self._is_trying = 0, 0.0, False

    def notify_failure(self, *, now: float, refused: bool = False) -> None:
        """There was no answer; `refused` when there would be none for any other question either."""
        self._failures += 1
        if refused or self._failures >= self._most:
            twice = 2 * self._pause if self._is_trying else self._pause
            self._pause = min(self._longest_s, max(twice, self._long_pause_s if refused else self._pause_s))
            self._ask_at, self._is_trying = now + self._pause, False


class Teacher:
    """Asks for labels: one question a label, unless more `votes` are wanted.

    `patience_s` is how long a label is waited for: one that comes later is kept all the same, for whoever asks the same
    again and for the next run. When the provider has refused everything the engine is opened anew before the next try.
    `on_open` is called once the journal is ours. `note` is told in a line when it begins to fail, once, and when it
    answers again; and once that there is no money for another question.
    """

    def __init__(
        self,
        engine: Engine,
        spec: Spec,
        *,
        votes: int = 1,
        patience_s: float = 20.0,
        on_open: Callable[[], None] = lambda: None,
        note: Callable[[str], None] = lambda _: None,
        patience: Patience | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._engine = engine
        self._spec = spec
        self._votes = votes
        self._patience_s = patience_s
        self._on_open = on_open
        self._note = note
        self._patience = patience or Patience()
        self._clock = clock or SystemClock()
        self._known = make_known(spec)
        self._has_money = True
        self._is_open = False
        self._is_refused = False  # everything, so that only a fresh start will do
        self._opening = asyncio.Lock()  # two who find the engine stopped must not both open it
        self._asking: set[asyncio.Task[Labelled | Silence]] = set()

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Within the block it can be asked. At its end what is in flight comes home and is kept."""
        await self._open()
        self._on_open()
        try:
            yield
        finally:
            self._engine.drain()
            if self._asking:
                await asyncio.wait(self._asking, timeout=self._patience_s)
            await self._close()

    async def label(self, text: str) -> Labelled | Silence:
        """The label, or why there is none."""
        if len(self._asking) >= MOST_ASKING:
            return "busy"
        if not self._patience.is_worth_asking(now=self._clock.monotonic()):
            return "unavailable"
        task = asyncio.create_task(self._label(text))
        self._asking.add(task)  # until it ends: whoever asked may have gone by then
        task.add_done_callback(self._asking.discard)
        done, _ = await asyncio.wait([task], timeout=self._patience_s)
        if done:
            return task.result()
        self._failed(f"no answer within {self._patience_s:g} s")
        return "late"

    async def _label(self, text: str) -> Labelled | Silence:
        if not await self._is_ready():
            return "unavailable"
        annotation = await annotate(self._engine, self._spec, text, self._voting())
        silence = self._silence(annotation)
        if annotation.vote is None or silence is not None:
            return silence or "unclear"
        vote = annotation.vote
        return Labelled(output=vote.winner, model=vote.models[0], simulated=self._engine.simulated)

    def _voting(self) -> Voting:
        cold = coldest(self._engine, tag=LABELLING)
        several = None if cold is None else VOTING_TEMPERATURE
        return Voting(votes=self._votes, temperature=cold if self._votes == 1 else several)

    def _silence(self, annotation: Annotation) -> Silence | None:
        """Why there is no label after all, and what that means for the next question."""
        if isinstance(annotation.error, BudgetReached):
            self._has_no_money(annotation.error)
            return "budget"  # the next question may still fit into what is left
        if annotation.error is not None or annotation.reason == "failed":
            refused = isinstance(annotation.error, ProviderRefused)
            self._is_refused = self._is_refused or refused
            self._failed(str(annotation.error or "its last answers did not come"), refused=refused)
            return "unavailable"
        self._answered()
        vote = annotation.vote
        if vote is None or judge_label(Candidate.voted(annotation.input, vote), self._known) is not None:
            return "unclear"
        return None

    # -- what whoever runs the server should know: each thing once, and not at every question

    def _failed(self, why: str, *, refused: bool = False) -> None:
        had_run_out = self._patience.has_run_out
        self._patience.notify_failure(now=self._clock.monotonic(), refused=refused)
        if self._patience.has_run_out and not had_run_out:
            self._note(f"the student answers alone, and the teacher is asked now and then only: {why}")

    def _answered(self) -> None:
        if self._patience.has_run_out:
            self._note("the teacher answers again")
        self._patience.notify_answer()

    def _has_no_money(self, why: BudgetReached) -> None:
        if self._has_money:
            self._note(f"the student answers alone where nothing is left to ask with: {why}")
        self._has_money = False

    # -- the engine, open

    async def _is_ready(self) -> bool:
        async with self._opening:
            if self._is_refused:
                await self._close()
                try:
                    await self._open()
                except SmeltError as error:  # another process has the journal, or it is gone: there will be another try
                    self._failed(str(error), refused=True)
            return self._is_open

    async def _open(self) -> None:
        await self._engine.__aenter__()
        self._is_open, self._is_refused = True, False

    async def _close(self) -> None:
        if self._is_open:
            self._is_open = False
            await self._engine.aclose()

    def figures(self) -> Mapping[str, float]:
        """Money in USD over all starts, and how many questions are under way."""
        figures = self._engine.statistics()
        cap = {} if figures.cap is None else {"budget_dollars": figures.cap / PICO_PER_USD}
        return {"spent_dollars": figures.cost_usd, **cap, "teacher_asking": float(len(self._asking))}
