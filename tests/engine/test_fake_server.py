"""The fake provider over HTTP: both dialects on one port, its faults repeatable, its ledger true."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import orjson
import pytest

from engine.clock import SystemClock
from engine.errors import UserError
from engine.fakes.audit import fingerprint
from engine.fakes.dialect import Dialect
from engine.fakes.faults import FaultRates, drawn
from engine.fakes.limits import RateLimits
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import RawReply, Request
from engine.providers import ConnectionFailed
from engine.providers.openai import OpenAI
from tests.engine.fake_requests import ANTHROPIC, CHAT, MESSAGE, OPENAI, VERSION, ask, service


def test_faults_are_a_function_of_seed_request_and_sighting() -> None:
    rates = FaultRates(error=0.3, reset=0.2)
    one = [drawn(rates, seed=1, body=b"%d" % number, sighting=1) for number in range(300)]

    assert one == [drawn(rates, seed=1, body=b"%d" % number, sighting=1) for number in range(300)]
    assert one != [drawn(rates, seed=2, body=b"%d" % number, sighting=1) for number in range(300)]
    assert one != [drawn(rates, seed=1, body=b"%d" % number, sighting=2) for number in range(300)]
    assert 60 < one.count("error") < 120
    assert 35 < one.count("reset") < 85
    assert set(one) == {"error", "reset", None}


def test_the_order_of_arrival_does_not_move_the_faults() -> None:
    bodies = [[{"role": "user", "content": str(number)}] for number in range(40)]
    forth, back = (service(faults=FaultRates(error=0.5), seed=5) for _ in range(2))

    statuses = [ask(forth, messages=messages).status for messages in bodies]

    assert [ask(back, messages=messages).status for messages in reversed(bodies)] == statuses[::-1]
    assert set(statuses) == {200, 500}


@pytest.mark.parametrize("rates", [{"error": -0.1}, {"error": 1.1}, {"error": 0.6, "stall": 0.6}])
def test_rates_that_are_no_shares_are_refused(rates: dict[str, float]) -> None:
    with pytest.raises(UserError, match="rate"):
        FaultRates(**rates)


@pytest.mark.parametrize(
    ("fault", "dialect", "status", "is_billed"),
    [
        ("error", OPENAI, 500, False),
        ("error", ANTHROPIC, 500, False),
        ("overloaded", OPENAI, 503, False),
        ("overloaded", ANTHROPIC, 529, False),
        ("too_fast", OPENAI, 429, False),
        ("too_fast", ANTHROPIC, 429, False),
        ("error_under_200", OPENAI, 200, False),
        ("garbled", OPENAI, 200, True),
        ("truncated", ANTHROPIC, 200, True),
        ("reset", OPENAI, 200, True),
        ("stall", OPENAI, 200, True),
    ],
)
def test_work_that_was_done_is_billed(fault: str, dialect: Dialect, status: int, is_billed: bool) -> None:
    target = service(faults=FaultRates(**{fault: 1.0}), stall_s=30, latency_s=2, latency_scale=0.5)
    served = ask(target, dialect)

    assert served.status == status
    assert (target.audit.billed > 0) == is_billed
    assert served.delay_s == (31 if fault == "stall" else 1 if is_billed else 0)
    assert served.ending == (fault if fault in {"reset", "truncated"} else "whole")
    assert target.audit.entries[0].fault == fault


def test_the_ledger_is_true_and_holds_no_key() -> None:
    target = service(limits=RateLimits(tpm=60))
    ask(target, headers={"authorization": "Bearer sk-secret"}, max_tokens=40)
    ask(target, max_tokens=40)

    record = target.audit.as_record()

    assert target.audit.billed == 2 * 250_000 + 2 * 2_000_000  # 2 tokens in, 2 out, at 0.25 and 2 USD per million
    assert target.audit.billed_usd == pytest.approx(4.5e-6)
    assert (target.audit.count(200), target.audit.count(429)) == (1, 1)
    assert (record["requests"], record["by_status"]) == (2, {"200": 1, "429": 1})
    assert target.audit.entries[0].key == fingerprint("sk-secret")
    assert target.audit.entries[0].tokens_charged == 42
    assert b"sk-secret" not in orjson.dumps(record)


def client(fake: FakeProvider) -> OpenAI:
    return OpenAI("m", base_url=fake.url, api_key="sk-test", clock=SystemClock())


def test_both_dialects_and_the_control_plane_share_a_port() -> None:
    async def main() -> list[tuple[int, Any]]:
        async with FakeProvider(EchoWorld()) as fake, aiohttp.ClientSession() as session:
            asked = [
                session.post(f"{fake.url}/chat/completions", json=CHAT),
                session.post(f"{fake.url}/messages", json=MESSAGE, headers=VERSION),
                session.get(f"{fake.url}/models"),
                session.get(f"{fake.url}/models", headers=VERSION),
                session.post(f"{fake.url}/nowhere", json={}),
                session.get(f"{fake.url}/nowhere", headers=VERSION),
                session.get(fake.url.replace("/v1", "/control/audit?since=1")),
            ]
            found = []
            for request in asked:
                async with request as response:
                    found.append((response.status, await response.json()))
            return found

    chat, message, models, anthropic_models, lost, anthropic_lost, audit = asyncio.run(main())
    assert (chat[0], chat[1]["object"]) == (200, "chat.completion")
    assert (message[0], message[1]["type"]) == (200, "message")
    assert models[1]["data"][0]["id"] == anthropic_models[1]["data"][0]["id"] == "echo"
    assert (lost[0], lost[1]["error"]["type"]) == (404, "invalid_request_error")
    assert (anthropic_lost[0], anthropic_lost[1]["error"]["type"]) == (404, "not_found_error")
    assert (audit[1]["requests"], audit[1]["in_flight"]) == (6, 0)
    assert [entry["number"] for entry in audit[1]["entries"]] == [1, 2, 3, 4, 5]


def test_a_body_beyond_all_bounds_is_refused() -> None:
    async def main() -> int:
        async with FakeProvider(EchoWorld()) as fake:
            provider = client(fake)
            raw = await provider.send(Request.user("x" * (33 * 2**20)), timeout_s=30)
            await provider.aclose()
            return raw.status

    assert asyncio.run(main()) == 413


def test_what_is_in_flight_is_counted_and_answers_come_late_as_told() -> None:
    async def main() -> FakeProvider:
        async with FakeProvider(EchoWorld(latency_s=100), latency_scale=0.0005) as fake:
            provider = client(fake)
            sends = (provider.send(Request.user(f"{number}"), timeout_s=30) for number in range(8))
            replies: list[RawReply] = await asyncio.gather(*sends)
            await provider.aclose()
            assert min(reply.latency_s for reply in replies) >= 0.05
            assert fake.audit.in_flight == 0
            return fake

    fake = asyncio.run(main())
    assert fake.audit.high_water == 8
    assert repr(fake) == f"<FakeProvider at {fake.url} [Requests: 8, 0 in flight]>"


@pytest.mark.parametrize("fault", ["reset", "truncated"])
def test_a_broken_connection_breaks_for_the_client_and_not_for_the_server(fault: str) -> None:
    async def main() -> int:
        async with FakeProvider(EchoWorld(), faults=FaultRates(**{fault: 1.0})) as fake:
            provider = client(fake)
            for _ in range(3):
                with pytest.raises(ConnectionFailed) as caught:
                    await provider.send(Request.user("hello"), timeout_s=5)
                assert caught.value.sent
            await provider.aclose()
            return fake.audit.high_water

    assert asyncio.run(main()) == 1


def test_a_taken_port_is_one_clear_line() -> None:
    async def main() -> None:
        async with FakeProvider(EchoWorld()) as fake, FakeProvider(EchoWorld(), port=fake.port):
            pass

    with pytest.raises(UserError, match=r"port \d+ cannot be served on \(.*\); choose another"):
        asyncio.run(main())


@pytest.mark.parametrize(
    "options",
    [
        {"latency_s": -1.0},
        {"latency_sigma": float("nan")},
        {"quota_usd": -0.01},
        {"context_tokens": 0},
        {"count_rpm": 0},
    ],
)
def test_behaviour_that_cannot_be_is_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        FakeProvider(EchoWorld(), **options)
