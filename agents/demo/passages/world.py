"""A simulated teacher that answers questions from a passage, in the passage's own words.

`python -m agents.demo.passages.world` writes test.jsonl anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from agents.demo.author import Author
from agents.demo.conversation import Conversation, Split
from agents.demo.held_out import held_out, print_rows
from agents.demo.passages.facts import FILLERS, RELATIONS, fact_in, parts_of, thing
from agents.demo.teacher import chance_hardness
from agents.demo.vices import USUAL_VICES, Vices

__all__ = ["Passages", "World"]

_HELD_OUT_ROWS: Final = 500
_QUESTION: Final = "a question"
_FACTS_BESIDE: Final = (1, 2, 3)


class Passages:
    """Questions on a passage that answers them, and much else beside."""

    nothing: Final = None
    kinds: Final[Mapping[str, float]] = {_QUESTION: 1.0}
    prior: Final[Mapping[str, float]] = {_QUESTION: 1.0}
    axes: Final[Mapping[str, Sequence[str]]] = {
        "kind of building": ("bridges", "towers", "theatres", "gardens", "ships", "stations", "mills", "chapels"),
        "what is asked": ("people", "years", "places", "materials", "money", "accidents"),
    }
    about: Final[Mapping[str, str]] = {
        "model": "A compact extractive question answering model for short English passages about buildings. It copies "
        "the shortest answer from the context. Trained on questions written by people.",
        "dataset": "Questions on short English passages about buildings, bridges and gardens, each with the words of "
        "the passage that answer it.",
    }

    def write(self, kind: str, rng: Random, *, temperature: float) -> str:  # noqa: ARG002  # one kind; ideas carry the rest
        """A question with its passage: the fact that answers it, others of the same thing and of another."""
        subject, other = thing(rng), thing(rng)
        asked, *beside = rng.sample(RELATIONS, 1 + rng.choice(_FACTS_BESIDE))
        sentences = [relation.stated(subject, relation.answer(rng), rng) for relation in (asked, *beside)]
        if rng.random() < 0.5:
            sentences.append(asked.stated(other, asked.answer(rng), rng))
        sentences += rng.sample(FILLERS, rng.randrange(3))
        rng.shuffle(sentences)
        return f"Question: {asked.question.format(s=subject)} Context: {' '.join(sentences)}"

    def nudge(self, text: str, rng: Random) -> str:
        """The same question on the same facts, in another order and with other sentences in between."""
        question, context = parts_of(text)
        kept = [each for each in _sentences(context) if each not in FILLERS]
        sentences = [*kept, *rng.sample(FILLERS, rng.randrange(1, 4))]
        rng.shuffle(sentences)
        return f"Question: {question} Context: {' '.join(sentences)}"

    def gist(self, text: str) -> str:
        """The question alone."""
        return parts_of(text)[0].casefold()

    def spoil(self, text: str, rng: Random) -> str:
        """The same without the sentence that answers: a teacher that knows the answer forgets to say it."""
        fact, _ = fact_in(text)
        question, context = parts_of(text)
        rest = [each for each in _sentences(context) if each != fact] or [rng.choice(FILLERS)]
        return f"Question: {question} Context: {' '.join(rest)}"

    def slip(self, text: str, rng: Random) -> str:  # noqa: ARG002  # nothing to find is no answer here
        """There is no such answer to be slipped in."""
        raise AssertionError("unreachable: this task has an answer to everything")

    def right(self, text: str) -> str:
        """The words of the context that answer the question, or the empty text when none do."""
        return fact_in(text)[1]

    def wrong(self, text: str, rng: Random) -> str:
        """Other words of the context that could be meant; what is missing from it, from the head."""
        question, context = parts_of(text)
        right = self.right(text)
        known = {each for relation in RELATIONS for each in relation.answers if f" {each}" in context} - {right}
        if not right or not known:
            return Random(question).choice(_fitting(question))
        return rng.choice(sorted(known))

    def hardness(self, text: str) -> float:
        """The more facts of one kind, the harder; a question without an answer is as hard as can be."""
        return chance_hardness(text) * (1.0 if self.right(text) else 100.0)


_PASSAGES: Final = Passages()


class World(Author):
    """Knows one task: answers from a passage, in its own words."""

    def __init__(self, seed: int = 0, *, vices: Vices = USUAL_VICES) -> None:
        super().__init__("passages", seed=seed, vices=vices, subject_of=_subject_of)


def _subject_of(asked: Conversation) -> Passages | None:
    return None if isinstance(asked, Split) or "context" not in asked.task.lower() else _PASSAGES


def _sentences(context: str) -> list[str]:
    return [f"{each.rstrip('.')}." for each in context.split(". ") if each]


def _fitting(question: str) -> tuple[str, ...]:
    """The answers that a question of that kind may have."""
    start = question.split(" the ", maxsplit=1)[0]
    return next((each.answers for each in RELATIONS if each.question.startswith(start)), ("nobody knows",))


if __name__ == "__main__":
    print_rows(held_out(_PASSAGES, count=_HELD_OUT_ROWS))
