"""A user's rows are read whatever the columns are called, and a file that cannot be read says where and why."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.reading.rows import read_rows
from agents.records import Pair
from engine.errors import UserError

ROWS = (Pair("where is it?", "track"), Pair("a, b; c\nd", "N/A"))


def as_jsonl(rows: tuple[Pair, ...]) -> str:
    return "".join(json.dumps({"input": row.input, "output": row.output}) + "\n" for row in rows)


FILES = {
    "rows.jsonl": as_jsonl(ROWS),
    "rows.ndjson": "\n" + as_jsonl(ROWS).replace("\n", "\r\n"),
    "rows.json": json.dumps([{"question": row.input, "answer": row.output, "id": 1} for row in ROWS], indent=1),
    "lines.json": as_jsonl(ROWS),
    "rows.csv": 'id,text,label\n1,where is it?,track\n2,"a, b; c\nd",N/A\n',
    "semicolons.csv": 'Text;Label\nwhere is it?;track\n"a, b; c\nd";N/A\n',
    "rows.tsv": 'utterance\tintent\nwhere is it?\ttrack\n"a, b; c\nd"\tN/A\n',
    "chat.jsonl": "".join(
        json.dumps(
            {
                "messages": [
                    {"role": "system", "content": "Route."},
                    {"role": "user", "content": row.input},
                    {"role": "assistant", "content": row.output},
                ]
            }
        )
        + "\n"
        for row in ROWS
    ),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_rows_are_read_from_every_format(name: str, encoding: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(FILES[name].encode(encoding))

    assert read_rows(tmp_path / name) == ROWS


def test_rows_are_read_from_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    table = pa.table({"text": [row.input for row in ROWS], "label": [row.output for row in ROWS]})
    parquet.write_table(table, tmp_path / "rows.parquet")

    assert read_rows(tmp_path / "rows.parquet") == ROWS


def test_named_columns_come_before_the_usual_ones(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"input": "a", "output": "b", "Titel": "c", "Sparte": "d"}\n')

    assert read_rows(path, input_column="Titel", output_column="Sparte") == (Pair("c", "d"),)


def test_one_column_is_never_both_input_and_output(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"answer": "a"}\n')

    with pytest.raises(UserError, match="no input column"):
        read_rows(path)


def test_values_that_are_no_text_become_text(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"x": 1, "y": 2.5}\n{"x": "a", "y": true}\n{"x": [1, "ä"], "y": {"b": null}}\n')

    assert read_rows(path) == (Pair("1", "2.5"), Pair("a", "true"), Pair('[1, "ä"]', '{"b": null}'))


@given(st.lists(st.tuples(st.text().filter(str.strip), st.text()), min_size=1))
def test_whatever_stands_in_a_row_is_data(pairs: list[tuple[str, str]]) -> None:
    from tempfile import TemporaryDirectory

    rows = tuple(Pair(*pair) for pair in pairs)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rows.jsonl"
        path.write_text(as_jsonl(rows), encoding="utf-8", newline="")
        assert read_rows(path) == rows


def test_hostile_content_is_data(tmp_path: Path) -> None:
    nasty = ["[/red]", "\x1b[31m", "{x}", "../../etc", "=1+1", "a\u2028b", "x" * 300_000, "\0"]
    path = tmp_path / "rows.jsonl"
    path.write_text(as_jsonl(tuple(Pair(text, text) for text in nasty)), encoding="utf-8")

    assert [row.input for row in read_rows(path)] == nasty


def test_long_fields_of_a_table_are_read(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text(f"input,output\n{'x' * 300_000},y\n")

    assert len(read_rows(tmp_path / "rows.csv")[0].input) == 300_000


def test_half_a_surrogate_pair_becomes_the_replacement_character(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"input": "a\\ud800b", "output": "\\ud83d\\ude00"}\n')

    assert read_rows(path) == (Pair("a\ufffdb", "😀"),)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        pytest.param("rows.xlsx", b"PK", "rows are read from .csv", id="unknown format"),
        pytest.param("rows.jsonl", b"", "holds no rows", id="empty"),
        pytest.param("rows.csv", b"input,output\n", "holds no rows", id="header alone"),
        pytest.param("rows.json", b"  ", "holds no rows", id="blank"),
        pytest.param("rows.jsonl", b'{"input": "a", "output": "b"}\n{"input"', "line 2", id="cut line"),
        pytest.param("rows.jsonl", b'{"input": "a", "output": "b"}\n[1]\n', "line 2.*JSON object", id="no object"),
        pytest.param(
            "rows.jsonl", b'{"input": "a", "output": "b"}\n{"input": "c"}\n', "line 2.*'output'", id="no output"
        ),
        pytest.param("rows.jsonl", b'{"input": " ", "output": "b"}\n', "line 1.*is empty", id="blank input"),
        pytest.param("rows.jsonl", b'{"input": "a", "output": null}\n', "line 1.*'output'", id="null"),
        pytest.param("rows.jsonl", b'{"input": "a", "output": NaN}\n', "line 1.*'output'", id="not a number"),
        pytest.param(
            "rows.jsonl", b'{"a": "a", "b": "b"}\n', "no input column; its columns are 'a', 'b'", id="columns"
        ),
        pytest.param("rows.jsonl", b'{"text": "a", "b": "b"}\n', "no output column", id="no output column"),
        pytest.param("rows.jsonl", b"[" * 100_000, "line 1", id="nested without end"),
        pytest.param("rows.json", b'[{"input": "a"}, 3]', "row 2", id="no object in an array"),
        pytest.param("rows.json", b'"text"', "JSON array", id="no array"),
        pytest.param("rows.csv", b"input,output\na,b\n\xe9,c\n", "line 3.*UTF-8", id="latin-1"),
        pytest.param("rows.csv", b"input,output\na,b,c\n", "line 2.*more fields", id="too many fields"),
        pytest.param("rows.csv", b"input,output\na\n", "line 2.*'output'", id="too few fields"),
        pytest.param(
            "rows.csv", b"input,output,input\na,b,c\n", "two columns named 'input'; rename", id="a column twice"
        ),
        pytest.param("rows.csv", b'input,output\n"a,b\n', "not valid CSV", id="open quotation mark"),
        pytest.param("rows.parquet", b"PAR1", "not a parquet file", id="no parquet"),
    ],
)
def test_a_file_that_cannot_be_read_says_where_and_why_in_one_line(
    name: str, content: bytes, says: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(content)

    with pytest.raises(UserError, match=says) as refused:
        read_rows(path)

    assert str(refused.value).startswith(str(path))
    assert "\n" not in str(refused.value)


def test_a_column_that_is_not_there_is_named_beside_those_that_are(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"input": "a", "output": "b"}\n')

    with pytest.raises(UserError, match="no column 'Titel'; its columns are 'input', 'output'"):
        read_rows(path, input_column="Titel")


def test_a_missing_file_or_a_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()

    for name in ("missing.jsonl", "folder.csv"):
        with pytest.raises(UserError, match=re.escape(str(tmp_path / name))):
            read_rows(tmp_path / name)
