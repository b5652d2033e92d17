"""Languages: inputs are asked for in the task's own; the instruction may be translated, and nothing else is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from agents.config import Configuration
from agents.making.generate import Assignment, build_request
from agents.making.translate import kept_words, translate_instruction, translated
from agents.parsing.parse import parse
from agents.parsing.specs import read_spec, spec_of, table_of, write_spec
from agents.records import Pair, Spec
from agents.voting.annotate import Voting, vote_requests
from engine.errors import BudgetReached, ProviderUnavailable, SmeltError, UserError
from engine.events import Event, Events, Noted
from engine.fakes import virtual_time
from engine.messages import FinishReason, Reply, Request, Usage

GERMAN = Spec(
    instruction='Ordne die Nachricht ein. Antworte mit "Rechnung", "Lieferung" oder "nichts davon".',
    kind="classification",
    labels=("Rechnung", "Lieferung", "nichts davon"),
    demonstrations=(Pair("Wo bleibt mein Paket, das ich vor einer Woche bestellt habe?", "Lieferung"),),
    form="label",
    language="de",
)
ENGLISH = 'Sort the message. Answer with "Rechnung", "Lieferung" or "nichts davon".'


class Says:
    """A teacher that says one thing, or fails in one way, and remembers what it was asked."""

    def __init__(self, answer: str | SmeltError, finish_reason: FinishReason = "stop") -> None:
        self.answer, self.finish_reason = answer, finish_reason
        self.asked: list[Request] = []

    async def ask(self, request: Request) -> Reply:
        self.asked.append(request)
        if isinstance(self.answer, SmeltError):
            raise self.answer
        return Reply(texts=(self.answer,), finish_reasons=(self.finish_reason,), usage=Usage(1, 1), model="m")


def said(request: Request) -> str:
    return "\n\n".join(message.content for message in request.messages)


# -- the language of inputs


@pytest.mark.parametrize(
    ("prompt", "language"),
    [
        pytest.param(
            "Ordne die Nachricht ein.\n\nEingabe: Wo bleibt das Paket?\nAusgabe: Lieferung\n\n"
            "Eingabe: Die Rechnung ist nicht richtig.\nAusgabe: Rechnung\n",
            "German",
            id="German",
        ),
        pytest.param(
            "次の文章から日付を抜き出してください。日付がない場合は「なし」と答えてください。",
            "Japanese",
            id="Japanese",
        ),
        pytest.param("استخرج التاريخ من النص التالي. إذا لم يكن هناك تاريخ فأجب بكلمة لا يوجد.", "Arabic", id="Arabic"),
    ],
)
def test_inputs_are_asked_for_in_the_language_of_the_prompt(prompt: str, language: str) -> None:
    request = build_request(parse(prompt), Assignment(number=0, count=4))

    assert f"Write them in {language}, unless the inputs above are in another language." in said(request)
    assert "ranslat" not in said(request)


def test_where_an_english_instruction_leaves_no_doubt_nothing_is_said_of_languages() -> None:
    spec = parse("Find the date in the message that you are given.")

    assert "language" not in said(build_request(spec, Assignment(number=0, count=4)))


def test_a_german_instruction_about_english_inputs_says_which_are_wanted() -> None:
    assert "Write them in English" in said(build_request(replace(GERMAN, language="en"), Assignment(number=0, count=4)))


def test_a_language_that_is_not_known_is_asked_for_by_its_code() -> None:
    request = build_request(replace(GERMAN, language="sw"), Assignment(number=0, count=4))

    assert "Write them in the language with the code 'sw'" in said(request)


# -- translating the instruction


def test_requests_have_the_translation_and_the_spec_keeps_both() -> None:
    spec, problem = virtual_time.run(translate_instruction(Says(ENGLISH), GERMAN, "en"))

    assert (problem, spec.instruction, spec.translation) == ("", GERMAN.instruction, ENGLISH)
    assert replace(spec, translation=None) == GERMAN
    writing, labelling = build_request(spec, Assignment(number=0, count=4)), vote_requests(spec, "x", Voting())[0]
    for request in (writing, labelling):
        assert ENGLISH in said(request)
        assert GERMAN.instruction not in said(request)
    assert "Write them in German" in said(writing)
    assert GERMAN.demonstrations[0].input in said(labelling)


def test_free_answers_stay_in_their_language() -> None:
    spec = Spec(instruction="Fasse den Text zusammen.", language="de", translation="Summarise the text.")

    assert said(vote_requests(spec, "x", Voting())[0]).startswith("Summarise the text.\n\nAnswer with the output alone")
    assert "\nWrite the output in German." in said(vote_requests(spec, "x", Voting())[0])
    assert "Write the output in" not in said(vote_requests(replace(spec, translation=None), "x", Voting())[0])
    assert "Write the output in English." in said(vote_requests(replace(spec, output_language="en"), "x", Voting())[0])


def test_labels_keys_fields_and_places_must_be_copied() -> None:
    spec = Spec(
        instruction='Nenne als JSON {"Ort": ..., "Tag": ...} aus {{text}}; ohne Angabe: "k. A.". Notiere nichts sonst.',
        empty_answer="k. A.",
        output_schema={"properties": {"Ort": {}, "Tag": {}, "Name": {}}},
        fields=("Frage",),
    )

    assert kept_words(spec) == ("k. A.", "Ort", "Tag", "{{text}}")
    teacher = Says("no")
    virtual_time.run(translate_instruction(teacher, spec, "en"))
    assert '\n"k. A."\n"Ort"\n"Tag"\n"{{text}}"\n' in said(teacher.asked[0])


@pytest.mark.parametrize(
    ("answer", "reason", "why"),
    [
        pytest.param(ENGLISH.replace("Rechnung", "invoice"), "stop", "has lost 'Rechnung'", id="a label translated"),
        pytest.param(ENGLISH.replace("Lieferung", "Lieferungen"), "stop", "has lost 'Lieferung'", id="a label bent"),
        pytest.param("", "stop", "gave none", id="nothing"),
        pytest.param(GERMAN.instruction, "stop", "gave none", id="the same again"),
        pytest.param("I'm sorry, but I can't help with that.", "stop", "declined", id="a polite no"),
        pytest.param(ENGLISH, "refusal", "declined", id="a no"),
        pytest.param(ENGLISH, "length", "was cut", id="cut"),
        pytest.param(ENGLISH * 20, "stop", "by its length", id="endless"),
        pytest.param("Lieferung", "stop", "by its length", id="an answer in place of a translation"),
        pytest.param(ProviderUnavailable("gone"), "stop", "gone", id="failed"),
    ],
)
def test_what_is_no_translation_leaves_the_instruction_as_it_is(
    answer: str | SmeltError, reason: FinishReason, why: str, tmp_path: Path
) -> None:
    heard: list[Event] = []
    events = Events()
    events.subscribe(heard.append)

    spec = virtual_time.run(translated(Says(answer, reason), GERMAN, "en", tmp_path / "spec.json", events=events))

    assert spec == GERMAN
    assert not (tmp_path / "spec.json").exists()
    (note,) = heard
    assert isinstance(note, Noted)
    assert why in note.text


def test_what_ends_more_than_a_request_ends_the_run(tmp_path: Path) -> None:
    teacher = Says(BudgetReached("over"))

    with pytest.raises(BudgetReached):
        virtual_time.run(translated(teacher, GERMAN, "en", tmp_path / "spec.json", events=Events()))


def translate(spec: Spec, language: str | None, path: Path, teacher: Says) -> Spec:
    return virtual_time.run(translated(teacher, spec, language, path, events=Events()))


def test_a_translation_is_asked_for_once_and_may_be_edited(tmp_path: Path) -> None:
    path, teacher = tmp_path / "spec.json", Says(ENGLISH)
    spec = translate(GERMAN, "en", path, teacher)
    edited = replace(spec, translation=ENGLISH + " Nothing else.")
    write_spec(path, edited)

    assert translate(read_spec(path), "en", path, teacher) == edited
    assert len(teacher.asked) == 1
    assert spec_of(json.loads(json.dumps(table_of(edited)))) == edited


@pytest.mark.parametrize(
    ("spec", "language"),
    [
        pytest.param(lambda: GERMAN, None, id="not wanted"),
        pytest.param(lambda: GERMAN, "de", id="in that language"),
        pytest.param(lambda: replace(GERMAN, translation="Sort."), "en", id="done"),
    ],
)
def test_nobody_is_asked_for_nothing(spec: Callable[[], Spec], language: str | None, tmp_path: Path) -> None:
    teacher = Says(ENGLISH)

    assert translate(spec(), language, tmp_path / "spec.json", teacher) == spec()
    assert not teacher.asked


def test_a_language_that_nobody_knows_is_refused_at_once() -> None:
    with pytest.raises(UserError, match="instruction"):
        Configuration(instruction_language="english")
