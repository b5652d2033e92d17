"""A request that still carries the prompt is about the same input as the bare one."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.parsing.parse import parse, read_prompt
from agents.parsing.specs import text_of
from agents.parsing.unprompt import bare_input
from agents.records import Pair, Spec
from engine.errors import UserError
from engine.messages import Message

DATA = Path(__file__).parents[2].parent / "shared" / "data"
DEMOS = Path(__file__).parents[2] / "agents" / "demo"

PROMPTS = {
    "dates": read_prompt(DEMOS / "dates" / "prompt.md"),
    "intents": read_prompt(DEMOS / "intents" / "prompt.md"),
    "equals": 'Reverse it.\n\nHere are some examples:\n\ninput="abc"\noutput="cba"\n\ninput="de f"\noutput="f ed"',
    "closing": "Reverse it.\n\nInput: abc\nOutput: cba\n\nNow, complete the following input:",
    "questions": "Answer.\n\nQ: one and one?\nA: two\n\nQ: one and two?\nA: three",
    "arrows": "Reverse it.\n\nExamples:\nabc -> cba\nde f -> f ed",
    "numbered": "Example 1\nabc\n=> cba\n\nExample 2\nde f\n=> f ed\n\nReverse it.",
    "prose": 'Reverse it. For example, "abc" should give "cba".',
    "tags": "Reverse it.\n\n<example><input>abc</input><output>cba</output></example>",
    "no examples": "Reverse the text that you are given.",
    "a place": "Reverse the text that you are given.\n\nText: {{text}}\nAnswer:",
    "a written spec": text_of(parse("Reverse it.\n\nInput: abc\nOutput: cba\n\nInput: de f\nOutput: f ed"), toml=True),
}
INPUTS = (
    "due 3 May",
    "several\nlines of\n\ntext",
    "Answer by Friday",
    "Now: what?",
    "abc",
    "a 'quoted' \"word\"",
    "千葉",
)


def user(text: str) -> list[Message]:
    return [Message("user", text)]


def shots(pairs: tuple[Pair, ...]) -> list[Message]:
    return [turn for pair in pairs for turn in (Message("user", pair.input), Message("assistant", pair.output))]


def requests(spec: Spec, prompt: str, given: str) -> dict[str, list[Message]]:
    """The ways in which people send this input."""
    relaid = "".join(f"Q: {pair.input}\nA: {pair.output}\n\n" for pair in reversed(spec.demonstrations))
    return {
        "bare": user(given),
        "system": [Message("system", prompt), *user(given)],
        "system, named": [Message("system", prompt), *user(f"Input: {given}\nOutput:")],
        "system, half named": [Message("system", prompt), *user(f"Input: {given}")],
        "shots": [Message("system", spec.instruction), *shots(spec.demonstrations), *user(given)],
        "whole": user(f"{prompt}\n\n{given}"),
        "whole, named": user(f"{prompt}\n\nInput: {given}\nOutput:"),
        "whole, led over": user(f"{prompt}\n\nNow do this one:\n\nInput: {given}\nOutput:"),
        "windows": user(f"{prompt}\n\nInput: {given}\nOutput:".replace("\n", "\r\n")),
        "instruction": user(f"{spec.instruction}\n\n{given}"),
        "instruction below": user(f"{given}\n\n{spec.instruction}"),
        "laid out anew": user(f"{spec.instruction}\n\nHere are some examples:\n\n{relaid}Q: {given}\nA:"),
        "an answered turn before": [*user(prompt), Message("assistant", "Ready."), *user(given)],
    }


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("given", INPUTS)
def test_every_way_of_sending_it_gives_the_bare_input(name: str, given: str) -> None:
    spec = parse(PROMPTS[name])

    for way, messages in requests(spec, PROMPTS[name], given).items():
        assert bare_input(spec, PROMPTS[name], messages) == given, way


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("equals", 'input="xyz"\noutput='),
        ("arrows", "xyz ->"),
        ("numbered", "Example 3\nxyz\n=>"),
        ("tags", "<example><input>xyz</input><output>"),
        ("tags", "<input>xyz</input>"),
        ("questions", "Q: xyz\nA:"),
    ],
)
def test_the_prompts_own_layout_is_taken_off(name: str, text: str) -> None:
    prompt = PROMPTS[name]

    assert bare_input(parse(prompt), prompt, user(f"{prompt}\n\n{text}")) == "xyz"


HANDED_OVER = (
    "Message: {}",
    "Question: {}",
    "Query:\n{}",
    "Sentence: {}",
    "Ticket: {}",
    "**Text:** {}",
    "New input: {}",
    "Customer message: {}",
    "## Input\n{}",
    "## Input\n\n{}\n\n## Output",
    "Please classify: {}",
    "Process this: {}",
    "Next: {}",
    "What about this one? {}",
    "What about this one?\n\n{}",
    "Your turn: {}",
    "Please answer for the following message:\n{}",
    "Your turn:\n\nInput: {}\nOutput:",
    "Now do this one:\nMessage: {}",
    "```\n{}\n```",
    "Input:\n```text\n{}\n```\nOutput:",
    '"{}"',
    "“{}”",
    "{} ->",
    '{{"input": "{}"}}',
    '{{"text": "{}", "output": ""}}',
)


@pytest.mark.parametrize("name", PROMPTS)
@pytest.mark.parametrize("wording", HANDED_OVER)
def test_words_between_the_prompt_and_the_input_are_taken_off(name: str, wording: str) -> None:
    prompt, text = PROMPTS[name], wording.format("due 3 May, or so")
    spec = parse(prompt)

    assert bare_input(spec, prompt, user(f"{prompt}\n\n{text}")) == "due 3 May, or so"
    if text[0] not in '"“':  # in a message of its own, quotation marks may well be the input's
        assert bare_input(spec, prompt, [Message("system", prompt), *user(text)]) == "due 3 May, or so"


@pytest.mark.parametrize(
    "given",
    [
        "Please note: the shop is closed",
        "Context: a town\nQuestion: which one?",
        "Subject: an invoice",
        '"Yes" and "no"',
        '{"a": 1, "b": 2}',
        "see this: a dog",
        "I like this one? No.",
    ],
)
def test_what_an_input_begins_with_stays_behind_a_prompt(given: str) -> None:
    for name in ("dates", "intents", "closing", "questions", "arrows", "numbered", "tags", "no examples"):
        prompt = PROMPTS[name]
        assert bare_input(parse(prompt), prompt, user(f"{prompt}\n\n{given}")) == given, name


@pytest.mark.parametrize(
    "given", ["Message: hello", "Ticket: it broke", "Please classify: it", '{"input": "a"}', "``` a ```"]
)
def test_a_request_without_the_prompt_keeps_what_it_begins_with(given: str) -> None:
    assert bare_input(parse(PROMPTS["dates"]), PROMPTS["dates"], user(given)) == given


def test_an_input_that_repeats_a_demonstration_is_still_an_input() -> None:
    for name, prompt in PROMPTS.items():
        spec = parse(prompt)
        for pair in spec.demonstrations:
            assert bare_input(spec, prompt, user(f"{prompt}\n\nInput: {pair.input}\nOutput:")) == pair.input, name


def test_a_name_that_the_demonstrated_inputs_have_belongs_to_the_input() -> None:
    prompt = "Answer.\n\nInput: Question: one?\nOutput: 1\n\nInput: Question: two?\nOutput: 2"
    spec = parse(prompt)

    assert bare_input(spec, prompt, user("Question: three?")) == "Question: three?"
    assert bare_input(spec, prompt, user(f"{prompt}\n\nInput: Question: three?\nOutput:")) == "Question: three?"


def test_a_name_around_the_names_that_demonstrated_inputs_have_is_taken_off() -> None:
    prompt = "Answer.\n\nInput: Fact: a\nQuestion: one?\nOutput: 1\n\nInput: Fact: b\nQuestion: two?\nOutput: 2"

    text = f"{prompt}\n\nMessage: Fact: c\nQuestion: three?"
    assert bare_input(parse(prompt), prompt, user(text)) == "Fact: c\nQuestion: three?"


def test_a_lost_prompt_file_leaves_the_spec() -> None:
    spec = parse(PROMPTS["dates"])

    assert bare_input(spec, "", user(f"{spec.instruction}\n\nInput: 3 May 2020\nOutput:")) == "3 May 2020"


def test_a_request_without_an_input_is_refused() -> None:
    spec = parse(PROMPTS["dates"])

    with pytest.raises(UserError, match="no message from the user"):
        bare_input(spec, PROMPTS["dates"], [Message("system", PROMPTS["dates"])])
    with pytest.raises(UserError, match="no input"):
        bare_input(spec, PROMPTS["dates"], user(PROMPTS["dates"]))


@given(st.text(alphabet="abc xyz,.é", min_size=1).filter(str.strip))
def test_any_plain_input_comes_back_from_behind_the_prompt(given: str) -> None:
    spec = parse(PROMPTS["dates"])

    assert bare_input(spec, PROMPTS["dates"], user(f"{PROMPTS['dates']}\n\nInput: {given}\nOutput:")) == given.strip()
    assert bare_input(spec, PROMPTS["dates"], user(given)) == given.strip()


@pytest.mark.long
def test_real_prompts_come_off_real_inputs() -> None:
    path = DATA / "ni_tasks"
    if not path.exists():
        pytest.skip("the shared data set ni_tasks is not here")
    inputs: dict[str, list[str]] = {}
    for line in (path / "dev.jsonl").read_text(encoding="utf-8").strip().split("\n"):
        row = json.loads(line)
        inputs.setdefault(row["task"], []).append(row["input"].strip())
    tried = right = 0
    for line in (path / "styled_prompts.jsonl").read_text(encoding="utf-8").strip().split("\n"):
        row = json.loads(line)
        spec = parse(row["prompt"])
        for text in inputs[row["id"]][:2]:
            found = [bare_input(spec, row["prompt"], sent) for sent in requests(spec, row["prompt"], text).values()]
            tried += len(found)
            right += sum(bare == text for bare in found)

    assert right >= 0.99 * tried


@pytest.mark.parametrize(
    ("prompt", "leads"),
    [
        (
            "Klassifiziere die Nachricht als Lob oder Tadel.",
            (
                "Bitte klassifiziere: {}",
                "Klassifiziere die folgende Nachricht: {}",
                "Hier ist die Nachricht:\n{}",
                "Jetzt du: {}",
            ),
        ),
        (
            "Classe le message : éloge ou critique.",
            ("Classe le message suivant : {}", "Voici le message :\n{}", "À toi : {}"),
        ),
        (
            "Clasifica el mensaje como elogio o queja.",
            ("Por favor, clasifica: {}", "Clasifica el siguiente mensaje: {}"),
        ),
        ("Классифицируй сообщение.", ("Классифицируй следующее сообщение: {}", "Пожалуйста, классифицируй: {}")),
        ("把消息分类为表扬或投诉。", ("请分类：{}", "请对以下消息进行分类：\n{}", "下面是消息：{}", "轮到你：{}")),
        (
            "メッセージを称賛か苦情に分類してください。",
            ("次のメッセージを分類してください：{}", "以下を分類してください：\n{}"),
        ),
        ("메시지를 칭찬 또는 불만으로 분류하세요.", ("다음 메시지를 분류하세요: {}",)),
        ("صنف الرسالة: مدح أو شكوى.", ("صنف الرسالة التالية: {}",)),
        ("Luokittele viesti kehuksi tai valitukseksi.", ("Luokittele seuraava viesti: {}", "Ole hyvä, luokittele: {}")),
    ],
    ids=["de", "fr", "es", "ru", "zh", "ja", "ko", "ar", "fi"],
)
def test_a_sentence_that_hands_it_over_is_taken_off_in_other_languages_too(prompt: str, leads: tuple[str, ...]) -> None:
    spec = parse(prompt)

    for lead in leads:
        assert bare_input(spec, prompt, [Message("system", prompt), *user(lead.format("xyz 12"))]) == "xyz 12", lead


@pytest.mark.parametrize(
    "given",
    [
        "Bitte: um drei",
        "Die folgende Regel: nie lügen",
        "Termin: 5. Mai",
        "请注意：下雨",
        "12:30 Uhr",
        "Hinweis: bitte lesen",
    ],
)
def test_what_only_sounds_like_handing_over_stays(given: str) -> None:
    prompt = "Klassifiziere die Nachricht als Lob oder Tadel. 把消息分类。"

    assert bare_input(parse(prompt), prompt, [Message("system", prompt), *user(given)]) == given


def test_a_template_that_was_filled_gives_the_bare_input() -> None:
    prompt = PROMPTS["a place"]

    for text in ("xyz", "several\nlines"):
        assert bare_input(parse(prompt), prompt, user(prompt.replace("{{text}}", text))) == text
