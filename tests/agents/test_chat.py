"""What stands behind the chat page, and what a browser is told to draw. Slow where gradio is imported."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from agents.chat.page import Shown
from agents.chat.second_opinion import configuration_for, opened
from agents.chat.serving import Behind, examples_of
from agents.config import Configuration
from agents.reading.rows import read_rows
from agents.records import Spec
from agents.run_folder import RunFolder
from engine.errors import UserError
from engine.training import Prediction

ROOT = Path(__file__).parents[2]
ATTACK = "<img src=x onerror=alert(1)>"
PLAIN = {"title": "cities", "instruction": "Name it.", "labels": [], "examples": ["Pisa"], "simulated": False}
PAGES = {
    "plain": PLAIN,
    "hostile": {**PLAIN, "title": ATTACK, "examples": ["Pisa", ATTACK], "labels": [ATTACK, "b"]},
    "simulated": {**PLAIN, "simulated": True},
    "bare": {**PLAIN, "instruction": "", "examples": []},
}

# Gradio leaves sockets and loops open when it is done, so the pages are made in a process of their own.
MAKE_PAGES = """
import json, sys
from agents.chat.page import page
class Shouter:
    family = "shouter"
class Clerk:
    student, teacher = Shouter(), None
    def ask(self, text): ...
    def ask_teacher(self, text): ...
    def keep(self, shown, output): ...
pages = {name: page(Clerk(), **told).get_config_file() for name, told in json.loads(sys.argv[1]).items()}
print(json.dumps({name: config["components"] for name, config in pages.items()}, default=str))
"""

Components = dict[str, list[dict[str, Any]]]  # {kind: what the browser is told of each}


@pytest.fixture(scope="module")
def pages() -> dict[str, Components]:
    done = subprocess.run(
        [sys.executable, "-c", MAKE_PAGES, json.dumps(PAGES)], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return {name: by_kind(components) for name, components in json.loads(done.stdout).items()}


def by_kind(components: list[dict[str, Any]]) -> Components:
    kinds: Components = {}
    for component in components:
        kinds.setdefault(component["type"], []).append(component["props"])
    return kinds


@pytest.mark.slow
def test_a_title_that_is_markup_stays_text(pages: dict[str, Components]) -> None:
    heading = pages["hostile"]["markdown"][0]

    assert heading["value"].startswith("# &#60;img src&#61;x onerror&#61;alert&#40;1&#41;&#62;\n")


@pytest.mark.slow
def test_no_component_reads_markup(pages: dict[str, Components]) -> None:
    """HTML and chat bubbles would; what is marked up is ours, and what is foreign in it has its marks by number."""
    for components in pages.values():
        assert not {"html", "chatbot", "code", "highlightedtext"} & components.keys()
        assert all("<" not in each["value"] for each in components["markdown"])


@pytest.mark.slow
def test_a_simulated_teacher_is_called_so(pages: dict[str, Components]) -> None:
    assert "simulated teacher" in pages["simulated"]["markdown"][0]["value"]
    assert "simulated teacher" not in pages["plain"]["markdown"][0]["value"]


@pytest.mark.slow
def test_the_examples_are_there_to_click_on(pages: dict[str, Components]) -> None:
    (examples,) = pages["hostile"]["dataset"]

    assert examples["samples"] == [["Pisa"], [ATTACK]]


@pytest.mark.slow
def test_labels_are_chosen_from_a_list_and_texts_are_written(pages: dict[str, Components]) -> None:
    (labels,) = pages["hostile"]["dropdown"]

    assert [value for _, value in labels["choices"]] == [ATTACK, "b"]
    assert "The right answer" in [box["label"] for box in pages["plain"]["textbox"] if "label" in box]


@pytest.mark.slow
def test_without_a_prompt_and_a_teacher_the_page_has_neither(pages: dict[str, Components]) -> None:
    assert "dataset" not in pages["bare"]
    assert [box["label"] for box in pages["bare"]["textbox"]] == [
        "Input", "Answer", "How sure the student is", "The right answer",
    ]  # fmt: skip
    assert "teacher" not in json.dumps(pages["bare"]["button"])


@pytest.mark.slow
def test_without_gradio_it_says_what_to_install() -> None:
    """In a process of its own, in which gradio is not there."""
    code = (
        "import asyncio, sys; sys.modules['gradio'] = None\n"
        "from pathlib import Path\n"
        "from agents.chat.serving import Behind, serve_page\n"
        "told = dict(title='', instruction='', labels=[], examples=[], simulated=False, port=None, on_ready=print)\n"
        "try: asyncio.run(serve_page(Behind(None, Path('x')), **told, until=None))\n"
        "except Exception as error: import json; print(json.dumps([type(error).__name__, str(error)]))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    kind, message = json.loads(done.stdout)
    assert kind == "MissingExtra"
    assert "smelt[chat]" in message


class Shouter:
    """Answers in capitals."""

    family = "shouter"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction(text.upper(), 0.75, alternatives=((text.upper(), 0.75), ("B", 0.25))) for text in inputs]


def test_what_is_held_to_be_right_is_kept_with_what_was_said(tmp_path: Path) -> None:
    behind = Behind(Shouter(), tmp_path / "c.jsonl", now=lambda: datetime(2026, 11, 21, 3, tzinfo=UTC))
    shown = behind.ask("pisa")

    first, second = behind.keep(shown, "PISA"), behind.keep(behind.ask("rome"), "Roma")

    rows = [json.loads(line) for line in behind.corrections.read_text().splitlines()]
    assert (first, second) == ("Saved in c.jsonl: 1 row now.", "Saved in c.jsonl: 2 rows now.")
    assert rows[0]["verdict"] == "right"
    assert rows[1] == {
        "input": "rome", "output": "Roma", "verdict": "wrong", "said": "ROME", "confidence": 0.75,
        "at": "2026-11-21T03:00:00+00:00",
    }  # fmt: skip
    assert [pair.output for pair in read_rows(behind.corrections)] == ["PISA", "Roma"], "they are labelled rows"


def test_what_cannot_be_kept_is_said_on_the_page(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    behind = Behind(Shouter(), tmp_path / "file" / "c.jsonl")

    assert "cannot be written" in behind.keep(behind.ask("pisa"), "PISA")


def test_a_student_that_fails_is_a_line_and_the_next_input_is_answered(tmp_path: Path) -> None:
    class Failing(Shouter):
        def predict(self, inputs: Sequence[str]) -> list[Prediction]:
            if "!" in inputs[0]:
                raise RuntimeError("too loud\x1b[2J")
            return super().predict(inputs)

    behind = Behind(Failing(), tmp_path / "c.jsonl")

    with pytest.raises(UserError, match=r"^The student failed on this input \(RuntimeError: too loud[^\x1b]*\)$"):
        behind.ask("pisa!")
    assert behind.ask("pisa").output == "PISA"


def test_an_answer_is_shown_with_the_labels_beside_it() -> None:
    shown = Shown("i", "a", 0.5, is_cut=True, alternatives=tuple((str(n), 0.1) for n in range(9)))

    assert shown.sure() == "50% sure; the input is longer than it can read"
    assert shown.bars() == {str(n): 0.1 for n in range(5)}
    assert Shown("i", "a", 0.5).bars() is None, "who writes texts has no labels beside them"


def test_examples_are_the_prompts_and_then_the_runs(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    rows = [{"input": text} for text in ("b", "a", " ", "x" * 1000, "c", "d", "e", "f", "g", "h", "i")]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "v.parquet")

    assert examples_of(["a", "y" * 1000], tmp_path / "v.parquet") == ["a", "b", "c", "d", "e", "f", "g", "h"]
    assert examples_of(["a"], tmp_path / "none.parquet") == ["a"]


def test_whoever_costs_money_is_asked_only_inside_a_budget(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    run = RunFolder(tmp_path / "run")
    run.begin(prompt="p", configuration=Configuration(model="openai/gpt-5.4-mini", budget="50", test="t.jsonl"))

    with pytest.raises(UserError, match="costs money"):
        configuration_for(run, model=None, budget=None)
    asked = configuration_for(run, model=None, budget="0.10")

    assert (asked.model, asked.budget, asked.test, asked.train) == ("openai/gpt-5.4-mini", "0.10", None, False)
    assert configuration_for(run, model="simulated/dates", budget=None).model == "simulated/dates"


def test_without_a_run_the_teacher_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="name it with --model"):
        configuration_for(RunFolder(tmp_path), model=None, budget="1")


def test_the_teacher_answers_once_for_its_money(tmp_path: Path) -> None:
    asked = configuration_for(RunFolder(tmp_path), model="simulated/dates", budget="1")
    spec = Spec(instruction="Write the date as YYYY-MM-DD.")

    async def ask() -> tuple[Any, Any]:
        async with opened(asked, spec, about=f"test {tmp_path}") as teacher:
            return await teacher.ask("due March 5, 2021"), await teacher.ask("due March 5, 2021")

    first, again = asyncio.run(ask())

    assert first.answer
    assert first.spent == again.spent
    assert again.answer == first.answer


def test_a_teacher_without_money_says_so_on_the_page(tmp_path: Path) -> None:
    asked = configuration_for(RunFolder(tmp_path), model="simulated/dates", budget="0.0000001")

    async def ask() -> Any:
        async with opened(asked, Spec(instruction="Write the date."), about=f"poor {tmp_path}") as teacher:
            return await teacher.ask("due March 5, 2021")

    told = asyncio.run(ask())

    assert told.answer is None
    assert told.problem
