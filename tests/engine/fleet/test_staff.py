"""A worker that says nothing is taken for dead, and one for which there is no place is not waited for alone."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import pytest

from engine.errors import SmeltError
from engine.fleet.hand import Hand
from engine.fleet.links import Post
from engine.fleet.near import Near, NearLink
from engine.fleet.on_ray import OnRay
from engine.fleet.staff import Staff
from engine.fleet.wire import Account, News
from engine.journal import Journal
from tests.engine.asking import GENEROUS
from tests.engine.fleet.near_fleets import Service


class Silent(NearLink):
    """Lives on, and says nothing."""

    async def news(self, *, linger_s: float) -> News:  # noqa: ARG002
        await asyncio.Event().wait()
        raise AssertionError("unreachable")


class Mute(Near):
    """The first that it hires is silent."""

    async def hire(self, post: Post) -> NearLink:
        link = await super().hire(post)
        if post.name != "w0001":
            return link
        self.links[post.name] = silent = Silent(link.worker, hiring=self)
        return silent


class Owner:
    """Remembers who was lost, and who came."""

    def __init__(self) -> None:
        self.came: list[str] = []
        self.lost_for: dict[str, str] = {}
        self.refusals: list[str] = []
        self.second = asyncio.Event()

    def joined(self, hand: Hand) -> None:
        self.came.append(hand.name)
        if len(self.came) == 2:
            self.second.set()

    def heard(self, hand: Hand, news: News) -> None: ...

    def lost(self, hand: Hand, *, why: str) -> None:
        self.lost_for[hand.name] = why

    def buried(self, hand: Hand, found: Mapping[str, Account] | None, *, why: str) -> None: ...

    def at_stake(self, hand: Hand) -> Mapping[str, int]:  # noqa: ARG002
        return {}

    def refused(self, error: SmeltError) -> None:
        self.refusals.append(str(error))

    def gave_up(self, error: SmeltError) -> None:
        raise error

    def crashed(self, fault: Exception) -> None:
        raise fault


def test_a_worker_that_says_nothing_for_long_is_lost_and_another_comes(tmp_path: Path) -> None:
    async def main() -> None:
        owner, service = Owner(), Service()
        mute = Mute(1, hired_as=lambda name, hired: {**hired, "model": service.provider(name)})
        async with await Journal.open(tmp_path / "journal.db") as journal:
            folder = tmp_path / "workers"
            hired = {"budget": GENEROUS}
            staff = Staff(mute, hired, keys={}, journal=journal, folder=folder, owner=owner, silent_s=0.05)
            await staff.open(accounts=1)
            await owner.second.wait()
            await staff.aclose()
        assert owner.came == ["w0001", "w0002"]
        assert owner.lost_for == {"w0001": "it said nothing for 0.05 s", "w0002": ""}

    asyncio.run(main())


def test_a_place_is_waited_for_without_end_only_while_somebody_is_at_work() -> None:
    async def main() -> None:
        hiring = OnRay()
        hiring._place_s = 0.01
        hiring._coordinator = _Deaf()
        hiring._at_work.add("w0001")
        placing = asyncio.create_task(hiring._placed(asyncio.Event().wait()))
        await asyncio.sleep(0.05)
        assert not placing.done()
        hiring.notify_gone("w0001")
        with pytest.raises(TimeoutError):
            await placing

    asyncio.run(main())


class _Deaf:
    """A coordinator that hears that somebody has left."""

    leave = cast("Any", None)

    def __init__(self) -> None:
        self.leave = self
        self.left: list[str] = []

    def remote(self, name: str) -> None:
        self.left.append(name)
