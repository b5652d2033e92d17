"""A folder of the user's files is a catalogue: what their columns hold is seen, and an odd file costs itself."""

from __future__ import annotations

import gzip
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from engine.errors import UserError
from engine.retrieval import OWN, Column, DatasetCard, load_datasets


def card_of(folder: Path, name: str, content: str | bytes) -> DatasetCard:
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    catalogue = load_datasets(folder)
    assert not catalogue.skipped
    [card] = catalogue.cards
    return card


def test_a_csv_file_says_what_its_columns_hold(tmp_path: Path) -> None:
    card = card_of(tmp_path, "mails.csv", "text,route,score,empty\nhello,billing,1,\nbye,other,2.5,\n")

    assert card.columns == (
        Column("text", "text", sample=("hello", "bye")),
        Column("route", "text", sample=("billing", "other")),
        Column("score", "float", sample=("1", "2.5")),
        Column("empty", "unknown", sample=("", "")),
    )
    assert (card.id, card.rows, card.licence, card.downloads) == (str(tmp_path / "mails.csv"), 2, OWN, 0)
    assert (card.bytes, card.gated) == (55, False)
    assert card.updated is not None


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("a.csv", 'text;n\n"one; ""two""";1\n', id="semicolons"),
        pytest.param("a.tsv", 'text\tn\n"one; ""two"""\t1\n', id="tabs"),
        pytest.param("a.csv", 'text|n\n"one; ""two"""|1\n', id="strokes"),
        pytest.param("a.csv", '\ufefftext,n\n"one; ""two""",1\n', id="byte-order-mark"),
        pytest.param("a.csv", 'text,n\r\n"one; ""two""",1\r\n'.encode("utf-16"), id="utf-16"),
        pytest.param("a.jsonl", '{"text": "one; \\"two\\"", "n": 1}\n\n', id="jsonl"),
        pytest.param("a.jsonl", 'no\n{"text": "one; \\"two\\"", "n": 1}\n', id="a bad line"),
        pytest.param("a.json", '[{"text": "one; \\"two\\"", "n": 1}]', id="json"),
        pytest.param("a.json", '{"text": "one; \\"two\\"", "n": 1}\n', id="json lines"),
    ],
)
def test_rows_are_the_same_in_every_form(tmp_path: Path, name: str, content: str | bytes) -> None:
    card = card_of(tmp_path, name, content)

    assert card.columns == (Column("text", "text", sample=('one; "two"',)), Column("n", "int", sample=("1",)))


def test_letters_of_an_old_encoding_are_read(tmp_path: Path) -> None:
    assert card_of(tmp_path, "a.csv", "text,n\nGrüße,1\n".encode("cp1252")).columns[0].sample == ("Grüße",)


def test_a_parquet_file_knows_its_rows(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["a"] * 900, "tags": [["x"]] * 900, "flag": [True] * 900})
    parquet.write_table(table, tmp_path / "rows.parquet")

    [card] = load_datasets(tmp_path).cards

    assert card.rows == 900
    assert [(column.name, column.type) for column in card.columns] == [
        ("text", "text"),
        ("tags", "list"),
        ("flag", "bool"),
    ]


def test_a_bad_value_costs_its_row(tmp_path: Path) -> None:
    """A text that is no UTF-8, as some writers leave it in a parquet file, and a moment after the year 9999."""
    offsets, letters = pyarrow.array([0, 2, 3], pyarrow.int32()).buffers()[1], pyarrow.py_buffer(b"\xff\xfea")
    texts = pyarrow.Array.from_buffers(pyarrow.string(), 2, [None, offsets, letters])
    moments = pyarrow.array([2**62, 0], pyarrow.timestamp("us"))
    for name, column in (("texts", texts), ("moments", moments)):
        parquet.write_table(pyarrow.table({"n": [1, 2], "it": column}), tmp_path / f"{name}.parquet")

    catalogue = load_datasets(tmp_path)

    assert not catalogue.skipped
    assert [card.columns[0].sample for card in catalogue.cards] == [("2",), ("2",)]


def test_lines_of_json_may_hold_other_ends_of_lines(tmp_path: Path) -> None:
    card = card_of(tmp_path, "a.jsonl", '{"text": "one\u2028two\x85"}\n')

    assert (card.rows, card.columns[0].sample) == (1, ("one two",))


def test_of_a_long_file_only_the_start_is_read(tmp_path: Path) -> None:
    card = card_of(tmp_path, "long.csv", "text,label\n" + "some words é,a\n" * 200_000)

    assert card.rows is None
    assert card.columns[0].sample == ("some words é",) * 3


def test_a_file_is_found_by_its_labels_and_by_what_stands_beside_it(tmp_path: Path) -> None:
    (tmp_path / "rows.md").write_text("Requests to a bank.")
    card = card_of(
        tmp_path,
        "rows.csv",
        "q,a\n" + "".join(f"question {n},{'lost card' if n % 2 else 'top up'}\n" for n in range(9)),
    )

    assert "Requests to a bank." in card.text
    assert "lost card" in card.text
    assert "top up" in card.text


def test_of_what_stands_beside_a_file_only_the_start_is_read(tmp_path: Path) -> None:
    """A page of a gigabyte, nearly all of it a hole."""
    with (tmp_path / "a.md").open("wb") as file:
        file.write(b"About parcels. ")
        file.truncate(2**30)

    assert "About parcels." in card_of(tmp_path, "a.csv", "text,n\nhello,1\n").description


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        pytest.param("a.csv", b"", "holds no rows", id="empty"),
        pytest.param("a.csv", b"text,label\n", "holds no rows", id="header-alone"),
        pytest.param("a.csv", b"\x00\x01\x02", "is no text", id="binary"),
        pytest.param("a.csv", b"a,a\n1,2\n", "has two columns of one name", id="one-name"),
        pytest.param(
            "a.csv",
            ",".join(f"c{n}" for n in range(300)).encode() + b"\n1\n",
            "has 300 columns, more than 200",
            id="wide",
        ),
        pytest.param("a.jsonl", b"no\n{\n", "line 1 is not JSON", id="jsonl"),
        pytest.param("a.jsonl", b"[" * 2**21, "holds no rows in its first MiB", id="long line"),
        pytest.param("a.jsonl", b"[1]\n", "line 1 is not a JSON object", id="array"),
        pytest.param("a.json", b"[", "is not JSON", id="json"),
        pytest.param("a.json", b"{", "line 1 is not JSON", id="object"),
        pytest.param("a.json", b"[1]", "is not a JSON array of objects", id="numbers"),
        pytest.param("a.parquet", b"PAR1", "is no parquet file: ", id="parquet"),
    ],
)
def test_an_odd_file_costs_itself_and_is_said(tmp_path: Path, name: str, content: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "good.jsonl").write_text('{"text": "x"}\n')

    catalogue = load_datasets(tmp_path)

    assert [Path(card.id).name for card in catalogue.cards] == ["good.jsonl"]
    [skipped] = catalogue.skipped
    assert str(skipped).startswith(f"{tmp_path / name}: {reason}")


def test_what_could_steer_a_terminal_is_left_out(tmp_path: Path) -> None:
    card = card_of(tmp_path, "a.csv", "te\x1b[2Jxt,n\n\x1b]0;x\x07hi,1\n")

    assert "\x1b" not in repr(card)


def test_a_folder_without_tables_is_the_users_to_fill(tmp_path: Path) -> None:
    (tmp_path / ".hidden.csv").write_text("a\n1\n")

    with pytest.raises(UserError, match=r"holds no \.csv, \.tsv, \.jsonl, \.ndjson, \.json, \.parquet file"):
        load_datasets(tmp_path)


def test_packed_files_are_read_and_others_that_may_hold_rows_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"text,label\none,1\n"))
    (tmp_path / "a.md").write_text("Requests to a bank.")
    (tmp_path / "b.ndjson").write_text('{"text": "two"}\n')
    (tmp_path / "c.json.gz").write_bytes(gzip.compress(b'[{"text": "three"}]'))
    (tmp_path / "d.xlsx").write_bytes(b"PK")
    (tmp_path / "e.csv.gz").write_bytes(gzip.compress(b"text\none\n" * 99)[:-9])
    (tmp_path / "f.jsonl.gz").write_bytes(b"no gzip")
    (tmp_path / "picture.png").write_bytes(b"")

    catalogue = load_datasets(tmp_path)

    assert [Path(card.id).name for card in catalogue.cards] == ["a.csv.gz", "b.ndjson", "c.json.gz"]
    assert [card.columns[0].sample for card in catalogue.cards] == [("one",), ("two",), ("three",)]
    assert "Requests to a bank." in catalogue.cards[0].description
    assert [Path(skipped.file).name for skipped in catalogue.skipped] == ["d.xlsx", "e.csv.gz", "f.jsonl.gz"]
    assert catalogue.skipped[0].reason.startswith("is not read; save its rows as .csv")


def test_of_a_packed_file_only_the_start_is_unpacked(tmp_path: Path) -> None:
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"text\n" + b"words\n" * 3_000_000, 1))

    [card] = load_datasets(tmp_path).cards

    assert (card.rows, card.columns[0].sample) == (None, ("words",) * 3)
