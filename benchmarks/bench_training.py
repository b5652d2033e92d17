"""Claim: rows of mixed lengths are learnt at least 1.5 times as many tokens a second as by transformers' Trainer with
its default padding, rows that are all alike never fewer, and given validation scores are reached as much sooner.

Two regimes. Where lengths differ, a batch of chance is as wide as its longest row, and most of what is computed is
padding: batches of like lengths save that. Where all rows are as long as each other there is nothing to save, and the
loop around the model must not cost more than the Trainer's. Both have the same model from the same start (`tiny`, from
the seed that ships), the same rows, rows a step, optimizer, peak and course of the learning rate, and the same looks at
the same rows, whose time is counted in neither. When a score is reached hangs on chance (400 rows know it to 0.025, and
it rises by about 0.04 in fifty steps): it is asked of four scores and three seeds, and the geometric mean of the ratios
counts. Tokens are those of rows, without padding. The mixed rows are the demo world's support messages; the others are
the same, cut or filled to one length, with numbers of one length for answers.

The device is a graphics card where there is one, with the numbers each takes by itself: the Trainer's are float32.
On a CPU one thread is used, and its own seconds are counted, which others at work on the machine change little.
`mixed` or `equal` as an argument measures that regime alone.
"""

from __future__ import annotations

import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from agents.demo.held_out import held_out
from agents.demo.intents.world import Messages
from benchmarks.means import mean
from engine.training import Row
from engine.training.bookmark import Bookmark
from engine.training.fitting import fit
from engine.training.greedy import padded, write
from engine.training.lesson import Lesson
from engine.training.seed.shipped import SHIPPED, plant, read_seed_card
from engine.training.spelling import END, PAD, SPARE, Bytes
from engine.training.threads import spin_briefly, torch_threads
from engine.training.tiny import SEEDED, new_model

ROWS, LOOKED_AT = 4000, 400
WIDTH = 64  # bytes of each input, where all are alike
BATCH = 32
STEPS = 600
SEEDS = (0, 1, 2)
THREADS = 1
LONGEST_ANSWER = 32  # tokens
TARGETS = (0.4, 0.5, 0.6, 0.7)  # exact match on the validation rows, which both come to before the end
LEAST_FASTER = {"mixed": 1.5, "equal": 1.0}
NOISE = 0.03  # what two measurements of the same differ by on a machine that is not alone
NOISE_OF_SCORE = 0.1  # when a score is reached is less sure


@dataclass(frozen=True, slots=True, kw_only=True)
class Learnt:
    """A training: tokens of rows a second, the seconds until each score was reached (None: never), the last score.

    `curve` has the seconds of learning and the score at each look.
    """

    tokens_per_s: float
    seconds: float
    seconds_to: tuple[float | None, ...]
    score: float
    device: str
    curve: tuple[tuple[float, float], ...]


Pair = tuple[list[int], list[int]]
"""A row as tokens: what is read, what is written."""


def clock() -> float:
    """Seconds: of this process where a CPU learns, of the wall where a graphics card does."""
    import torch

    return time.perf_counter() if torch.cuda.is_available() else time.process_time()


class Stopwatch:
    """Seconds of learning from the first batch on, looks apart, the score at each look, and the tokens learnt from."""

    def __init__(self) -> None:
        self.tokens = 0
        self.curve: list[tuple[float, float]] = [(0.0, 0.0)]
        self._began: float | None = None
        self._looked = 0.0

    @property
    def seconds(self) -> float:
        return 0.0 if self._began is None else clock() - self._began - self._looked

    def look(self, score: Callable[[], float]) -> float:
        before, began = self.seconds, clock()
        found = score()
        self._looked += clock() - began
        self.curve.append((before, found))
        return found

    def counting(self, collate: Callable[[Sequence[Any]], Any]) -> Callable[[Sequence[Any]], Any]:
        """What makes batches of rows, and counts their tokens by the way."""

        def counted(rows: Sequence[Any]) -> Any:
            self._began = self._began or clock()
            self.tokens += sum(len(side) for row in rows for side in (row.values() if isinstance(row, dict) else row))
            return collate(rows)

        return counted

    def learnt(self, *, device: str) -> Learnt:
        seconds = self.curve[-1][0]
        return Learnt(
            device=device,
            tokens_per_s=self.tokens / seconds,
            seconds=seconds,
            seconds_to=tuple(reached(self.curve, target) for target in TARGETS),
            score=self.curve[-1][1],
            curve=tuple(self.curve),
        )


def reached(curve: Sequence[tuple[float, float]], target: float) -> float | None:
    """When a curve of (seconds, score) first came to the target, in a straight line between two looks."""
    for (before, low), (after, high) in pairwise(curve):
        if low < target <= high:
            return before + (after - before) * (target - low) / (high - low)
    return None


def main() -> None:
    spin_briefly()
    found: dict[str, dict[str, list[Learnt]]] = {}
    regimes = {"mixed": mixed, "equal": equal}
    for name in sys.argv[1:] or regimes:
        rows = regimes[name]()
        ways: dict[str, Callable[..., Learnt]] = {"smelt": by_us, "Trainer": by_trainer}
        found[name] = {way: [] for way in ways}
        for seed in SEEDS:
            for way, learn in ways.items():
                with torch_threads(THREADS):
                    found[name][way].append(learn(rows[LOOKED_AT:], rows[:LOOKED_AT], seed=seed))
                print(way, found[name][way][-1], flush=True)
        print_table(name, found[name])
    told, holds = verdict(found)
    print(json.dumps({"benchmark": "training", "steps": STEPS, **told, "holds": holds}))


def mixed() -> list[Pair]:
    return [(Bytes().encode(row.input), Bytes().encode(row.output)) for row in messages()]


def equal() -> list[Pair]:
    """The same: each message cut or filled to one length, each answer a number of two digits."""
    rows = messages()
    labels = sorted({row.output for row in rows})
    return [
        (Bytes().encode(row.input.ljust(WIDTH))[-WIDTH:], Bytes().encode(f"{labels.index(row.output):02d}"))
        for row in rows
    ]


def messages() -> list[Row]:
    return [Row(row.input, row.output) for row in held_out(Messages(), count=ROWS + LOOKED_AT)]


def by_us(rows: Sequence[Pair], looked_at: Sequence[Pair], *, seed: int) -> Learnt:
    model, watch = seeded(seed=seed), Stopwatch()
    lesson = Lesson(rows=(Row("a", "a"), Row("b", "b")), seed=seed)  # rows are given as tokens
    with tempfile.TemporaryDirectory() as scratch:
        fitted = fit(
            model,
            rows,
            lesson=lesson,
            recipe=replace(SEEDED, batch=BATCH, fewest_steps=STEPS, passes=1, most_passes=STEPS),
            lengths=lambda row: (len(row[0]), len(row[1])),
            collate=watch.counting(collate),
            look=lambda: watch.look(lambda: exact(model, looked_at)),
            mass=lambda row: len(row[1]),
            bookmark=Bookmark(Path(scratch) / "part", training="", soonest_s=math.inf),
            started=time.monotonic(),
            threads=THREADS,
            overflows=True,
        )
    return watch.learnt(device=fitted.device)


def collate(rows: Sequence[Pair]) -> dict[str, Any]:
    ids, mask = padded([row[0] for row in rows], pad=PAD)
    labels, _ = padded([row[1] for row in rows], pad=-100)
    return {"input_ids": ids, "attention_mask": mask, "labels": labels}


def by_trainer(rows: Sequence[Pair], looked_at: Sequence[Pair], *, seed: int) -> Learnt:
    from transformers import ByT5Tokenizer, DataCollatorForSeq2Seq, PrinterCallback, Trainer, TrainerCallback
    from transformers import TrainingArguments as Arguments

    model, watch = seeded(seed=seed), Stopwatch()

    class Looking(TrainerCallback):  # type: ignore[misc]  # transformers is untyped
        def on_step_end(self, _args: Any, state: Any, _control: Any, **_: Any) -> None:
            if state.global_step % (STEPS // 10) == 0:
                watch.look(lambda: exact(model, looked_at))

    with tempfile.TemporaryDirectory() as scratch:
        trainer = Trainer(
            model=model,
            args=Arguments(
                output_dir=scratch, per_device_train_batch_size=BATCH, max_steps=STEPS, seed=seed,
                learning_rate=SEEDED.peak_learning_rate, lr_scheduler_type="cosine", warmup_steps=STEPS // 20,
                save_strategy="no", disable_tqdm=True, report_to="none", dataloader_pin_memory=False,
            ),
            train_dataset=[{"input_ids": row[0], "labels": row[1]} for row in rows],
            data_collator=watch.counting(DataCollatorForSeq2Seq(ByT5Tokenizer(extra_ids=SPARE), model=model)),
            callbacks=[Looking()],
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return watch.learnt(device=model.device.type)


def seeded(*, seed: int) -> Any:
    """The student `tiny` as it begins: from the seed that ships."""
    model = new_model(seed=seed, width=read_seed_card(SHIPPED).width)
    plant(model, SHIPPED)
    return model


def exact(model: Any, rows: Sequence[Pair]) -> float:
    written = write(model, [row[0] for row in rows], longest=LONGEST_ANSWER)
    return sum([*one.tokens, END] == row[1] for one, row in zip(written, rows, strict=True)) / len(rows)


def print_table(name: str, ways: Mapping[str, Sequence[Learnt]]) -> None:
    targets = "".join(f"{f'to {target}':>8}" for target in TARGETS)
    print(f"{name:<8} {'tokens/s':>10} {'seconds':>9}{targets} {'at the end':>11}")
    for way, runs in ways.items():
        times = [[each for run in runs if (each := run.seconds_to[at]) is not None] for at in range(len(TARGETS))]
        when = "".join(f"{statistics.mean(each):>8.1f}" if len(each) == len(runs) else f"{'-':>8}" for each in times)
        print(
            f"{way:<8} {mean(runs, 'tokens_per_s'):>10,.0f} {mean(runs, 'seconds'):>9.1f}{when} "
            f"{mean(runs, 'score'):>11.3f}"
        )


def verdict(found: Mapping[str, Mapping[str, Sequence[Learnt]]]) -> tuple[dict[str, object], bool]:
    """Ratios by regime, and whether the claim holds in both."""
    told: dict[str, object] = {}
    holds = True
    for name, ways in found.items():
        ours, theirs = ways["smelt"], ways["Trainer"]
        faster = mean(ours, "tokens_per_s") / mean(theirs, "tokens_per_s")
        sooner = sooner_to_targets(ours, theirs)
        least = LEAST_FASTER[name]
        is_alike = name == "equal"  # then noise alone decides which is the faster
        is_fast = faster >= least - NOISE * is_alike
        is_kept = is_fast and sooner is not None and sooner >= least - NOISE_OF_SCORE * is_alike
        holds = holds and is_kept
        print(
            f"{name}: {faster:.2f} x the tokens a second, the scores reached "
            f"{'never by one of them' if sooner is None else f'{sooner:.2f} x sooner'}, "
            f"at least {LEAST_FASTER[name]}: {'holds' if is_kept else 'DOES NOT HOLD'}"
        )
        told[name] = {
            "faster": faster,
            "sooner": sooner,
            **{way: list(map(asdict, runs)) for way, runs in ways.items()},
        }
    return told, holds


def sooner_to_targets(ours: Sequence[Learnt], theirs: Sequence[Learnt]) -> float | None:
    """How many times as long the others took, over all seeds and scores; None where somebody never came there."""
    mine, other = ([each for run in runs for each in run.seconds_to] for runs in (ours, theirs))
    times = [(one, two) for one, two in zip(mine, other, strict=True) if one is not None and two is not None]
    return statistics.geometric_mean(two / one for one, two in times) if len(times) == len(mine) else None


if __name__ == "__main__":
    main()
