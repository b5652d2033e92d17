"""How often labels were right, where the truth is known: in a simulated world, and nowhere else.

This looks behind the teacher's back, which only the report may do and only to say what voting was worth.
"""

from __future__ import annotations

from agents.annotate import Voting, vote_requests
from agents.records import Spec
from agents.report import LabelAccuracy
from agents.synthesis import Synthesis
from engine.providers.simulated import World

__all__ = ["label_accuracy"]


def label_accuracy(world: World | None, spec: Spec, synthesis: Synthesis) -> LabelAccuracy | None:
    """The share of single labels and of voted ones that the world holds right, over every input that was voted on."""
    if world is None:
        return None
    single = voted = known = 0
    for labelling in synthesis.labellings:
        (request,) = vote_requests(spec, labelling.input, Voting(votes=1))
        truth = world.truth(request.messages)
        if truth is not None:
            known += 1
            single += labelling.first == truth
            voted += labelling.winner == truth
    return LabelAccuracy.of(single=single, voted=voted, inputs=known) if known else None
