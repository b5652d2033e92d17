"""Several models behind one another: what one refuses, or leaves lying in an outage, the next answers.

`engine.fallback` decides who is asked; here is what that takes: the journal is asked for the answer of any of them, a
request whose model has gone moves on, and what was moved is said in plain words.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from engine.branch import Branch, Terms
from engine.errors import (
    AuthenticationRefused,
    ConfigurationRefused,
    DeadlineExceeded,
    EndpointUnreachable,
    LimitReached,
    ProviderUnavailable,
    QuotaExhausted,
    SmeltError,
)
from engine.events import Noted
from engine.fallback import PATIENCE_S, Choice, Fallback, Hush, Standing
from engine.messages import Reply, Request
from engine.providers import Capabilities
from engine.providers.choice import common
from engine.shut import longest_wait_s

__all__ = ["Relay"]

SHORTEST_S, LONGEST_S = 1.0, 30.0  # between two looks whether a model that is out may be tried

WHY: Final[Mapping[type[SmeltError], str]] = {
    QuotaExhausted: "has no credit left",
    AuthenticationRefused: "lets us in no more",
    ConfigurationRefused: "cannot be asked so",
    EndpointUnreachable: "cannot be reached",
    LimitReached: "lets nobody in any more",
}


class Moved(ProviderUnavailable):
    """What was asked there is to be asked elsewhere; nobody but a relay ever sees it."""


class Relay:
    """Models in the order in which they are wanted. What all of them can do is what may be asked."""

    def __init__(self, branches: Sequence[Branch], terms: Terms) -> None:
        self.branches = tuple(branches)
        self.name = branches[0].name
        self.capabilities: Capabilities = common(branch.capabilities for branch in branches)
        self._terms = terms
        self._looks: dict[int, asyncio.TimerHandle] = {}  # at those where all is in vain
        self._trials: dict[int, asyncio.TimerHandle] = {}  # of those that are out
        self._watches: dict[int, asyncio.TimerHandle] = {}  # over those that may fall silent
        self._begin()
        for i, branch in enumerate(self.branches):
            branch.on_failure = partial(self._on_failure, i)
            branch.is_last = partial(self._is_last, i)

    def __repr__(self) -> str:
        return f"<Relay {' then '.join(branch.name for branch in self.branches)} {self._fallback!r}>"

    def standing(self, branch: Branch) -> str:
        """How one of them stands, in a word or two."""
        return self._fallback[self.branches.index(branch)].value

    def close(self) -> None:
        """No more is looked after; opened again, all of them are asked anew."""
        for timers in (self._looks, self._trials, self._watches):
            for timer in timers.values():
                timer.cancel()
            timers.clear()
        self._begin()

    def _begin(self) -> None:
        """Nothing is known yet of how they stand."""
        self._fallback = Fallback(len(self.branches))
        self._refusals: dict[int, SmeltError] = {}
        self._shut_until = [-math.inf] * len(self.branches)  # it asked for a longer wait than we have patience for
        self._shut_at = [-math.inf] * len(self.branches)  # when it did
        self._hushes = [Hush() for _ in self.branches]
        self._is_silent = [False] * len(self.branches)
        self._rests_until = [-math.inf] * len(self.branches)  # who was asked in silence waits for as long as may be
        self._answered_at = -math.inf
        self._none_answers = False  # that all are out was said, and nothing has come since

    def objection(self, request: Request) -> str | None:
        """What of this request one of them cannot take, in words that name it."""
        return next(filter(None, (branch.objection(request) for branch in self.branches)), None)

    def known(self, request: Request) -> Reply | None:
        """What one of them has said before to the question as it alone would be asked it."""
        for branch in self.branches:
            own = request if branch.capabilities.schema else request.with_schema_told()
            if branch.objection(own) is None and (reply := branch.recall(own, branch.key_of(own))):
                return reply
        return None

    async def answer(self, request: Request) -> Reply:
        """The answer: what any of them has said before, else that of the first who answers now."""
        keys = [branch.key_of(request) for branch in self.branches]
        for branch, key in zip(self.branches, keys, strict=True):
            if reply := branch.recall(request, key):
                return reply
        asked_at = self._terms.clock.monotonic()
        failed_with: dict[int, SmeltError] = {}
        while True:
            model, is_trial = self._choose(keys, failed_with)
            try:
                return await self._ask(model, request, keys[model], is_trial=is_trial)
            except Moved:
                self._check_patience(asked_at)
            except SmeltError as error:
                if not self._fallback.passes_on(model, error):
                    raise
                failed_with[model] = error.again()  # without its traceback, which would hold us in a cycle

    def _choose(self, keys: Sequence[bytes], failed_with: dict[int, SmeltError]) -> Choice:
        """Who is asking the same already, or who is to be asked. Raises what it has failed with when nobody is left."""
        for i, branch in enumerate(self.branches):
            if branch.is_asking(keys[i]):
                return Choice(i, is_trial=False)
        choice = self._fallback.choose(but=failed_with, may_try=self._may_try)
        if choice is not None:
            return choice
        if all(self._fallback[i] is Standing.GONE for i in range(len(self.branches))):
            raise self._refused()
        raise next(reversed(failed_with.values())).again()

    async def _ask(self, model: int, request: Request, key: bytes, *, is_trial: bool) -> Reply:
        branch = self.branches[model]
        if is_trial:
            branch.underway.resume()
        try:
            reply = await branch.answer(request, key)
            self._answered_at = self._terms.clock.monotonic()
            self._none_answers = False
            if branch.answered_sent_at >= self._shut_at[model]:  # what left before says nothing of now
                self._shut_until[model] = -math.inf
            if not reply.from_journal:
                self._hushes[model].notify_answer(reply.latency_s)
                self._is_silent[model] = False
                self._watch(model)
            self._fallback.notify_answer(model)
            return reply
        finally:
            if self._fallback[model] in {Standing.OUT, Standing.ON_TRIAL}:
                self._end_trial(model, is_trial=is_trial)

    def _end_trial(self, model: int, *, is_trial: bool) -> None:
        """Something has come to its end at a model that was out: is it back?"""
        if not self._is_shut(model):
            self._welcome(model)
        elif is_trial:
            self._fallback.end_trial(model)
            self._set_out(model)

    def _welcome(self, model: int) -> None:
        """It is back: what waits for those who were asked instead is its own again."""
        self._fallback.notify_back(model)
        self.branches[model].underway.resume()
        for branch in self.branches[model + 1 :]:
            branch.underway.send_away(Moved())
        self._note(f"{self.branches[model].name} answers again, and is asked first again")

    def _set_out(self, model: int) -> None:
        """What waits there moves on; from time to time one request finds out whether it is back."""
        self.branches[model].underway.suspend(Moved())
        if self._is_silent[model]:
            self._rests_until[model] = self._terms.clock.monotonic() + LONGEST_S
        self._try_later(model)

    def _try_later(self, model: int) -> None:
        if model not in self._trials:
            now = self._terms.clock.monotonic()
            delay_s = min(LONGEST_S, max(SHORTEST_S, self._ready_at(model) - now))
            self._trials[model] = asyncio.get_running_loop().call_later(delay_s, self._try, model)

    def _try(self, model: int) -> None:
        """Send one that waits elsewhere: perhaps no new request comes for a long time."""
        del self._trials[model]
        asked = self._fallback.asked
        if self._fallback[model] is not Standing.OUT or asked is None or asked < model:
            return
        if self._may_try(model):
            self.branches[asked].underway.send_away(Moved(), at_most=1)
        self._try_later(model)

    def _may_try(self, model: int) -> bool:
        return self._ready_at(model) <= self._terms.clock.monotonic() + 1e-6

    def _ready_at(self, model: int) -> float:
        return max(self.branches[model].ready_at(), self._rests_until[model])

    # -- what happens at one of them

    def _on_failure(self, model: int, refusal: SmeltError | None, delay_s: float) -> None:
        if delay_s > PATIENCE_S:
            self._shut_at[model] = self._terms.clock.monotonic()
            self._shut_until[model] = self._shut_at[model] + delay_s
        if refusal is not None:
            self._notify_refused(model, refusal)
        elif self._is_shut(model) and self._fallback[model] is Standing.ON_TRIAL:
            self.branches[model].underway.suspend(Moved())  # whoever was the trial goes elsewhere now
        elif self._is_shut(model):
            self._look_later(model)

    def _is_shut(self, model: int) -> bool:
        """Whether nothing gets through, as far as is known: its breaker is open, it is silent, or wants us later."""
        is_shut = self.branches[model].crowd.paused or self._is_silent[model]
        return is_shut or self._terms.clock.monotonic() < self._shut_until[model]

    def _is_last(self, model: int) -> bool:
        """Whether nobody else lets anybody in sooner than a request may wait."""
        soon = self._terms.clock.monotonic() + longest_wait_s(self._terms.deadline_s)
        others = (i for i in range(len(self.branches)) if i != model)
        return all(self._fallback[i] is Standing.GONE or self._shut_until[i] > soon for i in others)

    def _notify_refused(self, model: int, refusal: SmeltError) -> None:
        if self._fallback[model] is Standing.GONE:
            return
        self._refusals[model] = refusal
        self._fallback.notify_refused(model)
        if (asked := self._hand_over()) is not None:
            why = WHY.get(type(refusal), "refuses")
            self._note(f"{self.branches[model].name} {why} ({refusal}); {asked} is asked from here on")

    def _look_later(self, model: int) -> None:
        now = self._terms.clock.monotonic()
        look_at = self._fallback.notify_silence(model, now=now)
        if look_at is not None and model not in self._looks:
            loop = asyncio.get_running_loop()
            self._looks[model] = loop.call_later(max(0.0, look_at - now), self._look, model)

    def _look(self, model: int) -> None:
        """Whether what was in vain is so still."""
        del self._looks[model]
        if not self._is_shut(model):
            self._fallback.notify_answer(model)
        elif self._fallback.look(model, now=self._terms.clock.monotonic() + 1e-6):  # a timer may fire that much early
            self._set_out(model)
            self._note_outage(model)
        else:
            self._look_later(model)

    def _watch(self, model: int, *, delay_s: float | None = None) -> None:
        """Look whether it has fallen silent, in time; what is out there is not asked elsewhere before it has ended."""
        if model in self._watches:
            return
        delay_s = self._hushes[model].patience_s if delay_s is None else delay_s
        if delay_s < math.inf:
            self._watches[model] = asyncio.get_running_loop().call_later(delay_s, self._listen, model)

    def _listen(self, model: int, *, is_sure: bool = False) -> None:
        del self._watches[model]
        underway, now = self.branches[model].underway, self._terms.clock.monotonic()
        silent_s, patience_s = now - underway.silent_since(), self._hushes[model].patience_s
        if silent_s < patience_s - 1e-6:  # a timer may fire that much early
            if len(underway):
                self._watch(model, delay_s=min(patience_s, patience_s - silent_s))
        elif not is_sure:  # when we were held up ourselves, answers may lie here unread
            loop = asyncio.get_running_loop()
            self._watches[model] = loop.call_later(SHORTEST_S, partial(self._listen, model, is_sure=True))
        else:
            self._is_silent[model] = True
            if self._fallback.notify_hush(model, now=now):
                self._set_out(model)
                self._note_outage(model)

    def _note_outage(self, model: int) -> None:
        asked = self._hand_over()
        if self._none_answers:
            return
        everyone = range(len(self.branches))
        self._none_answers = any(self._fallback[i] is Standing.ASKED and self._is_shut(i) for i in everyone)
        then = (
            "neither does any other, so they are asked in turn" if self._none_answers else f"{asked} is asked meanwhile"
        )
        self._note(f"{self.branches[model].name} does not answer any more; {then}")

    def _hand_over(self) -> str | None:
        """Who is asked now. What was out before, and must do again, takes requests again."""
        asked = self._fallback.asked
        if asked is None:
            return None
        self.branches[asked].underway.resume()
        if self._is_shut(asked):
            self._look_later(asked)
        for i in range(asked):
            if self._fallback[i] is Standing.OUT:
                self._try_later(i)
        return self.branches[asked].name

    # -- words

    def _check_patience(self, asked_at: float) -> None:
        """A request that goes from one to the other must end one day, too."""
        since = max(asked_at, self._answered_at)
        if self._terms.clock.monotonic() >= since + self._terms.deadline_s:
            raise DeadlineExceeded(f"no answer from anybody within {self._terms.deadline_s:g} s")

    def _refused(self) -> SmeltError:
        """That all are gone, and why."""
        told = "; ".join(f"{self.branches[i].name}: {error}" for i, error in self._refusals.items())
        last = next(reversed(self._refusals.values()))
        return type(last)(told)

    def _note(self, text: str) -> None:
        if self._terms.events is not None:
            self._terms.events.emit(Noted(text))
