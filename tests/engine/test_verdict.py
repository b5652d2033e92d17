"""Every failure that providers are known to produce gets its class, and a stranger's error body can do no harm."""

from __future__ import annotations

import json

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine import errors
from engine.messages import RawReply
from engine.verdict import Kind, classify, classify_failure, classify_unreadable


def raw(status: int, body: object = b"", **headers: str) -> RawReply:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    return RawReply(status, {name.replace("_", "-"): value for name, value in headers.items()}, encoded, 0.1)


def openai(code: str | int | None, *, family: str | None = None, message: str = "no") -> dict[str, object]:
    return {"error": {"message": message, "type": family, "param": None, "code": code}}


def anthropic(family: str, *, message: str = "no", code: str | None = None) -> dict[str, object]:
    error: dict[str, object] = {"type": family, "message": message}
    if code is not None:
        error["details"] = {"error_code": code}
    return {"type": "error", "error": error, "request_id": "req_1"}


HTML = b"<html><body>Bad gateway</body></html>"
INVALID = "invalid_request_error"
TOO_LONG = "prompt is too long: 210000 tokens > 200000 maximum"
TOO_LARGE = "Request too large for m on tokens per min (TPM): Limit 30000, Requested 50000."
BROKE = "Your credit balance is too low to access the API."
PAYMENT_HINT = "Rate limit reached. Add a payment method at https://example.com/account/billing to raise it."

# name, reply, kind, billed (None: nobody knows), everywhere
ROWS = [
    ("400 context", raw(400, openai("context_length_exceeded", family=INVALID)), Kind.CONTEXT, False, False),
    ("400 context, anthropic", raw(400, anthropic(INVALID, message=TOO_LONG)), Kind.CONTEXT, False, False),
    ("400 context, llama.cpp", raw(400, openai(400, family="exceed_context_size_error")), Kind.CONTEXT, False, False),
    ("400 parameter", raw(400, openai("unsupported_parameter", family=INVALID)), Kind.CONFIG, False, False),
    ("400 value", raw(400, openai("unsupported_value", family=INVALID)), Kind.CONFIG, False, False),
    ("400 below minimum", raw(400, openai("integer_below_min_value", family=INVALID)), Kind.CONFIG, False, False),
    ("400 field, anthropic", raw(400, anthropic(INVALID, message="n: Extra inputs")), Kind.CONFIG, False, False),
    ("400 filter", raw(400, openai("content_policy_violation", family=INVALID)), Kind.FILTERED, False, False),
    ("400 invalid prompt", raw(400, openai("invalid_prompt", family=INVALID)), Kind.FILTERED, False, False),
    ("400 filter, azure", raw(400, {"error": {"code": "content_filter", "message": "no",
        "innererror": {"code": "ResponsibleAIPolicyViolation"}}}), Kind.FILTERED, False, False),
    ("400 hard limit", raw(400, openai("billing_hard_limit_reached", family=INVALID)), Kind.QUOTA, False, True),
    ("400 no credit, anthropic", raw(400, anthropic(INVALID, message=BROKE)), Kind.QUOTA, False, True),
    ("400 vllm", raw(400, openai(400, family="BadRequestError")), Kind.CONFIG, False, False),
    ("400 sglang",
        raw(400, {"object": "error", "message": "no", "type": "400", "code": 400}), Kind.CONFIG, False, False),
    ("400 not JSON", raw(400, HTML), Kind.CONFIG, None, False),
    ("401", raw(401, openai("invalid_api_key", family=INVALID)), Kind.AUTH, False, True),
    ("401 anthropic", raw(401, anthropic("authentication_error")), Kind.AUTH, False, True),
    ("401 vllm", raw(401, {"error": "Unauthorized"}), Kind.AUTH, False, True),
    ("402", raw(402, {"error": {"code": 402, "message": "Insufficient credits"}}), Kind.QUOTA, False, True),
    ("402 anthropic", raw(402, anthropic("billing_error")), Kind.QUOTA, False, True),
    ("403 country", raw(403, openai("unsupported_country_region_territory")), Kind.AUTH, False, True),
    ("403 permission, anthropic", raw(403, anthropic("permission_error")), Kind.AUTH, False, True),
    ("403 training", raw(403, openai("training_not_available")), Kind.CONFIG, False, True),
    ("403 moderation, router", raw(403, {"error": {"code": 403, "message": "Your input was flagged"}}),
        Kind.FILTERED, False, False),
    ("404", raw(404, openai("model_not_found", family=INVALID)), Kind.CONFIG, False, True),
    ("404 anthropic", raw(404, anthropic("not_found_error")), Kind.CONFIG, False, True),
    ("408", raw(408, openai("timeout")), Kind.TRANSIENT, False, False),
    ("409", raw(409, openai("conflict")), Kind.TRANSIENT, False, False),
    ("409 anthropic", raw(409, anthropic("conflict_error")), Kind.TRANSIENT, False, False),
    ("413", raw(413, anthropic("request_too_large")), Kind.CONTEXT, False, False),
    ("413 edge", raw(413, HTML), Kind.CONTEXT, None, False),
    ("422", raw(422, {"detail": [{"loc": ["body", "x"], "msg": "extra"}]}), Kind.CONFIG, False, False),
    ("422 text", raw(422, {"detail": "no such field"}), Kind.CONFIG, False, False),
    ("429 requests", raw(429, openai("rate_limit_exceeded", family="requests")), Kind.RATE, False, False),
    ("429 tokens", raw(429, openai("rate_limit_exceeded", family="tokens")), Kind.RATE, False, False),
    ("429 that mentions billing",
        raw(429, openai("rate_limit_exceeded", message=PAYMENT_HINT)), Kind.RATE, False, False),
    ("429 anthropic", raw(429, anthropic("rate_limit_error"), retry_after="7"), Kind.RATE, False, False),
    ("429 too large", raw(429, openai("rate_limit_exceeded", family="tokens", message=TOO_LARGE)),
        Kind.CONFIG, False, False),
    ("429 slow down", raw(429, openai("slow_down", family="rate_limit_error")), Kind.RATE, False, False),
    ("429 ramp, anthropic",
        raw(429, anthropic("rate_limit_error", code="ramp_limit_exceeded")), Kind.RATE, False, False),
    ("429 quota", raw(429, openai("insufficient_quota", family="insufficient_quota")), Kind.QUOTA, False, True),
    ("429 quota by type", raw(429, openai(None, family="insufficient_quota")), Kind.QUOTA, False, True),
    ("429 credit", raw(429, openai("credit_balance_exhausted", family="insufficient_quota")), Kind.QUOTA, False, True),
    ("429 project",
        raw(429, openai("project_spend_limit_exceeded", family="insufficient_quota")), Kind.QUOTA, False, True),
    ("429 spend limit, anthropic", raw(429, anthropic("rate_limit_error", code="enforced_spend_limit_reached")),
        Kind.QUOTA, False, True),
    ("429 contract, anthropic", raw(429, anthropic("rate_limit_error", code="contract_spend_limit_reached")),
        Kind.QUOTA, False, True),
    ("429 flex", raw(429, openai("resource_unavailable")), Kind.RATE, False, False),
    ("429 litellm", raw(429, openai("429", family="throttling_error")), Kind.RATE, False, False),
    ("429 empty", raw(429), Kind.RATE, False, False),
    ("498 groq", raw(498, openai("capacity_exceeded")), Kind.OVERLOAD, False, False),
    ("499 edge", raw(499, HTML), Kind.TRANSIENT, None, False),
    ("520 edge", raw(520, HTML), Kind.TRANSIENT, None, False),
    ("524 edge", raw(524, b""), Kind.TRANSIENT, None, False),
    ("500", raw(500, openai(None, family="server_error")), Kind.TRANSIENT, None, False),
    ("500 anthropic", raw(500, anthropic("api_error")), Kind.TRANSIENT, None, False),
    ("500 plain text", raw(500, b"Internal Server Error"), Kind.TRANSIENT, None, False),
    ("502", raw(502, HTML), Kind.TRANSIENT, None, False),
    ("504", raw(504, b""), Kind.TRANSIENT, None, False),
    ("504 anthropic", raw(504, anthropic("timeout_error")), Kind.TRANSIENT, None, False),
    ("503", raw(503, openai("server_is_overloaded", family="service_unavailable_error")), Kind.OVERLOAD, False, False),
    ("503 loading", raw(503, openai(503, family="unavailable_error")), Kind.OVERLOAD, False, False),
    ("503 anthropic", raw(503, anthropic("api_error", code="cmek_key_unreachable")), Kind.OVERLOAD, False, False),
    ("503 html", raw(503, HTML), Kind.OVERLOAD, None, False),
    ("529", raw(529, anthropic("overloaded_error")), Kind.OVERLOAD, False, False),
    ("200 router, status as code", raw(200, {"error": {"code": 502, "message": "bad upstream"}}),
        Kind.TRANSIENT, None, False),
    ("200 router, rate", raw(200, {"error": {"code": 429, "message": "slow"}}), Kind.RATE, False, False),
    ("200 no credit", raw(200, {"error": {"code": 402, "message": "no credit"}}), Kind.QUOTA, False, True),
    ("200 anthropic", raw(200, anthropic("overloaded_error")), Kind.OVERLOAD, None, False),
    ("200 anthropic, rate", raw(200, anthropic("rate_limit_error")), Kind.RATE, False, False),
    ("200 failed response", raw(200, {"status": "failed", "error": {"code": "server_error", "message": "x"}}),
        Kind.TRANSIENT, None, False),
    ("200 gemini list", raw(200, [{"error": {"code": 503, "message": "x", "status": "UNAVAILABLE"}}]),
        Kind.OVERLOAD, None, False),
    ("302", raw(302, b"", location="https://elsewhere.example"), Kind.CONFIG, None, True),
]  # fmt: skip


@pytest.mark.parametrize(("reply", "kind", "billed", "everywhere"), [pytest.param(*row[1:], id=row[0]) for row in ROWS])
def test_every_known_failure_has_its_class(reply: RawReply, kind: Kind, billed: bool | None, everywhere: bool) -> None:
    verdict = classify(reply)

    assert verdict is not None
    assert (verdict.kind, verdict.billed, verdict.everywhere) == (kind, billed, everywhere)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"choices": [{"message": {"content": 'say "error" twice'}}]}, id="the word in an answer"),
        pytest.param({"status": "completed", "error": None, "output": []}, id="no error, said so"),
        pytest.param(b"not json at all", id="to be read and found unreadable"),
        pytest.param(b"", id="empty"),
    ],
)
def test_a_success_is_left_to_be_read(body: object) -> None:
    assert classify(raw(200, body)) is None


@settings(deadline=None)
@given(status=st.integers(100, 599), body=st.binary(max_size=200), advice=st.sampled_from(["true", "false", "x"]))
def test_no_reply_is_too_strange_to_classify(status: int, body: bytes, advice: str) -> None:
    verdict = classify(raw(status, body, x_should_retry=advice, retry_after=body.decode("latin-1")))

    assert verdict is None or isinstance(verdict.error(), errors.SmeltError)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["error", "code", "type", "message", "details", "detail"]), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(deadline=None)
@given(JSON)
def test_error_bodies_of_any_shape_are_classified(body: object) -> None:
    assert classify(raw(400, body)) is not None


@pytest.mark.parametrize(
    ("headers", "body", "delay_s"),
    [
        pytest.param({"retry-after": "7"}, b"", 7.0, id="seconds"),
        pytest.param({"retry-after": "0.25"}, b"", 0.25, id="parts of a second"),
        pytest.param({"retry-after": "9", "retry-after-ms": "120"}, b"", 0.12, id="milliseconds win"),
        pytest.param({"retry-after": "Thu, 01 Jan 1970 00:01:40 GMT"}, b"", 40.0, id="a date"),
        pytest.param({"retry-after": "-3"}, b"", None, id="negative"),
        pytest.param({"retry-after": "nan"}, b"", None, id="not a number"),
        pytest.param({"retry-after": "inf"}, b"", None, id="infinite"),
        pytest.param({"retry-after": "1e9"}, b"", None, id="absurd"),
        pytest.param({"retry-after": "soon"}, b"", None, id="a word"),
        pytest.param({}, openai("rate_limit_exceeded", message="Please try again in 7m12s. Bye."), 432.0, id="message"),
        pytest.param({}, {"error": {"details": [{"retryDelay": "3.5s"}]}}, 3.5, id="gemini"),
        pytest.param({}, openai(None, message="Please try again in 9999h0m0s."), None, id="absurd message"),
        pytest.param({}, {"error": {"details": [{"retryDelay": "1000000000s"}]}}, None, id="absurd gemini"),
    ],
)
def test_the_wait_that_a_provider_asks_for_is_found(
    headers: dict[str, str], body: object, delay_s: float | None
) -> None:
    encoded = body if isinstance(body, bytes) else json.dumps(body).encode()
    verdict = classify(RawReply(429, headers, encoded, 0.1), now=60.0)

    assert verdict is not None
    assert verdict.delay_s == (None if delay_s is None else pytest.approx(delay_s))


def test_the_providers_own_advice_overrides_the_status_but_not_its_words() -> None:
    assert classify(raw(400, HTML, x_should_retry="true")).kind is Kind.TRANSIENT  # type: ignore[union-attr]
    assert not classify(raw(500, HTML, x_should_retry="false")).may_retry  # type: ignore[union-attr]
    quota = classify(raw(429, openai("insufficient_quota"), x_should_retry="true"))
    assert quota is not None
    assert quota.kind is Kind.QUOTA


@pytest.mark.parametrize(
    "key", ["sk-proj-abcdefghijkl", "sk-ant-api03-abcdefgh", "gsk_abcdefghijkl", "AIzaSyAbcdefghij"]
)
def test_no_key_is_repeated(key: str) -> None:
    for reply in (raw(401, openai("invalid_api_key", message=f"Incorrect API key provided: {key}. Find it there.")),
                  raw(400, openai(None, message=f"Authorization: Bearer {key}"))):  # fmt: skip
        assert key not in classify(reply).message  # type: ignore[union-attr]


def test_messages_are_one_short_line() -> None:
    message = classify(raw(400, openai(None, message="\x1b[2J" + "long\n" * 200))).message  # type: ignore[union-attr]

    assert len(message) <= 300
    assert "\n" not in message
    assert "\x1b" not in message


def test_what_was_never_sent_is_known_to_be_free() -> None:
    assert classify_failure("refused", sent=False).billed is False
    assert classify_failure("reset", sent=True).billed is None
    assert classify_unreadable("not JSON").kind is Kind.PROTOCOL


# -- what is told of a stranger's words


DEEP = b"[" * 900 + b"]" * 900


@pytest.mark.parametrize(
    ("body", "said"),
    [
        pytest.param(b'{"error": {"message": %b}}' % DEEP, "a list", id="a deep message"),
        pytest.param(b'{"error": %b}' % DEEP, "a list", id="a deep error"),
        pytest.param(b'{"detail": %b}' % DEEP, "a list", id="a deep detail"),
        pytest.param(b'{"error": {"message": {"a": 1}}}', "an object", id="an object"),
        pytest.param(b'{"error": {"message": 7}}', "a number", id="a number"),
        pytest.param(b'{"error": true}', "true", id="a truth"),
        pytest.param(b'{"error": {"message": [], "code": %b, "type": %b}}' % (DEEP, DEEP), "no reason", id="nothing"),
        pytest.param(orjson.dumps({"error": {"message": "too warm"}}), "too warm", id="a text"),
    ],
)
def test_only_texts_of_an_error_body_are_told(body: bytes, said: str) -> None:
    verdict = classify(RawReply(400, {}, body, 0.1))

    assert verdict is not None
    assert verdict.kind is Kind.CONFIG
    assert said in verdict.message
    assert "[[" not in verdict.message
