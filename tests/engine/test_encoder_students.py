"""The students `embedding` and `classifier`: they learn labels over an encoder, and refuse what cannot be learnt so."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.fakes.checkpoints import save_encoder
from engine.training import Progress, Row, load, read_card, train
from engine.training.base import base_folder, base_licence
from engine.training.choice import Choice
from engine.training.encoder_student import choice_for
from engine.training.lesson import Lesson

ROWS = [
    *(Row(f"where is parcel {i}", "delivery") for i in range(12)),
    *(Row(f"{i} euros back!", "refund") for i in range(12)),
    *(Row("?" * (i + 1), "other") for i in range(12)),
]
BOTH = [
    *(Row(f"where is parcel {i}", "delivery") for i in range(12)),
    *(Row(f"{i} euros back!", "refund") for i in range(12)),
    *(Row(f"where is parcel {i}? {i} euros back!", "delivery, refund") for i in range(12)),
]
INPUTS = ["where is parcel 7", "9 euros back!", "???", ""]
FAMILIES = ["embedding", "classifier"]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_encoder(tmp_path_factory.mktemp("base") / "encoder")
    (folder / "README.md").write_text("---\nlicense: mit\n---\nAn encoder of chance.\n")
    return folder


@pytest.fixture(scope="module")
def embedded(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A student over a base that is no more."""
    folder, gone = tmp_path_factory.mktemp("made") / "student", tmp_path_factory.mktemp("gone") / "base"
    shutil.copytree(base, gone)
    train("embedding", ROWS, ROWS[::5], folder, base=str(gone), threads=1, task={"about": "parcels"})
    shutil.rmtree(gone)
    return folder


@pytest.mark.long
def test_it_learns_labels_from_few_rows_and_comes_back_without_its_base(embedded: Path) -> None:
    answers = load(embedded).predict(INPUTS)

    assert [one.output for one in answers[:3]] == ["delivery", "refund", "other"]
    assert all(one.alternatives[0] == (one.output, one.confidence) for one in answers)
    assert sum(share for _, share in answers[0].alternatives) == pytest.approx(1)
    assert load(embedded).predict([]) == []


@pytest.mark.long
def test_its_folder_says_what_it_is_and_under_which_licence_its_base_stands(embedded: Path) -> None:
    card = read_card(embedded)

    assert (card.family, card.base_licence, card.task) == ("embedding", "mit", {"about": "parcels"})
    assert (card.sizes["labels"], card.sizes["longest_input"]) == (3, 64)
    assert card.metrics["validation_exact_match"] == 1.0
    assert {path.name for path in embedded.iterdir()} == {"encoder", "labels.json", "model.safetensors", "student.json"}
    assert not [path for path in embedded.rglob("*") if path.suffix in (".bin", ".pt", ".pkl", ".py")]


@pytest.mark.long
def test_an_input_that_is_longer_than_it_reads_is_marked_cut(embedded: Path) -> None:
    whole, cut = load(embedded).predict(["x" * 64, "x" * 65])

    assert (whole.cut, cut.cut, cut.confidence) == (False, True, 0.0)
    assert cut.alternatives[0][1] > 0


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_several_labels_an_answer_are_learnt_each_for_itself(base: Path, tmp_path: Path, family: str) -> None:
    student = train(family, BOTH, BOTH[::5], tmp_path / "student", base=str(base), threads=1, preset="paper")

    answers = student.predict([row.input for row in BOTH])

    right = sum(answer.output == row.output for answer, row in zip(answers, BOTH, strict=True))
    assert right > 0.8 * len(BOTH)
    assert {label for label, _ in answers[0].alternatives} == {"delivery", "refund"}
    assert load(tmp_path / "student").predict(INPUTS)[0].output == student.predict(INPUTS)[0].output


@pytest.mark.long
def test_a_classifier_is_tuned_with_its_encoder_and_comes_back_the_same(base: Path, tmp_path: Path) -> None:
    from safetensors.torch import load_file

    student = train("classifier", ROWS, ROWS[::5], tmp_path / "student", base=str(base), threads=1, preset="paper")

    card = read_card(tmp_path / "student")
    before = load_file(base / "model.safetensors")
    after = load_file(tmp_path / "student" / "encoder" / "model.safetensors")
    assert any((after[name] != before[name]).any() for name in after)
    assert card.metrics["steps"] == card.metrics["steps_planned"]
    assert card.metrics["validation_exact_match"] == 1.0
    assert [one.output for one in student.predict(INPUTS[:3])] == ["delivery", "refund", "other"]
    assert load(tmp_path / "student").predict(INPUTS) == student.predict(INPUTS)
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_rows_and_seed_give_the_same_bytes(base: Path, tmp_path: Path, family: str) -> None:
    for name in ("one", "two"):
        train(family, ROWS, [], tmp_path / name, base=str(base), threads=1, preset="paper")

    for file in ("model.safetensors", "labels.json", "encoder/model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.long
def test_rows_that_count_more_are_heard_more(base: Path, tmp_path: Path) -> None:
    rows = [Row("a parcel", "delivery"), Row("a parcel", "refund"), *ROWS]
    weights = [0.01, 100.0, *[1.0] * len(ROWS)]

    student = train("embedding", rows, [], tmp_path / "student", base=str(base), threads=1, weights=weights)

    assert student.predict(["a parcel"])[0].output == "refund"


@pytest.mark.long
def test_where_time_is_short_a_row_of_each_answer_is_read_and_the_rest_is_left_out_and_told(
    base: Path, tmp_path: Path
) -> None:
    rows = [Row(f"where is parcel {i}", "delivery") for i in range(2000)] + ROWS
    told: list[str] = []
    seen: list[Progress] = []

    student = train(
        "embedding", rows, [], tmp_path / "student", base=str(base), threads=1, time_limit_s=1e-6,
        on_progress=seen.append, on_note=told.append,
    )  # fmt: skip

    assert told == ["1,524 rows are left out: there was no time to read them"]
    assert read_card(tmp_path / "student").metrics["rows_left_out"] == 1524
    assert [(progress.step, progress.steps) for progress in seen] == [(512, 2036)]
    assert {label for label, _ in student.predict(["?"])[0].alternatives} == {"delivery", "refund", "other"}


@pytest.mark.long
def test_where_time_is_short_every_answer_was_seen_however_many_there_are(base: Path, tmp_path: Path) -> None:
    rows = [Row(f"item {number}", f"label {number % 600}") for number in range(1300)]

    student = train("embedding", rows, [], tmp_path / "student", base=str(base), threads=1, time_limit_s=1e-6)

    card = read_card(tmp_path / "student")
    assert (card.sizes["labels"], card.metrics["rows_left_out"]) == (600, 1300 - 1024)
    assert all(0 < one.confidence <= 1 for one in student.predict(["item 599", "item 3"]))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("base_name", "says"),
    [
        pytest.param(None, "starts from an encoder: name one with --base", id="none named"),
        pytest.param("nobody/has-it", "neither a folder nor in the hub's cache", id="not here"),
        pytest.param("not a name!", "neither a folder nor in the hub's cache", id="no name"),
        pytest.param(".", "holds no encoder", id="no encoder"),
    ],
)
def test_a_base_that_cannot_be_had_is_one_line_with_the_way_out(
    tmp_path: Path, family: str, base_name: str | None, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    with pytest.raises(UserError, match=says) as raised:
        train(family, ROWS, [], tmp_path / "student", base=base_name)

    assert "train 'linear'" in str(raised.value)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


@pytest.mark.long
def test_more_labels_than_can_be_learnt_are_one_line() -> None:
    many = tuple(Row(f"input {n}", f"label {n}") for n in range(50_001))
    combined = tuple(Row(f"input {n}", json.dumps([f"label {n}"])) for n in range(2_001))

    with pytest.raises(UserError, match="50,001 labels are too many for 'embedding'"):
        choice_for(Lesson(rows=many), family="embedding")
    with pytest.raises(UserError, match="2,001 labels are too many for 'classifier'"):
        choice_for(Lesson(rows=combined), family="classifier")
    assert choice_for(Lesson(rows=many[:10_000]), family="embedding") == Choice(
        labels=tuple(sorted(row.output for row in many[:10_000]))
    )


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "content"),
    [
        pytest.param("labels.json", b"{", id="labels"),
        pytest.param("labels.json", b'{"labels": ["a"]}', id="other labels"),
        pytest.param("labels.json", b"[]", id="no object"),
        pytest.param("model.safetensors", b"x", id="weights"),
        pytest.param("encoder/config.json", b"{}", id="encoder"),
        pytest.param("encoder/model.safetensors", b"x", id="encoder's weights"),
    ],
)
def test_a_damaged_folder_is_one_line(embedded: Path, tmp_path: Path, file: str, content: bytes) -> None:
    folder = Path(shutil.copytree(embedded, tmp_path / "student"))
    (folder / file).write_bytes(content)

    with pytest.raises(UserError, match=r"is a damaged student .*train it again") as raised:
        load(folder)

    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("page", "licence"),
    [
        pytest.param("---\nlicense: apache-2.0\n---\n# It\n", "apache-2.0", id="one"),
        pytest.param("---\nlicense:\n- mit\n- cc0-1.0\n---\n", "mit, cc0-1.0", id="several"),
        pytest.param("# It\n", None, id="no head"),
        pytest.param("---\n- a\n---\n", None, id="a list for a head"),
        pytest.param("---\n{: [\n---\n", None, id="broken"),
        pytest.param(None, None, id="no page"),
    ],
)
def test_the_licence_of_a_base_is_what_its_page_tells(tmp_path: Path, page: str | None, licence: str | None) -> None:
    if page is not None:
        (tmp_path / "README.md").write_text(page)

    assert base_licence(tmp_path) == licence


def test_a_folder_is_a_base_wherever_it_lies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "mine").mkdir()

    assert base_folder("~/mine", family="embedding", otherwise="linear") == tmp_path / "mine"


BANKING = Path(__file__).parents[2].parent / "shared" / "data" / "banking77" / "dev.jsonl"
REAL = os.environ.get("SMELT_TEST_ENCODER", "")


@pytest.mark.slow
@pytest.mark.skipif(not REAL, reason="SMELT_TEST_ENCODER names no folder of a real sentence encoder")
@pytest.mark.skipif(not BANKING.exists(), reason="the third-party data sets are not beside this checkout")
def test_ten_real_rows_an_intent_are_worth_more_to_a_real_encoder_than_to_words(tmp_path: Path) -> None:
    by_label: dict[str, list[Row]] = {}
    for line in BANKING.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        by_label.setdefault(row["output"], []).append(Row(row["input"], row["output"]))
    known = [row for rows in by_label.values() for row in rows[:10]]
    held_out = [row for rows in by_label.values() for row in rows[10:15]]

    scores = {}
    for family, name in (("embedding", REAL), ("linear", None)):
        answers = train(family, known, [], tmp_path / family, base=name).predict([row.input for row in held_out])
        scores[family] = sum(one.output == row.output for one, row in zip(answers, held_out, strict=True))

    assert scores["embedding"] > scores["linear"] + 0.04 * len(held_out)
