"""A trial of students: who is tried, on which rows and for how long, and what is told of whoever cannot be."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from agents.finding.choose import Ranked, Ranking, StudentChoice
from agents.students.halving import Candidate, Round
from agents.students.trial import Tried, candidates_for, trial_table, tried, try_students
from engine.errors import UserError
from engine.events import Event, Events, Noted
from engine.fakes.checkpoints import save_encoder, save_seq2seq
from engine.retrieval import ModelCard, Place
from engine.training import Prediction, Row

ROWS = [Row(f"row {n}", f"answer {n % 4}") for n in range(400)]
VALIDATION = [Row(f"kept {n}", f"answer {n % 4}") for n in range(40)]


def card(name: str, *, size: int | None = 1000) -> ModelCard:
    return ModelCard(
        id=name, description="", tags=(), task="text", languages=("en",), licence="mit", family="seq2seq",
        architecture="t5", parameters=None, bytes=size, downloads=1, gated=False,
    )  # fmt: skip


def ranking(*places: Place) -> Ranking[ModelCard]:
    return Ranking(tuple(Ranked(card(f"org/m{n}"), 1.0, place) for n, place in enumerate(places)), ())


@dataclass
class Knows:
    """A student that is right about so many of the validation rows."""

    right: int
    family: str = "tiny"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        wanted = {row.input: row.output for row in VALIDATION}
        known = set(sorted(inputs)[: self.right])
        return [Prediction(wanted[text] if text in known else "?", 1.0) for text in inputs]


@dataclass
class School:
    """Teaches in no time but that of its own clock; `talents` say who will know how many rows, or what breaks."""

    talents: dict[str, int | Exception]
    takes: Callable[[float], float] = lambda limit: limit
    taught: list[tuple[str, list[Row], float]] = field(default_factory=list)
    clock: float = 0.0

    def __call__(self, candidate: Candidate, rows: Sequence[Row], seconds: float) -> Knows:
        self.taught.append((candidate.name, list(rows), seconds))
        self.clock += self.takes(seconds)
        talent = self.talents[candidate.name]
        if isinstance(talent, Exception):
            raise talent
        return Knows(talent)

    def candidates(self, *, is_here: bool = True) -> tuple[Candidate, ...]:
        return tuple(
            Candidate(name=name, family="seq2seq", checkpoint=name, rank=rank, is_here=is_here)
            for rank, name in enumerate(self.talents)
        )


def gone_through(
    school: School, *, seconds: float = 70, seed: int = 0, fetch: Callable[[str], None] | None = None
) -> tuple[tuple[Round, ...], list[str]]:
    """The rounds, and the lines that were told of them."""
    events, told = Events(), list[Event]()
    events.subscribe(told.append)
    rounds = try_students(
        school.candidates(is_here=fetch is None), ROWS, VALIDATION, kind="classification", seed=seed, seconds=seconds,
        teach=school, fetch=fetch, now=lambda: school.clock, events=events,
    )  # fmt: skip
    return rounds, [event.text for event in told if isinstance(event, Noted)]


def test_the_better_half_goes_on_with_twice_the_rows_and_time_until_one_is_left() -> None:
    school = School({"a": 10, "b": 30, "c": 20, "d": 5})

    rounds, told = gone_through(school)

    assert [(name, len(rows)) for name, rows, _ in school.taught] == [
        ("a", 100), ("b", 100), ("c", 100), ("d", 100), ("b", 200), ("c", 200)
    ]  # fmt: skip
    assert school.taught[4][2] == pytest.approx(2 * school.taught[0][2])
    assert [each.rows for each in rounds] == [100, 200]
    assert told[0].startswith("trial, round 1, on 100 rows: a 0.25 accuracy (")
    assert told[0].endswith("; b, c go on")
    assert told[1].endswith("; b is the best")


def test_all_learn_from_the_same_training_rows_and_keep_what_they_had() -> None:
    school = School({"a": 10, "b": 30, "c": 20})

    gone_through(school)

    first, *_, last = (rows for _, rows, _ in school.taught)
    assert last[: len(first)] == first
    assert all(row in ROWS for _, rows, _ in school.taught for row in rows)
    assert school.taught[0][1] == school.taught[1][1]


def test_the_seed_names_the_slices_and_nothing_else_does() -> None:
    schools = [School({"a": 10, "b": 30}) for _ in range(3)]

    results = [gone_through(school, seed=seed)[0] for school, seed in zip(schools, (0, 0, 1), strict=True)]

    assert results[0] == results[1]
    assert schools[0].taught == schools[1].taught
    assert schools[0].taught != schools[2].taught


@pytest.mark.parametrize(
    ("error", "told"),
    [
        pytest.param(UserError("'b' cannot be loaded"), "b is out: 'b' cannot be loaded;", id="not to be loaded"),
        pytest.param(RuntimeError("bad\n shape"), "b is out: RuntimeError: bad shape;", id="whatever else breaks"),
        pytest.param(MemoryError(), "b is out: MemoryError;", id="memory"),
        pytest.param(RuntimeError("x" * 10_000), f"b is out: RuntimeError: {'x' * 185}…;", id="a page of it"),
        pytest.param(RuntimeError("\x1b[2Jgone"), "b is out: RuntimeError: [2Jgone;", id="what steers a terminal"),
    ],
)
def test_who_cannot_be_trained_is_out_with_a_line_and_the_others_go_on(error: Exception, told: str) -> None:
    rounds, lines = gone_through(School({"a": 1, "b": error, "c": 20, "d": 3}))

    assert told in lines[0]
    assert lines[0].endswith("c, d go on")
    assert "\n" not in lines[0]
    assert [outcome.candidate.name for outcome in rounds[-1].outcomes] == ["c", "d"]


def test_who_cannot_be_fetched_is_out_and_fetching_takes_none_of_the_time() -> None:
    school = School({"a": 10, "b": 30, "c": 20})
    fetched = []

    def fetch(name: str) -> None:
        fetched.append(name)
        school.clock += 1000
        if name == "b":
            raise UserError("'b' cannot be fetched")

    rounds, told = gone_through(school, fetch=fetch)

    assert fetched == ["a", "b", "c"]
    assert "b is out: 'b' cannot be fetched" in told[0]
    assert [name for name, _, _ in school.taught] == ["a", "c", "c", "a"]
    assert len(rounds) == 2


def test_trainings_that_keep_to_their_time_take_all_of_it_and_no_more() -> None:
    school = School({name: rank for rank, name in enumerate("abcdefg")})

    gone_through(school, seconds=60)

    assert school.clock == pytest.approx(60)


def test_who_takes_too_long_takes_it_from_the_others_and_the_trial_ends_with_the_time() -> None:
    school = School({"a": 10, "b": 30, "c": 20, "d": 5}, takes=lambda _: 30)

    rounds, told = gone_through(school, seconds=50)

    assert [name for name, _, _ in school.taught] == ["a", "b"]
    assert "c is out: no time was left for it" in told[0]
    assert len(rounds) == 1


def test_what_one_does_not_need_is_left_for_later_rounds() -> None:
    school = School({"a": 10, "b": 30, "c": 20, "d": 5}, takes=lambda limit: limit / 2)

    gone_through(school, seconds=80)

    assert school.taught[-1][2] == pytest.approx((80 - 20) / 2)


@pytest.mark.parametrize("talents", [{}, {"a": 10}])
def test_where_there_is_nobody_to_compare_nobody_is_trained(talents: dict[str, int | Exception]) -> None:
    school = School(talents)

    assert gone_through(school) == ((), [])
    assert not school.taught


@pytest.mark.parametrize(
    ("has_labels", "wanted", "names"),
    [
        pytest.param(True, "auto", ["linear", "tiny", "org/m0", "org/m1"], id="labels"),
        pytest.param(False, "auto", ["tiny", "org/m0", "org/m1"], id="text"),
        pytest.param(False, "seq2seq", ["org/m0", "org/m1"], id="base models alone"),
    ],
)
def test_the_best_that_can_be_had_are_tried_beside_what_needs_no_download(
    has_labels: bool, wanted: str, names: list[str]
) -> None:
    found = candidates_for(ranking("machine", "hub", "hub"), has_labels=has_labels, top=2, wanted=wanted)

    assert [each.name for each in found] == names
    assert [each.rank for each in found] == list(range(len(names)))
    assert [each.is_here for each in found[-2:]] == [True, False]


def test_a_model_whose_size_nobody_has_said_counts_as_the_dearest() -> None:
    unknown = Ranking((Ranked(card("org/m", size=None), 1.0, "machine"),), ())

    assert candidates_for(unknown, has_labels=False, top=1, wanted="auto")[1].bytes == 3_000_000_000


@pytest.mark.parametrize(
    ("wanted", "students"),
    [
        pytest.param("auto", [("a", "embedding"), ("b", "classifier"), ("c", "seq2seq")], id="as their cards say"),
        pytest.param("embedding", [("a", "embedding")], id="as they are"),
        pytest.param("classifier", [("a", "classifier"), ("b", "classifier")], id="tuned"),
        pytest.param("seq2seq", [("c", "seq2seq")], id="those that write"),
    ],
)
def test_each_base_model_is_tried_as_the_student_that_can_start_from_it(
    wanted: str, students: list[tuple[str, str]]
) -> None:
    cards = (
        replace(card("a"), family="embedding", architecture="bert"),
        replace(card("b"), family="classifier", architecture="roberta"),
        card("c"),
        replace(card("d"), family="embedding", architecture="nobody-knows-it"),
    )
    found = Ranking(tuple(Ranked(each, 1.0, "machine") for each in cards), ())

    based = [each for each in candidates_for(found, has_labels=True, top=9, wanted=wanted) if each.checkpoint]

    assert [(each.name, each.family) for each in based] == students


USUAL = StudentChoice("tiny", None, "tiny, because nothing else is here")


def trial(
    file: Path, candidates: Sequence[Candidate], *, teach: School | None = None, wished: object = 1
) -> tuple[Tried, list[str]]:
    events, told = Events(), list[Event]()
    events.subscribe(told.append)
    done = tried(
        candidates, ROWS, VALIDATION, file=file, otherwise=USUAL, kind="classification", seed=0, seconds=20, threads=1,
        wished=wished, teach=teach, events=events,
    )  # fmt: skip
    return done, [event.text for event in told if isinstance(event, Noted)]


def test_a_trial_that_came_to_its_end_is_not_gone_through_again(tmp_path: Path) -> None:
    file = tmp_path / "trial.json"
    school = School({"a": 10, "b": 30})
    both = school.candidates()

    first, _ = trial(file, both, teach=school)
    again, told = trial(file, both[:1], teach=school)  # what can be had may be another thing by now

    assert first == again
    assert len(school.taught) == 2
    assert told == [f"the trial is over: {first.choice.why}"]
    assert (first.choice.family, first.choice.checkpoint) == ("seq2seq", "b")
    assert first.choice.why.startswith("the best of 2 students tried on slices of the rows is b: 0.75 accuracy")
    assert first.choice.why.endswith("on 40 validation rows after 200 rows")


@pytest.mark.parametrize("content", [b'{"recipe"', b"[]", b'"x"', b'{"recipe": "another"}'])
def test_a_trial_that_is_damaged_or_another_is_gone_through_anew(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "trial.json"
    school = School({"a": 10, "b": 30})
    trial(file, school.candidates(), teach=school)
    file.write_bytes(content)

    trial(file, school.candidates(), teach=school)
    trial(file, school.candidates(), teach=school, wished=2)

    assert len(school.taught) == 6


@pytest.mark.parametrize(
    ("talents", "why"),
    [
        pytest.param({"a": UserError("no"), "b": UserError("no")}, "none of them could be tried", id="all broken"),
        pytest.param({"a": 10}, "there was nothing to compare", id="one alone"),
    ],
)
def test_where_none_could_be_compared_the_usual_student_is_taken(
    talents: dict[str, int | Exception], why: str, tmp_path: Path
) -> None:
    school = School(talents)

    done, _ = trial(tmp_path / "trial.json", school.candidates(), teach=school)

    assert done.choice == StudentChoice("tiny", None, f"{USUAL.why} (no trial: {why})")


@pytest.mark.slow
def test_real_students_are_tried_and_nothing_but_the_outcome_stays(tmp_path: Path) -> None:
    base, encoder = save_seq2seq(tmp_path / "base"), save_encoder(tmp_path / "encoder")
    candidates = (
        Candidate(name="linear", family="linear"),
        Candidate(name="base", family="seq2seq", checkpoint=str(base), rank=1),
        Candidate(name="no/model", family="seq2seq", checkpoint="no/model", rank=2),
        Candidate(name="as it is", family="embedding", checkpoint=str(encoder), rank=3),
        Candidate(name="tuned", family="classifier", checkpoint=str(encoder), rank=4),
    )
    file = tmp_path / "run" / "trial.json"

    done, told = trial(file, candidates)

    assert "no/model is out: 'no/model' cannot be loaded as an encoder-decoder" in told[0]
    assert [len(each.outcomes) for each in done.rounds] == [5, 3, 2]
    assert all(bool(outcome.scores) == (outcome.candidate.name != "no/model") for outcome in done.rounds[0].outcomes)
    assert [path.name for path in file.parent.iterdir()] == ["trial.json"]


def test_the_table_has_every_round_the_best_first_with_what_became_of_each() -> None:
    rounds, _ = gone_through(School({"a": 10, "b": 30, "c": UserError("it broke"), "d": 20}))

    table = trial_table(Tried(rounds, 40, USUAL))

    assert [(row["round"], row["student"], row["rows"], row["outcome"]) for row in table] == [
        ("1", "b", "100", "goes on"),
        ("1", "d", "100", "goes on"),
        ("1", "a", "100", "out"),
        ("1", "c", "100", "out: it broke"),
        ("2", "b", "200", "the best"),
        ("2", "d", "200", "out"),
    ]
    assert table[0]["accuracy"].startswith("0.750 (")
    assert table[3]["accuracy"] == "-"
    assert all(row.keys() == table[0].keys() for row in table)
