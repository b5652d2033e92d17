"""One model at several addresses: one journal and one price, whichever of them answers, and none is needed."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from engine import Budget, ConfigurationRefused, Engine, Limits, Model, Price, Request, UserError
from engine.clock import SystemClock
from engine.events import Events, Noted
from engine.fakes import virtual_time
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.messages import RawReply
from engine.providers import ConnectionFailed
from engine.providers.account import Account
from engine.providers.address import Address
from engine.providers.openai import OpenAI
from engine.providers.several import Several
from tests.engine.asking import nothing_is_left

FREE = Price(input=0, output=0)
BODY = b'{"model":"m","choices":[{"index":0,"finish_reason":"stop","message":{"content":"yes"}}],"usage":%b}'
REPLY = BODY % b'{"prompt_tokens":3,"completion_tokens":1}'
NOT_FOUND = RawReply(404, {}, b'{"error": {"message": "no such model"}}', 0.0)


class Server(OpenAI):
    """A server that answers after so many seconds, or does as it is told; it counts."""

    def __init__(self, number: int, *, seconds: float = 1.0) -> None:
        super().__init__("m", base_url=f"http://127.0.0.1:{8000 + number}/v1", clock=SystemClock())
        self.seconds = seconds
        self.asked = 0
        self.most = 0
        self.is_down = False
        self.says: RawReply | None = None
        self._now = 0

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002  # each is as long as it is
        self.asked += 1
        if self.is_down:
            raise ConnectionFailed(f"{self._address}: cannot connect", sent=False)
        self._now += 1
        self.most = max(self.most, self._now)
        try:
            await asyncio.sleep(self.seconds)
            if self.is_down:
                raise ConnectionFailed(f"{self._address}: the connection broke")
            return self.says or RawReply(200, {}, REPLY, self.seconds)
        finally:
            self._now -= 1


def requests(count: int, *, first: int = 0) -> list[Request]:
    return [Request.user(f"row {i}", max_tokens=8) for i in range(first, first + count)]


def asked_of(servers: list[Server], **settings: Any) -> Engine:
    return Engine(Several(servers), price=FREE, **settings)


def noted() -> tuple[Events, list[str]]:
    events, notes = Events(), list[str]()
    events.subscribe(lambda event: notes.append(event.text) if isinstance(event, Noted) else None)
    return events, notes


async def answers(engine: Engine, asked: list[Request]) -> list[str]:
    return [outcome.unwrap().text async for outcome in engine.map(asked)]


def test_the_faster_of_two_answers_more() -> None:
    async def main() -> tuple[int, int]:
        servers = [Server(0, seconds=3.0), Server(1, seconds=1.0)]
        async with asked_of(servers, concurrency=20) as engine:
            await answers(engine, requests(400))
            assert nothing_is_left(engine)
        return servers[0].asked, servers[1].asked

    slow, fast = virtual_time.run(main())
    assert slow + fast == 400
    assert 2.5 <= fast / slow <= 3.5


def test_what_is_told_is_of_the_sum() -> None:
    """Six hundred a minute, from however many addresses; and twelve at once."""

    async def main() -> tuple[float, list[int]]:
        servers = [Server(i, seconds=0.5) for i in range(3)]
        began = asyncio.get_running_loop().time()
        async with asked_of(servers, limits=Limits(rpm=600), concurrency=12) as engine:
            await answers(engine, requests(200))
        return asyncio.get_running_loop().time() - began, [server.most for server in servers]

    seconds, most = virtual_time.run(main())
    assert 18.5 <= seconds <= 22
    assert max(most) <= 4


def test_one_that_goes_down_is_left_alone_and_one_that_comes_back_is_asked_again() -> None:
    async def main() -> tuple[list[int], list[str]]:
        servers, asked = [Server(i) for i in range(3)], list[int]()
        events, notes = noted()
        async with asked_of(servers, concurrency=30, events=events) as engine:
            for is_down in (False, True, False):
                servers[1].is_down, before = is_down, servers[1].asked
                assert await answers(engine, requests(600, first=1000 * len(asked))) == ["yes"] * 600
                asked.append(servers[1].asked - before)
            assert nothing_is_left(engine)
        return asked, notes[1:]

    asked, notes = virtual_time.run(main())
    assert asked[0] == 200
    assert asked[1] <= 20  # three that failed at once, the others that were on their way, and a few probes
    assert asked[2] >= 100
    assert notes == [
        "http://127.0.0.1:8001/v1 does not answer; the others are asked meanwhile",
        "http://127.0.0.1:8001/v1 answers again",
    ]


def test_an_address_that_never_answers_ends_nothing_while_another_does() -> None:
    """Also when the others take longer for their first answer than an endpoint alone would be given."""

    async def main() -> list[str]:
        servers = [Server(0, seconds=30.0), Server(1)]
        servers[1].is_down = True
        async with asked_of(servers, concurrency=4) as engine:
            return await answers(engine, requests(6))

    assert virtual_time.run(main()) == ["yes"] * 6


def test_when_no_address_can_be_reached_that_is_said() -> None:
    async def main() -> str:
        servers = [Server(0), Server(1)]
        for server in servers:
            server.is_down = True
        async with asked_of(servers) as engine:
            outcomes = [outcome async for outcome in engine.map(requests(20))]
        return str(outcomes[-1].error)

    assert virtual_time.run(main()).endswith("cannot connect; check the base URL, and that the server is running")


def test_a_wrong_address_among_good_ones_is_named() -> None:
    async def main() -> str:
        servers = [Server(0), Server(1)]
        servers[1].says = NOT_FOUND
        async with asked_of(servers) as engine:
            outcomes = [outcome async for outcome in engine.map(requests(20))]
        error = next(outcome.error for outcome in outcomes if outcome.error is not None)
        assert isinstance(error, ConfigurationRefused)
        return str(error)

    assert virtual_time.run(main()) == "http://127.0.0.1:8001/v1: 404: no such model"


def test_a_question_is_the_same_whichever_address_answers(tmp_path: Path) -> None:
    """So one server more or less asks nothing anew, as long as the first stays."""

    async def main() -> list[int]:
        counts = []
        for count in (2, 3, 1):
            servers = [Server(i, seconds=0.01) for i in range(count)]
            async with asked_of(servers, journal=tmp_path / "journal.db") as engine:
                assert engine.asked_of == ("openai/m at http://127.0.0.1:8000/v1 openai-chat m",)
                await answers(engine, requests(30))
            counts.append(sum(server.asked for server in servers))
        return counts

    assert asyncio.run(main()) == [30, 0, 0]


def test_by_name_each_address_is_asked_in_the_dialect_of_the_first() -> None:
    async def main() -> tuple[Counter[str], list[int]]:
        async with FakeProvider(EchoWorld()) as one, FakeProvider(EchoWorld()) as other:
            model = Model("openai/any", base_url=[one.url, Address.of(other.url)], dialect="vllm", price=FREE)
            async with Engine(model) as engine:
                texts = Counter(await answers(engine, requests(40)))
                assert engine.capabilities.n
            return texts, [len(fake.audit.entries) for fake in (one, other)]

    texts, asked = asyncio.run(main())
    assert texts == Counter(f"row {i}" for i in range(40))
    assert sum(asked) == 40
    assert min(asked) >= 5


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (
            {"base_url": ["http://localhost:1/v1", "http://localhost:1/v1/"]},
            "http://localhost:1/v1: stands there twice",
        ),
        ({"base_url": ["http://localhost:1/v1", "ftp://x"]}, "needs a scheme and a host"),
        ({"base_url": ["http://localhost:1/v1", "http://far.example/v1"]}, "plain http is for this machine only"),
        ({"model": "local/x", "base_url": ["http://a", "http://b"]}, "several base URLs are for servers"),
        ({"base_url": ["http://localhost:1", "http://localhost:2"], "batch": True}, "has no batch endpoint"),
        ({"base_url": ["http://localhost:1", "http://localhost:2"], "concurrency": 1}, "together: at least 2"),
    ],
)
def test_what_cannot_be_meant_is_said_in_a_line(settings: dict[str, Any], says: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=says):
        Engine(**{"model": "openai/m", "price": FREE, "journal": tmp_path / "journal.db", **settings})


def test_no_price_is_known_of_servers_of_ones_own() -> None:
    with pytest.raises(UserError, match=r"no price is known for 'openai/gpt-5\.4-mini'"):
        Engine("openai/gpt-5.4-mini", base_url=["http://localhost:1", "http://localhost:2"], budget=Budget(usd=1))


def test_engines_that_ask_the_same_servers_share_their_limits() -> None:
    one, same, other = (Several([Server(a), Server(b)]) for a, b in ((0, 1), (1, 0), (0, 2)))

    assert one.account == same.account != other.account
    assert all(isinstance(each, Account) for each in itertools.chain(one.account, other.account))
    assert repr(one) == "<Several [http://127.0.0.1:8000/v1 openai-chat m, http://127.0.0.1:8001/v1 openai-chat m]>"
