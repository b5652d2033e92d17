"""From data sets to rows: what fits is taken, what does not is worked on, what is bad is left out, and all is said."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from agents.demo.conversation import Annotate, AnnotateMany, read_conversation
from agents.demo.known_rows import World
from agents.demo.vices import NO_VICES
from agents.finding.found.gather import gather
from agents.finding.found.records import Found, Seeking
from agents.making.plan import make_plan
from agents.records import Pair
from agents.voting.annotate import Voting
from engine.errors import AuthenticationRefused, BudgetReached
from engine.fakes import virtual_time
from engine.messages import Reply, Request, Usage
from engine.retrieval import Column, DatasetCard
from tests.agents.found import SPEC, card, write_csv, write_jsonl

ABOUT = "Messages of customers to a bank about bills and cards."
KNOWN = [
    Pair(f"{'please settle invoice' if n % 2 else 'somebody took the plastic'} {n} {word}", SPEC.labels[(n + 1) % 2])
    for n, word in enumerate(
        f"{one} {two}"
        for one in ("red", "old", "big", "new", "thin", "blue")
        for two in ("oak", "elm", "fir", "ash", "yew")
    )
]  # fmt: skip
TRUTH = {row.input: row.output for row in KNOWN}


class Teacher:
    """A simulated teacher that answers after a wait of its own, and raises after so many answers if it is to."""

    def __init__(self, *, latency_seed: int = 0, ends_after: int | None = None, error: Exception | None = None) -> None:
        self._world = World(KNOWN, about=ABOUT, vices=NO_VICES)
        self._waits = random.Random(latency_seed)
        self._left, self._error = ends_after, error
        self.asked: Counter[str] = Counter()
        self.texts: list[str] = []

    async def ask(self, request: Request) -> Reply:
        said = read_conversation(request.messages)
        self.texts += [message.content for message in request.messages]
        self.asked[type(said).__name__] += 1
        if self._left is not None and isinstance(said, Annotate | AnnotateMany) is False:
            self._left -= 1
            if self._left < 0 and self._error is not None:
                raise self._error
        await asyncio.sleep(self._waits.uniform(0, 1))
        answer = self._world.answer(request.messages, temperature=request.temperature or 0.0, max_tokens=10_000)
        return Reply(texts=(answer.text,), finish_reasons=("stop",), usage=Usage(1, 1), model="m")


def gathered(
    cards: Sequence[DatasetCard],
    *,
    teacher: Teacher | None = None,
    share: float = 0.5,
    withheld: Sequence[str] = (),
    told: list[str] | None = None,
    only: tuple[str, ...] = (),
) -> Found:
    return virtual_time.run(
        gather(
            teacher or Teacher(),
            SPEC,
            cards,
            seeking=Seeking(wanted=40, share=share, per_dataset=100, seed=0, only=only),
            quotas=make_plan(SPEC),
            voting=Voting(),
            withheld=withheld,
            note=(told if told is not None else []).append,
        )
    )


def labelled(folder: Path, rows: Sequence[Pair] = KNOWN) -> DatasetCard:
    data = write_csv(
        folder / "requests.csv",
        ["nr", "utterance", "code"],
        [(n, row.input, row.output.title().replace(" ", "")) for n, row in enumerate(rows)],
    )
    return replace(data, description=ABOUT)


def unlabelled(folder: Path) -> DatasetCard:
    data = write_jsonl(folder / "chats.jsonl", [{"said": row.input, "at": "09:15"} for row in KNOWN])
    return replace(data, description=ABOUT)


def long(folder: Path) -> DatasetCard:
    """Rows too long to be inputs as they are."""
    mails = [{"mail": f"{row.input}. " + "Yours faithfully, a customer of many years. " * 8} for row in KNOWN]
    return replace(write_jsonl(folder / "mails.jsonl", mails), description=ABOUT)


def test_rows_that_fit_are_taken_as_they_are_and_say_where_they_are_from(tmp_path: Path) -> None:
    found = gathered([labelled(tmp_path)])

    assert len(found.examples) == 20
    assert all(example.output == TRUTH[example.input] for example in found.examples)
    assert Counter(example.output for example in found.examples) == {"pay bill": 10, "lost card": 10}
    source = found.examples[0].provenance
    assert (source.origin, source.dataset, source.licence) == ("found", "requests.csv", "mit")
    assert source.row is not None
    assert len({example.provenance.request for example in found.examples}) == 20
    assert all(example.provenance.request < 0 for example in found.examples)
    [told] = found.sources
    assert (told.use, told.read, told.kept) == ("raw", 30, 20)
    assert told.why == "utterance -> code; the teacher agrees with 30 of 30 labels"


def test_inputs_alone_are_labelled_by_vote(tmp_path: Path) -> None:
    found = gathered([unlabelled(tmp_path)], share=0.25)

    assert [source.use for source in found.sources] == ["labelled"]
    assert len(found.examples) >= 10
    assert {example.vote.samples for example in found.examples} == {("pay bill",) * 2, ("lost card",) * 2}


def test_what_fits_in_no_way_is_rewritten(tmp_path: Path) -> None:
    teacher = Teacher()

    found = gathered([long(tmp_path)], teacher=teacher, share=0.25)

    assert [source.use for source in found.sources] == ["transformed"]
    assert teacher.asked["Rewrite"] == 16
    assert len(found.examples) + len(found.rejects) == 16
    assert {example.provenance.origin for example in found.examples} == {"transformed"}


def test_nothing_is_rewritten_or_labelled_where_enough_fits(tmp_path: Path) -> None:
    teacher = Teacher()

    found = gathered([long(tmp_path), labelled(tmp_path), unlabelled(tmp_path)], teacher=teacher)

    assert teacher.asked["Rewrite"] == 0
    assert {source.dataset: (source.use, source.kept) for source in found.sources} == {
        "requests.csv": ("raw", 20), "mails.jsonl": ("unused", 0), "chats.jsonl": ("unused", 0),
    }  # fmt: skip


def test_the_same_replies_give_the_same_rows_whoever_answers_first(tmp_path: Path) -> None:
    cards = [labelled(tmp_path, KNOWN[:6]), unlabelled(tmp_path), long(tmp_path)]

    once, again = (gathered(cards, teacher=Teacher(latency_seed=seed)) for seed in (1, 2))

    assert once == again
    assert len(once.sources) == 3


def test_what_judges_is_left_out_and_what_is_nearly_it_too(tmp_path: Path) -> None:
    judging = [KNOWN[0].input, KNOWN[1].input.upper() + "!"]

    found = gathered([labelled(tmp_path)], withheld=judging, share=1.0)

    assert Counter(reject.reason for reject in found.rejects)["leak"] == 2
    assert not {KNOWN[0].input, KNOWN[1].input} & {example.input for example in found.examples}


def test_labels_that_the_teacher_mostly_holds_to_be_wrong_are_not_used(tmp_path: Path) -> None:
    other = {"pay bill": "lost card", "lost card": "pay bill"}
    told: list[str] = []

    found = gathered([labelled(tmp_path, [Pair(row.input, other[row.output]) for row in KNOWN])], told=told)

    assert any("agrees with 0 of 30 labels" in line for line in told)
    assert [(source.use, source.kept) for source in found.sources] == [("labelled", 20)]
    assert all(example.output == TRUTH[example.input] for example in found.examples)


def test_of_doubtful_labels_those_count_that_the_votes_agree_with(tmp_path: Path) -> None:
    sloppy = [replace(row, output="pay bill") if n % 3 == 0 else row for n, row in enumerate(KNOWN)]

    found = gathered([labelled(tmp_path, sloppy)], share=1.0)

    assert [(source.use, source.kept) for source in found.sources] == [("checked", 25)]
    assert all(example.output == TRUTH[example.input] for example in found.examples)
    assert Counter(reject.reason for reject in found.rejects) == {"agreement": 5}
    assert found.rejects[0].detail == "the data set says 'pay bill', the votes say 'lost card'"


def test_data_sets_that_cannot_be_used_cost_a_line_each(tmp_path: Path) -> None:
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    (tmp_path / "empty.csv").write_text("text,label\n", encoding="utf-8")
    cards = [
        replace(card(tmp_path / name), description=ABOUT) for name in ("broken.parquet", "empty.csv", "gone.csv")
    ] + [labelled(tmp_path)]
    told: list[str] = []

    found = gathered(cards[:2] + cards[3:], told=told)

    assert len(found.examples) == 20
    assert sum("data sets: without" in line for line in told) == 2
    assert [source.use for source in found.sources] == ["unused", "unused", "raw"]
    assert "not a parquet file" in found.sources[0].why


def test_columns_that_vanish_in_the_middle_cost_the_rows_without_them(tmp_path: Path) -> None:
    rows: list[object] = [{"said": row.input, "code": row.output} for row in KNOWN]
    cut = [*rows[:24], *({"other": "x"} for _ in range(6))]

    found = gathered([replace(write_jsonl(tmp_path / "rows.jsonl", cut), description=ABOUT)], share=1.0)

    assert len(found.examples) == 24
    assert found.sources[0].read == 30


def test_the_teacher_may_see_none_that_could_serve(tmp_path: Path) -> None:
    songs = replace(write_jsonl(tmp_path / "songs.jsonl", [{"title": "x"}]), description="Songs.")
    told: list[str] = []

    assert gathered([songs], told=told) == Found()
    assert told == ["data sets: the teacher sees none among 1 that could serve"]


def test_named_data_sets_are_not_voted_on(tmp_path: Path) -> None:
    teacher = Teacher()

    gathered([labelled(tmp_path)], teacher=teacher, only=("requests.csv",))

    assert teacher.asked["Rank"] == 0


@pytest.mark.parametrize("error", [BudgetReached("spent"), AuthenticationRefused("no key")], ids=["money", "key"])
def test_when_the_asking_ends_what_was_paid_for_is_kept(tmp_path: Path, error: Exception) -> None:
    """Three votes, a map and three questions for the plan come before the rows."""
    found = gathered([long(tmp_path)], teacher=Teacher(ends_after=7 + 10, error=error), share=0.25)

    assert found.error is error
    assert len(found.examples) + len(found.rejects) == 10


def test_rows_that_cost_nothing_are_kept_when_the_money_ends_at_the_next_data_set(tmp_path: Path) -> None:
    """Two that were named, so that nobody votes on them; the second map is one too many."""
    cards = [labelled(tmp_path), long(tmp_path)]

    found = gathered(cards, teacher=Teacher(ends_after=1, error=BudgetReached("spent")), only=("requests", "mails"))

    assert isinstance(found.error, BudgetReached)
    assert len(found.examples) == 20


def test_classes_are_mapped_by_their_names(tmp_path: Path) -> None:
    numbered = write_csv(
        tmp_path / "ids.csv", ["utterance", "label"], [(row.input, SPEC.labels.index(row.output)) for row in KNOWN]
    )
    columns = (Column("utterance", "text"), Column("label", "label", ("pay_bill", "lost_card")))

    found = gathered([replace(numbered, description=ABOUT, columns=columns)], share=1.0)

    assert len(found.examples) == 30
    assert all(example.output == TRUTH[example.input] for example in found.examples)


def test_where_the_files_are_is_told_to_nobody(tmp_path: Path) -> None:
    teacher = Teacher()

    found = gathered([labelled(tmp_path), long(tmp_path)], teacher=teacher, share=1.0)

    assert len(teacher.texts) > 20
    assert not any(str(tmp_path) in text for text in teacher.texts)
    assert str(tmp_path) not in repr(found)


def test_of_a_data_set_that_breaks_off_what_came_before_is_used(tmp_path: Path) -> None:
    noise = random.Random(0)
    rows = ({"said": row.input, "code": row.output, "key": f"{noise.getrandbits(800):x}"} for row in KNOWN * 40)
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    whole = gzip.compress(lines.encode(), compresslevel=1)
    (tmp_path / "rows.jsonl.gz").write_bytes(whole[: len(whole) * 3 // 4])
    told: list[str] = []

    found = gathered([card(tmp_path / "rows.jsonl.gz", about=ABOUT)], told=told)

    assert len(found.examples) == 20
    assert any(line.startswith("data sets: rows.jsonl.gz: the run goes on without the rest of it: ") for line in told)
    assert "cannot be read" in found.sources[0].why
