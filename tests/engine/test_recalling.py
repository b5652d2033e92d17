"""The memory beside a writer: what it answers, how much it counts, when there is none, and that it comes back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.training import Prediction, Row
from engine.training.encoder_decoder import EncoderDecoder
from engine.training.recalling import Recalling, helps, likeliest_of, with_memory
from engine.training.recollection import Recollection
from engine.training.spelt import Spelt
from engine.training.trust import Opinion, Trust

ROWS = [
    Row(f"{greeting} {name}", greeting) for greeting in ("good morning", "farewell") for name in ("Ada", "Bo", "Cy")
]
TRUST = Trust(memory=1.0, writer=0.1, unknown=0.0)


class Writer:
    """Always writes the same, and is as sure of it as it was told to be."""

    family = "tiny"

    def __init__(self, output: str, confidence: float = 0.9) -> None:
        self._told = Prediction(output, confidence)

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [self._told for _ in inputs]

    def sample(self, inputs: Sequence[str], **_: Any) -> list[list[Prediction]]:
        return [[self._told] for _ in inputs]

    def log_likelihoods(self, inputs: Sequence[str], answers: Sequence[Sequence[str]]) -> list[list[float]]:
        """Of any other answer than what it writes, it holds none to be likely."""
        return [[-20.0 for _ in some] for some, _ in zip(answers, inputs, strict=True)]


def writer(output: str, confidence: float = 0.9) -> EncoderDecoder:
    return cast("EncoderDecoder", Writer(output, confidence))


def test_the_likeliest_answer_wins_and_of_equals_the_written_one() -> None:
    spelt = Spelt([1], [-0.1], lambda tokens: [b"a" for _ in tokens])
    written = Prediction("a", 0.6, spelt=spelt)
    own, other = Opinion("a", 0.1, -0.5), Opinion("b", 0.9, -1.0)

    assert likeliest_of(written, [own, other], TRUST).output == "b"
    assert likeliest_of(written, [own, other], TRUST).spelt is None
    assert likeliest_of(written, [own], TRUST).spelt is spelt
    assert likeliest_of(written, [own, own._replace(answer="b")], TRUST).output == "a"


def test_a_confidence_is_the_answers_share_beside_all_others_and_the_unknown() -> None:
    [sure, unsure] = (
        likeliest_of(Prediction("a", 0.6), [Opinion("a", 0.0, -0.5), Opinion("b", 0.9, -1.0)], trust).confidence
        for trust in (TRUST, replace(TRUST, unknown=5.0))
    )

    assert 0.0 < unsure < 0.01 < 0.4 < sure < 0.5


@pytest.mark.parametrize(
    ("gained", "lost", "is_kept"),
    [
        (0, 0, False),
        (1, 0, True),
        (1, 1, True),
        (1, 2, True),
        (1, 3, False),
        (0, 1, False),
        (8, 11, True),
        (8, 13, False),
    ],
)
def test_a_memory_is_kept_that_puts_some_right_and_no_more_wrong_than_chance_would(
    gained: int, lost: int, is_kept: bool
) -> None:
    alone = [False] * gained + [True] * lost + [True, False] * 20
    together = [True] * gained + [False] * lost + [True, False] * 20

    assert helps(alone, together) == is_kept


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_of_two_that_differ_at_least_one_is_kept_over_the_other(rows: list[tuple[bool, bool]]) -> None:
    alone, together = [one for one, _ in rows], [one for _, one in rows]
    both_ways = any(a and not b for a, b in rows) and any(b and not a for a, b in rows)

    assert not both_ways or helps(alone, together) or helps(together, alone)
    assert not helps(alone, alone)


# From here on rows are looked up, which takes scikit-learn.


@pytest.mark.long
def test_the_rows_most_like_an_input_answer_and_leave_a_share_to_answers_that_no_row_has() -> None:
    [shares] = Recollection.of(ROWS).answers(["farewell Di"])

    assert max(shares, key=shares.__getitem__) == "farewell"
    assert 0.5 <= sum(shares.values()) < 1
    assert Recollection.of(ROWS).answers([]) == []


@pytest.mark.long
def test_what_an_answer_took_from_its_own_input_must_be_read_where_it_is_given_again(tmp_path: Path) -> None:
    told = ("It weighs {} KG", "a weight of {} KG", "{} KG or so")
    rows = [Row(one.format(count), f"{count} kg") for count in range(10, 30) for one in told]
    recollection = Recollection.of(rows)

    [shares] = recollection.answers(["It weighed 12 KG"])
    recollection.keep(tmp_path)

    assert recollection.misfit < 1
    assert max(shares, key=shares.__getitem__) == "12 kg"
    assert Recollection.kept_in(tmp_path).answers(["It weighed 12 KG"]) == [shares]


@pytest.mark.long
def test_where_answers_take_nothing_from_their_inputs_all_fit() -> None:
    assert Recollection.of([Row(f"{text}", "ab"[text % 2]) for text in range(100, 130)]).misfit == 1


@pytest.mark.long
def test_where_no_row_fits_the_usual_answer_speaks_and_where_one_does_that_one(tmp_path: Path) -> None:
    rows = [Row(f"it took {count} km", f"{count} km") for count in range(10, 30)]
    rows += [Row(f"no way of {'abcdef'[which]}", "none") for which in range(6)]
    recollection = Recollection.of(rows, softness=0.05, misfit=0.01)

    unheard, heard = recollection.answers(["it took 77 km", "it took 12 km"])
    recollection.keep(tmp_path)

    assert max(unheard, key=unheard.__getitem__) == "none"
    assert max(heard, key=heard.__getitem__) == "12 km"
    assert sum(unheard.values()) < 1
    assert Recollection.kept_in(tmp_path).answers(["it took 77 km"]) == [unheard]


@pytest.mark.long
def test_a_usual_answer_that_does_not_fit_counts_as_little_as_a_near_one() -> None:
    rows = [Row(text, "5 km") for text in ("5 km", "about 5 km", "say 5 km")] + [Row("8 kg", "8 kg")]
    shares = {
        misfit: Recollection.of(rows, softness=0.05, misfit=misfit).answers(["what?"])[0]["5 km"]
        for misfit in (0.01, 1.0)
    }

    assert shares[0.01] < 0.1 < shares[1.0]


@pytest.mark.long
@given(
    st.lists(st.text("abc 12", min_size=1).filter(str.strip), min_size=2, max_size=6, unique_by=str.strip),
    st.text("abc 12"),
)
@settings(max_examples=25, deadline=None)
def test_where_no_answer_repeats_none_is_usual(texts: list[str], asked: str) -> None:
    rows = [Row(text, f"{text}{which}") for which, text in enumerate(texts)]

    with_votes, without = (Recollection.of(rows, softness=0.1, votes=votes).answers([asked]) for votes in (9.0, 0.0))

    assert with_votes == without


@pytest.mark.long
@given(st.lists(st.sampled_from(["yes", "no", "5"]), min_size=2, max_size=12), st.floats(0, 9), st.floats(0, 1))
@settings(max_examples=25, deadline=None)
def test_shares_leave_some_to_answers_that_no_row_has_however_often_answers_repeat(
    answers: list[str], votes: float, misfit: float
) -> None:
    rows = [Row(f"no {which} of 5", answer) for which, answer in enumerate(answers)]

    [shares] = Recollection.of(rows, softness=0.1, votes=votes, misfit=misfit).answers(["another"])

    assert set(shares) <= set(answers)
    assert 0 <= sum(shares.values()) < 1


class Cutting(Writer):
    """Reads no more than twenty characters."""

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction("written", 0.1, cut=len(text) > 20) for text in inputs]


@pytest.mark.long
def test_what_is_read_cut_is_not_looked_up() -> None:
    student = Recalling(cast("EncoderDecoder", Cutting("")), Recollection.of(ROWS), TRUST)
    told = student.predict(["farewell Di", "good morning Di and good evening", "good morning Di"])

    assert [one.output for one in told] == ["farewell", "written", "good morning"]


@pytest.mark.long
@pytest.mark.parametrize(
    "told",
    [
        '{"memory": NaN, "writer": 0.1, "unknown": 0}',
        '{"memory": 1, "writer": -0.1, "unknown": 0}',
        '{"memory": 1, "writer": 0.1, "unknown": Infinity}',
        '{"memory": 1, "unknown": 0}',
        "5",
    ],
)
def test_a_trust_that_is_none_is_damage(told: str, tmp_path: Path) -> None:
    student = Recalling(writer("a"), Recollection.of(ROWS), TRUST)
    student.keep(tmp_path)
    (tmp_path / "memory" / "trust.json").write_text(told)

    with pytest.raises(UserError, match="memory is damaged"):
        with_memory(tmp_path, student.writer)


@pytest.mark.long
def test_a_folder_in_place_of_a_trust_is_damage(tmp_path: Path) -> None:
    Recalling(writer("a"), Recollection.of(ROWS), TRUST).keep(tmp_path)
    (tmp_path / "memory" / "trust.json").unlink()
    (tmp_path / "memory" / "trust.json").mkdir()

    with pytest.raises(UserError, match="memory is damaged"):
        with_memory(tmp_path, writer("a"))


@pytest.mark.long
def test_a_memory_of_an_older_version_is_told_as_one(tmp_path: Path) -> None:
    Recalling(writer("a"), Recollection.of(ROWS), TRUST).keep(tmp_path)
    (tmp_path / "memory" / "trust.json").rename(tmp_path / "memory" / "weight.json")

    with pytest.raises(UserError, match="of another version"):
        with_memory(tmp_path, writer("a"))


@pytest.mark.long
def test_it_is_there_where_it_helps_and_comes_back_the_same(tmp_path: Path) -> None:
    recollection = Recollection.of(ROWS)
    unseen = [Row("farewell Di", "farewell"), Row("good morning Di", "good morning")]

    student = Recalling.where_it_helps(writer("farewell", 0.2), recollection, unseen)
    assert student is not None
    student.keep(tmp_path)
    again = with_memory(tmp_path, writer("farewell", 0.2))

    inputs = [row.input for row in unseen]
    assert [one.output for one in student.predict(inputs)] == [row.output for row in unseen]
    assert again.predict(inputs) == student.predict(inputs)
    assert again.sample(["x"], n=1, temperature=1, seed=0) == [[Prediction("farewell", 0.2)]]
    assert (student.size, student.right) == (len(ROWS), 1.0)


@pytest.mark.long
def test_what_is_read_cut_counts_as_it_is_written_and_says_nothing_of_the_trust() -> None:
    memory, cutting = Recollection.of(ROWS), cast("EncoderDecoder", Cutting(""))
    whole, long = Row("farewell Di", "farewell"), [Row("farewell " * 9, answer) for answer in ("farewell", "written")]

    alone, among = (Recalling.where_it_helps(cutting, memory, rows) for rows in ([whole], [*long, whole]))

    assert alone is not None
    assert among is not None
    assert among.trust == alone.trust
    assert (alone.right, among.right) == (1.0, 2 / 3)
    assert Recalling.where_it_helps(cutting, memory, long) is None


@pytest.mark.long
def test_there_is_none_where_the_writer_is_right_already_or_nothing_tells() -> None:
    recollection = Recollection.of(ROWS)

    assert Recalling.where_it_helps(writer("farewell"), recollection, [Row("farewell Di", "farewell")]) is None
    assert Recalling.where_it_helps(writer("wrong"), recollection, ROWS) is None
    assert Recalling.where_it_helps(writer("wrong"), recollection, []) is None


def kept(rows: str = '[["a", "b"]]', **figures: str) -> str:
    """A file of rows as it may lie there."""
    whole = {"softness": "0.1", "misfit": "1", "analogy": "0", "votes": "0", "rows": rows, **figures}
    return "{" + ", ".join(f'"{name}": {value}' for name, value in whole.items()) + "}"


@pytest.mark.long
@pytest.mark.parametrize(
    "told",
    [
        kept('[["a", 1]]'),
        kept('["ab", "cd"]'),
        kept('[["a", "b"], "cd", ["e", "f"]]'),
        kept("5"),
        kept(softness="0"),
        kept(softness="NaN"),
        kept(softness="1" + "0" * 400),
        kept(misfit="-5"),
        kept(analogy="Infinity"),
        kept(votes="null"),
        '{"softness": 0.1, "rows": [["a", "b"]]}',
        "[" * 100_000,
        "[]",
        '{"rows": []}',
        "\udc80",
    ],
    ids=range(15),
)
def test_a_damaged_memory_is_one_line_and_without_its_folder_the_writer_answers(told: str, tmp_path: Path) -> None:
    student = Recalling(writer("a"), Recollection.of(ROWS), TRUST)
    student.keep(tmp_path)
    (tmp_path / "memory" / "rows.json").write_text(told, errors="surrogateescape")

    with pytest.raises(UserError, match="memory is damaged") as raised:
        with_memory(tmp_path, student.writer)

    assert "\n" not in str(raised.value)
    assert with_memory(tmp_path / "none", student.writer) is student.writer
