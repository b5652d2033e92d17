"""What an encoder-decoder writes when it takes the likeliest token every time, or whichever it is told to.

`Sheet` and `in_batches` are what a decoder-only model (`continuing`) writes by, too.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar

__all__ = ["IGNORED", "Chooser", "Sheet", "Written", "in_batches", "likeliest", "padded", "write"]

T = TypeVar("T")

IGNORED: Final = -100  # the label that transformers leaves out of the loss

Chooser = Callable[[Any, Sequence[int]], Any]
"""Chooses the next token of each row: by the logarithms of all probabilities, (rows, vocabulary), and which rows they
are of all inputs."""

# On one core a row costs 0.6 ms alike from 32 to 128 at once; more only adds padding.
ROWS_AT_ONCE = 64


@dataclass(frozen=True, slots=True)
class Written:
    """Tokens without the end mark, and the probability of just these and the end mark: the product over all of them.

    `log_probabilities` are the logarithms of the tokens' own, one for each.
    """

    tokens: list[int]
    probability: float
    log_probabilities: list[float]


def likeliest(log_probabilities: Any, _rows: Sequence[int]) -> Any:
    """The chooser of the best answer."""
    return log_probabilities.argmax(-1)


def write(model: Any, inputs: Sequence[Sequence[int]], *, longest: int, choose: Chooser = likeliest) -> list[Written]:
    """Answer each input with at most `longest` tokens, in the order of the inputs.

    transformers' `generate` writes the same, a quarter slower for small models, and gives no probability by itself.
    """
    return in_batches(model, inputs, partial(_write_batch, model, longest=longest, choose=choose))


def in_batches(
    model: Any,
    texts: Sequence[Sequence[int]],
    write_some: Callable[[Sequence[Sequence[int]], Sequence[int]], list[T]],
    *,
    together: int = ROWS_AT_ONCE,
) -> list[T]:
    """What comes of each text, in their order; those of like length together, so many at a time.

    `write_some` is handed some texts, and which they are of all.
    """
    import torch

    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    written: dict[int, T] = {}
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        for start in range(0, len(order), together):
            rows = order[start : start + together]
            written |= zip(rows, write_some([texts[i] for i in rows], rows), strict=True)
    model.train(was_training)
    return [written[i] for i in range(len(texts))]


def _write_batch(
    model: Any, inputs: Sequence[Sequence[int]], rows: Sequence[int], *, longest: int, choose: Chooser
) -> list[Written]:
    import torch

    config = model.config
    ids, mask = padded(inputs, pad=config.pad_token_id, device=model.device)
    encoded = model.get_encoder()(input_ids=ids, attention_mask=mask)
    token = torch.full((len(inputs), 1), config.decoder_start_token_id, device=model.device)
    sheet = Sheet(
        rows, longest=longest, ends=(config.eos_token_id,), pad=config.pad_token_id, choose=choose, device=model.device
    )
    past = None
    while not sheet.is_full:
        step = model(
            encoder_outputs=encoded, attention_mask=mask, decoder_input_ids=token, past_key_values=past, use_cache=True
        )
        past = step.past_key_values
        token = sheet.add(step.logits[:, -1])[:, None]
    return sheet.written()


class Sheet:
    """The answers of a batch while they are written, a column of tokens a step: each ends at the first of `ends`."""

    def __init__(
        self, rows: Sequence[int], *, longest: int, ends: Collection[int], pad: int, choose: Chooser, device: Any
    ) -> None:
        import torch

        self._rows = rows
        self._longest = longest
        self._ends = frozenset(ends)
        self._marks = torch.tensor(sorted(ends), device=device)
        self._pad = pad
        self._choose = choose
        self._done = torch.zeros(len(rows), dtype=torch.bool, device=device)
        self._log_probability = torch.zeros(len(rows), device=device)
        self._columns: list[Any] = []
        self._shares: list[Any] = []

    @property
    def is_full(self) -> bool:
        """Whether every answer has ended, or is as long as it may be: the end mark is a token too."""
        return len(self._columns) > self._longest or bool(self._done.all())

    def add(self, scores: Any) -> Any:
        """The next token of each row, by the model's scores of all tokens; `pad` where the answer has ended."""
        told = scores.float().log_softmax(-1)
        chosen = self._choose(told, self._rows)
        share = told.gather(-1, chosen[:, None])[:, 0].masked_fill(self._done, 0.0)
        self._log_probability += share
        self._shares.append(share)
        chosen = chosen.masked_fill(self._done, self._pad)
        self._columns.append(chosen)
        self._done |= (chosen[:, None] == self._marks).any(-1)
        return chosen

    def written(self) -> list[Written]:
        """The answers, each up to its end."""
        import torch

        answers = [self._ended(tokens) for tokens in torch.stack(self._columns, dim=1).tolist()]
        probabilities, shares = self._log_probability.exp().tolist(), torch.stack(self._shares, dim=1).tolist()
        return [
            Written(tokens=tokens, probability=probability, log_probabilities=each[: len(tokens)])
            for tokens, probability, each in zip(answers, probabilities, shares, strict=True)
        ]

    def _ended(self, tokens: list[int]) -> list[int]:
        end = next((place for place, token in enumerate(tokens) if token in self._ends), len(tokens))
        return tokens[: min(end, self._longest)]


def padded(rows: Sequence[Sequence[int]], *, pad: int, device: Any = None) -> tuple[Any, Any]:
    """Rows as one matrix, filled up with `pad`, and a mask that is 1 where a row is."""
    import torch

    width = max(len(row) for row in rows)
    ids = torch.tensor([[*row, *[pad] * (width - len(row))] for row in rows], device=device)
    mask = torch.tensor([[1] * len(row) + [0] * (width - len(row)) for row in rows], device=device)
    return ids, mask
