"""The fake provider's other endpoints, over HTTP: control while it serves, counting tokens; and what its audit says."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import aiohttp
import orjson
import pytest

from engine.fakes import virtual_time
from engine.fakes.audit import fingerprint
from engine.fakes.behaviour import Behaviour
from engine.fakes.rules import Rule, When
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import SIMULATED_HEADER
from tests.engine.fake_requests import CHAT, MESSAGE, VERSION


class Client:
    """Calls by method and path; what comes back is a status and JSON."""

    def __init__(self, fake: FakeProvider, session: aiohttp.ClientSession) -> None:
        self.fake = fake
        self._session = session

    async def call(self, method: str, path: str, body: object = None, **headers: str) -> tuple[int, Any]:
        data = body if isinstance(body, bytes) else None if body is None else orjson.dumps(body)
        url = f"{self.fake.url.removesuffix('/v1')}{path}"
        async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as response:
            return response.status, await response.json()

    async def chat(self, **changes: Any) -> int:
        status, _ = await self.call("POST", "/v1/chat/completions", {**CHAT, **changes}, authorization="Bearer sk-key")
        return status


def with_client(work: Callable[[Client], Awaitable[None]], **behaviour: Any) -> FakeProvider:
    async def main() -> FakeProvider:
        async with FakeProvider(EchoWorld(), **behaviour) as fake, aiohttp.ClientSession() as session:
            await work(Client(fake, session))
            return fake

    return virtual_time.run(main())


def test_rules_may_come_and_go_while_it_serves() -> None:
    async def work(client: Client) -> None:
        assert await client.chat() == 200
        status, told = await client.call(
            "PATCH", "/control/behaviour", {"rules": [{"do": "529-overloaded", "when": {"first": 1}}]}
        )
        assert (status, told["rules"]) == (200, [{"do": "529-overloaded", "when": {"first": 1, "from_s": 0.0}}])
        assert [await client.chat() for _ in range(2)] == [529, 200]
        assert (await client.call("GET", "/control/behaviour")) == (200, told)
        status, told = await client.call("PUT", "/control/behaviour", {"limits": {"rpm": 60}})
        assert (status, told["rules"], told["limits"]["rpm"]) == (200, [], 60)
        assert [await client.chat() for _ in range(2)] == [200, 429]

    fake = with_client(work)
    assert fake.behaviour.limits.rpm == 60
    assert [entry.status for entry in fake.audit.entries] == [200, 529, 200, 200, 429]


def test_a_reset_forgets_everything_but_the_behaviour() -> None:
    async def work(client: Client) -> None:
        assert [await client.chat() for _ in range(3)] == [401, 200, 200]
        batch = {"requests": [{"custom_id": "a", "params": MESSAGE}]}
        assert (await client.call("POST", "/v1/messages/batches", batch, **VERSION))[0] == 200
        status, told = await client.call("POST", "/control/reset")
        assert (status, len(told["rules"])) == (200, 1)
        assert (client.fake.audit.billed, len(client.fake.audit.entries), len(client.fake.jobs.jobs)) == (0, 0, 0)
        assert [await client.chat() for _ in range(3)] == [401, 200, 200]

    with_client(work, rules=(Rule("401-key", When(first=1)),))


def test_a_reset_in_the_middle_of_a_request_leaves_the_books_whole() -> None:
    async def work(client: Client) -> None:
        slow = asyncio.create_task(client.chat())
        await asyncio.sleep(1)
        assert client.fake.audit.in_flight == 1
        client.fake.reset()
        assert await slow == 200

    fake = with_client(work, latency_s=5.0)
    assert (fake.audit.in_flight, fake.audit.high_water) == (0, 0)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "complaint"),
    [
        ("PATCH", "behaviour", b"{", 400, "the body must be JSON"),
        ("PUT", "behaviour", {"rules": [{"do": "hangs"}]}, 400, "did you mean 'hang'?"),
        ("PATCH", "behaviour", {"limits": {"rpm": "many"}}, 400, "limits: rpm must be a whole number or null"),
        ("GET", "nothing", None, 404, "there is no GET /control/nothing"),
        ("POST", "behaviour", {}, 404, "there is no POST /control/behaviour"),
        ("GET", "reset", None, 404, "there is no GET /control/reset"),
    ],
)
def test_what_cannot_be_meant_is_one_line_and_changes_nothing(
    method: str, path: str, body: object, status: int, complaint: str
) -> None:
    async def work(client: Client) -> None:
        found, told = await client.call(method, f"/control/{path}", body)
        assert found == status
        assert complaint in told["error"]
        assert "\n" not in told["error"]

    assert with_client(work, seed=3).behaviour == Behaviour(seed=3)


def test_the_control_plane_lists_what_rules_can_do_and_is_in_no_audit() -> None:
    async def work(client: Client) -> None:
        status, told = await client.call("GET", "/control/mishaps")
        assert (status, told["delays"]["hang"]["with"]) == (200, {})

    assert with_client(work).audit.entries == []


def test_tokens_are_counted_in_both_dialects_as_they_are_billed() -> None:
    async def work(client: Client) -> None:
        turns = [{"role": "user", "content": "hello, how are you?"}]
        counted = [
            await client.call("POST", "/v1/messages/count_tokens", {"model": "m", "messages": turns}, **VERSION),
            await client.call("POST", "/v1/responses/input_tokens", {"model": "m", "input": "hello, how are you?"}),
            await client.call("POST", "/v1/responses/input_tokens", {"model": "m", "input": turns}),
        ]
        assert counted == [
            (200, {"input_tokens": 5}),
            *[(200, {"object": "response.input_tokens", "input_tokens": 5})] * 2,
        ]
        _, answered = await client.call("POST", "/v1/messages", {**MESSAGE, "messages": turns}, **VERSION)
        assert answered["usage"]["input_tokens"] == 5

    audit = with_client(work).audit
    assert [entry.cost > 0 for entry in audit.entries] == [False, False, False, True]
    assert audit.entries[0].path == "/v1/messages/count_tokens"


@pytest.mark.parametrize(
    ("path", "body", "headers", "complaint"),
    [
        ("messages/count_tokens", {"model": "m"}, VERSION, "messages: Field required"),
        ("messages/count_tokens", {**MESSAGE}, VERSION, "max_tokens: Extra inputs are not permitted"),
        ("messages/count_tokens", {"model": "m", "messages": []}, {}, "anthropic-version: header is required"),
        ("responses/input_tokens", {"model": "m"}, {}, "Missing required parameter: 'input'."),
        ("responses/input_tokens", {"model": "m", "input": "x", "n": 2}, {}, "Unknown parameter: 'n'."),
        ("responses/input_tokens", {"input": "x"}, {}, "you must provide a model parameter"),
        ("responses/input_tokens", {"model": "m", "input": [{"type": "function_call"}]}, {}, "only messages"),
    ],
)
def test_counting_is_as_strict_as_answering(path: str, body: object, headers: dict[str, str], complaint: str) -> None:
    async def work(client: Client) -> None:
        status, told = await client.call("POST", f"/v1/{path}", body, **headers)
        assert status == 400
        assert complaint in told["error"]["message"]

    with_client(work)


def test_counting_has_a_limit_and_a_key_check_of_its_own() -> None:
    async def work(client: Client) -> None:
        async def count(key: str) -> int:
            body = {"model": "m", "input": "x"}
            return (await client.call("POST", "/v1/responses/input_tokens", body, authorization=f"Bearer {key}"))[0]

        assert [await count(key) for key in ("sk-key", "sk-key", "other")] == [200, 429, 401]
        assert await client.chat() == 200

    with_client(work, count_rpm=60, api_key="sk-key")


def test_a_quota_ends_batches_too() -> None:
    async def work(client: Client) -> None:
        assert [await client.chat() for _ in range(2)] == [200, 429]
        batch = {"requests": [{"custom_id": "a", "params": MESSAGE}]}
        status, told = await client.call("POST", "/v1/messages/batches", batch, **VERSION)
        assert (status, told["error"]["type"]) == (400, "invalid_request_error")
        assert "credit balance is too low" in told["error"]["message"]

    with_client(work, quota_usd=1e-6)


def test_the_audit_knows_arrivals_keys_and_what_never_was_read() -> None:
    async def work(client: Client) -> None:
        assert await client.chat() == 200
        with pytest.raises(aiohttp.ClientError):
            await client.chat()
        await asyncio.sleep(3)
        assert (await client.call("POST", "/v1/elsewhere", {}, authorization="Bearer sk-key"))[0] == 404
        status, told = await client.call("GET", "/control/audit?since=1")
        assert (status, told["requests"], told["in_flight_high_water"]) == (200, 3, 1)
        assert [entry["number"] for entry in told["entries"]] == [1, 2]

    audit = with_client(work, rules=(Rule("reset_unread", When(nth=2)),)).audit
    lost, elsewhere = audit.entries[1:]
    assert (lost.fault, lost.status, lost.cost) == ("reset_unread", 0, 0)
    assert (elsewhere.path, elsewhere.at) == ("/v1/elsewhere", 3.0)
    assert {entry.key for entry in audit.entries} == {fingerprint("sk-key")}


def test_who_gives_up_is_in_flight_no_more() -> None:
    async def work(client: Client) -> None:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(7):
                await client.chat()
        await asyncio.sleep(0.1)
        assert client.fake.audit.in_flight == 0
        assert await client.chat() == 200

    assert with_client(work, rules=(Rule("hang", When(first=1)),)).audit.high_water == 1


def test_a_shut_door_lets_nobody_in_and_opens_again() -> None:
    async def work(client: Client) -> None:
        with pytest.raises(aiohttp.ClientError):
            await client.chat()
        await asyncio.sleep(1)
        with pytest.raises(aiohttp.ClientConnectorError):
            await client.call("GET", "/control/audit")
        await asyncio.sleep(4.5)
        assert await client.chat() == 200

    rule = Rule("refuse", When(first=1), {"seconds": 5.0})
    assert [entry.fault for entry in with_client(work, rules=(rule,)).audit.entries] == ["refuse", None]


def test_a_door_that_is_shut_for_good_stays_so() -> None:
    async def work(client: Client) -> None:
        with pytest.raises(aiohttp.ClientError):
            await client.chat()

    with_client(work, rules=(Rule("refuse", settings={"seconds": 1e6}),))


def test_headers_are_set_and_taken_away_by_any_rule_and_a_simulation_stays_one() -> None:
    async def heads(fake: FakeProvider) -> list[dict[str, str]]:
        async with aiohttp.ClientSession() as session:
            found = []
            for _ in range(2):
                async with session.post(f"{fake.url}/chat/completions", json=CHAT) as response:
                    found.append(dict(response.headers))
            return found

    async def main() -> list[dict[str, str]]:
        rules = (
            Rule("500-server", When(first=1), headers={"x-should-retry": "false", "x-request-id": None}),
            Rule("headers_absent"),
        )
        async with FakeProvider(EchoWorld(), rules=rules) as fake:
            return await heads(fake)

    refused, bare = virtual_time.run(main())
    assert refused["x-should-retry"] == "false"
    assert "x-request-id" not in refused
    assert bare[SIMULATED_HEADER] == "1"
    assert "x-request-id" not in bare
