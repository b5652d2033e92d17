"""Who is asked what: by tags, in batches or alone, and what several can do together."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import Budget, Capabilities, Engine, Interrupted, Model, Price, Request
from engine.batches import Timing
from engine.events import Events, RequestSent
from engine.fakes.batches import BatchBehaviour
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.providers.choice import common
from tests.engine.asking import nothing_is_left

SOON = Timing(
    quiet_s=0.02, first_look_s=0.02, longest_look_s=0.05, grace_s=0.3, first_retry_s=0.02, calls_a_second=10_000
)

CAPABILITIES = st.builds(
    Capabilities,
    max_temperature=st.sampled_from([None, 1.0, 2.0]),
    n=st.booleans(),
    seed=st.booleans(),
    stop=st.booleans(),
    schema=st.booleans(),
    most_stops=st.sampled_from([None, 4, 5]),
)

REQUESTS = st.builds(
    lambda temperature, seed, stop: Request.user("hi", temperature=temperature, seed=seed, stop=stop),
    temperature=st.sampled_from([None, 0.0, 1.0, 1.5]),
    seed=st.sampled_from([None, 3]),
    stop=st.sampled_from([(), ("a",), ("a", "b", "c", "d", "e")]),
)


@given(can=st.lists(CAPABILITIES, min_size=1, max_size=3), request=REQUESTS)
def test_what_several_can_do_is_what_none_of_them_objects_to(can: list[Capabilities], request: Request) -> None:
    objections = [each.objection(request) for each in can]

    assert (common(can).objection(request) is None) == (objections == [None] * len(can))


PRICE = Price(input="0.25", output=2, batch="0.5")  # as of an echo, whose batches cost half


def at(fake: FakeProvider, name: str) -> Model:
    return Model(f"openai/{name}", base_url=fake.url, api_key="nobody-s-key-at-all", price=PRICE)


def opened(folder: Path, **settings: Any) -> Engine:
    return Engine(budget=Budget(usd=1), journal=folder / "journal.db", batch_timing=SOON, **settings)


def test_the_tags_of_one_model_may_go_in_batches_and_those_of_another_not(tmp_path: Path) -> None:
    asked = [Request.user(f"{tag} {i}", max_tokens=20, tag=tag) for i in range(10) for tag in ("write", "label")]

    async def main() -> None:
        async with FakeProvider(EchoWorld(), batches=BatchBehaviour(seconds=0.05)) as fake:
            several: dict[str, Any] = {"model": at(fake, "a"), "by_tag": {"label": at(fake, "b")}, "batch": ["label"]}
            async with opened(tmp_path, **several) as engine:
                assert [outcome.unwrap().text async for outcome in engine.map(asked)] == [
                    request.messages[0].content for request in asked
                ]
                assert nothing_is_left(engine)
                assert engine.statistics().spent == fake.audit.billed
            served = {(entry.model, entry.batch is not None) for entry in fake.audit.entries if entry.cost}
            assert served == {("a", False), ("b", True)}

    asyncio.run(main())


@pytest.mark.long
def test_what_one_of_them_has_out_in_a_batch_is_waited_for_though_another_is_asked_first(tmp_path: Path) -> None:
    """A run that went in batches goes on online, with the model of its batches to fall back on."""
    request = Request.user("once", max_tokens=20)

    async def main() -> None:
        async with FakeProvider(EchoWorld(), batches=BatchBehaviour(seconds=0.5)) as fake:
            created, events = asyncio.Event(), Events()
            events.subscribe(lambda event: created.set() if isinstance(event, RequestSent) else None)
            async with opened(tmp_path, model=at(fake, "b"), batch=True, events=events) as engine:
                asking = asyncio.create_task(engine.ask(request))
                await created.wait()
                engine.drain()
                with pytest.raises(Interrupted):
                    await asking
            async with opened(tmp_path, model=at(fake, "a"), fallback=[at(fake, "b")]) as engine:
                assert engine.statistics().assumed == 0
                assert (await engine.ask(request)).text == "once"
                assert nothing_is_left(engine)
                assert engine.statistics().spent == fake.audit.billed
            assert [entry.model for entry in fake.audit.entries if entry.cost] == ["b"]

    asyncio.run(main())


@pytest.mark.long
def test_a_model_of_two_orders_adopts_what_is_out_once(tmp_path: Path) -> None:
    request = Request.user("once", max_tokens=20, tag="label")

    async def main() -> None:
        async with FakeProvider(EchoWorld(), batches=BatchBehaviour(seconds=0.5)) as fake:
            created, events = asyncio.Event(), Events()
            events.subscribe(lambda event: created.set() if isinstance(event, RequestSent) else None)
            both: dict[str, Any] = {
                "model": at(fake, "a"), "fallback": [at(fake, "b")], "by_tag": {"label": at(fake, "b")},
                "batch": ["label"], "events": events,
            }  # fmt: skip
            async with opened(tmp_path, **both) as engine:
                asking = asyncio.create_task(engine.ask(request))
                await created.wait()
                engine.drain()
                with pytest.raises(Interrupted):
                    await asking
                at_stake = engine.statistics().reserved
            async with opened(tmp_path, **both) as engine:
                assert (engine.statistics().reserved, engine.statistics().assumed) == (at_stake, 0)
                assert (await engine.ask(request)).text == "once"
                assert nothing_is_left(engine)
            assert sum(entry.cost > 0 for entry in fake.audit.entries) == 1

    asyncio.run(main())
