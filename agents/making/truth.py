"""How often labels were right, where the truth is known: in a simulated world, and nowhere else.

This looks behind the teacher's back, which only the report may do and only to say what voting was worth.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from agents.making.synthesis import Synthesis
from agents.records import Pair, Spec
from agents.voting.annotate import Voting, vote_requests
from engine.evaluation import wilson
from engine.providers.simulated import World

__all__ = ["LabelAccuracy", "knows", "label_accuracy", "truth_of"]

# Of real rows a world gets some right by luck, where they are easy; of its own rows it gets every one.
ITS_OWN = 0.95


@dataclass(frozen=True, slots=True)
class LabelAccuracy:
    """How often labels were right, by a simulated world's known truth: the first vote alone, and the vote's winner.

    Each share has its 95 % interval beside it.
    """

    single: float
    voted: float
    inputs: int
    single_interval: tuple[float, float]
    voted_interval: tuple[float, float]

    @classmethod
    def of(cls, *, single: int, voted: int, inputs: int) -> LabelAccuracy:
        """The shares of so many right labels among `inputs`, at least one."""
        return cls(single / inputs, voted / inputs, inputs, wilson(single, inputs), wilson(voted, inputs))

    def told(self) -> str:
        """As a sentence."""
        single, voted = (f"{low:.1%} to {high:.1%}" for low, high in (self.single_interval, self.voted_interval))
        return (
            f"Against the simulated world's truth, {self.single:.1%} of single labels were right ({single}) and "
            f"{self.voted:.1%} after the vote ({voted}; {self.inputs:,} inputs)."
        )


def label_accuracy(world: World | None, spec: Spec, synthesis: Synthesis) -> LabelAccuracy | None:
    """The share of single labels and of voted ones that the world holds right, over every input that was voted on."""
    if world is None:
        return None
    single = voted = known = 0
    for labelling in synthesis.labellings:
        truth = truth_of(world, spec, labelling.input)
        if truth is not None:
            known += 1
            single += labelling.first == truth
            voted += labelling.winner == truth
    return LabelAccuracy.of(single=single, voted=voted, inputs=known) if known else None


def knows(world: World | None, spec: Spec, rows: Sequence[Pair]) -> bool:
    """Whether given rows follow a simulated world's own rules: its truth is the output of nearly all of them."""
    if world is None or not rows:
        return False
    known = sum(truth_of(world, spec, pair.input) == pair.output for pair in rows)
    return known >= ITS_OWN * len(rows)


def truth_of(world: World, spec: Spec, text: str) -> str | None:
    """The right label of an input, where the world knows it."""
    (request,) = vote_requests(spec, text, Voting(votes=1))
    return world.truth(request.messages)
