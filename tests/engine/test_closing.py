"""An engine that is closed: whoever still asks is told so at once, nothing stays behind, and it can be opened anew."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from typing import Any

import pytest

from engine import (
    FREE,
    AuthenticationRefused,
    Budget,
    DeadlineExceeded,
    Engine,
    Interrupted,
    Limits,
    Price,
    Request,
    SmeltError,
)
from engine.fakes import virtual_time
from engine.messages import RawReply
from tests.engine.asking import Given, now, question

PENNY = Price(input=0, output=2)


class Slow(Given):
    """Answers after a second, each with what `status` says at that moment."""

    def __init__(self, status: int = 200, *, latency_s: float = 1.0) -> None:
        self.status = status
        self.latency_s = latency_s
        self.sent: list[Request] = []

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:  # noqa: ARG002 - never that slow
        self.sent.append(request)
        await asyncio.sleep(self.latency_s)
        return RawReply(self.status, {}, b"{}", self.latency_s)


async def end_of(engine: Engine, text: str) -> type[BaseException] | None:
    try:
        await engine.ask(question(text, max_tokens=5))
    except BaseException as error:  # noqa: BLE001 - what it is, is the question
        return type(error)
    return None


@pytest.mark.parametrize(
    ("status", "closed_at_s", "settings"),
    [
        pytest.param(200, 0.5, {"concurrency": 2}, id="for a slot"),
        pytest.param(200, 0.5, {"limits": Limits(rpm=2)}, id="for a limit"),
        pytest.param(200, 0.5, {"price": PENNY, "budget": Budget(usd="0.000012")}, id="for money"),
        pytest.param(503, 20, {"concurrency": 4}, id="for the end of a pause"),
        pytest.param(200, 0.5, {"concurrency": 2, "hedge": True}, id="for an answer"),
    ],
)
@pytest.mark.parametrize("copies", [1, 3])
def test_whoever_waits_when_the_engine_is_closed_is_told_so_at_once(
    status: int, closed_at_s: float, settings: dict[str, Any], copies: int
) -> None:
    async def main() -> set[type[BaseException] | None]:
        engine = await Engine(Slow(status), **{"price": FREE, **settings}).__aenter__()
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(end_of(engine, f"row {i}")) for i in range(20) for _ in range(copies)]
            await asyncio.sleep(closed_at_s)
            closing_at = now()
            await engine.aclose()
        assert now() == closing_at
        statistics = engine.statistics()
        assert (statistics.reserved, statistics.in_flight, statistics.waiting) == (0, 0, 0)
        return {task.result() for task in tasks}

    assert virtual_time.run(main()) == {Interrupted}


def test_who_is_told_that_the_engine_was_closed_is_not_cancelled() -> None:
    async def close_soon(engine: Engine) -> None:
        await asyncio.sleep(0.5)
        await engine.aclose()

    async def main() -> int:
        engine = await Engine(Slow(), price=FREE, hedge=True).__aenter__()
        async with asyncio.TaskGroup() as group:
            group.create_task(close_soon(engine))
            with pytest.raises(Interrupted, match="the engine was closed"):
                await engine.ask(question("a"))
        current = asyncio.current_task()
        assert current is not None
        return current.cancelling()

    assert virtual_time.run(main()) == 0


def test_what_is_given_up_by_its_deadline_is_given_up_for_its_twins_too() -> None:
    async def main() -> tuple[list[type[BaseException] | None], int, float]:
        provider = Slow(latency_s=1000)
        async with Engine(provider, price=FREE, deadline_s=10) as engine:
            ends = await asyncio.gather(*(end_of(engine, "the same") for _ in range(5)))
            return ends, len(provider.sent), now()

    ends, sent, took_s = virtual_time.run(main())
    assert ends == [DeadlineExceeded] * 5
    assert (sent, round(took_s, 3)) == (1, 10)


@pytest.mark.parametrize(
    ("status", "run_deadline_s", "stop", "reason"),
    [
        pytest.param(200, None, Engine.drain, Interrupted, id="drained"),
        pytest.param(200, 5.0, lambda _: None, Interrupted, id="out of time"),
        pytest.param(401, None, lambda _: None, AuthenticationRefused, id="refused"),
    ],
)
def test_an_engine_that_was_stopped_begins_anew_when_it_is_opened_again(
    status: int, run_deadline_s: float | None, stop: Callable[[Engine], None], reason: type[SmeltError]
) -> None:
    async def main() -> list[type[BaseException] | None]:
        provider = Slow(status)
        engine = Engine(provider, price=FREE, run_deadline_s=run_deadline_s)
        async with engine:
            await end_of(engine, "first")
            stop(engine)
            await asyncio.sleep(5)
            before = await end_of(engine, "second")
        provider.status = 200
        async with engine:
            return [before, await end_of(engine, "third")]

    assert virtual_time.run(main()) == [reason, None]


def test_what_retries_need_is_read_before_the_first_request() -> None:
    async def main() -> bool:
        async with Engine(Slow(), price=FREE):
            return "tenacity" in sys.modules

    assert virtual_time.run(main())
