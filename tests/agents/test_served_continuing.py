"""A run that goes on from another: its rows and those that were served are its own from the start, each once."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import pytest

from agents.chat.corrections import file_beside
from agents.chat.serving import Behind
from agents.config import Configuration
from agents.parsing.specs import write_spec
from agents.reading.rows import read_rows
from agents.records import Example, Pair, Provenance, Spec, Vote
from agents.run_folder import RunFolder
from agents.served.continuing import begun_from, continued, files_of, read_taken, take_over
from agents.served.folder import begin_serving, check_is_run, served_annotations, served_folder
from agents.served.teacher import Teacher
from agents.students.task import Task
from engine import Budget, Engine
from engine.errors import UserError
from engine.training import Prediction
from tests.agents.test_served_teacher import Town

SPEC = Spec(
    instruction="Say whether it is good or bad.",
    kind="classification",
    labels=("good", "bad"),
    demonstrations=(Pair("I love the blue one", "good"), Pair("it broke on the first day", "bad")),
)
MADE = [
    ("the soup was cold and the waiter rude", "bad"),
    ("a quiet room with a view of the sea", "good"),
    ("the battery lasts for two whole days", "good"),
    ("never again will I order from this shop", "bad"),
]


def row(text: str, label: str, *, request: int) -> Example:
    source = Provenance(
        request=request, position=0, temperature=0.5, target=label, model="m", question="q", cost_usd=0.001
    )
    return Example(text, label, Vote(label, 1.0, (label, label), ("m", "m"), ("q1", "q2"), 0.002), source)


def earlier_run(path: Path) -> RunFolder:
    """A run of four rows, as the stages write one down."""
    from agents.collect import collect
    from agents.reporting.data_card import DataCard

    folder = RunFolder(path / "runs" / "reviews")
    configuration = Configuration(model="simulated/intents", budget="5", examples=4, catalogue=None)
    folder.begin(prompt="Say whether it is good or bad.", configuration=configuration)
    write_spec(folder.spec, SPEC)
    examples = [row(text, label, request=number // 2) for number, (text, label) in enumerate(MADE)]
    collect(SPEC, examples, (), folder=folder.data, card=DataCard(teacher="m", simulated=True), seed=0)
    return folder


def serve(folder: RunFolder, *texts: str, says: str = "good") -> None:
    """A teacher labels these in the student's place."""
    served = RunFolder(folder.path / "served")
    served.path.mkdir(exist_ok=True)

    async def ask() -> None:
        engine = Engine(Town(lambda _: says, latency_s=0), budget=Budget(1), journal=served.journal)
        async with (teacher := Teacher(engine, SPEC)).working():
            for text in texts:
                await teacher.label(text)

    asyncio.run(ask())


def test_the_rows_of_a_run_are_taken_over_as_they_are_but_for_the_numbers_of_their_requests(tmp_path: Path) -> None:
    taken = take_over(earlier_run(tmp_path), SPEC, withheld=())

    assert sorted((each.input, each.output) for each in taken.examples) == sorted(MADE)
    [first, *_] = taken.examples
    assert first.vote.samples == (first.output, first.output)
    assert first.provenance.question == "q"
    assert first.provenance.cost_usd == pytest.approx(0.003)
    numbers = {each.input: each.provenance.request for each in taken.examples}
    assert all(number < 0 for number in numbers.values())
    assert numbers[MADE[0][0]] == numbers[MADE[1][0]] != numbers[MADE[2][0]]


def test_what_was_served_comes_first_with_its_label_and_what_it_cost(tmp_path: Path) -> None:
    earlier = earlier_run(tmp_path)
    serve(earlier, "shipping took three weeks but it came", "the zip is stuck", says="bad")

    taken = take_over(earlier, SPEC, withheld=())

    served = [each for each in taken.examples if each.provenance.origin == "served"]
    assert [(each.input, each.output) for each in served] == [
        ("shipping took three weeks but it came", "bad"), ("the zip is stuck", "bad"),
    ]  # fmt: skip
    assert list(taken.examples[:2]) == served
    assert served[0].vote.models == ("town-1",)
    assert served[0].vote.cost_usd == pytest.approx(14e-6)
    assert len({each.provenance.request for each in served}) == 2
    assert taken.told().endswith("4 of its rows, and 2 that it served")


def test_of_near_duplicates_the_served_one_stays_and_what_judges_is_left_out(tmp_path: Path) -> None:
    earlier = earlier_run(tmp_path)
    serve(earlier, "The soup was cold, and the waiter rude!", "I love the blue one", "a test row of the user's")

    taken = take_over(earlier, SPEC, withheld=["a test row of the user's"])

    reasons = {each.input: each.reason for each in taken.rejects}
    assert reasons == {
        "I love the blue one": "leak",
        "a test row of the user's": "leak",
        "the soup was cold and the waiter rude": "duplicate",
    }
    assert taken.examples[0].input == "The soup was cold, and the waiter rude!"


def test_a_label_that_does_not_fit_the_task_is_no_row(tmp_path: Path) -> None:
    earlier = earlier_run(tmp_path)
    serve(earlier, "the zip is stuck", says="who knows")

    assert [each.reason for each in take_over(earlier, SPEC, withheld=()).rejects] == ["label"]


def test_what_a_run_begins_with_is_read_as_it_was_written(tmp_path: Path) -> None:
    earlier, folder = earlier_run(tmp_path), RunFolder(tmp_path / "next")
    serve(earlier, "the zip is stuck", "I love the blue one")
    configuration, taken = begun_from(earlier, continued(earlier, told={"budget": "1"}))

    folder.begin(prompt="p", configuration=configuration, beside=files_of(folder, earlier, taken))

    assert read_taken(folder) == taken
    assert folder.spec.read_bytes() == earlier.spec.read_bytes()
    assert configuration.examples == 5
    assert folder.configuration() == configuration


def test_a_beginning_that_was_cut_off_with_rows_in_it_can_be_begun_again(tmp_path: Path) -> None:
    earlier, folder = earlier_run(tmp_path), RunFolder(tmp_path / "next")
    configuration, taken = begun_from(earlier, continued(earlier, told={"budget": "1"}))
    beside = files_of(folder, earlier, taken)
    folder.begin(prompt="p", configuration=configuration, beside=beside)
    folder.manifest.unlink()

    folder.begin(prompt="p", configuration=configuration, beside=beside)

    assert read_taken(folder) == taken


def test_a_run_that_goes_on_from_no_other_has_no_rows_to_begin_with(tmp_path: Path) -> None:
    assert read_taken(RunFolder(tmp_path)) is None


def test_damaged_rows_are_one_line(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.taken.write_text('{"format": 2}')

    with pytest.raises(UserError, match="is damaged or from another version"):
        read_taken(folder)


def test_options_are_inherited_but_for_the_money_and_what_was_of_the_earlier_run_alone(tmp_path: Path) -> None:
    earlier = earlier_run(tmp_path)
    before = dataclasses.replace(earlier.configuration(), votes=5, formers=("a/b at c d",), deadline=9.0)
    earlier.keep(before)

    configuration = continued(earlier, told={"seed": 3, "budget": None})

    assert (configuration.votes, configuration.seed) == (5, 3)
    assert (configuration.budget, configuration.examples, configuration.formers, configuration.deadline) == (None,) * 4


def test_a_run_without_a_row_is_nothing_to_go_on_from(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(prompt="p", configuration=Configuration(model="simulated/dates", budget="5"))

    with pytest.raises(UserError, match=r"has no row to go on from.*smelt resume"):
        take_over(folder, SPEC, withheld=())


# -- the folder of what is served

TASK = Task(name="reviews", prompt="Say whether it is good or bad.", spec=SPEC, teacher="m", simulated=True)


def test_answers_lie_in_the_run_of_the_student_or_beside_one_of_its_own(tmp_path: Path) -> None:
    run = earlier_run(tmp_path)

    assert served_folder(run.student).path == run.path / "served"
    assert served_folder(tmp_path / "mine").path == tmp_path / "mine-served"


def test_serving_again_goes_on_with_what_was_said_before(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "served")
    first = begin_serving(folder, TASK, {"model": "simulated/intents", "budget": "2", "rpm": None})

    again = begin_serving(folder, TASK, {"model": "simulated/intents", "rpm": 60})

    assert (first.budget, again.budget, again.rpm) == ("2", "2", 60)
    assert folder.prompt_text() == TASK.prompt


def test_the_same_model_elsewhere_has_the_price_that_is_said_of_it_there(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "served")
    told = {"model": "openai/x", "price_in": "1", "price_out": "2", "budget": "2"}
    begin_serving(folder, TASK, {**told, "base_url": "http://127.0.0.1:1/v1"})

    again = begin_serving(folder, TASK, {**told, "base_url": "http://127.0.0.1:2/v1"})
    same = begin_serving(folder, TASK, {"model": "openai/x"})

    assert (again.base_url, again.price_in) == ("http://127.0.0.1:2/v1", "1")
    assert (same.base_url, same.price_in) == ("http://127.0.0.1:1/v1", "1")


def test_another_teacher_counts_what_the_one_before_answered(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "served")
    begin_serving(folder, TASK, {"model": "simulated/intents", "budget": "2"})

    async def ask() -> None:
        teacher = Teacher(Engine("simulated/intents", budget=Budget(2), journal=folder.journal), SPEC)
        async with teacher.working():
            await teacher.label("I want my money back")

    asyncio.run(ask())

    later = begin_serving(folder, TASK, {"model": "simulated/dates"})
    assert later.formers is not None
    assert [former.partition(" at ")[0] for former in later.formers] == ["simulated/intents"]
    assert [each.input for each in served_annotations(folder, SPEC)] == ["I want my money back"]


def test_a_folder_of_answers_is_not_gone_on_with_as_if_it_were_a_run(tmp_path: Path) -> None:
    """It would spend on two thousand rows what was meant for answers."""
    served = RunFolder(tmp_path / "served")
    begin_serving(served, TASK, {"model": "simulated/intents", "budget": "1"})

    with pytest.raises(UserError, match="is no run: smelt serve --fallback goes on with it"):
        check_is_run(served)
    with pytest.raises(UserError, match="is no run"):
        continued(served, told={})


def test_a_model_that_costs_money_needs_a_budget(tmp_path: Path) -> None:
    told = {"model": "openai/x", "base_url": "http://127.0.0.1:1/v1", "price_in": "1", "price_out": "1"}

    with pytest.raises(UserError, match="--budget USD"):
        begin_serving(RunFolder(tmp_path / "served"), TASK, told)
    assert not (tmp_path / "served").exists()


class Unsure:
    """A student that calls everything good."""

    family = "unsure"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction("good", 0.5) for _ in inputs]


def test_a_correction_made_on_the_page_is_an_anchor_of_the_next_run_and_never_learnt(tmp_path: Path) -> None:
    """Thumb down and the right answer: on a row that was made, and on one that a teacher answered while it served."""
    earlier = earlier_run(tmp_path)
    serve(earlier, "the zip is stuck", "it arrived on a Tuesday")
    behind = Behind(Unsure(), file_beside(earlier.student))
    for text in (MADE[0][0], "the zip is stuck"):
        behind.keep(behind.ask(text), "bad")

    told = {"budget": "1", "test": str(earlier.path / "corrections.jsonl")}
    configuration, taken = begun_from(earlier, continued(earlier, told=told))

    assert [(pair.input, pair.output) for pair in read_rows(Path(str(configuration.test)))] == [
        (MADE[0][0], "bad"), ("the zip is stuck", "bad"),
    ]  # fmt: skip
    assert {each.input: each.reason for each in taken.rejects} == {MADE[0][0]: "leak", "the zip is stuck": "leak"}
    assert {each.input for each in taken.examples} == {"it arrived on a Tuesday", *(text for text, _ in MADE[1:])}
