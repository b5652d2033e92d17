"""The cascade: sure answers are the student's, unsure ones a teacher's, and nobody gets an error for want of money."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from agents.served.cascade import Cascade
from agents.served.teacher import Teacher
from agents.students.sure import Sure, sure_from
from engine import Budget, Engine
from engine.desk import Desk
from engine.errors import UserError
from engine.evaluation import Calibration, Threshold, write_calibration
from engine.serving import FromStudent, application
from engine.training import Prediction
from tests.agents.test_served_teacher import SPEC, Town


class Guessing:
    """A student that says good, and how sure it is stands in the input: "0.4 it was fine"."""

    family = "guessing"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction("good", float(text.split()[0])) for text in inputs]

    def sample(
        self, inputs: Sequence[str], *, n: int, temperature: float, seed: int, top_p: float = 1.0
    ) -> list[list[Prediction]]:
        told = f"drawn at {temperature:g}, {top_p:g}, {seed:d}"
        return [[Prediction(f"{told}: {i}", 0.1) for i in range(n)] for _ in inputs]


def asked(*bodies: dict[str, object], town: Town | None = None, budget: float = 1.0, least: float = 0.8) -> list[Any]:
    """The replies of a cascade, and the text of its figures at last."""

    async def ask() -> list[Any]:
        teacher = Teacher(Engine(town or Town(lambda _: "bad", latency_s=0), budget=Budget(budget)), SPEC)
        cascade = Cascade(FromStudent(Desk(Guessing()), name="mine"), teacher, least=least)
        async with TestClient(TestServer(application(cascade))) as one:
            path = {True: "/v1/completions", False: "/v1/chat/completions"}
            replies = [await (await one.post(path["prompt" in body], json=body)).json() for body in bodies]
            return [*replies, await (await one.get("/metrics")).text()]

    return asyncio.run(ask())


def chat(text: str, **fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": text}], **fields}


def test_a_sure_answer_is_the_students_and_an_unsure_one_the_teachers() -> None:
    sure, unsure, _ = asked(chat("0.8 it"), chat("0.79 it"))

    assert (sure["model"], sure["choices"][0]["message"]["content"]) == ("mine", "good")
    assert sure["choices"][0]["smelt"] == {"by": "student"}
    assert (unsure["model"], unsure["choices"][0]["message"]["content"]) == ("town-1", "bad")
    assert unsure["choices"][0]["confidence"] is None
    assert unsure["choices"][0]["smelt"] == {"by": "teacher", "student": "good", "student_confidence": 0.79}


@pytest.mark.parametrize(
    ("town", "budget", "why"),
    [
        pytest.param(Town(latency_s=0), 1e-9, "budget", id="no-money"),
        pytest.param(Town(lambda _: 401, latency_s=0), 1.0, "unavailable", id="refused"),
        pytest.param(Town(lambda _: "who knows", latency_s=0), 1.0, "unclear", id="no-label"),
    ],
)
def test_where_the_teacher_is_silent_the_student_answers_and_says_that_it_is_unsure(
    town: Town, budget: float, why: str
) -> None:
    reply, _ = asked(chat("0.4 it"), town=town, budget=budget)

    [choice] = reply["choices"]
    assert (reply["model"], choice["message"]["content"], choice["confidence"]) == ("mine", "good", 0.4)
    assert choice["smelt"] == {"by": "student", "unsure": why}


def test_prompts_of_one_request_are_answered_each_by_whom_it_should_be() -> None:
    reply, _ = asked({"prompt": ["0.9 a", "0.1 b", "0.95 c"], "n": 2, "temperature": 0})

    assert [choice["text"] for choice in reply["choices"]] == ["good", "good", "bad", "bad", "good", "good"]
    assert reply["model"] == "mine"


def test_drawn_answers_are_drawn_where_the_student_is_sure_only() -> None:
    sure, unsure, _ = asked(chat("0.9 a", n=2, temperature=1, seed=7), chat("0.1 b", n=2, temperature=1))

    assert [choice["message"]["content"] for choice in sure["choices"]] == [
        "drawn at 1, 1, 7: 0", "drawn at 1, 1, 7: 1",
    ]  # fmt: skip
    assert [choice["message"]["content"] for choice in unsure["choices"]] == ["bad", "bad"]


def test_the_figures_tell_who_answered_what_became_of_the_unsure_and_the_money() -> None:
    *_, text = asked(chat("0.9 a"), chat("0.1 b"), chat("0.3 c"))

    lines = text.splitlines()
    assert 'smelt_answers_total{by="student"} 1' in lines
    assert 'smelt_answers_total{by="teacher"} 2' in lines
    assert 'smelt_unsure_total{outcome="asked"} 2' in lines
    assert "smelt_budget_dollars 1" in lines
    assert "smelt_spent_dollars 2.8e-05" in lines
    assert 'smelt_confidence_bucket{le="0.3"} 2' in lines


# -- from where on it is sure


def calibrated(folder: Path, *thresholds: tuple[float, float]) -> Path:
    table = tuple(Threshold(precision, least, 0.5) for precision, least in thresholds)
    write_calibration(folder, Calibration(thresholds=table, bins=(), error=0.0, rows=100, on="validation"))
    return folder


def test_the_least_precision_that_is_enough_decides(tmp_path: Path) -> None:
    folder = calibrated(tmp_path, (0.9, 0.4), (0.95, 0.6), (0.99, 0.8))

    assert sure_from(folder, precision=0.9) == Sure(0.4, 0.9)
    assert sure_from(folder, precision=0.91) == Sure(0.6, 0.91)
    assert sure_from(folder, precision=0.99) == Sure(0.8, 0.99)


@pytest.mark.parametrize(("vouched", "wanted"), [((0.8, 0.9), 0.9), ((0.9, 0.95, 0.99), 0.95), ((0.98,), 0.95)])
def test_when_nothing_is_said_it_is_what_can_be_vouched_for_up_to_a_usual_one(
    tmp_path: Path, vouched: tuple[float, ...], wanted: float
) -> None:
    assert sure_from(calibrated(tmp_path, *((each, each / 2) for each in vouched))).precision == wanted


def test_a_precision_that_nothing_vouches_for_is_refused_with_the_most_that_there_is(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"precision of 0\.97; the most is 0\.95.*--confidence"):
        sure_from(calibrated(tmp_path, (0.95, 0.6)), precision=0.97)


def test_without_a_calibration_it_must_be_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--confidence 0\.9"):
        sure_from(tmp_path, precision=0.9)
