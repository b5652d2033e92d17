"""Rows in other tools' forms: what each reader documents, and nothing in a row can be more than a text there."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example as for_example
from hypothesis import given
from hypothesis import strategies as st

from agents.collect import collect
from agents.config import Configuration
from agents.parsing.specs import write_spec
from agents.records import Example, Provenance, Spec, Vote
from agents.reporting.data_card import DataCard
from agents.reporting.export import FORMATS, Csv, json_line
from agents.reporting.hub import token_in
from agents.run_folder import RunFolder
from engine.errors import UserError
from tests.agents.commands import in_this_process as smelt

SPEC = Spec(instruction="Route the message.\nAnswer with the intent.", kind="classification", labels=("card", "=cash"))
ROW = {"input": "My card is\u2028gone", "output": "card"}
SYSTEM = {"role": "system", "content": SPEC.instruction}
USER = {"role": "user", "content": ROW["input"]}
ASSISTANT = {"role": "assistant", "content": "card"}


def made(number: int) -> Example:
    output = "=cash" if number % 4 == 0 else "card"
    text = f"message {number} of somebody" if number else "@SUM(A1)"
    source = Provenance(request=number, position=0, temperature=0.7, target=None)
    return Example(text, output, Vote(output, 1.0, (output, output)), source)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with forty rows, as far as export looks."""
    pytest.importorskip("pyarrow")
    folder = RunFolder(tmp_path / "run")
    folder.begin(prompt="p", configuration=Configuration(model="simulated/dates", budget="1", train=False))
    write_spec(folder.spec, SPEC)
    card = DataCard(teacher="simulated/dates", simulated=True)
    collect(SPEC, [made(number) for number in range(40)], [], folder=folder.data, card=card, seed=0)
    return folder.path


@pytest.mark.parametrize(
    ("form", "wanted"),
    [
        ("alpaca", {"instruction": SPEC.instruction, "input": ROW["input"], "output": "card"}),
        ("chat", {"messages": [SYSTEM, USER, ASSISTANT]}),
        ("openai", {"messages": [SYSTEM, USER, ASSISTANT]}),
        ("trl", {"prompt": [SYSTEM, USER], "completion": [ASSISTANT]}),
        (
            "prompt-completion",
            {"prompt": f"{SPEC.instruction}\n\nInput: {ROW['input']}\nOutput:", "completion": " card"},
        ),
    ],
)
def test_a_row_reads_as_the_tool_documents_it(form: str, wanted: object) -> None:
    assert json.loads(json_line(ROW, spec=SPEC, form=form)) == wanted


@given(asked=st.text(), answered=st.text(), form=st.sampled_from(sorted(FORMATS)))
@for_example(asked="{output}{instruction}", answered="\u2029\n", form="prompt-completion")
def test_whatever_stands_in_a_row_is_one_line_that_holds_it(asked: str, answered: str, form: str) -> None:
    line = json_line({"input": asked, "output": answered}, spec=SPEC, form=form)
    told = json.loads(line)
    texts = json.dumps(told, ensure_ascii=False)

    assert line.endswith(b"\n")
    assert line.count(b"\n") == 1
    assert not {"\u2028", "\u2029"} & set(line.decode())
    assert json.dumps(asked, ensure_ascii=False)[1:-1] in texts
    assert json.dumps(answered, ensure_ascii=False)[1:-1] in texts


def cells(table: Csv, *rows: dict[str, object]) -> list[list[str]]:
    written = b"".join(table.lines(iter(rows))).decode()
    return list(csv.reader(io.StringIO(written, newline="")))


@given(st.lists(st.tuples(st.text(), st.text()), min_size=1))
def test_no_cell_of_a_csv_begins_like_a_formula_and_as_is_is_as_it_is(rows: list[tuple[str, str]]) -> None:
    # What a lone carriage return is within quotation marks, Python's reader cannot say; spreadsheets can.
    rows = [(asked.replace("\r", "\n"), answered.replace("\r", "\n")) for asked, answered in rows]
    told: list[dict[str, object]] = [{"input": asked, "output": answered} for asked, answered in rows]
    guarded, plain = cells(Csv(), *told), cells(Csv(as_is=True), *told)

    assert plain == [["input", "output"], *map(list, rows)]
    for was, row in zip(plain, guarded, strict=True):
        for cell, now in zip(was, row, strict=True):
            assert now in (cell, f"'{cell}")
            assert not now.startswith(("=", "@", "\t"))


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=1+1", "'=1+1"), ("+49 30 1234", "'+49 30 1234"), ("-2+3", "'-2+3"), ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"), ("＝1", "'＝1"), ("-5", "-5"), ("+1.5e3", "+1.5e3"), ("-12%", "-12%"), ("a=b", "a=b"),
        ("", ""),
    ],
)  # fmt: skip
def test_formulas_get_an_apostrophe_and_numbers_do_not(cell: str, written: str) -> None:
    table = Csv()

    assert cells(table, {"input": cell, "output": "x"})[1] == [written, "x"]
    assert table.guarded == (cell != written)


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_the_training_part_is_handed_out_unless_told_otherwise(run: Path, tmp_path: Path, form: str) -> None:
    ran = smelt("export", run, "--format", form)
    parts = smelt("export", run, "--format", form, "--part", "validation", "--part", "test").out.splitlines()
    whole = smelt("export", run, "--format", form, "--part", "all", "--out", tmp_path / "all.jsonl")

    assert (ran.code, ran.err) == (0, "")
    assert len(ran.out.splitlines()) + len(parts) == 40
    assert whole.out == f"40 rows are in {tmp_path / 'all.jsonl'}\n"
    assert sorted((tmp_path / "all.jsonl").read_text(encoding="utf-8").splitlines()) == sorted(
        [*ran.out.splitlines(), *parts]
    )


def test_a_csv_says_how_many_cells_it_has_changed(run: Path, tmp_path: Path) -> None:
    ran = smelt("export", run, "--format", "csv", "--part", "all", "--out", tmp_path / "rows.csv")
    plain = smelt("export", run, "--format", "csv", "--part", "all", "--as-is")

    assert ran.out == f"40 rows are in {tmp_path / 'rows.csv'}\n"
    assert ran.err == "note: 11 cells begin like formulas and got an apostrophe; --as-is leaves them alone\n"
    assert (tmp_path / "rows.csv").read_text(encoding="utf-8").count("'=cash") == 10
    assert "'" not in plain.out
    assert plain.err == ""


def test_openai_is_told_of_too_few_rows(run: Path) -> None:
    ran = smelt("export", run, "--format", "openai", "--part", "test")

    assert ran.code == 0
    assert ran.err == "note: OpenAI takes 10 rows or more for fine-tuning\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["RUN", "--format", "xml"], "alpaca, axolotl, chat, csv, llamafactory, onnx", id="form"),
        pytest.param(["RUN", "--format", "csv", "--part", "x"], "there are: train, validation, test, all", id="part"),
        pytest.param(["RUN", "--format", "csv", "--requests"], "give one of them", id="both"),
        pytest.param(["RUN"], "say what to export", id="nothing"),
        pytest.param(["RUN", "--push-to-hub", "me/rows", "--no-memory"], "is for a student", id="no student"),
        pytest.param(["RUN/..", "--format", "csv"], "holds no run", id="no run"),
        pytest.param(["RUN", "--push-to-hub", "me/rows"], "put it into HF_TOKEN", id="no token"),
    ],
)  # fmt: skip
def test_what_cannot_be_exported_is_said_in_one_line(
    run: Path, words: list[str], complaint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    ran = smelt("export", *(word.replace("RUN", str(run)) for word in words))

    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err
    assert ran.err.count("\n") == 1


def test_a_run_without_rows_says_how_to_get_them(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(prompt="p", configuration=Configuration(model="simulated/dates", budget="1"))
    ran = smelt("export", folder.path, "--format", "csv")

    assert ran.code == 2
    assert f"bring the run to its end: smelt resume {folder.path}" in ran.err


def test_the_token_comes_from_the_environment_and_nothing_else() -> None:
    assert token_in({"HUGGING_FACE_HUB_TOKEN": " hf_b "}) == "hf_b"
    assert token_in({"HF_TOKEN": "hf_a", "HUGGING_FACE_HUB_TOKEN": "hf_b"}) == "hf_a"
    with pytest.raises(UserError, match="HF_TOKEN"):
        token_in({"HF_TOKEN": " "})


@pytest.mark.slow
@pytest.mark.parametrize("form", [*sorted(FORMATS), "csv"])
def test_the_library_for_data_sets_reads_every_form(run: Path, tmp_path: Path, form: str) -> None:
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing datasets warns of its own dependencies
        datasets = pytest.importorskip("datasets")
        kind = "csv" if form == "csv" else "json"
        out = tmp_path / f"rows.{kind}"
        smelt("export", run, "--format", form, "--part", "all", "--out", out)
        read: Callable[..., object] = datasets.load_dataset
        rows = read(kind, data_files=str(out), split="train", cache_dir=str(tmp_path / "cache"))

    assert len(list(rows)) == 40  # type: ignore[call-overload]  # a Dataset, which has no types
