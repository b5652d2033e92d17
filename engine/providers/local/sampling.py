"""Which token comes next: chance that belongs to a request, and ties that do not depend on the company.

A matrix product of many rows rounds otherwise than one of a single row, so what a model says of a text differs in the
last digits with the texts beside it. Chance is drawn for each completion by itself. What is left is the case in which
two tokens are so close that these digits decide: then the row says so, and is looked at again alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from engine.messages import Request

if TYPE_CHECKING:
    from torch import Generator, Tensor

__all__ = ["TIE", "Chance", "Next", "Nucleus", "next_tokens", "seed_of"]

TIE: Final[Mapping[str, float]] = {"float32": 1e-4, "bfloat16": 1.6e-2, "float16": 2e-3}
"""How far the company may move a logit, as a share of the largest.

In float32 it was seen to move one by 5e-6 of that at most in eight kinds of models, and by 1e-4 in one with absurdly
large weights; a token in 400 is a tie then. Halves round so coarsely that a wider berth would make every fourth token
a tie; with this one every seventh is, and a text may still differ once in a long while.
"""

_LEAST: Final = 1e-30  # chance may draw zero, which has no logarithm


@dataclass(frozen=True, slots=True, kw_only=True)
class Nucleus:
    """Which tokens may be drawn, as a model's makers advise: `top_k` 0 and `top_p` 1 leave all in."""

    top_k: int = 0
    top_p: float = 1.0


class Next(NamedTuple):
    """The token that each row goes on with, and which of them are ties: with other company it might be another."""

    tokens: list[int]
    ties: list[bool]


def seed_of(request: Request, *, seed: int, completion: int) -> int:
    """The seed of one completion: from what is asked, never from when, beside whom or how long it may become.

    A completion that was allowed more tokens begins like one that was allowed fewer, and so does one without a stop.
    """
    asked = replace(request, max_tokens=1, n=1, stop=(), tag="").canonical(asked_of=f"{seed}/{completion}")
    return int.from_bytes(hashlib.sha256(asked).digest()[:8], "little") >> 1


class Chance:
    """The chance of one completion: a token's luck depends on the seed and its place, and on nothing else."""

    def __init__(self, seed: int, *, device: Any) -> None:
        self._seed = seed
        self._device = device
        self._source: Generator | None = None

    def lucks(self, size: int) -> Tensor:
        """Gumbel noise for every token of the vocabulary: the largest of logits plus luck is a fair draw."""
        import torch

        if self._source is None:
            self._source = torch.Generator(self._device).manual_seed(self._seed)
        waits = torch.empty(size, device=self._device).exponential_(generator=self._source)
        return -waits.clamp_min(_LEAST).log()


def next_tokens(logits: Tensor, *, temperatures: Tensor, lucks: Tensor, nucleus: Nucleus, tie: float) -> Next:
    """Choose for every row (all matrices are rows x vocabulary); a temperature of 0 takes the likeliest.

    A tie is a row in which logits off by `tie` times the largest could have led to another choice. With `tie` 0 there
    are none.
    """
    import torch

    is_drawn = temperatures > 0
    heat = torch.where(is_drawn, temperatures, 1.0)[:, None]
    largest = logits.masked_fill(logits.isinf(), 0.0).abs().amax(-1, keepdim=True).clamp_min(1.0)
    slack = tie * largest / heat
    heated = logits / heat
    scores = heated + torch.where(is_drawn[:, None], lucks, 0.0)
    if not nucleus.top_k and nucleus.top_p >= 1:
        first, second = scores.topk(2).values.unbind(-1)
        return _told(scores, first - second <= 2 * slack[:, 0], tie=tie)
    loosely = scores.masked_fill(~_allowed(heated, nucleus, slack=slack), -torch.inf)
    strictly = _allowed(heated, nucleus, slack=-slack)
    first, second = loosely.topk(2).values.unbind(-1)
    is_strictly_in = strictly.gather(-1, loosely.argmax(-1, keepdim=True))[:, 0]
    return _told(loosely, (first - second <= 2 * slack[:, 0]) | ~is_strictly_in, tie=tie)


def _told(scores: Tensor, ties: Tensor, *, tie: float) -> Next:
    tokens = scores.argmax(-1).tolist()
    return Next(tokens, ties.tolist() if tie else [False] * len(tokens))


def _allowed(heated: Tensor, nucleus: Nucleus, *, slack: Tensor) -> Tensor:
    """The tokens that may be drawn; with slack above 0 also those that just miss, below 0 not those that just make it.

    Equal logits are in or out together, so that no order decides. The likeliest is in if it surely is the likeliest.
    """
    import torch

    allowed = torch.ones_like(heated, dtype=torch.bool)
    if nucleus.top_k:
        least = heated.topk(min(nucleus.top_k, heated.shape[-1])).values[:, -1:]
        allowed = heated >= least - 2 * slack
    if nucleus.top_p < 1:
        # What lies far below slack is never drawn, so the share is of those that top_k leaves, as everybody has it.
        kept = heated.masked_fill(~allowed, -torch.inf)
        allowed &= heated >= _least_of_the_share(kept, nucleus.top_p + slack) - 2 * slack
    highest = heated.topk(2).values
    is_surely_first = (heated == highest[:, :1]) & (highest[:, :1] - highest[:, 1:] >= -2 * slack)
    return allowed | is_surely_first


def _least_of_the_share(heated: Tensor, share: Tensor) -> Tensor:
    """The smallest logit among the likeliest tokens that together reach the share, row by row."""
    falling = heated.sort(descending=True).values
    shares = falling.double().softmax(-1)
    is_in = shares.cumsum(-1) - shares < share
    is_in[:, 0] = True
    return falling.masked_fill(~is_in, float("inf")).amin(-1, keepdim=True)
