"""What a model in this process is asked and where its answer ends: templates, stops, contexts, schemas."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

from engine.errors import (
    ContextOverflow,
    MissingExtra,
    RequestRejected,
)
from engine.fakes.checkpoints import TEMPLATE_WITHOUT_SYSTEM, save_tokenizer
from engine.messages import Message
from engine.providers.local.asking import job_of
from engine.providers.local.model import Model
from tests.engine.local_models import KINDS, answered, asked, done, opened, saved

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 5}, "kind": {"enum": ["x", "y"]}},
    "required": ["name", "kind"],
    "additionalProperties": False,
}
WITH_SCHEMAS = pytest.mark.skipif(importlib.util.find_spec("llguidance") is None, reason="llguidance is not installed")


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return saved(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, Model]:
    return opened(folders)


# -- what ends an answer


def test_an_answer_ends_before_the_first_stop_and_says_so(models: dict[str, Model]) -> None:
    model = models["causal"]
    whole = answered(model, [asked("hello", temperature=0.8, max_tokens=30)])[0][0]
    stops = (whole[9:11], whole[4:6])

    row = done(model, job_of(asked("hello", temperature=0.8, max_tokens=30, stop=stops), model, seed=0)).rows[0]

    assert row.completion().text == whole[: min(whole.index(stop) for stop in stops)]
    assert (row.finish, row.completion().tokens < 30) == ("stop", True)


@KINDS
def test_an_answer_of_all_its_tokens_was_cut(models: dict[str, Model], kind: str) -> None:
    row = done(models[kind], job_of(asked("hello", temperature=0.8, max_tokens=3), models[kind], seed=0)).rows[0]

    assert row.finish == "length" or row.tokens[-1] in models[kind].ends
    assert row.completion().tokens <= 3


def test_an_answer_ends_with_the_context(models: dict[str, Model]) -> None:
    model = models["causal"]
    room = 512 - len(model.codec.encode(asked("a" * 400).messages))

    (row,) = job_of(asked("a" * 400, max_tokens=1000), model, seed=0).rows

    assert row.most == room
    with pytest.raises(ContextOverflow, match="this model reads 512 at most"):
        job_of(asked("a" * 600), model, seed=0)


def test_the_end_mark_counts_and_is_not_shown(models: dict[str, Model]) -> None:
    (row,) = job_of(asked("x"), models["causal"], seed=0).rows

    row.add(models["causal"].codec.encode((Message("user", "x"),))[0])
    row.add(1)

    assert (row.finish, row.completion().tokens, row.completion().text) == ("stop", 2, "<")


# -- schemas


@WITH_SCHEMAS
@KINDS
def test_an_answer_keeps_to_its_schema_beside_others_that_have_none(models: dict[str, Model], kind: str) -> None:
    requests = [
        asked(f"{number}", max_tokens=60, temperature=1.0, schema=SCHEMA if number % 2 else None) for number in range(8)
    ]

    said = answered(models[kind], requests)

    for text in (texts[0] for number, texts in enumerate(said) if number % 2):
        found = json.loads(text)
        assert set(found) == {"name", "kind"}
        assert found["kind"] in {"x", "y"}
        assert len(found["name"]) <= 5
    assert said == [answered(models[kind], [request])[0] for request in requests]


@WITH_SCHEMAS
def test_a_schema_that_cannot_be_kept_to_is_refused_in_words(models: dict[str, Model]) -> None:
    with pytest.raises(RequestRejected, match="the schema cannot be kept to"):
        job_of(asked("x", schema={"type": "nonsense"}), models["causal"], seed=0)


def test_without_the_library_a_schema_names_the_extra(
    models: dict[str, Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "llguidance", None)

    with pytest.raises(MissingExtra, match=r"pip install 'smelt\[local\]'"):
        job_of(asked("x", schema=SCHEMA), models["causal"], seed=0)


# -- conversations


def test_a_conversation_is_written_as_the_models_template_has_it(models: dict[str, Model]) -> None:
    codec = models["causal"].codec
    tokens = codec.encode((Message("system", "Be brief."), Message("user", "Hi")))

    assert codec.decode(tokens) == "<system>Be brief.\n<user>Hi\n<assistant>"


def test_without_a_template_the_texts_follow_one_another(models: dict[str, Model]) -> None:
    codec = models["seq2seq"].codec

    assert codec.decode(codec.encode((Message("system", "Translate."), Message("user", "Hi")))) == "Translate.\n\nHi"


def test_a_template_without_a_system_message_gets_it_before_the_users(tmp_path: Path) -> None:
    from engine.providers.local.codec import Codec, read_tokenizer

    save_tokenizer(tmp_path, template=TEMPLATE_WITHOUT_SYSTEM)
    codec = Codec(read_tokenizer(tmp_path))
    tokens = codec.encode((Message("system", "Be brief."), Message("user", "Hi")))

    assert codec.decode(tokens) == "<user>Be brief.\n\nHi\n<assistant>"


def test_a_template_that_refuses_is_told(tmp_path: Path) -> None:
    from engine.providers.local.codec import Codec, read_tokenizer

    save_tokenizer(tmp_path, template="{{ raise_exception('never') }}")

    with pytest.raises(RequestRejected, match="refuses this conversation: never"):
        Codec(read_tokenizer(tmp_path)).encode((Message("user", "Hi"),))
