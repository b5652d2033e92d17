"""A student that leaves: only what is meant to leave, whole or not at all, and not with other answers than it gave."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from agents.config import Configuration
from agents.records import Pair, Spec
from agents.run_folder import RunFolder
from agents.students.student_export import export_student, rows_to_compare
from agents.students.task import Task, as_table
from engine.errors import UserError
from engine.training import Row, load, read_card, train
from engine.training.folder import write_card
from tests.agents.commands import in_this_process as smelt
from tests.agents.test_hub import hub

ROWS = [
    Row("good day", "hello"),
    Row("see you", "bye"),
    Row("good morning", "hello"),
    Row("farewell", "bye"),
]
TASK = Task(
    name="greetings",
    prompt="p",
    spec=Spec(
        instruction="Answer.",
        kind="classification",
        labels=("hello", "bye"),
        demonstrations=(Pair("good night", "bye"),),
    ),
    teacher="openai/x",
    simulated=False,
)


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("taught") / "student"
    train("linear", ROWS, ROWS, folder, task=as_table(TASK))
    return folder


@pytest.fixture
def student(taught: Path, tmp_path: Path) -> Path:
    return shutil.copytree(taught, tmp_path / "student")


@pytest.fixture
def remembering(student: Path) -> Path:
    """As `tiny` leaves its rows; that this one knows nothing of them matters to nobody here."""
    card = read_card(student)
    write_card(student, replace(card, sizes={**card.sizes, "rows_remembered": 4}))
    (student / "memory").mkdir()
    for name in ("memory/rows.json", "calibration.json"):
        (student / name).write_text("{}")
    return student


def names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_as_it_is_it_can_be_brought_back_and_nothing_else_leaves(student: Path, tmp_path: Path) -> None:
    (student / "notes.txt").write_text("private")
    (student / "model.pkl").write_bytes(b"\x80")
    (tmp_path / "secret.json").write_text("{}")
    (student / "link.json").symlink_to(tmp_path / "secret.json")
    (student / "encoder").mkdir()
    (student / "encoder" / "config.json").write_text("{}")

    export_student(student, tmp_path / "out", form="safetensors")

    assert names(tmp_path / "out") == {
        "student.json", "vocabulary.json", "model.safetensors", "encoder/config.json", "README.md",
    }  # fmt: skip
    assert load(tmp_path / "out").predict(["see you"])[0].output == "bye"
    assert "openai/x" in (tmp_path / "out" / "README.md").read_text()


def test_what_is_there_already_is_left_alone(student: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    with pytest.raises(UserError, match="is there already"):
        export_student(student, tmp_path / "out", form="safetensors")


@pytest.mark.parametrize("out", ["/dev/full/x", "/proc/nowhere/x"])
def test_a_place_that_takes_nothing_is_named_with_the_way_out(student: Path, out: str) -> None:
    with pytest.raises(UserError, match=rf"^{out}: cannot be written \(.+\); make room, or choose another with --out$"):
        export_student(student, Path(out), form="safetensors")


def test_what_is_no_student_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="is no student"):
        export_student(tmp_path / "nothing", tmp_path / "out", form="safetensors")

    assert not list(tmp_path.iterdir())


def test_as_onnx_its_answers_are_compared_first(student: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

    exported = export_student(student, tmp_path / "out", form="onnx", inputs=[row.input for row in ROWS])

    assert exported.agreement is not None
    assert (exported.agreement.rows, exported.agreement.share) == (4, 1.0)
    assert names(tmp_path / "out") == {"model.onnx", "vocabulary.json", "predict.py", "README.md", "agreement.json"}
    assert "4 of 4 answers are the same" in (tmp_path / "out" / "README.md").read_text()
    assert json.loads((tmp_path / "out" / "agreement.json").read_bytes())["int8"] is True


def test_below_the_floor_nothing_leaves(student: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    with pytest.raises(UserError, match=r"4 of 4 answers .* below 1.5; --full-precision .* --floor"):
        export_student(student, tmp_path / "out", form="onnx", inputs=[row.input for row in ROWS], floor=1.5)
    with pytest.raises(UserError, match="--rows FILE"):
        export_student(student, tmp_path / "out", form="onnx")

    assert {path.name for path in tmp_path.iterdir()} == {"student"}


def test_a_memory_goes_along_and_stays_behind_with_what_was_found_with_it(remembering: Path, tmp_path: Path) -> None:
    whole = export_student(remembering, tmp_path / "whole", form="safetensors")
    alone = export_student(remembering, tmp_path / "alone", form="safetensors", memory=False)

    assert names(whole.folder) - names(alone.folder) == {"memory/rows.json", "calibration.json"}
    assert "lie in its folder `memory`" in (whole.folder / "README.md").read_text()
    assert "answers otherwise than the figures below say" in (alone.folder / "README.md").read_text()
    assert (whole.forgets, alone.forgets) == (False, True)


def test_without_a_memory_there_is_nothing_to_leave_behind(student: Path, tmp_path: Path) -> None:
    (student / "calibration.json").write_text("{}")

    exported = export_student(student, tmp_path / "out", form="safetensors", memory=False)

    assert "calibration.json" in names(exported.folder)
    assert not exported.forgets


def test_a_memory_that_onnx_cannot_carry_is_refused_before_rows_are_asked_for(
    remembering: Path, tmp_path: Path
) -> None:
    ran = smelt("export", remembering, "--format", "onnx", "--out", tmp_path / "out")

    assert ran.code == 2
    assert "--no-memory hands on what answers without them" in ran.err
    assert ran.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_as_onnx_without_its_memory_it_is_compared_with_itself_without_it(remembering: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    out, rows = tmp_path / "out", tmp_path / "rows.txt"
    rows.write_text("good day\nsee you\n")

    ran = smelt("export", remembering, "--format", "onnx", "--no-memory", "--rows", rows, "--out", out)

    assert ran.code == 0, ran.err
    assert "beside the student without its memory, 2 of 2 answers are the same" in ran.out
    page = (out / "README.md").read_text()
    assert "Beside the student without its memory, 2 of 2 answers are the same" in page
    assert "answers otherwise than the figures below say" in page
    assert not (out / "memory").exists()


def test_rows_to_compare_are_those_named_or_the_runs_or_the_prompts(student: Path, tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    (tmp_path / "mine.txt").write_text("one\ntwo\n")
    of_the_prompt = rows_to_compare(student, file=None)
    (tmp_path / "data").mkdir()
    parquet.write_table(
        pa.Table.from_pylist([{"input": "a"}, {"input": "b"}]), tmp_path / "data" / "validation.parquet"
    )

    assert of_the_prompt == ("good night",)
    assert rows_to_compare(student, file=None) == ("a", "b")
    assert rows_to_compare(student, file=tmp_path / "mine.txt") == ("one", "two")


@pytest.mark.long
def test_the_command_hands_out_a_student(student: Path, tmp_path: Path) -> None:
    kept = smelt("export", student, "--format", "safetensors", "--out", tmp_path / "out")
    again = smelt("export", student, "--format", "safetensors", "--out", tmp_path / "out")
    rows = smelt("export", student, "--format", "csv")

    assert (kept.code, again.code, rows.code) == (0, 2, 2)
    assert "the student is in" in kept.out
    assert "is there already" in again.err
    assert "one of: onnx, safetensors" in rows.err


@pytest.mark.long
def test_onto_the_hub_goes_a_model_with_its_card(student: Path, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    run.begin(prompt="p", configuration=Configuration(model="simulated/dates", budget="1"))
    shutil.copytree(student, run.student)
    from agents.reporting.hub import push

    exported = export_student(run.student, tmp_path / "out", form="safetensors")
    with hub() as (url, sent):
        place = push(exported.folder, "me/rows", public=False, token="hf_secret", kind="model", endpoint=url)
    (commit,) = [body for path, _, body in sent if "/commit/" in path]
    paths = {json.loads(line)["value"].get("path") for line in commit.splitlines()[1:]}

    assert place == f"{url}/me/rows"
    assert json.loads(sent[0][2])["name"] == "rows"
    assert json.loads(sent[0][2]).get("type") in (None, "model")
    assert paths == {"README.md", "model.safetensors", "student.json", "vocabulary.json"}


def test_without_a_token_nothing_is_begun(student: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.delenv("HUGGING_FACE_HUB_TOKEN", raising=False)

    ran = smelt("export", student, "--push-to-hub", "me/student", "--out", tmp_path / "out")

    assert ran.code == 2
    assert "HF_TOKEN" in ran.err
    assert not (tmp_path / "out").exists()
