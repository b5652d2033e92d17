"""What `--ray` and `--workers` may say."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from agents.config import Configuration
from agents.run_folder import RunFolder
from agents.run_state import look_at
from engine.errors import UserError
from engine.journal import Journal


def test_none_is_no_cluster_and_workers_need_one() -> None:
    assert Configuration(ray="none", workers=3).cluster is None
    assert Configuration(ray="auto").cluster == "auto"
    with pytest.raises(UserError, match="--workers is how many"):
        Configuration(workers=3)
    with pytest.raises(UserError, match="sent by one process"):
        Configuration(ray="auto", batch=True)
    with pytest.raises(UserError, match="an address is"):
        Configuration(ray=" ")


def test_graphics_cards_are_for_models_in_the_workers_own_processes() -> None:
    here = {"model": "local/models/mine", "ray": "auto"}
    assert Configuration(**here, gpus=0.5).gpus == 0.5  # type: ignore[arg-type]
    assert Configuration(
        model="openai/x", models={"annotator": ({"model": "local/x"},)}, ray="local", gpus=2.0
    ).is_local

    for told in ({**here, "ray": None}, {**here, "model": "openai/x"}):
        with pytest.raises(UserError, match="--gpus is what each worker has"):
            Configuration(**told, gpus=1.0)
    for gpus in (0.0, -1.0, 1.5):
        with pytest.raises(UserError, match="--gpus must be a part of a card, or a whole number"):
            Configuration(**here, gpus=gpus)  # type: ignore[arg-type]


def test_what_workers_of_a_killed_run_have_left_counts_as_charged(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    folder.begin(prompt="Say hello.", configuration=Configuration(model="simulated/dates", budget="5", ray="local"))

    async def write(path: Path, *, cost: int) -> None:
        async with await Journal.open(path) as journal:
            attempt = await journal.intend(bytes(31) + bytes([cost]), bound=100, tag="annotate")
            await journal.settle(attempt, raw=None, cost=cost, assumed=cost > 5)

    asyncio.run(write(folder.journal, cost=3))
    asyncio.run(write(folder.workers / "w0001" / "journal.db", cost=40))

    assert folder.charged() == 43
    figures = look_at(folder).figures
    assert figures is not None
    assert (figures.spent, figures.assumed) == (3, 40)
