"""The server: OpenAI's shapes, micro-batches, errors, and an end that loses nobody."""

from __future__ import annotations

import asyncio
import gc
import io
import json
import math
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer

from engine.desk import Desk
from engine.errors import UserError
from engine.messages import Message
from engine.serving import Answer, FromStudent, application, last_user_message, serve
from engine.training import Prediction
from engine.training.sampling import Sampling


class Shouting:
    """A student that answers in capitals, counts its batches, fails on "!", and can be held up."""

    family = "shouting"

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.asked = threading.Event()
        self.go = threading.Event()
        self.go.set()

    def predict(self, inputs: Sequence[str]) -> list[Prediction]:
        self.asked.set()
        self.go.wait(5)
        self.batches.append(len(inputs))
        if "!" in inputs:
            raise RuntimeError("too loud")
        return [
            Prediction(text.upper(), 0.75) if len(text) < 100 else Prediction("?", 0.0, cut=True) for text in inputs
        ]


@asynccontextmanager
async def client(student: Shouting, **settings: Any) -> AsyncIterator[TestClient[Any, Any]]:
    async with TestClient(TestServer(application(student, name="shouting", **settings))) as one:
        yield one


def asked(path: str, body: object, **settings: Any) -> tuple[int, Any]:
    """The status and the JSON that come back for a body."""

    async def ask() -> tuple[int, Any]:
        async with client(Shouting(), **settings) as one:
            reply = await one.post(
                path, data=io.BytesIO(body if isinstance(body, bytes) else json.dumps(body).encode())
            )
            return reply.status, await reply.json()

    return asyncio.run(ask())


def chat(*contents: str, **fields: object) -> dict[str, object]:
    return {"model": "any", "messages": [{"role": "user", "content": text} for text in contents], **fields}


def test_a_chat_completion_answers_the_last_user_message() -> None:
    status, reply = asked("/v1/chat/completions", chat("old", "grüß"))

    assert status == 200
    assert reply["object"] == "chat.completion"
    assert reply["model"] == "shouting"
    [choice] = reply["choices"]
    assert choice["message"] == {"role": "assistant", "content": "GRÜSS", "refusal": None}
    assert choice["finish_reason"] == "stop"
    assert choice["confidence"] == 0.75
    assert reply["usage"] == {"prompt_tokens": 6, "completion_tokens": 6, "total_tokens": 12}


def test_an_input_that_was_not_read_whole_is_answered_without_confidence_and_says_so() -> None:
    long = "x" * 100
    _, reply = asked("/v1/chat/completions", chat(long))
    _, text = asked("/v1/completions", {"model": "any", "prompt": ["short", long]})

    assert (reply["choices"][0]["finish_reason"], reply["choices"][0]["confidence"]) == ("length", 0.0)
    assert [choice["finish_reason"] for choice in text["choices"]] == ["stop", "length"]


def test_n_gives_as_many_equal_choices() -> None:
    _, reply = asked("/v1/chat/completions", chat("a", n=3))

    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2]
    assert {choice["message"]["content"] for choice in reply["choices"]} == {"A"}


def test_stop_cuts_at_the_first_of_its_texts() -> None:
    _, reply = asked("/v1/chat/completions", chat("one two three", stop=["THREE", " TWO"]))

    assert reply["choices"][0]["message"]["content"] == "ONE"


def test_content_may_come_in_text_parts() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]

    _, reply = asked("/v1/chat/completions", {"messages": [{"role": "user", "content": parts}]})

    assert reply["choices"][0]["message"]["content"] == "AB"


def test_the_caller_says_how_to_find_the_bare_input() -> None:
    def behind_the_colon(messages: Sequence[Message]) -> str:
        return messages[-1].content.rpartition(": ")[2]

    _, reply = asked("/v1/chat/completions", chat("Say it loud: hey"), bare_input=behind_the_colon)

    assert reply["choices"][0]["message"]["content"] == "HEY"


def test_without_a_user_message_the_last_one_counts() -> None:
    assert last_user_message([Message("user", "a"), Message("assistant", "b")]) == "a"
    assert last_user_message([Message("system", "a"), Message("system", "b")]) == "b"


def test_a_completion_answers_each_prompt() -> None:
    _, reply = asked("/v1/completions", {"prompt": ["a", "b"], "n": 2})

    assert reply["object"] == "text_completion"
    assert [choice["text"] for choice in reply["choices"]] == ["A", "A", "B", "B"]
    assert [choice["index"] for choice in reply["choices"]] == [0, 1, 2, 3]


def test_a_stream_tells_the_same_as_a_reply() -> None:
    async def ask() -> list[str]:
        async with client(Shouting()) as one:
            body = chat("a", n=2, stream=True, stream_options={"include_usage": True})
            reply = await one.post("/v1/chat/completions", json=body)
            assert reply.content_type == "text/event-stream"
            return [line.removeprefix("data: ") for line in (await reply.text()).split("\n\n") if line]

    *lines, done = asyncio.run(ask())

    chunks = [json.loads(line) for line in lines]
    parts = [choice for chunk in chunks for choice in chunk["choices"]]
    texts = ["".join(part["delta"].get("content", "") for part in parts if part["index"] == i) for i in (0, 1)]
    assert done == "[DONE]"
    assert texts == ["A", "A"]
    assert [part["finish_reason"] for part in parts] == [None, "stop", None, "stop"]
    assert chunks[-1]["usage"]["total_tokens"] == 3
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}


def test_models_and_health_name_the_student() -> None:
    async def look() -> tuple[Any, Any]:
        async with client(Shouting()) as one:
            return await (await one.get("/v1/models")).json(), await (await one.get("/health")).json()

    models, health = asyncio.run(look())

    assert [model["id"] for model in models["data"]] == ["shouting"]
    assert health == {"status": "ok", "model": "shouting", "family": "shouting"}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        pytest.param(b"{", None, id="no-json"),
        pytest.param(b'{"messages": [{"role": "user", "content": "\\ud800"}]}', None, id="lone-surrogate"),
        pytest.param([1], None, id="no-object"),
        pytest.param({}, "messages", id="no-messages"),
        pytest.param({"messages": []}, "messages", id="empty-messages"),
        pytest.param({"messages": ["hi"]}, "messages[0]", id="no-message"),
        pytest.param({"messages": [{"role": "wizard", "content": "hi"}]}, "messages[0]", id="role"),
        pytest.param({"messages": [{"role": "user"}]}, "messages[0].content", id="no-content"),
        pytest.param(
            {"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "messages[0].content", id="image"
        ),
        pytest.param(chat("a", n=0), "n", id="n-0"),
        pytest.param(chat("a", n=1000), "n", id="n-1000"),
        pytest.param(chat("a", n="2"), "n", id="n-text"),
        pytest.param(chat("a", stop=[1]), "stop", id="stop"),
        pytest.param(chat("a", tools=[{"type": "function"}]), "tools", id="tools"),
        pytest.param(chat("a", logprobs=1), "logprobs", id="logprobs-number"),
        pytest.param(chat("a", logprobs=True, top_logprobs=21), "top_logprobs", id="top-logprobs-21"),
        pytest.param(chat("a", top_logprobs=2), "top_logprobs", id="top-logprobs-alone"),
        pytest.param(chat("a", temperature=3), "temperature", id="temperature-3"),
        pytest.param(chat("a", temperature="hot"), "temperature", id="temperature-text"),
        pytest.param(chat("a", top_p=1.5), "top_p", id="top-p"),
        pytest.param(chat("a", seed=0.5), "seed", id="seed"),
    ],
)
def test_a_body_that_cannot_be_answered_gets_an_error_of_openais_shape(body: object, param: str | None) -> None:
    status, reply = asked("/v1/chat/completions", body)

    assert status == 400
    assert reply["error"]["type"] == "invalid_request_error"
    assert reply["error"]["param"] == param
    assert reply["error"]["message"]


@pytest.mark.parametrize("body", [{}, {"prompt": []}, {"prompt": [1]}, {"prompt": None}])
def test_a_completion_without_a_prompt_is_refused(body: object) -> None:
    status, reply = asked("/v1/completions", body)

    assert status == 400
    assert reply["error"]["param"] == "prompt"


def test_a_request_for_more_answers_than_a_queue_holds_is_refused() -> None:
    """A megabyte of prompts with many answers each would keep everybody else waiting for an hour."""
    status, reply = asked("/v1/completions", {"prompt": ["a"] * 9, "n": 128, "temperature": 1})

    assert status == 400
    assert reply["error"]["message"] == "9 prompts with 128 answers each: at most 1,024 answers a request"


def test_a_body_beyond_a_megabyte_is_refused() -> None:
    status, reply = asked("/v1/chat/completions", chat("a" * (1 << 20)))

    assert status == 413
    assert reply["error"]["type"] == "invalid_request_error"


def test_a_body_that_is_not_packed_as_it_says_is_refused() -> None:
    async def ask() -> tuple[int, Any]:
        async with client(Shouting()) as one:
            packed = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
            reply = await one.post("/v1/chat/completions", data=b"{}", headers=packed)
            return reply.status, await reply.json()

    status, told = asyncio.run(ask())

    assert (status, told["error"]["message"]) == (400, "the body is not what its Content-Encoding says: 'gzip'")


def test_an_unknown_path_gets_an_error_of_the_same_shape() -> None:
    status, reply = asked("/v1/embeddings", {})

    assert status == 404
    assert "/v1/embeddings" in reply["error"]["message"]


def test_what_queues_up_is_answered_together_and_in_bounds() -> None:
    student = Shouting()

    async def ask() -> list[str]:
        desk = Desk(student, at_once=4)
        asking = [asyncio.ensure_future(desk.answer([str(i)])) for i in range(11)]
        await asyncio.sleep(0)  # all of them are waiting now
        work = asyncio.ensure_future(desk.work())
        answers = [answer.output for [answer] in await asyncio.gather(*asking)]
        work.cancel()
        return answers

    assert asyncio.run(ask()) == [str(i) for i in range(11)]
    assert student.batches == [4, 4, 3]


def test_when_too_many_wait_the_next_is_told_to_come_back() -> None:
    status, reply = asked("/v1/completions", {"prompt": ["a", "b", "c"]}, most_waiting=2)

    assert status == 503
    assert reply["error"]["code"] == "overloaded"


def test_an_input_that_a_student_fails_on_costs_nobody_beside_it_anything() -> None:
    student = Shouting()

    async def ask() -> list[str]:
        desk = Desk(student)
        asking = [asyncio.ensure_future(desk.answer([text])) for text in ("a", "!", "b")]
        await asyncio.sleep(0)  # all of them are waiting now
        work = asyncio.ensure_future(desk.work())
        ended = await asyncio.gather(*asking, return_exceptions=True)
        work.cancel()
        return [str(each) if isinstance(each, BaseException) else each[0].output for each in ended]

    assert asyncio.run(ask()) == ["A", "too loud", "B"]
    assert student.batches == [3, 1, 1, 1]


def test_a_failing_student_costs_its_callers_an_error_and_nobody_else_anything() -> None:
    async def ask() -> list[int]:
        async with client(Shouting()) as one:
            bodies = ["!", "fine"]
            return [(await one.post("/v1/completions", json={"prompt": body})).status for body in bodies]

    assert asyncio.run(ask()) == [500, 200]


def test_it_ends_after_answering_what_was_asked() -> None:
    student = Shouting()

    async def run() -> int:
        import aiohttp

        over = asyncio.Event()
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            group.create_task(serve(application(student), port=0, on_ready=address.set_result, until=over.wait()))
            student.go.clear()
            async with aiohttp.ClientSession() as session:
                url = f"{await address}/v1/completions"
                post = group.create_task(_status_of(session, url))
                await asyncio.to_thread(student.asked.wait, 5)
                over.set()
                student.go.set()
                return await post

    async def _status_of(session: Any, url: str) -> int:
        async with session.post(url, json={"prompt": "a"}) as reply:
            return int(reply.status)

    assert asyncio.run(run()) == 200


def test_told_twice_to_end_it_waits_for_nobody_and_closes_all_the_same() -> None:
    student = Shouting()

    class Closing(FromStudent):
        is_closed = False

        @asynccontextmanager
        async def working(self) -> AsyncIterator[None]:
            async with super().working():
                yield
            self.is_closed = True

    async def run() -> bool:
        over = asyncio.Event()
        answering = Closing(Desk(student), name="shouting")
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        serving = asyncio.create_task(
            serve(application(answering), port=0, on_ready=address.set_result, until=over.wait())
        )
        student.go.clear()
        writer = await hanging_up_on(int((await address).rpartition(":")[2]))
        await asyncio.to_thread(student.asked.wait, 5)
        over.set()
        await asyncio.sleep(0.01)
        serving.cancel()
        await asyncio.wait([serving])
        student.go.set()
        writer.close()
        return answering.is_closed and serving.cancelled()

    assert asyncio.run(run())


def test_what_somebody_asked_who_has_hung_up_is_not_answered_any_more() -> None:
    student, came, left = Shouting(), asyncio.Event(), asyncio.Event()

    class Watched(FromStudent):
        async def answer(self, inputs: Sequence[str], sampling: Sampling | None) -> list[list[Answer]]:
            came.set()
            try:
                return await super().answer(inputs, sampling)
            finally:
                left.set()

    async def run() -> list[int]:
        over, desk = asyncio.Event(), Desk(student)
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        app = application(Watched(desk, name="shouting"))
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(serve(app, port=0, on_ready=address.set_result, until=over.wait()))
            port = int((await address).rpartition(":")[2])
            student.go.clear()
            first = group.create_task(desk.answer(["a"]))
            await asyncio.to_thread(student.asked.wait, 5)
            writer = await hanging_up_on(port)
            await came.wait()
            writer.transport.abort()
            await left.wait()
            student.go.set()
            await first
            await desk.answer(["c"])
            over.set()
        return student.batches

    assert asyncio.run(run()) == [1, 1]


async def hanging_up_on(port: int) -> asyncio.StreamWriter:
    """A client that has asked something and does not read."""
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b'POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 14\r\n\r\n{"prompt":"b"}')
    return writer


def test_an_address_in_use_is_one_line() -> None:
    async def run() -> None:
        import socket

        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            await serve(application(Shouting()), port=taken.getsockname()[1])

    with pytest.raises(UserError, match=r"\(Address already in use\): choose another port"):
        asyncio.run(run())


@pytest.mark.parametrize("host", ["300.1.1.1", "198.51.100.1", "", "a b", "a" * 300])
@pytest.mark.long
def test_a_host_that_is_not_this_machine_is_one_line_and_no_warning(host: str) -> None:
    async def run() -> None:
        over = asyncio.Event()
        await serve(application(Shouting()), host=host, port=8123, until=over.wait())

    with pytest.raises(UserError) as caught:
        asyncio.run(run())
    gc.collect()  # a coroutine that nobody awaited would warn here, and a warning fails the test
    advice = "(no such address on this machine): choose another host, such as 127.0.0.1"
    assert str(caught.value) == f"cannot listen on {host}:8123 {advice}"


def test_a_port_that_is_none_is_one_line() -> None:
    with pytest.raises(UserError, match=r"cannot listen on 127\.0\.0\.1:70000 .*choose another port"):
        asyncio.run(serve(application(Shouting()), port=70_000))


def test_whoever_waits_when_the_desk_closes_is_let_go() -> None:
    """In the middle of a batch too: the student is still at it, and nobody waits for ever."""

    async def ask() -> bool:
        student = Shouting()
        student.go.clear()
        desk = Desk(student)
        work = asyncio.create_task(desk.work())
        asking = asyncio.create_task(desk.answer(["a"]))
        await asyncio.to_thread(student.asked.wait, 5)
        work.cancel()
        asyncio.get_running_loop().call_soon(student.go.set)
        await asyncio.wait([asking], timeout=2)
        return asking.cancelled()

    assert asyncio.run(ask())


@pytest.mark.slow
def test_the_official_client_works_against_it() -> None:
    import openai

    async def run() -> None:
        over = asyncio.Event()
        address: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        async with asyncio.TaskGroup() as group:
            group.create_task(
                serve(application(Shouting(), name="shouting"), port=0, on_ready=address.set_result, until=over.wait())
            )
            async with openai.AsyncOpenAI(base_url=f"{await address}/v1", api_key="unused", max_retries=0) as api:
                await converse(api)
            over.set()

    async def converse(api: Any) -> None:
        messages = [{"role": "system", "content": "Shout."}, {"role": "user", "content": "hey"}]
        whole = await api.chat.completions.create(model="gpt-5", messages=messages, n=2, temperature=0.7)
        assert [choice.message.content for choice in whole.choices] == ["HEY", "HEY"]
        assert whole.choices[0].confidence == 0.75
        assert whole.choices[0].smelt == {"by": "student"}
        told = await api.chat.completions.create(model="m", messages=messages, logprobs=True, top_logprobs=2)
        [token] = told.choices[0].logprobs.content
        assert (token.token, round(math.exp(token.logprob), 6)) == ("HEY", 0.75)
        assert [each.token for each in token.top_logprobs] == ["HEY"]
        stream = await api.chat.completions.create(model="gpt-5", messages=messages, stream=True)
        assert "".join([chunk.choices[0].delta.content or "" async for chunk in stream]) == "HEY"
        text = await api.completions.create(model="gpt-5", prompt="hey")
        assert text.choices[0].text == "HEY"
        likely = await api.completions.create(model="gpt-5", prompt="hey", logprobs=1)
        assert likely.choices[0].logprobs.tokens == ["HEY"]
        assert [model.id async for model in api.models.list()] == ["shouting"]
        with pytest.raises(openai.BadRequestError, match="messages"):
            await api.chat.completions.create(model="gpt-5", messages=[])

    asyncio.run(run())
