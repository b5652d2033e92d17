"""The search for the likeliest whole answer: against all answers there are, and where the likeliest token runs on."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.training.greedy import Written
from engine.training.searching import search

pytestmark = pytest.mark.long  # for torch

START, END, A, B = 0, 1, 2, 3
TOKENS = 4

Table = Mapping[int, Sequence[float]]
"""After each token: how likely each of the four is next."""

RUNS_ON: Table = {START: (0, 0, 1, 0), A: (0, 0.4, 0.6, 0), B: (0, 1, 0, 0)}
DECEIVES: Table = {START: (0, 0, 0.55, 0.45), A: (0, 0.3, 0, 0.7), B: (0, 0.9, 0.1, 0)}


class Toy:
    """An encoder-decoder whose next token depends on the one before, by the table that the input's number names."""

    def __init__(self, *tables: Table) -> None:
        self.config = SimpleNamespace(pad_token_id=0, eos_token_id=END, decoder_start_token_id=START)
        self.device, self.training = None, False
        self._tables = tables

    def eval(self) -> None: ...

    def train(self, mode: bool) -> None: ...

    def get_encoder(self) -> Any:
        return lambda *, input_ids, attention_mask: SimpleNamespace(
            last_hidden_state=input_ids[:, :1] + 0 * attention_mask[:, :1]
        )

    def __call__(self, *, encoder_outputs: Any, decoder_input_ids: Any, **_: Any) -> Any:
        import torch

        pairs = zip(encoder_outputs.last_hidden_state[:, 0].tolist(), decoder_input_ids[:, -1].tolist(), strict=True)
        chances = torch.tensor([self._tables[table].get(token, (0, 1, 0, 0)) for table, token in pairs])
        past = SimpleNamespace(reorder_cache=lambda _lines: None)
        return SimpleNamespace(logits=chances[:, None].double().log(), past_key_values=past)


def found(*tables: Table, beginnings: int, longest: int = 6) -> list[Written]:
    inputs = [[number, *[5] * number] for number in range(len(tables))]
    return search(Toy(*tables), inputs, longest=longest, beginnings=beginnings)


@pytest.mark.parametrize("beginnings", [1, 2, 4])
def test_what_would_run_on_ends_where_it_is_likeliest(beginnings: int) -> None:
    (one,) = found(RUNS_ON, beginnings=beginnings)

    assert one.tokens == [A]
    assert one.probability == pytest.approx(0.4)
    assert one.log_probabilities == pytest.approx([0.0])


def test_of_two_beginnings_the_likelier_whole_is_found_and_of_one_the_likelier_token_followed() -> None:
    assert [one.tokens for one in found(DECEIVES, beginnings=1)] == [[A, B]]
    assert [one.tokens for one in found(DECEIVES, beginnings=2)] == [[B]]


def test_company_changes_no_answer_and_answers_come_in_the_order_of_the_inputs() -> None:
    together = found(DECEIVES, RUNS_ON, DECEIVES, beginnings=2)

    assert [one.tokens for one in together] == [[B], [A], [B]]


chances = st.lists(st.integers(1, 20), min_size=TOKENS, max_size=TOKENS).map(
    lambda told: [one / sum(told) for one in told]
)


@settings(max_examples=20)
@given(st.fixed_dictionaries(dict.fromkeys(range(TOKENS), chances)))
def test_with_beginnings_enough_it_finds_the_likeliest_of_all_answers(table: Table) -> None:
    def likelihood(answer: Sequence[int]) -> float:
        return math.prod(table[one][two] for one, two in itertools.pairwise([START, *answer, END]))

    every = [answer for size in range(4) for answer in itertools.product((0, A, B), repeat=size)]

    (one,) = found(table, beginnings=27, longest=3)

    assert one.probability == pytest.approx(max(map(likelihood, every)))
    assert likelihood(one.tokens) == pytest.approx(one.probability)
    assert math.exp(sum(one.log_probabilities)) * table[([START, *one.tokens])[-1]][END] == pytest.approx(
        one.probability
    )
