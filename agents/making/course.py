"""The figures that change while rows are made, as whoever looks on is told of them: pure."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence

from agents.making.outcomes import REPEATS
from agents.making.plan import Quota, Target
from agents.making.variation import attributes_asked
from agents.records import Example, Reject
from engine.events import Event, Measured, Weighed

__all__ = ["Course", "asked_told"]


class Course:
    """How hot is asked, how much repeats what is there, how sure the votes are: a point of each for a group.

    What repeats is a share of all rows of the last `window` groups; of one group alone it would jump about. And how
    many of the `wanted` rows there are of each answer that the plan keeps a share of.
    """

    def __init__(self, stage: str, plan: Sequence[Quota], *, window: int, wanted: int) -> None:
        self._stage = stage
        self._plan = plan
        self._wanted = wanted
        self._ends: deque[tuple[int, int]] = deque(maxlen=window)  # of each group: repeats, of so many

    def told(
        self,
        examples: Sequence[Example],
        rejects: Sequence[Reject],
        *,
        outputs: Mapping[str, int],
        heat: float | None,
    ) -> list[Event]:
        """What a group adds; of `heat` nothing where no temperature is sent. `outputs` counts all rows by answer."""
        self._ends.append((sum(reject.reason in REPEATS for reject in rejects), len(examples) + len(rejects)))
        repeats, ends = (sum(each) for each in zip(*self._ends, strict=True))
        events: list[Event] = [] if heat is None else [Measured(self._stage, "temperature", heat)]
        if ends:
            events.append(Measured(self._stage, "duplicates", repeats / ends, is_share=True))
        if examples:
            agreement = sum(example.vote.agreement for example in examples) / len(examples)
            events.append(Measured(self._stage, "agreement", agreement, is_share=True))
        return [*events, *self._weighed(outputs)]

    def _weighed(self, outputs: Mapping[str, int]) -> list[Event]:
        parts = [
            (str(quota.target), _met(quota.target, outputs), quota.share * self._wanted)
            for quota in self._plan
            if quota.target is not None
        ]
        return [Weighed(self._stage, "answers", tuple(parts))] if parts else []


def asked_told(requests: int, heat: float, *, examples: int | None) -> tuple[tuple[str, str], ...]:
    """How it is asked by now: as hot as that, or where no temperature is sent by how many `examples` are shown."""
    asked = [("requests", str(requests))]
    if examples is None:
        return (*asked, ("temperature", f"{heat:.2f}"))
    return (*asked, ("examples shown", str(examples)), ("attributes asked for", str(attributes_asked(heat))))


def _met(target: Target, outputs: Mapping[str, int]) -> int:
    has = outputs.get(target.answer, 0)
    return sum(outputs.values()) - has if target.negated else has
