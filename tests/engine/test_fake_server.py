"""The fake provider: as strict as the real ones, its limits exact, its faults repeatable, its ledger true."""

from __future__ import annotations

import asyncio
import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.clock import SystemClock
from engine.errors import UserError
from engine.fakes.anthropic_side import AnthropicSide
from engine.fakes.audit import fingerprint
from engine.fakes.dialect import Dialect
from engine.fakes.faults import FaultRates, drawn
from engine.fakes.limits import Charge, Gate, RateLimits
from engine.fakes.openai_side import OpenAISide, go_duration
from engine.fakes.server import FakeProvider
from engine.fakes.service import Behaviour, Change, Moment, Served, Service
from engine.fakes.worlds import EchoWorld
from engine.messages import RawReply, Request
from engine.providers import ConnectionFailed
from engine.providers.openai import OpenAI

OPENAI, ANTHROPIC = OpenAISide(), AnthropicSide()
VERSION = {"anthropic-version": "2023-06-01"}
CHAT: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "hello"}]}
MESSAGE: dict[str, Any] = {**CHAT, "max_tokens": 20}
ONE = Charge(input_tokens=1, output_allowed=1)


def service(**behaviour: Any) -> Service:
    return Service(EchoWorld(), Behaviour(**behaviour))


def ask(
    target: Service, dialect: Dialect = OPENAI, *, at: float = 0.0, headers: Mapping[str, str] = VERSION, **changes: Any
) -> Served:
    """One request to a service, over and done with."""
    body = {**(CHAT if dialect is OPENAI else MESSAGE), **changes}
    served = target.serve(dialect, headers, orjson.dumps(body), Moment(at, 1_795_000_000.0 + at))
    target.audit.leave()
    return served


# What it answers


def test_the_answer_does_not_depend_on_what_was_asked_before() -> None:
    fresh, busy = service(), service()
    for number in range(5):
        ask(busy, messages=[{"role": "user", "content": f"other {number}"}])

    first, later = orjson.loads(ask(fresh).body), orjson.loads(ask(busy).body)

    assert first["choices"] == later["choices"]
    assert first["usage"] == later["usage"]
    assert first["id"] != later["id"]


def test_any_model_name_is_answered_to_and_echoed() -> None:
    assert orjson.loads(ask(service(), model="gpt-anything").body)["model"] == "gpt-anything"


def test_parts_and_the_developer_role_are_understood() -> None:
    messages = [
        {"role": "developer", "content": "Echo."},
        {"role": "user", "content": [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]},
    ]
    body = orjson.loads(ask(service(), messages=messages, n=2, stop="l").body)

    assert [choice["message"]["content"] for choice in body["choices"]] == ["he", "he"]
    assert body["usage"]["prompt_tokens"] == 4


def test_an_answer_is_cut_at_the_cap() -> None:
    messages = [{"role": "user", "content": "x" * 100}]

    assert orjson.loads(ask(service(), messages=messages, max_tokens=5).body)["choices"][0]["finish_reason"] == "length"
    assert orjson.loads(ask(service(), ANTHROPIC, messages=messages, max_tokens=5).body)["stop_reason"] == "max_tokens"


def test_a_stop_sequence_is_named_in_messages() -> None:
    body = orjson.loads(ask(service(), ANTHROPIC, stop_sequences=["l"], system="Echo.").body)

    assert (body["stop_reason"], body["stop_sequence"], body["content"][0]["text"]) == ("stop_sequence", "l", "he")


# What it refuses


@pytest.mark.parametrize(
    ("changes", "param", "code"),
    [
        ({"frobnicate": 1}, "frobnicate", "unknown_parameter"),
        ({"tools": [{}]}, "tools", "unsupported_parameter"),
        ({"stream": True}, "stream", "unsupported_parameter"),
        ({"temperature": 2.5}, "temperature", "decimal_above_max_value"),
        ({"temperature": -1}, "temperature", "decimal_below_min_value"),
        ({"temperature": "hot"}, "temperature", "invalid_type"),
        ({"temperature": True}, "temperature", "invalid_type"),
        ({"n": 0}, "n", "integer_below_min_value"),
        ({"n": 129}, "n", "integer_above_max_value"),
        ({"n": 1.5}, "n", "invalid_type"),
        ({"max_tokens": 0}, "max_tokens", "integer_below_min_value"),
        ({"max_tokens": 1, "max_completion_tokens": 1}, "max_tokens", "invalid_parameter_combination"),
        ({"messages": None}, "messages", "missing_required_parameter"),
        ({"messages": "hello"}, "messages", "invalid_type"),
        ({"messages": []}, "messages", "empty_array"),
        ({"messages": ["hello"]}, "messages[0]", "invalid_type"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "messages[0].role", "invalid_value"),
        ({"messages": [{"role": "user", "content": 1}]}, "messages[0].content", "invalid_type"),
        ({"stop": list("abcde")}, "stop", "array_above_max_length"),
        ({"stop": [1]}, "stop", "invalid_type"),
        ({"model": ""}, None, None),
    ],
)
def test_openai_refuses_what_it_does_not_know(changes: dict[str, Any], param: str | None, code: str | None) -> None:
    served = ask(service(), **changes)
    error = orjson.loads(served.body)["error"]

    assert (served.status, error["type"]) == (400, "invalid_request_error")
    assert (error["param"], error["code"]) == (param, code)
    assert error["message"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"max_tokens": None}, "max_tokens: Field required"),
        ({"max_tokens": 0}, "max_tokens: Input should be greater than or equal to 1"),
        ({"max_tokens": "9"}, "max_tokens: Input should be a valid integer"),
        ({"n": 2}, "n: Extra inputs are not permitted"),
        ({"seed": 2}, "seed: Extra inputs are not permitted"),
        ({"stream": True}, "stream: not offered"),
        ({"temperature": 1.5}, "temperature: range: 0..1"),
        ({"temperature": "hot"}, "temperature: Input should be a valid number"),
        ({"model": None}, "model: Field required"),
        ({"model": 1}, "model: Input should be a valid string"),
        ({"messages": []}, "messages: at least one message is required"),
        ({"messages": [{"role": "system", "content": "x"}]}, "messages.0.role: Input should be"),
        ({"messages": [{"role": "assistant", "content": "x"}]}, 'messages: first message must use the "user" role'),
        ({"messages": [{"role": "user", "content": ""}]}, "messages.0: all messages must have non-empty content"),
        ({"messages": [{"role": "user", "content": "x", "name": "y"}]}, "messages.0.name: Extra inputs"),
        ({"system": 1}, "system: Input should be"),
        ({"stop_sequences": "x"}, "stop_sequences: Input should be a valid list"),
        ({"stop_sequences": [" "]}, "stop_sequences: each stop sequence must contain non-whitespace"),
    ],
)
def test_anthropic_refuses_what_it_does_not_know(changes: dict[str, Any], message: str) -> None:
    served = ask(service(), ANTHROPIC, **changes)
    body = orjson.loads(served.body)

    assert (served.status, body["type"], body["error"]["type"]) == (400, "error", "invalid_request_error")
    assert body["error"]["message"].startswith(message)
    assert body["request_id"] == served.headers["request-id"]


@pytest.mark.parametrize(
    ("headers", "changes", "message"),
    [
        ({}, {}, "anthropic-version: header is required"),
        ({"anthropic-version": "2020-01-01"}, {}, 'anthropic-version: "2020-01-01" is not a valid version'),
        ({"anthropic-version": "2026-10-21"}, {"temperature": 1.0}, "temperature: sampling parameters"),
    ],
)
def test_the_anthropic_version_is_checked(headers: dict[str, str], changes: dict[str, Any], message: str) -> None:
    served = ask(service(), ANTHROPIC, headers=headers, **changes)

    assert served.status == 400
    assert message in orjson.loads(served.body)["error"]["message"]


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": NaN}', b"\xff", b"[" * 9999])
def test_what_is_no_json_is_refused(dialect: Dialect, body: bytes) -> None:
    assert service().serve(dialect, VERSION, body, Moment(0, 0)).status == 400


@pytest.mark.parametrize("dialect", [OPENAI, ANTHROPIC], ids=["openai", "anthropic"])
@settings(deadline=None)
@given(
    changes=st.dictionaries(
        st.sampled_from(["model", "messages", "max_tokens", "temperature", "n", "stop", "stop_sequences", "system"]),
        st.none()
        | st.booleans()
        | st.integers(-9, 9)
        | st.text(max_size=2)
        | st.lists(st.text(max_size=2), max_size=2),
    )
)
def test_no_request_breaks_the_service(dialect: Dialect, changes: dict[str, Any]) -> None:
    assert ask(service(), dialect, **changes).status in {200, 400}


@pytest.mark.parametrize(
    ("dialect", "headers", "status"),
    [
        pytest.param(OPENAI, {}, 401, id="none"),
        pytest.param(OPENAI, {"authorization": "Bearer wrong"}, 401, id="wrong"),
        pytest.param(OPENAI, {"authorization": "Bearer right"}, 200, id="right"),
        pytest.param(ANTHROPIC, {"x-api-key": "right", **VERSION}, 200, id="x-api-key"),
        pytest.param(ANTHROPIC, {"authorization": "Bearer right", **VERSION}, 200, id="bearer"),
        pytest.param(
            ANTHROPIC, {"authorization": "Bearer right", "x-api-key": "no", **VERSION}, 401, id="x-api-key wins"
        ),
    ],
)
def test_a_key_is_asked_for_when_one_is_set(dialect: Dialect, headers: dict[str, str], status: int) -> None:
    served = ask(service(api_key="right"), dialect, headers=headers)

    assert served.status == status
    assert b"wrong" not in served.body


def test_a_request_beyond_the_context_is_refused() -> None:
    target = service(context_tokens=21)

    openai = ask(target, max_tokens=20)
    anthropic = ask(target, ANTHROPIC, max_tokens=20)

    assert orjson.loads(openai.body)["error"]["code"] == "context_length_exceeded"
    assert orjson.loads(anthropic.body)["error"]["message"] == "prompt is too long: 22 tokens > 21 maximum"
    assert ask(target, max_tokens=19).status == 200


# Limits


@settings(deadline=None)
@given(
    rpm=st.integers(1, 2000),
    quantum_s=st.sampled_from([0.0, 1.0, 10.0]),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=80),
)
def test_no_minute_and_no_quantum_admits_more_than_the_limit(rpm: int, quantum_s: float, gaps: list[float]) -> None:
    gate, now, admitted = Gate(RateLimits(rpm=rpm, quantum_s=quantum_s)), 0.0, []
    for gap in gaps:
        now += gap
        if gate.admit(ONE, now=now, denied_counts=False) is None:
            admitted.append(now)

    assert len(admitted) <= rpm + now * rpm / 60 + 1e-6
    if quantum_s:
        per_window = Counter(int(at // quantum_s) for at in admitted)
        assert max(per_window.values()) <= max(1, int(rpm * quantum_s / 60))


@settings(deadline=None)
@given(limits=st.builds(RateLimits, rpm=st.integers(1, 200), tpm=st.integers(10, 500)), count=st.integers(1, 60))
def test_who_waits_as_told_is_let_in(limits: RateLimits, count: int) -> None:
    gate, now = Gate(limits), 0.0
    for _ in range(count):
        denial = gate.admit(Charge(3, 4), now=now, denied_counts=False)
        while denial is not None:  # one limit after another may be in the way
            now += denial.retry_after_s + 1e-9
            denial = gate.admit(Charge(3, 4), now=now, denied_counts=False)


def test_a_limit_that_changes_keeps_what_it_can_hold_of_what_was_saved_up() -> None:
    gate = Gate(RateLimits(rpm=600, quantum_s=0))
    gate.change(RateLimits(rpm=60, quantum_s=0), now=10.0)
    let_in = sum(gate.admit(ONE, now=10.0, denied_counts=False) is None for _ in range(100))
    assert let_in == 60

    gate.change(RateLimits(rpm=6000, quantum_s=0), now=11.0)
    assert sum(gate.admit(ONE, now=11.0, denied_counts=False) is None for _ in range(100)) == 1


def test_limits_and_weather_change_so_long_after_the_first_request() -> None:
    storm = Change(after_s=20, faults=FaultRates(overloaded=1))
    target = service(changes=(storm, Change(after_s=80, faults=FaultRates(), limits=RateLimits(rpm=60))))

    assert [ask(target, at=at).status for at in (100.0, 119.9, 120.0, 179.9, 180.0)] == [200, 200, 503, 503, 200]
    assert ask(target, at=180.1).status == 429


def test_a_service_may_keep_its_limits_to_itself() -> None:
    target = service(limits=RateLimits(rpm=60), tells_limits=False)
    served = [ask(target, at=0.0) for _ in range(2)]

    assert [each.status for each in served] == [200, 429]
    assert not [name for each in served for name in each.headers if "ratelimit" in name or "retry" in name]


def test_a_request_above_the_limit_can_never_come_in() -> None:
    denial = Gate(RateLimits(tpm=100)).admit(Charge(1, 100), now=0, denied_counts=False)

    assert denial is not None
    assert math.isinf(denial.retry_after_s)


@pytest.mark.parametrize(("tpm_charge", "taken"), [("sum", 30), ("max", 20)])
def test_tokens_are_charged_on_arrival(tpm_charge: Any, taken: int) -> None:
    gate = Gate(RateLimits(tpm=100, tpm_charge=tpm_charge))
    gate.admit(Charge(10, 20), now=0, denied_counts=False)

    assert gate.standings()[0].remaining == 100 - taken
    assert repr(gate) == f"<Gate [tokens {100 - taken}/100]>"


@pytest.mark.parametrize(("otpm_charge", "remaining"), [("actual", 93), ("reserve", 80)])
def test_output_counts_as_produced_or_as_allowed(otpm_charge: Any, remaining: int) -> None:
    gate = Gate(RateLimits(otpm=100, otpm_charge=otpm_charge))
    gate.admit(Charge(10, 20), now=0, denied_counts=False)
    gate.produced(7)

    assert gate.standings()[0].remaining == remaining


def test_output_beyond_the_limit_closes_the_gate_until_it_is_made_up_for() -> None:
    gate = Gate(RateLimits(otpm=60))
    gate.admit(ONE, now=0, denied_counts=False)
    gate.produced(90)

    denial = gate.admit(ONE, now=0, denied_counts=False)

    assert denial is not None
    assert denial.retry_after_s == pytest.approx(31)


def test_a_denied_request_counts_where_the_service_says_so() -> None:
    counting, lenient = (Gate(RateLimits(rpm=10, quantum_s=6)) for _ in range(2))
    for _ in range(4):
        counting.admit(ONE, now=0, denied_counts=True)
        lenient.admit(ONE, now=0, denied_counts=False)

    assert counting.standings()[0].remaining == 6
    assert lenient.standings()[0].remaining == 9


def test_openai_says_which_limit_in_its_own_words() -> None:
    target = service(limits=RateLimits(rpm=100, tpm=50))
    assert ask(target, max_tokens=40).status == 200

    served = ask(target, at=1.0, max_tokens=40)

    assert served.status == 429
    assert orjson.loads(served.body)["error"] == {
        "message": "Rate limit reached for m in organization org-fake on tokens per min (TPM): Limit 50, Used 42, "
        "Requested 42. Please try again in 39.8s.",
        "type": "tokens",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert served.headers["retry-after"] == "40"
    assert served.headers["x-ratelimit-limit-requests"] == "100"
    assert served.headers["x-ratelimit-remaining-requests"] == "99"
    assert served.headers["x-ratelimit-reset-requests"] == "600ms"
    assert served.headers["x-ratelimit-remaining-tokens"] == "8"
    assert served.headers["x-ratelimit-reset-tokens"] == "49.4s"


def test_openai_says_when_a_request_can_never_come_in() -> None:
    served = ask(service(limits=RateLimits(tpm=50)), max_tokens=60)
    error = orjson.loads(served.body)["error"]

    assert (served.status, error["type"]) == (429, "tokens")
    assert error["message"].startswith(
        "Request too large for m in organization org-fake on tokens per min (TPM): Limit"
    )
    assert "retry-after" not in served.headers


def test_anthropic_says_which_limit_in_its_own_words() -> None:
    target = service(limits=RateLimits(rpm=60, itpm=100_000))
    ask(target, ANTHROPIC, at=10.2)

    served = ask(target, ANTHROPIC, at=10.3)

    assert served.status == 429
    assert orjson.loads(served.body)["error"] == {
        "type": "rate_limit_error",
        "message": "This request would exceed your organization's rate limit of 60 requests per minute "
        "(org: fake, model: m).",
    }
    assert served.headers["retry-after"] == "1"
    assert served.headers["anthropic-ratelimit-requests-remaining"] == "59"
    assert served.headers["anthropic-ratelimit-requests-reset"] == "2026-11-18T11:06:51Z"
    assert served.headers["anthropic-ratelimit-input-tokens-limit"] == "100000"
    assert served.headers["anthropic-ratelimit-input-tokens-remaining"] == "100000"  # rounded to thousands


def test_without_limits_there_are_no_limit_headers() -> None:
    assert set(ask(service()).headers) == {"content-type", "x-request-id", "x-simulated-teacher"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.012, "12ms"), (1, "1s"), (8.64, "8.64s"), (60, "1m0s"), (360, "6m0s"), (3723.5, "1h2m3.5s")],
)
def test_spans_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


@pytest.mark.parametrize(
    "limits",
    [
        {"rpm": 0}, {"tpm": -1}, {"itpm": 0}, {"otpm": 0}, {"quantum_s": -1}, {"quantum_s": 61},
        {"rpm": math.nan}, {"tpm": math.inf}, {"rpm": "60"}, {"rpm": True}, {"quantum_s": math.nan},
    ],
)  # fmt: skip
def test_a_limit_that_means_nothing_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="must"):
        RateLimits(**limits)


# Faults


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


# The audit


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


# Over HTTP


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
    assert (audit[1]["requests"], audit[1]["in_flight"]) == (4, 0)
    assert [entry["number"] for entry in audit[1]["entries"]] == [1, 2, 3]


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
        {"rpm": 1, "limits": RateLimits(rpm=1)},
        {"error_rate": 0.1, "faults": FaultRates()},
        {"rpm": 0},
        {"error_rate": 2},
    ],
)
def test_options_that_contradict_themselves_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UserError):
        FakeProvider(EchoWorld(), **options)
