"""Claim: a model in this process answers at least 2.5 times as many texts a second asked all at once as one by one, and
says the same.

Two regimes. One by one, every token costs a pass over the weights for a single row; at once, one pass serves a whole
batch. Reading a prompt costs a processor the same either way, so the longer the prompts, the less is gained. They are
of mixed lengths and the same each time; the ways take turns. The model has random weights, which changes nothing about
its speed, and rarely ends an answer before its last token. What an engine puts around it (limits, journal in memory,
events) is included.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from pathlib import Path
from random import Random

from engine import Engine, Request
from engine.fakes.checkpoints import save_causal, save_seq2seq
from engine.providers.local import Local

TEXTS = 64
ALONE = 16  # of them, one by one
SHORTEST, LONGEST = 8, 128  # bytes, and tokens
WRITTEN = 32  # tokens an answer
TEMPERATURE = 0.8
REPEATS = 3
LEAST_FASTER = 2.5


def requests(repeat: int) -> list[Request]:
    chance = Random(0)
    texts = ("".join(chance.choices("abcdefgh ", k=chance.randint(SHORTEST, LONGEST))) for _ in range(TEXTS))
    return [Request.user(text, max_tokens=WRITTEN, temperature=TEMPERATURE, sample=repeat) for text in texts]


async def one_by_one(engine: Engine, asked: list[Request]) -> list[str]:
    return [(await engine.ask(request)).text for request in asked]


async def at_once(engine: Engine, asked: list[Request]) -> list[str]:
    return [outcome.unwrap().text async for outcome in engine.map(asked)]


async def measured(folder: Path) -> dict[str, object]:
    """Texts a second of both ways: the median, the least and the greatest."""
    local = Local(str(folder))
    speeds: dict[str, list[float]] = {"one by one": [], "at once": []}
    same = True
    async with Engine(local) as warm:
        await warm.ask(Request.user("warm up", max_tokens=2))
    for repeat in range(REPEATS):
        said = []
        for name, way, texts in (("one by one", one_by_one, ALONE), ("at once", at_once, TEXTS)):
            async with Engine(local) as engine:
                started = time.perf_counter()
                said.append(await way(engine, requests(repeat)[:texts]))
                speeds[name].append(texts / (time.perf_counter() - started))
        same = same and said[0] == said[1][:ALONE]
    await local.aclose()
    medians = {name: statistics.median(found) for name, found in speeds.items()}
    told = {
        name: [round(value, 1) for value in (medians[name], min(found), max(found))] for name, found in speeds.items()
    }
    return {**told, "times": round(medians["at once"] / medians["one by one"], 2), "same": same}


def main() -> None:
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        models = {
            "causal, tiny": save_causal(folder / "tiny"),
            "causal, 20 million parameters": save_causal(folder / "small", width=512, layers=10),
            "seq2seq, tiny": save_seq2seq(folder / "seq2seq"),
        }
        found = {name: asyncio.run(measured(model)) for name, model in models.items()}
    for name, told in found.items():
        print(f"{name}: {told}")
    holds = all(told["same"] and float(str(told["times"])) >= LEAST_FASTER for told in found.values())
    print("the claim holds" if holds else "the claim does not hold")
    print(json.dumps({"benchmark": "local", "holds": holds, "texts": TEXTS, "written": WRITTEN, **found}))


if __name__ == "__main__":
    main()
