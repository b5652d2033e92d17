"""Make the seed: `python -m engine.training.seed --steps N --width W --out FOLDER`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from engine.training.seed.pretraining import Plan, Told, pretrain
from engine.training.seed.shipped import SHIPPED, SeedCard, keep_seed, read_seed_card
from engine.training.seed.tasks import HELD_OUT, PROCEDURES, TASKS_OF_EACH
from engine.training.tiny import new_model

__all__: list[str] = []


def main() -> None:
    """Train and keep."""
    chosen = _arguments()
    _make(chosen.out, _plan(chosen))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m engine.training.seed", description=__doc__)
    parser.add_argument("--steps", type=int, help="steps in all (as many as the one that ships took)")
    parser.add_argument("--width", type=int, help="width of the model (that of the one that ships)")
    parser.add_argument("--out", type=Path, default=Path("seed"), help="folder for weights, card and state")
    return parser.parse_args()


def _plan(chosen: argparse.Namespace) -> Plan:
    told = read_seed_card(SHIPPED)
    plan = Plan(
        steps=told.steps,
        width=told.width,
        batch=told.batch,
        peak_learning_rate=told.peak_learning_rate,
        seed=told.seed,
    )
    return replace(plan, steps=chosen.steps or plan.steps, width=chosen.width or plan.width)


def _make(folder: Path, plan: Plan) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model = new_model(seed=plan.seed, width=plan.width, dropout=0.0)
    steps = pretrain(model, plan, folder=folder, tell=_tell)
    card = SeedCard(
        steps=steps,
        width=plan.width,
        batch=plan.batch,
        peak_learning_rate=plan.peak_learning_rate,
        seed=plan.seed,
        procedures=[name for name in PROCEDURES if name not in HELD_OUT],
        held_out=HELD_OUT,
        tasks_of_each=TASKS_OF_EACH,
        parameters=model.num_parameters(),
        sha256="",
    )
    sys.stdout.write(f"{keep_seed(model, card, folder).sha256}\n")


def _tell(told: Told) -> None:
    sys.stdout.write(f"step {told.step:7,}   loss {told.loss:.4f}   {told.seconds:7.0f} s\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
