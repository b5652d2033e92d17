"""How likely an encoder-decoder holds answers that it is told, in place of writing its own."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

from engine.training.greedy import IGNORED, in_batches, padded

__all__ = ["log_likelihoods"]

# An input's 16 answers of some 11 tokens took 8.6 ms by themselves, and beside 31 other inputs 3.2 ms so.
TOKENS_AT_ONCE: Final = 1000


class Asked(NamedTuple):
    """One of the answers to one of the inputs, by their numbers, and its tokens."""

    text: int
    place: int
    tokens: Sequence[int]


def log_likelihoods(
    model: Any, inputs: Sequence[Sequence[int]], answers: Sequence[Sequence[Sequence[int]]], *, longest: int
) -> list[list[float]]:
    """The logarithm of how likely each of some answers to each input is: all its tokens together, end mark and all.

    One of more than `longest` tokens before that mark is never written, and so not likely at all. To tell how likely
    takes time by the square of the length: 16 answers of 4,000 bytes took a minute.
    """

    def of_some(texts: Sequence[Sequence[int]], rows: Sequence[int]) -> list[list[float]]:
        return _of_batch(model, texts, [answers[row] for row in rows], longest=longest)

    return in_batches(model, inputs, of_some)


def _of_batch(
    model: Any, texts: Sequence[Sequence[int]], answers: Sequence[Sequence[Sequence[int]]], *, longest: int
) -> list[list[float]]:
    """Each input is read once, however many answers there are."""
    told = [[-math.inf] * len(some) for some in answers]
    asked = [
        Asked(text, place, tokens)
        for text, some in enumerate(answers)
        for place, tokens in enumerate(some)
        if len(tokens) <= longest + 1
    ]
    if not asked:
        return told
    ids, mask = padded(texts, pad=model.config.pad_token_id, device=model.device)
    read = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    for part in _parts(asked):
        rows = [one.text for one in part]
        likely = _likely(model, read[rows], mask[rows], [one.tokens for one in part])
        for one, each in zip(part, likely, strict=True):
            told[one.text][one.place] = each
    return told


def _parts(asked: Sequence[Asked]) -> Iterator[list[Asked]]:
    """Answers of like length together, one of them or as many as come to so many tokens with what fills them up."""
    part: list[Asked] = []
    for one in sorted(asked, key=lambda one: len(one.tokens)):
        if part and (len(part) + 1) * len(one.tokens) > TOKENS_AT_ONCE:
            yield part
            part = []
        part.append(one)
    yield part


def _likely(model: Any, read: Any, mask: Any, answers: Sequence[Sequence[int]]) -> list[float]:
    from transformers.modeling_outputs import BaseModelOutput

    labels, is_told = padded(answers, pad=IGNORED, device=model.device)
    logits = model(encoder_outputs=BaseModelOutput(read), attention_mask=mask, labels=labels).logits
    each = logits.float().log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return [float(one) for one in (each * is_told).sum(-1)]
