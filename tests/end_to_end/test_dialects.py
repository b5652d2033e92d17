"""A run with a teacher that takes no temperature, over the real command line. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from agents.demo.dates.world import World
from agents.making.synthesis import VARIED_INSTEAD
from engine.fakes.server import FakeProvider
from engine.prices import PICO_PER_USD, Price, dollars
from engine.providers.resolve import world_named
from tests.end_to_end.commands import DATES, INTENTS, Ended, smelt

pytestmark = pytest.mark.slow

PRICED = ("--price-in", "0", "--price-out", "0")


def generated(tmp_path: Path, *options: object) -> Ended:
    async def main() -> Ended:
        async with FakeProvider(world_named("intents", seed=0), latency_s=0.0) as fake:
            there = ("--base-url", fake.url, *PRICED, "--examples", "60", "--out", tmp_path / "run")
            return await smelt("generate", INTENTS / "prompt.md", *there, *options)

    return asyncio.run(main())


def test_a_version_without_temperatures_makes_rows_all_the_same_and_says_how(tmp_path: Path) -> None:
    """The fake refuses every temperature under that version, as the service does."""
    ended = generated(tmp_path, "--model", "anthropic/m", "--dialect", "anthropic-2026-10-21")

    assert ended.code == 0, ended.err
    told = ended.out + ended.err
    assert "as Anthropic, version 2026-10-21; no temperature; one completion a request" in told
    assert "this model takes no temperature: what moves instead is how many examples it is shown" in told


def test_a_dialect_of_ones_own_is_read_from_the_configuration_and_stays_with_the_run(tmp_path: Path) -> None:
    config = tmp_path / "smelt.toml"
    config.write_text('dialect = "mine"\n\n[dialects.mine]\nlike = "ollama"\ntitle = "Our own"\n', encoding="utf-8")

    ended = generated(tmp_path, "--model", "openai/m", "--config", config)

    assert ended.code == 0, ended.err
    assert "as Our own; one completion a request" in ended.out + ended.err
    assert 'title = "Our own"' in (tmp_path / "run" / "run.toml").read_text(encoding="utf-8")


def test_a_field_that_does_not_exist_ends_the_command_in_one_line(tmp_path: Path) -> None:
    config = tmp_path / "smelt.toml"
    config.write_text("[dialects.mine]\ntemprature = 1\n", encoding="utf-8")

    ended = generated(tmp_path, "--model", "openai/m", "--config", config)

    assert ended.code == 2
    assert ended.err.count("\n") == 1
    assert "dialects.mine: unknown field 'temprature'; did you mean 'temperature'?" in ended.err


def test_a_long_prompt_is_kept_by_the_provider_and_the_report_says_what_that_saved(tmp_path: Path) -> None:
    """The same rows for a fraction of the price, and both books agree."""
    head, _, examples = (DATES / "prompt.md").read_text(encoding="utf-8").partition("## Examples")
    rules = "\n".join(f"- Rule {number}: what is not said is not guessed, whoever asks." for number in range(100))
    prompt, config = tmp_path / "prompt.md", tmp_path / "smelt.toml"
    prompt.write_text(f"{head}\n{rules}\n\n## Examples{examples}", encoding="utf-8")
    prices = {"price_in": 3, "price_out": 15, "price_cached_in": 0.3, "price_cache_write": 3.75}
    config.write_text("\n".join(f"{name} = {price}" for name, price in prices.items()), encoding="utf-8")

    class Priced(World):
        price = Price(input=3, output=15, cached_input="0.3", cache_write="3.75")

    async def main() -> tuple[Ended, float]:
        async with FakeProvider(Priced(), latency_scale=0.05) as fake:
            there = ("--model", "anthropic/claude-sonnet-5", "--base-url", fake.url, "--budget", 5, "--config", config)
            ended = await smelt("generate", prompt, *there, "--examples", "60", "--out", tmp_path / "run")
            return ended, fake.audit.billed_usd

    ended, billed = asyncio.run(main())

    assert ended.code == 0, ended.err
    report = json.loads((tmp_path / "run" / "report.json").read_text(encoding="utf-8"))
    assert report["money"]["spent"] == dollars(round(billed * PICO_PER_USD))
    assert report["money"]["cached_share"] > 0.3
    assert report["data"]["varied"] == VARIED_INSTEAD
    assert "saved by the provider" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
