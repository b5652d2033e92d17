"""Rows that cannot teach, or are odd: one line whatever the family, before anything is read or fetched."""

from __future__ import annotations

import json
import resource
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.errors import TrainingDiverged, UserError
from engine.fakes.checkpoints import save_causal, save_encoder, save_seq2seq
from engine.silence import in_silence
from engine.training import FAMILIES, Row, Student, load, read_card, train
from engine.training.lesson import Lesson
from engine.training.tuning import Question, tune

ROWS = [Row(f"where is parcel {n}", "track") for n in range(6)] + [Row(f"pay bill {n}", "pay") for n in range(6)]


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("rows", "said"),
    [
        pytest.param([], "at least 2 rows to learn from \\(got 0\\)", id="no row"),
        pytest.param(ROWS[:1], "at least 2 rows to learn from \\(got 1\\)", id="one row"),
        pytest.param(ROWS[:6], "all 6 rows have the output 'track'", id="one class"),
        pytest.param([Row("a", ""), Row("b", "")], "all 2 rows have the output ''", id="empty outputs"),
    ],
)
def test_rows_that_cannot_teach_are_one_line(tmp_path: Path, family: str, rows: list[Row], said: str) -> None:
    with pytest.raises(UserError, match=said):
        train(family, rows, [], tmp_path / "student")

    assert list(tmp_path.iterdir()) == []


def test_labels_that_differ_by_case_and_empty_ones_are_answers_like_others(tmp_path: Path) -> None:
    rows = [*ROWS, *(Row(f"hello there {n}", "Track") for n in range(6)), *(Row(f"? {n}", "") for n in range(6))]

    student = train("linear", rows, [], tmp_path / "student")

    said = [one.output for one in student.predict(["where is parcel 1", "hello there 2", "? 3"])]
    assert said == ["track", "Track", ""]


@pytest.mark.long
def test_an_input_of_a_megabyte_is_read_and_answered(tmp_path: Path) -> None:
    rows = [*ROWS, Row("where is parcel " * 20_000, "track")]

    student = train("linear", rows, [], tmp_path / "student")

    assert [one.output for one in student.predict(["pay bill " * 30_000])] == ["pay"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("labels", "said"),
    [
        pytest.param(500, "", id="fitted"),
        pytest.param(10_200, "10,200 labels and these rows are too many for a regression in full", id="stepwise"),
    ],
)
def test_very_many_labels_are_learnt_within_the_time(tmp_path: Path, labels: int, said: str) -> None:
    """Five hundred are fitted in full; ten thousand step by step, which is said."""
    rows = [Row(f"item {number:05}", f"label {number}") for number in range(labels)]
    told: list[str] = []

    student = train("linear", rows, [], tmp_path / "student", time_limit_s=30 if not said else 2, on_note=told.append)

    asked = rows[:: labels // 100]
    right = sum(
        one.output == row.output for one, row in zip(student.predict([r.input for r in asked]), asked, strict=True)
    )
    assert right >= 0.9 * len(asked)
    assert [line[: len(said)] for line in told] == ([said] if said else [])


# -- rows that are odd, for every family


HOSTILE = "[/x][bold]\x1b[2J\x00\u202e<script>alert(1)</script>{{ 7 * 7 }}</s><pad><end>"
ODD = [
    *ROWS,
    Row("where is parcel 3", "Track"),  # answered otherwise above, and spelt otherwise
    Row("", "pay"),
    Row("?", ""),
    Row("??", ""),
    Row(HOSTILE, HOSTILE),
    Row("half \ud83d", "\ud83d"),
    Row("pay " * 1000, "pay"),
    Row("at length", "y" * 600),
]
READS = {"causal": 64, "classifier": 64, "embedding": 64, "seq2seq": 1024, "tiny": 1024}  # tokens, of these bases
WRITES = {"causal": 64, "seq2seq": 512, "tiny": 512}


@pytest.fixture(scope="module")
def bases(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """What those families start from that need anything."""
    place = tmp_path_factory.mktemp("bases")
    with in_silence():
        encoder = save_encoder(place / "encoder")
        causal, seq2seq = save_causal(place / "causal", context=128), save_seq2seq(place / "seq2seq")
    return {"causal": causal, "classifier": encoder, "embedding": encoder, "seq2seq": seq2seq}


def taught(
    family: str, rows: Sequence[Row], folder: Path, *, base: Path | None, told: list[str] | None = None
) -> Student:
    return train(
        family,
        rows,
        ROWS[::4],
        folder,
        base=None if base is None else str(base),
        threads=1,
        time_limit_s=0.2,
        on_note=None if told is None else told.append,
    )


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_odd_rows_make_a_student_and_what_was_done_with_them_is_told(
    tmp_path: Path, family: str, bases: Mapping[str, Path]
) -> None:
    told: list[str] = []

    taught(family, ODD, tmp_path / "student", base=bases.get(family), told=told)

    asked = ["where is parcel 1", "", HOSTILE, "\ud83d", "pay " * 2000]
    answers = load(tmp_path / "student").predict(asked)
    assert "".join(one.output for one in answers).encode()  # whole characters, and no silence throughout
    assert [one.cut for one in answers] == [False] * 4 + [family in READS]
    assert "1 row holds half a surrogate pair, which no file can: U+FFFD stands in its place" in told
    cut = f"longer than the {READS.get(family, 0):,} tokens that this student reads: cut at the end"
    assert any(cut in line for line in told) is (family in READS)
    left_out = f"left out: outputs of more than {WRITES.get(family, 0):,} tokens"
    assert any(left_out in line for line in told) is (family in WRITES)
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


@pytest.mark.long
@pytest.mark.parametrize("family", ["causal", "classifier", "embedding", "seq2seq"])
def test_numbers_that_are_none_end_a_training_in_one_line(
    tmp_path: Path, family: str, bases: Mapping[str, Path]
) -> None:
    """From a base whose weights are damaged; `tiny` learns as `seq2seq` does, and `linear` has no loss."""
    base = spoilt(bases[family], tmp_path / "base")

    with pytest.raises(TrainingDiverged, match=r"nothing was saved.* another base") as refused:
        taught(family, ROWS, tmp_path / "student", base=base)

    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2
    assert [path.name for path in tmp_path.iterdir()] == ["base"]


def spoilt(base: Path, folder: Path) -> Path:
    """A copy with weights that are no numbers."""
    from safetensors.numpy import load_file, save_file

    shutil.copytree(base, folder)
    weights = {name: values * float("nan") for name, values in load_file(base / "model.safetensors").items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.mark.long
@pytest.mark.parametrize("family", FAMILIES)
def test_a_full_disk_is_one_line_and_an_older_student_stays(
    tmp_path: Path, family: str, bases: Mapping[str, Path]
) -> None:
    older = tmp_path / "student"
    older.mkdir()
    (older / "student.json").write_text(json.dumps({"family": "older", "format": 1}), encoding="utf-8")

    with full_disk(), pytest.raises(UserError, match=r"cannot be written \(File too large\)") as refused:
        taught(family, ROWS, older, base=bases.get(family))

    assert "\n" not in str(refused.value)
    assert read_card(older).family == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


@pytest.mark.long
def test_a_teacher_that_finds_no_room_is_one_line_too(tmp_path: Path, bases: Mapping[str, Path]) -> None:
    lesson = Lesson(rows=tuple(ROWS), base=str(bases["causal"]), threads=1, time_limit_s=0.1)

    with full_disk(), pytest.raises(UserError, match=r"cannot write the teacher .* File too large$") as refused:
        tune(lesson, [Question((5, 6), "a"), Question((7,), "b")], [], tmp_path / "teacher")

    assert "\n" not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


@contextmanager
def full_disk() -> Iterator[None]:
    """No file may grow beyond a thousand bytes, which whoever writes sees as a full disk is seen."""
    before, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (before, most))
