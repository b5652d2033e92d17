"""Base models from the hub into the cache: what training needs and nothing that could be run, or one line."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.fakes.hub import FakeHub, Mishap
from engine.retrieval import model_place
from engine.retrieval.fetch import fetch_model

FILES = {
    "org/m/config.json": b"{}",
    "org/m/model.safetensors": b"weights",
    "org/m/spiece.model": b"pieces",
    "org/m/modeling.py": b"raise SystemExit",
    "org/m/pytorch_model.bin": b"a pickle",
}


async def fetched(model: str, cache: Path, hub: FakeHub) -> None:
    async with hub:
        await asyncio.to_thread(fetch_model, model, endpoint=hub.url, cache=cache)


def test_what_training_needs_is_then_on_this_machine_and_no_code_or_pickle(tmp_path: Path) -> None:
    assert model_place("org/m", cache=tmp_path, online=lambda: False) is None

    asyncio.run(fetched("org/m", tmp_path, FakeHub(files=FILES)))

    assert model_place("org/m", cache=tmp_path, online=lambda: False) == "machine"
    assert {path.name for path in tmp_path.rglob("snapshots/*/*")} == {
        "config.json", "model.safetensors", "spiece.model"
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "hub"),
    [
        pytest.param("org/other", FakeHub(files=FILES), id="no such model"),
        pytest.param("not a name", FakeHub(), id="no name"),
        pytest.param("org/m", FakeHub(files=FILES, mishaps=lambda _number, _path: Mishap(status=401)), id="refused"),
        pytest.param(
            "org/m",
            FakeHub(files=FILES, mishaps=lambda _, path: Mishap(half=True) if path.endswith("safetensors") else None),
            id="half of it",
        ),
    ],
)
@pytest.mark.long
def test_a_model_that_cannot_be_had_is_one_line(model: str, hub: FakeHub, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"'{model}' cannot be fetched from the hub") as raised:
        asyncio.run(fetched(model, tmp_path, hub))

    assert "\n" not in str(raised.value)
    assert model_place(model, cache=tmp_path, online=lambda: False) is None


def test_what_this_machine_lacks_is_said(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")

    with pytest.raises(UserError, match=r"\((Not a directory|File exists)\)"):
        asyncio.run(fetched("org/m", tmp_path / "cache", FakeHub(files=FILES)))
