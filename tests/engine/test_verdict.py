"""Whatever a server says of a failure is classified and does no harm; `test_error_table` says what is which."""

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


HTML = b"<html><body>Bad gateway</body></html>"


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


@pytest.mark.parametrize("key", ["sk-***8/+x", "sk-proj-ab/cd+ef==", "sk-ab...yz/0+="])
def test_of_a_key_that_is_masked_nothing_is_left(key: str) -> None:
    verdict = classify(raw(401, openai("invalid_api_key", message=f"Incorrect API key provided: {key}")))

    assert verdict is not None
    assert verdict.message == "401: Incorrect [key]"


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
