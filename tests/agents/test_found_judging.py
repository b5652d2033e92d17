"""What others judge by is kept out of what is learnt: test splits and files, benchmarks, and what is nearly there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from agents.config import Configuration
from agents.finding.found.gather import gather
from agents.finding.found.hub_rows import Row
from agents.finding.found.judging import KeptOut, judging_beside, texts_of
from agents.finding.found.read import Reader
from agents.finding.found.records import Found, FoundRow, Sample, Seeking
from agents.finding.found.shelf import shelf_of
from agents.finding.found.sieve import Sieve
from agents.making.plan import make_plan
from agents.records import Draft, Example, Provenance, Reject
from agents.voting.annotate import Voting
from engine.errors import UserError
from engine.events import Events
from engine.fakes import virtual_time
from engine.retrieval import DatasetCard
from tests.agents.found import SPEC, card, write_csv
from tests.agents.test_found_gather import ABOUT, KNOWN, Teacher, labelled, long

TEST_ROWS = [row.input for row in KNOWN[:3]]
SOURCE = Provenance(request=-1, position=0, temperature=None, target=None, origin="found", dataset="a")


class Hub:
    """A hub whose data sets hold all that is known, and some of it in their test split too, in other columns."""

    def __init__(self, *, judging: Sequence[Row] = (), problem: str = "") -> None:
        self._judging, self._problem = judging, problem

    def __call__(self, name: str, /, *, judging: bool, **_: object) -> Iterator[Row]:
        if not judging:
            yield from [{"utterance": row.input, "code": row.output} for row in KNOWN]
            return
        yield from self._judging
        if self._problem:
            raise UserError(f"{name}: {self._problem}")


def gathered(
    cards: Sequence[DatasetCard], *, hub: Hub, judging: Sequence[DatasetCard] = (), told: list[str] | None = None
) -> Found:
    return virtual_time.run(
        gather(
            Teacher(),
            SPEC,
            [replace(each, description=ABOUT) for each in cards],
            seeking=Seeking(wanted=40, share=1.0, per_dataset=100, seed=0),
            quotas=make_plan(SPEC),
            voting=Voting(),
            withheld=(),
            judging=judging,
            note=(told if told is not None else []).append,
            reader=Reader(seed=0, fetch=hub),
        )
    )


def leaks(found: Found) -> Counter[str]:
    return Counter(reject.detail for reject in found.rejects if reject.reason == "leak")


def test_rows_nearly_in_the_test_split_of_a_data_set_are_left_out_and_counted() -> None:
    told: list[str] = []
    hub = Hub(judging=[{"utterance": f"{text.upper()}!", "code": "?"} for text in TEST_ROWS])

    found = gathered([card("org/rows")], hub=hub, told=told)

    assert leaks(found) == {"nearly a test row of org/rows": 3}
    assert not {example.input for example in found.examples} & set(TEST_ROWS)
    assert len(found.examples) == len(KNOWN) - 3
    [source] = found.sources
    assert "held against 3 of its test rows" in source.why
    assert source.why.endswith("left out: 3 nearly a test row of org/rows")


def test_test_rows_that_cannot_be_had_are_said_and_the_data_set_is_used() -> None:
    told: list[str] = []

    found = gathered([card("org/rows")], hub=Hub(problem="the hub answers with 500"), told=told)

    assert len(found.examples) == len(KNOWN)
    told_in_vain = "its test rows cannot be had, so nothing was held against them"
    assert told_in_vain in found.sources[0].why
    assert f"data sets: org/rows: {told_in_vain}: the hub answers with 500" in told


def test_of_test_rows_that_break_off_those_that_came_count() -> None:
    told: list[str] = []
    hub = Hub(judging=[{"text": TEST_ROWS[0]}], problem="the hub's answers break off")

    found = gathered([card("org/rows")], hub=hub, told=told)

    assert leaks(found) == {"nearly a test row of org/rows": 1}
    assert "held against 1 of its test rows, the others cannot be had" in found.sources[0].why


def test_a_data_set_without_a_test_split_says_nothing_of_it() -> None:
    told: list[str] = []

    found = gathered([card("org/rows")], hub=Hub(), told=told)

    assert "test row" not in found.sources[0].why
    assert not any("test row" in line for line in told)


def test_one_data_set_may_hold_the_test_rows_of_another(tmp_path: Path) -> None:
    """The file comes first, and yet its rows are held against the test split of the other one."""
    hub = Hub(judging=[{"utterance": text} for text in TEST_ROWS])

    found = gathered([labelled(tmp_path), card("org/rows")], hub=hub)

    by_source = Counter(reject.provenance.dataset for reject in found.rejects if reject.reason == "leak")
    assert by_source == {"requests.csv": 3, "org/rows": 3}


def test_a_known_benchmark_and_a_test_file_keep_their_rows_out(tmp_path: Path) -> None:
    hub = Hub(judging=[{"prompt": TEST_ROWS[0]}])
    test = write_csv(tmp_path / "test.csv", ["question"], [[TEST_ROWS[1]]])

    found = gathered([labelled(tmp_path)], hub=hub, judging=[card("google/IFEval"), test])

    assert leaks(found) == {"nearly a test row of google/IFEval": 1, "nearly a test row of test.csv": 1}


def test_a_row_that_judges_is_not_rewritten(tmp_path: Path) -> None:
    mails = long(tmp_path)
    test = write_csv(tmp_path / "test.csv", ["mail"], [[text] for text in map(mail, TEST_ROWS)])

    found = gathered([mails], hub=Hub(), judging=[test])

    assert leaks(found)["nearly a test row of test.csv"] == 3
    assert found.examples
    assert not any(text in example.input for text in TEST_ROWS for example in found.examples)


def mail(text: str) -> str:
    return f"{text}. " + "Yours faithfully, a customer of many years. " * 8


def test_texts_of_few_words_and_what_stands_in_every_row_are_nobodys_own() -> None:
    rows = [
        FoundRow(n, {"task": "say what is wanted here", "text": f"what is number {n}", "label": "pay bill"})
        for n in range(30)
    ]

    assert texts_of(Sample(rows=tuple(rows))) == [f"what is number {n}" for n in range(30)]


def test_a_text_is_known_by_whose_it_is() -> None:
    kept_out = KeptOut()
    kept_out.add(["my card was stolen in town"], owner="a demonstration")
    kept_out.add([], owner="a given test row")
    kept_out.add(["my card was stolen in town", "pay my bill for water, please"], owner="a test row of b")

    assert len(kept_out) == 3
    assert kept_out.owner_of("My card was stolen in town!") == "a demonstration"
    assert kept_out.owner_of("Pay my bill for water, please.") == "a test row of b"
    assert kept_out.owner_of("where is the bank") is None


def test_a_row_that_is_bad_for_another_reason_keeps_that_reason() -> None:
    sieve = Sieve(SPEC, ["how is the weather in spring"])

    bad = sieve.take(Draft("How is the weather, in spring?", SOURCE, "no label of ours"))
    leak = sieve.take(Draft("How is the weather, in spring?", SOURCE, "pay bill"))
    good = sieve.take(Draft("somebody took my purse and the card in it", SOURCE, "lost card"))

    assert isinstance(bad, Reject)
    assert bad.reason == "label"
    assert isinstance(leak, Reject)
    assert (leak.reason, leak.detail) == ("leak", "nearly a given test row")
    assert isinstance(good, Example)


def test_which_files_lie_beside_others_to_judge_by(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv", "dev.jsonl.gz", "test.png", "notes.csv"):
        (tmp_path / name).write_text("text\na\n", encoding="utf-8")
    beside = (tmp_path / "dev.jsonl.gz", tmp_path / "test.csv")

    assert judging_beside(str(tmp_path / "train.csv")) == beside
    assert judging_beside(str(tmp_path)) == beside
    assert judging_beside(str(tmp_path / "test.csv")) == ()
    assert judging_beside("org/rows") == ()


def test_what_lies_beside_a_named_file_to_judge_by_is_on_the_shelf(tmp_path: Path) -> None:
    for name in ("train.csv", "test.csv"):
        (tmp_path / name).write_text("text,label\na,b\n", encoding="utf-8")
    train, test = str(tmp_path / "train.csv"), str(tmp_path / "test.csv")

    def judging(*named: str) -> list[str]:
        shelf = shelf_of(Configuration(datasets=named), ["x"], language="en", events=Events())
        return [each.id for each in shelf.judging]

    assert judging(train) == [test]
    assert judging(train, test) == []
