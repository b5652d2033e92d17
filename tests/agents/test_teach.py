"""`smelt teach`: what it refuses, what its table says, and a whole course with a model that has read nothing."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from agents.parsing.specs import read_spec
from agents.teaching.table import OF_ALL, OF_REAL_ROWS, Cell, TeachReport, lines_of, page_of, warnings_of
from engine.evaluation import Score
from engine.fakes.checkpoints import TEMPLATE, save_causal, save_seq2seq
from tests.agents.commands import Ran
from tests.agents.commands import in_this_process as smelt

WITH_TORCH = pytest.mark.skipif(
    not all(importlib.util.find_spec(name) for name in ("torch", "transformers", "peft")), reason="the extra train"
)

WORDS = {"yes": ("good", "fine", "well", "right"), "no": ("bad", "ill", "wrong", "poor")}
ROWS = [
    {"input": f"{word} {thing}", "output": label}
    for thing in ("bread", "shoes", "water", "paint", "roads")
    for label, words in WORDS.items()
    for word in words
]


def report(*cells: Cell) -> TeachReport:
    return TeachReport(
        model="local/x", teacher="t/teacher", spec="t/spec.json", student="linear", test_rows=30, seed=0, whole=False,
        cells=cells, notes=("Something to know.",),
    )  # fmt: skip


SCORED = Cell(
    who="student of real rows",
    labels=1200,
    rows=1200,
    scores=(Score("accuracy", 0.5, 0.4, 0.6, 30), Score("macro-F1", 0.25, 0.2, 0.3, 30)),
)


def test_every_line_of_the_table_has_the_same_columns_and_each_figure_its_interval() -> None:
    untrained = Cell(who="student | of generated rows", labels=10, rows=1, why="not trained: 1 row")

    lines = lines_of(report(untrained, SCORED))

    assert [list(line) for line in lines] == [["real labels", "who", "rows", "accuracy", "macro-F1", "unanswered"]] * 2
    assert lines[0]["accuracy"] == "not trained: 1 row"
    assert lines[1]["accuracy"] == "0.500 (0.400 to 0.600)"
    assert lines[1]["real labels"] == "1,200"


def test_the_page_says_how_the_teacher_is_used_and_no_cell_breaks_its_table() -> None:
    page = page_of(report(Cell(who="a | b\n\nc", labels=1, rows=1, why="x"), SCORED))

    table = [line for line in page.splitlines() if line.startswith("|")]
    assert len(table) == 4
    assert len({line.count("|") for line in table}) == 1
    assert "smelt run t/spec.json --model local/t/teacher" in page
    assert "Something to know." in page


def of(who: str, accuracy: float) -> Cell:
    return Cell(
        who=who, labels=50, rows=50, scores=(Score("accuracy", accuracy, accuracy - 0.05, accuracy + 0.05, 200),)
    )


@pytest.mark.parametrize(
    ("together", "warned"),
    [pytest.param(0.44, True, id="worse"), pytest.param(0.85, False, id="hardly to be told apart")],
)
def test_a_teacher_that_does_harm_is_said_to(together: float, warned: bool) -> None:
    told = warnings_of([of(OF_REAL_ROWS, 0.92), SCORED, of(OF_ALL, together)])

    assert [line.startswith("This teacher makes students worse") for line in told] == [True] * warned


def test_of_a_student_that_could_not_be_trained_nothing_is_said() -> None:
    assert warnings_of([of(OF_REAL_ROWS, 0.92), Cell(who=OF_ALL, labels=50, rows=1, why="not trained: 1 row")]) == []


# -- the command


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch")
    return save_causal(tmp_path_factory.mktemp("model"), template=TEMPLATE, context=1024)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@WITH_TORCH
@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--model", "openai/gpt"], "only a model in this process can be tuned", id="not local"),
        pytest.param(["--model", "local/"], "only a model in this process can be tuned", id="no name"),
        pytest.param(["--model", "local/nowhere"], "neither a folder nor in the hub's cache", id="nowhere"),
        pytest.param(["--model", "MODEL", "--sweep", "10,900"], "--sweep 900: there are 32 rows", id="too many"),
        pytest.param(["--model", "MODEL", "--sweep", "1"], "at least 2 real labels", id="too few"),
        pytest.param(["--model", "MODEL", "--sweep", "ten"], "whole numbers with commas", id="no number"),
        pytest.param(["--model", "MODEL", "--student", "tall"], "unknown family 'tall'", id="family"),
        pytest.param(["--model", "MODEL", "--prompt", "PROMPT"], "which is none of the prompt's labels", id="labels"),
        pytest.param(["--model", "MODEL", "--out", "."], "is not empty and holds no teacher", id="folder"),
    ],
)
@pytest.mark.long
def test_what_cannot_be_taught_is_said_in_a_line(
    words: list[str], told: str, model: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prompt.md").write_text("Is it spam? Answer with spam or ham.\n\nInput: buy now\nOutput: spam\n")
    named = {"MODEL": f"local/{model}", "PROMPT": str(tmp_path / "prompt.md")}

    done = smelt("teach", data, *(named.get(word, word) for word in words))

    assert done.code == 2
    assert told in done.err
    assert done.err.count("\n") == 1
    assert not (tmp_path / "teachers").exists()


@WITH_TORCH
def test_an_encoder_decoder_is_refused(data: Path, tmp_path: Path) -> None:
    done = smelt("teach", data, "--model", f"local/{save_seq2seq(tmp_path / 'm')}", "--out", tmp_path / "t")

    assert (done.code, "only decoder-only models" in done.err) == (2, True)


@pytest.fixture(scope="module")
def taught(model: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ran, list[object]]:
    """A course, and the words that began it."""
    place = tmp_path_factory.mktemp("taught")
    (place / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (place / "more.txt").write_text("good luck\nbad luck\ngood bread\n")
    words: list[object] = [
        "teach", place / "rows.jsonl", "--model", f"local/{model}", "--inputs", place / "more.txt", "--sweep", "16",
        "--examples", "4", "--train-seconds", "4", "--whole", "--threads", "1", "--out", place / "t", "--json",
    ]  # fmt: skip
    return smelt(*words), words


@WITH_TORCH
@pytest.mark.slow
def test_a_course_ends_with_a_teacher_and_a_table(taught: tuple[Ran, list[object]]) -> None:
    """Every number of labels has its lines, each judged on the same real rows; the teacher is a model's folder."""
    done, words = taught
    told = json.loads(done.out)
    folder = Path(str(words[words.index("--out") + 1]))
    who = [(cell["labels"], cell["who"]) for cell in told["cells"]]
    students = ["student of real rows", "student of annotated rows", "student of generated rows"]
    judged = [cell for cell in told["cells"] if cell["scores"]]

    assert done.code == 0
    assert who[:3] == [(0, "teacher, as it came"), (16, "teacher, tuned"), (16, "the most frequent label")]
    assert {count for count, _ in who} == {0, 16, 32}
    assert all((count, name) in who for count in (16, 32) for name in (*students, "student of all of these"))
    assert all(score["rows"] == told["test_rows"] for cell in judged for score in cell["scores"])
    assert all(cell["scores"] or cell["why"].startswith("not trained") for cell in told["cells"])
    if importlib.util.find_spec("llguidance"):  # a model that has read nothing answers with labels, too
        assert all(cell["unanswered"] == 0 for cell in told["cells"])
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {
        path.name for path in (folder / "teacher").iterdir()
    }
    assert read_spec(folder / "spec.json").labels == read_spec(folder / "spec.json").labels
    assert set(read_spec(folder / "spec.json").labels) == {"yes", "no"}
    assert json.loads((folder / "teach.json").read_text()) == told
    assert not (folder / "sweep" / "16" / "teacher").exists()


@WITH_TORCH
@pytest.mark.slow
def test_inputs_without_labels_are_labelled_and_those_to_judge_by_are_not(taught: tuple[Ran, list[object]]) -> None:
    _, words = taught
    folder = Path(str(words[words.index("--out") + 1]))

    rows = [json.loads(line) for line in (folder / "annotated.jsonl").read_text().splitlines()]

    assert {row["input"] for row in rows} <= {"good luck", "bad luck"}
    assert {row["output"] for row in rows} <= {"yes", "no"}


@WITH_TORCH
@pytest.mark.slow
def test_the_same_again_tunes_and_asks_nothing_anew_and_another_is_refused(taught: tuple[Ran, list[object]]) -> None:
    done, words = taught
    journal = Path(str(words[words.index("--out") + 1])) / "journal.db"
    asked = _attempts(journal)

    other = smelt(*words, "--seed", "1")

    assert other.code == 2
    assert "holds another teacher" in other.err
    again = smelt(*words)

    assert again.code == 0
    assert "is there already" in again.err
    assert "is tuned on" not in again.err
    assert _figures(again) == _figures(done)
    assert _attempts(journal) == asked


def _figures(done: Ran) -> list[object]:
    return [(cell["labels"], cell["who"], cell["rows"], cell["scores"]) for cell in json.loads(done.out)["cells"]]


def _attempts(journal: Path) -> int:
    from engine.journal import read

    return sum(1 for _ in read(journal))
