"""What a decoder-only model writes after a prompt: the likeliest token every time, or whichever it is told to take."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from functools import partial
from typing import Any

from engine.training.greedy import ROWS_AT_ONCE, Chooser, Sheet, Written, in_batches, likeliest

__all__ = ["left_padded", "write_on"]


def write_on(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    longest: int,
    ends: Collection[int],
    pad: int,
    choose: Chooser = likeliest,
) -> list[Written]:
    """Go on after each prompt with at most `longest` tokens, in the order of the prompts.

    Any of `ends` ends an answer. Prompts of like length are answered together; what remembers a text in a state of
    fixed size, as Mamba does, has no place for filling and answers one at a time.
    """
    write_some = partial(_write_batch, model, longest=longest, ends=ends, pad=pad, choose=choose)
    return in_batches(model, prompts, write_some, together=1 if getattr(model, "_is_stateful", False) else ROWS_AT_ONCE)


def _write_batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    rows: Sequence[int],
    *,
    longest: int,
    ends: Collection[int],
    pad: int,
    choose: Chooser,
) -> list[Written]:
    import torch

    ids, mask = left_padded(prompts, pad=pad, device=model.device)
    sheet = Sheet(rows, longest=longest, ends=ends, pad=pad, choose=choose, device=model.device)
    past, places = None, (mask.cumsum(-1) - 1).clamp_min(0)
    while not sheet.is_full:
        said = model(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=past,
            use_cache=True,
            **_taken_by(model, position_ids=places, logits_to_keep=1),
        )
        past = said.past_key_values
        ids = sheet.add(said.logits[:, -1])[:, None]
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=-1)
        places = mask.sum(-1, keepdim=True) - 1
    return sheet.written()


def left_padded(rows: Sequence[Sequence[int]], *, pad: int, device: Any = None) -> tuple[Any, Any]:
    """Rows as one matrix, filled up with `pad` at their left, and a mask that is 1 where a row is."""
    import torch

    width = max(len(row) for row in rows)
    ids = torch.tensor([[*[pad] * (width - len(row)), *row] for row in rows], device=device)
    mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows], device=device)
    return ids, mask


def _taken_by(model: Any, **wanted: object) -> dict[str, object]:
    """What of this the model's forward takes."""
    takes = inspect.signature(model.forward).parameters
    return {name: value for name, value in wanted.items() if name in takes}
