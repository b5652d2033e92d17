"""`smelt models --refresh` as a user runs it: HF_ENDPOINT names the hub, no token is shown, the catalogue is used."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.fakes.hub import FakeHub, Mishap

ROOT = Path(__file__).parents[2]


async def smelt(hub: FakeHub, folder: Path, *arguments: str) -> tuple[int, str, str]:
    """What the command says, its environment pointed at the fake hub."""
    environment = {
        **os.environ, "HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_secret", "SMELT_CACHE": str(folder / "cache"),
        "HF_HOME": str(folder / "hf"), "NO_PROXY": "127.0.0.1", "PYTHONPATH": str(ROOT),
    }  # fmt: skip
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "agents", *arguments,
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@pytest.mark.slow
def test_a_refreshed_catalogue_is_what_is_searched(tmp_path: Path) -> None:
    model = {
        "id": "org/cobbler", "pipeline_tag": "text2text-generation", "tags": ["t5"], "downloads": 5, "gated": False,
        "lastModified": "2025-01-01T00:00:00.000Z", "config": {"model_type": "t5"}, "cardData": {"language": "en"},
        "safetensors": {"parameters": {"F32": 1000}, "total": 1000},
    }  # fmt: skip
    dataset = {
        "id": "org/shoes", "tags": ["task_categories:text-classification"], "downloads": 3, "gated": False,
        "description": "Shoes and their soles, mended by a cobbler.", "lastModified": "2025-01-01T00:00:00.000Z",
    }  # fmt: skip
    turns = {0: Mishap(503, {"Retry-After": "0"}), 3: Mishap(429, {"Retry-After": "0"})}
    (tmp_path / "prompt.md").write_text("Say which cobbler mends these shoes.")

    async def run() -> None:
        async with FakeHub(
            models=[model], datasets=[dataset], files={"org/cobbler/README.md": b"A cobbler mends shoes."},
            mishaps=lambda number, _: turns.get(number),
        ) as hub:  # fmt: skip
            code, out, err = await smelt(hub, tmp_path, "models", "--refresh", "--json")
            assert (code, json.loads(out)["cards"]) == (0, 1), err
            assert "secret" not in out + err
            code, out, err = await smelt(hub, tmp_path, "datasets", "--refresh", "prompt.md", "--json")
            assert code == 0, err
            assert json.loads(out.splitlines()[-1])["data_sets"][0]["data set"] == "org/shoes"
            code, out, err = await smelt(hub, tmp_path, "models", "prompt.md", "--json")
            best = json.loads(out.splitlines()[-1])["base_models"][0]
            assert (best["model"], best["verdict"]) == ("org/cobbler", "can be used, from the hub"), err
            assert hub.authorizations == {"Bearer hf_secret", ""} or hub.authorizations == {"Bearer hf_secret"}

    asyncio.run(run())
