"""The chat page: what is foreign on it is text. Slow, as gradio is to import."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
ATTACK = "<img src=x onerror=alert(1)>"
PLAIN = {"title": "cities", "instruction": "Name it.", "examples": ["Pisa"], "simulated": False}
PAGES = {
    "plain": PLAIN,
    "hostile": {**PLAIN, "title": ATTACK, "examples": ["Pisa", ATTACK]},
    "simulated": {**PLAIN, "simulated": True},
    "bare": {**PLAIN, "instruction": "", "examples": []},
}

# Gradio leaves sockets and loops open when it is done, so the pages are made in a process of their own.
MAKE_PAGES = """
import json, sys
from agents.chat import page
class Shouter:
    family = "shouter"
pages = {name: page(Shouter(), **told).get_config_file() for name, told in json.loads(sys.argv[1]).items()}
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


def test_a_title_that_is_markup_stays_text(pages: dict[str, Components]) -> None:
    (heading,) = pages["hostile"]["html"]

    assert ATTACK not in heading["value"]
    assert "&lt;img src=x onerror=alert(1)&gt;" in heading["value"]


def test_a_simulated_teacher_is_called_so(pages: dict[str, Components]) -> None:
    assert "simulated teacher" in pages["simulated"]["html"][0]["value"]
    assert "simulated teacher" not in pages["plain"]["html"][0]["value"]


def test_the_examples_of_the_prompt_are_there_to_click_on(pages: dict[str, Components]) -> None:
    (examples,) = pages["hostile"]["dataset"]

    assert examples["samples"] == [["Pisa"], [ATTACK]]


def test_without_a_prompt_the_page_has_a_question_and_an_answer_only(pages: dict[str, Components]) -> None:
    assert "dataset" not in pages["bare"]
    assert [box["label"] for box in pages["bare"]["textbox"]] == ["Input", "Answer"]


def test_without_gradio_it_says_what_to_install() -> None:
    """In a process of its own, in which gradio is not there."""
    code = (
        "import sys; sys.modules['gradio'] = None\n"
        "from agents.chat import page\n"
        "try: page(None, title='', instruction='', examples=[], simulated=False)\n"
        "except Exception as error: import json; print(json.dumps([type(error).__name__, str(error)]))\n"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)

    kind, message = json.loads(done.stdout)
    assert kind == "MissingExtra"
    assert "smelt[chat]" in message
