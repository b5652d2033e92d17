"""Claims: fewer, fuller calls make a row at least twice as cheap at equal label accuracy, and batches of texts of a
length answer at least 1.3 times as fast as batches of whatever came.

Two regimes. A hosted teacher bills what is sent, and most of that is the instruction and the demonstrations, said again
for each input and each label. The plainest way asks for one item a call; then inputs come in lists that grow while
they are whole (adaptive k), and then several inputs share a labelling call as well, or votes are the completions of one
request (n), or both. Each way makes the same number of rows in the demo worlds, on a clock that does not wait, and a
row counts when it was accepted; dollars and tokens count whatever was asked. The claim is held against the second way,
so that it is about labels alone. Money does not depend on the machine. Accuracy is the share of accepted rows whose
label the world holds right: equal means no more than 0.005 below, over all seeds together. The worlds label lists
worse than single inputs, and completions of one request err together; how much is in docs/reference/worlds.md.

A model of our own pays for the longest text of a batch in every row of it. Callers ask all at once, with texts of mixed
lengths, the same ones each time; the ways take turns, on one thread. The student has never been trained, which changes
nothing about its speed, and writes a fixed number of tokens.
"""

from __future__ import annotations

import asyncio
import json
import math
import statistics
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path
from random import Random

from agents.making.synthesis import Settings
from agents.making.synthesize import Synthesis, synthesize
from agents.parsing.parse import parse, read_prompt
from agents.records import Spec
from agents.voting.annotate import Voting, vote_requests
from benchmarks.means import mean, means
from engine import Budget, Engine, Events
from engine.desk import Desk
from engine.fakes import virtual_time
from engine.training import Student

WORLDS = ("dates", "intents")
SEEDS = (0, 1, 2, 3, 4)
ROWS = 2000
WAYS = {
    "one item a call": Settings(examples=ROWS, per_request=1, growth=1, labels_per_call=1),
    "one label a call": Settings(examples=ROWS, labels_per_call=1),
    "n completions": Settings(examples=ROWS, labels_per_call=1, sampled=True),
    "several inputs": Settings(examples=ROWS),
    "both": Settings(examples=ROWS, sampled=True),
}
PLAIN, CLAIMED = "one label a call", "several inputs"
LEAST_CHEAPER = 2.0
MOST_LOST = 0.005  # of the accuracy

TEXTS = 192
SHORTEST, LONGEST = 8, 256  # bytes; as many between 8 and 16 as between 128 and 256
WRITTEN = 16  # tokens an answer
AT_ONCE = 64
REPEATS = 5
LEAST_FASTER = 1.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What making the rows of one seed took, for each row that was accepted."""

    usd_per_1000: float
    input_tokens: float
    calls: float
    accuracy: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Speed:
    """Texts a second: the median of the repeats, the least and the greatest."""

    median: float
    least: float
    greatest: float


def main() -> None:
    money, money_holds = measured_money()
    speed, speed_holds = measured_speed()
    print(json.dumps({"benchmark": "batching", "holds": money_holds and speed_holds, **money, "micro_batches": speed}))


# -- money


def measured_money() -> tuple[dict[str, object], bool]:
    table = {world: {way: made(world, settings) for way, settings in WAYS.items()} for world in WORLDS}
    for world, rows in table.items():
        print_rows(world, rows)
    times = {world: cheaper(rows, CLAIMED) for world, rows in table.items()}
    lost = {world: mean(rows[PLAIN], "accuracy") - mean(rows[CLAIMED], "accuracy") for world, rows in table.items()}
    holds = min(times.values()) >= LEAST_CHEAPER and max(lost.values()) <= MOST_LOST
    print(f"'{CLAIMED}' at least {LEAST_CHEAPER} x cheaper at equal accuracy: {'holds' if holds else 'DOES NOT HOLD'}")
    worlds = {world: {way: means(runs) for way, runs in rows.items()} for world, rows in table.items()}
    return {"rows": ROWS, "seeds": SEEDS, "cheaper": times, "accuracy_lost": lost, "worlds": worlds}, holds


def made(world: str, settings: Settings) -> list[Made]:
    spec = parse(read_prompt(Path(str(files("agents.demo") / world)) / "prompt.md"))
    return [virtual_time.run(make(spec, world, replace(settings, seed=seed))) for seed in SEEDS]


async def make(spec: Spec, world: str, settings: Settings) -> Made:
    async with Engine(f"simulated/{world}", budget=Budget(usd=100), seed=settings.seed) as engine:
        synthesis = await synthesize(engine, spec, settings=settings, events=Events())
        right = sum(rights(engine, spec, synthesis))
        figures = engine.statistics()
    rows = len(synthesis.examples)
    return Made(
        usd_per_1000=1000 * figures.cost_usd / rows,
        input_tokens=figures.input_tokens / rows,
        calls=figures.attempts / rows,
        accuracy=right / rows,
    )


def rights(engine: Engine, spec: Spec, synthesis: Synthesis) -> list[bool]:
    assert engine.world is not None, "a simulated model has a world"
    requests = [vote_requests(spec, row.input, Voting(votes=1))[0] for row in synthesis.examples]
    truths = [engine.world.truth(request.messages) for request in requests]
    return [row.output == truth for row, truth in zip(synthesis.examples, truths, strict=True)]


def cheaper(rows: dict[str, list[Made]], way: str) -> float:
    return mean(rows[PLAIN], "usd_per_1000") / mean(rows[way], "usd_per_1000")


def print_rows(world: str, rows: dict[str, list[Made]]) -> None:
    print(
        f"{world:<18} {'USD/1000':>9} {'cheaper':>8} {'tokens in':>10} {'calls':>6} {'labels right':>13}  of the seeds"
    )
    for way, runs in rows.items():
        spread = f"{min(run.accuracy for run in runs):.3f} to {max(run.accuracy for run in runs):.3f}"
        money = f"{mean(runs, 'usd_per_1000'):>9.4f} {cheaper(rows, way):>7.2f}x {mean(runs, 'input_tokens'):>10.0f}"
        print(f"{way:<18} {money} {mean(runs, 'calls'):>6.2f} {mean(runs, 'accuracy'):>13.4f}  {spread}")


# -- speed


def measured_speed() -> tuple[dict[str, object], bool]:
    if not find_spec("torch"):
        print("micro-batches: skipped, torch is not installed")
        return {}, True
    speeds = micro_batches()
    print_speeds(speeds)
    faster = speeds["by length"].median / speeds["fixed"].median
    holds = faster >= LEAST_FASTER
    print(f"by length {faster:.2f} x the fixed, at least {LEAST_FASTER}: {'holds' if holds else 'DOES NOT HOLD'}")
    return {"texts": TEXTS, "faster_than_fixed": faster, **{way: asdict(each) for way, each in speeds.items()}}, holds


def micro_batches() -> dict[str, Speed]:
    student = untrained()
    texts = mixed_texts()
    ways: dict[str, Callable[[Student, Sequence[str]], Awaitable[object]]] = {
        "one by one": one_by_one,
        "fixed": in_fixed_batches,
        "by length": at_the_desk,
    }
    took: dict[str, list[float]] = {name: [] for name in ways}
    student.predict(texts[:AT_ONCE])  # what is built on first use is built before anything counts
    for _ in range(REPEATS):
        for name, way in ways.items():
            began = time.perf_counter()
            asyncio.run(awaited(way(student, texts)))
            took[name].append(TEXTS / (time.perf_counter() - began))
    return {
        name: Speed(median=statistics.median(each), least=min(each), greatest=max(each)) for name, each in took.items()
    }


def untrained() -> Student:
    """The student `tiny` as it is before training, writing always as much as it may."""
    import torch
    from transformers import T5Config, T5ForConditionalGeneration

    from engine.training.encoder_decoder import EncoderDecoder
    from engine.training.spelling import END, PAD, VOCABULARY, Bytes
    from engine.training.tiny import SHAPE

    torch.set_num_threads(1)
    config = T5Config(vocab_size=VOCABULARY, pad_token_id=PAD, eos_token_id=END, decoder_start_token_id=PAD, **SHAPE)
    model = T5ForConditionalGeneration(config).eval()
    return EncoderDecoder(family="tiny", model=model, codec=Bytes(), longest_input=1024, longest_output=WRITTEN)


def mixed_texts() -> list[str]:
    chance = Random(0)
    lengths = [round(math.exp(chance.uniform(math.log(SHORTEST), math.log(LONGEST)))) for _ in range(TEXTS)]
    return ["x" * length for length in lengths]


async def awaited(work: Awaitable[object]) -> None:
    await work


async def one_by_one(student: Student, texts: Sequence[str]) -> None:
    for text in texts:
        student.predict([text])


async def in_fixed_batches(student: Student, texts: Sequence[str]) -> None:
    for start in range(0, len(texts), AT_ONCE):
        student.predict(texts[start : start + AT_ONCE])


async def at_the_desk(student: Student, texts: Sequence[str]) -> None:
    desk = Desk(student, at_once=AT_ONCE)
    work = asyncio.create_task(desk.work())
    await asyncio.gather(*(desk.answer([text]) for text in texts))
    work.cancel()
    await asyncio.wait([work])


def print_speeds(speeds: dict[str, Speed]) -> None:
    print(f"{'micro-batches':<18} {'texts/s':>9}  of the repeats")
    for name, speed in speeds.items():
        print(f"{name:<18} {speed.median:>9.1f}  {speed.least:.1f} to {speed.greatest:.1f}")


if __name__ == "__main__":
    main()
