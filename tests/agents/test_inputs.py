"""A user's unlabelled inputs: every layout, columns guessed and told, and what is wrong said in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.reading.inputs import InputRow, examine, parts_of
from agents.records import Pair, Spec
from engine.errors import UserError


def file(tmp_path: Path, name: str, content: str | bytes) -> Path:
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def texts(path: Path, column: str | None = None) -> list[str]:
    return [row.text for row in examine(path, column=column).inputs]


def parquet(tmp_path: Path, columns: dict[str, list[object]]) -> Path:
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table(columns), tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.txt", "one\n\n two\r\n", id="a text, blank lines left out"),
        pytest.param("a.txt", "\ufeffone\n two", id="with a byte order mark"),
        pytest.param("a.txt", "one\n two".encode("utf-16"), id="UTF-16"),
        pytest.param("a.csv", "id,text\n1,one\n2, two\n", id="CSV"),
        pytest.param("a.csv", "id;text\n1;one\n2; two\n", id="CSV with semicolons"),
        pytest.param("a.tsv", "text\tid\none\t1\n two\t2\n", id="TSV"),
        pytest.param("a.jsonl", '{"text": "one"}\n{"text": " two"}\n', id="JSONL"),
        pytest.param("a.json", '[{"text": "one"}, {"text": " two"}]', id="JSON"),
        pytest.param("a.jsonl", '{"n": 1, "said": "one"}\n{"n": 2, "said": " two"}\n', id="the only column with text"),
        pytest.param("A.TXT", "one\n two\n", id="in capitals"),
    ],
)
def test_inputs_are_read_from_every_layout(tmp_path: Path, name: str, content: str | bytes) -> None:
    assert texts(file(tmp_path, name, content)) == ["one", " two"]


def test_a_parquet_file_of_many_rows_is_read_in_order(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"text": [f"row {i}" for i in range(1000)]})

    assert texts(path) == [f"row {i}" for i in range(1000)]


def test_a_row_keeps_its_number_its_own_label_and_what_else_stood_there(tmp_path: Path) -> None:
    path = file(tmp_path, "a.jsonl", '{"id": 7, "text": "one", "label": "x", "tags": ["ä"]}\n{"text": null}\n')
    one, two = examine(path).inputs

    assert (one.number, one.text, one.given) == (1, "one", "x")
    assert json.loads(one.rest or "") == {"id": 7, "tags": ["ä"]}
    assert two == InputRow(2, "")


def test_rows_of_a_text_have_the_numbers_of_their_lines(tmp_path: Path) -> None:
    assert [row.number for row in examine(file(tmp_path, "a.txt", "a\n\n\nb\n")).inputs] == [1, 4]


def test_it_is_told_how_the_columns_are_understood(tmp_path: Path) -> None:
    table = examine(file(tmp_path, "a.csv", "id,text,label\n1,one,x\n"))
    text = examine(file(tmp_path, "a.txt", "one\ntwo\n"))

    assert table.told == (
        "1 input in a.csv: column 'text' is the input, column 'label' as labels to compare with, "
        "which the teacher does not see; kept beside them: id"
    )
    assert text.told == "2 inputs in a.txt, one a line"


def test_a_named_column_is_taken_whatever_others_are_called(tmp_path: Path) -> None:
    assert texts(file(tmp_path, "a.csv", "text,note\none,two\n"), column="note") == ["two"]


PREMISES = Spec(
    instruction="Does it follow?",
    demonstrations=(
        Pair("Premise: it rains\nHypothesis: it is wet", "yes"),
        Pair("Premise: it rains: a lot\nHypothesis: it is dry", "no"),
    ),
)


@pytest.mark.parametrize(
    ("inputs", "parts"),
    [
        (["Premise: a\nHypothesis: b", "Premise: c\nHypothesis: d"], ("Premise", "Hypothesis")),
        (["Premise: a\nHypothesis: b", "Premise: c"], ()),
        (["Hello: I am late", "Hello: you too"], ()),
        (["Note: a\nNote: b", "Note: c\nNote: d"], ()),
        (["at 12: 30\nand 13: 40", "at 14: 10\nand 15: 20"], ()),
        ([], ()),
    ],
    ids=["the same in all", "not in all", "one", "one twice", "numbers", "no demonstrations"],
)
def test_an_input_has_the_named_parts_that_all_demonstrations_have(inputs: list[str], parts: tuple[str, ...]) -> None:
    assert parts_of(Spec(instruction="?", demonstrations=tuple(Pair(each, "x") for each in inputs))) == parts


def test_columns_for_all_parts_of_the_prompts_examples_are_the_input(tmp_path: Path) -> None:
    path = file(tmp_path, "a.csv", "id,hypothesis,PREMISE,label\n1,b,a,yes\n2,,,no\n")
    examined = examine(path, parts=parts_of(PREMISES))
    one, two = examined.inputs

    assert (one.text, one.given, one.rest) == ("Premise: a\nHypothesis: b", "yes", '{"id": "1"}')
    assert two.text == ""
    assert ": columns 'PREMISE', 'hypothesis' are the input, as in the prompt, column 'label'" in examined.told


def test_a_named_column_goes_before_the_parts_and_missing_parts_are_none(tmp_path: Path) -> None:
    both = file(tmp_path, "a.csv", "premise,hypothesis\na,b\n")
    one = file(tmp_path, "b.csv", "premise,text\na,b\n")

    assert [row.text for row in examine(both, column="premise", parts=("Premise", "Hypothesis")).inputs] == ["a"]
    assert [row.text for row in examine(one, parts=("Premise", "Hypothesis")).inputs] == ["b"]


def test_the_digest_is_that_of_the_file(tmp_path: Path) -> None:
    one, other = (examine(file(tmp_path, name, text)) for name, text in (("a.txt", "a\n"), ("b.txt", "b\n")))

    assert one.digest == "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"
    assert one.digest != other.digest


@pytest.mark.parametrize(
    ("name", "content", "column", "complaint"),
    [
        pytest.param("a.txt", "", None, "holds no inputs", id="empty"),
        pytest.param("a.csv", "", None, "holds no inputs", id="an empty table"),
        pytest.param("a.csv", "text\n", None, "holds no inputs", id="a header alone"),
        pytest.param("a.txt", "\n \n", None, "holds no inputs", id="blank"),
        pytest.param("a.txt", b"ok\n\xff\xfe\x00", None, "line 2: is not UTF-8 text (byte 3)", id="binary"),
        pytest.param("a.csv", b"text\nok\n\xe9\n", None, "line 3: is not UTF-8 text (byte 8)", id="Latin-1"),
        pytest.param("a.parquet", b"PK\x03\x04", None, "is not a parquet file", id="no parquet"),
        pytest.param("a.xlsx", b"PK\x03\x04", None, "inputs are read from .txt (one a line)", id="a workbook"),
        pytest.param("a.jsonl", '{"text": "a"}\n{"text": \n', None, "line 2: is not valid JSON", id="broken JSON"),
        pytest.param("a.jsonl", '"a"\n', None, "must be a JSON object", id="no object"),
        pytest.param("a.csv", "p,q\nx,y\n", None, "or name it with --input-column", id="no usual name"),
        pytest.param("a.csv", "text\nx\n", "body", "has no column 'body'; its columns are 'text'", id="wrong column"),
        pytest.param("a.txt", "x\n", "body", "has no columns", id="a column of a text"),
        pytest.param("a.csv", 'text\n"open\n', None, "is not valid CSV", id="an open quotation"),
    ],
)
def test_what_cannot_be_read_is_said_in_one_line(
    tmp_path: Path, name: str, content: str | bytes, column: str | None, complaint: str
) -> None:
    path = file(tmp_path, name, content)

    with pytest.raises(UserError) as caught:
        examine(path, column=column)

    assert complaint in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bytes_are_no_text(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must be text"):
        examine(parquet(tmp_path, {"text": [b"\x00\x01"]}))


def test_a_place_without_a_file_is_said_so(tmp_path: Path) -> None:
    for name in ("nowhere.txt", "nowhere.csv", "nowhere.parquet"):
        with pytest.raises(UserError, match="cannot be read"):
            examine(tmp_path / name)


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv", "a.jsonl"])
def test_wide_characters_without_a_mark_are_refused_and_not_read_as_something_else(
    tmp_path: Path, name: str, encoding: str
) -> None:
    (tmp_path / name).write_bytes("text\none\n".encode(encoding))

    with pytest.raises(UserError, match="is UTF-32, or UTF-16 without a byte order mark, or no text; save it as UTF-8"):
        examine(tmp_path / name)
