"""Clients of others' making behind our Protocol: asked once, judged raw, and silent about keys."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import traceback
from collections.abc import Callable
from typing import Any

import anthropic
import httpx2
import openai
import pytest

from engine import Budget, Engine, Request
from engine.clock import SystemClock
from engine.errors import AuthenticationRefused, ConfigurationRefused, RequestFailed, UserError
from engine.fakes import virtual_time
from engine.fakes.faults import FaultRates
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import FinishReason, Message, RawReply
from engine.prices import FREE, Price
from engine.providers import AttemptTimedOut, ConnectionFailed, TransportFailure
from engine.providers.anthropic import Anthropic
from engine.providers.openai import OpenAI
from engine.providers.openai_body import body_of
from engine.providers.resolve import resolve
from engine.providers.sdk import Sdk
from engine.providers.shapes import Completion, anthropic_message, chat_completion
from engine.verdict import Kind, classify

KEY = "sk-very-secret-0123456789"
ASKED = Request.user("Say hello", system="Be brief.", max_tokens=20)
Handler = Callable[[httpx2.Request], httpx2.Response]


def done(text: str = "hello", finish: FinishReason = "stop") -> Completion:
    return Completion(text, finish, 3)


def completion(_: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(
        200, content=chat_completion([done()], ident="chatcmpl-1", created=0, model="m", input_tokens=5)
    )


def message(_: httpx2.Request) -> httpx2.Response:
    return httpx2.Response(200, content=anthropic_message(done(), ident="msg_1", model="m", input_tokens=5))


class Wire:
    """Hears what a client sends and answers with a handler."""

    def __init__(self, answer: Handler) -> None:
        self.heard: list[httpx2.Request] = []
        self._answer = answer

    def client(self) -> httpx2.AsyncClient:
        return httpx2.AsyncClient(transport=httpx2.MockTransport(self._respond), follow_redirects=True)

    def _respond(self, request: httpx2.Request) -> httpx2.Response:
        self.heard.append(request)
        return self._answer(request)


def openai_client(answer: Handler = completion) -> tuple[Any, Wire]:
    wire = Wire(answer)
    return openai.AsyncOpenAI(api_key=KEY, base_url="https://api.openai.com/v1", http_client=wire.client()), wire


def azure_client(answer: Handler = completion) -> tuple[Any, Wire]:
    wire = Wire(answer)
    client = openai.AsyncAzureOpenAI(
        api_key=KEY, api_version="2025-01-01", azure_endpoint="https://me.openai.azure.com", http_client=wire.client()
    )
    return client, wire


def anthropic_client(answer: Handler = message) -> tuple[Any, Wire]:
    wire = Wire(answer)
    client = anthropic.AsyncAnthropic(api_key=KEY, base_url="https://api.anthropic.com", http_client=wire.client())
    return client, wire


def vertex_client(answer: Handler = message) -> tuple[Any, Wire]:
    wire = Wire(answer)
    client = anthropic.AsyncAnthropicVertex(
        access_token=KEY, project_id="mine", region="europe-west1", http_client=wire.client()
    )
    return client, wire


CLIENTS = [
    pytest.param(openai_client, id="openai"),
    pytest.param(azure_client, id="azure"),
    pytest.param(anthropic_client, id="anthropic"),
    pytest.param(vertex_client, id="vertex"),
]


def sent(client: Any, request: Request = ASKED, *, timeout_s: float = 5, **options: Any) -> RawReply:
    return asyncio.run(Sdk(client, "m", **options).send(request, timeout_s=timeout_s))


@pytest.mark.parametrize("make", CLIENTS)
def test_every_client_is_asked_and_read_in_its_dialect(make: Callable[[], tuple[Any, Wire]]) -> None:
    client, wire = make()
    provider = Sdk(client, "m")

    raw = asyncio.run(provider.send(ASKED, timeout_s=5))
    reading = provider.read(ASKED, raw)

    assert (reading.texts, reading.finish_reasons, len(wire.heard)) == (("hello",), ("stop",), 1)
    assert reading.usage is not None
    assert reading.usage.input_tokens == 5


@pytest.mark.parametrize(
    ("make", "url"),
    [
        pytest.param(openai_client, "https://api.openai.com/v1/chat/completions", id="openai"),
        pytest.param(
            azure_client,
            "https://me.openai.azure.com/openai/deployments/m/chat/completions?api-version=2025-01-01",
            id="azure",
        ),
        pytest.param(anthropic_client, "https://api.anthropic.com/v1/messages", id="anthropic"),
        pytest.param(
            vertex_client,
            "https://europe-west1-aiplatform.googleapis.com/v1/projects/mine/locations/europe-west1/"
            "publishers/anthropic/models/m:rawPredict",
            id="vertex",
        ),
    ],
)
def test_the_client_makes_the_address(make: Callable[[], tuple[Any, Wire]], url: str) -> None:
    client, wire = make()

    sent(client)

    assert [str(request.url) for request in wire.heard] == [url]


def test_the_body_is_that_of_our_own_wire() -> None:
    client, wire = openai_client()

    sent(client, Request.user("x", n=2, seed=3, stop=("y",), temperature=0.5, schema={"type": "object"}))

    asked = Request.user("x", n=2, seed=3, stop=("y",), temperature=0.5, schema={"type": "object"})
    assert json.loads(wire.heard[0].content) == body_of(asked, model="m", official=True)


def test_azure_is_told_the_cap_under_its_new_name() -> None:
    client, wire = azure_client()

    sent(client)

    body = json.loads(wire.heard[0].content)
    assert body["max_completion_tokens"] == 20
    assert "max_tokens" not in body
    assert "service_tier" not in body


def test_under_the_newest_version_no_temperature_may_be_sent_and_an_older_one_can_be_named() -> None:
    hot = Request.user("x", temperature=0.5)
    client, wire = anthropic_client()

    with pytest.raises(RequestFailed, match="no temperature may be sent"):
        sent(client, hot)
    assert sent(client, hot, version="2023-06-01").status == 200
    assert wire.heard[0].headers["anthropic-version"] == "2023-06-01"

    client, wire = vertex_client()
    sent(client, hot, version="vertex-2023-10-16", capabilities=Anthropic("m", clock=SystemClock()).capabilities)
    assert json.loads(wire.heard[0].content)["anthropic_version"] == "vertex-2023-10-16"


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(
    ("status", "kind"),
    [(429, Kind.RATE), (500, Kind.TRANSIENT), (529, Kind.OVERLOAD), (401, Kind.AUTH), (307, Kind.CONFIG)],
)
def test_an_error_comes_back_raw_after_one_attempt(
    make: Callable[[Handler], tuple[Any, Wire]], status: int, kind: Kind
) -> None:
    headers = {"retry-after": "7", "location": "https://elsewhere.example/"}
    client, wire = make(lambda _: httpx2.Response(status, headers=headers, json={"error": {"message": "no"}}))

    raw = sent(client)

    verdict = classify(raw)
    assert verdict is not None
    assert (raw.status, verdict.kind, len(wire.heard)) == (status, kind, 1)
    assert raw.headers["retry-after"] == "7"


@pytest.mark.parametrize("make", CLIENTS)
def test_a_body_that_is_no_reply_is_a_fact_for_the_reader(make: Callable[[Handler], tuple[Any, Wire]]) -> None:
    client, _ = make(lambda _: httpx2.Response(200, text="<html>"))

    assert sent(client).body == b"<html>"


def raising(error: type[httpx2.RequestError]) -> Handler:
    def answer(request: httpx2.Request) -> httpx2.Response:
        raise error(f"said with {KEY}", request=request)

    return answer


@pytest.mark.parametrize("make", CLIENTS)
@pytest.mark.parametrize(
    ("error", "kind", "left"),
    [
        (httpx2.ConnectError, ConnectionFailed, False),
        (httpx2.ReadError, ConnectionFailed, True),
        (httpx2.RemoteProtocolError, ConnectionFailed, True),
        (httpx2.ReadTimeout, AttemptTimedOut, True),
    ],
)
def test_a_broken_connection_is_told_without_the_key(
    make: Callable[[Handler], tuple[Any, Wire]],
    error: type[httpx2.RequestError],
    kind: type[TransportFailure],
    left: bool,
) -> None:
    client, _ = make(raising(error))

    with pytest.raises(kind) as caught:
        sent(client)

    assert caught.value.sent is left
    assert KEY not in "".join(traceback.format_exception(caught.value))
    assert caught.value.__context__ is None


def test_an_attempt_has_a_deadline_whatever_the_client_waits_for() -> None:
    class Silent(httpx2.AsyncBaseTransport):
        async def handle_async_request(self, _: httpx2.Request) -> httpx2.Response:
            await asyncio.sleep(1e6)
            raise AssertionError("unreachable")

    client = anthropic.AsyncAnthropic(api_key=KEY, http_client=httpx2.AsyncClient(transport=Silent()))

    with pytest.raises(AttemptTimedOut, match="no complete reply within 9 s"):
        virtual_time.run(Sdk(client, "m").send(ASKED, timeout_s=9))


@pytest.mark.parametrize("make", CLIENTS)
def test_the_key_is_part_of_nothing_that_is_shown_or_kept(make: Callable[[Handler], tuple[Any, Wire]]) -> None:
    client, _ = make(lambda request: httpx2.Response(401, text=f"bad key {request.headers}"))
    provider = Sdk(client, "m")

    shown = f"{provider!r} {provider.name} {provider.endpoint} {provider.account}"

    assert KEY not in shown
    if client.__class__.__name__ != "AsyncAnthropicVertex":  # its token is not the client's own key
        assert KEY.encode() not in asyncio.run(provider.send(ASKED, timeout_s=5)).body


def test_a_client_without_credentials_refuses_everything() -> None:
    class Bare(anthropic.AsyncAnthropic):
        pass

    wire = Wire(message)
    client = Bare(api_key=KEY, http_client=wire.client())
    client.api_key = None

    async def main() -> None:
        async with Engine(Sdk(client, "claude-haiku-4-5"), budget=Budget(usd=1)) as engine:
            await engine.ask(ASKED)

    with pytest.raises(AuthenticationRefused, match="the client refuses to send"):
        virtual_time.run(main())
    assert not wire.heard


def test_a_missing_package_of_the_clients_stops_everything() -> None:
    if importlib.util.find_spec("botocore"):
        pytest.skip("botocore is installed here")
    client = anthropic.AsyncAnthropicBedrock(aws_access_key="a", aws_secret_key="b", aws_region="us-east-1")

    async def main() -> None:
        async with Engine(Sdk(client, "claude"), price=FREE) as engine:
            await engine.ask(ASKED)

    with pytest.raises(ConfigurationRefused, match=r"the client cannot be used: .*botocore"):
        virtual_time.run(main())


def test_the_list_price_counts_at_the_services_own_address_alone() -> None:
    official, _ = openai_client()
    elsewhere = openai.AsyncOpenAI(api_key=KEY, base_url="https://llm.example.org/v1")

    assert Sdk(official, "gpt-5.4-mini").price is not None
    assert Sdk(elsewhere, "gpt-5.4-mini").price is None


def test_an_engine_answers_with_a_client() -> None:
    client, wire = openai_client()

    async def main() -> tuple[str, str]:
        async with Engine(Sdk(client, "gpt-5.4-mini"), budget=Budget(usd=1)) as engine:
            return (await engine.ask(ASKED)).text, engine.model

    assert virtual_time.run(main()) == ("hello", "sdk/openai/gpt-5.4-mini")
    assert len(wire.heard) == 1


@pytest.mark.parametrize(
    "given",
    [openai.OpenAI(api_key="x"), "openai", object(), anthropic.Anthropic(api_key="x")],
    ids=["openai", "a name", "an object", "anthropic"],
)
def test_what_is_no_asynchronous_client_is_refused(given: object) -> None:
    with pytest.raises(UserError, match="give an asynchronous one"):
        Sdk(given, "m")


def test_plain_http_is_for_this_machine_only_here_too() -> None:
    with pytest.raises(UserError, match="plain http"):
        Sdk(openai.AsyncOpenAI(api_key="x", base_url="http://example.org/v1"), "m")


def test_a_cloud_by_name_is_made_from_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)
    monkeypatch.setenv("OPENAI_API_VERSION", "2025-01-01")

    provider = resolve("sdk/azure/mine", base_url="https://me.openai.azure.com", clock=SystemClock())

    assert provider.name == "sdk/azure/mine"
    assert provider.endpoint == "https://me.openai.azure.com/openai openai-sdk mine"
    asyncio.run(provider.aclose())


@pytest.mark.parametrize(
    ("name", "reason"),
    [("sdk/azur/x", "there are: sdk/azure/NAME"), ("sdk/azure", "no such service"), ("sdk/vertex/x", "region")],
)
def test_a_cloud_that_cannot_be_asked_is_one_line(name: str, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLOUD_ML_REGION", raising=False)

    with pytest.raises(UserError, match=reason) as caught:
        resolve(name, clock=SystemClock())

    assert "\n" not in str(caught.value)


def test_a_system_message_goes_where_the_dialect_has_it() -> None:
    client, wire = anthropic_client()

    sent(client, Request(messages=(Message("system", "Be brief."), Message("user", "Hi"))))

    assert json.loads(wire.heard[0].content)["system"] == "Be brief."


def test_names_and_identities_differ_from_our_own_wire() -> None:
    """The same question through another client is another question: its defaults are the client's."""
    client, _ = openai_client()

    assert Sdk(client, "m").endpoint != OpenAI("m", api_key=KEY, clock=SystemClock()).endpoint


@pytest.mark.slow
@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_over_http_with_errors_every_row_is_answered_and_paid_once(dialect: str) -> None:
    """The server's own books agree with ours, whatever it broke on the way."""

    async def main() -> tuple[int, int, int]:
        async with FakeProvider(EchoWorld(), faults=FaultRates(error=0.2), latency_s=0.001, api_key=KEY) as fake:
            root = fake.url.removesuffix("/v1")
            client: Any = (
                openai.AsyncOpenAI(api_key=KEY, base_url=fake.url)
                if dialect == "openai"
                else anthropic.AsyncAnthropic(api_key=KEY, base_url=root)
            )
            price = Price(input=1, output=1)
            async with Engine(Sdk(client, "echo"), budget=Budget(usd=1), price=price) as engine:
                asked = (Request.user(f"row {number}", max_tokens=20) for number in range(30))
                outcomes = [outcome async for outcome in engine.map(asked)]
            await client.close()
            retried = sum(outcome.reply.attempts - 1 for outcome in outcomes if outcome.reply)
            return sum(outcome.reply is not None for outcome in outcomes), retried, len(fake.audit.entries)

    answered, retried, heard = asyncio.run(main())

    assert answered == 30
    assert retried > 0
    assert heard == 30 + retried
