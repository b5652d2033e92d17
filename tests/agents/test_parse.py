"""The parser splits prompts as people write them, says how sure it is, and is not led astray by what it reads."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.parsing.parse import SURE, clean, parse, read_prompt
from agents.records import Pair
from engine.errors import UserError
from tests.agents.layouts import INSTRUCTION, LAYOUTS, PAIRS, fields

DEMOS = Path(__file__).parents[2] / "agents" / "demo"


@pytest.mark.parametrize("prompt", [pytest.param(text, id=name) for name, text in LAYOUTS.items()])
def test_every_layout_gives_the_same_instruction_and_demonstrations(prompt: str) -> None:
    spec = parse(prompt)

    assert spec.instruction == INSTRUCTION
    assert spec.demonstrations == PAIRS


@pytest.mark.parametrize(
    "name", ["input_output", "equals", "questions", "arrows", "numbered", "json lines", "tags", "table"]
)
def test_a_layout_with_marks_of_its_own_leaves_no_doubt(name: str) -> None:
    assert parse(LAYOUTS[name]).confidence == 1.0


def test_inner_fields_belong_to_the_input() -> None:
    spec = parse(
        "Does it follow?\n\nInput: Premise: it rains\nHypothesis: it is wet\nOutput: yes\n\n"
        "Input: Premise: it rains\nHypothesis: it is dry\nOutput: no"
    )

    assert spec.demonstrations[0] == Pair("Premise: it rains\nHypothesis: it is wet", "yes")


def test_several_fields_without_an_outer_name_stay_named() -> None:
    spec = parse(
        "Does it follow?\n\nPremise: it rains\nHypothesis: it is wet\nLabel: yes\n\n"
        "Premise: it rains\nHypothesis: it is dry\nLabel: no"
    )

    assert spec.demonstrations[1] == Pair("Premise: it rains\nHypothesis: it is dry", "no")


def test_a_context_above_every_question_belongs_to_the_input() -> None:
    spec = parse("Answer.\n\nContext: a b\nQuestion: c?\nAnswer: d\n\nContext: e f\nQuestion: g?\nAnswer: h")

    assert spec.demonstrations == (Pair("Context: a b\nQuestion: c?", "d"), Pair("Context: e f\nQuestion: g?", "h"))


def test_words_below_the_examples_belong_to_the_instruction_unless_they_only_lead_on() -> None:
    spec = parse(f"{INSTRUCTION}\n\n{fields('Input: ', 'Output: ')}\n\nAnswer in one word.")

    assert spec.instruction == f"{INSTRUCTION}\n\nAnswer in one word."


def test_an_example_without_an_answer_is_left_out_and_lowers_the_confidence() -> None:
    spec = parse("Translate it.\n\nInput: a\nOutput: b\n\nInput: c\nOutput:\n\nInput: d\nOutput: e")

    assert spec.demonstrations == (Pair("a", "b"), Pair("d", "e"))
    assert SURE <= spec.confidence < 1


def test_quotation_marks_stay_where_not_every_value_has_them() -> None:
    spec = parse('Say it shorter.\n\nInput: "Well," he said\nOutput: "Well,"\n\nInput: none\nOutput: nothing')

    assert spec.demonstrations[0] == Pair('"Well," he said', '"Well,"')


def test_a_fence_belongs_whole_to_what_it_fences() -> None:
    spec = parse(
        "Add marks.\n\nInput:\n```js\nx = 1\n```\nOutput:\n```js\nx = 1;\n```\n\n"
        "Input:\n```js\ny = 2\n```\nOutput:\n```js\ny = 2;\n```\n"
    )

    assert spec.demonstrations[0] == Pair("```js\nx = 1\n```", "```js\nx = 1;\n```")
    assert spec.demonstrations[1] == Pair("```js\ny = 2\n```", "```js\ny = 2;\n```")


def test_a_fence_around_an_example_belongs_to_neither_side() -> None:
    spec = parse("Say it.\n\n```\nInput: a\nOutput: b\n```\n\n```\nInput: c\nOutput: d\n```")

    assert spec.demonstrations == (Pair("a", "b"), Pair("c", "d"))


def test_one_arrow_is_an_example_when_an_open_one_follows() -> None:
    for gap in ("\n", "\n\n"):
        spec = parse(f"Name the mood.\n\nI loved it => good{gap}I hated it =>")
        assert (spec.instruction, spec.demonstrations) == ("Name the mood.", (Pair("I loved it", "good"),))


@pytest.mark.parametrize(
    "listed",
    [
        "cheese: fromage\nbread: pain\ndog: chien",
        "film,mood\nI loved it,good\nI hated it,bad",
        "film\tmood\nI loved it\tgood\nI hated it\tbad",
        "I loved it => good",
    ],
)
def test_a_list_that_may_be_examples_is_left_to_the_teacher(listed: str) -> None:
    spec = parse(f"Do what is asked.\n\n{listed}")

    assert spec.confidence < SURE
    assert listed in spec.instruction


def test_blanks_inside_quotation_marks_are_content() -> None:
    assert parse('Repeat it.\n\ninput=" a "\noutput=" a "').demonstrations == (Pair(" a ", " a "),)


def test_a_plain_question_or_role_is_an_instruction() -> None:
    for text in ("Is there anything I can eat for breakfast?", "I want you to act as a Linux terminal.", "请翻译"):
        spec = parse(text)
        assert (spec.instruction, spec.demonstrations, spec.kind, spec.confidence) == (text, (), "text", 1.0)


@pytest.mark.parametrize(
    "text",
    [
        "Translate to French",
        "Summarise:",
        "Summarise {{text}}",
        "翻译成英文",
        "번역해줘",
        "Classify the sentiment",
        "# Translate the text into French",
        "Rewrite this, politely",
        "Correct it:\n\n{{text}}",
        "Spam, or not?\nSay yes, or no.",
    ],
)
def test_a_short_request_is_an_instruction(text: str) -> None:
    assert parse(text).confidence == 1.0


def test_announced_examples_that_no_layout_finds_lower_the_confidence() -> None:
    spec = parse(
        "Tag every word.\n\nHere is an example:\nJohn sleeps.\nThe result is: John (Noun) sleeps (Verb)\nThat is all."
    )

    assert spec.demonstrations == ()
    assert spec.confidence < SURE


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param("", "empty", id="empty"),
        pytest.param(" \n\t\r\n", "empty", id="blank"),
        pytest.param("\ufeff", "empty", id="only a byte order mark"),
        pytest.param("Translate\0 this", "binary", id="nul"),
        pytest.param("Translate \ud800 this", "UTF-8", id="lone surrogate"),
        pytest.param(
            json.dumps({"instruction": "Say it.", "examples": [{"input": "a\ud800", "output": "b"}]}),
            "half of a surrogate pair",
            id="half a character in an example",
        ),
        pytest.param(
            json.dumps({"instruction": "Say \udfff.", "examples": [{"input": "a", "output": "b"}]}),
            "half of a surrogate pair",
            id="half a character in the instruction",
        ),
        pytest.param("... ??? 123 !!!", "no instruction", id="punctuation"),
        pytest.param("Hello", "no instruction", id="a greeting"),
        pytest.param("https://example.com/a/long/page", "no instruction", id="an address"),
        pytest.param("{{input}}", "no instruction", id="a place for the input"),
        pytest.param("Input:\nOutput:", "no instruction", id="names of fields"),
        pytest.param("Input: {{text}}\n**Label:**", "no instruction", id="names and places"),
        pytest.param("### Instruction:", "no instruction", id="a name for the instruction"),
        pytest.param("<!-- translate the text -->", "no instruction", id="a comment"),
        pytest.param("# My Task\n\n## Rules\n\n## Output Format", "no instruction", id="titles"),
        pytest.param("VGhpcyBpcyBhIGxvbmcgYmFzZTY0IHN0cmluZw==\nQUJD", "no instruction", id="an encoded file"),
        pytest.param("text,label\ngood film,pos\nbad film,neg", "only examples", id="a table"),
        pytest.param('text,label\n"good, if long",pos\nbad film,neg', "only examples", id="a table with quotes"),
        pytest.param("Input: a\nOutput: b\n\nInput: c\nOutput: d", "only examples", id="only examples"),
        pytest.param("Task:\n\nInput: a\nOutput: b\n\nInput: c\nOutput: d", "only examples", id="only a name"),
        pytest.param("word " * 1_100_000, "more than any model reads", id="a data file"),
    ],
)
def test_what_is_no_prompt_is_refused_in_one_line(text: str, says: str) -> None:
    with pytest.raises(UserError, match=says) as refused:
        parse(text)

    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 200


def test_the_bundled_prompts_parse_without_doubt() -> None:
    dates = parse(read_prompt(DEMOS / "dates" / "prompt.md"))
    intents = parse(read_prompt(DEMOS / "intents" / "prompt.md"))

    assert (dates.kind, dates.empty_answer, dates.confidence) == ("text", "N/A", 1.0)
    assert dates.output_pattern == r"\d{4}-\d{2}-\d{2}|N/A"
    assert (intents.kind, intents.empty_answer, intents.confidence) == ("classification", "none of these", 1.0)
    assert {pair.output for pair in intents.demonstrations} <= set(intents.labels)


def test_a_prompt_file_is_read_in_utf_8_and_utf_16(tmp_path: Path) -> None:
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        (tmp_path / "prompt.md").write_text("Übersetze das.\r\n", encoding=encoding)
        assert read_prompt(tmp_path / "prompt.md") == "Übersetze das.\n"


def test_a_prompt_file_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\x89PNG\xff\xfe\x00")
    (tmp_path / "empty").write_bytes(b"")

    for name in ("missing", "binary", "empty", "."):
        with pytest.raises(UserError, match=re.escape(str(tmp_path / name))):
            read_prompt(tmp_path / name)


def test_a_file_that_is_far_too_long_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "rows.txt").open("wb") as file:
        file.truncate(50_000_000_000)  # takes no room on the disk, and would not fit into memory

    with pytest.raises(UserError, match="the prompt has 50,000,000,000 bytes, more than any model reads"):
        read_prompt(tmp_path / "rows.txt")


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*"ab \n:=\"'->{}[]<>|#*`.Q。", "Input", "Output", "Example", "For example, "])))
@example(["\n", "=", ">", "a", "\n", "Example"])
def test_any_text_behind_an_instruction_gives_the_same_spec_twice(parts: list[str]) -> None:
    text = "Translate it. " + "".join(parts)
    spec = parse(text)

    assert spec == parse(text)
    assert spec.instruction.strip()
    assert 0 <= spec.confidence <= 1
    assert all(pair.input.strip() and pair.output.strip() for pair in spec.demonstrations)


@pytest.mark.parametrize(
    "text",
    [
        "Do it now.\n" + " " * 50_000 + "x",
        "Do it now.\n" + "{\n" * 4_000,
        "Do it now.\n" + "<input>" * 8_000,
        "Do it now. " + '"' * 30_000,
        "Do it now.\n" + "Input: x\n" * 6_000,
        "Do it now. " + "a -> b " * 8_000,
        "Do it now.\n" + "Here are examples:\n" * 4_000,
        "Do it now.\n" + "examples:\n- x\n" * 6_000,
        "Do it now.\n" + "```\nx\n" * 6_000,
        "Do it now.\nInput: a\nOutput: b\n" + "```\nx\n" * 6_000,
    ],
    ids=["blanks", "braces", "tags", "quotes", "openings", "arrows", "leads", "lists", "fences", "fences below"],
)
@pytest.mark.long
def test_hostile_repetition_does_not_hang(text: str) -> None:
    """Each takes a fraction of a second; were the time quadratic, it would be minutes."""
    assert parse(text).instruction.startswith("Do it now")


def test_cleaning_is_idempotent() -> None:
    assert clean(clean("\ufeffa\r\nb\rc")) == "a\nb\nc"
