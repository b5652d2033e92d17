"""What a decoder-only model writes after a prompt: the likeliest token every time, or whichever it is told to take."""

from __future__ import annotations

import inspect
from collections.abc import Collection, Sequence
from typing import Any

from engine.training.greedy import Chooser, Written, as_written, likeliest

__all__ = ["left_padded", "write_on"]

# As for encoder-decoders; here the prompts are filled up at their left, so like lengths matter more.
ROWS_AT_ONCE = 64


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
    import torch

    together = 1 if getattr(model, "_is_stateful", False) else ROWS_AT_ONCE
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    written: dict[int, Written] = {}
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), together):
            rows = order[start : start + together]
            batch = _write_batch(
                model, [prompts[i] for i in rows], longest=longest, ends=ends, pad=pad, choose=choose, rows=rows
            )
            written |= zip(rows, batch, strict=True)
    model.train(was_training)
    return [written[i] for i in range(len(prompts))]


def _write_batch(
    model: Any,
    prompts: Sequence[Sequence[int]],
    *,
    longest: int,
    ends: Collection[int],
    pad: int,
    choose: Chooser,
    rows: Sequence[int],
) -> list[Written]:
    import torch

    device = model.device
    ids, mask = left_padded(prompts, pad=pad, device=device)
    marks = torch.tensor(sorted(ends), device=device)
    done = torch.zeros(len(prompts), dtype=torch.bool, device=device)
    log_probability = torch.zeros(len(prompts), device=device)
    columns: list[Any] = []
    shares: list[Any] = []
    past, places = None, (mask.cumsum(-1) - 1).clamp_min(0)
    for _ in range(longest + 1):  # the end mark is a token too
        said = model(
            input_ids=ids,
            attention_mask=mask,
            past_key_values=past,
            use_cache=True,
            **_taken_by(model, position_ids=places, logits_to_keep=1),
        )
        past = said.past_key_values
        told = said.logits[:, -1].float().log_softmax(-1)
        chosen = choose(told, rows)
        share = told.gather(-1, chosen[:, None])[:, 0].masked_fill(done, 0.0)
        log_probability += share
        shares.append(share)
        chosen = chosen.masked_fill(done, pad)
        columns.append(chosen)
        done |= torch.isin(chosen, marks)
        if bool(done.all()):
            break
        ids = chosen[:, None]
        mask = torch.cat([mask, mask.new_ones(len(prompts), 1)], dim=-1)
        places = mask.sum(-1, keepdim=True) - 1
    return as_written(
        [_until(ends, answer)[:longest] for answer in torch.stack(columns, dim=1).tolist()],
        log_probability.exp().tolist(),
        torch.stack(shares, dim=1).tolist(),
    )


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


def _until(ends: Collection[int], tokens: list[int]) -> list[int]:
    return next((tokens[:place] for place, token in enumerate(tokens) if token in ends), tokens)
