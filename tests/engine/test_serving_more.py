"""The server's extras: answers drawn by chance, how likely they are, who may ask, and its figures."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from engine.errors import UserError
from engine.serving import Door, Metrics, application, check_door
from engine.serving.metrics import Histogram
from engine.training import Prediction
from engine.training.spelt import Spelt

LABELS = (("yes", 0.6), ("no", 0.3), ("perhaps", 0.1))


class Choosing:
    """A student that chooses among three labels."""

    family = "choosing"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction("yes", 0.6, alternatives=LABELS) for _ in inputs]


class Writing:
    """A student that writes what it was told to draw."""

    family = "writing"

    def __init__(self) -> None:
        self.drawn: list[tuple[int, int]] = []

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        return [Prediction("best", 0.9) for _ in inputs]

    def sample(
        self, inputs: Sequence[str], *, n: int, temperature: float, seed: int, top_p: float = 1.0
    ) -> list[list[Prediction]]:
        self.drawn.append((len(inputs), seed))
        return [[Prediction(f"{temperature:g} {top_p:g} {i}", 0.1) for i in range(n)] for _ in inputs]


def reply_to(
    student: Any, *bodies: dict[str, object], path: str = "/v1/chat/completions", **settings: Any
) -> list[Any]:
    """What comes back for each body, asked at the same time."""

    async def ask() -> list[Any]:
        async with TestClient(TestServer(application(student, **settings))) as one:
            replies = await asyncio.gather(*(one.post(path, json=body) for body in bodies))
            return [await reply.json() for reply in replies]

    return asyncio.run(ask())


def chat(**fields: object) -> dict[str, object]:
    return {"messages": [{"role": "user", "content": "is it?"}], **fields}


def texts(reply: Any) -> list[str]:
    return [choice["message"]["content"] for choice in reply["choices"]]


# -- drawn answers


@pytest.mark.parametrize("fields", [{}, {"temperature": 0}, {"temperature": 0, "n": 2}, {"temperature": 1, "top_p": 0}])
def test_without_a_temperature_the_best_is_answered(fields: dict[str, object]) -> None:
    [reply] = reply_to(Writing(), chat(**fields))

    assert set(texts(reply)) == {"best"}


def test_with_a_temperature_answers_are_drawn_each_with_its_own_confidence() -> None:
    [reply] = reply_to(Writing(), chat(temperature=0.7, top_p=0.9, n=2))

    assert texts(reply) == ["0.7 0.9 0", "0.7 0.9 1"]
    assert [choice["confidence"] for choice in reply["choices"]] == [0.1, 0.1]


def test_several_answers_without_a_temperature_are_drawn_at_one() -> None:
    [reply] = reply_to(Writing(), chat(n=3))

    assert texts(reply) == ["1 1 0", "1 1 1", "1 1 2"]


def test_a_label_student_answers_different_labels_and_a_seed_repeats_them() -> None:
    [one, same, other] = [reply_to(Choosing(), chat(n=40, temperature=1, seed=seed))[0] for seed in (1, 1, 2)]

    assert set(texts(one)) == {"yes", "no", "perhaps"}
    assert texts(one) == texts(same) != texts(other)


def test_what_is_drawn_alike_is_drawn_together_and_a_seed_is_drawn_for_alone() -> None:
    student = Writing()

    reply_to(student, *[chat(temperature=1)] * 4, *[chat(temperature=1, seed=9)] * 2)

    seeded = [rows for rows, seed in student.drawn if seed == 9]
    assert seeded == [1, 1]
    assert sum(rows for rows, _ in student.drawn) == 6
    assert len(student.drawn) < 6


# -- how likely an answer is


def test_a_label_is_one_token_with_its_alternatives() -> None:
    [reply] = reply_to(Choosing(), chat(logprobs=True, top_logprobs=2))

    [token] = reply["choices"][0]["logprobs"]["content"]
    assert token["token"] == "yes"
    assert token["logprob"] == pytest.approx(math.log(0.6))
    assert token["bytes"] == list(b"yes")
    assert [(each["token"], round(math.exp(each["logprob"]), 6)) for each in token["top_logprobs"]] == [
        ("yes", 0.6), ("no", 0.3),
    ]  # fmt: skip


def test_a_completion_tells_the_same_in_its_own_words() -> None:
    [reply] = reply_to(Choosing(), {"prompt": "x", "logprobs": 2}, path="/v1/completions")

    told = reply["choices"][0]["logprobs"]
    assert told["tokens"] == ["yes"]
    assert told["top_logprobs"] == [{"yes": pytest.approx(math.log(0.6)), "no": pytest.approx(math.log(0.3))}]


class Spelling:
    """A student that writes "né" in bytes and marks, and says how likely each was."""

    family = "spelling"

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        pieces = [b"n", b"\xc3", b"\xa9", b""]
        logarithms = [-0.5, -0.25, -math.inf, -1.0]
        spelt = Spelt(range(4), logarithms, lambda tokens: [pieces[token] for token in tokens])
        return [Prediction("né", 0.4, spelt=spelt) for _ in inputs]


def test_what_was_written_token_by_token_is_told_so() -> None:
    [reply] = reply_to(Spelling(), chat(logprobs=True, top_logprobs=3))

    assert reply["choices"][0]["logprobs"]["content"] == [
        {"token": "n", "bytes": [0x6E], "logprob": -0.5, "top_logprobs": []},
        {"token": "\ufffd", "bytes": [0xC3], "logprob": -0.25, "top_logprobs": []},
        {"token": "\ufffd", "bytes": [0xA9], "logprob": -9999.0, "top_logprobs": []},
    ]
    assert reply["choices"][0]["confidence"] == 0.4


def test_a_completion_tells_tokens_where_they_stand() -> None:
    [reply] = reply_to(Spelling(), {"prompt": "x", "logprobs": 1}, path="/v1/completions")

    told = reply["choices"][0]["logprobs"]
    assert told["token_logprobs"] == [-0.5, -0.25, -9999.0]
    assert told["text_offset"] == [0, 1, 1]
    assert told["tokens"] == ["n", "\ufffd", "\ufffd"]
    assert told["top_logprobs"] is None


@pytest.mark.parametrize(("stop", "tokens"), [("é", ["n"]), ("n", [""])])
def test_of_an_answer_that_a_stop_has_cut_no_more_is_told(stop: str, tokens: list[str]) -> None:
    """Where nothing of it is left, that is the one token."""
    [reply] = reply_to(Spelling(), chat(logprobs=True, stop=stop))

    assert [each["token"] for each in reply["choices"][0]["logprobs"]["content"]] == tokens


def test_an_answer_that_reads_otherwise_than_its_tokens_is_one_token() -> None:
    class Trimming(Spelling):
        def predict(self, inputs: Sequence[str]) -> list[Prediction]:
            return [replace(one, output="ne") for one in Spelling.predict(self, inputs)]

    [reply] = reply_to(Trimming(), chat(logprobs=True))

    assert [each["token"] for each in reply["choices"][0]["logprobs"]["content"]] == ["ne"]


def test_nothing_is_told_unless_it_is_asked_for() -> None:
    [reply] = reply_to(Choosing(), chat())

    assert reply["choices"][0]["logprobs"] is None


# -- who may ask


KEY = Door(key="sesame")


@pytest.mark.parametrize(
    ("headers", "path", "status"),
    [
        pytest.param({}, "/v1/models", 401, id="none"),
        pytest.param({"Authorization": "Bearer sesam"}, "/v1/models", 401, id="wrong"),
        pytest.param({"Authorization": "Basic sesame"}, "/v1/models", 401, id="scheme"),
        pytest.param({"Authorization": "Bearer sesame"}, "/v1/models", 200, id="right"),
        pytest.param({"Authorization": "bearer sesame "}, "/v1/models", 200, id="spelling"),
        pytest.param({}, "/metrics", 401, id="metrics"),
        pytest.param({}, "/health", 200, id="health"),
        pytest.param({}, "/ready", 200, id="ready"),
        pytest.param({}, "/nowhere", 401, id="unknown"),
    ],
)
def test_with_a_key_whoever_does_not_show_it_is_turned_away(headers: dict[str, str], path: str, status: int) -> None:
    async def ask() -> tuple[int, Any]:
        async with TestClient(TestServer(application(Choosing(), door=KEY))) as one:
            reply = await one.get(path, headers=headers)
            return reply.status, await reply.json()

    got, reply = asyncio.run(ask())

    assert got == status
    assert status != 401 or reply["error"]["code"] == "invalid_api_key"


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        (None, 200),
        ("http://localhost:3000", 200),
        ("http://127.0.0.1", 200),
        ("http://evil.example", 403),
        ("null", 403),
    ],
)
def test_without_a_key_pages_of_other_sites_may_not_ask(origin: str | None, status: int) -> None:
    async def ask() -> int:
        async with TestClient(TestServer(application(Choosing()))) as one:
            headers = {} if origin is None else {"Origin": origin}
            return (await one.post("/v1/chat/completions", json=chat(), headers=headers)).status

    assert asyncio.run(ask()) == status


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.4", "::", "box.example"])  # noqa: S104 - not listened on
def test_beyond_this_machine_a_key_is_asked_for(host: str) -> None:
    with pytest.raises(UserError, match="--key"):
        check_door(Door(), host=host)
    check_door(KEY, host=host)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1", "127.8.8.8"])
def test_on_this_machine_none_is(host: str) -> None:
    check_door(Door(), host=host)


@pytest.mark.parametrize("key", ["", "with blank", "schlüssel", "line\nbreak"])
def test_a_key_that_no_header_carries_is_refused(key: str) -> None:
    with pytest.raises(UserError, match="plain ASCII") as caught:
        check_door(Door(key=key), host="127.0.0.1")
    assert not key or key not in str(caught.value)


def test_a_door_never_shows_its_key() -> None:
    assert "sesame" not in repr(KEY)


# -- figures


def test_a_histogram_counts_what_lies_at_or_below_each_bound() -> None:
    histogram = Histogram((1, 2))
    for value in (0.5, 1, 1.5, 3):
        histogram.add(value)

    assert histogram.lines("x") == [
        'x_bucket{le="1"} 2', 'x_bucket{le="2"} 3', 'x_bucket{le="+Inf"} 4', "x_sum 6", "x_count 4",
    ]  # fmt: skip


def test_the_figures_tell_requests_answers_and_how_sure_they_were() -> None:
    async def ask() -> tuple[str, str]:
        async with TestClient(TestServer(application(Choosing()))) as one:
            await one.post("/v1/chat/completions", json=chat(n=2))
            await one.post("/v1/chat/completions", json={})
            await one.get("/" + "x" * 50)
            reply = await one.get("/metrics")
            return reply.headers["Content-Type"], await reply.text()

    kind, text = asyncio.run(ask())

    assert kind.startswith("text/plain; version=0.0.4")
    lines = text.splitlines()
    assert 'smelt_requests_total{path="/v1/chat/completions",status="200"} 1' in lines
    assert 'smelt_requests_total{path="/v1/chat/completions",status="400"} 1' in lines
    assert 'smelt_requests_total{path="other",status="404"} 1' in lines
    assert 'smelt_answers_total{by="student"} 2' in lines
    assert "smelt_confidence_count 2" in lines
    assert "smelt_batch_size_count 1" in lines
    assert "smelt_queue_depth 0" in lines
    assert text.endswith("\n")


def test_every_figure_has_its_kind_before_its_values() -> None:
    """What Prometheus asks of the format: a TYPE line once, then the figures of that name and no other."""
    names = [line.split()[2] for line in Metrics().text({"queue_depth": 1.0}).splitlines() if line.startswith("# TYPE")]

    assert len(names) == len(set(names)) == 7


def test_a_full_queue_is_not_ready() -> None:
    async def look() -> list[int]:
        async with TestClient(TestServer(application(Choosing(), most_waiting=0))) as one:
            return [(await one.get(path)).status for path in ("/ready", "/health")]

    assert asyncio.run(look()) == [503, 200]
