"""Tokens drawn by chance: what `greedy.write` chooses by when an encoder-decoder is to answer in several ways.

Each row draws from numbers of its own, so an answer depends on its input, its seed and its place, and on nothing that
happens to be computed beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from engine.training.greedy import Chooser

__all__ = ["drawn_by"]


def drawn_by(chances: Sequence[Random], *, temperature: float, top_p: float = 1.0) -> Chooser:
    """A chooser that draws each row's next token from the row's own numbers, one of them a token."""

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
