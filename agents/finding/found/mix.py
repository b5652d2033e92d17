"""Which of the rows that were found go into the data: as many of each answer as the plan gives it. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from agents.chance import chance
from agents.making.plan import Quota
from agents.records import Example

__all__ = ["portion"]


def portion(examples: Sequence[Example], quotas: Sequence[Quota], *, most: int, seed: int) -> tuple[Example, ...]:
    """At most so many of the rows, of each answer at most its share; which ones, chance decides by what they say.

    What one answer lacks no other gets: the rows that are made later fill that gap.
    """

    def lot(row: Example) -> float:
        return chance(seed, "mix", row.input).random()

    mixed = sorted(examples, key=lot)
    taken: list[Example] = []
    for quota in quotas:
        of_it = [row for row in mixed if quota.target is None or quota.target.is_met_by(row.output)]
        taken += of_it[: math.ceil(quota.share * most)]
    return tuple(sorted(sorted(taken, key=lot)[:most], key=lambda row: -row.provenance.request))
