"""Which answers the next request should ask inputs for, so that no answer is missing from the data: pure.

A teacher left alone writes inputs that have an answer: elsewhere 43 % of the real rows had nothing to find, and under
3 % of the generated ones. So each request asks for one answer (or for anything but one), and shares are kept by
counting the answers that rows really got, not those that were asked for.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.records import Pair, Spec

__all__ = ["Quota", "Target", "Wish", "aim_of", "choose_target", "make_plan"]

LEAST_EMPTY, MOST_EMPTY = 0.1, 0.5
# A target that the teacher cannot write inputs for would stay the most wanted for ever. It is asked for at most this
# many times as often as its share says, so a hopeless one costs as much again as a good one and no more.
PERSISTENCE = 2.0
# More than is wanted of a target may be asked for up to this part of its rows: it hardly shows in the shares, and a
# large run does not end in many requests for one or two.
LEEWAY = 0.05


@dataclass(frozen=True, slots=True)
class Target:
    """What a request asks for: inputs whose right answer is `answer`, or with `negated` anything but that."""

    answer: str
    negated: bool = False

    def is_met_by(self, output: str) -> bool:
        return (output == self.answer) is not self.negated

    def __str__(self) -> str:
        return f"not: {self.answer}" if self.negated else self.answer


def aim_of(target: Target | None) -> str | None:
    """The one answer that inputs are asked for, if it is one."""
    return None if target is None or target.negated else target.answer


@dataclass(frozen=True, slots=True)
class Quota:
    """A target and its share (0 to 1) of the rows; no target means any input will do."""

    target: Target | None
    share: float


@dataclass(frozen=True, slots=True)
class Wish:
    """What the next request asks for, and for how many inputs at most; None: for as many as it likes."""

    target: Target | None
    most: int | None


def make_plan(spec: Spec, *, shares: Mapping[str, float] | None = None, balanced: bool = True) -> tuple[Quota, ...]:
    """The shares that a spec calls for; they sum up to 1.

    There are three cases: labels get equal shares; text with an empty answer gets the share of it that the
    demonstrations show, within 0.1 and 0.5, and the rest of anything else; other text is left free. Other `shares`
    may be wanted: of labels in any unit, labels that are not named get none; of the empty answer between 0 and 1. What
    is not to be `balanced` is left free.
    """
    if not balanced:
        return (Quota(None, 1.0),)
    if spec.labels and shares:
        return tuple(Quota(Target(label), share / sum(shares.values())) for label, share in shares.items() if share)
    if spec.labels:
        return tuple(Quota(Target(label), 1 / len(spec.labels)) for label in spec.labels)
    if spec.empty_answer is not None:
        stated = (shares or {}).get(spec.empty_answer)
        share = _empty_share(spec.empty_answer, spec.demonstrations) if stated is None else stated
        empty = Target(spec.empty_answer)
        quotas = (Quota(empty, share), Quota(Target(spec.empty_answer, negated=True), 1 - share))
        return tuple(quota for quota in quotas if quota.share)
    return (Quota(None, 1.0),)


def _empty_share(empty: str, demonstrations: Sequence[Pair]) -> float:
    found = sum(pair.output == empty for pair in demonstrations) / max(1, len(demonstrations))
    return min(MOST_EMPTY, max(LEAST_EMPTY, found))


def choose_target(
    quotas: Sequence[Quota],
    *,
    outputs: Mapping[str, int],
    asked: Mapping[Target | None, int],
    pending: Mapping[Target | None, int],
    wanted: int,
    rows_per_input: float,
) -> Wish:
    """The target that lacks most, in shares of its quota; ties go to the first, so labels come in turn.

    `outputs` counts the accepted rows by answer, `asked` all requests so far by target, and `pending` the inputs that
    are not judged yet. No more inputs are asked for than what is still wanted of the target takes, if of each only
    `rows_per_input` rows come, or a twentieth of its rows if that is more.
    """
    requests = sum(asked.values())

    def rows_lacking(quota: Quota, *, rows_per_input: float) -> float:
        return quota.share * wanted - _count(quota, outputs) - rows_per_input * pending.get(quota.target, 0)

    def lack(quota: Quota) -> float:
        return rows_lacking(quota, rows_per_input=1) / (quota.share * wanted)

    def may_be_asked(quota: Quota) -> bool:
        return asked.get(quota.target, 0) <= PERSISTENCE * quota.share * requests

    # Never empty: no target can have been asked for more than its share unless another was asked for less.
    quota = max(filter(may_be_asked, quotas), key=lack)
    if quota.target is None:
        return Wish(None, None)
    inputs_lacking = rows_lacking(quota, rows_per_input=rows_per_input) / rows_per_input
    return Wish(quota.target, math.ceil(max(inputs_lacking, LEEWAY * quota.share * wanted)))


def _count(quota: Quota, outputs: Mapping[str, int]) -> int:
    if quota.target is None:
        return sum(outputs.values())
    return sum(count for output, count in outputs.items() if quota.target.is_met_by(output))
