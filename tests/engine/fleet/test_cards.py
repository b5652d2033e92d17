"""Models in the workers' own processes: one a graphics card, or several that share one."""

from __future__ import annotations

import asyncio
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from engine import Request
from engine.fakes.checkpoints import save_causal
from engine.fleet.fleet import Fleet
from engine.fleet.on_ray import OnRay, workers_on


@pytest.mark.parametrize(
    ("cards", "gpus", "workers"),
    [
        ([0, 0, 0], 0.0, 3),  # without any a machine each
        ([1, 4, 0], 1.0, 5),
        ([1, 4], 0.5, 10),
        ([2], 0.3, 6),  # three on each card, and a tenth of it is nobody's
        ([4, 3], 2.0, 3),  # none has a card of two machines
        ([], 1.0, 0),
    ],
)
def test_there_are_as_many_workers_as_the_cards_give_room_for(cards: list[float], gpus: float, workers: int) -> None:
    assert workers_on(cards, gpus=gpus) == workers


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::ResourceWarning")
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed here")
def test_two_workers_share_a_card(tmp_path: Path) -> None:
    """A card that Ray is told of and the machine does not have: the model runs on the processor."""
    import ray

    model = f"local/{save_causal(tmp_path / 'model')}"
    asked = [Request.user(f"row {i}", max_tokens=4, temperature=1.0, seed=i) for i in range(12)]

    async def answered(hiring: Any) -> tuple[list[str], float]:
        async with Fleet(model, hiring=hiring, journal=tmp_path / "run" / "journal.db") as fleet:
            texts = [outcome.unwrap().text async for outcome in fleet.map(asked)]
            return texts, ray.available_resources().get("GPU", 0.0)

    (tmp_path / "run").mkdir()
    ray.init(address="local", num_cpus=3, num_gpus=1, include_dashboard=False, log_to_driver=False)
    try:
        hiring = OnRay("auto", gpus=0.5)
        texts, left = asyncio.run(answered(hiring))
        assert (len(texts), hiring.wanted, left) == (12, 2, 0.0)
    finally:
        ray.shutdown()
