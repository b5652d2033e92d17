"""What an answer was written in: its tokens as bytes, each with the logarithm of how likely it was.

The numbers come with the writing; what each token reads is worked out only for whoever asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = ["Pieces", "Spelt", "pieces_by"]

Pieces: TypeAlias = Callable[[Sequence[int]], list[bytes]]
"""What each of some tokens adds to the text."""

HALF = "\ufffd"  # what a decoder gives for a character that is not there whole


@dataclass(frozen=True, slots=True)
class Spelt:
    """The tokens of an answer without the end mark, the logarithm of each one's probability, and how they are read."""

    tokens: Sequence[int]
    log_probabilities: Sequence[float]
    read: Pieces

    def pieces(self) -> list[tuple[bytes, float]]:
        return list(zip(self.read(self.tokens), self.log_probabilities, strict=True))


def pieces_by(decode: Callable[[Sequence[int]], str], tokens: Sequence[int]) -> list[bytes]:
    """For tokenizers whose tokens mean something beside the ones before them only.

    A character that several tokens make is the last one's.
    """
    pieces, before = [], ""
    for count in range(1, len(tokens) + 1):
        text = decode(tokens[:count])
        # Blanks before half a character may be the last of the text, which some decoders take off.
        whole = text if count == len(tokens) or not text.endswith(HALF) else text.rstrip(HALF).rstrip()
        added = whole.removeprefix(before) if whole.startswith(before) else ""
        before += added
        pieces.append(added.encode("utf-8", "replace"))
    return pieces
