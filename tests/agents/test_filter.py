"""Which rows may stay: a named reason each, in a fixed order."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.filtering.filter import (
    Candidate,
    Seen,
    judge_input,
    judge_label,
    judge_reply,
    judge_row,
    make_known,
    same_text,
)
from agents.records import Pair, Spec

QA = ("Question", "Context")
DATES = Spec(
    instruction="Find the date.",
    demonstrations=(Pair("5 March 2021", "2021-03-05"), Pair("nothing here", "N/A")),
    output_pattern=r"\d{4}-\d{2}-\d{2}",
    empty_answer="N/A",
)
LABELS = Spec(instruction="Route it.", kind="classification", labels=("card", "cash"))


def reason(text: str, output: str | None = "2021-03-06", *, agreement: float = 1.0, spec: Spec = DATES) -> str | None:
    known = make_known(spec, withheld=["a test row"])
    known.seen.add("accepted before")
    finding = judge_row(Candidate(input=text, output=output, agreement=agreement), known)
    return finding and finding.reason


@pytest.mark.parametrize(
    ("text", "output", "expected"),
    [
        ("6 March 2021", "2021-03-06", None),
        ("no date in here", "N/A", None),
        ("", "N/A", "empty"),
        (" \n", "N/A", "empty"),
        ("6 March 2021", " ", "empty"),
        ("half a \ud800 character", "N/A", "unreadable"),
        ("a \x00 byte", "N/A", "unreadable"),
        ("As an AI language model, I cannot write dates.", "N/A", "refusal"),
        ("6 March 2021", "I'm sorry, but I can't help with that.", "refusal"),
        ("6 March 2021", "I cannot provide the date.", "refusal"),
        ("due on [insert date here]", "N/A", "placeholder"),
        ("due on {date}", "N/A", "placeholder"),
        ("Dear <First Name>, see you", "N/A", "placeholder"),
        ("born on ______", "N/A", "placeholder"),
        ("lorem ipsum dolor", "N/A", "placeholder"),
        ("seen by [Company Name] in <year>", "N/A", "placeholder"),
        ("[context passage]", "N/A", "placeholder"),
        ("Here are 3 new examples: one", "N/A", "boilerplate"),
        ("Sure! Here is one", "N/A", "boilerplate"),
        ("[N/A]", "N/A", "empty"),
        ("x" * 1001, "N/A", "length"),
        ("6 March 2021", "9" * 1001, "length"),
        ("5 March 2021.", "2021-03-05", "leak"),
        ("A  TEST row", "N/A", "leak"),
        ("“Accepted before.”", "N/A", "duplicate"),
        ("6 March 2021", "March 6", "format"),
    ],
)
def test_each_vice_has_its_reason(text: str, output: str, expected: str | None) -> None:
    assert reason(text, output) == expected


@pytest.mark.parametrize(
    "text",
    [
        "I can't log in to my account, sorry",
        "I'm sorry, I can't come on 6 March 2021",
        "I cannot wait for 6 March 2021!",
        "[Posted: 2020-09-12] The stadium opens in two years.",
        "see [1] and <b>6 March</b>",
        "name[The Twenty Two], food[English]",
        "the rise in [the price of oil] on 6 March",
        "max(d, key=lambda x: (d[x], x))",
        "a_b__c",
        "x" * 1000,
    ],
)
def test_good_inputs_that_look_suspicious_stay(text: str) -> None:
    assert reason(text) is None


def test_dates_that_differ_in_a_digit_are_no_duplicates() -> None:
    known = make_known(replace(DATES, demonstrations=()))
    known.seen.add("5 March 2021")

    assert judge_input("6 March 2021", known) is None
    assert judge_input("5 march  2021", known) == ("duplicate", "accepted before")


def test_a_label_outside_of_the_set_is_left_out_whatever_the_vote() -> None:
    assert reason("pay it", "card", spec=LABELS) is None
    assert reason("pay it", "cheque", spec=LABELS) == "label"


@pytest.mark.parametrize(("agreement", "expected"), [(0.5, "agreement"), (0.51, None), (1.0, None)])
def test_the_winner_needs_more_than_the_least_share(agreement: float, expected: str | None) -> None:
    assert reason("6 March 2021", agreement=agreement) == expected


def test_checks_that_the_users_own_rows_would_fail_are_not_made() -> None:
    templates = Spec(instruction="Fill.", demonstrations=(Pair("Dear [your name]", "Dear Ann"),))

    assert reason("Hello [your name]", "Hello Bob", spec=templates) is None
    assert reason("Hello ______", "Hello Bob", spec=templates) == "placeholder"


def test_an_empty_label_stays_where_it_is_the_empty_answer() -> None:
    assert reason("nothing to find", "", spec=replace(DATES, empty_answer="")) is None


def test_the_first_check_decides() -> None:
    """Everything is wrong with this row; the reason is the first of the fixed order."""
    assert reason("lorem ipsum " * 200, "As an AI", agreement=0.1) == "refusal"
    assert reason("lorem ipsum " * 200, "March", agreement=0.1) == "placeholder"
    assert reason("accepted before", "March", agreement=0.1) == "duplicate"
    assert reason("6 March 2021", "March", agreement=0.1) == "format"


def test_an_input_is_judged_by_what_was_known_at_a_fixed_point() -> None:
    known = make_known(DATES)
    known.seen.add("first")
    then = known.at(len(known.seen))
    known.seen.add("second")

    assert judge_input("first", then) is not None
    assert judge_input("second", then) is None
    assert judge_input("second", known) is not None


@given(st.text())
def test_a_text_equals_itself_in_other_case_and_spacing(text: str) -> None:
    assert same_text(f"  {text} ") == same_text(text)
    assert same_text(same_text(text)) == same_text(text)


@given(st.lists(st.text(min_size=1)))
def test_what_was_added_is_held_and_counted_once(texts: list[str]) -> None:
    seen = Seen()
    for text in [*texts, *texts]:
        seen.add(text)

    assert all(seen.holds(text) for text in texts)
    assert len(seen) == len({same_text(text) for text in texts})


@given(text=st.text(), output=st.none() | st.text())
def test_judging_never_raises(text: str, output: str | None) -> None:
    reason(text, output)


def test_answers_must_stand_in_their_context_where_they_are_taken_from_it() -> None:
    known = replace(make_known(Spec(instruction="Find.", empty_answer="N/A")), extractive=True, fields=QA)
    question = "Question: who was Rome? Context: Ann was here."

    assert judge_row(Candidate(input=question, output="Ann"), known) is None
    assert judge_row(Candidate(input=question, output="N/A"), known) is None
    assert judge_row(Candidate(input=question, output="Rome"), known) == ("context", "not in the context")
    assert judge_row(Candidate(input=question, output="Bob", context="Bob"), known) is None


def test_inputs_must_have_the_parts_that_all_have_and_be_in_one_language() -> None:
    known = replace(make_known(Spec(instruction="Find.")), fields=QA, language="en")
    foreign = "Question: wer? Context: " + "Das ist nicht der Text, den wir für die Aufgabe mit dem Hund haben. " * 4

    assert judge_input("Question: who? Context: Ann.", known) is None
    assert judge_input("Question: who?", known) == ("fields", "not of the form Question: … Context: …")
    assert judge_input(foreign, known) == ("language", "in de, the task is in en")
    assert judge_input("Question: кто это был там? Context: " + "Это был не тот человек. " * 3, known) is not None


SHOWN = (
    Pair("Question: Who built the bridge? Context: Ann Lee built the bridge.", "Ann Lee"),
    Pair("Question: When was the mill opened? Context: The mill was opened in 1811.", "1811"),
)
ASKED = Spec(instruction="Answer with words of the context.", demonstrations=SHOWN, fields=QA, extractive=True)
GERMAN = "Das ist nicht der Text, den wir für die Aufgabe mit dem Hund haben. "


def test_what_the_prompt_shows_of_inputs_and_answers_holds_for_all_rows() -> None:
    known = make_known(ASKED)
    asked = "Question: Who sold the mill? Context: The mill was sold by Bo Ek."

    assert judge_row(Candidate(input=asked, output="Bo Ek"), known) is None
    assert judge_row(Candidate(input=asked, output="Otto"), known) == ("context", "not in the context")
    assert judge_row(Candidate(input=asked, output="Who"), known) == ("context", "not in the context")
    assert judge_input("Who sold the mill? It was sold by Bo Ek.", known) is not None
    assert judge_input(GERMAN * 4, replace(known, fields=())) is not None


def test_nothing_is_held_to_what_the_prompts_own_demonstrations_break() -> None:
    """A user who edits the spec, or a parser that errs, must not end in a run without rows."""
    loose = replace(ASKED, demonstrations=(*SHOWN, Pair("Who was it? It was Bo.", "somebody")))
    several = replace(
        ASKED, demonstrations=(Pair(GERMAN, "de"), Pair("Il a dit que vous ne pas les avoir.", "fr"), *SHOWN)
    )

    assert judge_row(Candidate(input="no parts", output="not from here"), make_known(loose)) is None
    assert make_known(loose).fields == ()
    assert make_known(loose).extractive is False
    assert make_known(several).language is None


@pytest.mark.parametrize(
    ("instruction", "language"),
    [("Classify the review.", "en"), ("Say which language it is.", None), ("Translate to French.", None)],
)
def test_without_demonstrations_any_language_may_come_where_the_task_is_about_languages(
    instruction: str, language: str | None
) -> None:
    assert make_known(Spec(instruction=instruction)).language == language


def test_short_inputs_in_another_language_are_found_by_the_whole_reply() -> None:
    known = make_known(Spec(instruction="Classify the review."))
    short = ["Das ist nicht gut für mich.", "Der Hund ist auf dem Sofa.", "Wir haben die Schuhe nicht.", GERMAN] * 2

    assert all(judge_input(text, known) is None for text in short)
    assert judge_reply(short, known) == ("language", "with those of the same reply in de, the task is in en")
    assert judge_reply(["The shoes are not for me.", "We have them.", *["It is what they said."] * 8], known) is None
    assert judge_reply(short, replace(known, filtered=False)) is None
    assert judge_reply([], known) is None


def test_free_answers_are_held_to_the_language_of_those_shown() -> None:
    shown = (Pair("the long story of a dog that was lost", "It was lost, and then they found it with the help of us."),)
    known = make_known(Spec(instruction="Sum it up.", demonstrations=shown))

    assert judge_row(Candidate(input="a story of two cats", output=GERMAN * 4), known) is not None
    assert judge_row(Candidate(input="a story of two cats", output="They were the cats of ours. " * 9), known) is None


@pytest.mark.parametrize(("spoken", "language"), [("no", "da"), ("ru", "uk"), ("zh", "ja")])
def test_languages_that_are_taken_for_each_other_are_not_told_apart(spoken: str, language: str) -> None:
    texts = {"no": "og i det er en av til på som med for den ikke " * 6, "ru": "Это был не тот человек. " * 6}
    text = texts.get(spoken, "東京都知事選挙投票率過去最低更新発表会見場所変更通知文書配布")

    assert judge_input(text, replace(make_known(Spec(instruction="Find.")), language=language)) is None


def test_a_question_is_asked_once_where_each_demonstration_asks_another() -> None:
    asked = (*SHOWN, *(Pair(f"Question: Who is {one}? Context: {one} is Bo.", "Bo") for one in ("Al", "Cy")))
    again = "Question: Who is Ed?  Context: Others say that Ed is Bo."
    known, loose = (make_known(replace(ASKED, demonstrations=pairs)) for pairs in (asked, (*asked, asked[0])))
    unfiltered = make_known(replace(ASKED, demonstrations=asked), filtered=False)
    for each in (known, loose, unfiltered):
        each.add("Question: who is Ed? Context: Ed is Bo.")

    assert judge_input(again, known) == ("duplicate", "asked before")
    assert judge_input(again, known.at(0)) is None
    assert judge_input(again, unfiltered) is None
    assert judge_input(again, loose) is None, "a question that is asked of several texts is an instruction"
    assert judge_input("Question: Who is Flo? Context: Ed is Bo. Flo is Cy.", known) is None


def test_the_label_of_somebodys_own_input_is_judged_and_the_input_is_not() -> None:
    known = make_known(ASKED)
    own = "[insert name here] asks who built the bridge: Ann Lee"

    assert judge_label(Candidate(input=own, output="Ann Lee", agreement=1.0), known) is None
    assert judge_label(Candidate(input=own, output="Bo Ek", agreement=1.0), known) == ("context", "not in the context")
    assert judge_label(Candidate(input=own, output="Ann Lee", agreement=0.4), known) is not None
    assert judge_label(Candidate(input=own, output="[insert name here]", agreement=1.0), known) is not None
