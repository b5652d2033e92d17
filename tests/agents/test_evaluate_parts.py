"""What a judgement is made of: the metrics of a task, the rows to judge by, rivals, growth, costs, an LLM beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from agents.evaluate import (
    Costs,
    TeacherCosts,
    calibrate_student,
    evaluate,
    form_seen,
    growth_of,
    metrics_for,
    right_by,
    rivals_of,
    speed_of,
    table_of,
    taught,
)
from agents.evaluate.against import answers_of
from agents.evaluate.sieve import sieve
from agents.evaluate.teacher import single_labels, teacher_costs
from agents.records import AnswerForm, Draft, Example, Pair, Provenance, Spec, TaskKind, Vote
from engine import Budget, Engine, Request
from engine.errors import BudgetReached, UserError
from engine.evaluation import Leeway, Terms, calibrate, read_calibration
from engine.messages import Reply, Usage
from engine.training import Prediction, Row, Student

ROWS = tuple(
    Row(f"{word} {number}", label) for number in range(90) for word, label in (("up", "plus"), ("down", "minus"))
)


class Says:
    """Answers with what a table has, or with one and the same thing, and is sure of it."""

    family = "says"

    def __init__(self, *, otherwise: str = "plus", known: Sequence[Row] = (), confidence: float = 0.9) -> None:
        self.known = {row.input: row.output for row in known}
        self.otherwise = otherwise
        self.confidence = confidence

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction(self.known.get(text, self.otherwise), self.confidence) for text in inputs]


# -- metrics


@pytest.mark.parametrize(
    ("kind", "form", "wanted", "metrics"),
    [
        pytest.param("classification", "label", ["a"], ("accuracy", "macro-F1"), id="labels"),
        pytest.param("text", "labels", ["a, b"], ("same labels", "label F1"), id="several labels"),
        pytest.param("text", "number", ["1"], ("exact match", "number match"), id="numbers"),
        pytest.param("text", "date", ["2024-01-01"], ("exact match", "date match"), id="dates"),
        pytest.param("text", "json", ["{}"], ("JSON match", "JSON fields", "exact match"), id="JSON"),
        pytest.param("text", "code", ["f()"], ("exact match", "chrF++"), id="code"),
        pytest.param("text", "text", ["short"], ("exact match", "chrF++", "ROUGE-L"), id="short texts"),
        pytest.param("text", "text", ["word " * 20], ("chrF++", "ROUGE-L", "exact match"), id="long texts"),
    ],
)
def test_metrics_are_chosen_by_kind_and_form(
    kind: TaskKind, form: AnswerForm, wanted: Sequence[str], metrics: tuple[str, ...]
) -> None:
    assert metrics_for(kind, form, wanted) == metrics


@pytest.mark.parametrize(
    ("kind", "outputs", "seen"),
    [
        pytest.param("classification", ["a", "b", "a"], ("classification", "label"), id="labels"),
        pytest.param("classification", ["a, b", "b", "a", "b, a"], ("text", "labels"), id="several labels"),
        pytest.param("text", ["1,000", "7 %"], ("text", "number"), id="numbers"),
        pytest.param("text", ["2024-01-02"] * 9 + ["N/A"], ("text", "date"), id="dates, and nothing to find"),
        pytest.param("text", ['{"a": 1}', "[]"], ("text", "json"), id="JSON"),
        pytest.param("text", ["1", "one"], ("text", "text"), id="half numbers"),
        pytest.param("text", [], ("text", "text"), id="nothing"),
    ],
)
def test_without_a_prompt_the_rows_say_what_answers_look_like(
    kind: TaskKind, outputs: Sequence[str], seen: tuple[TaskKind, AnswerForm]
) -> None:
    assert form_seen(outputs, kind=kind) == seen


def test_whoever_gives_leeway_is_judged_by_value_first() -> None:
    assert metrics_for("text", "number", ["1"], terms=Terms(leeway=Leeway(share=0.1)))[0] == "number match"
    assert metrics_for("text", "date", ["1"], terms=Terms(leeway=Leeway(days=1)))[0] == "date match"
    assert metrics_for("text", "text", ["1"], terms=Terms(leeway=Leeway(days=1)))[0] == "exact match"


def test_an_encoder_adds_meaning_and_no_metric_less(tmp_path: Path) -> None:
    assert metrics_for("text", "code", [], terms=Terms(encoder=tmp_path)) == ("exact match", "chrF++", "BERTScore")


def test_rows_are_right_by_the_first_metric_that_knows_right_from_wrong() -> None:
    assert right_by(("chrF++", "ROUGE-L", "exact match")) == "exact match"
    assert right_by(("JSON match", "exact match")) == "JSON match"
    assert right_by(("chrF++",)) == "exact match"


# -- the rows


def test_rows_that_were_learnt_are_not_judged_by_however_they_are_spelled() -> None:
    found = sieve([Row("A b.", "x"), Row("new", "x")], train=[Row("a  B", "x")], kind="text")

    assert [row.input for row in found.rows] == ["new"]
    assert found.facts.learnt == 1


def test_labels_that_differ_by_case_are_missing_or_were_never_learnt_are_told() -> None:
    train = [Row("1", "Yes"), Row("2", "No"), Row("3", "Maybe")]
    found = sieve([Row("4", "yes"), Row("5", "No"), Row("6", "Never")], train=train, kind="classification")

    assert found.facts.respelled == 1
    assert found.facts.missing == ("Maybe", "Yes")
    assert found.facts.unlearnt == ("Never",)


def test_free_text_has_no_labels_to_miss() -> None:
    facts = sieve([Row("4", "yes")], train=[Row("1", "Yes")], kind="text").facts

    assert (facts.respelled, facts.missing, facts.unlearnt) == (0, (), ())


def test_a_student_is_not_judged_by_what_it_has_learnt_alone() -> None:
    with pytest.raises(UserError, match="has learnt from every one of the 180 rows"):
        evaluate(Says(), ROWS, train=ROWS, on="test", kind="classification", seed=0)


def test_rows_that_were_learnt_are_left_out_and_counted() -> None:
    judgement = evaluate(Says(), ROWS[:10], train=ROWS[:4], on="test", kind="text", seed=0)

    assert (judgement.rows, judgement.facts.learnt) == (6, 4)


def test_answers_of_nothing_are_counted_where_something_was_wanted() -> None:
    rows = [Row("1", "x"), Row("2", ""), Row("3", "x")]
    judgement = evaluate(Says(otherwise=" "), rows, train=[], on="test", kind="text", seed=0)

    assert judgement.facts.silent == 2


def test_one_row_is_judged_and_promises_nothing() -> None:
    judgement = evaluate(Says(), [Row("up", "plus")], train=ROWS, on="test", kind="classification", seed=0)

    assert judgement.main().low < 0.3
    assert all(score.low <= score.value <= score.high for score in judgement.student.scores)
    assert judgement.labels[0].rows == 1


# -- rivals


def test_for_labels_a_linear_student_is_a_rival_unless_it_is_the_student_itself() -> None:
    def names(family: str, has_labels: bool) -> list[str]:
        return [rival.family for rival in rivals_of(ROWS, has_labels=has_labels, family=family)]

    plain = ["majority", "copy", "nearest neighbour"]
    assert names("tiny", True) == [*plain, "linear"]
    assert names("linear", True) == plain
    assert names("tiny", False) == plain
    assert [rival.family for rival in rivals_of([], has_labels=False, family="tiny")] == ["copy"]


def test_rows_of_a_single_label_teach_no_rival() -> None:
    assert taught([Row("a", "x"), Row("b", "x")], family="linear") is None


def test_hardly_a_row_of_each_label_teaches_without_a_warning() -> None:
    """Warnings are errors here."""
    assert taught([Row(f"text {number}", f"label {number}") for number in range(30)], family="linear") is not None


def test_each_rival_is_held_against_the_student_on_the_same_rows() -> None:
    student = Says(known=ROWS)
    judgement = evaluate(student, ROWS, train=[], on="test", kind="classification", seed=0, rivals=[Says(), student])

    worse, same = judgement.baselines
    assert worse.behind is not None
    assert worse.behind.value == pytest.approx(0.5)
    assert worse.behind.is_better
    assert same.behind is not None
    assert (same.behind.value, same.behind.p) == (0, 1)
    assert table_of(judgement)[1]["student is ahead by"].startswith("+0.500")


def test_the_teacher_stands_beside_the_baselines_and_is_none() -> None:
    answers = {row.input: row.output for row in ROWS}
    judgement = evaluate(Says(), ROWS, train=[], on="test", kind="classification", seed=0, teacher={"an LLM": answers})

    assert [(judged.name, judged.is_baseline) for judged in judgement.baselines] == [("copy", True), ("an LLM", False)]
    assert judgement.baselines[1].scores[0].value == 1
    assert judgement.best_baseline().name == "copy"


def test_another_student_stands_beside_it_and_need_not_be_beaten() -> None:
    judgement = evaluate(
        Says(), ROWS, train=[], on="test", kind="classification", seed=0, beside={"older": Says(known=ROWS)}
    )

    older = judgement.baselines[-1]
    assert (older.name, older.is_baseline) == ("older", False)
    assert older.behind is not None
    assert older.behind.value == pytest.approx(-0.5)
    assert "older" not in " ".join(judgement.warnings())


def test_of_several_labels_each_counts_for_itself() -> None:
    rows = [Row("1", "late, paid"), Row("2", "Paid"), Row("3", "lost"), Row("4", "late")]
    train = [Row("5", "late, paid"), Row("6", "paid; open")]
    judgement = evaluate(
        Says(otherwise="paid, late"), rows, train=train, on="test", kind="text", form="labels", seed=0, rivals=[Says()]
    )

    counts = {each.label: (each.rows, each.given, each.right) for each in judgement.labels}
    assert counts == {"late": (2, 4, 2), "paid": (1, 4, 1), "Paid": (1, 0, 0), "lost": (1, 0, 0)}
    assert judgement.main().metric == "same labels"
    assert judgement.main().value == 0.25
    assert judgement.confusion is None
    assert (judgement.facts.respelled, judgement.facts.missing, judgement.facts.unlearnt) == (1, ("open",), ("lost",))


# -- confidence


def test_what_confidence_is_worth_is_kept_beside_the_student(tmp_path: Path) -> None:
    calibrate_student(Says(known=ROWS), tmp_path, ROWS, kind="classification")

    found = read_calibration(tmp_path)

    assert found is not None
    assert (found.rows, found.on) == (180, "validation")
    assert found.confidence_for(0.9) == 0.9


def test_without_rows_nothing_is_kept(tmp_path: Path) -> None:
    calibrate_student(Says(), tmp_path, (), kind="text")

    assert read_calibration(tmp_path) is None


def test_a_promise_is_held_against_other_rows() -> None:
    promised = calibrate([0.9] * 200, [True] * 200, on="validation")
    judgement = evaluate(
        Says(), ROWS, train=[], on="test", kind="classification", seed=0, promised=promised
    )  # right in half of them

    nine_in_ten = next(each for each in judgement.promises if each.precision == 0.9)
    assert (nine_in_ten.rows, nine_in_ten.right) == (180, 0.5)
    assert nine_in_ten.is_broken
    assert "were to be right in 90% of all cases" in " ".join(judgement.warnings())


# -- what more rows would bring


def learns(rows: Sequence[Row]) -> Student:
    """Who has seen n rows is right wherever the number in an input is at most n."""
    return Says(known=[row for row in ROWS[1::2] if int(row.input.split()[1]) <= len(rows)])


TRAIN = tuple(Row(f"{number}", f"{number % 2}") for number in range(400))


def seconds(step: float) -> Iterator[float]:
    now = 0.0
    while True:
        yield now
        now += step


def test_growth_is_that_of_students_of_an_eighth_a_quarter_half_and_all() -> None:
    clock = seconds(0.1)

    found = growth_of(
        learns(TRAIN), TRAIN, ROWS, teach=learns, metric="accuracy", on="test", seconds=60, now=lambda: next(clock)
    )

    assert found is not None
    assert [point.rows for point in found.points] == [50, 100, 200, 400]
    assert [round(point.value, 2) for point in found.points] == [0.78, 1.0, 1.0, 1.0]
    assert found.twice.rows == 800
    assert found.twice.value == 1


@pytest.mark.parametrize(
    ("train", "judged", "step"),
    [
        pytest.param(TRAIN[:60], ROWS, 0.1, id="few to learn from"),
        pytest.param(TRAIN, ROWS[:10], 0.1, id="few to judge by"),
        pytest.param(TRAIN, TRAIN, 0.1, id="all of them learnt"),
        pytest.param(TRAIN, ROWS, 20.0, id="too long"),
    ],
)
def test_where_growth_cannot_be_told_nothing_is(train: Sequence[Row], judged: Sequence[Row], step: float) -> None:
    clock = seconds(step)

    found = growth_of(
        learns(train), train, judged, teach=learns, metric="accuracy", on="test", seconds=60, now=lambda: next(clock)
    )

    assert found is None


def test_a_part_has_as_many_rows_as_there_are_labels() -> None:
    def sizes(labels: int) -> list[int] | None:
        found = growth_of(
            learns(TRAIN), TRAIN, ROWS, teach=learns, metric="accuracy", on="test", seconds=60, labels=labels
        )
        return None if found is None else [point.rows for point in found.points]

    assert sizes(50) == [50, 100, 200, 400]
    assert sizes(51) == [100, 200, 400]
    assert sizes(101) is None


def test_rows_that_teach_nobody_show_no_growth() -> None:
    assert growth_of(Says(), TRAIN, ROWS, teach=lambda _: None, metric="accuracy", on="test", seconds=60) is None


# -- costs


def test_the_speed_of_a_student_is_that_of_one_answer_and_of_many() -> None:
    clock = seconds(0.5)

    found = speed_of(Says(), [row.input for row in ROWS], now=lambda: next(clock))

    assert found is not None
    assert (found.alone_s, found.answers) == (0.5, 5), "after two seconds or so it is known"
    assert found.together_s == pytest.approx(0.5 / 20), "one by one as many would have taken ten seconds"
    assert speed_of(Says(), []) is None


def test_costs_are_told_of_whoever_has_any() -> None:
    clock = seconds(0.002)
    speed = speed_of(Says(), ["a"], now=lambda: next(clock))
    assert speed is not None

    alone = Costs(student=speed).told()

    assert alone == "A thousand answers take the student 2.0 s on this machine, one of them 2.0 ms."
    assert Costs(student=speed, teacher=TeacherCosts(None, None, 0)).told() == alone
    assert Costs(student=speed, teacher=TeacherCosts(0.002, None, 9)).told().endswith("a thousand labels cost $2.00.")


# -- the teacher


def example(text: str, output: str, *samples: str) -> Example:
    draft = Draft(text, Provenance(request=0, position=0, temperature=None, target=None))
    return Example(text, output, Vote(output, 1.0, samples), draft.provenance)


def test_a_single_label_is_the_first_vote_as_it_would_count() -> None:
    spec = Spec(instruction="Which?", kind="classification", labels=("plus", "minus"))

    assert single_labels(spec, [example("up", "plus", "Minus.", "plus", "plus")]) == {"up": "minus"}
    assert single_labels(spec, [example("up", "plus", "plus"), example("down", "minus")]) == {}, "rows without votes"


@pytest.mark.long
def test_what_the_teacher_cost_stands_in_the_journal(tmp_path: Path) -> None:
    journal = tmp_path / "journal.db"

    async def ask() -> None:
        async with Engine("simulated/dates", budget=Budget(1), journal=journal) as engine:
            for question in ("a", "b"):
                await engine.ask(Request.user(question, max_tokens=5, tag="annotate"))

    asyncio.run(ask())

    found = teacher_costs(journal, labels=4)

    assert found is not None
    assert found.usd is not None
    assert found.usd > 0
    assert found.call_s is not None
    assert found.labels == 4
    assert teacher_costs(tmp_path / "none.db", labels=4) is None


class Asked:
    """Answers in capitals, for a cent and a second; after some questions the money is gone."""

    def __init__(self, *, affords: int = 99) -> None:
        self.affords = affords
        self.asked = 0

    async def ask(self, request: Request) -> Reply:
        self.asked += 1
        if self.asked > self.affords:
            raise BudgetReached("no more money")
        text = request.messages[-1].content.strip().rpartition("\n")[2]
        label = "plus" if "up" in text else "minus"
        return Reply(
            texts=(label,), finish_reasons=("stop",), usage=Usage(1, 1), model="an LLM", paid_usd=0.01, latency_s=1.0
        )


SPEC = Spec(
    instruction="Which?", kind="classification", labels=("plus", "minus"), demonstrations=(Pair("up there", "plus"),)
)


def test_an_llm_answers_each_input_once() -> None:
    asks = Asked()

    found = asyncio.run(answers_of(asks, SPEC, ["up 1", "down 2", "up 1"]))

    assert found.answers == {"up 1": "plus", "down 2": "minus"}
    assert asks.asked == 2
    assert (found.costs.usd, found.costs.call_s, found.error) == (0.01, 1.0, None)


def test_an_llm_that_the_money_did_not_suffice_for_says_so() -> None:
    found = asyncio.run(answers_of(Asked(affords=1), SPEC, ["up 1", "down 2"]))

    assert len(found.answers) == 1
    assert isinstance(found.error, BudgetReached)
