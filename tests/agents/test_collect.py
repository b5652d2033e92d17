"""Rows become files: nothing straddles, equal rows give equal bytes, and other programs can read them."""

from __future__ import annotations

import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.collect import Split, collect, split_rows
from agents.records import Example, Provenance, Reject, Spec, Vote
from agents.reporting.data_card import DataCard, card_text

LABELS = Spec(instruction="Route it.\n```\n# not a heading", kind="classification", labels=("card", "cash", "other"))
CARD = DataCard(teacher="simulated/route", simulated=True)
PARTS = ("train", "validation", "test")


def example(number: int, output: str = "card", *, request: int | None = None, text: str | None = None) -> Example:
    source = Provenance(request=number // 8 if request is None else request, position=number % 8, temperature=0.9,
                        target="card", seeds=("a", "b"), model="m-writer", question="0123456789abcdef",
                        cost_usd=0.25)  # fmt: skip
    vote = Vote(output, 1.0, (output, output), models=("m-one", "m-two"), questions=("a" * 16, "b" * 16), cost_usd=0.5)
    return Example(text or f"row {number}", output, vote, source)


def rows(count: int, labels: tuple[str, ...] = ("card", "cash", "other")) -> list[Example]:
    """Eight rows a request, one label a request, as a plan asks for them."""
    return [example(number, labels[number // 8 % len(labels)]) for number in range(count)]


def split(examples: list[Example], *, seed: int = 0) -> Split:
    return split_rows(examples, seed=seed, stratum=lambda row: row.output)


REJECTS = [
    Reject("bad", None, "refusal", example(1).provenance, "detail"),
    Reject("half \ud800 and \x00", "x\x00", "unreadable", example(2).provenance),
]


def written(folder: Path, examples: list[Example]) -> dict[str, bytes]:
    collect(LABELS, examples, REJECTS, folder=folder, card=CARD, seed=0)
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@settings(max_examples=50, deadline=None)
@given(
    plan=st.lists(st.tuples(st.integers(0, 24), st.sampled_from(["card", "cash", "other"])), max_size=120),
    seed=st.integers(0, 9),
)
def test_every_row_is_in_one_part_and_siblings_stay_together(plan: list[tuple[int, str]], seed: int) -> None:
    """Siblings of a label that has ten requests: of fewer, a part would have many rows or none."""
    examples = [example(number, label, request=request) for number, (request, label) in enumerate(plan)]
    parts = split(examples, seed=seed).named()
    many = {label for label, count in Counter(label for _, label in set(plan)).items() if count >= 10}
    requests = {name: {row.provenance.request for row in part if row.output in many} for name, part in parts.items()}

    assert Counter(row.input for part in parts.values() for row in part) == Counter(row.input for row in examples)
    assert not requests["train"] & requests["validation"]
    assert not requests["train"] & requests["test"]
    assert not requests["validation"] & requests["test"]
    if len({request for request, _ in plan}) >= 3:
        assert all(parts.values())


@settings(max_examples=100, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 60), min_size=1, max_size=15),
    a_request=st.integers(1, 30),
    seed=st.integers(0, 9),
)
@pytest.mark.long
def test_every_label_is_learnt_and_judged(sizes: list[int], a_request: int, seed: int) -> None:
    """However few rows it has, of at least three: one in each part. Of two, one is learnt and the other not."""
    labels = [label for label, size in enumerate(sizes) for _ in range(size)]
    requests = {label: 1000 * label for label in labels}
    examples = [
        example(number, str(label), request=requests[label] + number // a_request)
        for number, label in enumerate(labels)
    ]
    parts = {name: Counter(row.output for row in part) for name, part in split(examples, seed=seed).named().items()}

    for label, size in enumerate(sizes):
        rows_in = [parts[name][str(label)] for name in ("train", "validation", "test")]
        if size >= 3:
            assert all(rows_in)
        elif len(sizes) > 1:
            assert max(rows_in) == 1


@pytest.mark.parametrize("count", [300, 600, 1000, 2000])
def test_a_small_data_set_of_many_labels_has_its_share_of_each_in_every_part(count: int) -> None:
    labels = tuple(f"label {number}" for number in range(13))
    for part in (split(rows(count, labels)).test, split(rows(count, labels)).validation):
        counts = Counter(row.output for row in part)
        assert len(counts) == 13
        assert max(counts.values()) <= 3 * count / 130


WORDS = (
    "please send me the invoice of last month once more",
    "please send me the invoice of last month once more!",
    "my card was swallowed by the machine at the station",
    "my card was swallowed by the machine at the station.",
    "the weather in Oslo is lovely this time of the year",
    "nobody answers the telephone in your branch office",
    "why has the price of the basket changed over night",
    "I would like to close my account and get a letter",
)


@settings(max_examples=40, deadline=None)
@given(plan=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(WORDS)), max_size=40), seed=st.integers(0, 3))
def test_near_duplicates_are_never_in_two_parts(plan: list[tuple[int, str]], seed: int) -> None:
    """Also where they tie everything together; then the rows of one request may be apart."""
    examples = [example(number, request=request, text=text) for number, (request, text) in enumerate(plan)]
    parts = split(examples, seed=seed).named()
    kinds = {name: {row.input.rstrip("!.") for row in part} for name, part in parts.items()}

    assert Counter(row.input for part in parts.values() for row in part) == Counter(row.input for row in examples)
    assert not kinds["train"] & kinds["validation"]
    assert not kinds["train"] & kinds["test"]
    assert not kinds["validation"] & kinds["test"]


def test_rows_of_a_request_go_where_the_near_duplicate_of_one_of_them_goes() -> None:
    tied = [example(0, request=0, text=WORDS[0]), example(1, request=1, text=WORDS[1])]
    siblings = [example(2, request=0, text=WORDS[4]), example(3, request=1, text=WORDS[5])]
    others = [example(number, request=number) for number in range(10, 40)]
    parts = split([*tied, *siblings, *others]).named().values()

    assert [part for part in parts if set(part) >= {*tied, *siblings}]


@given(data=st.data())
@settings(max_examples=20, deadline=None)
def test_the_split_depends_on_the_rows_and_the_seed_alone(data: st.DataObject) -> None:
    examples = rows(64)

    assert split(data.draw(st.permutations(examples))) == split(examples)
    assert split(examples, seed=1) != split(examples)


@pytest.mark.parametrize("count", [240, 2000])
def test_parts_are_right_to_within_the_rows_of_a_request_or_two(count: int) -> None:
    parts = split(rows(count))

    assert len(parts.test) == pytest.approx(count / 10, abs=16)
    assert len(parts.validation) == pytest.approx(count / 10, abs=16)


def test_each_label_is_shared_out_evenly() -> None:
    for part in split(rows(2400)).named().values():
        counts = Counter(row.output for row in part)
        assert max(counts.values()) - min(counts.values()) <= 16
        assert len(counts) == 3


def test_equal_rows_give_equal_bytes_whatever_their_order(tmp_path: Path) -> None:
    examples = rows(80)

    assert written(tmp_path / "a", examples) == written(tmp_path / "b", examples[::-1])


def test_files_are_whole_and_nothing_else_is_left(tmp_path: Path) -> None:
    files = written(tmp_path, rows(80))

    assert set(files) == {"README.md", "rejected.parquet", *(f"{name}.parquet" for name in PARTS)}


def test_no_rows_at_all_are_four_readable_files(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    collect(LABELS, [], [], folder=tmp_path, card=CARD, seed=0)

    assert [pq.read_table(tmp_path / f"{name}.parquet").num_rows for name in (*PARTS, "rejected")] == [0, 0, 0, 0]
    assert pq.read_schema(tmp_path / "train.parquet") == pq.read_schema(tmp_path / "test.parquet")


def test_rows_carry_their_votes_and_where_they_come_from(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    written(tmp_path, rows(80))
    row = pq.read_table(tmp_path / "train.parquet").to_pylist()[0]

    assert list(row) == [
        "input", "output", "agreement", "votes", "vote_models", "vote_questions", "stage", "origin",
        "dataset", "row", "licence", "model", "question",
        "request", "position", "temperature", "target", "seeds", "attributes", "case",
            "document", "cost_usd",
    ]  # fmt: skip
    assert (row["agreement"], row["temperature"], row["seeds"]) == (1.0, 0.9, ["a", "b"])
    assert (row["stage"], row["model"], row["question"]) == ("generate", "m-writer", "0123456789abcdef")
    assert (row["votes"], row["vote_models"]) == ([row["output"]] * 2, ["m-one", "m-two"])
    assert row["cost_usd"] == 0.25 + 0.5


def test_rejects_carry_their_reason_and_no_text_can_break_the_file(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    written(tmp_path, rows(80))
    refused, unreadable = pq.read_table(tmp_path / "rejected.parquet").to_pylist()

    assert (refused["reason"], refused["output"], refused["detail"]) == ("refusal", None, "detail")
    assert "\x00" not in unreadable["input"]
    assert "\ufffd" in unreadable["input"]
    assert unreadable["output"] == "x\ufffd"


def test_the_card_says_in_plain_words_what_this_is(tmp_path: Path) -> None:
    card = written(tmp_path, rows(80))["README.md"].decode()

    assert "**simulated teacher** (simulated/route)" in card
    assert "says nothing about any real" in card
    assert "\n    # not a heading\n" in card
    assert "| refusal | 1 |" in card
    assert "| cash | 24 |" in card
    assert "\n# not a heading" not in card


def test_a_label_cannot_break_out_of_its_cell(tmp_path: Path) -> None:
    spec = Spec(instruction="Route it.", kind="classification", labels=("a | b", "c"))
    collect(spec, rows(16, ("a | b",)), [], folder=tmp_path, card=CARD, seed=0)

    assert "| a \\| b | 16 |" in (tmp_path / "README.md").read_text(encoding="utf-8")


def test_a_real_teacher_is_not_called_simulated(tmp_path: Path) -> None:
    card = DataCard(teacher="openai/x", simulated=False)
    collect(Spec(instruction="Find.", empty_answer="N/A"), rows(16, ("N/A",)), [], folder=tmp_path, card=card, seed=0)
    text = (tmp_path / "README.md").read_text(encoding="utf-8")

    assert "`openai/x`, not by people" in text
    assert "simulated" not in text
    assert "| N/A (nothing to find) | 16 |" in text
    assert "Nothing." in text


@pytest.mark.slow
def test_the_folder_loads_as_a_data_set_of_three_parts(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # importing datasets warns of its own dependencies
        datasets = pytest.importorskip("datasets")
        written(tmp_path / "data", rows(80))
        files = {name: str(tmp_path / "data" / f"{name}.parquet") for name in PARTS}
        by_files = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))
        by_card = datasets.load_dataset(str(tmp_path / "data"), cache_dir=str(tmp_path / "cache"))

    assert set(by_files) == set(by_card) == set(PARTS)
    assert sum(part.num_rows for part in by_card.values()) == 80
    assert by_files["train"][0] == by_card["train"][0]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param(
            Spec(instruction="x", labels=("a", "b")), ["language:\n- en\n", "text-classification"], id="labels"
        ),
        pytest.param(Spec(instruction="x", extractive=True), ["question-answering"], id="extractive"),
        pytest.param(Spec(instruction="x", language="de", output_language="fr"), ["- de\n- fr\n"], id="two languages"),
        pytest.param(Spec(instruction="x", language="en\nlicense: mit"), ["---\ntask_categories:"], id="a foreign one"),
    ],
)
def test_the_card_is_found_by_language_and_kind(spec: Spec, said: list[str]) -> None:
    card = card_text(spec, {}, (), DataCard(teacher="m", simulated=False))

    assert all(each in card for each in said)
    assert "tags:\n- synthetic\n" in card
    assert "license: mit" not in card


def test_the_card_shows_nothing_that_cannot_be_seen_and_breaks_out_of_no_cell(tmp_path: Path) -> None:
    spec = Spec(instruction="one\x1b[2J\u202e\ntwo\x00", kind="classification", labels=("a\\\u200b|b", "c\x1b"))
    collect(spec, rows(8, ("c\x1b",)), REJECTS, folder=tmp_path, card=CARD, seed=0)

    text = (tmp_path / "README.md").read_text(encoding="utf-8")

    assert not set(text) & set("\x1b\u202e\x00\u200b")
    assert "    one[2J\n    two\n" in text
    assert "| c | 8 |" in text


def test_rows_of_data_sets_stand_alone_and_the_card_names_their_licences(tmp_path: Path) -> None:
    pq = pytest.importorskip("pyarrow.parquet")
    found = [
        replace(
            row,
            provenance=replace(
                row.provenance, request=-number - 1, origin="found", dataset="tickets.csv", row=number, licence="mit"
            ),
        )
        for number, row in enumerate(rows(80))
    ]
    card = written(tmp_path, found)["README.md"].decode()
    table = pq.read_table(tmp_path / "train.parquet").to_pylist()

    assert "| found: tickets.csv (licence: mit) | 80 |" in card
    assert {(row["stage"], row["origin"], row["dataset"], row["licence"]) for row in table} == {
        ("retrieve", "found", "tickets.csv", "mit")
    }
    assert "Where the rows come from" not in written(tmp_path, rows(80))["README.md"].decode()
