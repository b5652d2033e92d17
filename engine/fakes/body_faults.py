"""Bodies that are hard to read: each is a true answer with one thing wrong with it, or no answer at all."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import Any, Final

import orjson

from engine.fakes.case import Case, Pace, Served, Spoilt
from engine.providers.foreign import encode

__all__ = ["BODY_FAULTS", "texts_changed"]

_MEBIBYTE: Final = 2**20
_HTML: Final = (
    b"<!doctype html>\n<html><head><title>Welcome</title></head><body><p>Sign in to go on.</p></body></html>\n"
)
# Stands in the answer's text until the body is written; then bytes are put there that no writer of JSON would write.
_MARK: Final = "@mark@"


def texts_changed(body: bytes, change: Callable[[str], object]) -> dict[str, Any]:
    """The reply as an object, with something else in place of each of its texts."""
    told: dict[str, Any] = orjson.loads(body)
    for choice in told.get("choices", ()):
        choice["message"]["content"] = change(choice["message"]["content"] or "")
    for block in told.get("content", ()):
        block["text"] = change(block["text"])
    return told


def _with_body(served: Served, body: bytes) -> Served:
    return replace(served, body=body)


def _with_bytes_in_text(strange: bytes, _: Case, served: Served) -> Served:
    body = encode(texts_changed(served.body, lambda text: text + _MARK))
    return _with_body(served, body.replace(_MARK.encode(), strange))


def _with_member(value: Callable[[Case], bytes], case: Case, served: Served) -> Served:
    """One member more at the front, which nobody asked for."""
    return _with_body(served, b'{"extra":' + value(case) + b"," + served.body[1:])


def _deep(case: Case) -> bytes:
    depth = int(case.settings["depth"])
    return b"[" * depth + b"]" * depth


def _duplicated(_: Case, served: Served) -> Served:
    """The members that matter come twice; the last ones, which most parsers keep, are the true ones."""
    wrong = b'{"choices":[],"content":[],"usage":null,"stop_reason":null,"model":"a-wrong-one",'
    return _with_body(served, wrong + served.body[1:])


def _in_place_of(body: bytes, kind: str, _: Case, served: Served) -> Served:
    return replace(served, headers={**served.headers, "content-type": kind}, body=body)


def _replaced(name: str, value: object, _: Case, served: Served) -> Served:
    told = orjson.loads(served.body)
    return _with_body(served, encode({**told, name if name in told else "content": value}))


@cache
def _bomb(megabytes: int) -> bytes:
    """So many megabytes of blanks, in a thousandth of the space."""
    packer = zlib.compressobj(9, wbits=31)
    return b"".join([*(packer.compress(b" " * _MEBIBYTE) for _ in range(megabytes)), packer.flush()])


def _gzip_bomb(case: Case, served: Served) -> Served:
    body = _bomb(int(case.settings["megabytes"]))
    return replace(served, headers={**served.headers, "content-encoding": "gzip"}, body=body)


def _huge_body(case: Case, served: Served) -> Served:
    return replace(served, pace=Pace(blanks=int(case.settings["megabytes"]) * _MEBIBYTE))


def _spoilt(about: str, spoil: Callable[[Case, Served], Served], **settings: float) -> Spoilt:
    return Spoilt(about=about, settings=settings, spoil=spoil)


def _in_answer(about: str, spoil: Callable[[Case, Served], Served]) -> Spoilt:
    """About a text of a model's, or the members that only an answer has."""
    return Spoilt(about=about, spoil=spoil, needs_answer=True)


BODY_FAULTS: Final[Mapping[str, Spoilt]] = {
    "garbled": _spoilt(
        "half of the JSON, under a length that fits it", lambda _, s: _with_body(s, s.body[: len(s.body) // 2])
    ),
    "empty_body": _spoilt("200 and no body", lambda _, served: _with_body(served, b"")),
    "html": _spoilt("a sign-in page with 200", partial(_in_place_of, _HTML, "text/html")),
    "not_json": _spoilt("a sentence in place of JSON", partial(_in_place_of, b"upstream said OK", "text/plain")),
    "not_an_object": _spoilt("the answer inside of a list", lambda _, s: _with_body(s, b"[" + s.body + b"]")),
    "nan": _spoilt("NaN, which is no JSON, beside the answer", partial(_with_member, lambda _: b"NaN")),
    "lone_surrogate": _in_answer("half a character, \\ud800, in the text", partial(_with_bytes_in_text, b"\\ud800")),
    "nul": _in_answer("the character NUL in the text, well written", partial(_with_bytes_in_text, b"\\u0000")),
    "line_separator": _in_answer(
        "U+2028 and U+2029 in the text", partial(_with_bytes_in_text, "\u2028\u2029".encode())
    ),
    "escapes": _in_answer(
        "terminal escapes and bidi marks in the text",
        partial(_with_bytes_in_text, b"\\u001b[2J\\u001b]0;x\\u0007" + "\u202e\u2066".encode()),
    ),
    "invalid_utf8": _in_answer("bytes in the text that are no UTF-8", partial(_with_bytes_in_text, b"\xff\xfe\xc3")),
    "bom": _spoilt("a byte order mark before the JSON", lambda _, s: _with_body(s, b"\xef\xbb\xbf" + s.body)),
    "deep_nesting": _spoilt("lists in lists in lists beside the answer", partial(_with_member, _deep), depth=100_000),
    "long_integer": _spoilt(
        "an integer of 5,000 digits beside the answer",
        partial(_with_member, lambda case: b"9" * int(case.settings["digits"])),
        digits=5_000,
    ),
    "duplicate_keys": _in_answer("members that come twice, the true ones last", _duplicated),
    "gzip_bomb": _spoilt("a thousand times larger once it is unpacked", _gzip_bomb, megabytes=128),
    "huge_body": _spoilt("100 MB of white space before the answer", _huge_body, megabytes=100),
    "choices_null": _in_answer("null in place of the choices, or of the content", partial(_replaced, "choices", None)),
    "choices_empty": _in_answer("no choices, or no content", partial(_replaced, "choices", [])),
}
