"""The table of errors, row by row: status, headers and body in; class, wait and bill out, in both dialects."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import NamedTuple

import pytest

from engine.errors import UnreadableReply
from engine.messages import RawReply, Request
from engine.providers.anthropic import read_message
from engine.providers.openai import read_completion
from engine.verdict import Kind, classify, classify_unreadable

INVALID = "invalid_request_error"
LIMIT = "rate_limit_error"
HTML = b"<html><head><title>Bad gateway</title></head><body>nginx</body></html>"
ASKED = Request.user("x")


class Row(NamedTuple):
    """What comes, and what it is. `billed` is None where nobody knows."""

    status: int
    body: object
    kind: Kind
    delay_s: float | None = None
    billed: bool | None = False
    everywhere: bool = False
    headers: Mapping[str, str] = {}


def o(family: str | None = None, code: str | int | None = None, message: str = "no", **more: object) -> object:
    """An error of OpenAI's."""
    return {"error": {"message": message, "type": family, "param": None, "code": code, **more}}


def a(family: str, message: str = "no", code: str | None = None) -> object:
    """An error of Anthropic's."""
    details = {} if code is None else {"details": {"error_code": code}}
    return {"type": "error", "error": {"type": family, "message": message, **details}, "request_id": "req_1"}


def failed(code: str) -> object:
    """What the responses endpoint says under 200."""
    return {"status": "failed", "error": {"code": code, "message": "no"}}


TPM = (
    "Rate limit reached for gpt-5.4-mini in organization org-1 on tokens per min (TPM): Limit 200000, Used 199990, "
    "Requested 500. Please try again in 147ms. Visit https://platform.openai.com/account/rate-limits to learn more."
)
RPD = "Rate limit reached for m on requests per day (RPD): Limit 10000, Used 10000. Please try again in 7m12s."
LARGE = "Request too large for m on tokens per min (TPM): Limit 30000, Requested 50000. The input must be reduced."
NEVER = "Rate limit reached for m on tokens per min (TPM): Limit 30,000, Used 0, Requested 50000. Try again in 40s."
GROQ = "Request too large for model `m` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce it."
FLAGGED = "Output blocked by content filtering policy"
LOCKED = "Another process is at work on this object; try again."
ITPM = "This request would exceed your organization's rate limit of 2,000,000 input tokens per minute."
BROKE = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing."
OWN_LIMIT = "You have reached your specified API usage limits. You will regain access on 2026-12-01."
PAY = "Rate limit reached. Add a payment method at https://example.com/account/billing to raise it."
SPENT = [
    "insufficient_quota", "credit_balance_exhausted", "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded", "organization_usage_limit_exceeded",
]  # fmt: skip
AZURE = {"innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}}

ROWS: Mapping[str, Row] = {
    "400 context": Row(400, o(INVALID, "context_length_exceeded"), Kind.CONTEXT),
    "400 context, a": Row(400, a(INVALID, "prompt is too long: 210000 tokens > 200000 maximum"), Kind.CONTEXT),
    **{
        f"400 {code}": Row(400, o(INVALID, code), Kind.CONFIG)
        for code in ("unsupported_parameter", "unsupported_value", "integer_below_min_value", "invalid_value")
    },
    "400 field, a": Row(400, a(INVALID, "temperature: Extra inputs are not permitted"), Kind.CONFIG),
    "400 policy": Row(400, o(INVALID, "content_policy_violation"), Kind.FILTERED),
    "400 invalid prompt": Row(400, o(INVALID, "invalid_prompt"), Kind.FILTERED),
    "400 policy, a": Row(400, a(INVALID, FLAGGED), Kind.FILTERED),
    "400 azure filter": Row(400, o(None, "content_filter", "The response was filtered", **AZURE), Kind.FILTERED),
    "400 azure inner code": Row(400, o(None, None, "no", **AZURE), Kind.FILTERED),
    "400 hard limit": Row(400, o(INVALID, "billing_hard_limit_reached"), Kind.QUOTA, everywhere=True),
    "400 no credit, a": Row(400, a(INVALID, BROKE), Kind.QUOTA, everywhere=True),
    "400 own limit, a": Row(400, a(INVALID, OWN_LIMIT), Kind.QUOTA, everywhere=True),
    "400 html": Row(400, HTML, Kind.CONFIG, billed=None),
    "401": Row(401, o(INVALID, "invalid_api_key", "Incorrect API key: sk-ab***9Z"), Kind.AUTH, everywhere=True),
    "401 a": Row(401, a("authentication_error"), Kind.AUTH, everywhere=True),
    "402 router": Row(402, o(None, 402, "Insufficient credits"), Kind.QUOTA, everywhere=True),
    "402 a": Row(402, a("billing_error"), Kind.QUOTA, everywhere=True),
    "403 country": Row(403, o("request_forbidden", "unsupported_country_region_territory"), Kind.AUTH, everywhere=True),
    "403 permission": Row(403, o(INVALID, "insufficient_permissions"), Kind.AUTH, everywhere=True),
    "403 training": Row(403, o(INVALID, "training_not_available"), Kind.CONFIG, everywhere=True),
    "403 a": Row(403, a("permission_error"), Kind.AUTH, everywhere=True),
    "403 moderation, router": Row(403, o(None, 403, "Your input was flagged"), Kind.FILTERED),
    "404": Row(404, o(INVALID, "model_not_found"), Kind.CONFIG, everywhere=True),
    "404 a": Row(404, a("not_found_error", "model: claude-x"), Kind.CONFIG, everywhere=True),
    "408": Row(408, o(None, "timeout"), Kind.TRANSIENT),
    "408 a": Row(408, a("timeout_error"), Kind.TRANSIENT),
    "409": Row(409, o(None, "conflict"), Kind.TRANSIENT),
    "409 lock": Row(409, o(INVALID, "lock_timeout", LOCKED), Kind.TRANSIENT),
    "409 a": Row(409, a("conflict_error"), Kind.TRANSIENT),
    "413": Row(413, o(INVALID, "request_too_large"), Kind.CONTEXT),
    "413 a": Row(413, a("request_too_large"), Kind.CONTEXT),
    "413 groq": Row(413, o("tokens", "rate_limit_exceeded", GROQ), Kind.CONFIG),
    "413 edge": Row(413, HTML, Kind.CONTEXT, billed=None),
    "422 text": Row(422, {"detail": "no such field"}, Kind.CONFIG),
    "422 list": Row(422, {"detail": [{"loc": ["body", "n"], "msg": "extra"}]}, Kind.CONFIG),
    "429 requests": Row(429, o("requests", "rate_limit_exceeded", RPD), Kind.RATE, 432.0),
    "429 tokens": Row(429, o("tokens", "rate_limit_exceeded", TPM), Kind.RATE, 0.147),
    "429 tokens, header": Row(429, o("tokens", None, TPM), Kind.RATE, 2.0, headers={"retry-after": "2"}),
    "429 milliseconds": Row(
        429, o("rate_limit_error"), Kind.RATE, 0.25, headers={"retry-after": "1", "retry-after-ms": "250"}
    ),
    "429 a": Row(429, a("rate_limit_error", ITPM), Kind.RATE, 17.0, headers={"retry-after": "17"}),
    "429 too large": Row(429, o("tokens", "rate_limit_exceeded", LARGE), Kind.CONFIG),
    "429 above the limit": Row(429, o("tokens", "rate_limit_exceeded", NEVER), Kind.CONFIG),
    "429 ramp": Row(429, o("rate_limit_error", "slow_down"), Kind.RATE),
    "429 ramp, a": Row(429, a(LIMIT, code="ramp_limit_exceeded"), Kind.RATE, 5.0, headers={"retry-after": "5"}),
    **{f"429 {code}": Row(429, o("insufficient_quota", code), Kind.QUOTA, everywhere=True) for code in SPENT},
    "429 quota by its type alone": Row(429, o("insufficient_quota"), Kind.QUOTA, everywhere=True),
    "429 enforced, a": Row(429, a(LIMIT, code="enforced_spend_limit_reached"), Kind.QUOTA, everywhere=True),
    "429 contract, a": Row(429, a(LIMIT, code="contract_spend_limit_reached"), Kind.QUOTA, everywhere=True),
    "429 that mentions billing": Row(429, o("requests", "rate_limit_exceeded", PAY), Kind.RATE),
    "429 flex": Row(429, o(None, "resource_unavailable"), Kind.RATE),
    "429 no body": Row(429, b"", Kind.RATE, 3.5, headers={"retry-after": "3.5"}),
    "429 gemini": Row(429, [o(None, 429, "quota", details=[{"retryDelay": "3.5s"}])], Kind.RATE, 3.5),
    "498": Row(498, o("capacity_exceeded", "capacity_exceeded"), Kind.OVERLOAD),
    **{f"{status} edge": Row(status, HTML, Kind.TRANSIENT, billed=None) for status in (499, *range(520, 525))},
    "500": Row(500, o("server_error"), Kind.TRANSIENT, billed=None),
    "500 a": Row(500, a("api_error"), Kind.TRANSIENT, billed=None),
    "502 html": Row(502, HTML, Kind.TRANSIENT, billed=None),
    "504 empty": Row(504, b"", Kind.TRANSIENT, billed=None),
    "504 a": Row(504, a("timeout_error"), Kind.TRANSIENT, billed=None),
    "503": Row(503, o("service_unavailable_error", "server_is_overloaded"), Kind.OVERLOAD),
    "503 slow down": Row(503, o("service_unavailable_error", "slow_down"), Kind.RATE),
    "503 a": Row(503, a("api_error", "no", "cmek_key_unreachable"), Kind.OVERLOAD),
    "503 html": Row(503, HTML, Kind.OVERLOAD, billed=None),
    "529 edge": Row(529, HTML, Kind.OVERLOAD),
    "529 a": Row(529, a("overloaded_error"), Kind.OVERLOAD),
    "529 compaction, a": Row(529, a("overloaded_error", "no", "compaction_unavailable"), Kind.OVERLOAD),
    "200 upstream": Row(200, o(None, 502), Kind.TRANSIENT, billed=None),
    "200 no provider": Row(200, o(None, 503), Kind.OVERLOAD, billed=None),
    "200 rate": Row(200, o(None, 429), Kind.RATE),
    "200 no credit": Row(200, o(None, 402), Kind.QUOTA, everywhere=True),
    "200 failed": Row(200, failed("server_error"), Kind.TRANSIENT, billed=None),
    "200 failed, rate": Row(200, failed("rate_limit_exceeded"), Kind.RATE),
    "200 failed, prompt": Row(200, failed("invalid_prompt"), Kind.FILTERED, billed=None),
    "200 gemini": Row(200, [o(None, 503, "x", status="UNAVAILABLE")], Kind.OVERLOAD, billed=None),
    "200 a": Row(200, a("overloaded_error"), Kind.OVERLOAD, billed=None),
    "200 a, key": Row(200, a("authentication_error"), Kind.AUTH, everywhere=True),
    "200 failed, quota": Row(200, failed("insufficient_quota"), Kind.QUOTA, everywhere=True),
    # An unknown code falls back to its type, an unknown type to the status.
    "unknown code": Row(400, o("billing_error", "brand_new"), Kind.QUOTA, everywhere=True),
    "unknown type": Row(409, o("brand_new", "brand_new"), Kind.TRANSIENT),
    "unknown 4xx": Row(451, o("brand_new"), Kind.CONFIG),
    "a redirect": Row(302, b"", Kind.CONFIG, None, None, True, {"location": "https://elsewhere.example"}),
    "unknown 5xx": Row(599, b"", Kind.TRANSIENT, billed=None),
    # What servers that call themselves compatible make of it.
    "vLLM 400": Row(400, o("BadRequestError", 400, "This model's maximum context length is 4096 tokens"), Kind.CONTEXT),
    "vLLM 401": Row(401, {"error": "Unauthorized"}, Kind.AUTH, everywhere=True),
    "SGLang": Row(400, {"object": "error", "message": "no", "type": "400", "code": 400}, Kind.CONFIG),
    "llama.cpp": Row(400, o("exceed_context_size_error", 400, "no", n_prompt_tokens=9, n_ctx=8), Kind.CONTEXT),
    "llama.cpp loading": Row(503, o("unavailable_error", 503, "Loading model"), Kind.OVERLOAD),
    "transformers serve": Row(500, b"Internal Server Error", Kind.TRANSIENT, billed=None),
    "LiteLLM": Row(429, o("throttling_error", "429"), Kind.RATE),
    "LiteLLM internal": Row(429, o("internal_server_error", "429"), Kind.RATE),
}  # fmt: skip


def test_every_status_that_a_provider_is_known_to_send_has_its_row() -> None:
    known = {200, 302, 400, 401, 402, 403, 404, 408, 409, 413, 422, 429, 498, 499, 500, 502, 503, 504, *range(520, 525)}

    assert known <= {row.status for row in ROWS.values()}
    assert {row.kind for row in ROWS.values()} == set(Kind) - {Kind.PROTOCOL}


@pytest.mark.parametrize("row", ROWS.values(), ids=list(ROWS))
@pytest.mark.long
def test_every_row_has_its_class_its_wait_and_its_bill(row: Row) -> None:
    body = row.body if isinstance(row.body, bytes) else json.dumps(row.body).encode()

    verdict = classify(RawReply(row.status, row.headers, body, 0.1))

    assert verdict is not None
    found = (verdict.kind, verdict.delay_s, verdict.billed, verdict.everywhere)
    assert found == (row.kind, row.delay_s, row.billed, row.everywhere)
    assert verdict.message.isprintable()
    assert "sk-ab" not in verdict.message


def test_of_a_list_of_details_the_first_is_told() -> None:
    verdict = classify(RawReply(422, {}, json.dumps(ROWS["422 list"].body).encode(), 0.1))

    assert verdict is not None
    assert verdict.message == "422: extra"


@pytest.mark.parametrize(
    "body",
    [
        b"", b"null", b"[]", HTML, b"not JSON", b'{"choices": [{"mess', b'{"choices": null}', b'{"choices": []}', b"{}",
        b'{"content": null, "stop_reason": "end_turn"}', b'{"content": [], "stop_reason": null}',
    ],
)  # fmt: skip
def test_a_success_that_is_none_is_read_as_such_and_nobody_knows_its_bill(body: bytes) -> None:
    raw = RawReply(200, {}, body, 0.1)

    assert classify(raw) is None
    for read in (read_completion, read_message):
        with pytest.raises(UnreadableReply) as caught:
            read(ASKED, raw, model="m")
        verdict = classify_unreadable(str(caught.value))
        assert (verdict.kind, verdict.billed, verdict.may_retry) == (Kind.PROTOCOL, None, True)


@pytest.mark.parametrize(
    ("advice", "status", "may_retry"), [("true", 400, True), ("false", 500, False), ("true", 429, True)]
)
def test_the_providers_own_advice_stands_above_the_status(advice: str, status: int, may_retry: bool) -> None:
    verdict = classify(RawReply(status, {"x-should-retry": advice}, b"", 0.1))

    assert verdict is not None
    assert verdict.may_retry is may_retry
