"""The figures of a fleet as those of one engine: what its workers have told, added up. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace

from engine.fleet.wire import News
from engine.statistics import Statistics, Tally, WorkerStatistics
from engine.throttle import Limits

__all__ = ["minus", "summed", "tally_of"]


def tally_of(told: Sequence[int]) -> Tally:
    return Tally(*told)


def minus(tally: Tally, other: Tally) -> Tally:
    """What has been counted since."""
    return Tally(*(getattr(tally, each.name) - getattr(other, each.name) for each in fields(Tally)))


def summed(
    own: Statistics,
    news: Sequence[News],
    workers: Sequence[WorkerStatistics],
    *,
    under_way: int,
    is_paused: bool,
    money_waits: bool,
) -> Statistics:
    """The driver's own figures with what those who ask have told; `under_way` is how many requests have not ended."""
    in_flight = sum(each.in_flight for each in news)
    return replace(
        own,
        in_flight=in_flight,
        waiting=max(0, under_way - in_flight),
        allowed=sum(each.allowed for each in news),
        hedged=sum(each.hedged for each in news),
        limits=_limits(news) or own.limits,
        binding="pause" if is_paused else "money" if money_waits else _binding(news) or own.binding,
        workers=tuple(workers),
    )


def _limits(news: Sequence[News]) -> Limits | None:
    """Of the first who knows any: they are the account's, and so the same for all."""
    told = next((each.limits for each in news if any(limit is not None for limit in each.limits)), None)
    return None if told is None else Limits(**dict(zip(Limits().by_name(), told, strict=True)))


def _binding(news: Sequence[News]) -> str | None:
    """What holds up most of those who have something to do."""
    at_work: Mapping[str, int] = Counter(each.binding for each in news if each.binding != "lack of work")
    return max(at_work, key=lambda name: at_work[name], default=None)
