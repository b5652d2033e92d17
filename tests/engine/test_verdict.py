"""What a stranger's error body says: texts are told, and nothing else in it can do harm."""

from __future__ import annotations

import orjson
import pytest

from engine.messages import RawReply
from engine.verdict import Kind, classify

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
