"""Make the seed: `python -m engine.training.seed --steps N --width W --out FOLDER [--check]`."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from engine.training.seed.checking import check, check_table
from engine.training.seed.pretraining import Plan, Told, pretrain
from engine.training.seed.shipped import SHIPPED, SeedCard, keep_seed, read_seed_card
from engine.training.seed.tasks import HELD_OUT, PROCEDURES, TASKS_OF_EACH
from engine.training.tiny import new_model

__all__: list[str] = []


def main() -> None:
    """Train, keep, and on wish check by procedures that were held out."""
    chosen = _arguments()
    if not chosen.only_check:
        _make(chosen.out, _plan(chosen), minutes=chosen.minutes)
    if chosen.check or chosen.only_check:
        folder = chosen.out if (chosen.out / "seed.json").is_file() else SHIPPED
        sys.stdout.write(check_table(check(folder, seconds=chosen.seconds, rows=tuple(chosen.rows))))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m engine.training.seed", description=__doc__)
    parser.add_argument("--steps", type=int, help="steps in all (as many as the one that ships took)")
    parser.add_argument("--width", type=int, help="width of the model (that of the one that ships)")
    parser.add_argument(
        "--minutes", type=float, help="stop after so many minutes; what comes of it is then no longer sure"
    )
    parser.add_argument("--out", type=Path, default=Path("seed"), help="folder for weights, card and state")
    parser.add_argument("--check", action="store_true", help="then measure it on procedures that it has not seen")
    parser.add_argument("--only-check", action="store_true", help="measure the one in --out, or the one that ships")
    parser.add_argument("--seconds", type=float, default=30, help="of a check: training time of each student")
    parser.add_argument("--rows", type=int, nargs="+", default=[200, 1000], help="of a check: numbers of rows")
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


def _make(folder: Path, plan: Plan, *, minutes: float | None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    model = new_model(seed=plan.seed, width=plan.width, dropout=0.0)
    steps = pretrain(model, plan, folder=folder, minutes=minutes, tell=_tell)
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
