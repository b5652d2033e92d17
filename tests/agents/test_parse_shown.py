"""`smelt parse` shows what was understood and what was not, and what it writes goes in the prompt's place."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.parsing.parse import parse
from agents.parsing.specs import read_spec
from engine.journal import peek
from tests.agents.commands import in_this_process

pytestmark = pytest.mark.usefixtures("at_once")

DATES = Path(__file__).parents[2] / "agents" / "demo" / "dates" / "prompt.md"

CONTRADICTING = (
    "Classify the tweet as happy, sad or angry.\n\n"
    "Tweet: I love it\nLabel: happy\n\nTweet: so bad\nLabel: sad\n\n"
    "Tweet: what\nLabel: confused\n\nTweet: I love it\nLabel: angry\n"
)
OPEN = "Classify each ticket, as the team does: hardware for what breaks, software for what crashes. Text follows."


@pytest.mark.parametrize("name", ["spec.json", "spec.toml"])
@pytest.mark.long
def test_what_parse_writes_can_be_edited_and_given_in_the_prompts_place(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    ran = in_this_process("parse", str(DATES), "--out", name)
    assert (ran.code, ran.out.splitlines()[-1]) == (0, f"written to {name}: edit it, and then: smelt run {name}")
    assert read_spec(tmp_path / name) == parse(DATES.read_text())

    text = (tmp_path / name).read_text().replace("N/A", "none")
    (tmp_path / name).write_text(text)
    again = in_this_process("generate", name, "--model", "simulated/dates", "--examples", "20", "--out", "run")

    assert again.code == 0, again.err
    assert read_spec(tmp_path / "run" / "spec.json").empty_answer == "none"


def test_a_contradiction_is_shown_and_not_decided(tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text(CONTRADICTING)

    ran = in_this_process("parse", str(tmp_path / "prompt.md"))

    assert "unsure: contradiction: demonstrations 1 and 4 have the same input and different answers" in ran.out
    assert "unsure: contradiction: demonstration 3 answers 'confused', which the instruction's list" in ran.out
    assert parse(CONTRADICTING).labels == ()


def test_a_model_is_not_asked_where_nothing_is_open() -> None:
    ran = in_this_process("parse", str(DATES), "--model", "openai/none-such")

    assert ran.code == 0
    assert "the model is not asked" in ran.err


def test_a_model_is_asked_where_something_is_open(tmp_path: Path) -> None:
    """The simulated one has nothing to say of labels, so the text's own reading stands."""
    (tmp_path / "prompt.md").write_text(OPEN)

    ran = in_this_process("parse", str(tmp_path / "prompt.md"), "--model", "simulated/intents")

    assert ran.code == 0, ran.err
    assert "not asked" not in ran.err
    assert "unsure: labels" in ran.out


@pytest.mark.long
def test_the_same_question_is_paid_for_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command may have been killed in between; and what another asks is its own."""
    monkeypatch.setenv("SMELT_CACHE", str(tmp_path / "cache"))
    (tmp_path / "prompt.md").write_text(OPEN)

    def attempts(command: str) -> list[int]:
        ran = in_this_process(command, str(tmp_path / "prompt.md"), "--model", "simulated/intents")
        assert ran.code == 0, ran.err
        return sorted(peek(path).attempts for path in tmp_path.glob("cache/asked/*/journal.db"))

    first = attempts("parse")
    assert len(first) == 1
    assert first[0] > 0
    assert attempts("parse") == first
    assert len(attempts("models")) == 2
    assert all(path.stat().st_mode & 0o77 == 0 for path in tmp_path.glob("cache/asked/*"))


@pytest.mark.long
def test_only_a_few_of_many_demonstrations_are_shown_unless_all_are_wanted(tmp_path: Path) -> None:
    rows = "\n\n".join(f"Input: text {number}\nOutput: answer {number}" for number in range(2_000))
    (tmp_path / "prompt.md").write_text(f"Do what is asked.\n\n{rows}\n")

    few = in_this_process("parse", str(tmp_path / "prompt.md")).out
    every = in_this_process("parse", str(tmp_path / "prompt.md"), "--all").out

    assert "and 1,995 more (--all shows them)" in few
    assert "answer 1999" not in few
    assert "answer 1999" in every


@pytest.mark.parametrize(
    ("out", "says"),
    [
        pytest.param("spec.yaml", ".json or .toml", id="another kind"),
        pytest.param("there.json", "there already", id="there"),
    ],
)
def test_a_file_that_cannot_be_written_is_refused_before_anything_is_asked(
    out: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.json").write_text("{}")

    ran = in_this_process("parse", str(DATES), "--out", out)

    assert ran.code == 2
    assert says in ran.err


@pytest.mark.long
def test_what_a_prompt_leaves_open_is_noted_in_a_run_and_warned_of_in_its_report(tmp_path: Path) -> None:
    (tmp_path / "prompt.md").write_text(f"{DATES.read_text()}\n\nInput: 9/11/98\nOutput: 1998-11-09\n")

    ran = in_this_process(
        "generate",
        str(tmp_path / "prompt.md"),
        "--model",
        "simulated/dates",
        "--examples",
        "20",
        "--out",
        str(tmp_path / "run"),
    )
    report = json.loads((tmp_path / "run" / "report.json").read_bytes())

    assert "the prompt leaves something open (contradiction): demonstrations" in ran.out
    assert any("the same input and different answers" in warning for warning in report["warnings"])
