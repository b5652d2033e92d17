"""Prompts in wrappings and layouts that few people use, and in many scripts: each is split as it is meant."""

from __future__ import annotations

import pytest

from agents.parsing.parse import parse

TEA = (("You like tea.", "Do you like tea?"), ("She is here.", "Is she here?"))
TURN = "Turn the sentence into a question."
FIELDS = "".join(f"Input: {given}\nOutput: {answer}\n\n" for given, answer in TEA)
TAGS = "".join(f"<example>\n<input>{given}</input>\n<output>{answer}</output>\n</example>\n" for given, answer in TEA)
CHAT = "".join(
    f"<start_of_turn>user\n{given}<end_of_turn>\n<start_of_turn>model\n{answer}<end_of_turn>\n" for given, answer in TEA
)
SAID, ASKED = zip(*TEA, strict=True)
NUMBERED = [[f"{number}. {text}" for number, text in enumerate(texts, start=1)] for texts in (SAID, ASKED)]
BULLETED = ["".join(f"- {text}\n" for text in texts) for texts in (SAID, ASKED)]
CELLS = "".join(f"<tr><td>{given}</td><td><b>{answer}</b></td></tr>" for given, answer in TEA)
RAW = "".join(f"<example><said><![CDATA[{a}]]></said><asked>{b}</asked></example>\n" for a, b in TEA)

PROMPTS = {
    "tags around all of it": f"<prompt>\n{TURN}\n\n{FIELDS}</prompt>",
    "tags around tags": f"<prompt>\n<task>\n{TURN}\n</task>\n<examples>\n{TAGS}</examples>\n</prompt>",
    "sections": f"<task>{TURN}</task>\n<examples>\n{FIELDS}</examples>\n<input>{{{{text}}}}</input>",
    "one section": f"{TURN}\n\n<examples>\n{FIELDS}</examples>",
    "Org": f"* Task\n{TURN}\n\n* Examples\n#+BEGIN_EXAMPLE\n{FIELDS}#+END_EXAMPLE\n",
    "Org, one a block": f"{TURN}\n\n" + "".join(f"#+begin_example\n{a} -> {b}\n#+end_example\n" for a, b in TEA),
    "two lists": f"{TURN}\n\nInputs:\n{chr(10).join(NUMBERED[0])}\n\nOutputs:\n{chr(10).join(NUMBERED[1])}\n",
    "two lists in two lines": f"{TURN}\n\nInputs: {' '.join(NUMBERED[0])}\nOutputs: {' '.join(NUMBERED[1])}\n",
    "two bulleted lists": f"{TURN}\n\n### Inputs\n{BULLETED[0]}\n### Expected outputs\n{BULLETED[1]}",
    "a chat without a system turn": "<bos>" + CHAT.replace("user\n", f"user\n{TURN}\n", 1),
    "the same with an empty line": CHAT.replace("user\n", f"user\n{TURN}\n\n", 1),
    "the instruction in every turn": CHAT.replace("user\n", f"user\n{TURN}\n") + f"<start_of_turn>user\n{TURN}\nWe go.",
    "HTML table": f"{TURN}\n<table><tr><th>said</th><th>asked</th></tr>{CELLS}</table>",
    "RST": f"Task\n====\n\n{TURN}\n\n" + FIELDS.replace("Input:", ":input:").replace("Output:", ":output:"),
    "headings of one letter": f"{TURN}\n\n" + FIELDS.replace("Input: ", "## Q\n").replace("Output: ", "## A\n"),
    "Jira table": f"{TURN}\n\n||said||asked||\n" + "".join(f"|{a}|{b}|\n" for a, b in TEA),
    "squares before names": f"{TURN}\n\n" + FIELDS.replace("Input: ", "■入力\n").replace("Output: ", "■出力\n"),
    "pointing hands": f"{TURN}\n\n" + "".join(f"{a} 👉 {b}\n" for a, b in TEA),
    "doctests": f"{TURN}\n\n" + "".join(f">>> {a}\n{b}\n" for a, b in TEA),
    "marks with wide bars": f"{TURN}\n"
    + "".join(f"<｜User｜>{a}<｜Assistant｜>{b}<｜end▁of▁sentence｜>" for a, b in TEA),
    "raw text in tags": f"<task>{TURN}</task>\n{RAW}",
    "in passing, by who writes": "".join(f'When somebody writes "{a}", you write "{b}". ' for a, b in TEA) + TURN,
}


@pytest.mark.parametrize("prompt", PROMPTS.values(), ids=PROMPTS)
def test_examples_and_instruction_are_told_apart(prompt: str) -> None:
    spec = parse(prompt)

    assert tuple((pair.input, pair.output) for pair in spec.demonstrations) == TEA
    assert spec.instruction == TURN


LABELLED = {
    "सकारात्मक नकारात्मक": 'भाव बताइए: सकारात्मक या नकारात्मक।\n\n"अच्छा" -> सकारात्मक\n"बुरा" -> नकारात्मक\n',
    "مثبت منفی خنثی": ("احساس را بگو: مثبت، منفی یا خنثی.\n\nجمله: عالی\nاحساس: مثبت\n\nجمله: بد\nاحساس: منفی\n"),
    "积极 消极 中性": ("请判断情感：积极、消极或中性。\n\n【句子】很棒\n【情感】积极\n\n【句子】很差\n【情感】消极\n"),
    "hàng tiền": ("Phân loại: hàng hoặc tiền.\n\nCâu hỏi: Ở đâu?\nLoại: hàng\n\nCâu hỏi: Giá?\nLoại: tiền\n"),
    "supported refuted unknown": (
        "task: Is it so?\nlabels: [supported, refuted, unknown]\nexamples:\n"
        "  - text: a\n    label: supported\n  - text: b\n    label: refuted\n"
    ),
}


@pytest.mark.parametrize(
    ("labels", "prompt"), LABELLED.items(), ids=["Hindi", "Persian", "Chinese", "Vietnamese", "YAML"]
)
def test_labels_are_found_in_the_list_that_names_them(labels: str, prompt: str) -> None:
    assert list(parse(prompt).labels) == labels.split()


def test_what_stands_in_brackets_is_part_of_a_label_where_answers_have_it() -> None:
    listed = "Name the aspect:\n- price\n- location (proximity)\n- food (quality)\n\n"
    whole = parse(f"{listed}Review: Near.\nAspect: location (proximity)\n\nReview: Dear.\nAspect: price\n")
    short = parse(f"{listed}Review: Near.\nAspect: location\n\nReview: Dear.\nAspect: price\n")

    assert whole.labels == ("price", "location (proximity)", "food (quality)")
    assert short.labels == ("price", "location", "food")


def test_a_list_that_is_one_example_of_several_stays_whole() -> None:
    lists = "".join(f"Inputs:\n1. a{n}\n2. b{n}\n\nOutputs:\n1. A{n}\n2. B{n}\n\n" for n in range(3))

    assert len(parse(f"Write each in capitals.\n\n{lists}").demonstrations) == 3


def test_a_table_in_an_input_stays_as_it_is() -> None:
    table = "<table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table>"
    spec = parse(f"Say what the table says.\n\nInput: {table}\nOutput: a is 1, b is 2\n\nInput: {table}\nOutput: so\n")

    assert spec.demonstrations[0].input == table


def test_what_every_turn_of_a_chat_says_up_to_a_colon_is_the_instruction() -> None:
    spec = parse("<|User|>Translate to Latin: fire<|Assistant|>ignis<|User|>Translate to Latin: water<|Assistant|>aqua")

    assert spec.instruction == "Translate to Latin:"
    assert [pair.input for pair in spec.demonstrations] == ["fire", "water"]


def test_a_rule_that_names_a_case_is_no_example() -> None:
    assert parse('If the review is "good", answer "1", otherwise answer "0".').demonstrations == ()
