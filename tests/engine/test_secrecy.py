"""A server that quotes the key it was sent: the key is repeated in no message, no event and no file."""

from __future__ import annotations

import asyncio
import json
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from engine import Budget, Engine, Events, Price, Request, SmeltError
from engine.messages import RawReply
from engine.providers.secrecy import Secrecy
from engine.verdict import classify

KEY = "pass/word+0123456789=x"


def json_escaped(key: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in key)


def inside_json(text: str) -> str:
    return json.dumps(text)[1:-1]


# As a person would see it joined, or nearly so, once what cannot be seen is left out.
DISGUISES: dict[str, Callable[[str], str]] = {
    "a zero-width space": lambda key: key[:10] + "\u200b" + key[10:],
    "a colour": lambda key: key[:10] + "\x1b[0m" + key[10:],
    "a line break": lambda key: key[:16] + "\r\n" + key[16:],
    "a blank after each": " ".join,
    "HTML": lambda key: "".join(f"&#{ord(letter)};" for letter in key),
    "HTML, hexadecimal": lambda key: "".join(f"&#x{ord(letter):x}" for letter in key),
    "wide letters": lambda key: "".join(chr(ord(letter) + 0xFEE0) for letter in key),
    "hexadecimal digits": lambda key: key.encode().hex(),
}

FORMS: dict[str, Callable[[str], str]] = {
    "plain": lambda key: key,
    "upper case": str.upper,
    "in a URL": lambda key: quote(key, safe=""),
    "slashes escaped": lambda key: key.replace("/", "\\/"),
    "JSON escapes": json_escaped,
    "JSON escapes in JSON": lambda key: inside_json(inside_json(json_escaped(key))),
    "JSON": inside_json,
    "JSON in JSON": lambda key: inside_json(inside_json(key)),
    "base64": lambda key: b64encode(key.encode()).decode(),
    "basic authorization": lambda key: b64encode(f"u:{key}".encode()).decode(),
    "bearer in base64": lambda key: urlsafe_b64encode(f"Bearer {key}".encode()).decode(),
}


@pytest.mark.parametrize("key", [KEY, 'quoted"and\\escaped-0123'])
@pytest.mark.parametrize("form", FORMS)
def test_a_key_is_found_however_it_is_written(form: str, key: str) -> None:
    written = FORMS[form](key)
    raw = RawReply(400, {"location": f"/x?{written}", "x": "1"}, f'{{"a": "got {written}!"}}'.encode(), 0.0)

    concealed = Secrecy(key).conceal(raw)
    assert b"[key]" in concealed.body
    assert "[key]" in concealed.headers["location"]
    assert written[4:-4] not in concealed.body.decode() + concealed.headers["location"]
    assert concealed.headers["x"] == "1"


@pytest.mark.parametrize("written", [json.dumps, lambda text: json.dumps(text, ensure_ascii=False), str])
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_key_in_disguise_is_taken_out_of_errors(disguise: str, written: Callable[[str], str]) -> None:
    told = written(DISGUISES[disguise](KEY))
    body = f'{{"error": {{"message": {told}, "code": "invalid_api_key"}}}}'.encode()
    raw = RawReply(401, {"location": DISGUISES[disguise](KEY), "x": "1"}, body, 0.0)

    concealed = Secrecy(KEY).conceal(raw)

    assert concealed.headers == {"location": "[key]", "x": "1"}
    assert told.encode() not in concealed.body
    assert b"[key]" in concealed.body
    if told.startswith('"'):
        assert json.loads(concealed.body) == {"error": {"message": "[key]", "code": "invalid_api_key"}}


def test_a_key_in_an_error_of_another_encoding_is_taken_out() -> None:
    assert Secrecy(KEY).conceal(RawReply(401, {}, f"bad {KEY}".encode("utf-16le"), 0.0)).body == b"[key]"


def test_an_answer_is_not_looked_through_for_disguises() -> None:
    message = {"content": DISGUISES["a zero-width space"](KEY)}
    raw = RawReply(200, {}, json.dumps({"choices": [{"message": message}]}, ensure_ascii=False).encode(), 0.0)

    assert Secrecy(KEY).conceal(raw) is raw


@pytest.mark.parametrize("body", [
    "denied: %s", "\ufeff<html>%s</html>", '{"detail": "%s"}', '{"status": "failed", "message": "%s"}', '["%s"]', "%s",
])  # fmt: skip
def test_what_is_no_answer_is_looked_through_whatever_its_status(body: str) -> None:
    said = DISGUISES["a zero-width space"](KEY)

    concealed = Secrecy(KEY).conceal(RawReply(200, {}, (body % said).encode(), 0.0))

    assert said.encode() not in concealed.body
    assert b"[key]" in concealed.body


@pytest.mark.parametrize("disguise", DISGUISES)
@pytest.mark.parametrize("body", [
    '{"error": {"message": %s}}', '{"type": "error", "error": %s}', '\ufeff{"choices": [], "error": [%s]}',
    '{"error": %s', '[{"error": {"message": %s}}]', '{"object": "error", "message": %s}',
    '{"detail": %s, "kind": "error"}',
])  # fmt: skip
def test_an_error_under_200_is_an_error(disguise: str, body: str) -> None:
    told = json.dumps(DISGUISES[disguise](KEY))

    concealed = Secrecy(KEY).conceal(RawReply(200, {}, (body % told).encode(), 0.0))

    assert concealed.body.decode() == body % '"[key]"'


@pytest.mark.parametrize("body", ['[{"error": {"message": %s}}]', '{"object": "error", "message": %s}'])
def test_what_is_told_of_an_error_under_200_holds_no_key_in_disguise(body: str) -> None:
    raw = RawReply(200, {}, (body % json.dumps(" ".join(KEY))).encode(), 0.0)

    verdict = classify(Secrecy(KEY).conceal(raw))

    assert verdict is not None
    assert verdict.message == "200: [key]"


def test_a_page_under_200_is_an_error() -> None:
    raw = RawReply(200, {}, f" \n<p>no: {DISGUISES['HTML'](KEY)}</p>".encode(), 0.0)

    assert Secrecy(KEY).conceal(raw).body == b"[key]"


@pytest.mark.parametrize(
    "body",
    [
        '{"error": null, "choices": ["%s"]}',
        '{"choices": ["\\"error\\": %s"]}',
        '{"error": false, "content": "%s"}',
    ],
)
def test_an_answer_with_no_error_in_it_is_none(body: str) -> None:
    said = body % DISGUISES["a zero-width space"](KEY)
    raw = RawReply(200, {}, said.encode(), 0.0)

    assert (Secrecy(KEY).conceal(raw) is raw) == ("false" not in body)


def test_a_long_error_keeps_what_is_read_of_it_and_no_key_in_disguise() -> None:
    """A server that quotes the whole question beside its reason."""
    told = {"code": "invalid_api_key", "message": f"no: {DISGUISES['wide letters'](KEY)}", "input": "word " * 20_000}

    concealed = Secrecy(KEY).conceal(RawReply(401, {}, json.dumps({"error": told}).encode(), 0.0))

    kept = {"code": "invalid_api_key", "message": "[key]", "input": "[a text that is too long]"}
    assert json.loads(concealed.body) == {"error": kept}


@pytest.mark.parametrize(
    "body", [b'"key",' * 20_000, b"<p>" * 30_000, b"\\" * 2**21], ids=["texts", "a page", "megabytes"]
)
def test_an_error_that_is_too_long_to_be_looked_through_is_not_kept(body: bytes) -> None:
    told = body + DISGUISES["wide letters"](KEY).encode()

    assert Secrecy(KEY).conceal(RawReply(500, {}, told, 0.0)).body == b"[an error that is too long]"


@pytest.mark.parametrize("filling", ["&#" + "1" * 9_000, '\\"', '"', "&#", "\x1b[0", "\ufdfa", "\\u00"])
def test_an_error_of_nothing_but_signs_is_looked_through_at_once(filling: str) -> None:
    body = (DISGUISES["wide letters"](KEY) + '"' + filling * (40_000 // len(filling.encode()))).encode()

    assert Secrecy(KEY).conceal(RawReply(401, {}, body, 0.0)).body.startswith(b"[key]")


@pytest.mark.parametrize("filling", [b"\\", b"%", b"\\u00", b"p", b"cGFz"])
def test_a_reply_of_nothing_but_signs_is_looked_through_at_once(filling: bytes) -> None:
    """A hostile one must not hold everybody up; this ends, or the tests do not."""
    body = filling * 1_000_000

    assert Secrecy(KEY).conceal(RawReply(200, {}, body, 0.0)).body == body


@given(st.binary(max_size=200).filter(lambda body: b"pass" not in body))
def test_a_reply_without_the_key_is_the_same_object(body: bytes) -> None:
    raw = RawReply(200, {"x-request-id": "1"}, body, 0.0)

    assert Secrecy(KEY).conceal(raw) is raw
    assert Secrecy(None).conceal(raw) is raw


@pytest.mark.parametrize(("key", "status", "concealed"), [
    ("EMPTY", 200, False), ("EMPTY", 401, True), ("x", 401, False), (KEY, 200, True),
])  # fmt: skip
def test_a_placeholder_for_a_key_does_not_change_answers(key: str, status: int, concealed: bool) -> None:
    raw = RawReply(status, {}, f"the list is {key}".encode(), 0.0)

    assert (Secrecy(key).conceal(raw) is not raw) == concealed


def test_secrecy_shows_no_key() -> None:
    assert KEY not in repr(Secrecy(KEY))


def echoing(status: int) -> Callable[[web.Request], object]:
    async def answer(request: web.Request) -> web.Response:
        told = request.headers.get("authorization") or request.headers["x-api-key"]
        key = told.removeprefix("Bearer ")
        said = f"{key} {quote(key, safe='')} {b64encode(key.encode()).decode()}"
        body: dict[str, object] = {"error": {"message": f"no: {said}", "code": said}}
        if status == 200:
            usage = {"prompt_tokens": 5, "completion_tokens": 5}
            choice = {"index": 0, "message": {"role": "assistant", "content": said}, "finish_reason": "stop"}
            body = {"model": said, "choices": [choice], "usage": usage}
        headers = {"location": f"/elsewhere?key={quote(key, safe='')}&raw={key}", "x-request-id": key}
        return web.Response(status=status, body=json.dumps(body).encode(), headers=headers)

    return answer


@pytest.mark.parametrize("status", [200, 302, 400, 401, 429, 500])
@pytest.mark.parametrize("provider", ["openai", "anthropic"])
def test_a_key_that_a_server_quotes_stands_nowhere(tmp_path: Path, provider: str, status: int) -> None:
    told: list[str] = []

    async def ask(url: str) -> None:
        events = Events()
        events.subscribe(lambda event: told.append(repr(event)))
        async with Engine(
            f"{provider}/m", base_url=url, api_key=KEY, budget=Budget(usd=1), price=Price(input=1, output=1),
            journal=tmp_path / "journal.db", events=events, deadline_s=0.3,
        ) as engine:  # fmt: skip
            try:
                told.append(repr(await engine.ask(Request.user("hello"))))
            except SmeltError as error:
                told.extend(traceback.format_exception(error))
            told.append(repr(engine) + repr(engine.statistics()))

    async def main() -> None:
        app = web.Application()
        app.router.add_post("/{path:.*}", echoing(status))  # type: ignore[arg-type]
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        try:
            await ask(f"http://127.0.0.1:{runner.addresses[0][1]}/v1")
        finally:
            await runner.cleanup()

    asyncio.run(main())
    files = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    for written in (KEY, quote(KEY, safe=""), b64encode(KEY.encode()).decode().rstrip("=")):
        assert written not in "".join(told)
        assert written.encode() not in files
