"""What the ends of drafts say of how they were asked for: of the heat, and of the size of calls. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from agents.making.annealing import Happened
from agents.making.plan import Quota
from agents.making.synthesis import Settings
from agents.records import Reject, RejectReason
from agents.voting.annotate import Annotation
from engine.batching import Appetite, Choice, Taste

__all__ = [
    "REPEATS",
    "calls_told",
    "happened_of",
    "inputs_taste",
    "labels_at_once",
    "labels_taste",
    "most_at_once",
    "usual_reason",
]

LEAST_WHOLE = 0.75  # of the inputs asked for; with fewer a reply is not whole
LABELS_AT_FIRST = 8  # inputs that share a call, until it is known how lists come back
LONGEST_TOLD = 160  # characters of a failure, in a sentence of ours
MOST_REPEATED = 1 / 3  # of a group's votes, asked for again because shared calls could not be used

REPEATS: frozenset[RejectReason] = frozenset({"duplicate", "leak"})  # the teacher says what is there already

# What speaks against a label alone cools nothing: labels are asked for at a temperature of their own. Where answers are
# taken from a text, two in five were seen not to stand in it, hot or not; cooled for that, a run only repeats itself.
OF_LABELS: frozenset[RejectReason] = frozenset({"context", "format", "label"})


def happened_of(reasons: Sequence[RejectReason], *, kept: int, accepted: int, wanted: int, is_joint: bool) -> Happened:
    """What became of the drafts of a request, as a schedule hears it: so many kept, the others left out for reasons.

    Rows that come whole have labels of the same heat, so that these count too.
    """
    judged = [reason for reason in reasons if reason != "failed"]
    repeated = sum(reason in REPEATS for reason in judged)
    of_labels = 0 if is_joint else sum(reason in OF_LABELS for reason in judged)
    return Happened(
        accepted=accepted,
        wanted=wanted,
        drafts=kept + len(judged),
        duplicates=repeated,
        rejects=len(judged) - repeated - of_labels,
    )


def inputs_taste(reasons: Sequence[RejectReason], *, drafts: int, asked: int) -> Taste:
    """What a reply with so many drafts was like that was asked for more."""
    if drafts < LEAST_WHOLE * asked:
        return "broken"
    return "stale" if 2 * sum(reason in REPEATS for reason in reasons) > drafts else "good"


def most_at_once(settings: Settings, quotas: Sequence[Quota]) -> int:
    """The most inputs that a request may come to ask for: a quarter of the rows that one answer is to get."""
    rarest, start = min(quota.share for quota in quotas) * settings.examples, settings.per_request
    growth = 1 if settings.passages else settings.growth  # one passage has no more in it
    return max(start, min(growth * start, int(rarest / 4)))


def labels_at_once(*, most: int) -> Appetite:
    """How many inputs may share a call, to be told what those that did were like."""
    return Appetite(start=min(LABELS_AT_FIRST, most), most=most)


def labels_taste(annotations: Sequence[Annotation]) -> Taste:
    """What the shared calls for some labels were like."""
    votes = sum(annotation.asked for annotation in annotations)
    repeats = sum(annotation.repeats for annotation in annotations)
    return "broken" if repeats > MOST_REPEATED * votes else "good"


def calls_told(inputs: Appetite, labels: Appetite, choice: Choice, *, most: int) -> str:
    """How many items share a call by now, and why, in a sentence."""
    why = labels.why if choice.items == labels.size < most else choice.why
    return f"a request asks for {inputs.size} inputs ({inputs.why}), a call labels {choice.items} ({why})"


def usual_reason(rejects: Iterable[Reject]) -> str:
    """The commonest reason, the first among equals, and of failures which it was; empty where nothing was left out."""
    details: dict[RejectReason, list[str]] = {}
    for reject in rejects:
        details.setdefault(reject.reason, []).append(reject.detail)
    if not details:
        return ""
    reason = max(details, key=lambda each: len(details[each]))
    if reason != "failed":
        return reason
    failure = " ".join(Counter(details[reason]).most_common(1)[0][0].split())
    return f"failed, {failure[:LONGEST_TOLD]}" if failure else reason
