"""Runs of several models behind HTTP: each its role, one after another's key, killed and resumed. Slow."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

import pytest

from engine.fakes.dialect import Refusal
from engine.fakes.server import FakeProvider
from engine.journal import peek
from engine.messages import Message
from engine.prices import PICO_PER_USD
from engine.providers.simulated import Answer
from tests.end_to_end.commands import DATES, ROWS, Ended, Watched, data_of, smelt, stopped_at

pytestmark = pytest.mark.slow

PRICES = "price_in = 0.25, price_out = 2"


class Limited(Watched):
    """A world whose key is withdrawn after so many answers."""

    def __init__(self, name: str, *, answers: int) -> None:
        super().__init__(name)
        self.answers = answers

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:
        if self.asked.total() >= self.answers:
            raise Refusal("unauthorized", "This key was withdrawn.")
        return super().answer(messages, temperature=temperature, max_tokens=max_tokens, sample=sample)


class House:
    """Three teachers of one world: one to write whose key is withdrawn, one that goes on for it, one to label."""

    def __init__(self, folder: Path) -> None:
        self.run = folder / "run"
        self.config = folder / "smelt.toml"
        self.first = Limited("dates", answers=20)
        self.second, self.labeller = Watched("dates"), Watched("dates")
        self.fakes: list[FakeProvider] = []
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Self:
        for world in (self.first, self.second, self.labeller):
            self.fakes.append(await self._open.enter_async_context(FakeProvider(world, latency_scale=0.1)))
        first, second, labeller = (fake.url for fake in self.fakes)
        self.config.write_text(
            f"budget = 5\nexamples = {ROWS}\n[models]\n"
            f'teacher = [{{ model = "openai/dates", base_url = "{first}", {PRICES} }},\n'
            f'           {{ model = "anthropic/dates", base_url = "{second}", {PRICES} }}]\n'
            f'annotator = {{ model = "openai/dates", base_url = "{labeller}", {PRICES} }}\n',
            encoding="utf-8",
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    @property
    def words(self) -> list[object]:
        return ["generate", DATES / "prompt.md", "--config", self.config, "--out", self.run]

    @property
    def billed(self) -> int:
        return sum(fake.audit.billed for fake in self.fakes)

    def charged(self) -> tuple[int, int]:
        """Spent and assumed, by the journal."""
        totals = peek(self.run / "journal.db").by_tag.values()
        return sum(each.spent for each in totals), sum(each.assumed for each in totals)


def test_each_model_has_its_role_and_when_the_writers_key_dies_the_next_writes_on(
    tmp_path: Path, undisturbed: dict[str, bytes]
) -> None:
    async def make() -> tuple[House, Ended]:
        async with House(tmp_path) as house:
            return house, await smelt(*house.words, "--json")

    house, done = asyncio.run(make())

    assert done.code == 0
    assert data_of(house.run) == undisturbed
    assert house.labeller.lists_of_labels > 0
    assert house.first.lists_of_labels == house.second.lists_of_labels == 0
    assert house.first.asked.total() == 20
    assert house.second.asked.total() > 0
    assert not house.first.asked.keys() & house.second.asked.keys()
    assert house.charged() == (house.billed, 0)
    said = "openai/dates lets us in no more (401: This key was withdrawn.); anthropic/dates is asked from here on"
    assert done.err.count(said) == 1
    models = done.table()["money"]["models"]  # type: ignore[index]
    assert [(each["model"], each["standing"]) for each in models] == [
        ("openai/dates", "gone"),
        ("anthropic/dates", "asked"),
        ("openai/dates", "asked"),
    ]


@pytest.mark.parametrize("at", [10, 40], ids=["before the key dies", "after it"])
def test_a_run_killed_among_several_models_pays_nobody_twice_and_ends_in_the_same_bytes(
    tmp_path: Path, undisturbed: dict[str, bytes], at: int
) -> None:
    async def kill_and_resume() -> tuple[House, Ended, Ended, int]:
        async with House(tmp_path) as house:
            watched = house.first if at < house.first.answers else house.labeller
            killed = await stopped_at(watched, at, signal.SIGKILL, house.words)
            in_flight = peek(house.run / "journal.db").in_flight
            return house, killed, await smelt("resume", house.run, "--quiet"), in_flight

    house, killed, resumed, in_flight = asyncio.run(kill_and_resume())

    assert killed.code == -signal.SIGKILL
    assert resumed.code == 0, resumed.err
    assert data_of(house.run) == undisturbed
    spent, assumed = house.charged()
    assert house.billed <= spent + assumed <= 5 * PICO_PER_USD
    again = house.first.asked_again + house.second.asked_again + house.labeller.asked_again
    again += len(house.first.asked.keys() & house.second.asked.keys())
    assert again <= in_flight


def test_a_run_that_ended_for_want_of_access_goes_on_with_another_model(
    tmp_path: Path, undisturbed: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first = Limited("dates", answers=60)
    run = tmp_path / "run"

    async def stop_and_go_on() -> tuple[Ended, Ended]:
        async with FakeProvider(first, latency_scale=0.1) as fake:
            prices = ("--price-in", "0.25", "--price-out", "2", "--budget", "5", "--examples", ROWS)
            stopped = await smelt(
                "generate", DATES / "prompt.md", "--model", "openai/dates", "--base-url", fake.url, *prices,
                "--out", run, "--quiet",
            )  # fmt: skip
            return stopped, await smelt("resume", run, "--fallback", "simulated/dates")

    stopped, done = asyncio.run(stop_and_go_on())

    assert stopped.code == 4
    assert done.code == 0
    assert data_of(run) == undisturbed
    assert first.asked.total() == 60
    assert "simulated/dates is asked from here on" in done.out
