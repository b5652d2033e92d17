"""Answers drawn by chance: from labels, and token by token."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.training import Prediction
from engine.training.encoder_decoder import EncoderDecoder
from engine.training.sampling import Sampling, draw_labels, heated, sample

SHARES = st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda shares: max(shares) > 0)


class Chooser:
    """A student that holds one label likely and another one less so, and knows a third kind of input not at all."""

    family = "chooser"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction("a", 0.7, alternatives=(("a", 0.7), ("b", 0.3))) for _ in inputs]


class Echo:
    """A student that answers alike every time."""

    family = "echo"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction(text, 0.5) for text in inputs]


@given(SHARES, st.floats(0.05, 2), st.floats(0.05, 1))
def test_heated_shares_are_shares_and_the_likeliest_stays(
    shares: list[float], temperature: float, top_p: float
) -> None:
    hot = heated(shares, temperature=temperature, top_p=top_p)

    assert math.isclose(sum(hot), 1)
    assert all(share >= 0 for share in hot)
    assert hot[shares.index(max(shares))] > 0


def test_cold_prefers_the_likeliest_and_hot_the_others() -> None:
    shares = [0.6, 0.4]

    assert heated(shares, temperature=1) == pytest.approx(shares)
    assert heated(shares, temperature=0.1)[0] > 0.97
    assert heated(shares, temperature=2)[0] < 0.56


def test_top_p_leaves_the_likeliest_that_come_to_it_together() -> None:
    assert heated([0.5, 0.3, 0.2], temperature=1, top_p=0.7) == pytest.approx([0.625, 0.375, 0])
    assert heated([0.5, 0.3, 0.2], temperature=1, top_p=0.01) == [1, 0, 0]


def test_labels_come_as_often_as_they_are_likely_each_with_its_own_confidence() -> None:
    [prediction] = Chooser().predict(["x"])

    drawn = draw_labels(prediction, Sampling(n=2000), chance=Random(0))

    assert sum(each.output == "a" for each in drawn) / 2000 == pytest.approx(0.7, abs=0.04)
    assert {(each.output, each.confidence) for each in drawn} == {("a", 0.7), ("b", 0.3)}


def test_what_was_not_read_whole_is_drawn_without_confidence() -> None:
    cut = Prediction("a", 0.0, cut=True, alternatives=(("a", 0.7), ("b", 0.3)))

    assert {each.confidence for each in draw_labels(cut, Sampling(n=5), chance=Random(0))} == {0.0}


def test_a_seed_gives_the_same_draws_and_another_one_others() -> None:
    def drawn(seed: int | None, *, otherwise: int) -> list[str]:
        [answers] = sample(Chooser(), ["x"], Sampling(n=30, seed=seed), seed=otherwise)
        return [answer.output for answer in answers]

    assert drawn(7, otherwise=1) == drawn(7, otherwise=2)
    assert drawn(7, otherwise=1) != drawn(8, otherwise=1)
    assert drawn(None, otherwise=1) != drawn(None, otherwise=2)


def test_equal_inputs_of_one_request_are_drawn_for_apart() -> None:
    one, other = sample(Chooser(), ["x", "x"], Sampling(n=30), seed=0)

    assert [each.output for each in one] != [each.output for each in other]


def test_who_can_do_neither_answers_alike_every_time() -> None:
    assert sample(Echo(), ["x"], Sampling(n=3), seed=0) == [[Prediction("x", 0.5)] * 3]


@pytest.mark.parametrize("wrong", [{"n": 0}, {"temperature": 0}, {"temperature": 2.1}, {"top_p": 0}, {"top_p": 1.1}])
def test_what_cannot_be_meant_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UserError, match=next(iter(wrong))):
        Sampling(**wrong)  # type: ignore[arg-type]  # that is what is tested


# -- token by token


def writer() -> EncoderDecoder:
    """A student of chance weights that writes eight bytes at most."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    from engine.training.spelling import Bytes

    shape = {"d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 1, "num_heads": 2}
    config = T5Config(vocab_size=264, pad_token_id=0, eos_token_id=1, decoder_start_token_id=0, **shape)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(config).eval()
    return EncoderDecoder(family="tiny", model=model, codec=Bytes(), longest_input=64, longest_output=8)


TEXTS = ["a", "quite a long text indeed", "and one more", "a"]


@pytest.mark.long
def test_an_encoder_decoder_draws_alike_for_a_seed_and_apart_for_equal_inputs() -> None:
    student = writer()

    once = student.sample(TEXTS, n=3, temperature=1.0, seed=5)

    assert once == student.sample(TEXTS, n=3, temperature=1.0, seed=5)
    assert once != student.sample(TEXTS, n=3, temperature=1.0, seed=6)
    assert once[0] != once[3]
    assert [len(answers) for answers in once] == [3, 3, 3, 3]


@pytest.mark.long
def test_company_changes_no_draw() -> None:
    """An input that comes first draws the same alone and with others beside it."""
    student = writer()

    [alone] = student.sample(TEXTS[:1], n=2, temperature=0.7, seed=1, top_p=0.9)
    [first, *_] = student.sample(TEXTS, n=2, temperature=0.7, seed=1, top_p=0.9)

    assert [each.output for each in alone] == [each.output for each in first]
    assert [each.confidence for each in alone] == pytest.approx([each.confidence for each in first], rel=1e-3)


@pytest.mark.long
@settings(max_examples=5)
@given(st.integers(0, 100))
def test_next_to_no_temperature_and_next_to_no_share_draw_the_best_answer(seed: int) -> None:
    student = writer()
    best = [each.output for each in student.predict(TEXTS)]

    cold = student.sample(TEXTS, n=1, temperature=1e-4, seed=seed)
    narrow = student.sample(TEXTS, n=1, temperature=1.0, top_p=1e-6, seed=seed)
    nothing = student.sample(TEXTS, n=1, temperature=1e-320, top_p=1e-320, seed=seed)  # 0 in single precision

    assert [each.output for [each] in cold] == best
    assert [each.output for [each] in narrow] == best
    assert [each.output for [each] in nothing] == best
