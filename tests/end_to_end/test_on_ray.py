"""Whole runs on a Ray of this machine's own: the same bytes, no key anywhere, and one line where it cannot be."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path

import pytest

from engine.fakes.server import FakeProvider
from engine.journal import peek
from engine.providers.resolve import world_named
from tests.end_to_end.commands import DATES, Ended, data_of, smelt

pytestmark = pytest.mark.slow

KEY = "sk-a-key-that-nobody-may-see-0123456789"

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: smelt[ray]")


@needs_ray
def test_a_run_on_ray_ends_in_the_bytes_of_one_process_and_shows_its_key_to_nobody(tmp_path: Path) -> None:
    async def main() -> tuple[Ended, Ended]:
        async with FakeProvider(world_named("dates", seed=0), latency_scale=0.02) as fake:
            words = (
                "generate", DATES / "prompt.md", "--model", "openai/teacher", "--base-url", fake.url, "--price-in", "1",
                "--price-out", "2", "--budget", "5", "--examples", "60", "--quiet", "--yes",
            )  # fmt: skip
            alone = await smelt(*words, "--out", tmp_path / "one", key=KEY)
            return alone, await smelt(*words, "--ray", "--workers", "2", "--out", tmp_path / "ray", key=KEY)

    alone, spread = asyncio.run(main())

    assert (alone.code, alone.err) == (0, "")
    assert spread.code == 0, spread
    assert data_of(tmp_path / "ray") == data_of(tmp_path / "one")
    one, ray = (peek(tmp_path / name / "journal.db") for name in ("one", "ray"))
    assert (ray.replies, ray.answered_twice, ray.in_flight) == (one.replies, 0, 0)
    assert not (tmp_path / "ray" / "workers").exists()
    assert KEY not in spread.out + spread.err
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


@needs_ray
@pytest.mark.parametrize(
    ("address", "told"),
    [
        pytest.param("127.0.0.1:1", "nobody listens there", id="nobody"),
        pytest.param("ray://127.0.0.1:10001", "cannot be steered from outside", id="from outside"),
    ],
)
def test_a_wrong_address_is_told_in_a_line(tmp_path: Path, address: str, told: str) -> None:
    words = ("generate", DATES / "prompt.md", "--model", "simulated/dates", "--out", tmp_path / "run", "--yes")

    ran = asyncio.run(smelt(*words, "--ray", address, "--quiet"))

    assert ran.code == 2
    assert told in ran.err
    assert len(ran.err.strip().splitlines()) == 1
