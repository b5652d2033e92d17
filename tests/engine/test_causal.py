"""Decoder-only models: what they write after prompts, what they learn by an adapter, and how they are kept."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Request
from engine.errors import UserError
from engine.fakes.checkpoints import TEMPLATE, save_causal, save_seq2seq, save_tokenizer
from engine.silence import in_silence
from engine.training import Row, load, read_card, train
from engine.training.adapter import HIGHEST_RATE, adapted, merged, peak_learning_rate
from engine.training.causal import Frame
from engine.training.continuing import write_on
from engine.training.decoder_only import Turn, _collate, _weighted_loss, base_model
from engine.training.fitting import own_loss
from engine.training.greedy import IGNORED
from engine.training.lesson import Lesson
from engine.training.student import Sampler
from engine.training.tuning import Question, tune

pytestmark = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("torch", "transformers", "peft")), reason="the extra train"
)

ROWS = [Row(f"{word} {number}", word[0]) for number in range(100, 180) for word in ("alpha", "beta", "gamma")]
PROMPTS = [[5, 6, 7], [9], [30, 31, 32, 33, 34, 35, 36], [40, 41]]


def save_gpt2(folder: Path) -> Path:
    """A GPT-2, whose layers lay their weights the other way round."""
    import torch
    from transformers import GPT2Config, GPT2LMHeadModel

    vocabulary = save_tokenizer(folder)
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=vocabulary, n_embd=32, n_layer=2, n_head=4, n_positions=128, eos_token_id=1, bos_token_id=None,
        pad_token_id=0, initializer_range=0.3,
    )  # fmt: skip
    GPT2LMHeadModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    place = tmp_path_factory.mktemp("bases")
    with in_silence():
        return {
            "llama": save_causal(place / "llama", context=128),
            "chat": save_causal(place / "chat", template=TEMPLATE, context=128),
            "gpt2": save_gpt2(place / "gpt2"),
        }


KINDS = pytest.mark.parametrize("kind", ["llama", "gpt2"])


# -- writing


@KINDS
def test_what_is_written_is_the_likeliest_token_every_time(kind: str, bases: dict[str, Path]) -> None:
    """Whatever it is beside; the probability is that of just these tokens."""
    import torch

    loaded = base_model(bases[kind])

    written = write_on(loaded.model, PROMPTS, longest=6, ends=loaded.ends, pad=loaded.pad)

    for prompt, one in zip(PROMPTS, written, strict=True):
        tokens, probability = list(prompt), 1.0
        for _ in range(7):
            with torch.no_grad():
                odds = loaded.model(input_ids=torch.tensor([tokens])).logits[0, -1].softmax(-1)
            tokens.append(int(odds.argmax()))
            probability *= float(odds.max())
            if tokens[-1] in loaded.ends:
                break
        assert one.tokens == [token for token in tokens[len(prompt) :] if token not in loaded.ends][:6]
        assert one.probability == pytest.approx(probability, rel=1e-3)


def test_any_mark_ends_an_answer_and_is_not_part_of_it(bases: dict[str, Path]) -> None:
    loaded = base_model(bases["llama"])
    (whole,) = write_on(loaded.model, [PROMPTS[0]], longest=6, ends={1}, pad=0)
    end = whole.tokens[3]

    (cut,) = write_on(loaded.model, [PROMPTS[0]], longest=6, ends={1, end}, pad=0)

    assert cut.tokens == whole.tokens[: whole.tokens.index(end)]


# -- the frame


def test_an_input_stands_as_a_users_turn_where_there_is_a_template(bases: dict[str, Path]) -> None:
    chat, plain = (base_model(bases[kind]).tokenizer for kind in ("chat", "llama"))

    assert chat.decode(Frame(chat, longest=99).prompt("hello").tokens) == "<user>hello\n<assistant>"
    assert plain.decode(Frame(plain, longest=99).prompt("hello").tokens) == "hello\n"


@pytest.mark.parametrize("kind", ["llama", "chat"])
def test_an_input_that_is_too_long_loses_its_end_and_not_the_frame(kind: str, bases: dict[str, Path]) -> None:
    tokenizer = base_model(bases[kind]).tokenizer
    frame = Frame(tokenizer, longest=40)

    prompt = frame.prompt("abc " * 30)

    text = tokenizer.decode(prompt.tokens)
    around = tokenizer.decode(frame.prompt("").tokens)
    assert prompt.is_cut
    assert len(prompt.tokens) == 40
    assert text.startswith("<user>abc abc" if kind == "chat" else "abc abc")
    assert text.endswith(around[len("<user>") :] if kind == "chat" else around)
    assert not frame.prompt("abc").is_cut


# -- learning


def test_only_the_answer_is_learnt() -> None:
    turns = [Turn((5, 6, 7), (8, 1)), Turn((9,), (10, 11, 1))]

    batch = _collate(turns, pad=0, weighted=False)

    assert batch["input_ids"].tolist() == [[5, 6, 7, 8, 1], [9, 10, 11, 1, 0]]
    assert batch["labels"].tolist() == [[IGNORED] * 3 + [8, 1], [IGNORED, 10, 11, 1, IGNORED]]
    assert batch["attention_mask"].tolist() == [[1] * 5, [1, 1, 1, 1, 0]]


def test_equal_weights_weigh_nothing_and_others_do(bases: dict[str, Path]) -> None:
    model = base_model(bases["llama"]).model
    turns = [Turn((5, 6), (8, 1), 2.0), Turn((9,), (10, 11, 1), 2.0)]
    alone = [_collate(turns[at : at + 1], pad=0, weighted=False) for at in range(2)]

    plain = own_loss(model, _collate(turns, pad=0, weighted=False)).item()
    even = _weighted_loss(model, _collate(turns, pad=0, weighted=True)).item()
    first = _collate([turns[0], Turn((9,), (10, 11, 1), 1e-9)], pad=0, weighted=True)

    assert even == pytest.approx(plain, rel=1e-5)
    assert _weighted_loss(model, first).item() == pytest.approx(own_loss(model, alone[0]).item(), rel=1e-4)


@KINDS
def test_an_adapter_changes_nothing_at_first_and_is_part_of_the_weights_at_last(
    kind: str, bases: dict[str, Path]
) -> None:
    """Merged, the model says what it said with the adapter, and has the same weights by the same names as before."""
    import torch

    model = base_model(bases[kind]).model
    names, ids = set(model.state_dict()), torch.tensor([PROMPTS[2]])
    with torch.no_grad(), in_silence():
        before = model(input_ids=ids).logits
        learner = adapted(model, seed=0)
        learner.eval()
        at_first = model(input_ids=ids).logits
        learning = [weight for weight in model.parameters() if weight.requires_grad]
        for weight in learning:
            weight.add_(0.05)
        taught = model(input_ids=ids).logits
        whole = merged(learner)
        at_last = whole(input_ids=ids).logits

    assert torch.equal(before, at_first)
    assert sum(weight.numel() for weight in learning) < sum(weight.numel() for weight in whole.parameters())
    assert not torch.allclose(before, taught, atol=1e-3)
    assert torch.allclose(taught, at_last, atol=1e-4)
    assert set(whole.state_dict()) == names


def test_narrow_models_learn_faster_and_whole_ones_slower() -> None:
    rates = [peak_learning_rate(width, whole=False) for width in (64, 1024, 2000, 4096)]

    assert rates == sorted(rates, reverse=True)
    assert rates[0] == HIGHEST_RATE
    assert rates[2] == pytest.approx(5e-4)
    assert peak_learning_rate(2000, whole=True) == pytest.approx(5e-5)


@pytest.mark.long
@pytest.mark.parametrize(("kind", "whole"), [("llama", False), ("chat", True), ("gpt2", False)])
def test_a_student_is_kept_whole_and_answers_alike_when_it_is_brought_back(
    kind: str, whole: bool, bases: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "student"

    trained = train("causal", ROWS, ROWS[:4], folder, base=str(bases[kind]), threads=1, time_limit_s=3, whole=whole)

    card = read_card(folder)
    inputs = [row.input for row in ROWS[:5]]
    told = json.loads((folder / "student.json").read_text())
    assert trained.family == "causal"
    assert not list(folder.glob("adapter*"))
    assert {path.suffix for path in folder.iterdir()} <= {".json", ".jinja", ".safetensors"}
    assert card.base == str(bases[kind])
    assert told["metrics"]["whole"] is whole
    assert load(folder).predict(inputs) == trained.predict(inputs)
    assert all(0 <= each.confidence <= 1 for each in trained.predict(inputs))
    assert trained.predict([]) == []
    assert isinstance(trained, Sampler)
    drawn = trained.sample(inputs[:2], n=3, temperature=1.0, seed=5)
    assert drawn == trained.sample(inputs[:2], n=3, temperature=1.0, seed=5)
    assert [len(each) for each in drawn] == [3, 3]
    coldest = [each for (each,) in trained.sample(inputs, n=1, temperature=1e-4, seed=5)]
    assert [each.output for each in coldest] == [each.output for each in trained.predict(inputs)]


@pytest.mark.long
def test_a_student_learns_what_its_rows_say(bases: dict[str, Path], tmp_path: Path) -> None:
    """Which of three words an input begins with: by every weight, since this model has never read a thing."""
    trained = train("causal", ROWS, ROWS[:30], tmp_path / "s", base=str(bases["llama"]), threads=1, whole=True)

    answers = [each.output for each in trained.predict([f"{word} 190" for word in ("alpha", "beta", "gamma")])]

    assert answers == ["a", "b", "g"]


def test_what_is_too_long_is_told(bases: dict[str, Path], tmp_path: Path) -> None:
    notes: list[str] = []
    rows = [Row("x " * 200, "a"), Row("y", "b"), Row("z", "c" * 200)]

    train(
        "causal", rows, [], tmp_path / "s", base=str(bases["llama"]), threads=1, time_limit_s=0.01, on_note=notes.append
    )

    assert [note for note in notes if "left out" in note] == ["1 row is left out: outputs of more than 64 tokens"]
    assert any("1 input is longer" in note for note in notes)


def refused(tmp_path: Path, base: str | None, rows: Sequence[Row] = tuple(ROWS)) -> str:
    with pytest.raises(UserError) as caught:
        train("causal", rows, [], tmp_path / "s", base=base, threads=1, time_limit_s=1)
    assert not (tmp_path / "s").exists()
    return str(caught.value)


def test_what_cannot_be_tuned_is_said_in_a_line(bases: dict[str, Path], tmp_path: Path) -> None:
    with in_silence():
        seq2seq = save_seq2seq(tmp_path / "seq2seq")
    endless = tmp_path / "endless"
    with in_silence():
        save_causal(endless)
    for name in ("config.json", "generation_config.json", "tokenizer_config.json"):
        told = json.loads((endless / name).read_text())
        (endless / name).write_text(json.dumps({**told, **{key: None for key in told if "eos_token" in key}}))

    assert "name one" in refused(tmp_path, None)
    assert "cannot be loaded as a decoder-only model" in refused(tmp_path, str(tmp_path / "nowhere"))
    assert "cannot be loaded as a decoder-only model" in refused(tmp_path, str(seq2seq))
    assert "no mark that ends an answer" in refused(tmp_path, str(endless))
    long_rows = [Row("a", "x" * 300), Row("b", "y" * 300)]
    assert "every output is longer than the 64 tokens" in refused(tmp_path, str(bases["llama"]), long_rows)


# -- tuning


def questions(folder: Path, pairs: Sequence[tuple[str, str]]) -> list[Question]:
    tokenizer: Any = base_model(folder).tokenizer
    return [Question(tuple(tokenizer(f"<user>{asked}\n<assistant>")["input_ids"]), told) for asked, told in pairs]


def lesson_of(base: Path, **more: Any) -> Lesson:
    return Lesson(rows=tuple(ROWS), base=str(base), threads=1, **more)


@pytest.mark.long
def test_a_tuned_model_answers_wherever_a_provider_is(bases: dict[str, Path], tmp_path: Path) -> None:
    """Asked through the engine by its path, it gives the answers that it was tuned on."""
    pairs = [(f"{word}?", word[0]) for word in ("alpha", "beta", "gamma")]
    learnt = questions(bases["chat"], pairs)

    tuned = tune(lesson_of(bases["chat"], whole=True), learnt * 60, learnt, tmp_path / "teacher")

    async def ask() -> list[str]:
        async with Engine(f"local/{tmp_path / 'teacher'}") as engine:
            return [(await engine.ask(Request.user(asked, max_tokens=4, temperature=0))).text for asked, _ in pairs]

    assert asyncio.run(ask()) == ["a", "b", "g"]
    assert (tuned.questions, tuned.left_out) == (180, 0)
    assert not (tmp_path / "teacher.part").exists()


def test_a_question_that_does_not_fit_is_left_out_and_none_that_fits_is_an_error(
    bases: dict[str, Path], tmp_path: Path
) -> None:
    short, long = questions(bases["chat"], [("a", "b"), ("a" * 130, "b")])
    lesson = lesson_of(bases["chat"], time_limit_s=0.01)

    assert tune(lesson, [short, long], [], tmp_path / "one").left_out == 1
    with pytest.raises(UserError, match="reads and writes 128 in all"):
        tune(lesson, [long], [], tmp_path / "none")
    assert not (tmp_path / "none").exists()
