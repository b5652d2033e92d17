"""A generating request and all that follows from it: what a group needs, and what it brings home. Records."""

from __future__ import annotations

import math
from dataclasses import dataclass

from agents.filtering.filter import Known
from agents.making.generate import Assignment, Generated
from agents.records import Draft, Reject, Spec
from agents.voting.annotate import Annotation, Voting
from engine.errors import SmeltError
from engine.messages import Request

__all__ = ["Brought", "Group"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Everything a group needs, fixed when it is built."""

    assignment: Assignment
    request: Request
    spec: Spec
    known: Known
    voting: Voting


@dataclass(frozen=True, slots=True, kw_only=True)
class Brought:
    """What a group brings home: each draft is rejected at sight or has its annotation, in order of position."""

    group: Group
    generated: Generated
    drafts: tuple[tuple[Draft, Reject | Annotation], ...] = ()

    @property
    def annotations(self) -> list[Annotation]:
        return [ended for _, ended in self.drafts if isinstance(ended, Annotation)]

    @property
    def error(self) -> SmeltError | None:
        """The first error that ended more than a draft of it, if one did."""
        errors = (self.generated.error, *(annotation.error for annotation in self.annotations))
        return next(filter(None, errors), None)

    @property
    def cost_usd(self) -> float:
        """What was paid for all of it."""
        return math.fsum((self.generated.cost_usd, *(annotation.cost_usd for annotation in self.annotations)))
