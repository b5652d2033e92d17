"""How likely an encoder-decoder holds answers that it is told, in place of writing its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

from engine.training.greedy import padded

__all__ = ["log_likelihoods"]

IGNORED: Final = -100  # the label that transformers leaves out
TOGETHER: Final = 8  # answers; 16 of them take 15 ms so, and 16 and 19 with 4 or all of them at once


def log_likelihoods(
    model: Any, inputs: Sequence[Sequence[int]], answers: Sequence[Sequence[Sequence[int]]], *, longest: int
) -> list[list[float]]:
    """The logarithm of how likely each of some answers to each input is: all its tokens together, end mark and all.

    One of more than `longest` tokens before that mark is never written, and so not likely at all. To tell how likely
    takes time by the square of the length: 16 answers of 4,000 bytes took a minute.
    """
    import torch

    was_training = model.training
    model.eval()
    with torch.inference_mode():
        told = [_of_one(model, tokens, some, longest=longest) for tokens, some in zip(inputs, answers, strict=True)]
    model.train(was_training)
    return told


def _of_one(model: Any, tokens: Sequence[int], answers: Sequence[Sequence[int]], *, longest: int) -> list[float]:
    """The input is read once, however many answers there are; those of like length are told together."""
    short = (place for place, answer in enumerate(answers) if len(answer) <= longest + 1)
    order = sorted(short, key=lambda place: len(answers[place]))
    if not order:
        return [-math.inf] * len(answers)
    ids, mask = padded([tokens], pad=model.config.pad_token_id, device=model.device)
    encoded = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    told: dict[int, float] = {}
    for start in range(0, len(order), TOGETHER):
        places = order[start : start + TOGETHER]
        told |= zip(places, _told(model, encoded, mask, [answers[place] for place in places]), strict=True)
    return [told.get(place, -math.inf) for place in range(len(answers))]


def _told(model: Any, encoded: Any, mask: Any, answers: Sequence[Sequence[int]]) -> list[float]:
    from transformers.modeling_outputs import BaseModelOutput

    count = len(answers)
    labels, is_told = padded(answers, pad=IGNORED, device=model.device)
    read = BaseModelOutput(last_hidden_state=encoded.expand(count, -1, -1))
    logits = model(encoder_outputs=read, attention_mask=mask.expand(count, -1), labels=labels).logits
    each = logits.float().log_softmax(-1).gather(-1, labels.clamp(min=0)[..., None])[..., 0]
    return [float(one) for one in (each * is_told).sum(-1)]
