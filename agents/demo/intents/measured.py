"""The intents world with a teacher that writes as a real one was seen to write."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from agents.demo.author import Author
from agents.demo.conversation import Conversation
from agents.demo.intents.world import Messages, subject_of
from agents.demo.rewording import gist, reworded
from agents.demo.vices import USUAL_VICES, Vices

__all__ = ["Tickets", "World"]


class Tickets(Messages):
    """Support messages as `Messages` has them, which can also be reworded."""

    nothing: Final = None  # "none of these" stands in the list of answers: there is no form of one's own for it

    axes: Final[Mapping[str, Sequence[str]]] = {
        "what is in the parcel": (
            "clothes",
            "books",
            "food",
            "electronics",
            "furniture",
            "toys",
            "medicine",
            "flowers",
        ),
        "mood": ("angry", "in a hurry", "polite", "confused", "chatty", "matter-of-fact"),
    }

    def nudge(self, text: str, rng: Random) -> str:
        """The same message with other words around it."""
        return reworded(text, rng)

    def gist(self, text: str) -> str:
        """The message without the words around it."""
        return gist(text)

    def spoil(self, text: str, rng: Random) -> str:  # noqa: ARG002  # any message has an intent
        """The message as it is: nothing can be missing from it."""
        return text

    def slip(self, text: str, rng: Random) -> str:  # noqa: ARG002  # see `nothing`
        """There is no such answer to be slipped in."""
        raise AssertionError("unreachable: this task has an answer to everything")


_TICKETS: Final = Tickets()


class World(Author):
    """Knows one task: the intent of a message to a parcel company."""

    def __init__(self, seed: int = 0, *, vices: Vices = USUAL_VICES) -> None:
        super().__init__("measured-intents", seed=seed, vices=vices, subject_of=_written_of)


def _written_of(asked: Conversation) -> Tickets | None:
    return None if subject_of(asked) is None else _TICKETS
