"""What another model or endpoint answered before counts where somebody says so, and only there."""

from __future__ import annotations

import asyncio
from pathlib import Path

import orjson
import pytest

from engine import Engine, Price, UnreadableReply, UserError
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.journal import peek
from engine.messages import RawReply, Reply, Request
from engine.providers.former import Former
from tests.engine.asking import GENEROUS

RATE = Price(input=1, output=2)
ROWS = [Request.user(f"row {i}", max_tokens=8) for i in range(40)]


def swapped(journal: Path, *, first: str, then: str, says_so: bool = True) -> tuple[list[Reply], int, int]:
    """Half of the rows from one server, then all from another: the replies, and what each was asked."""

    async def main() -> tuple[list[Reply], int, int]:
        async with FakeProvider(EchoWorld()) as one, FakeProvider(EchoWorld()) as other:
            async with Engine(first, base_url=one.url, journal=journal, budget=GENEROUS, price=RATE) as engine:
                before = [outcome.unwrap() async for outcome in engine.map(ROWS[:20])]
                formers = engine.asked_of if says_so else ()
            async with Engine(
                then, base_url=other.url, journal=journal, budget=GENEROUS, price=RATE, formers=formers
            ) as engine:
                replies = [outcome.unwrap() async for outcome in engine.map(ROWS)]
            assert [reply.text for reply in before] == [reply.text for reply in replies[:20]]
            return replies, len(one.audit.entries), len(other.audit.entries)

    return asyncio.run(main())


@pytest.mark.parametrize("first", ["openai/m", "anthropic/m"])
@pytest.mark.parametrize("then", ["openai/other", "anthropic/other"])
def test_after_a_swap_what_was_answered_is_neither_lost_nor_paid_again(tmp_path: Path, first: str, then: str) -> None:
    """Whatever dialect either speaks: a stored reply is read in that of its author."""
    replies, of_one, of_other = swapped(tmp_path / "journal.db", first=first, then=then)

    assert (of_one, of_other) == (20, 20)
    assert [reply.from_journal for reply in replies] == [True] * 20 + [False] * 20
    assert {reply.model for reply in replies[:20]} == {"m"}
    assert {reply.model for reply in replies[20:]} == {"other"}
    assert sum(reply.cost_usd for reply in replies[:20]) == 0.0
    assert peek(tmp_path / "journal.db").answered_twice == 0


@pytest.mark.long
def test_unless_somebody_says_so_another_server_is_asked_anew(tmp_path: Path) -> None:
    _, of_one, of_other = swapped(tmp_path / "journal.db", first="openai/m", then="openai/m", says_so=False)

    assert (of_one, of_other) == (20, 40)


def test_a_former_whose_reply_cannot_be_read_has_not_answered() -> None:
    reply = RawReply(200, {}, orjson.dumps({"object": "chat.completion"}), 0.1)
    former = Former("openai/m at http://127.0.0.1:1/v1 openai-chat m")

    assert former.model == "openai/m"
    with pytest.raises(UnreadableReply, match="completions"):
        former.read(ROWS[0], reply)


@pytest.mark.parametrize("told", ["openai/m", "http://127.0.0.1:1/v1", ""])
def test_who_cannot_have_been_asked_is_refused_in_a_line(told: str) -> None:
    with pytest.raises(UserError, match="formers are told as"):
        Engine("simulated/echo", formers=[told], budget=GENEROUS)
