"""Rows drawn from a data set: the same ones every time, as many as wanted, and what is bad costs itself alone."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event

import pyarrow
import pytest
from pyarrow import parquet

from agents.finding.found.hub_rows import Patience, Row, heard, stream
from agents.finding.found.read import Reader, any_row
from agents.finding.found.records import FoundRow, Sample
from agents.finding.found.splits import PIECES, benchmark_split, judging_split, part_of, spaced, training_split
from engine.clock import SystemClock
from engine.errors import UserError
from engine.fakes.hub import FakeHub, Mishap
from engine.retrieval import Column, DatasetCard
from tests.agents.found import card, write_csv, write_jsonl

ROOT = Path(__file__).parents[2]

LAYOUT = """---
configs:
- config_name: default
  data_files:
  - {split: train, path: train.jsonl}
  - {split: test, path: test.jsonl}
dataset_info:
  config_name: default
  features:
  - {name: text, dtype: string}
  - name: label
    dtype: {class_label: {names: {'0': lost, '1': pay}}}
---
"""


def draw_rows(data: DatasetCard, *, most: int, seed: int, serves: Callable[[FoundRow], bool] = any_row) -> Sample:
    return Reader(seed=seed).draw(data, most=most, serves=serves)


def test_the_same_rows_are_drawn_every_time_from_all_of_the_file(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", ["text"], [[f"row {n}"] for n in range(500)])

    drawn = draw_rows(data, most=20, seed=1)

    assert drawn == draw_rows(data, most=20, seed=1)
    assert drawn != draw_rows(data, most=20, seed=2)
    assert (len(drawn.rows), drawn.met) == (20, 500)
    assert [row.number for row in drawn.rows] == sorted(row.number for row in drawn.rows)
    assert drawn.rows[-1].number > 250


def test_only_rows_that_serve_are_drawn(tmp_path: Path) -> None:
    data = write_jsonl(tmp_path / "rows.jsonl", [{"n": n} for n in range(100)])

    drawn = draw_rows(data, most=5, seed=0, serves=lambda row: int(row.columns["n"]) >= 96)

    assert [row.columns["n"] for row in drawn.rows] == ["96", "97", "98", "99"]


def test_ids_of_classes_become_their_names(tmp_path: Path) -> None:
    write_jsonl(
        tmp_path / "rows.jsonl", [{"text": "a", "label": 1}, {"text": "b", "label": "0"}, {"text": "c", "label": 7}]
    )
    data = card(tmp_path / "rows.jsonl", columns=[Column("text"), Column("label", "label", ("lost", "pay"))])

    assert [row.columns["label"] for row in draw_rows(data, most=9, seed=0).rows] == ["pay", "lost", "7"]


def test_what_lies_within_a_column_is_a_column_of_its_own(tmp_path: Path) -> None:
    rows: list[object] = [
        {"translation": {"de": "Ja", "en": "Yes"}, "answers": {"text": ["first", "second"], "answer_start": [0, 9]}},
        {"messages": [{"role": "user", "content": "Hello?"}, {"role": "assistant", "content": "Hi."}]},
        {"answers": {"text": []}, "tags": ["a", "b"]},
    ]

    drawn = draw_rows(write_jsonl(tmp_path / "rows.jsonl", rows), most=9, seed=0)

    assert dict(drawn.rows[0].columns) == {"translation.de": "Ja", "translation.en": "Yes", "answers": "first"}
    assert {"input": "Hello?", "output": "Hi."}.items() <= drawn.rows[1].columns.items()
    assert dict(drawn.rows[2].columns) == {"tags": '["a", "b"]'}


def test_missing_values_and_bytes_are_no_columns(tmp_path: Path) -> None:
    table = pyarrow.table({"text": ["a", None], "image": [b"\x89", b"\x00"], "score": [1.5, float("nan")]})
    parquet.write_table(table, tmp_path / "rows.parquet")

    drawn = draw_rows(card(tmp_path / "rows.parquet"), most=9, seed=0)

    assert [dict(row.columns) for row in drawn.rows] == [{"text": "a", "score": "1.5"}, {}]
    assert drawn.columns == ("text", "score")


def test_a_line_in_another_encoding_is_read_as_western_european(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes("text;label\ncafé au lait;1\n".encode() + "Größe paßt;2\n".encode("cp1252"))

    assert [row.columns["text"] for row in draw_rows(card(path), most=9, seed=0).rows] == ["café au lait", "Größe paßt"]


@pytest.mark.parametrize("header", ["text|code", "text;code", "text\tcode", '"text, whole";"code"'])
def test_columns_are_told_apart_by_what_stands_between_them(tmp_path: Path, header: str) -> None:
    delimiter = next(one for one in "|;\t" if one in header)
    (tmp_path / "a.csv").write_text(f"{header}\nsend it, please{delimiter}pay\n", encoding="utf-8")

    [row] = draw_rows(card(tmp_path / "a.csv"), most=5, seed=0).rows

    assert list(row.columns.values()) == ["send it, please", "pay"]


def test_a_bad_value_in_a_parquet_file_costs_its_row(tmp_path: Path) -> None:
    moments = pyarrow.array([0, 2**62, 1], pyarrow.timestamp("us"))
    parquet.write_table(pyarrow.table({"text": ["a", "b", "c"], "at": moments}), tmp_path / "a.parquet")

    sample = draw_rows(card(tmp_path / "a.parquet"), most=5, seed=0)

    assert [(row.number, row.columns["text"]) for row in sample.rows] == [(1, "a"), (3, "c")]
    assert (sample.met, sample.broken, sample.problem) == (2, 1, "")


def test_bad_rows_cost_themselves_and_a_bad_file_says_so(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text('text,label\n"never closed,1\nfine,2\none,two,three\n', encoding="utf-8")
    (tmp_path / "rows.parquet").write_bytes(b"PAR1 no more")

    drawn, broken = draw_rows(card(path), most=9, seed=0), draw_rows(card(tmp_path / "rows.parquet"), most=9, seed=0)

    assert ([row.columns["text"] for row in drawn.rows], drawn.broken, drawn.problem) == (["fine"], 2, "")
    assert (broken.rows, "not a parquet file" in broken.problem) == ((), True)


def test_what_is_not_there_is_a_problem_and_no_error(tmp_path: Path) -> None:
    drawn = draw_rows(card(tmp_path), most=9, seed=0)

    assert (drawn.rows, "holds no rows" in drawn.problem) == ((), True)


def test_what_was_drawn_stays_drawn_whatever_becomes_of_the_file(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "rows.csv", ["text"], [["first é"], ["second"]])
    reader = Reader(seed=0, folder=tmp_path / "run")
    drawn = reader.draw(data, most=9)
    (tmp_path / "rows.csv").unlink()

    assert reader.draw(data, most=9) == drawn
    assert "cannot be read" in reader.draw(data, most=9, name="otherwise").problem


def test_what_could_not_be_read_is_tried_again_and_what_is_damaged_is_said(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("", encoding="utf-8")
    reader = Reader(seed=0, folder=tmp_path / "run")
    assert reader.draw(card(tmp_path / "rows.csv"), most=9).rows == ()
    data = write_csv(tmp_path / "rows.csv", ["text"], [["late"]])

    assert len(reader.draw(data, most=9).rows) == 1
    [kept] = (tmp_path / "run").iterdir()
    kept.write_text("{}", encoding="utf-8")
    with pytest.raises(UserError, match="delete it"):
        reader.draw(data, most=9)


@pytest.mark.slow
def test_a_stream_names_classes_and_leaves_alone_what_others_judge_by(tmp_path: Path) -> None:
    """A data set in the hub's own layout, in a folder."""
    pytest.importorskip("datasets")
    for split, count in {"test": 1, "train": 3}.items():
        lines = "".join(json.dumps({"text": f"{split} {n}", "label": n % 2}) + "\n" for n in range(count))
        (tmp_path / f"{split}.jsonl").write_text(lines, encoding="utf-8")
    (tmp_path / "README.md").write_text(LAYOUT, encoding="utf-8")

    rows, judging = (list(stream(str(tmp_path), most=9, judging=judging)) for judging in (False, True))

    assert judging == [{"text": "test 0", "label": "lost"}]
    assert rows == [{"text": f"train {n}", "label": ("lost", "pay")[n % 2]} for n in range(3)]


def test_of_rows_that_are_sorted_by_label_a_stream_brings_many_labels(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    labels = [f"label {n // 50:02}" for n in range(2000)]
    table = pyarrow.table({"text": [f"row {n}" for n in range(2000)], "label": labels})
    parquet.write_table(table, tmp_path / "train.parquet", row_group_size=100)

    rows = list(stream(str(tmp_path), most=320))

    assert len({row["text"] for row in rows}) == len(rows) == 320
    assert len({row["label"] for row in rows}) == PIECES
    assert len({row["text"] for row in stream(str(tmp_path), most=5000)}) == 2000
    assert list(stream(str(tmp_path), most=9, judging=True)) == []


@pytest.mark.parametrize("count", [0, 1, PIECES, PIECES + 1, 1000])
def test_places_are_spaced_and_each_comes_once(count: int) -> None:
    order = spaced(count)

    assert sorted(order) == list(range(count))
    assert count <= PIECES or max(order[:PIECES]) >= count * (PIECES - 1) // PIECES


@pytest.mark.parametrize(
    ("configs", "language", "part"),
    [
        pytest.param([], "en", None, id="none"),
        pytest.param(["de-DE", "en-US"], "en", "en-US", id="by language"),
        pytest.param(["small", "default"], "en", "default", id="default"),
        pytest.param(["plus", "small"], "en", "plus", id="the first"),
    ],
)
def test_which_part_of_a_data_set_is_read(configs: list[str], language: str, part: str | None) -> None:
    assert part_of(configs, language) == part


def test_splits_that_judge_are_not_learnt_from() -> None:
    assert training_split(["test", "train"]) == "train"
    assert training_split(["validation", "unsupervised"]) == "unsupervised"
    assert training_split(["test_sft", "train_sft"]) == "train_sft"
    assert training_split(["dev", "auxiliary_train", "test"]) == "auxiliary_train"
    with pytest.raises(UserError, match="no split to learn from"):
        training_split(["test", "validation_matched", "devtest", "hard-test", "dev2", "testmini"])


def test_which_split_others_judge_by() -> None:
    assert judging_split(["train", "validation", "test"]) == "test"
    assert judging_split(["train", "dev", "test_matched"]) == "test_matched"
    assert judging_split(["train", "validation"]) == "validation"
    assert judging_split(["train"]) is None
    assert [benchmark_split(splits) for splits in (["v0.1"], ["train", "test"], [])] == ["v0.1", "test", None]


class Hand(SystemClock):
    """A clock that is moved by hand."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("patience", "passed", "problem"),
    [
        pytest.param(Patience(silence_s=0.05), 0.0, "nothing was heard of the hub for 0 s", id="silence"),
        pytest.param(Patience(longest_s=300), 301.0, "it took longer than 300 s", id="too long"),
    ],
)
def test_a_hub_that_falls_silent_or_drips_ends_a_data_set_and_not_the_run(
    patience: Patience, passed: float, problem: str
) -> None:
    answered, ended, clock = Event(), list[str](), Hand()

    def rows() -> Iterator[Row]:
        yield {"text": "one"}
        answered.wait()

    reading = heard(rows(), name="a/b", patience=patience, give_up=ended.append, clock=clock)

    assert next(reading) == {"text": "one"}
    clock.now = passed
    with pytest.raises(UserError, match=f"^a/b: {problem}"):
        next(reading)
    assert ended == ["nobody waits for it any more"]
    answered.set()


class Streamed:
    """A hub with one data set of ten rows and a test split of two, which remembers what it was asked for."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, int, bool]] = []

    def __call__(self, name: str, /, *, most: int, language: str, judging: bool, **_: object) -> Iterator[Row]:
        self.asked.append((name, most, judging))
        split, count = ("test", 2) if judging else ("train", 10)
        yield from [{"text": f"{split} {number}", "language": language} for number in range(min(most, count))]


def test_a_data_set_on_the_hub_is_streamed_once_whatever_is_drawn_from_it(tmp_path: Path) -> None:
    hub = Streamed()
    reader = Reader(seed=0, folder=tmp_path, streamed=8, fetch=hub)

    some = reader.draw(card("org/rows"), most=3)
    even = reader.draw(card("org/rows"), most=9, serves=lambda row: row.number % 2 == 0, name="even")

    assert hub.asked == [("org/rows", 8, False)]
    assert (len(some.rows), some.met) == (3, 8)
    assert [row.columns["text"] for row in even.rows] == ["train 1", "train 3", "train 5", "train 7"]
    assert Reader(seed=0, folder=tmp_path, streamed=8, fetch=hub).draw(card("org/rows"), most=3) == some
    assert len(hub.asked) == 1


def test_the_test_split_of_a_data_set_on_the_hub_and_a_test_file_are_what_judges(tmp_path: Path) -> None:
    data = write_csv(tmp_path / "test.csv", ["text"], [["one"], ["two"]])
    reader = Reader(seed=0, fetch=Streamed())

    assert [row.columns["text"] for row in reader.judging(card("org/rows")).rows] == ["test 0", "test 1"]
    assert [row.columns["text"] for row in reader.judging(data).rows] == ["one", "two"]


def test_of_a_folder_what_lies_there_to_judge_by_is_not_learnt_from(tmp_path: Path) -> None:
    write_csv(tmp_path / "first.csv", ["text"], [["one"]])
    write_csv(tmp_path / "test.csv", ["text"], [["two"]])

    assert [row.columns["text"] for row in draw_rows(card(tmp_path), most=9, seed=0).rows] == ["one"]


@pytest.mark.slow
def test_what_the_hub_answers_is_said_in_a_line() -> None:
    """In a process of its own, because the hub's address is read when its packages are."""
    code = (
        "from agents.finding.found.hub_rows import stream\n"
        "for name in ('owner/gated', 'owner/terms', 'owner/gone', 'owner/private', 'owner/odd'):\n"
        "    try: next(stream(name, most=1))\n"
        "    except Exception as error: print(type(error).__name__, str(error).count(chr(10)), error)"
    )
    answers = {
        "gated": Mishap(status=403),
        "terms": Mishap(status=403, headers={"X-Error-Code": "GatedRepo"}),
        "private": Mishap(status=401, headers={"X-Error-Code": "RepoNotFound"}),
        "odd": Mishap(status=418),
    }

    async def asked(home: Path) -> str:
        mishaps = lambda _, path: next((each for name, each in answers.items() if name in path), None)  # noqa: E731
        async with FakeHub(mishaps=mishaps) as hub:
            environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "PYTHONPATH": str(ROOT)}
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, env=environment, cwd=home, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            return out.decode()

    with tempfile.TemporaryDirectory() as home:
        lines = asyncio.run(asked(Path(home))).splitlines()

    assert lines == [
        "UserError 0 owner/gated: it is behind a gate: accept its terms on the hub, and have HF_TOKEN set",
        "UserError 0 owner/terms: it is behind a gate: accept its terms on the hub, and have HF_TOKEN set",
        "UserError 0 owner/gone: the hub has no such data set, or not for everybody",
        "UserError 0 owner/private: the hub has no such data set, or not for everybody",
        "UserError 0 owner/odd: the hub answers with 418",
    ]


@pytest.mark.slow
def test_rows_come_over_http_and_what_is_wrong_with_a_data_set_costs_it_a_line() -> None:
    """In a process of its own, as above."""
    code = (
        "from agents.finding.found.read import Reader\n"
        "from tests.agents.found import card\n"
        "for name in ('org/sorted', 'old/name', 'org/vanish', 'org/gated', 'new/name'):\n"
        "    got = Reader(seed=1, streamed=320).draw(card(name), most=320)\n"
        "    labels = {row.columns.get('label') for row in got.rows}\n"
        "    print(len(got.rows), len(labels), '|'.join(got.columns), got.problem)"
    )
    table = pyarrow.table({"text": [f"row {n}" for n in range(2000)], "label": [f"{n // 50:02}" for n in range(2000)]})
    packed = io.BytesIO()
    parquet.write_table(table, packed, row_group_size=100)
    lines = b"".join(
        json.dumps({"text": f"row {n}", "label": "a"} if n < 150 else {"other": n}).encode() + b"\n" for n in range(300)
    )
    files = {
        "datasets/org/sorted/train.parquet": packed.getvalue(),
        "datasets/org/vanish/train.jsonl": lines,
        "datasets/new/name/train.jsonl": b"".join(lines.splitlines(keepends=True)[:9]),
    }

    def mishaps(_: int, path: str) -> Mishap | None:
        if "org/gated" in path:
            return Mishap(status=403, headers={"X-Error-Code": "GatedRepo"})
        return None

    async def asked(home: Path) -> str:
        async with FakeHub(files=files, renamed={"datasets/old/name": "datasets/new/name"}, mishaps=mishaps) as hub:
            environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "PYTHONPATH": str(ROOT)}
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, env=environment, cwd=home, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            return out.decode()

    with tempfile.TemporaryDirectory() as home:
        said = asyncio.run(asked(Path(home))).splitlines()

    assert said == [
        f"320 {PIECES} text|label ",
        "9 1 text|label ",
        "300 2 text|label|other ",
        "0 0  org/gated: it is behind a gate: accept its terms on the hub, and have HF_TOKEN set",
        "9 1 text|label ",
    ]


@pytest.mark.slow
def test_answers_of_the_hub_that_are_no_good_cost_a_data_set_a_line() -> None:
    """In a process of its own, as above. What came before is kept; a page of a gigabyte is not fetched."""
    code = (
        "from functools import partial\n"
        "from agents.finding.found.hub_rows import Patience, stream\n"
        "from agents.finding.found.read import Reader\n"
        "from tests.agents.found import card\n"
        "for name in ('good', 'half', 'shorter', 'garbled', 'large', 'card', 'dripping'):\n"
        "    patience = Patience(longest_s=1 if name == 'dripping' else 60, most_bytes=4 << 20)\n"
        "    fetch = partial(stream, patience=patience)\n"
        "    got = Reader(seed=1, fetch=fetch).draw(card(f'org/{name}'), most=320)\n"
        "    print(f'{name}: {len(got.rows)} {got.problem.count(chr(10))} {got.problem}')"
    )
    line = json.dumps({"text": "a row of some length", "label": "a"}).encode() + b"\n"
    files = {
        f"datasets/org/{name}/train.jsonl": line * 300 for name in ("half", "shorter", "garbled", "dripping", "good")
    }
    files["datasets/org/large/train.jsonl"] = json.dumps({"text": "x" * (12 << 20)}).encode() + b"\n"
    files |= {"datasets/org/card/train.jsonl": line, "datasets/org/card/README.md": b" " * (17 << 20)}
    mishaps = {
        "half": Mishap(half=True), "shorter": Mishap(shorter=40), "garbled": Mishap(garbled=True),
        "dripping": Mishap(drip_s=0.2),
    }  # fmt: skip

    def mishap(_: int, path: str) -> Mishap | None:
        return mishaps.get(path.split("/")[3]) if path.endswith("train.jsonl") else None

    async def asked(home: Path) -> tuple[str, list[str]]:
        async with FakeHub(files=files, mishaps=mishap) as hub:
            environment = {**os.environ, "HF_ENDPOINT": hub.url, "HF_HOME": str(home), "PYTHONPATH": str(ROOT)}
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-c", code, env=environment, cwd=home, stdout=asyncio.subprocess.PIPE
            )
            out, _ = await process.communicate()
            return out.decode(), hub.seen

    with tempfile.TemporaryDirectory() as home:
        said, seen = asyncio.run(asked(Path(home)))

    assert said.splitlines() == [
        "good: 300 0 ",
        "half: 0 0 org/half: the hub's answers break off",
        "shorter: 0 0 org/shorter: cannot be read: Trailing data at position 46",
        "garbled: 0 0 org/garbled: cannot be read: Error -3 while decompressing data: incorrect header check",
        "large: 0 0 org/large: more than 4 MiB would have to be fetched of it",
        "card: 0 0 org/card: its README.md has 17 MiB, more than 16",
        "dripping: 0 0 org/dripping: it took longer than 1 s",
    ]
    assert not any("card" in path and path.endswith("README.md") for path in seen)


def test_what_has_the_name_of_a_data_set_where_smelt_was_started_is_not_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "org" / "rows").mkdir(parents=True)
    (tmp_path / "org" / "rows" / "train.csv").write_text("secret\n1\n")
    monkeypatch.chdir(tmp_path)

    drawn = draw_rows(card("org/rows"), most=9, seed=1)

    assert drawn.rows == ()
    assert drawn.problem.startswith("org/rows: here lies something of that name")
