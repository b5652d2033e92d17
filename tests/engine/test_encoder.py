"""Texts as vectors: what an encoder's folder must hold, how it pools, how much it reads, and that it comes back."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from engine.encoder import Encoder, check_encoder
from engine.errors import UserError
from engine.fakes.checkpoints import save_encoder, save_seq2seq

TEXTS = ["red apple", "blue", "red red red blue apple", ""]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("base") / "encoder")


@pytest.fixture
def folder(base: Path, tmp_path: Path) -> Path:
    """One's own, to spoil."""
    return Path(shutil.copytree(base, tmp_path / "encoder"))


@pytest.mark.long
@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "mean_sqrt_len"])
def test_a_text_has_the_same_vector_of_length_one_alone_and_beside_others(folder: Path, pooling: str) -> None:
    (folder / "1_Pooling").mkdir()
    switch = f"pooling_mode_{pooling}_token{'' if pooling == 'cls' else 's'}"
    (folder / "1_Pooling" / "config.json").write_text(json.dumps({switch: True}))

    encoder = Encoder(folder)
    vectors = encoder.of_texts(TEXTS[:3])

    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert vectors[1] == pytest.approx(encoder.of_query("blue"), abs=1e-5)


@pytest.mark.long
def test_tokens_have_vectors_of_their_own_without_marks_and_padding(base: Path) -> None:
    encoder = Encoder(base)

    one, none, many = encoder.of_tokens(["red apple", "", "red red red blue apple"])

    assert none.shape == (0, encoder.width)
    assert 0 < len(one) < len(many)
    assert np.linalg.norm(many, axis=1) == pytest.approx([1] * len(many), abs=1e-5)
    assert one == pytest.approx(encoder.of_tokens(["red apple"])[0], abs=1e-5)
    mark = next(each for each in encoder.tokenizer.all_special_tokens if each != encoder.tokenizer.unk_token)
    assert len(encoder.of_tokens([f"red apple{mark}"])[0]) == len(one)


@pytest.mark.long
def test_it_comes_back_from_where_it_was_saved_the_same(folder: Path, tmp_path: Path) -> None:
    (folder / "config_sentence_transformers.json").write_text('{"prompts": {"query": "find: "}}')
    encoder = Encoder(folder)

    encoder.save(tmp_path / "again")
    again = Encoder(tmp_path / "again")

    assert again.of_texts(TEXTS[:2]) == pytest.approx(encoder.of_texts(TEXTS[:2]), abs=1e-6)
    assert again.of_query("blue") == pytest.approx(encoder.of_texts(["find: blue"])[0], abs=1e-5)
    assert again.longest == encoder.longest
    assert str(tmp_path) not in "".join(path.read_text() for path in (tmp_path / "again").rglob("*.json"))


@pytest.mark.long
def test_what_is_longer_than_it_reads_is_cut_and_said(base: Path) -> None:
    short, long, none, strange = Encoder(base).read(["a" * 64, "a" * 65, "", "a\ud800"])

    assert (len(short.tokens), short.is_cut) == (64, False)
    assert (len(long.tokens), long.is_cut) == (64, True)
    assert len(none.tokens) == 1
    assert len(strange.tokens) == 2


@pytest.mark.long
def test_who_says_least_says_how_much_is_read(folder: Path) -> None:
    (folder / "sentence_bert_config.json").write_text('{"max_seq_length": 10}')

    assert Encoder(folder).longest == 10


@pytest.mark.long
def test_nothing_at_all_has_a_vector_too(base: Path) -> None:
    vectors = Encoder(base).of_texts(TEXTS)

    assert np.isfinite(vectors).all()
    assert Encoder(base).read([]) == []


@pytest.mark.parametrize(
    ("files", "says"),
    [
        pytest.param({"config.json": None}, "holds no encoder", id="no configuration"),
        pytest.param({"config.json": "{"}, "holds no encoder", id="half a configuration"),
        pytest.param({"config.json": '{"auto_map": {"AutoModel": "own.py"}}'}, "code of its own", id="code"),
        pytest.param({"config.json": '{"is_encoder_decoder": true}'}, "is no encoder but a model that writes", id="t5"),
        pytest.param({"config.json": '{"architectures": ["LlamaForCausalLM"]}'}, "LlamaForCausalLM", id="llama"),
        pytest.param({"model.safetensors": None}, "holds no weights", id="no weights"),
        pytest.param({"model.safetensors": None, "pytorch_model.bin": "x"}, "as a pickle .*never loaded", id="pickle"),
        pytest.param({"tokenizer.json": None}, "holds no tokenizer", id="no tokenizer"),
    ],
)
def test_what_cannot_be_an_encoder_is_one_line_before_anything_is_loaded(
    tmp_path: Path, files: dict[str, str | None], says: str
) -> None:
    whole = {"config.json": '{"model_type": "bert"}', "model.safetensors": "x", "tokenizer.json": "{}"}
    for name, text in {**whole, **files}.items():
        if text is not None:
            (tmp_path / name).write_text(text)

    with pytest.raises(UserError, match=says) as raised:
        check_encoder(tmp_path)

    assert "\n" not in str(raised.value)


@pytest.mark.long
@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        pytest.param("model.safetensors", b"\x10\0\0\0\0\0\0\0{", "cannot be loaded as an encoder", id="weights"),
        pytest.param("tokenizer.json", b"{", "cannot be loaded as an encoder", id="tokenizer"),
        pytest.param("config.json", b'{"model_type": "nobody-knows-it"}', "cannot be loaded", id="unknown kind"),
        pytest.param("1_Pooling/config.json", b'{"pooling_mode_lasttoken": true}', "by lasttoken", id="pooling"),
    ],
)
def test_a_damaged_encoder_is_one_line(folder: Path, name: str, content: bytes, says: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(content)

    with pytest.raises(UserError, match=says) as raised:
        Encoder(folder)

    assert "\n" not in str(raised.value)


@pytest.mark.long
def test_weights_that_lack_a_part_are_refused_and_not_made_up_by_chance(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "layer.1." not in name}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})

    with pytest.raises(UserError, match=r"lack \d+ parts of the encoder"):
        Encoder(folder)


@pytest.mark.long
def test_a_model_that_writes_is_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no encoder but a model that writes"):
        Encoder(save_seq2seq(tmp_path / "t5"))
