"""Answers for a file: every form comes back with what it had, a stop costs nothing, half a file is never the whole."""

from __future__ import annotations

import csv
import io
import json
import resource
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.reading.inputs import examine
from agents.reading.rows import records
from agents.reporting.export import Csv
from agents.students.predict import ROWS_AT_ONCE, Answered, answers_to, beside, pairs_in, predict_file
from agents.students.predictions import Answer, Columns, Tally, text_lines
from engine.errors import UserError
from engine.evaluation import calibrate, write_calibration
from engine.training import Prediction, Row, train
from tests.agents.commands import in_this_process as smelt


class Shouter:
    """Answers in capitals, surer of longer inputs; breaks at the word that it is told to break at."""

    family = "shouter"

    def __init__(self, *, breaks_at: str = "never") -> None:
        self.asked: list[str] = []
        self._breaks_at = breaks_at

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        if self._breaks_at in inputs:
            raise KeyboardInterrupt
        self.asked += inputs
        return [Prediction(text.upper(), min(1.0, len(text) / 10), cut=len(text) > 20) for text in inputs]


ROWS = [{"id": 1, "text": "short"}, {"id": 2, "text": "rather long"}, {"id": 3, "text": "  "}, {"id": 4, "text": "=x"}]


def written(path: Path, rows: Sequence[dict[str, Any]] = ROWS) -> Path:
    """The rows in the form that the name tells."""
    if path.suffix == ".parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        pq.write_table(pa.Table.from_pylist(list(rows)), path)
    elif path.suffix in (".csv", ".tsv"):
        with path.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, rows[0], delimiter="\t" if path.suffix == ".tsv" else ",")
            table.writeheader()
            table.writerows(rows)
    elif path.suffix == ".json":
        path.write_text(json.dumps(rows))
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answered(source: Path, out: Path, *, form: str, columns: Columns | None = None, student: Any = None) -> Tally:
    return predict_file(
        student or Shouter(), examine(source), out, form=form, columns=columns or Columns(), csv=Csv(), made_by="it"
    )


@pytest.mark.parametrize("form", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("source", ["in.csv", "in.tsv", "in.jsonl", "in.json", "in.parquet"])
def test_every_form_becomes_every_form_and_keeps_what_it_had(tmp_path: Path, source: str, form: str) -> None:
    pytest.importorskip("pyarrow")
    out = tmp_path / f"out.{form}"

    tally = answered(written(tmp_path / source), out, form=form)

    rows = [row for _, row in records(out)]
    guarded = "'=X" if form in ("csv", "tsv") else "=X"
    assert [str(row["id"]) for row in rows] == ["1", "2", "3", "4"]
    assert [row["text"] for row in rows] == ["short", "rather long", "  ", "=x"]
    assert [row["prediction"] or None for row in rows] == ["SHORT", "RATHER LONG", None, guarded]
    assert [float(str(row["confidence"])) for row in rows] == [0.5, 1.0, 0.0, 0.2]
    assert (tally.rows, tally.empty, tally.cut) == (4, 1, 0)


def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    source, out = written(tmp_path / "in.parquet"), tmp_path / "out.parquet"

    answered(source, out, form="parquet", columns=Columns(threshold=0.5))

    before, after = pq.read_schema(source), pq.read_schema(out)
    assert [after.field(name) for name in before.names] == list(before)
    assert [str(after.field(name).type) for name in ("prediction", "confidence", "abstained")] == [
        "string", "double", "bool",
    ]  # fmt: skip


def test_below_the_threshold_an_answer_is_marked_and_what_is_blank_always(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"

    tally = answered(written(tmp_path / "in.jsonl"), out, form="jsonl", columns=Columns("said", threshold=0.5))

    rows = [row for _, row in records(out)]
    assert [row["said_abstained"] for row in rows] == [False, False, True, True]
    assert rows[3]["said"] == "=X", "an answer is marked, not taken away"
    assert tally.abstained == 2


def test_a_text_has_an_input_a_line(tmp_path: Path) -> None:
    source, out = tmp_path / "in.txt", tmp_path / "out.jsonl"
    source.write_text("one\n\ntwo\n")

    answered(source, out, form="jsonl")

    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"input": "one", "prediction": "ONE", "confidence": 0.3},
        {"input": "two", "prediction": "TWO", "confidence": 0.3},
    ]


def test_a_column_of_the_same_name_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    source = written(tmp_path / "in.jsonl", [{"text": "a"}, {"text": "b", "confidence": 1}])
    student = Shouter()

    with pytest.raises(UserError, match=r"has a column 'confidence' already; .* --column"):
        answered(source, tmp_path / "out.jsonl", form="jsonl", student=student)

    assert not student.asked


def test_a_file_that_is_there_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    out.write_text("mine")

    with pytest.raises(UserError, match="is there already"):
        answered(written(tmp_path / "in.jsonl"), out, form="jsonl")

    assert out.read_text() == "mine"


@pytest.fixture
def little_room() -> Iterator[None]:
    """Files may grow to 8 kB, as on a disk that is nearly full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8192, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.usefixtures("little_room")
def test_without_room_the_line_names_the_file_and_says_that_answers_are_kept(tmp_path: Path) -> None:
    source = written(tmp_path / "in.csv", [{"text": "x"}] * ROWS_AT_ONCE)

    with pytest.raises(UserError, match=r"out\.jsonl: .*; what is answered is kept: make room"):
        answered(source, tmp_path / "out.jsonl", form="jsonl")

    assert {path.name for path in tmp_path.iterdir()} == {"in.csv", "out.jsonl.part"}


def many(path: Path, count: int) -> Path:
    return written(path, [{"text": f"row {number}"} for number in range(count)])


def test_after_a_stop_only_the_rest_is_asked_and_nothing_looks_whole_before(tmp_path: Path) -> None:
    source, out = many(tmp_path / "in.jsonl", 3 * ROWS_AT_ONCE), tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        answered(source, out, form="jsonl", student=Shouter(breaks_at=f"row {2 * ROWS_AT_ONCE + 5}"))
    there = {path.name for path in tmp_path.iterdir()}
    student = Shouter()

    tally = answered(source, out, form="jsonl", student=student)

    assert there == {"in.jsonl", "out.jsonl.part"}
    assert student.asked == [f"row {number}" for number in range(2 * ROWS_AT_ONCE, 3 * ROWS_AT_ONCE)]
    assert tally.rows == 3 * ROWS_AT_ONCE
    assert {path.name for path in tmp_path.iterdir()} == {"in.jsonl", "out.jsonl"}
    answered(source, tmp_path / "again.jsonl", form="jsonl")
    assert out.read_bytes() == (tmp_path / "again.jsonl").read_bytes()


@settings(max_examples=25)
@given(kept=st.integers(0, 400))
def test_wherever_the_answers_were_cut_off_the_file_is_the_same(
    tmp_path_factory: pytest.TempPathFactory, kept: int
) -> None:
    place = tmp_path_factory.mktemp("cut")
    source, out = many(place / "in.jsonl", 12), place / "out.jsonl"
    part = Answered(place / "out.jsonl.part", "q")
    part.keep([[Answer(f"ROW {number}", 0.5) for number in range(12)]], after=0, on_rows=lambda _: None)
    whole = part.path.read_bytes()
    part.path.write_bytes(whole[:kept])

    so_far = part.so_far()

    assert so_far == max(0, whole[: min(kept, len(whole))].count(b"\n") - 1)
    assert list(part) == [Answer(f"ROW {number}", 0.5) for number in range(so_far)]
    assert not out.exists()
    assert source.exists()


def test_a_file_that_bears_the_name_of_kept_answers_and_holds_none_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out.jsonl.part").write_text("what a browser has loaded so far")

    with pytest.raises(UserError, match=r"out\.jsonl\.part: is no file of answers; move it away, or choose another"):
        answered(many(tmp_path / "in.jsonl", 1), tmp_path / "out.jsonl", form="jsonl")

    assert (tmp_path / "out.jsonl.part").read_text() == "what a browser has loaded so far"


@pytest.mark.parametrize("what", ["another student", "another input"])
def test_answers_of_another_question_never_count(tmp_path: Path, what: str) -> None:
    source, out = many(tmp_path / "in.jsonl", ROWS_AT_ONCE + 5), tmp_path / "out.jsonl"
    with pytest.raises(KeyboardInterrupt):
        answered(source, out, form="jsonl", student=Shouter(breaks_at=f"row {ROWS_AT_ONCE}"))
    if what == "another input":
        many(source, ROWS_AT_ONCE + 6)
    student = Shouter()

    made_by = "another" if what == "another student" else "it"
    predict_file(student, examine(source), out, form="jsonl", columns=Columns(), csv=Csv(), made_by=made_by)

    assert student.asked[0] == "row 0"


def test_rows_are_read_and_answered_a_few_at_a_time() -> None:
    """However many there are: no more are drawn than are answered together."""
    drawn = 0

    def texts() -> Iterator[str]:
        nonlocal drawn
        while True:
            drawn += 1
            yield f"row {drawn}"

    some = next(answers_to(Shouter(), texts()))

    assert len(some) == drawn == ROWS_AT_ONCE


def streamed(lines: Sequence[str], columns: Columns | None = None) -> list[Any]:
    tally = Tally(columns or Columns())
    rows = beside(Shouter(), pairs_in(lines, column=None, parts=(), columns=tally.columns), tally)
    return [json.loads(line) for line in text_lines("jsonl", rows, columns=(), answer="prediction", csv=Csv())]


def test_lines_that_come_are_inputs_or_objects_as_the_first_one_tells() -> None:
    assert streamed(["one\n", "\n", "{two\n"]) == [
        {"input": "one", "prediction": "ONE", "confidence": 0.3},
        {"input": "{two", "prediction": "{TWO", "confidence": 0.4},
    ]
    assert streamed(['{"id": 7, "text": "one"}\n'])[0] == {
        "id": 7, "text": "one", "prediction": "ONE", "confidence": 0.3,
    }  # fmt: skip
    assert streamed([]) == []
    with pytest.raises(UserError, match="standard input, line 2"):
        streamed(['{"text": "one"}\n', "two\n"])


def test_numbers_that_json_has_no_word_for_stay_readable() -> None:
    rows = [{"a": float("nan"), "b": float("inf"), "c": [float("nan"), {"d": -float("inf")}]}]

    [line] = text_lines("jsonl", rows, columns=(), answer="", csv=Csv())

    def refuse(word: str) -> None:
        raise AssertionError(word)

    assert json.loads(line, parse_constant=refuse) == {"a": None, "b": "inf", "c": [None, {"d": "-inf"}]}


@given(st.lists(st.text(alphabet=st.characters(codec=None), max_size=30), min_size=1, max_size=8))
def test_whatever_a_text_holds_a_row_stays_a_row(texts: list[str]) -> None:
    tally = Tally(Columns())
    pairs = [({"text": text}, text) for text in texts]
    for form in ("jsonl", "csv"):
        rows = beside(Shouter(), pairs, tally)
        columns = ("text", *tally.columns.names)
        whole = b"".join(text_lines(form, rows, columns=columns, answer="prediction", csv=Csv())).decode()

        if form == "jsonl":
            assert len([json.loads(line) for line in whole.split("\n")[:-1]]) == len(texts)
        else:
            assert len(list(csv.reader(io.StringIO(whole, newline="")))) == len(texts) + 1


@pytest.fixture(scope="module")
def student(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real one, which knows greetings."""
    folder = tmp_path_factory.mktemp("students") / "greetings"
    rows = [Row("good day", "hello"), Row("see you", "bye"), Row("good morning", "hello"), Row("farewell", "bye")]
    train("linear", rows, rows, folder)
    return folder


@pytest.mark.long
def test_the_command_answers_a_file_beside_it(student: Path, tmp_path: Path) -> None:
    source = written(tmp_path / "mail.csv", [{"text": "good day"}, {"text": "see you"}])

    ran = smelt("predict", student, source, "--threshold", "0.99", "--json")

    told = json.loads(ran.out.splitlines()[-1])
    assert (ran.code, told["rows"], told["abstained"]) == (0, 2, 2), ran.err
    assert told["out"] == str(tmp_path / "mail.predicted.csv")
    rows = [row for _, row in records(Path(told["out"]))]
    assert [row["prediction"] for row in rows] == ["hello", "bye"]


@pytest.mark.long
def test_the_command_reads_and_writes_streams(student: Path, tmp_path: Path) -> None:
    source = written(tmp_path / "in.csv", [{"text": "good day"}])
    to_stream = smelt("predict", student, source, "--out", "-")

    through = smelt("predict", student, "-", given=b"see you\ngood day\n")

    assert to_stream.out.splitlines()[0] == "text,prediction,confidence"
    assert [json.loads(line)["prediction"] for line in through.out.splitlines()] == ["bye", "hello"]
    assert "2 rows answered" in through.err


@pytest.mark.long
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_stream_is_read_by_its_byte_order_mark(student: Path, encoding: str) -> None:
    ran = smelt("predict", student, "-", given="good dåy\nsee you\n".encode(encoding))

    assert [json.loads(line)["input"] for line in ran.out.splitlines()] == ["good dåy", "see you"]


@pytest.mark.long
def test_a_stream_that_is_no_utf_8_is_answered_and_said_to_be_none_once(student: Path) -> None:
    given = b"good day \xef\xbf\xbd\ngood d\xe5y\ns\xe9e you\n"

    ran = smelt("predict", student, "-", given=given)

    assert [json.loads(line)["input"] for line in ran.out.splitlines()] == [
        "good day \ufffd",
        "good d\ufffdy",
        "s\ufffde you",
    ]
    assert ran.err.count("is not UTF-8 text") == 1
    assert "line 2" in ran.err


@pytest.mark.long
def test_a_precision_is_a_threshold_where_it_was_measured(student: Path, tmp_path: Path) -> None:
    source = written(tmp_path / "in.csv", [{"text": "good day"}])
    own = shutil.copytree(student, tmp_path / "student")
    before = smelt("predict", own, source, "--precision", "0.9")
    rows = calibrate([0.5] * 100 + [1.0] * 100, [False] * 100 + [True] * 100, on="validation")
    write_calibration(own, rows)

    measured = smelt("predict", own, source, "--precision", "0.9", "--json")
    too_much = smelt("predict", own, source, "--precision", "0.999", "--out", tmp_path / "other.csv")

    assert "nothing says what its confidence is worth" in before.err
    assert "--threshold 0.9" in before.err
    assert json.loads(measured.out)["abstained"] == 1, measured.err
    assert (too_much.code, "vouches for a precision of 0.999" in too_much.err) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["in.csv", "--threshold", "0.5", "--precision", "0.9"], "give one of them", id="both"),
        pytest.param(["in.csv", "--threshold", "1.5"], "--threshold must be from 0 to 1", id="threshold"),
        pytest.param(["in.csv", "--format", "xml"], "one of: csv, jsonl, parquet, tsv", id="form"),
        pytest.param(["-", "--json"], "write them to --out FILE", id="json and a stream"),
        pytest.param(["-", "--format", "csv"], "are jsonl", id="a table from a stream"),
        pytest.param(["nothing.csv"], "cannot be read", id="no file"),
        pytest.param(["in.csv", "--column", " "], "give the column of answers a name", id="a column without a name"),
        pytest.param(["in.csv", "--out", "no/dir/x.csv"], "no/dir/x.csv: there is no folder no/dir;", id="no folder"),
        pytest.param(["-", "--out", "no/dir/x.csv"], "no/dir/x.csv: there is no folder no/dir;", id="nor for lines"),
        pytest.param(["in.doc"], "inputs are read from", id="no rows"),
    ],
)
@pytest.mark.long
def test_what_cannot_be_meant_is_one_line(student: Path, tmp_path: Path, words: list[str], said: str) -> None:
    written(tmp_path / "in.csv", [{"text": "good day"}])
    (tmp_path / "in.doc").write_text("x")
    file = words[0] if words[0] == "-" else tmp_path / words[0]

    ran = smelt("predict", student, file, *words[1:])

    assert ran.code == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1
