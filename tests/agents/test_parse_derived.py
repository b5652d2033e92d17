"""What is derived from a prompt: output pattern, labels, empty answer, language."""

from __future__ import annotations

import re

import pytest

from agents.parsing.language import inputs_language
from agents.parsing.parse import parse


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
        pytest.param(
            "Say if it is true, false, or half true, based on the text.", "true, false, half true", id="qualified"
        ),
        pytest.param(
            "Rate the review as very positive, positive, neutral, negative, or very negative.",
            "very positive, positive, neutral, negative, very negative",
            id="qualified at both ends",
        ),
        pytest.param(
            shown("Say whether it is true, false, or half true, based on the text.", "true", "false"),
            "true, false, half true",
            id="qualified beyond what is shown",
        ),
        pytest.param("Say if it is very positive or negative.", "positive, negative", id="each of them once"),
        pytest.param("将下面的评论分类为正面、负面或中性。", "正面, 负面, 中性", id="Chinese, or"),
        pytest.param("将新闻分为体育、财经和科技三类。", "体育, 财经, 科技", id="Chinese, three kinds"),
        pytest.param("请把成绩分类为及格或不及格。", "及格, 不及格", id="Chinese, two"),
        pytest.param(
            "Wähle ein Wort aus dieser Liste: Rechnung, Lieferung, Sonstiges.\n\nEmail: Wo ist es?\n"
            "Antwort: Lieferung\n\nEmail: Das stimmt nicht.\nAntwort: Rechnung",
            "Rechnung, Lieferung, Sonstiges",
            id="German",
        ),
    ],
)
def test_labels_come_from_the_instruction_and_the_demonstrations(prompt: str, labels: str) -> None:
    spec = parse(prompt)

    assert (spec.kind, spec.labels) == ("classification", tuple(labels.split(", ")))


@pytest.mark.parametrize(
    "told", ["把书分为上、下两部。", "请把新闻分类为体育、财经、技术与科学。", "将句子翻译成英文，分为不同段落。"]
)
def test_chinese_words_that_may_be_no_list_of_labels_make_none(told: str) -> None:
    assert parse(told).labels == ()


@pytest.mark.parametrize("shown", [0, 2])
@pytest.mark.parametrize(
    "instruction",
    [
        "Classify the message as one of refund, login, billing, other.",
        "Classify the message as exactly one of refund, login, billing or other.",
        "Classify the message into refund, login, billing, other.",
    ],
)
def test_no_label_of_a_list_is_left_out_because_no_demonstration_shows_it(instruction: str, shown: int) -> None:
    demonstrations = ["Input: my money\nOutput: refund", "Input: my password\nOutput: login"]

    spec = parse("\n\n".join([instruction, *demonstrations[:shown]]))

    assert spec.labels == ("refund", "login", "billing", "other")


@pytest.mark.parametrize(
    "instruction",
    [
        "Say what it is: log in, tech support, billing question, or something else.",
        "It is log in, tech support, billing question, or something else.",
        "It is log in, tech support, billing question, something else.",
    ],
)
def test_a_list_goes_on_behind_the_last_label_that_is_shown(instruction: str) -> None:
    spec = parse(f"{instruction}\n\nInput: my key\nOutput: log in\n\nInput: the screen is black\nOutput: tech support")

    assert spec.labels == ("log in", "tech support", "billing question", "something else")


@pytest.mark.parametrize(
    ("instruction", "labels"),
    [
        ("Is it supported, refuted, or not enough info?", ("supported", "refuted", "not enough info")),
        ("Say whether it is supported, refuted, or unclear in the text.", ("supported", "refuted", "unclear")),
        ("Tag the claim. Tags: supported; refuted; N/A.", ("supported", "refuted", "N/A")),
        ("Say supported/refuted/n/a.", ("supported", "refuted", "n/a")),
    ],
)
def test_the_last_of_a_list_is_read_to_its_end(instruction: str, labels: tuple[str, ...]) -> None:
    assert parse(shown(instruction, "supported", "refuted")).labels == labels


@pytest.mark.parametrize(("count", "kept"), [(300, 300), (500, 500), (501, 0), (3_000, 0)])
def test_a_long_list_of_labels_is_taken_whole_or_not_at_all(count: int, kept: int) -> None:
    labels = ", ".join(f"label of number {number}" for number in range(count))

    spec = parse(f"Classify the message as one of: {labels}.")

    assert len(spec.labels) == kept
    assert [doubt.about for doubt in spec.doubts] == ([] if kept else ["labels"])


@pytest.mark.parametrize(
    "prompt",
    [
        "Name the animal, such as cat, dog, horse.\n\nInput: a cat\nOutput: cat\n\nInput: my dog\nOutput: dog",
        "Extract the drug.\n\nInput: took MTX\nOutput: MTX\n\nInput: no naproxen\nOutput: naproxen",
        'Find a word, e.g. "survival" and "survive".\n\nInput: a\nOutput: sun\n\nInput: b\nOutput: rain',
        "Return the element with the largest value; of a positive and a negative element return the positive element.",
        "Compute.\n\nInput: 1+1\nOutput: 2\n\nInput: 2+0\nOutput: 2\n\nInput: 1+2\nOutput: 3\n\nInput: 3+0\nOutput: 3",
    ],
    ids=["open list", "extraction", "quoted words", "no enumeration of answers", "numbers repeat by chance"],
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


@pytest.mark.parametrize(
    ("instruction", "inputs", "language"),
    [
        pytest.param("Ordne die Nachricht ein.", "gut\nschlecht", "de", id="too short to tell"),
        pytest.param("Classe le message.", "je veux payer", "fr", id="in one of several"),
        pytest.param("Do what is asked with it.", "gut\nschlecht", "en", id="nothing tells"),
        pytest.param("把单词分类。", "apple\ndog", "en", id="another script"),
        pytest.param("Ordne die Nachricht ein.", "what is the price of it", "en", id="another language"),
    ],
)
def test_of_short_inputs_the_instruction_tells_the_language(instruction: str, inputs: str, language: str) -> None:
    assert inputs_language(instruction, inputs.split("\n")) == language
