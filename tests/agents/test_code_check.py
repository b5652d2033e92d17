"""Answers that should be code are parsed or run under limits, and what is wrong with one hurts no other."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.curating.curate import Wanted, curate
from agents.filtering.code_check import Kind, check_code, kind_of
from engine.errors import UserError


def test_python_that_parses_is_sound_in_a_fence_too() -> None:
    answers = ["x = 1", "def f(:", "```python\nprint(1)\n```", "nested" + "(" * 50_000, "a\x00b", "x\ud800", "y = 2"]

    problems = check_code(answers, "python")

    assert [problem is None for problem in problems] == [True, False, True, False, False, False, True]
    assert problems[1] == "invalid syntax (line 1)"


def test_nothing_is_run_to_be_parsed(tmp_path: Path) -> None:
    assert check_code([f"open({str(tmp_path / 'made')!r}, 'w')", "raise SystemExit"], "python") == [None, None]
    assert not (tmp_path / "made").exists()


def test_json_is_json() -> None:
    assert [problem is None for problem in check_code(['{"a": 1}', "{a}", "[" * 100_000, "3"], "json")] == [
        True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "sound", "unsound"),
    [
        pytest.param(
            "sql",
            ["SELECT a FROM t WHERE b = 'x;y'", "CREATE TABLE t (a); INSERT INTO t VALUES (1); SELECT f(a) FROM t;"],
            ["SELEC a", "SELECT a FROM", "", "SELECT 'open"],
            id="sql",
        ),
        pytest.param("regex", [r"\d+(a|b)"], ["(a", "[z-a]"], id="regex"),
        pytest.param("toml", ["a = 1"], ["a = "], id="toml"),
        pytest.param("xml", ["<a><b/></a>"], ["<a>", "words"], id="xml"),
        pytest.param("yaml", ["a: 1\nb: [1, 2]", "&a [*a]"], ["just words", "a: [", "a: b: c"], id="yaml"),
    ],
)
def test_text_of_a_language_parses_or_not(kind: Kind, sound: list[str], unsound: list[str]) -> None:
    problems = check_code([*sound, *unsound], kind)

    assert [problem is None for problem in problems] == [True] * len(sound) + [False] * len(unsound)


def test_xml_that_grows_without_bounds_hurts_nobody() -> None:
    entities = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(12))
    bomb = f'<!DOCTYPE x [<!ENTITY e0 "0123456789">{entities}]><x>&e12;</x>'

    assert [problem is None for problem in check_code([bomb, "<x/>"], "xml")] == [False, True]


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node")
def test_javascript_is_parsed_and_not_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    answers = [f"require('fs').writeFileSync({str(made)!r}, '')", "import x from 'y'", "process.exit()", "const = 1"]

    assert [problem is None for problem in check_code(answers, "javascript")] == [True, True, True, False]
    assert not made.exists()


def test_without_node_javascript_cannot_be_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")

    with pytest.raises(UserError, match="needs node"):
        check_code(["1"], "javascript")


def test_code_that_runs_to_its_end_is_sound() -> None:
    assert check_code(["print('x' * 3_000_000)", "1 / 0", "import sys; sys.exit(3)"], "run") == [
        None,
        "ZeroDivisionError: division by zero",
        "ended with 3",
    ]


def test_code_runs_within_limits_and_without_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_API_KEY", "not-for-you")
    memory, disk, keys = check_code(
        [
            "x = bytearray(1 << 33)",
            "open('big', 'wb').write(bytes(1 << 24))",
            "import os; os.environ['SECRET_API_KEY']",
        ],
        "run",
    )

    assert memory == "MemoryError"
    assert "File too large" in str(disk)
    assert keys == "KeyError: 'SECRET_API_KEY'"


@pytest.mark.slow
def test_code_that_does_not_end_is_ended() -> None:
    """By its own share of the processor; on a machine that gives it none, by the clock."""
    (problem,) = check_code(["while True: pass"], "run")

    assert problem in {"takes more than 5 s of the processor", "does not end within 25 s"}


def test_other_kinds_are_refused() -> None:
    with pytest.raises(UserError, match="none of javascript, json, python, regex, run, sql, toml, xml, yaml"):
        kind_of("rust")


@given(st.lists(st.text(), max_size=5))
@settings(deadline=None, max_examples=5)
@pytest.mark.long
def test_every_answer_has_its_own_verdict(answers: list[str]) -> None:
    together = check_code(answers, "python")

    assert together == [check_code([answer], "python")[0] for answer in answers]


def test_rows_with_unsound_code_are_left_out_when_asked(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"question": "add", "answer": "a + b"}\n{"question": "subtract", "answer": "a -"}\n')

    came = curate([str(path)], Wanted(code="python"), tmp_path / "out")
    unasked = curate([str(path)], Wanted(), tmp_path / "all")

    assert (came.kept, came.rejected) == (1, {"code": 1})
    assert unasked.kept == 2
