"""Whole runs on a Ray of this machine's own: the same bytes, no key anywhere, and one line where it cannot be."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import sys
from pathlib import Path

import pytest

from engine.fakes.server import FakeProvider
from engine.journal import peek
from engine.providers.resolve import world_named
from tests.end_to_end.commands import DATES, PARTS, ROOT

pytestmark = pytest.mark.slow

KEY = "sk-a-key-that-nobody-may-see-0123456789"

needs_ray = pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: smelt[ray]")


async def smelt(*words: object) -> tuple[int, str, str]:
    """The command line in a process of its own: its code, and what it said."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OPENAI_API_KEY": KEY}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agents", *map(str, words), env=environment, stdout=-1, stderr=-1
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@needs_ray
def test_a_run_on_ray_ends_in_the_bytes_of_one_process_and_shows_its_key_to_nobody(tmp_path: Path) -> None:
    async def main() -> tuple[int, str]:
        async with FakeProvider(world_named("dates", seed=0), latency_scale=0.02) as fake:
            words = (
                "generate", DATES / "prompt.md", "--model", "openai/teacher", "--base-url", fake.url, "--price-in", "1",
                "--price-out", "2", "--budget", "5", "--examples", "60", "--quiet", "--yes",
            )  # fmt: skip
            code, _, err = await smelt(*words, "--out", tmp_path / "one")
            assert (code, err) == (0, "")
            return await _on_ray(words)

    async def _on_ray(words: tuple[object, ...]) -> tuple[int, str]:
        code, out, err = await smelt(*words, "--ray", "--workers", "2", "--out", tmp_path / "ray")
        return code, out + err

    code, said = asyncio.run(main())

    assert code == 0, said
    for part in PARTS:
        name = f"data/{part}.parquet"
        assert (tmp_path / "ray" / name).read_bytes() == (tmp_path / "one" / name).read_bytes()
    one, ray = (peek(tmp_path / name / "journal.db") for name in ("one", "ray"))
    assert (ray.replies, ray.answered_twice, ray.in_flight) == (one.replies, 0, 0)
    assert not (tmp_path / "ray" / "workers").exists()
    assert KEY not in said
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

    code, _, err = asyncio.run(smelt(*words, "--ray", address, "--quiet"))

    assert code == 2
    assert told in err
    assert len(err.strip().splitlines()) == 1
