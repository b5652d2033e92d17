"""The parser splits prompts as people write them, says how sure it is, and is not led astray by what it reads."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.parse import SURE, clean, parse, parse_with_teacher, read_prompt
from agents.records import Pair, Spec
from engine.errors import ProviderUnavailable, UserError
from engine.messages import Reply, Request, Usage

DATA = Path(__file__).parents[2].parent / "shared" / "data"
DEMOS = Path(__file__).parents[2] / "agents" / "demo"

INSTRUCTION = "Name the capital of the country that you are given."
PAIRS = (Pair("France", "Paris"), Pair("the United States", "Washington, D.C."), Pair("Peru", "Lima"))

Layout = Callable[[str, str], str]


def fields(first: str, second: str, *, between: str = "\n\n") -> str:
    return between.join(f"{first}{pair.input}\n{second}{pair.output}" for pair in PAIRS)


LAYOUTS = {
    "input_output": f"{INSTRUCTION}\n\n{fields('Input: ', 'Output: ')}",
    "lead": f"{INSTRUCTION}\n\nHere are some examples:\n\n{fields('Input: ', 'Output: ')}",
    "lead in the same line": f"{INSTRUCTION} Here are some examples:\n\n{fields('Input: ', 'Output: ')}",
    "no empty lines": f"{INSTRUCTION}\n{fields('input: ', 'output: ', between=chr(10))}",
    "questions": f"{INSTRUCTION}\n\n{fields('Q: ', 'A: ')}",
    "text and label": f"{INSTRUCTION}\n\n{fields('Text: ', 'Label: ')}",
    "unknown names": f"{INSTRUCTION}\n\n{fields('Land: ', 'Hauptstadt: ')}",
    "dialogue": f"{INSTRUCTION}\n\n{fields('User: ', 'Assistant: ')}",
    "chinese": f"{INSTRUCTION}\n\n{fields('输入：', '输出：')}",
    "japanese": f"{INSTRUCTION}\n\n{fields('入力: ', '出力: ')}",
    "german": f"{INSTRUCTION}\n\nBeispiele:\n{fields('Eingabe: ', 'Ausgabe: ')}",
    "french": f"{INSTRUCTION}\n\nVoici quelques exemples :\n\n{fields('Entrée : ', 'Sortie : ')}",
    "spanish": f"{INSTRUCTION}\n\n{fields('Entrada: ', 'Salida: ')}",
    "russian": f"{INSTRUCTION}\n\nПримеры:\n\n{fields('Вход: ', 'Выход: ')}",
    "bold": f"{INSTRUCTION}\n\n## Examples\n\n{fields('**Input:** ', '**Output:** ')}",
    "headings": f"# Task\n{INSTRUCTION}\n\n{fields('### Input' + chr(10), '### Output' + chr(10))}",
    "yaml": f"{INSTRUCTION}\n\nexamples:\n{fields('- input: ', '  output: ', between=chr(10))}",
    "yaml block": f"instruction: |\n  {INSTRUCTION}\n\nexamples:\n"
    + "\n".join(f"  - input: {json.dumps(pair.input)}\n    output: '{pair.output}'" for pair in PAIRS),
    "yaml folded": f"task: >-\n  {INSTRUCTION.replace(' of ', chr(10) + '  of ')}\nexamples:\n"
    + "\n".join(f"- input: {pair.input}\n  output: |\n    {pair.output}" for pair in PAIRS),
    "instruct": "Below is an instruction that describes a task, paired with an input. Write a fitting response.\n\n"
    f"### Instruction:\n{INSTRUCTION}\n\n{fields('### Input:' + chr(10), chr(10) + '### Response:' + chr(10))}",
    "instruct, open": f"### Instruction:\n{INSTRUCTION}\n\n"
    + fields("### Input:\n", "\n### Response:\n")
    + "\n\n### Input:\n{input}\n\n### Response:\n",
    "instruct, repeated": "\n\n".join(
        f"### Instruction:\n{INSTRUCTION}\n\n### Input:\n{pair.input}\n\n### Response:\n{pair.output}" for pair in PAIRS
    ),
    "equals": INSTRUCTION + "\n\n" + "\n\n".join(f'input="{pair.input}"\noutput="{pair.output}"' for pair in PAIRS),
    "curly quotes": INSTRUCTION
    + "\n\n"
    + "\n\n".join(f'input=“{pair.input}"\noutput=“{pair.output}”' for pair in PAIRS),
    "explained": INSTRUCTION
    + "\n\n"
    + "\n\n".join(f"Input: {pair.input}\nOutput: {pair.output}\nExplanation: look it up." for pair in PAIRS),
    "rules between": f"{INSTRUCTION}\n\n{fields('Input: ', 'Output: ', between=chr(10) + '---' + chr(10))}",
    "one line each": INSTRUCTION + "\n\n" + "\n".join(f"Input: {pair.input} Output: {pair.output}" for pair in PAIRS),
    "arrows": INSTRUCTION + "\n\nExamples:\n" + "\n".join(f"{pair.input} -> {pair.output}" for pair in PAIRS),
    "bullets": INSTRUCTION + "\n\n" + "\n".join(f"- {pair.input} → {pair.output}" for pair in PAIRS),
    "numbers": INSTRUCTION
    + "\n\n"
    + "\n".join(f"{n}. {pair.input} => {pair.output}" for n, pair in enumerate(PAIRS, 1)),
    "numbered": "\n\n".join(f"Example {n}\n{pair.input}\n=> {pair.output}" for n, pair in enumerate(PAIRS, 1))
    + f"\n\n{INSTRUCTION}",
    "examples first": f"{fields('Input: ', 'Output: ')}\n\n{INSTRUCTION}",
    "prose": INSTRUCTION + "".join(f' For example, "{pair.input}" should give "{pair.output}".' for pair in PAIRS),
    "prose in one sentence": INSTRUCTION
    + " E.g. "
    + ", and ".join(f'"{pair.input}" => "{pair.output}"' for pair in PAIRS)
    + ".",
    "json lines": INSTRUCTION + "\n\n" + "\n".join(json.dumps({"input": p.input, "output": p.output}) for p in PAIRS),
    "json array": INSTRUCTION
    + "\n\nExamples:\n"
    + json.dumps([{"question": p.input, "answer": p.output} for p in PAIRS], indent=2),
    "one json object": json.dumps(
        {"instruction": INSTRUCTION, "examples": [{"input": p.input, "output": p.output} for p in PAIRS]}
    ),
    "messages": json.dumps(
        [{"role": "system", "content": INSTRUCTION}]
        + [
            turn
            for p in PAIRS
            for turn in ({"role": "user", "content": p.input}, {"role": "assistant", "content": p.output})
        ]
    ),
    "tags": f"<instructions>\n{INSTRUCTION}\n</instructions>\n<examples>\n"
    + "\n".join(f"<example><input>{p.input}</input><output>{p.output}</output></example>" for p in PAIRS)
    + "\n</examples>",
    "table": f"{INSTRUCTION}\n\n| Input | Output |\n| --- | --- |\n"
    + "\n".join(f"| {p.input} | {p.output} |" for p in PAIRS),
    "closing words": f"{INSTRUCTION}\n\n{fields('Input: ', 'Output: ')}\n\nNow, complete the following input:",
    "place for the input": f"{INSTRUCTION}\n\n{fields('Input: ', 'Output: ')}\n\nInput: {{input}}\nOutput:",
    "windows line ends": f"\ufeff{INSTRUCTION}\n\n{fields('Input: ', 'Output: ')}".replace("\n", "\r\n"),
}


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
        "input,output\nI loved it,good\nI hated it,bad",
        "text\tlabel\nI loved it\tgood\nI hated it\tbad",
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
        pytest.param("text,label\ngood film,pos\nbad film,neg", "no instruction", id="a table"),
        pytest.param('text,label\n"good, if long",pos\nbad film,neg', "no instruction", id="a table with quotes"),
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


@pytest.mark.parametrize(
    ("outputs", "wanted"),
    [
        pytest.param(["2021-03-05", "1998-09-11", "N/A"], r"\d{4}-\d{2}-\d{2}|N/A", id="dates"),
        pytest.param(["2021-03-05", "1998-09", "2001"], r"\d{4}-\d{2}-\d{2}|\d{4}-\d{2}|\d{4}", id="several shapes"),
        pytest.param(["14:30", "09:05"], r"\d{2}:\d{2}", id="times"),
        pytest.param(["8", "11", "630"], None, id="numbers may be anything"),
        pytest.param(["2013", "2014"], None, id="years alone may be numbers"),
        pytest.param(["3.14", "2.72"], None, id="decimals"),
        pytest.param(["2021-03-05", "in May"], None, id="mixed with words"),
        pytest.param(["early May == 2012-05", "N/A"], None, id="free text"),
        pytest.param(["2021-03-05"], None, id="one is no evidence"),
    ],
)
def test_an_output_pattern_is_derived_only_where_it_is_safe(outputs: list[str], wanted: str | None) -> None:
    prompt = "Write what is asked.\n\n" + "\n\n".join(
        f"Input: text {n}\nOutput: {out}" for n, out in enumerate(outputs)
    )
    pattern = parse(prompt).output_pattern

    assert pattern == wanted
    assert pattern is None or all(re.fullmatch(pattern, output) for output in outputs)


def test_a_form_that_the_instruction_names_widens_the_pattern() -> None:
    spec = parse(
        "Write YYYY-MM-DD, or YYYY-MM if no day is named.\n\n"
        "Input: a\nOutput: 2020-01-02\n\nInput: b\nOutput: 2021-03-04"
    )

    assert spec.output_pattern == r"\d{4}-\d{2}-\d{2}|\d{4}-\d{2}"


def shown(instruction: str, *outputs: str) -> str:
    """A prompt whose demonstrations have these outputs."""
    return "\n\n".join([instruction, *(f"Input: text {n}\nOutput: {output}" for n, output in enumerate(outputs))])


@pytest.mark.parametrize(
    ("prompt", "labels"),
    [
        pytest.param(shown("Classify as one of: spam, ham, other.", "ham", "spam"), "spam, ham, other", id="one of"),
        pytest.param(
            shown("Name the team.\n\n- pay: money\n- login: keys\n- rest", "rest"), "pay, login, rest", id="bullets"
        ),
        pytest.param(shown("Answer 'yes' if so, and 'no' otherwise.", "Yes.", "Yes."), "Yes., No.", id="respelled"),
        pytest.param(shown("Answer with 1, 2, or 3 as the number.", "2", "1"), "1, 2, 3", id="enumerated"),
        pytest.param(shown("Answer yes or no.", "yes", "yes"), "yes, no", id="one of two shown"),
        pytest.param(shown("Judge the review.", "x", "y", "x", "y"), "x, y", id="repeated"),
        pytest.param(shown("Is it true?", "true", "false"), "true, false", id="family"),
        pytest.param(
            'You should respond with "Satisfied" or "Unsatisfied".', "Satisfied, Unsatisfied", id="no examples"
        ),
        pytest.param("Classify it into positive, negative or mixed.", "positive, negative, mixed", id="into"),
    ],
)
def test_labels_come_from_the_instruction_and_the_demonstrations(prompt: str, labels: str) -> None:
    spec = parse(prompt)

    assert (spec.kind, spec.labels) == ("classification", tuple(labels.split(", ")))


@pytest.mark.parametrize(
    "prompt",
    [
        "Extract the drug.\n\nInput: took MTX\nOutput: MTX\n\nInput: no naproxen\nOutput: naproxen",
        'Find a word, e.g. "survival" and "survive".\n\nInput: a\nOutput: sun\n\nInput: b\nOutput: rain',
        "Return the element with the largest value; of a positive and a negative element return the positive element.",
        "Compute.\n\nInput: 1+1\nOutput: 2\n\nInput: 2+0\nOutput: 2\n\nInput: 1+2\nOutput: 3\n\nInput: 3+0\nOutput: 3",
    ],
    ids=["extraction", "quoted words", "no enumeration of answers", "numbers repeat by chance"],
)
def test_free_answers_have_no_labels(prompt: str) -> None:
    assert (parse(prompt).kind, parse(prompt).labels) == ("text", ())


@pytest.mark.parametrize(
    ("prompt", "wanted"),
    [
        ("Find it.\n\nInput: a\nOutput: N/A\n\nInput: b\nOutput: it", "N/A"),
        ("Find it. If there is none, write 'N/A'.\n\nInput: b\nOutput: it", "N/A"),
        ("Route.\n\n- pay: money\n- none of these: the rest\n\nInput: b\nOutput: none of these", "none of these"),
        ("Find it.\n\nInput: b\nOutput: it", None),
    ],
    ids=["shown", "told", "a label", "neither"],
)
def test_the_empty_answer_is_known_when_shown_or_told(prompt: str, wanted: str | None) -> None:
    assert parse(prompt).empty_answer == wanted


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("what is the price of it?", "en"),
        ("Wie ist das Wetter und wo ist der Zug?", "de"),
        ("Où est la gare et quelle heure est-il ?", "fr"),
        ("¿Dónde está la estación de trenes?", "es"),
        ("Mikä tämä on ja mitä se voi?", "fi"),
        ("Где находится вокзал?", "ru"),
        ("北京市的人口是多少？", "zh"),
        ("リスト内に出現する単語を数える", "ja"),
        ("오늘 날씨 어때요?", "ko"),
        ("أين المحطة", "ar"),
        ("12:30", "en"),
    ],
)
def test_the_language_is_that_of_the_inputs(text: str, language: str) -> None:
    assert parse(f"Do what is asked with it.\n\nInput: {text}\nOutput: x").language == language


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


@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*"ab \n:=\"'->{}[]<>|#*`.Q。", "Input", "Output", "Example", "For example, "])))
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
def test_hostile_repetition_does_not_hang(text: str) -> None:
    """Each takes a fraction of a second; were the time quadratic, it would be minutes."""
    assert parse(text).instruction.startswith("Do it now")


class Teacher:
    """A teacher that always gives the same answer and remembers what it was asked."""

    def __init__(self, answer: str) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        return Reply(texts=(self.answer,), finish_reasons=("stop",), usage=Usage(1, 1), model="teacher")


DOUBTFUL = (
    "Tag every word.\n\nHere is an example:\nJohn sleeps.\nThe result is: John (Noun) sleeps (Verb)\nThat is all."
)


def ask(teacher: Teacher, text: str) -> Spec:
    return asyncio.run(parse_with_teacher(teacher, text))


def split(instruction: str, *pairs: tuple[str, str]) -> str:
    rows = [{"input": given, "output": output} for given, output in pairs]
    return json.dumps({"instruction": instruction, "demonstrations": rows})


def test_the_teacher_is_not_asked_where_the_text_leaves_no_doubt() -> None:
    teacher = Teacher("")

    assert ask(teacher, LAYOUTS["input_output"]) == parse(LAYOUTS["input_output"])
    assert teacher.asked == []


def test_the_teachers_split_counts_when_it_stands_in_the_text() -> None:
    answer = "Sure!\n```json\n" + split("Tag every word.", ("John sleeps.", "John (Noun)  sleeps (Verb)")) + "\n```"
    teacher = Teacher(answer)
    spec = ask(teacher, DOUBTFUL)

    assert spec.instruction == "Tag every word."
    assert spec.layout == "teacher"
    assert spec.demonstrations[0].input == "John sleeps."
    assert DOUBTFUL in teacher.asked[0].messages[0].content
    assert teacher.asked[0].tag == "parse"


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("I cannot help with that.", id="refusal"),
        pytest.param('{"instruction": "Tag every word."', id="cut"),
        pytest.param(split("Tag each word.", ("John sleeps.", "John (Noun) sleeps (Verb)")), id="reworded"),
        pytest.param(split("Tag every word.", ("Mary sleeps.", "Mary (Noun) sleeps (Verb)")), id="invented"),
        pytest.param('{"instruction": 1, "demonstrations": "none"}', id="wrong types"),
        pytest.param('{"instruction": "", "demonstrations": []}', id="empty"),
        pytest.param("[]", id="no object"),
    ],
)
def test_a_split_that_the_text_does_not_hold_is_passed_over(answer: str) -> None:
    assert ask(Teacher(answer), DOUBTFUL) == parse(DOUBTFUL)


def test_a_teacher_that_fails_leaves_the_texts_own_split() -> None:
    class Failing:
        async def ask(self, request: Request) -> Reply:  # noqa: ARG002 it fails whatever it is asked
            raise ProviderUnavailable("no luck")

    assert asyncio.run(parse_with_teacher(Failing(), DOUBTFUL)) == parse(DOUBTFUL)


def real_rows(name: str) -> list[dict[str, object]]:
    path = DATA / name
    if not path.exists():
        pytest.skip(f"the shared data set {name} is not here")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line.strip()]


def test_real_prompts_in_six_layouts_are_split_exactly() -> None:
    rows = real_rows("ni_tasks/styled_prompts.jsonl")
    wrong = []
    for row in rows:
        spec = parse(str(row["prompt"]))
        found = [{"input": pair.input, "output": pair.output} for pair in spec.demonstrations]
        if spec.instruction != str(row["expected_instruction"]).strip() or found != row["expected_demonstrations"]:
            wrong.append(row["id"])

    assert len(wrong) <= 0.02 * len(rows), wrong


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("ni_tasks/prompts.jsonl", "definition"),
        ("p2m_prompts/dev.jsonl", "prompt"),
        ("self_instruct_prompts/dev.jsonl", "prompt"),
        ("chatgpt_prompts/dev.jsonl", "prompt"),
        ("bbh/prompts.jsonl", "cot_prompt"),
    ],
)
def test_real_prompts_are_understood_or_refused(name: str, column: str) -> None:
    for row in real_rows(name):
        if row[column] == "test":  # somebody's entry in a collection of prompts
            with pytest.raises(UserError, match="no instruction"):
                parse("test")
        else:
            assert parse(str(row[column])).instruction


def test_the_temporal_prompt_is_understood_whole() -> None:
    titled = {row["title"]: str(row["prompt"]) for row in real_rows("p2m_prompts/dev.jsonl")}
    spec = parse(titled["Temporal Expression Normalization"])

    assert len(spec.demonstrations) == 12
    assert (spec.kind, spec.empty_answer, spec.output_pattern, spec.confidence) == ("text", "N/A", None, 1.0)
    assert spec.instruction.startswith("Temporal date expressions are commonly used")
    assert spec.instruction.endswith('output="N/A".')


def test_other_rows_of_real_tasks_laid_out_anew_are_split_exactly() -> None:
    """Definitions with examples drawn from the tasks' instances, in layouts that the answer key does not have."""
    rng = random.Random(0)
    instances: dict[str, list[Pair]] = {}
    for row in real_rows("ni_tasks/dev.jsonl"):
        instances.setdefault(str(row["task"]), []).append(Pair(str(row["input"]), str(row["output"])))
    tried = wrong = 0
    for row in real_rows("ni_tasks/prompts.jsonl"):
        pairs = rng.sample(instances[str(row["id"])], 3)
        first, second = rng.choice(
            [("Input", "Output"), ("Eingabe", "Ausgabe"), ("**Input", "**Output"), ("Text", "Label")]
        )
        body = "\n\n".join(f"{first}: {pair.input}\n{second}: {pair.output}" for pair in pairs)
        spec = parse(
            f"{str(row['definition']).strip()}\n\nHere are some examples:\n\n{body}\n\nInput: {{input}}\nOutput:"
        )
        wrong += [(p.input, p.output) for p in spec.demonstrations] != [(p.input, p.output) for p in pairs]
        tried += 1

    assert wrong <= 0.05 * tried


def test_cleaning_is_idempotent() -> None:
    assert clean(clean("\ufeffa\r\nb\rc")) == "a\nb\nc"
