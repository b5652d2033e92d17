"""What a report says of rows that exist already, in sentences. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from agents.finding.found.records import Source
from agents.records import Reject

__all__ = ["of_the_data", "of_the_scores", "of_the_served", "unreached_told", "with_leaks"]

MIXED_IN = {
    "some were found": {"found", "transformed"},
    "some were asked of a student that served": {"served"},
}


def of_the_data(origins: Mapping[str, int], sources: Sequence[Mapping[str, str]]) -> list[str]:
    """Which of the rows come from data sets; nothing where none was looked into."""
    if not sources:
        return []
    taken = [source for source in sources if source["kept"] != "0"]
    if not taken:
        names = "1 data set was" if len(sources) == 1 else f"{len(sources)} data sets were"
        return [f"{names} looked into, and no row could be taken."]
    rows = sum(count for origin, count in origins.items() if origin not in ("generated", "served"))
    which = ", ".join(f"{source['dataset']} ({source['kept']}, {source['licence']})" for source in taken)
    return [
        f"{rows:,} of the rows come from data that exists: {which}; {origins.get('generated', 0):,} were generated."
    ]


def of_the_served(origins: Mapping[str, int]) -> list[str]:
    """How many of the rows somebody asked a student that served; nothing where that is none."""
    served = origins.get("served", 0)
    if not served:
        return []
    rows = (
        "1 of the rows was asked of a student that served"
        if served == 1
        else (f"{served:,} of the rows were asked of a student that served")
    )
    return [f"{rows}, and labelled by a teacher then."]


def of_the_scores(origins: Mapping[str, int]) -> list[str]:
    """What rows that were not generated mean for the scores; nothing where there are none."""
    ways = [way for way, names in MIXED_IN.items() if names & origins.keys()]
    if not ways:
        return []
    return [
        f"The held-out rows are a mixture like the others: {' and '.join(ways)}, and nobody has checked their answers."
    ]


def with_leaks(sources: Sequence[Source], rejects: Sequence[Reject]) -> list[Source]:
    """The data sets, each with how many of its rows were left out because they are nearly what judges, and whose."""
    leaks = Counter((reject.provenance.dataset, reject.detail) for reject in rejects if reject.reason == "leak")

    def told(source: Source) -> str:
        parts = [f"{count:,} {whose}" for (dataset, whose), count in leaks.items() if dataset == source.dataset]
        return f"left out: {', '.join(parts)}" if parts else ""

    return [replace(source, why="; ".join(filter(None, (source.why, told(source))))) for source in sources]


def unreached_told(reached: int) -> str:
    """That test rows could not be had, or not all of them."""
    return (
        f"held against {reached:,} of its test rows, the others cannot be had"
        if reached
        else ("its test rows cannot be had, so nothing was held against them")
    )
