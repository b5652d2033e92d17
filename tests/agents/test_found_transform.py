"""Rows rewritten one by one: planned first, read however they were written, and what was paid for counts."""

from __future__ import annotations

import asyncio
import json

import pytest

from agents.finding.found.records import FoundRow, Sample
from agents.finding.found.transform import Rewriting, Task, plan_rewriting, read_row, rewrite
from agents.records import Draft, Pair, Provenance, Reject
from engine.errors import BudgetReached, ContentFiltered, ContextOverflow
from tests.agents.found import SPEC, Scripted

SAMPLE = Sample(rows=(FoundRow(1, {"id": "7", "mail": "Dear bank, I cannot find my card.", "day": "Monday"}),), met=1)
PLAN = Rewriting(("mail",), "1. Take the mail.")


def tasks(count: int) -> list[Task]:
    source = Provenance(request=-1, position=0, temperature=None, target=None, origin="transformed", dataset="mails")
    return [Task(FoundRow(number, {"mail": f"mail {number}", "id": "9"}), source) for number in range(count)]


def test_the_plan_is_made_of_the_columns_that_matter() -> None:
    said = iter(['["Mail", "nowhere"]', "Short requests.", " 1. Take the mail. "])
    teacher = Scripted(lambda _: next(said))

    assert asyncio.run(plan_rewriting(teacher, SPEC, SAMPLE)) == Rewriting(("mail",), "1. Take the mail.")
    assert '"day"' in teacher.asked[0].messages[0].content
    assert '"day"' not in teacher.asked[2].messages[0].content
    assert "Short requests." in teacher.asked[2].messages[0].content
    assert {request.tag for request in teacher.asked} == {"retrieve"}


@pytest.mark.parametrize("said", ["", "I'm sorry, but I can't help with that."], ids=["nothing", "refusal"])
def test_without_a_plan_nothing_is_rewritten(said: str) -> None:
    assert asyncio.run(plan_rewriting(Scripted(lambda _: said), SPEC, SAMPLE)) is None


@pytest.mark.parametrize(
    ("text", "read"),
    [
        pytest.param('{"input": " a ", "output": "b"}', Pair("a", "b"), id="plain"),
        pytest.param("Here it is:\n```json\n{'input': 'a', 'output': 'b',}\n```", Pair("a", "b"), id="fence, quotes"),
        pytest.param("null", "unsuited", id="cannot serve"),
        pytest.param('{"input": "a", "outp', "length", id="cut"),
        pytest.param('{"input": "a"}', "unreadable", id="half a row"),
        pytest.param("I'm sorry, but I cannot help with that.", "refusal", id="refusal"),
        pytest.param("", "unreadable", id="empty"),
    ],
)
def test_a_row_is_read_however_it_was_written(text: str, read: Pair | str) -> None:
    said = read_row(text, is_cut=read == "length")

    assert (said if isinstance(said, Pair) else said.reason) == read


def test_each_row_is_a_question_of_its_own_that_shows_its_columns_and_shares_its_beginning() -> None:
    teacher = Scripted(lambda text: json.dumps({"input": text[-60:], "output": "pay bill"}))

    asyncio.run(rewrite(teacher, SPEC, PLAN, tasks(3)))

    texts = [request.messages[0].content for request in teacher.asked]
    assert [f'{{"mail": "mail {number}"}}' in text for number, text in enumerate(texts)] == [True] * 3
    assert {request.tag for request in teacher.asked} == {"transform"}
    assert len({text[: request.stable] for text, request in zip(texts, teacher.asked, strict=True)}) == 1


def test_what_was_paid_for_comes_with_the_error_that_ended_it() -> None:
    def say(text: str) -> str | Exception:
        if '"mail 1"' in text:
            return ContentFiltered("no")
        if '"mail 2"' in text:
            return ContextOverflow("too long")
        return BudgetReached("spent") if '"mail 3"' in text else '{"input": "a", "output": "pay bill"}'

    ended, error = asyncio.run(rewrite(Scripted(say), SPEC, PLAN, tasks(5)))

    assert isinstance(error, BudgetReached)
    assert [each.reason if isinstance(each, Reject) else each.input for each in ended] == [
        "a",
        "refusal",
        "failed",
        "a",
    ]
    assert all(isinstance(each, Draft) and each.provenance.model == "m" for each in (ended[0], ended[3]))
