"""What independent labels for one input amount to: normalised, counted, and asked for no longer than needed. Pure.

A label is never dug out of a sentence. "The date is 2021-03-05." has its answer in it, but a teacher that talks has
not followed the instruction, and what else it would say there is anybody's guess: such a reply votes as it stands, and
loses against clean ones or falls to the format filter. What is taken off is only packing that says nothing: blanks,
one pair of quotation marks, a final full stop, a stock word such as "Answer:" in front. And the last three only where
the label set or the output pattern says that what remains is an answer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

from agents.json_shape import fits
from agents.records import Spec, Vote
from engine.errors import UserError

__all__ = ["fits_spec", "normaliser", "tally", "votes_to_ask"]

QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "«": "»", "「": "」", "*": "*"}
STOCK_WORD = re.compile(r"(?:answer|label|output|result)\s*[:：=]\s*", re.IGNORECASE)


def normaliser(spec: Spec) -> Callable[[str], str]:
    """The function that brings a reply to the form in which labels of this task are compared.

    The plainest form that fits wins; where none fits, or nothing says what fits, only blanks are taken off.
    """
    by_folded = {label.casefold(): label for label in reversed(_known_answers(spec))}

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
    expression.
    """
    if label in _known_answers(spec):
        return True
    if spec.labels:
        return False
    if spec.output_schema is not None and not fits(label, spec.output_schema):
        return False
    return spec.output_pattern is None or _compiled(spec.output_pattern).fullmatch(label) is not None


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise UserError(f"the spec's output_pattern is no regular expression: {pattern!r}: {error}") from error


def _known_answers(spec: Spec) -> tuple[str, ...]:
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


def tally(samples: Sequence[str], normalise: Callable[[str], str]) -> Vote:
    """The majority of the normalised samples; ties go to the shortest label, then to the first.

    Raises ValueError when there is no sample: no vote is not a vote.
    """
    labels = [normalise(sample) for sample in samples]
    counts = Counter(labels)
    winner = min(counts, key=lambda label: (-counts[label], len(label), labels.index(label)))
    return Vote(winner=winner, agreement=counts[winner] / len(labels), samples=tuple(samples))


def votes_to_ask(labels: Sequence[str], *, remaining: int) -> int:
    """How many more votes could end it at the earliest; 0 when the leader cannot be caught up with any more.

    With three votes in all: two are asked, and a third only when they differ.
    """
    counts = sorted(Counter(labels).values(), reverse=True)
    leader, second = (*counts, 0, 0)[:2]
    # m more votes for the leader end it when leader + m > second + (remaining - m).
    fewest = (second + remaining - leader) // 2 + 1
    return min(remaining, max(0, fewest))
