"""Who knows better than we do: the official clients and the published description, beside our wire and our fake."""

from __future__ import annotations

import asyncio
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

import orjson
import pytest

from engine import Request
from engine.clock import SystemClock
from engine.fakes.batches import BatchBehaviour
from engine.fakes.faults import FaultRates
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import Message, RawReply
from engine.providers.anthropic import Anthropic
from engine.providers.openai import OpenAI
from engine.providers.openai_body import body_under
from engine.providers.profile import profile_named, profiles
from engine.verdict import Kind, classify

SCHEMAS = Path(__file__).parents[2].parent / "shared" / "data" / "openai_openapi" / "schemas.json"
KEY = "sk-test-0123456789"
SCHEMA = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
TURNS = (Message("user", "1?"), Message("assistant", "2"), Message("user", "3 – жé\u2028\x00?"))
REQUESTS = {
    "plain": Request.user("Say hello", max_tokens=20),
    "full": Request(
        messages=(Message("system", "Be brief."), *TURNS),
        max_tokens=20,
        temperature=0.7,
        n=3,
        stop=("\n\n", "END"),
        seed=7,
        schema=SCHEMA,
    ),
    "cold": Request.user("x", temperature=0.0, max_tokens=1),
    "no bounds": Request.user("", stop=("a", "b", "c", "d"), seed=-1, max_tokens=2**31),
}


class Heard(NamedTuple):
    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


@asynccontextmanager
async def listening() -> AsyncIterator[tuple[str, list[Heard]]]:
    """A server that writes down what it is asked and answers 400 to everything: its URL, and what it heard."""
    from aiohttp import web

    heard: list[Heard] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        heard.append(Heard(request.path_qs, headers, orjson.loads(await request.read())))
        return web.json_response({"error": {"message": "no"}}, status=400)

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", heard
    finally:
        await runner.cleanup()


def both(ours: Callable[[str], Awaitable[None]], theirs: Callable[[str], Awaitable[None]]) -> tuple[Heard, Heard]:
    async def main() -> tuple[Heard, Heard]:
        async with listening() as (url, heard):
            await ours(url)
            await theirs(url)
        first, second = heard
        return first, second

    return asyncio.run(main())


async def sent_by(provider: OpenAI | Anthropic, request: Request) -> None:
    await provider.send(request, timeout_s=10)
    await provider.aclose()


def chat_arguments(request: Request) -> dict[str, Any]:
    """The request in the words of the official client."""
    named: dict[str, Any] = {
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        "max_completion_tokens": request.max_tokens,
    }
    optional = {"temperature": request.temperature, "seed": request.seed, "stop": list(request.stop) or None}
    named |= {name: value for name, value in optional.items() if value is not None}
    if request.n > 1:
        named["n"] = request.n
    if request.schema is not None:
        answer = {"name": "answer", "schema": request.schema, "strict": True}
        named["response_format"] = {"type": "json_schema", "json_schema": answer}
    return named


@pytest.mark.slow
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=list(REQUESTS))
def test_what_we_post_is_what_openais_own_client_posts(request_: Request) -> None:
    async def ours(url: str) -> None:
        profile = profile_named("openai")
        await sent_by(OpenAI("m", base_url=f"{url}/v1", api_key=KEY, clock=SystemClock(), profile=profile), request_)

    async def theirs(url: str) -> None:
        import openai

        async with openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=KEY, max_retries=0) as client:
            with pytest.raises(openai.BadRequestError):
                await client.chat.completions.create(model="m", service_tier="default", **chat_arguments(request_))

    we, they = both(ours, theirs)

    assert (we.path, we.body) == (they.path, they.body)
    assert we.headers["authorization"] == they.headers["authorization"]
    assert we.headers["content-type"] == they.headers["content-type"]


@pytest.mark.slow
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=list(REQUESTS))
def test_what_we_post_to_a_deployment_is_what_openais_own_client_for_azure_posts(request_: Request) -> None:
    async def ours(url: str) -> None:
        await sent_by(
            OpenAI("my deploy", base_url=url, api_key=KEY, clock=SystemClock(), profile=profile_named("azure")),
            request_,
        )

    async def theirs(url: str) -> None:
        import openai

        how: dict[str, Any] = {"azure_endpoint": url, "api_version": "2024-10-21", "api_key": KEY, "max_retries": 0}
        async with openai.AsyncAzureOpenAI(**how) as client:
            with pytest.raises(openai.BadRequestError):
                await client.chat.completions.create(model="my deploy", **chat_arguments(request_))

    we, they = both(ours, theirs)

    assert (we.path, we.body) == (they.path, they.body)
    assert we.headers["api-key"] == they.headers["api-key"]
    assert "authorization" not in we.headers


@pytest.mark.slow
@pytest.mark.parametrize("name", ["plain", "full"])
def test_what_we_post_is_what_anthropics_own_client_posts(name: str) -> None:
    asked = REQUESTS[name]
    request = Request(messages=asked.messages, max_tokens=20, stop=asked.stop, schema=asked.schema)

    async def ours(url: str) -> None:
        profile = profile_named("anthropic-2026-10-21")
        await sent_by(Anthropic("m", base_url=url, api_key=KEY, clock=SystemClock(), profile=profile), request)

    async def theirs(url: str) -> None:
        import anthropic

        turns: list[Any] = [{"role": message.role, "content": message.content} for message in request.messages]
        more: dict[str, Any] = {"stop_sequences": list(request.stop)} if request.stop else {}
        if request.schema is not None:
            more["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
        if turns[0]["role"] == "system":
            more["system"] = turns.pop(0)["content"]
        async with anthropic.AsyncAnthropic(base_url=url, api_key=KEY, max_retries=0) as client:
            with pytest.raises(anthropic.BadRequestError):
                await client.messages.create(
                    model="m", max_tokens=20, messages=turns, service_tier="standard_only", **more
                )

    we, they = both(ours, theirs)

    assert (we.path, we.body) == (they.path, they.body)
    assert we.headers["anthropic-version"] == they.headers["anthropic-version"]


def described(value: object, name: str) -> None:
    """Hold a value to a schema of the published description."""
    from jsonschema import Draft202012Validator
    from referencing import Registry

    components = orjson.loads(SCHEMAS.read_bytes())["components"]
    reference = {"$ref": f"#/components/schemas/{name}", "components": components}
    Draft202012Validator(reference, registry=Registry()).validate(value)


described_here = pytest.mark.skipif(
    not SCHEMAS.exists(), reason="the published OpenAPI description is not beside the checkout"
)


@described_here
@pytest.mark.parametrize("request_", REQUESTS.values(), ids=list(REQUESTS))
@pytest.mark.parametrize("name", [name for name, profile in profiles().items() if profile.schema == "json_schema"])
def test_what_we_post_fits_the_published_description(name: str, request_: Request) -> None:
    described(
        orjson.loads(orjson.dumps(body_under(profile_named(name), request_, model="m"))), "CreateChatCompletionRequest"
    )


async def posted(url: str, path: str, body: object, **headers: str) -> RawReply:
    import aiohttp

    async with aiohttp.ClientSession() as session, session.post(f"{url}{path}", json=body, headers=headers) as answer:
        return RawReply(answer.status, dict(answer.headers), await answer.read(), 0.0)


@described_here
def test_what_the_fake_answers_fits_the_published_description() -> None:
    bodies = [
        {"model": "m", "messages": [{"role": "user", "content": "hello"}], "n": 2},
        {"model": "m", "messages": [{"role": "user", "content": "hello " * 50}], "max_tokens": 3},
        {"model": "m", "messages": [{"role": "user", "content": ""}]},
    ]

    async def main() -> list[RawReply]:
        async with FakeProvider(EchoWorld()) as fake:
            return [await posted(fake.url, "/chat/completions", body) for body in bodies]

    for raw in asyncio.run(main()):
        assert raw.status == 200
        described(orjson.loads(raw.body), "CreateChatCompletionResponse")


@described_here
def test_what_the_fake_refuses_fits_the_published_description_too() -> None:
    hello = [{"role": "user", "content": "hello"}]
    wrong: list[object] = [{}, {"model": "m"}, {"model": "m", "messages": hello, "temperature": 9}, [], "x"]

    async def main() -> list[RawReply]:
        async with FakeProvider(EchoWorld(), faults=FaultRates(error=0.5, overloaded=0.5)) as fake:
            failed = [await posted(fake.url, "/chat/completions", {"model": "m", "messages": hello, "seed": seed})
                      for seed in range(8)]  # fmt: skip
            return [*failed, *[await posted(fake.url, "/chat/completions", body) for body in wrong]]

    replies = asyncio.run(main())

    for raw in replies:
        described(orjson.loads(raw.body), "ErrorResponse")
    verdicts = {verdict.kind for raw in replies if (verdict := classify(raw)) is not None}
    assert verdicts == {Kind.TRANSIENT, Kind.OVERLOAD, Kind.CONFIG}


def form_of(content: bytes) -> Any:
    """A file for batches, as a form."""
    import aiohttp

    form = aiohttp.FormData({"purpose": "batch"})
    form.add_field("file", content, filename="in.jsonl")
    return form


def without_nulls(told: Any) -> Any:
    if isinstance(told, list):
        return [without_nulls(each) for each in told]
    if not isinstance(told, dict):
        return told
    return {name: without_nulls(value) for name, value in told.items() if value is not None}


@described_here
@pytest.mark.parametrize("seconds", [0.0, 1e6], ids=["over", "under way"])
def test_files_batches_models_and_counts_of_the_fake_fit_the_published_description(seconds: float) -> None:
    line = {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": []}}
    batch = {"endpoint": "/v1/chat/completions", "completion_window": "24h"}

    async def main() -> None:
        import aiohttp

        behaviour = BatchBehaviour(seconds=seconds)
        async with FakeProvider(EchoWorld(), batches=behaviour) as fake, aiohttp.ClientSession() as session:

            async def call(schema: str, method: str, path: str, **body: Any) -> Any:
                async with session.request(method, f"{fake.url}{path}", **body) as answer:
                    told = await answer.json()
                # The service says null where its description has nothing.
                described(told if schema == "ErrorResponse" else without_nulls(told), schema)
                return told

            file = (await call("OpenAIFile", "POST", "/files", data=form_of(orjson.dumps(line))))["id"]
            ident = (await call("Batch", "POST", "/batches", json={**batch, "input_file_id": file}))["id"]
            flawed = (await call("OpenAIFile", "POST", "/files", data=form_of(b"no JSON")))["id"]
            await call("Batch", "POST", "/batches", json={**batch, "input_file_id": flawed})
            await call("Batch", "GET", f"/batches/{ident}")
            await call("ListBatchesResponse", "GET", "/batches")
            if seconds:
                await call("Batch", "POST", f"/batches/{ident}/cancel")
            await call("DeleteFileResponse", "DELETE", f"/files/{file}")
            await call("ListModelsResponse", "GET", "/models")
            await call("Model", "GET", "/models/echo")
            await call("TokenCountsResource", "POST", "/responses/input_tokens", json={"model": "m", "input": "hello"})
            await call("ErrorResponse", "GET", "/batches/none")

    asyncio.run(main())


@described_here
def test_the_description_is_one_that_can_be_failed() -> None:
    from jsonschema import ValidationError

    with pytest.raises(ValidationError):
        described({"id": "x", "choices": [{"index": 0}]}, "CreateChatCompletionResponse")


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["error", "overloaded", "too_fast"])
def test_what_the_fake_refuses_is_what_the_official_clients_know_it_as(kind: str) -> None:
    async def main() -> tuple[Exception, Exception]:
        import anthropic
        import openai

        async with FakeProvider(EchoWorld(), faults=FaultRates(**{kind: 1.0})) as fake:
            base = fake.url.removesuffix("/v1")
            async with openai.AsyncOpenAI(base_url=fake.url, api_key=KEY, max_retries=0) as one:
                with pytest.raises(openai.APIStatusError) as theirs:
                    await one.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
            async with anthropic.AsyncAnthropic(base_url=base, api_key=KEY, max_retries=0) as other:
                with pytest.raises(anthropic.APIStatusError) as others:
                    await other.messages.create(model="m", max_tokens=5, messages=[{"role": "user", "content": "x"}])
        return theirs.value, others.value

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the name of a model
        told = [type(error).__name__ for error in asyncio.run(main())]

    assert told[0] == ("RateLimitError" if kind == "too_fast" else "InternalServerError")
    assert told[1] in {"RateLimitError", "InternalServerError", "OverloadedError"}
