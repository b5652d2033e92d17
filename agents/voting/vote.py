"""What independent labels for one input amount to: normalised, counted, and asked for no longer than needed. Pure.

A label is never dug out of a sentence. "The date is 2021-03-05." has its answer in it, but a teacher that talks has
not followed the instruction, and what else it would say there is anybody's guess: such a reply votes as it stands, and
loses against clean ones or falls to the format filter. What is taken off is only packing that says nothing: blanks,
one pair of quotation marks, a final full stop, a stock word such as "Answer:" in front. And the last three only where
the label set or the output pattern says that what remains is an answer.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agents.parsing.json_shape import fits
from agents.records import Spec, Vote
from engine.patterns import matches

__all__ = [
    "SURE",
    "Aim",
    "Aims",
    "Trust",
    "confidence",
    "fits_spec",
    "known_answers",
    "lasting",
    "normaliser",
    "tally",
    "votes_to_ask",
]

SURE = 0.95
"""So likely must a leader be the majority for no more votes to be asked (Aggarwal et al. 2023)."""

KNOWN_FROM = 100  # votes of a model, before it weighs otherwise than others
LEAST_SHARE, MOST_SHARE = 0.55, 0.99  # a model that is hardly right still votes, and none outvotes all others

QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "「": "」", "*": "*"}
STOCK_WORD = re.compile(r"(?:answer|label|output|result)\s*[:：=]\s*", re.IGNORECASE)


def normaliser(spec: Spec) -> Callable[[str], str]:
    """The function that brings a reply to the form in which labels of this task are compared.

    The plainest form that fits wins; where none fits, or nothing says what fits, only blanks are taken off.
    """
    by_folded = {label.casefold(): label for label in reversed(known_answers(spec))}

    def normalise(reply: str) -> str:
        text = reply.strip()
        for form in _unpacked(text):
            if fits_spec(form, spec):
                return form
            if form.casefold() in by_folded:
                return by_folded[form.casefold()]
        return text

    return normalise


def fits_spec(label: str, spec: Spec) -> bool:
    """Whether a label is in the label set, matches the output pattern in full and its schema, or is the empty answer.

    Without a label set, a pattern and a schema everything fits. Raises UserError for a pattern that is no regular
    expression, or that cannot be looked for in bounded time.
    """
    if label in known_answers(spec):
        return True
    if spec.labels:
        return False
    if spec.output_schema is not None and not fits(label, spec.output_schema):
        return False
    return spec.output_pattern is None or matches(spec.output_pattern, label)


def known_answers(spec: Spec) -> tuple[str, ...]:
    """The labels and the empty answer, as far as there are any: with labels, every right answer is one of these."""
    return spec.labels if spec.empty_answer is None else (*spec.labels, spec.empty_answer)


def _unpacked(text: str) -> Iterator[str]:
    """The text, then with less and less packing around it; each layer comes off once."""
    yield text
    for remove in (_without_stock_word, _without_quotes, _without_stop, _without_quotes):
        text = remove(text)
        yield text


def _without_stock_word(text: str) -> str:
    return STOCK_WORD.sub("", text, count=1) if STOCK_WORD.match(text) else text


def _without_quotes(text: str) -> str:
    while len(text) >= 2 and QUOTES.get(text[0]) == text[-1]:
        text = text[1:-1].strip()
    return text


def _without_stop(text: str) -> str:
    return text[:-1].rstrip() if text.endswith((".", "。")) else text


def tally(samples: Sequence[str], normalise: Callable[[str], str], *, weights: Sequence[float] | None = None) -> Vote:
    """The majority of the normalised samples; ties go to the shortest label, then to the first.

    With `weights`, one a sample, it is the heaviest label that wins, and agreement is its share of all the weight.
    Raises ValueError when there is no sample: no vote is not a vote.
    """
    labels = [normalise(sample) for sample in samples]
    counts = _counted(labels, weights)
    # The order of adding must not decide: sums of the same weights in another order differ in their last digit.
    winner = min(counts, key=lambda label: (-round(counts[label], 9), len(label), labels.index(label)))
    # Rounded: weights that are equal but for the order in which they were learnt shall give equal rows.
    agreement = round(counts[winner] / sum(counts.values()), 9)
    return Vote(winner=winner, agreement=agreement, samples=tuple(samples))


@dataclass(frozen=True, slots=True)
class Aim:
    """The answer that inputs were written for, and how often a first vote for it was what all votes said (0 to 1)."""

    answer: str
    lasting: float


def votes_to_ask(
    labels: Sequence[str], *, remaining: int, weights: Sequence[float] | None = None, aim: Aim | None = None
) -> int:
    """How many more votes could end it at the earliest; 0 when the leader is safe.

    It is when nobody could catch up with it any more, or when it is the majority with 95 % (`confidence`). With three
    votes in all, two are asked, and a third only when they differ; with nine, four in agreement are enough. `weights`
    are at most 1: so much may each vote weigh that is still to come. With an `aim`, one is asked, and no other when it
    says what the input was written for.
    """
    if aim is not None and len(labels) < 2 and (not labels or labels[0] == aim.answer):
        return min(remaining, 1 - len(labels))
    counts = sorted(_counted(labels, weights).values(), reverse=True)
    leader, second = (*counts, 0.0, 0.0)[:2]
    enough = (more for more in range(remaining) if _is_safe(leader + more, second, remaining=remaining - more))
    return next(enough, remaining)


def lasting(
    labels: Sequence[str], *, remaining: int, weights: Sequence[float] | None = None, aim: Aim | None = None
) -> float:
    """How likely at least the winner is that of all votes, had the `remaining` been asked for too."""
    if aim is not None and remaining and list(labels) == [aim.answer]:
        return aim.lasting
    counts = sorted(_counted(labels, weights).values(), reverse=True)
    leader, second = (*counts, 0.0, 0.0)[:2]
    return 1.0 if not remaining or leader > second + remaining else confidence(leader, second)


def _is_safe(leader: float, second: float, *, remaining: int) -> bool:
    return leader > second + remaining or (leader > second and confidence(leader, second) >= SURE)


def confidence(leader: float, second: float) -> float:
    """How likely the leader of so many votes is the more frequent of two labels (0 to 1), with nothing known before.

    The share of one of two labels follows a Beta(leader + 1, second + 1) after these votes; this is how much of it lies
    above one half. Parts of votes count as none for the leader and as whole ones for the other.
    """
    ahead, behind = math.floor(leader + 1e-9), math.ceil(second - 1e-9)
    tosses = ahead + behind + 1
    return float(sum(math.comb(tosses, heads) for heads in range(ahead + 1)) / 2**tosses)


class Aims:
    """Which answers inputs can be written for so well that a first vote for it need not be followed by another.

    Whoever writes inputs for an answer overlooks it now and then, and whoever labels errs now and then; that both say
    the same and are wrong is rare. How rare is counted for each answer, among inputs that were voted on in full.
    """

    def __init__(self) -> None:
        self._first: Counter[str] = Counter()
        self._lasted: Counter[str] = Counter()

    def notify(self, answer: str | None, *, first: str, winner: str) -> None:
        """The votes in full on an input that was written for this answer: what the first one said, and what all did."""
        if answer is not None and first == answer:
            self._first[answer] += 1
            self._lasted[answer] += winner == answer

    def aim(self, answer: str | None) -> Aim | None:
        """The answer as an aim, when it has proved to be one; with nothing known, half of all first votes last."""
        if answer is None:
            return None
        share = (self._lasted[answer] + 1) / (self._first[answer] + 2)
        return Aim(answer, share) if share >= SURE else None


class Trust:
    """Who of several models agrees with the others how often, and so what a vote of each should weigh.

    A vote counts as right where it is what most of the other votes on the same input say. Without another model, or
    before enough is known of two of them, all weigh the same.
    """

    def __init__(self) -> None:
        self._votes: Counter[str] = Counter()
        self._agreed: Counter[str] = Counter()

    def notify(self, labels: Sequence[str], models: Sequence[str]) -> None:
        """The votes on one input, normalised, and who gave them."""
        for at, (label, model) in enumerate(zip(labels, models, strict=True)):
            others = Counter([*labels[:at], *labels[at + 1 :]]).most_common(2)
            if others and (len(others) == 1 or others[0][1] > others[1][1]):
                self._votes[model] += 1
                self._agreed[model] += label == others[0][0]

    @property
    def weights(self) -> dict[str, float]:
        """By model, the greatest 1: the log odds of being right, as independent votes must be weighed to err least."""
        known = {model for model, votes in self._votes.items() if votes >= KNOWN_FROM}
        if len(known) < 2:
            return {}
        odds = {model: _log_odds(self._agreed[model], self._votes[model]) for model in known}
        return {model: each / max(odds.values()) for model, each in sorted(odds.items())}


def _log_odds(right: int, votes: int) -> float:
    share = min(MOST_SHARE, max(LEAST_SHARE, (right + 1) / (votes + 2)))
    return math.log(share / (1 - share))


def _counted(labels: Sequence[str], weights: Sequence[float] | None) -> dict[str, float]:
    """What each label weighs, in the order of their first mention."""
    counts: dict[str, float] = {}
    for label, weight in zip(labels, weights or [1.0] * len(labels), strict=True):
        counts[label] = counts.get(label, 0.0) + weight
    return counts
