"""A worker that is no good for this run is refused in a line; the run ends only where there is no other."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from engine import Events, UserError
from engine.events import Event, Noted
from engine.fleet.fleet import Fleet
from engine.fleet.links import Post
from engine.fleet.near import Near, NearLink
from tests.engine.asking import question, questions
from tests.engine.fleet.near_fleets import Service, fleet_of, until


class Strangers(Near):
    """Some of those who come are of another make; `tried` counts who came."""

    def __init__(self, workers: int, *, strangers: set[str]) -> None:
        super().__init__(workers)
        self._strangers = strangers
        self.tried: list[str] = []

    async def hire(self, post: Post) -> NearLink:
        self.tried.append(post.name)
        if post.name in self._strangers:
            raise UserError(f"--ray: {post.name} has Smelt 9.9")
        return await super().hire(post)


def strange_fleet(service: Service, near: Strangers, folder: Path, **rest: Any) -> Fleet:
    near._hired_as = lambda name, hired: {**hired, "model": service.provider(name)}
    return fleet_of(service, near, folder, **rest)[0]


def test_a_stranger_is_refused_in_a_line_and_the_others_go_on_until_others_come(tmp_path: Path) -> None:
    async def main() -> None:
        events, heard = Events(), list[Event]()
        events.subscribe(heard.append)
        near = Strangers(3, strangers={"w0001", "w0003"})
        fleet = strange_fleet(Service(), near, tmp_path, events=events)
        async with fleet:
            assert [outcome.unwrap().text async for outcome in fleet.map(questions(20))] == [
                f"ROW {i}" for i in range(20)
            ]
            assert near.tried == ["w0001", "w0002", "w0003"]
            told = [each.text for each in heard if isinstance(each, Noted) and "9.9" in each.text]
            assert told == [f"--ray: {name} has Smelt 9.9; the others go on" for name in ("w0001", "w0003")]
            near.want(3)
            await until(lambda: len(near.links) == 3)

    asyncio.run(main())


def test_where_all_are_strangers_the_run_ends_with_the_first_line(tmp_path: Path) -> None:
    async def main() -> None:
        near = Strangers(2, strangers={"w0001", "w0002"})
        with pytest.raises(UserError, match="w0001 has Smelt"):
            async with strange_fleet(Service(), near, tmp_path):
                pass

    asyncio.run(main())


def test_where_only_strangers_are_left_the_run_ends_with_why(tmp_path: Path) -> None:
    async def main() -> None:
        near = Strangers(2, strangers={"w0002", "w0003"})
        fleet = strange_fleet(Service(latency_s=10.0), near, tmp_path)
        async with fleet:
            asked = asyncio.create_task(fleet.ask(question()))
            await until(lambda: len(near.tried) == 2)
            await near.links["w0001"].die()
            with pytest.raises(UserError, match="w0003 has Smelt"):
                await asked

    asyncio.run(main())
