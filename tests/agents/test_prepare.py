"""Before a run: everything that can be wrong with it is found, nothing is left open, and nothing is written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from agents.config import Configuration, Stages
from agents.prepare import checked, prepare
from engine.budget import Budget
from engine.errors import UnknownPrice, UserError
from engine.prices import FREE, Price
from engine.providers.auto import Found

TEXT_TASK = "Say the capital of the country.\n\nInput: France\nOutput: Paris\n\nInput: Peru\nOutput: Lima\n"
LABEL_TASK = "Is the review good or bad? Answer with good or bad.\n\n" + "".join(
    f"Input: {said}\nOutput: {label}\n\n"
    for said, label in [("I love it", "good"), ("No use", "bad"), ("Great!", "good"), ("Broke at once", "bad")]
)
LOCAL = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def nothing_of_the_users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.chdir(tmp_path)


def prepared(**options: object) -> Configuration:
    return prepare(Configuration(**options), prompt=TEXT_TASK)  # type: ignore[arg-type]


def nobody(_: bool) -> Found:
    raise UserError("no teacher")


def server(_: bool) -> Found:
    return Found("openai/qwen3", "Ollama on port 11434 answers and has it", base_url=LOCAL, price=FREE)


def by_key(has_budget: bool) -> Found:
    assert has_budget
    return Found("openai/gpt-5.4-mini", "OPENAI_API_KEY is set")


def test_auto_asks_whoever_is_found_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-x")
    said: list[str] = []

    found = prepare(Configuration(budget="1"), prompt=TEXT_TASK, look=by_key, note=said.append)

    assert (found.model, found.base_url, found.price) == ("openai/gpt-5.4-mini", None, None)
    assert said == ["teacher: openai/gpt-5.4-mini, because OPENAI_API_KEY is set"]


def test_a_server_that_was_found_costs_nothing_and_needs_no_budget() -> None:
    found = prepare(Configuration(), prompt=TEXT_TASK, look=server)

    assert (found.model, found.base_url, found.price, found.budget) == ("openai/qwen3", LOCAL, FREE, None)
    assert prepare(found, prompt=TEXT_TASK, look=nobody) == found


def test_a_price_that_was_given_stays() -> None:
    found = prepare(Configuration(price_in="1", price_out="2", budget="1"), prompt=TEXT_TASK, look=server)

    assert found.price == Price(input=1, output=2)


def test_auto_looks_for_nobody_where_an_endpoint_was_given() -> None:
    with pytest.raises(UserError, match="a base URL needs a model there"):
        prepare(Configuration(base_url=LOCAL), prompt=TEXT_TASK, look=server)


def test_a_simulated_teacher_has_a_budget_of_its_own_unless_told() -> None:
    assert prepared(model="simulated/dates").budget == "5"
    assert prepared(model="simulated/dates", budget="0.2").budget == "0.2"


def test_what_costs_money_needs_a_budget_and_what_is_free_needs_none() -> None:
    paid, free = {"price_in": "1", "price_out": "2"}, {"price_in": "0", "price_out": "0"}

    with pytest.raises(UserError, match="with --budget USD"):
        prepared(model="openai/local", base_url=LOCAL, **paid)

    assert prepared(model="openai/local", base_url=LOCAL, budget="2", **paid).budget == "2"
    assert prepared(model="openai/local", base_url=LOCAL, **free).budget is None


def test_parts_of_a_budget_need_one() -> None:
    free, stages = {"price_in": "0", "price_out": "0"}, Stages(at_most={"generate": "0.5"})

    with pytest.raises(UserError, match="stages have parts of a budget, and there is none"):
        prepared(model="openai/local", base_url=LOCAL, stages=stages, **free)

    assert prepared(model="simulated/dates", stages=stages).cap == Budget(5, at_most={"generate": 0.5})


def test_a_price_that_nobody_told_us_is_never_zero() -> None:
    with pytest.raises(UnknownPrice, match="--price-in and --price-out"):
        prepared(model="openai/nobody-knows-it", base_url=LOCAL, budget="2")


@pytest.mark.parametrize("model", ["openai/gpt-4o-mini", "anthropic/claude-haiku-4-5"])
def test_a_list_price_is_the_official_hosts_and_nobody_elses(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"{model.partition('/')[0].upper()}_API_KEY", "sk-x")

    with pytest.raises(UnknownPrice, match=f"for '{model}' at http://127.0.0.1:9.*; 0 and 0 for a server of your own"):
        prepared(model=model, base_url=LOCAL, budget="2")

    assert prepared(model=model, budget="2").budget == "2"
    assert prepared(model=model, base_url=LOCAL, price_in="0", price_out="0").budget is None


def test_what_only_costs_something_from_the_cache_costs_something() -> None:
    for price in ("price_cached_in", "price_cache_write"):
        with pytest.raises(UserError, match=r"openai/local costs money: say how much .* with --budget USD"):
            prepared(model="openai/local", base_url=LOCAL, price_in="0", price_out="0", **{price: "1"})


@pytest.mark.parametrize(
    ("kept", "left_out"),
    [
        pytest.param({"annotate": "1"}, "retrieve", id="labels alone"),
        pytest.param({"generate": "0.5", "annotate": "0.5"}, "retrieve", id="nothing for looking around"),
        pytest.param({"retrieve": "0.1", "generate": "0.9"}, None, id="what retrieval leaves goes to labels"),
        pytest.param({"parse": "0.1", "retrieve": "0.1", "generate": "0.4", "annotate": "0.4"}, None, id="all"),
        pytest.param({"parse": "1"}, None, id="a stage that is over before the others"),
    ],
)
def test_a_stage_for_which_nothing_is_left_is_named_before_anything_is_asked(
    kept: dict[str, str], left_out: str | None
) -> None:
    if left_out is None:
        assert prepared(model="simulated/dates", stages=Stages(kept=kept)).stages == Stages(kept=kept)
        return
    with pytest.raises(UserError, match=f"all of the budget is kept for others while {left_out!r} is at work"):
        prepared(model="simulated/dates", stages=Stages(kept=kept))


def test_a_key_that_the_provider_insists_on_is_asked_for() -> None:
    with pytest.raises(UserError, match="set ANTHROPIC_API_KEY"):
        prepared(model="anthropic/claude-haiku-4-5", budget="2")


def test_the_test_file_is_read_and_named_so_that_it_is_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("input,output\nFrance,Paris\n")

    assert prepared(model="simulated/dates", test="rows.csv").test == str(tmp_path.resolve() / "rows.csv")
    with pytest.raises(UserError, match="cannot be read"):
        prepared(model="simulated/dates", test="none.csv")


def test_a_models_folder_is_named_so_that_it_is_found_from_anywhere(tmp_path: Path) -> None:
    (tmp_path / "teacher").mkdir()
    (tmp_path / "teacher" / "config.json").write_text('{"architectures": ["LlamaForCausalLM"]}')
    (tmp_path / "teacher" / "model.safetensors").write_bytes(b"")

    found = prepared(model="local/teacher")

    assert (found.model, found.budget) == (f"local/{tmp_path.resolve() / 'teacher'}", None)


def test_a_student_that_cannot_do_the_task_is_refused() -> None:
    with pytest.raises(UserError, match="can only choose among labels"):
        prepared(model="simulated/dates", student="linear")

    labels = prepare(Configuration(model="simulated/intents", student="linear"), prompt=LABEL_TASK)
    assert labels.student == "linear"


@pytest.mark.parametrize("prompt", ["", "   ", "a\0b", "?!"])
def test_a_prompt_that_is_none_is_refused(prompt: str) -> None:
    with pytest.raises(UserError):
        prepare(Configuration(model="simulated/dates"), prompt=prompt)


def test_preparing_again_changes_nothing_and_writes_nothing(tmp_path: Path) -> None:
    once = prepared(model="simulated/dates")

    assert prepare(once, prompt=TEXT_TASK) == once
    assert not list(tmp_path.iterdir())


def test_a_run_without_the_packages_to_train_with_is_refused_and_data_alone_is_not() -> None:
    """In a process of its own, in which torch is not there."""
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from agents.config import Configuration; from agents.prepare import prepare\n"
        "prepare(Configuration(model='simulated/dates', train=False), prompt='Say the date.')\n"
        "prepare(Configuration(model='simulated/dates'), prompt='Say the date.')\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2], check=False
    )

    assert "MissingExtra" in done.stderr.splitlines()[-1]
    assert "smelt[train]" in done.stderr
    assert "line 4" in done.stderr


@pytest.mark.parametrize("word", ["auto", "none"])
def test_a_word_for_all_data_sets_or_none_stands_alone(word: str) -> None:
    with pytest.raises(UserError, match=f"--datasets {word} stands alone"):
        checked(Configuration(model="simulated/dates", train=False, datasets=(word, "a/b")))


def test_a_catalogue_that_cannot_be_read_is_refused_and_one_that_can_is_found_from_anywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rows.csv").write_text("text,label\na,b\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    settled = checked(Configuration(model="simulated/dates", train=False, catalogue="."))

    assert settled.catalogue == str(tmp_path.resolve())
    with pytest.raises(UserError, match="nowhere"):
        checked(Configuration(model="simulated/dates", train=False, catalogue="nowhere"))


@pytest.mark.parametrize("student", ["tiny", "linear"])
def test_a_trial_of_students_and_a_student_by_name_do_not_go_together(student: str) -> None:
    with pytest.raises(UserError, match=f"--trial chooses the student: leave out --student {student}"):
        prepared(student=student, trial=2, model="simulated/dates")


def test_a_trial_of_one_base_model_alone_is_none() -> None:
    with pytest.raises(UserError, match="leaves nobody to compare"):
        prepared(student="seq2seq", trial=1, model="simulated/dates")


def test_a_trial_looks_for_its_bases_itself(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="--trial looks for the base itself"):
        prepared(trial=2, base=str(tmp_path), model="simulated/dates")


def test_a_base_is_found_from_anywhere_and_is_one_that_the_student_can_start_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--base mine: holds no model"):
        prepared(base="mine", model="simulated/dates")

    (tmp_path / "mine" / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')

    with pytest.raises(UserError, match="can only choose among labels"):
        prepared(base="mine", model="simulated/dates", student="embedding")
    with pytest.raises(UserError, match="the student 'seq2seq' cannot start from"):
        prepared(base="mine", model="simulated/dates", student="seq2seq")
    with pytest.raises(UserError, match="starts from nothing: leave out --base"):
        prepared(base="mine", model="simulated/dates", student="tiny")
    labels = Configuration(model="simulated/intents", student="classifier", base="mine")
    assert prepare(labels, prompt=LABEL_TASK).base == str(tmp_path / "mine")


@pytest.mark.parametrize("trial", [0, 21])
def test_a_trial_is_of_one_to_twenty_base_models(trial: int) -> None:
    with pytest.raises(UserError, match="--trial must be a whole number from 1 to 20"):
        Configuration(trial=trial)
