"""What a reading of the hub may cost: so many bytes and broken answers, and then no more comes in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from huggingface_hub import get_session

from engine.retrieval.allowance import MOST_BREAKS, Allowance, AllowanceSpentError

MEBIBYTE = b" " * (1 << 20)


class Gigabyte(httpx.SyncByteStream):
    """A body that nobody should read to its end; knows how much of it was taken. Breaks off after so many parts."""

    def __init__(self, *, breaks_after: int = 1024) -> None:
        self.taken = 0
        self._breaks_after = breaks_after

    def __iter__(self) -> Iterator[bytes]:
        for _ in range(1024):
            if self.taken == self._breaks_after:
                raise httpx.ReadError("the line is dead")
            self.taken += 1
            yield MEBIBYTE


def asked(allowance: Allowance, body: httpx.SyncByteStream) -> httpx.Response:
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=body))
    with allowance, httpx.Client(transport=transport, event_hooks={"response": [allowance.on_response]}) as client:
        return client.get("http://hub/file")


def test_more_than_is_allowed_is_not_fetched() -> None:
    body, allowance = Gigabyte(), Allowance(4 << 20)

    with pytest.raises(AllowanceSpentError, match="more than 4 MiB"):
        asked(allowance, body)

    assert body.taken == 5
    assert "over: more than 4 MiB" in repr(allowance)


def test_what_is_allowed_comes_whole() -> None:
    allowance = Allowance(4 << 20)
    body = httpx.ByteStream(MEBIBYTE)

    assert asked(allowance, body).content == MEBIBYTE
    assert (allowance.bytes, allowance.over) == (1 << 20, "")


def test_after_the_end_nothing_comes_and_the_first_reason_holds() -> None:
    allowance = Allowance()
    allowance.end("nobody waits")
    allowance.end("something else")

    with pytest.raises(AllowanceSpentError, match="nobody waits"):
        asked(allowance, httpx.ByteStream(b"x"))


def test_a_reading_that_has_ended_ends_no_other_one() -> None:
    """It may be under way still, in a thread that nobody waits for."""
    ended, allowance = Allowance(), Allowance()
    ended.end("nobody waits")
    transport = httpx.MockTransport(lambda _: httpx.Response(200, stream=httpx.ByteStream(b"x")))
    hooks = {"response": [ended.on_response, allowance.on_response]}

    with httpx.Client(transport=transport, event_hooks=hooks) as client, allowance:
        assert client.get("http://hub/file").content == b"x"
    with httpx.Client(transport=transport, event_hooks=hooks) as client:  # a thread of whoever reads parquet
        assert client.get("http://hub/file").content == b"x"

    assert (ended.bytes, allowance.bytes) == (0, 2)


def test_an_answer_that_breaks_off_may_be_asked_for_again_but_not_for_ever() -> None:
    allowance = Allowance()

    for _ in range(MOST_BREAKS - 1):
        with pytest.raises(httpx.ReadError):
            asked(allowance, Gigabyte(breaks_after=2))
    with pytest.raises(AllowanceSpentError, match="break off"):
        asked(allowance, Gigabyte(breaks_after=2))


def test_the_client_of_the_hub_is_watched_once_and_left_as_it_was() -> None:
    def hooks() -> list[Any]:
        return list(get_session().event_hooks["response"])

    before = hooks()

    with Allowance() as allowance:
        allowance.watch()
        assert hooks() == [*before, allowance.on_response]
    assert hooks() == before
