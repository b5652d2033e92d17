"""Which of several models is asked now, and why: the first in order that neither refuses us nor is out.

Only the decision lives here, from facts reported with their times. It knows no request, no queue and no name: models
are numbered in the order in which they are wanted.

    ASKED     new requests go to the first of these
    OUT       nothing came from it for so long that it is not waited for; one request at a time finds out whether it is
              back
    ON_TRIAL  that request is on its way
    GONE      no credit, no access, no such model: not asked again
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Collection
from enum import StrEnum
from typing import Final, NamedTuple

from engine.errors import DeadlineExceeded, ProviderRefused, ProviderUnavailable, SmeltError, UnreadableReply

__all__ = ["PATIENCE_S", "Choice", "Fallback", "Hush", "Standing"]

PATIENCE_S: Final = 30.0
"""How long an outage may last before another model is asked; most are over by then, and data are best of one piece."""

KNOWN_FROM: Final = 30  # answers
REMEMBERED: Final = 256
TIMES: Final = 5.0
"""No answer at all for so much longer than the longest of the last 256 took is a silence, and no slow answer."""

PASSED_ON: Final = (ProviderUnavailable, UnreadableReply, DeadlineExceeded)  # what lay with the provider, not the row


class Standing(StrEnum):
    """How a model stands."""

    ASKED = "asked"
    OUT = "out"
    ON_TRIAL = "on trial"
    GONE = "gone"


class Choice(NamedTuple):
    """Whom to ask; `is_trial` when that one was out, and this request finds out whether it is back."""

    model: int
    is_trial: bool


class Hush:
    """How long a model may say nothing at all before it is no longer waited for: by how long its answers took.

    As long as an outage may last at least, and for ever until 30 answers have told.
    """

    def __init__(self) -> None:
        self._latencies: deque[float] = deque(maxlen=REMEMBERED)

    def notify_answer(self, latency_s: float) -> None:
        self._latencies.append(latency_s)

    @property
    def patience_s(self) -> float:
        return math.inf if len(self._latencies) < KNOWN_FROM else max(PATIENCE_S, TIMES * max(self._latencies))


class Fallback:
    """Several models, of which the first that answers is asked.

    While one of them is not gone, one is asked: the last is waited for, whatever the outage. When all that are left are
    out, the one that has been for longest is waited for next, and so on in turn.
    """

    def __init__(self, models: int) -> None:
        self._standings = [Standing.ASKED] * models
        self._silent_since = [math.inf] * models  # since when all is in vain, as far as anybody knows
        self._out_since = [math.inf] * models

    def __repr__(self) -> str:
        return f"<Fallback [{', '.join(self._standings)}]>"

    def __getitem__(self, model: int) -> Standing:
        return self._standings[model]

    @property
    def asked(self) -> int | None:
        """The first that is asked; None when all are gone."""
        return next((i for i, standing in enumerate(self._standings) if standing is Standing.ASKED), None)

    def choose(self, *, but: Collection[int] = (), may_try: Callable[[int], bool]) -> Choice | None:
        """Whom a request goes to, `but` those that have failed it; None when nobody is left.

        One that is out, and that others are only asked instead of, is given a trial when it `may_try` to answer again.
        """
        for i, standing in enumerate(self._standings):
            if i not in but and standing is Standing.ASKED:
                return Choice(i, is_trial=False)
            if i not in but and standing is Standing.OUT and may_try(i):
                self._standings[i] = Standing.ON_TRIAL
                return Choice(i, is_trial=True)
        return None

    def passes_on(self, model: int, error: SmeltError) -> bool:
        """Whether a request that ended so with one model may go on to another.

        What was given up when the model went may; so may what has failed for reasons that lay with the provider. What
        the provider has against the request itself is the request's.
        """
        if isinstance(error, ProviderRefused):
            return self._standings[model] is Standing.GONE
        return isinstance(error, PASSED_ON)

    # -- what has happened

    def notify_answer(self, model: int) -> None:
        """It has answered something, which may have been sent long ago."""
        self._silent_since[model] = math.inf

    def notify_back(self, model: int) -> None:
        """It answers as before."""
        if self._standings[model] in {Standing.OUT, Standing.ON_TRIAL}:
            self._stand(model)

    def notify_refused(self, model: int) -> None:
        """It refuses everything, for good."""
        self._standings[model] = Standing.GONE
        self._find_another()

    def notify_silence(self, model: int, *, now: float) -> float | None:
        """Nothing gets through to it any more: when to look whether that has lasted too long; None if never."""
        if self._standings[model] is not Standing.ASKED or not self._others(model):
            return None
        self._silent_since[model] = min(self._silent_since[model], now)
        return self._silent_since[model] + PATIENCE_S

    def look(self, model: int, *, now: float) -> bool:
        """True when it goes out now: it was in vain for too long, and another can be asked."""
        return now - self._silent_since[model] >= PATIENCE_S and self.notify_hush(model, now=now)

    def notify_hush(self, model: int, *, now: float) -> bool:
        """It has said nothing for longer than it is waited for. True when it goes out: another can be asked."""
        if self._standings[model] is not Standing.ASKED or not self._others(model):
            return False
        self._standings[model], self._out_since[model] = Standing.OUT, now
        self._find_another()
        return True

    def end_trial(self, model: int) -> None:
        """The request that was its trial has ended, and said nothing good of it."""
        if self._standings[model] is Standing.ON_TRIAL:
            self._standings[model] = Standing.OUT

    # -- who else

    def _others(self, model: int) -> list[int]:
        return [i for i, each in enumerate(self._standings) if i != model and each is not Standing.GONE]

    def _find_another(self) -> None:
        """When nobody is asked any more: whoever has been out for longest is."""
        left = [i for i, standing in enumerate(self._standings) if standing is not Standing.GONE]
        if left and self.asked is None:
            self._stand(min(left, key=lambda i: (self._out_since[i], i)))

    def _stand(self, model: int) -> None:
        self._standings[model] = Standing.ASKED
        self._out_since[model] = self._silent_since[model] = math.inf
