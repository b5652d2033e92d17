"""What a report says of rows that exist already, in sentences. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["of_the_data", "of_the_scores"]


def of_the_data(origins: Mapping[str, int], sources: Sequence[Mapping[str, str]]) -> list[str]:
    """Which of the rows come from data sets; nothing where none was looked into."""
    if not sources:
        return []
    taken = [source for source in sources if source["kept"] != "0"]
    if not taken:
        names = "1 data set was" if len(sources) == 1 else f"{len(sources)} data sets were"
        return [f"{names} looked into, and no row could be taken."]
    rows = sum(count for origin, count in origins.items() if origin != "generated")
    which = ", ".join(f"{source['dataset']} ({source['kept']}, {source['licence']})" for source in taken)
    return [
        f"{rows:,} of the rows come from data that exists: {which}; {origins.get('generated', 0):,} were generated."
    ]


def of_the_scores(origins: Mapping[str, int]) -> list[str]:
    """What these rows mean for the scores."""
    if not any(origin != "generated" for origin in origins):
        return []
    return ["The held-out rows are a mixture like the others: some were found, and nobody has checked their answers."]
