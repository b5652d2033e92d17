"""What is derived of a prompt's inputs and answers: form, pattern, schema, fields, languages, doubts."""

from __future__ import annotations

import json
import re

import pytest

from agents.parsing.json_shape import fits
from agents.parsing.parse import parse
from agents.records import Pair, Spec


def shown(instruction: str, *pairs: tuple[str, str]) -> Spec:
    """What becomes of a prompt with these demonstrations."""
    return parse("\n\n".join([instruction, *(f"Input: {given}\nOutput: {output}" for given, output in pairs)]))


def answered(instruction: str, *outputs: str) -> Spec:
    return shown(instruction, *((f"text {number}", output) for number, output in enumerate(outputs)))


@pytest.mark.parametrize(
    ("spec", "form"),
    [
        pytest.param(answered("Yes or no?", "yes", "no"), "label", id="label"),
        pytest.param(answered("Count the words.", "3", "17"), "number", id="number"),
        pytest.param(answered("Compute the mean.", "3.50", "1,200.25", "N/A"), "number", id="number, or nothing"),
        pytest.param(answered("Name the year.", "1999", "2004"), "text", id="what no word calls a number"),
        pytest.param(answered("Write the date.", "2020-01-02", "2021-03-04"), "date", id="date"),
        pytest.param(answered("Say it in SQL.", "SELECT a FROM b", "SELECT c FROM d WHERE e = 1"), "code", id="code"),
        pytest.param(answered("Add types.", "```py\nx = 1\n```", "```py\ny = 2\n```"), "code", id="fences"),
        pytest.param(answered("Sum up.", "It is so.", "It is (not) so."), "text", id="text"),
        pytest.param(parse("Write a Python function that does what the text says."), "code", id="code, told"),
        pytest.param(parse("How old is the person? Answer with a number."), "number", id="number, told"),
        pytest.param(parse("Answer with JSON."), "json", id="JSON, told"),
        pytest.param(parse("Give the country's calling code."), "text", id="a code that is none"),
        pytest.param(parse("The input is JSON. Say what it means."), "text", id="JSON goes in"),
    ],
)
def test_the_form_of_the_answers_is_known_when_shown_or_told(spec: Spec, form: str) -> None:
    assert spec.form == form


@pytest.mark.parametrize("number", ["7", "-3", "+93", "1,200.5", "1 000", "3/25", ".5", "12%"])
def test_a_pattern_for_numbers_shuts_out_no_number(number: str) -> None:
    pattern = answered("Count them.", "3", "4").output_pattern

    assert pattern is not None
    assert re.fullmatch(pattern, number)
    assert not re.fullmatch(pattern, "three")


DATED = ("last year == 1997", "May 1 == 2009-05-01 | June == 2009-06", "N/A", "today == 2013-10-25")


@pytest.mark.parametrize(
    ("answer", "fits"),
    [
        pytest.param("the day after, at 5:30 == 2013-10-26", True, id="one"),
        pytest.param("a == 2013|b == 2014-01 | c == 2015", True, id="three, closer together"),
        pytest.param("N/A", True, id="nothing to find"),
        pytest.param("a == N/A", False, id="no date"),
        pytest.param("a == 2013 to 2014", False, id="a range"),
        pytest.param("a==2013", False, id="another joint"),
        pytest.param(" == 2013", False, id="nothing that has the date"),
        pytest.param("a == 2013 | ", False, id="cut off"),
    ],
)
def test_things_with_their_dates_are_a_pattern(answer: str, fits: bool) -> None:
    pattern = answered("Find the dates.", *DATED).output_pattern

    assert pattern is not None
    assert bool(re.fullmatch(pattern, answer)) is fits


def test_where_no_demonstration_has_several_any_mark_may_stand_between() -> None:
    pattern = answered("Find the dates.", "x -> 1997", "y -> 2009-05-01", "z -> 2009-06").output_pattern

    assert pattern is not None
    assert all(re.fullmatch(pattern, f"a -> 2001{mark}b -> 2002-03") for mark in (" | ", "; ", "\n"))
    assert answered("Find the dates.", "x -> 1997", "y -> 2009-05-01").output_pattern is None, "two are too few"


def test_several_labels_at_once_are_a_pattern_of_the_listed_ones() -> None:
    spec = answered("Name all topics that apply: one or more of: art, war, sport.", "art, war", "sport", "war")

    assert (spec.kind, spec.form, spec.labels) == ("text", "labels", ())
    assert spec.output_pattern is not None
    assert all(re.fullmatch(spec.output_pattern, answer) for answer in ("art", "sport, art", "war, sport, art"))
    assert not any(re.fullmatch(spec.output_pattern, answer) for answer in ("music", "art,war", "art, ", ""))


def test_several_labels_that_only_the_words_ask_for_may_be_joined_anyhow() -> None:
    spec = parse("Choose one or more of the following labels: art, war, sport.")

    assert spec.form == "labels"
    assert re.fullmatch(spec.output_pattern or "", "art; sport")


def test_a_schema_holds_what_every_answer_has_and_forbids_no_more() -> None:
    rows: tuple[dict[str, object], ...] = (
        {"name": "Bo", "age": 4, "tags": ["a"]},
        {"name": "Al", "age": None, "tags": [], "nick": "A"},
    )
    spec = answered("Say it in JSON.", *map(json.dumps, rows))

    assert spec.output_schema == {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "age": {"type": ["integer", "null"]},
            "tags": {"type": "array", "items": {"type": "string"}},
            "nick": {"type": "string"},
        },
        "required": ["name", "age", "tags"],
    }
    assert fits('{"name": "x", "age": 1, "tags": [], "more": 1}', spec.output_schema)
    assert not fits('{"name": "x"}', spec.output_schema)


@pytest.mark.parametrize(
    ("instruction", "properties"),
    [
        pytest.param(
            'Answer with JSON: {"name": "...", "age": <int>, "tags": [...], "sure": true}',
            {"name": {}, "age": {"type": "integer"}, "tags": {"type": "array"}, "sure": {"type": "boolean"}},
            id="an object to fill in",
        ),
        pytest.param("Return JSON with the keys name, age and city.", {"name": {}, "age": {}, "city": {}}, id="keys"),
        pytest.param("Use the fields a and b, answer in JSON.", {"a": {}, "b": {}}, id="an order behind the keys"),
        pytest.param("Keys: name, age and city in lower case, as JSON.", {"name": {}, "age": {}, "city": {}}, id="how"),
        pytest.param("Keys a, b and return only JSON.", {"a": {}, "b": {}}, id="an order joined to the keys"),
        pytest.param(
            'Output as JSON: {"who": {"first": "string"}, "when": "string"}',
            {"who": {"type": "object"}, "when": {"type": "string"}},
            id="one inside another",
        ),
    ],
)
def test_a_schema_is_read_from_the_words(instruction: str, properties: dict[str, object]) -> None:
    schema = parse(instruction).output_schema

    assert schema == {"type": "object", "properties": properties, "required": list(properties)}


@pytest.mark.parametrize(
    "told", ["Use the fields a, b, answer in JSON.", "Use the keys a, the best one and c in JSON."]
)
def test_no_schema_is_read_where_keys_cannot_be_told_from_the_words_around_them(told: str) -> None:
    assert parse(told).output_schema is None


@pytest.mark.parametrize(
    ("spec", "fields"),
    [
        pytest.param(
            shown("Does it follow?", ("Premise: a b. Hypothesis: c d.", "x"), ("Premise: e.\nHypothesis: f.", "y")),
            ("Premise", "Hypothesis"),
            id="in a line or in several",
        ),
        pytest.param(
            shown("Compare.", ("Sentence 1: a\nSentence 2: b", "x"), ("Sentence 1: c\nSentence 2: d", "y")),
            ("Sentence 1", "Sentence 2"),
            id="numbered",
        ),
        pytest.param(shown("Say it.", ('{"a": 1, "b": 2}', "x"), ('{"a": 3, "b": 4}', "y")), ("a", "b"), id="keys"),
        pytest.param(shown("Say it.", ("just a text", "x"), ("and another: one", "y")), (), id="none"),
        pytest.param(shown("Say when.", ("[Posted: 2013] a", "x"), ("[Posted: 2014] b", "y")), (), id="a mark in it"),
        pytest.param(parse("Does {{premise}} imply {{hypothesis}}?"), ("premise", "hypothesis"), id="template"),
        pytest.param(
            parse("Answer it.\n\nContext: {context}\nQuestion: {question}\nAnswer:"),
            ("Context", "Question"),
            id="place",
        ),
        pytest.param(parse("Write an announcement for [product name]."), ("product name",), id="brackets"),
    ],
)
def test_the_fields_of_an_input_are_named(spec: Spec, fields: tuple[str, ...]) -> None:
    assert spec.fields == fields


def test_a_row_of_several_fields_stays_whole_with_their_names() -> None:
    rows = [{"premise": "a", "hypothesis": "b", "label": "yes"}, {"premise": "c", "hypothesis": "d", "label": "no"}]
    lines = "\n".join(json.dumps(row) for row in rows)
    table = "| premise | hypothesis | label |\n|-|-|-|\n| a | b | yes |\n| c | d | no |"

    tags = "\n".join("".join(f"<{name}>{value}</{name}>" for name, value in row.items()) for row in rows)

    for body in (lines, table, tags, "premise,hypothesis,label\na,b,yes\nc,d,no"):
        assert parse(f"Does it follow?\n\n{body}").demonstrations == (
            Pair("premise: a\nhypothesis: b", "yes"),
            Pair("premise: c\nhypothesis: d", "no"),
        )


@pytest.mark.parametrize(
    ("prompt", "instruction"),
    [
        ("Is it spam?\n\nText: {{text}}\nLabel:", "Is it spam?"),
        ("Is it spam?\n\nText: You won a prize!\nLabel:", "Is it spam?"),
        ("Summarise this in a line.\n\n{{text}}", "Summarise this in a line."),
        ("Summarise this in a line.\n\n<text>\n{text}\n</text>", "Summarise this in a line."),
        ("翻译成英文。\n\n输入：", "翻译成英文。"),
        (
            "Classify it.\n\nText: {{text}}\nOptions: {{choices}}",
            "Classify it.\n\nText: {{text}}\nOptions: {{choices}}",
        ),
        ("Summarise {{text}}", "Summarise {{text}}"),
    ],
    ids=["place", "input at hand", "bare place", "place in tags", "chinese", "options stay", "inside stays"],
)
def test_the_place_for_an_input_is_no_part_of_the_instruction(prompt: str, instruction: str) -> None:
    assert parse(prompt).instruction == instruction


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        pytest.param(shown("Who is it?", ("Bo saw Al.", "Bo"), ("Then Al left.", "Al")), True, id="shown"),
        pytest.param(shown("Who?", ("Bo saw Al.", "Bo, Al"), ("Al left Cy.", "Al, Cy")), True, id="several parts"),
        pytest.param(shown("Who?", ("Bo saw Al.", "Bo"), ("Al left.", "N/A")), False, id="one may be chance"),
        pytest.param(shown("Extract who.", ("Bo saw Al.", "Bo"), ("Al left.", "N/A")), True, id="one, and told"),
        pytest.param(shown("Who?", ("Bob saw.", "Bo"), ("Then Ally.", "Al")), False, id="parts of words"),
        pytest.param(shown("谁？", ("北京的人口", "北京"), ("在上海的人", "上海")), True, id="no blanks"),
        pytest.param(shown("Yes or no?", ("yes it is", "yes"), ("no way", "no")), False, id="labels"),
        pytest.param(shown("Count.", ("3 men", "3"), ("4 men", "4")), False, id="numbers that are made"),
        pytest.param(parse("Extract the name of the drug."), True, id="told"),
        pytest.param(parse("Summarise the text."), False, id="neither"),
    ],
)
def test_answers_that_stand_in_their_inputs_make_it_extractive(spec: Spec, wanted: bool) -> None:
    assert spec.extractive is wanted


@pytest.mark.parametrize(
    ("spec", "languages"),
    [
        pytest.param(parse("Translate from German to French."), ("de", "fr"), id="named"),
        pytest.param(parse("Answer the Japanese question with code."), ("ja", None), id="inputs named"),
        pytest.param(
            shown("Translate it.", ("北京市的人口", "the population of it"), ("天气", "the weather")),
            ("zh", "en"),
            id="script",
        ),
        pytest.param(shown("Say it.", ("what is it", "a thing"), ("who is it", "the man")), ("en", None), id="same"),
    ],
)
def test_the_languages_of_inputs_and_answers_are_told_apart(spec: Spec, languages: tuple[str, str | None]) -> None:
    assert (spec.language, spec.output_language) == languages


@pytest.mark.parametrize(
    ("spec", "labels"),
    [
        (parse("Rate the review from 1 to 5."), "12345"),
        (answered("How good is it, 0-3?", "2", "0"), "0123"),
        (parse("Output 1 for spam, and 0 for the rest."), "10"),
        (parse("The answer is 'y' if it is so. Otherwise, the answer should be 'n'."), "yn"),
        (parse('Is it {{"a"}}, {{"b"}} or {{"c"}}?\n\n{{text}}'), "abc"),
    ],
)
def test_labels_are_read_from_scales_cases_and_templates(spec: Spec, labels: str) -> None:
    assert (spec.labels, spec.form) == (tuple(labels), "label")


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        pytest.param(
            shown("Say it.", ("a", "x"), ("b", "y"), ("a", "z")),
            "demonstrations 1 and 3 have the same input",
            id="each other",
        ),
        pytest.param(
            answered("Answer yes or no.", "yes", "no", "no", "maybe"), "demonstration 4 answers 'maybe'", id="the list"
        ),
        pytest.param(answered("Answer in JSON.", "so", "so it is"), "asks for JSON", id="JSON"),
        pytest.param(answered("Answer with one word.", "so", "so it is"), "asks for one word", id="one word"),
        pytest.param(answered("Write YYYY-MM-DD.", "2020-01-02", "May 3"), "asks for YYYY-MM-DD", id="a date"),
    ],
)
def test_what_contradicts_is_said_and_not_decided(spec: Spec, says: str) -> None:
    (doubt,) = [doubt for doubt in spec.doubts if doubt.about == "contradiction"]

    assert says in doubt.why
    assert spec.labels == ()
    assert spec.output_schema is None


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        (answered("Write the date as YYYY-MM-DD.", "05/03/2021", "07/01/2020"), "demonstrations 1, 2 answer"),
        (answered("Write the date as YYYY-MM-DD.", "2021-03-05", "2020-07-01", "1998"), "demonstration 3 answers"),
        (answered("Answer in JSON with the keys name and age.", '{"nom": "Bo"}', '{"nom": "Al"}'), "'age' and 'name'"),
        (answered('Answer in JSON: {"name": "..."}', '{"nom": "Bo"}', '{"nom": "Al"}'), "key 'name'"),
    ],
)
def test_answers_in_another_form_than_the_instruction_names_contradict_it(spec: Spec, says: str) -> None:
    (doubt,) = spec.doubts

    assert doubt.about == "contradiction"
    assert says in doubt.why


@pytest.mark.parametrize(
    "spec",
    [
        answered("Write the date as YYYY-MM-DD, or YYYY-MM where the day is missing.", "2021-03-05", "2020-07"),
        shown("Turn DD/MM/YYYY into plain ISO.", ("05/03/2021", "2021-03-05"), ("01/07/2020", "2020-07-01")),
        answered('Answer in JSON: {"name": "...", "age": 1}', '{"name": "Bo", "age": 4}', '{"name": "Al"}'),
        shown("Given the fields a and b, answer in JSON.", ("a: 1, b: 2", '{"sum": 3}'), ("a: 2, b: 2", '{"sum": 4}')),
    ],
)
def test_forms_of_something_else_and_parts_that_may_lack_contradict_nothing(spec: Spec) -> None:
    assert spec.doubts == ()


@pytest.mark.parametrize(
    ("text", "about"),
    [
        ("Classify the sentiment of the tweet.", "labels"),
        ("Detect if there is hate speech.", "labels"),
        ("Tag it.\n\nHere is an example:\nJohn sleeps.\nIt is: John (N) sleeps (V)\nThat is all.", "demonstrations"),
    ],
)
def test_what_is_left_open_is_said(text: str, about: str) -> None:
    assert [doubt.about for doubt in parse(text).doubts] == [about]


def test_a_prompt_without_a_doubt_has_none() -> None:
    assert answered("Answer yes or no.", "yes", "no").doubts == ()


@pytest.mark.parametrize(
    "body",
    [
        '{"country": "France", "capital": "Paris"}\n{"country": "Peru", "capital": "Lima"}',
        "<country>France</country><capital>Paris</capital>\n<country>Peru</country><capital>Lima</capital>",
        "| Country | Capital |\n| - | - |\n| France | Paris |\n| Peru | Lima |",
        "Examples:\nFrance: Paris\nPeru: Lima",
    ],
    ids=["json", "tags", "table", "announced"],
)
def test_examples_whose_names_say_nothing_are_read_and_doubted(body: str) -> None:
    spec = parse(f"Name the capital of the country.\n\n{body}")

    assert spec.demonstrations == (Pair("France", "Paris"), Pair("Peru", "Lima"))
    assert [doubt.about for doubt in spec.doubts] == ["demonstrations"]
