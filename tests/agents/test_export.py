"""What was asked and answered, handed out for audit: all of it, as it was, in lines that anything can read."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.cli.exporting import line_of
from engine import Request
from engine.journal import Entry, Journal
from engine.journal.records import Worth
from engine.messages import RawReply
from tests.agents.commands import in_this_process as smelt

HELLO = Request.user("Say hello\u2028 and\x00 more 😀", system="Be brief.", temperature=0.7, stop=("\n",), tag="greet")
ASKED_OF = "openai/m at http://127.0.0.1:1/v1 openai-chat m"
SENT = HELLO.canonical(asked_of=ASKED_OF)
KEY = hashlib.sha256(SENT).digest()


def raw(body: bytes, *, status: int = 200) -> RawReply:
    return RawReply(status, {"x-request-id": "r1", "set-cookie": "a secret"}, body, 0.25)


def entry(body: bytes, *, sent: bytes | None = SENT) -> Entry:
    return Entry(
        attempt=1, key=KEY, tag="t", request=sent, bound=9, cost=5, assumed=False, raw=raw(body), worth=Worth.ANSWER
    )  # fmt: skip


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """An answer; a reply that could not be read; a call that nobody answered; one that is under way."""

    async def session() -> Path:
        async with await Journal.open(tmp_path / "run" / "journal.db") as journal:
            ends = ((raw(b'{"a": 1,\n "a": 1e400}'), True), (raw(b"<html>"), False), (None, None))
            for reply, answers in ends:
                attempt = await journal.intend(KEY, bound=2 * 10**9, tag="greet", request=SENT)
                await journal.settle(attempt, raw=reply, cost=10**9, assumed=reply is None, answers=answers)
            await journal.intend(KEY, bound=2 * 10**9, tag="greet", request=SENT)
        return tmp_path / "run" / "journal.db"

    return asyncio.run(session())


def test_every_request_and_reply_is_a_line_in_the_order_of_sending(journal: Path) -> None:
    ran = smelt("export", journal.parent, "--requests")
    lines = [json.loads(line) for line in ran.out.splitlines()]

    assert (ran.code, ran.err) == (0, "")
    assert [line["outcome"] for line in lines] == ["answered", "not an answer", "no reply", "in flight"]
    assert [line["charged_usd"] for line in lines] == [0.001, 0.001, 0.001, None]
    assert [line["assumed"] for line in lines] == [False, False, True, False]
    assert {(line["attempt"], line["stage"], line["bound_usd"]) for line in lines} == {
        (number, "greet", 0.002) for number in (1, 2, 3, 4)
    }
    assert all(
        line["request"]
        == {
            "asked_of": ASKED_OF,
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Say hello\u2028 and\x00 more 😀"},
            ],
            "max_tokens": 1024,
            "temperature": 0.7,
            "n": 1,
            "stop": ["\n"],
            "sample": 0,
        }
        for line in lines
    )
    assert lines[0]["reply"]["headers"] == {"x-request-id": "r1"}
    assert (lines[0]["reply"]["status"], lines[0]["reply"]["latency_s"]) == (200, 0.25)
    assert [line["reply"] and line["reply"].get("body_text") for line in lines] == [
        '{"a": 1,\n "a": 1e400}', "<html>", None, None,
    ]  # fmt: skip


def test_a_body_that_is_json_stands_there_as_it_came() -> None:
    """Down to repeated names and digits that no double has; its line breaks, which would end the line, are blanks."""
    line = line_of(entry(b'{"a": 1,\r\n "a": 0.1000000000000000000001}'))

    assert b'"body":{"a": 1,   "a": 0.1000000000000000000001}' in line
    assert line.count(b"\n") == 1


@given(
    st.one_of(st.binary(), st.text().map(lambda text: json.dumps([text]).encode())), st.one_of(st.none(), st.binary())
)
def test_whatever_came_and_was_sent_is_one_line_that_json_can_read_and_that_holds_it(
    body: bytes, sent: bytes | None
) -> None:
    line = line_of(entry(body, sent=sent))
    told = orjson.loads(line)
    reply, request = told["reply"], told["request"]

    assert not {"\u2028", "\u2029"} & set(line.decode())
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    if "body" in reply:
        assert reply["body"] == orjson.loads(body)
    elif "body_text" in reply:
        assert reply["body_text"].encode() == body
    else:
        assert base64.b64decode(reply["body_base64"]) == body
    assert (request is None) == (sent is None)


@pytest.mark.parametrize(
    "body", [b"[" * 100_000 + b"]" * 100_000, b"9" * 5_000, b"NaN", b'"\\ud800"', b"\xef\xbb\xbf{}"]
)
def test_bodies_that_are_hard_to_read_are_told_as_they_are(body: bytes) -> None:
    reply = json.loads(line_of(entry(body)))["reply"]

    assert reply.get("body_text", "").encode() == body or reply["body"] == json.loads(body)


def test_a_journal_can_be_given_too_and_a_file_is_new_and_whole(journal: Path, tmp_path: Path) -> None:
    out = tmp_path / "requests.jsonl"
    there = smelt("export", journal, "--requests").out

    ran = smelt("export", journal, "--requests", "--out", out)
    again = smelt("export", journal, "--requests", "--out", out)

    assert (ran.code, ran.out, ran.err) == (0, f"4 requests are in {out}\n", "")
    assert out.read_text(encoding="utf-8") == there
    assert (again.code, again.out) == (2, "")
    assert again.err == f"smelt: {out}: is there already; choose another with --out\n"
    assert list(tmp_path.iterdir()) == [journal.parent, out] or list(tmp_path.iterdir()) == [out, journal.parent]


def test_a_damaged_journal_leaves_no_half_file(journal: Path, tmp_path: Path) -> None:
    data = journal.read_bytes()
    journal.write_bytes(data.replace(b"<html>", b"<HTML>"))

    ran = smelt("export", journal, "--requests", "--out", tmp_path / "requests.jsonl")

    assert (ran.code, ran.out) == (2, "")
    assert "a reply is not what was written" in ran.err
    assert ran.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == [journal.parent]


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        pytest.param(["export", "RUN"], "say what to export", id="nothing"),
        pytest.param(["export", "nowhere", "--requests"], "there is no journal at nowhere", id="no such place"),
        pytest.param(["export", "RUN/..", "--requests"], "holds no run", id="no run"),
        pytest.param(["export", "RUN/journal.db-mark", "--requests"], "another kind of file", id="no journal"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(journal: Path, words: list[str], complaint: str) -> None:
    ran = smelt(*(word.replace("RUN", str(journal.parent)) for word in words))

    assert (ran.code, ran.out) == (2, "")
    assert complaint in ran.err
    assert ran.err.count("\n") == 1
