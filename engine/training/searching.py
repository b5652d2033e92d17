"""What an encoder-decoder writes when it looks for the likeliest whole answer, not for the likeliest next token.

Taking the likeliest token every time runs on where an end is never the likeliest: a student that is unsure how many
zeros a billion has writes zeros up to the longest answer, each as likely as the one before. Here an answer counts that
ends, and the likeliest of all that were passed on the way is taken. So a search is over as soon as nothing that is
still open can become likelier than the best that has ended, which is mostly sooner than what runs on.

Source: of several beginnings at once, B. Lowerre, "The Harpy Speech Recognition System" (1976), as beam search.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.training.greedy import Written, in_batches, padded

__all__ = ["search"]


@dataclass(frozen=True, slots=True)
class Ended:
    """An answer that has ended."""

    tokens: Sequence[int] = ()
    log_probabilities: Sequence[float] = ()
    log_probability: float = -math.inf

    def told(self) -> Written:
        return Written(list(self.tokens), math.exp(self.log_probability), list(self.log_probabilities))


def search(model: Any, inputs: Sequence[Sequence[int]], *, longest: int, beginnings: int) -> list[Written]:
    """Answer each input with at most `longest` tokens, in the order of the inputs, going on from so many beginnings.

    More of them find likelier answers, and cost more; one goes the way of the likeliest token and ends where that was
    best. Answers of equal likelihood are taken in the order in which they end.
    """

    def of_some(some: Sequence[Sequence[int]], _rows: Sequence[int]) -> list[Written]:
        return _search_batch(model, some, longest=longest, beginnings=beginnings)

    return in_batches(model, inputs, of_some)


def _search_batch(model: Any, inputs: Sequence[Sequence[int]], *, longest: int, beginnings: int) -> list[Written]:
    import torch

    config, device, count = model.config, model.device, len(inputs)
    end = config.eos_token_id
    ids, mask = padded(inputs, pad=config.pad_token_id, device=device)
    encoded = model.get_encoder()(input_ids=ids, attention_mask=mask)
    best, rows, past = [Ended()] * count, list(range(count)), None
    token = torch.full((count, 1), config.decoder_start_token_id, device=device)
    heads = torch.zeros(count, 1, device=device)  # (rows still open, beginnings): logarithms of how likely each is
    written = torch.empty(count, 1, 0, dtype=torch.long, device=device)  # (rows, beginnings, tokens)
    shares = torch.empty(count, 1, 0, device=device)
    for place in range(longest + 1):  # the end mark is a token too
        step = model(
            encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=token, past_key_values=past, use_cache=True
        )
        past = step.past_key_values
        told = step.logits[:, -1].float().log_softmax(-1).unflatten(0, heads.shape)  # (rows, beginnings, tokens)
        _take(best, rows, heads + told[..., end], written, shares)
        if place == longest:
            break
        told[..., end] = -math.inf
        lines, words = told.shape[1:]
        heads, chosen = (heads[..., None] + told).flatten(1).topk(min(beginnings, lines * (words - 1)), dim=-1)
        parents = chosen // words
        may_win = heads[:, 0] > torch.tensor([best[row].log_probability for row in rows], device=device)
        kept = may_win.nonzero()[:, 0]
        if not len(kept):
            break
        shares = torch.cat([_behind(shares, parents), told.flatten(1).gather(1, chosen)[..., None]], dim=-1)[kept]
        written = torch.cat([_behind(written, parents), (chosen % words)[..., None]], dim=-1)[kept]
        from_lines = (kept[:, None] * lines + parents[kept]).flatten()
        if from_lines.tolist() != list(range(len(mask))):  # else all go on as they stand, and nothing is to be copied
            past.reorder_cache(from_lines)
            encoded.last_hidden_state, mask = encoded.last_hidden_state[from_lines], mask[from_lines]
        heads, token, rows = heads[kept], written[..., -1].reshape(-1, 1), [rows[at] for at in kept.tolist()]
    return [one.told() for one in best]


def _take(best: list[Ended], rows: Sequence[int], ended: Any, written: Any, shares: Any) -> None:
    """Keep of each row the likeliest answer that ends here, where no earlier one was as likely."""
    likeliest, places = ended.max(dim=-1)
    for at, (row, likely, place) in enumerate(zip(rows, likeliest.tolist(), places.tolist(), strict=True)):
        if likely > best[row].log_probability:
            best[row] = Ended(written[at, place].tolist(), shares[at, place].tolist(), likely)


def _behind(told: Any, parents: Any) -> Any:
    """What each chosen beginning has behind it: (rows, beginnings, tokens)."""
    return told.gather(1, parents[..., None].expand(-1, -1, told.shape[-1]))
