"""A student's folder of another version, from elsewhere, or damaged: one line, whatever the family."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.training import FAMILIES, load, read_card
from engine.training.folder import FORMAT


def written(folder: Path, card: object) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "student.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def test_a_student_of_a_newer_format_says_to_update(tmp_path: Path) -> None:
    with pytest.raises(
        UserError, match=f"format {FORMAT + 1}; this Smelt reads format {FORMAT}: it takes a newer Smelt"
    ):
        read_card(written(tmp_path, {"family": "linear", "format": FORMAT + 1, "added": 1}))


@pytest.mark.parametrize(
    "card",
    [{"family": "linear", "format": 0}, {"family": "linear"}, {"family": "linear", "format": "x" * 500}],
    ids=["zero", "none", "long"],
)
def test_a_student_of_an_older_format_says_to_train_it_again(tmp_path: Path, card: object) -> None:
    with pytest.raises(UserError, match=r"reads format \d+: train it again$") as refused:
        read_card(written(tmp_path, card))

    assert len(str(refused.value)) < 120 + len(str(tmp_path))


def test_what_another_version_has_added_to_a_card_is_passed_over(tmp_path: Path) -> None:
    card = read_card(
        written(tmp_path, {"family": "linear", "format": FORMAT, "colour": "blue", "sizes": {"labels": 2}})
    )

    assert (card.family, card.sizes, card.base) == ("linear", {"labels": 2}, None)


@pytest.mark.parametrize(
    "card",
    [
        pytest.param([], id="a list"),
        pytest.param({"format": FORMAT}, id="no family"),
        pytest.param({"family": 7, "format": FORMAT}, id="a number for a family"),
        pytest.param({"family": "tiny", "sizes": 3, "format": FORMAT}, id="sizes that are none"),
        pytest.param({"family": "tiny", "task": "x", "format": FORMAT}, id="a task that is none"),
    ],
)
def test_a_card_that_is_not_ours_is_one_line(tmp_path: Path, card: object) -> None:
    with pytest.raises(UserError, match=r"is no student: its student\.json is damaged or not ours$"):
        read_card(written(tmp_path, card))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff\xfe", b"[" * 100_000], ids=["empty", "half", "bytes", "a deep nest"]
)
def test_a_card_that_is_no_json_is_one_line(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "student.json").write_bytes(text)

    with pytest.raises(UserError, match=r"is damaged or not ours$"):
        read_card(tmp_path)


def test_a_checkpoint_of_another_tool_says_how_to_start_from_it(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "t5"}', encoding="utf-8")

    with pytest.raises(UserError, match=r"is no student but a checkpoint .*--base"):
        load(tmp_path)


def test_a_family_of_another_version_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"unknown student family 'quantum', .*linear"):
        load(written(tmp_path, {"family": "quantum", "format": FORMAT}))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    "sizes", [{}, {"longest_input": None, "longest_output": [], "labels": "many"}], ids=["no", "odd"]
)
def test_a_folder_with_nothing_but_a_card_is_a_damaged_student(
    tmp_path: Path, family: str, sizes: dict[str, object]
) -> None:
    folder = written(tmp_path, {"family": family, "format": FORMAT, "sizes": sizes})

    with pytest.raises(UserError) as refused:
        load(folder)

    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("family", FAMILIES)
def test_weights_that_are_none_are_a_damaged_student(tmp_path: Path, family: str) -> None:
    folder = written(tmp_path, {"family": family, "format": FORMAT, "sizes": {"longest_input": 9, "longest_output": 9}})
    for name in ("model.safetensors", "vocabulary.json", "config.json", "tokenizer_config.json", "tokenizer.json"):
        (folder / name).write_bytes(b"\x00not this")

    with pytest.raises(UserError) as refused:
        load(folder)

    assert "\n" not in str(refused.value)
