"""What a model in this process is asked and where its answer ends: templates, stops, contexts, schemas."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
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
from engine.providers.local import Local
from engine.providers.local.asking import job_of
from engine.providers.local.codec import PIECE, UNTOLD, Codec, read_tokenizer
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
@pytest.mark.long
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


# -- choices

CHOICES = ("order", "order_cheques", 'a "quoted" \\ label', "später", "\U0001f600 two\nlines")


@WITH_SCHEMAS
@KINDS
def test_an_answer_is_one_of_its_choices_whole(models: dict[str, Model], kind: str) -> None:
    """Also where one of them begins as another does, and whatever is in them."""
    requests = [
        asked(f"{number}", max_tokens=60, temperature=1.0, choices=CHOICES if number % 4 else ("no", "yes"))
        for number in range(12)
    ]

    said = [texts[0] for texts in answered(models[kind], requests)]

    assert {text for number, text in enumerate(said) if number % 4} <= set(CHOICES)
    assert {text for number, text in enumerate(said) if not number % 4} <= {"no", "yes"}


def test_a_model_is_held_to_choices_where_its_tokenizer_and_the_library_allow_it(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    assert Local(str(folders["causal"])).capabilities.choices == (importlib.util.find_spec("llguidance") is not None)

    shutil.copytree(folders["causal"], tmp_path / "bytes")
    (tmp_path / "bytes" / "tokenizer.json").unlink()

    assert not Local(str(tmp_path / "bytes")).capabilities.choices


# -- conversations


def test_a_conversation_is_written_as_the_models_template_has_it(models: dict[str, Model]) -> None:
    codec = models["causal"].codec
    tokens = codec.encode((Message("system", "Be brief."), Message("user", "Hi")))

    assert codec.decode(tokens) == "<system>Be brief.\n<user>Hi\n<assistant>"


def test_without_a_template_the_texts_follow_one_another(models: dict[str, Model]) -> None:
    codec = models["seq2seq"].codec

    assert codec.decode(codec.encode((Message("system", "Translate."), Message("user", "Hi")))) == "Translate.\n\nHi"


class Counting:
    """A tokenizer that counts the characters it is given; so many of them are a token, and blanks are none."""

    chat_template = None

    def __init__(self, *, characters: int = 1) -> None:
        self.characters = characters
        self.given = 0

    def __call__(self, text: str, *, add_special_tokens: bool) -> dict[str, list[int]]:
        self.given += len(text)
        return {"input_ids": [7] * (-(-len(text.replace(" ", "")) // self.characters) + add_special_tokens)}


@pytest.mark.parametrize("context", [100, 4096, None])
def test_of_a_text_that_no_model_reads_hardly_more_than_fits_is_encoded(context: int | None) -> None:
    tokenizer = Counting()

    with pytest.raises(ContextOverflow, match="tokens, and"):
        Codec(tokenizer, context=context).encode((Message("user", "x" * 10_000_000),))
    assert tokenizer.given <= 2 * (context or UNTOLD) + 2 * PIECE


@pytest.mark.parametrize(
    ("text", "characters", "tokens"),
    [
        pytest.param("x" * 300_000, 100, 3001, id="long words"),
        pytest.param(" " * 3_000_000 + "x", 1, 2, id="blanks that a normalizer takes away"),
        pytest.param("x" * 5000, 1, 5001, id="a little too long: counted exactly"),
    ],
)
def test_a_long_text_of_few_tokens_is_encoded_whole(text: str, characters: int, tokens: int) -> None:
    codec = Codec(Counting(characters=characters), context=4096)

    assert len(codec.encode((Message("user", text),))) == tokens


@KINDS
def test_a_request_far_beyond_any_context_is_refused_and_counts_nothing(folders: dict[str, Path], kind: str) -> None:
    async def main() -> None:
        local = Local(str(folders[kind]))
        await local.send(asked("Hi"), timeout_s=60.0)
        book = asked("x" * 10_000_000)
        assert local.input_tokens(book) is None
        with pytest.raises(ContextOverflow):
            await local.send(book, timeout_s=60.0)
        await local.aclose()

    asyncio.run(main())


def test_a_template_without_a_system_message_gets_it_before_the_users(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, template=TEMPLATE_WITHOUT_SYSTEM)
    codec = Codec(read_tokenizer(tmp_path))
    tokens = codec.encode((Message("system", "Be brief."), Message("user", "Hi")))

    assert codec.decode(tokens) == "<user>Be brief.\n\nHi\n<assistant>"


def test_a_template_that_refuses_is_told(tmp_path: Path) -> None:
    save_tokenizer(tmp_path, template="{{ raise_exception('never') }}")

    with pytest.raises(RequestRejected, match="refuses this conversation: never"):
        Codec(read_tokenizer(tmp_path)).encode((Message("user", "Hi"),))
