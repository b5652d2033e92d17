"""How long a run takes: groups in their order, so many under way, and what limits let through. Pure.

Each group takes as long as one of the pilot's, more where it asks for more; it begins when enough of those before it
have ended, and counts as ended only after all of those. That is what the run does. Limits, slots and the processor
let so much through a second whatever is under way: a run takes at least as long as the narrowest of them makes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from agents.estimating.heard import Answered, Tried
from agents.estimating.rates import Numbers
from engine.throttle import Limits

__all__ = ["Gates", "Paces", "seconds_each"]

LATEST = 100  # groups from whose ends the pace of the next ones is taken where several make a step
SHARPNESS = 4.0  # how little things that take about as long add to each other; each waits for the others at times


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """What lets so much through and no more: a minute's requests and tokens, slots, seconds of this machine a call.

    None is no limit that anybody knows of. `at_once` is how many calls may be in flight, each for `latency_s`.
    """

    limits: Limits = field(default_factory=Limits)
    at_once: float | None = None
    latency_s: float = 0.0
    cpu_s: float = 0.0


def seconds_each(
    calls: Numbers, seconds: Numbers, gates: Gates, *, input_tokens: Numbers, output_tokens: Numbers
) -> Numbers:
    """How long so many calls with so many tokens take, if their own order lets them end after `seconds`."""
    limits = gates.limits
    asked = (
        (limits.rpm, calls),
        (limits.tpm, input_tokens + output_tokens),
        (limits.input_tpm, input_tokens),
        (limits.output_tpm, output_tokens),
    )
    gated = [calls * gates.cpu_s, *(60 * amount / most for most, amount in asked if most is not None)]
    if gates.at_once is not None:
        gated.append(calls * gates.latency_s / gates.at_once)
    times = np.maximum(np.array([seconds, *gated]), 1e-9)
    longest = times.max(axis=0)
    both: Numbers = longest * ((times / longest) ** SHARPNESS).sum(axis=0) ** (1 / SHARPNESS)
    return both


class Paces:
    """When groups end, in each forecast."""

    def __init__(self, groups: Sequence[Tried], *, draws: int, chance: np.random.Generator) -> None:
        self._chance, self._draws = chance, draws
        making = [_seconds_of(group, "generate") for group in groups]
        self._making = np.array(making)
        self._beside = np.array([max(0.0, group.seconds - each) for group, each in zip(groups, making, strict=True)])
        self._asked = np.array([float(group.asked) for group in groups])
        calls = [call for group in groups for call in group.calls]
        self._each = _seconds_for_each_input(groups, calls)
        self._ends: list[Numbers] = []

    def end(self, *, size: int, begun_after: int, several: int) -> Numbers:
        """When the next group has ended, that was begun after so many had; or the last of several like it."""
        last = self._ends[-1] if self._ends else np.zeros(self._draws)
        if several > 1:
            early = self._ends[-LATEST - 1]
            self._ends.append(last + several * (last - early) / LATEST)
            return self._ends[-1]
        begun = self._ends[begun_after - 1] if begun_after else np.zeros(self._draws)
        self._ends.append(np.maximum(last, begun + self._takes(size)))
        return self._ends[-1]

    def _takes(self, size: int) -> Numbers:
        drawn = self._chance.integers(len(self._making), size=self._draws)
        longer = (1 + self._each * size) / (1 + self._each * self._asked[drawn])
        takes: Numbers = self._making[drawn] * longer + self._beside[drawn] * np.sqrt(longer)
        return takes


def _seconds_of(group: Tried, tag: str) -> float:
    return sum(call.latency_s for call in group.calls if call.tag == tag)


def _seconds_for_each_input(groups: Sequence[Tried], calls: Sequence[Answered]) -> float:
    """How much longer a generating call takes for each input that it asks for, as a part of what it takes for none.

    By a line through the latencies of all calls over their output; never less than none.
    """
    output = np.array([float(call.output_tokens) for call in calls])
    latency = np.array([call.latency_s for call in calls])
    if len(calls) < 3 or np.ptp(output) == 0:
        return 0.0
    slope, level = np.polyfit(output, latency, 1)
    tokens = [call.output_tokens for call in calls if call.tag == "generate"]
    asked = sum(group.asked for group in groups)
    each = slope * sum(tokens) / max(1, asked)
    return float(max(0.0, each) / max(level, 0.05 * float(latency.mean()), 1e-9))
