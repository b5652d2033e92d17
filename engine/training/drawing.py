"""Students that write: the best answer, or several with tokens drawn by chance.

Each row draws from numbers of its own, so an answer depends on its input, its seed and its place, and on nothing that
happens to be computed beside it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from random import Random
from typing import Any

from engine.training.greedy import Chooser, Written, likeliest
from engine.training.spelt import Pieces, Spelt
from engine.training.student import Prediction

__all__ = ["Writer", "drawn_by", "prediction_of"]

LEAST = 1e-5  # of a temperature and of a share: in single precision much less is nothing, and divides by nothing


class Writer(ABC):
    """A student that writes its answers token by token."""

    @abstractmethod
    def _answers(self, inputs: Sequence[str], *, choose: Chooser) -> list[Prediction]:
        """An answer to each input, each token taken as `choose` says."""

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        """Answer. Confidence is the probability of just these words; an input that is too long is marked cut."""
        return self._answers(inputs, choose=likeliest) if inputs else []

    def sample(
        self, inputs: Sequence[str], *, n: int, temperature: float, seed: int, top_p: float = 1.0
    ) -> list[list[Prediction]]:
        """Answers drawn token by token. The place of an input tells its draws from those of another just like it."""
        chances = [Random(f"{seed} {place} {draw}") for place in range(len(inputs)) for draw in range(n)]
        repeated = [text for text in inputs for _ in range(n)]
        choose = drawn_by(chances, temperature=temperature, top_p=top_p)
        told = self._answers(repeated, choose=choose) if inputs else []
        return [told[start : start + n] for start in range(0, len(told), n)]


def prediction_of(written: Written, output: str, *, pieces: Pieces, was_cut: bool) -> Prediction:
    """What was written, as `output` reads it. Of an input that was cut nobody can be sure."""
    if was_cut:
        return Prediction(output, 0.0, cut=True)
    return Prediction(
        output, min(1.0, written.probability), spelt=Spelt(written.tokens, written.log_probabilities, pieces)
    )


def drawn_by(chances: Sequence[Random], *, temperature: float, top_p: float = 1.0) -> Chooser:
    """A chooser that draws each row's next token from the row's own numbers, one of them a token."""
    temperature, top_p = max(temperature, LEAST), max(top_p, LEAST)

    def choose(log_probabilities: Any, rows: Sequence[int]) -> Any:
        import torch

        shares, tokens = (log_probabilities / temperature).softmax(-1).sort(dim=-1, descending=True, stable=True)
        upto = shares.cumsum(-1)
        kept = shares.masked_fill(upto - shares >= top_p, 0.0)  # the likeliest has nothing before it, so it stays
        drawn = torch.tensor([[chances[row].random()] for row in rows], device=kept.device)
        heap = kept.cumsum(-1)
        # What rounding leaves above the last share would be no token.
        place = (heap <= drawn * heap[:, -1:]).sum(-1, keepdim=True).clamp(max=kept.shape[-1] - 1)
        last = (kept > 0).sum(-1, keepdim=True) - 1
        return tokens.gather(-1, torch.minimum(place, last))[:, 0]

    return choose
