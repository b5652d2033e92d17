"""Keys that come back: a server may quote the credential it was sent, and nothing of ours may repeat it."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64encode
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import orjson

from engine.messages import RawReply

__all__ = ["Secrecy"]

SHOWN: Final = b"[key]"

# Local servers take any word for a key ("EMPTY", "lm-studio"). Below these lengths it is no secret, and taking it out
# of what a model said would change the answer.
SHORTEST_IN_ERRORS: Final = 4
SHORTEST_IN_ANSWERS: Final = 12

_SIGNS_OF_JSON_ESCAPES: Final = (b"\\u00", b"\\/")
_ESCAPED_IN_JSON: Final = b'"\\/'
_LONGEST_DISGUISE: Final = 2**16  # of an error: to look through more would hold everybody up
_LONGEST_TEXT: Final = 2**12  # of a longer one: a server may quote the whole question, and says little else in as many
_LONGEST_CUT: Final = 2**20
_TOO_LONG: Final = b"[an error that is too long]"
_LEFT_OUT: Final = b'"[a text that is too long]"'
_QUOTED: Final = re.compile(rb'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)', re.DOTALL)  # open at the end, too: so it takes one look
_OF_HTML: Final = re.compile(r"&#?[0-9A-Za-z]{1,40};?")
_COLOUR: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
_JSON_ESCAPE: Final = re.compile(r"\\+u([0-9a-fA-F]{4})")
_UNSEEN: Final = re.compile(r"\\+[bfnrt]?|[^!-~]")  # also what JSON writes for it
_SIGNS_OF_ANSWERS: Final = (b'"choices"', b'"content"')  # one of them stands in whatever can be read as one
_BACKSLASHES: Final = rb"\\{1,8}"  # JSON three times over; without an end, a reply of nothing else would take hours


class Secrecy:
    """Takes one key out of every reply, body and headers, before anybody reads or keeps it.

    It is found as it is, with any of its characters escaped as in a URL or in JSON (and that within JSON again), in
    either case, and inside of any base64. A key of under 12 characters is left in successful replies,
    one of under 4 in all. A longer one is found in errors in disguise, too: with blanks, colours or what cannot be seen
    inside, which showing it would leave out, as HTML writes it, in wide letters, and in hexadecimal digits. An error is
    one whatever its status, and what is no answer is looked through as one; of one of more than 64 KiB long texts are
    left out, and all of it if that does not help.
    """

    def __init__(self, key: str | None) -> None:
        self._length = len(key or "")
        self._plain = (key or "").lower().encode()
        has_quotes = not {'"', "\\"}.isdisjoint(key or "")  # such a key is never as it is in JSON
        self._signs_of_escapes = (b"\\",) if has_quotes else _SIGNS_OF_JSON_ESCAPES
        self._encoded = _encoded_forms(key) if key else []
        self._pattern = re.compile(b"|".join(_patterns(key, self._encoded))) if key else None
        bare = (_bare(key or ""), (key or "").encode().hex())
        self._bare = [form for form in bare if len(form) >= SHORTEST_IN_ANSWERS]

    def __repr__(self) -> str:
        return "<Secrecy>"

    def conceal(self, raw: RawReply) -> RawReply:
        """The reply with `[key]` wherever the key was."""
        is_error = _is_error(raw)
        if self._pattern is None or self._length < (SHORTEST_IN_ERRORS if is_error else SHORTEST_IN_ANSWERS):
            return raw
        headers = self._without_key(raw.headers)
        body = self._pattern.sub(SHOWN, raw.body) if self._may_be_in(raw.body) else raw.body
        if self._length >= SHORTEST_IN_ANSWERS and (is_error or _is_no_answer(raw.body)):
            headers, body = self._undisguised(headers), self._without_disguise(body)
        return raw if headers is raw.headers and body == raw.body else replace(raw, headers=headers, body=body)

    def _without_disguise(self, body: bytes) -> bytes:
        """The body of an error with `[key]` in place of each text that holds the key in disguise, or of all of it."""
        body = _shortened(body)
        if not self._in_disguise(body):
            return body
        body = _QUOTED.sub(lambda text: b'"' + SHOWN + b'"' if self._in_disguise(text[0]) else text[0], body)
        return SHOWN if self._in_disguise(body) else body

    def _undisguised(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        disguised = {name: SHOWN.decode() for name, text in headers.items() if self._in_disguise(_bytes_of(text))}
        return {**headers, **disguised} if disguised else headers

    def _in_disguise(self, text: bytes) -> bool:
        if len(text) < self._length:
            return False
        bare = _bare(text.decode("utf-8", "ignore"))
        return any(form in bare for form in self._bare)

    def _may_be_in(self, text: bytes) -> bool:
        """False when it surely is not: nearly no reply holds the key, and the pattern takes twenty times as long."""
        if b"%" in text or self._plain in text.lower():
            return True
        # One byte is found ten times as fast as two, and most texts hold no backslash.
        if b"\\" in text and any(sign in text for sign in self._signs_of_escapes):
            return True
        return any(form in text for form in self._encoded)

    def _without_key(self, headers: Mapping[str, str]) -> Mapping[str, str]:
        # What is shorter than the key cannot hold it, however it is written; and of the rest one look at all together.
        long = [text for text in (*headers, *headers.values()) if len(text) >= self._length]
        if self._pattern is None or not long or not self._may_be_in(_bytes_of("\n".join(long))):
            return headers
        hidden = {_concealed(self._pattern, name): _concealed(self._pattern, text) for name, text in headers.items()}
        return headers if hidden == headers else hidden


def _is_error(raw: RawReply) -> bool:
    """By its status, or as an error or a page that comes as if it were an answer."""
    if not 200 <= raw.status < 300 or raw.body[:64].lstrip().startswith(b"<"):
        return True
    if b'"error"' not in raw.body:  # nearly always; and within a text its quotes would be escaped
        return False
    try:
        said: object = orjson.loads(raw.body.removeprefix(BOM_UTF8))
    except orjson.JSONDecodeError:
        return True
    if isinstance(said, list) and said:  # Gemini wraps its errors in a list
        said = said[0]
    if not isinstance(said, dict):
        return False
    kinds = (said.get("type"), said.get("object"))  # SGLang says what it is beside the message
    return said.get("error") is not None or said.get("detail") is not None or "error" in kinds


def _is_no_answer(body: bytes) -> bool:
    """Whether nobody can read an answer in it, as in a line of text; if it is long, it is left as it is."""
    return len(body) <= _LONGEST_DISGUISE and not any(sign in body for sign in _SIGNS_OF_ANSWERS)


def _shortened(error: bytes) -> bytes:
    """So much of it as can be looked through: what is read of an error is its code and a message of a line or two."""
    if _LONGEST_DISGUISE < len(error) <= _LONGEST_CUT:
        error = _QUOTED.sub(lambda text: text[0] if len(text[0]) <= _LONGEST_TEXT else _LEFT_OUT, error)
    return error if len(error) <= _LONGEST_DISGUISE else _TOO_LONG


def _concealed(pattern: re.Pattern[bytes], text: str) -> str:
    return pattern.sub(SHOWN, _bytes_of(text)).decode("utf-8", "surrogateescape")


def _bare(text: str) -> str:
    """What is left of a text once it is shown: small letters, digits and signs of ASCII, and nothing in between."""
    text = _JSON_ESCAPE.sub(lambda escape: chr(int(escape[1], 16)), text)
    import html  # here, with its two thousand names: few texts that may hold a key are looked at so closely

    text = _OF_HTML.sub(lambda written: html.unescape(written[0]), text)
    return _UNSEEN.sub("", unicodedata.normalize("NFKC", _COLOUR.sub("", text))).lower()


def _bytes_of(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _encoded_forms(key: str) -> list[bytes]:
    """What any base64 holds that holds the key, which begins at any of three places of a group."""
    raw = key.encode()
    encoded = {_inside_of_base64(raw, before=before) for before in range(3)}
    encoded |= {form.translate(bytes.maketrans(b"+/", b"-_")) for form in encoded}
    return sorted(form for form in encoded if form)


def _patterns(key: str, encoded: Sequence[bytes]) -> list[bytes]:
    return [b"".join(map(_character, key.encode())), *map(re.escape, encoded)]


def _character(code: int) -> bytes:
    """One character in every way it may be written: itself, %2F, \\u002f, \\/, and with more backslashes."""
    letter = bytes([code])
    ways = {re.escape(case) for case in (letter.lower(), letter.upper())}
    ways |= {b"%%(?i:%02x)" % code, _BACKSLASHES + b"u00(?i:%02x)" % code}
    if letter in _ESCAPED_IN_JSON:
        ways.add(_BACKSLASHES + re.escape(letter))
    return b"(?:" + b"|".join(sorted(ways)) + b")"


def _inside_of_base64(raw: bytes, *, before: int) -> bytes:
    """The characters of base64 that `raw` alone decides when `before` other bytes of its group come first."""
    first, last = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
    return b64encode(bytes(before) + raw)[first:last]
