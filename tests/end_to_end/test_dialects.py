"""A run with a teacher that takes no temperature, over the real command line. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.fakes.server import FakeProvider
from engine.providers.resolve import world_named
from tests.end_to_end.commands import INTENTS, Ended, smelt

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
