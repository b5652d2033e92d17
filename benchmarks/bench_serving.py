"""Claim: a small encoder-decoder behind `smelt serve` answers 32 clients with at least 4 times as many requests a
second as a loop that calls transformers' `generate` one by one, and says the same as when it is asked alone.

Two regimes. With few clients nothing can be answered together, and the server costs what HTTP costs; with many, one
pass over the weights answers all that wait. The loop has no HTTP around it and no client to wait for, which is as good
as it can be; 32 who wait for it wait for 32 answers. The student is `tiny`, taught dates for a few seconds: how much it
has learnt changes nothing, but that its answers end. Server and clients are two processes. Every text of the server is
compared with what the student says when it is asked alone. The loop takes the likeliest byte each time, its fastest
way, where the student looks for the likeliest answer: how many texts it reads otherwise is told and not judged. The
student has no memory, which `generate` would lack; `--student` takes one that has.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from agents.demo.dates.world import _SNIPPETS
from agents.demo.held_out import held_out
from engine import training
from engine.training import Row
from engine.training.spelling import Bytes, shorthand_in

CLIENTS = (1, 8, 32)
REQUESTS = 1500  # of each number of clients, but a quarter of it for one alone
ALONE = 200  # texts for the loop, and as many to compare
ROWS = 2000
TRAINED_S = 25.0
REPEATS = 3
LEAST_FASTER = 4.0
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Speed:
    """Requests a second and milliseconds a request."""

    requests_per_s: float
    p50_ms: float
    p95_ms: float


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--student", type=Path, help="another student's folder; it must be an encoder-decoder")
    told = words.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = told.student or taught(Path(place) / "student")
        texts = [pair.input for pair in held_out(_SNIPPETS, count=ROWS)][-ALONE:]
        loop, generated = one_by_one(folder, texts)
        student = training.load(folder)
        alone = [student.predict([text])[0].output for text in texts]
        found: dict[str, list[Speed]] = {"generate, one by one": [loop]}
        others = sum(one != other for one, other in zip(generated, alone, strict=True))
        differ = 0
        with server(folder) as url:
            for clients in CLIENTS:
                runs = [asyncio.run(asked(url, texts, alone, clients=clients)) for _ in range(REPEATS)]
                found[f"smelt serve, {clients} clients"] = [speed for speed, _ in runs]
                differ += sum(wrong for _, wrong in runs)
    tell(found, differ=differ, others=others)


def taught(folder: Path) -> Path:
    rows = [Row(pair.input, pair.output) for pair in held_out(_SNIPPETS, count=ROWS)]
    training.train("tiny", rows[:-ALONE], rows[-ALONE:], folder, time_limit_s=TRAINED_S, threads=2, remember=False)
    return folder


def one_by_one(folder: Path, texts: Sequence[str]) -> tuple[Speed, list[str]]:
    """The rival: each text alone, as the model's own documentation has it; on as many threads as torch likes best."""
    import torch
    from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

    torch.set_num_threads(1)  # with two it is slower
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSeq2SeqLM.from_pretrained(folder).eval()
    card = training.read_card(folder)
    longest = int(str(card.sizes["longest_output"]))
    marks = Bytes(shorthand_in(folder))

    def read(tokens: list[int]) -> str:
        """As text: what `tiny` writes holds marks that its tokenizer does not know."""
        return (
            marks.decode(tokens) if card.family == "tiny" else str(tokenizer.decode(tokens, skip_special_tokens=True))
        )

    def answer(text: str) -> str:
        with torch.inference_mode():
            written = model.generate(**tokenizer(text, return_tensors="pt"), max_new_tokens=longest, do_sample=False)
        return read(written[0].tolist())

    answer(texts[0])
    took: list[float] = []
    said: list[str] = []
    for text in texts:
        began = time.perf_counter()
        said.append(answer(text))
        took.append(time.perf_counter() - began)
    return speed_of(took, seconds=sum(took)), said


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The student behind HTTP, in a process of its own."""
    spawning = multiprocessing.get_context("spawn")
    ours, theirs = spawning.Pipe()
    process = spawning.Process(target=serve_it, args=(folder, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(PATIENCE_S):
            raise RuntimeError("the server did not begin")
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def serve_it(folder: Path, pipe: Connection) -> None:
    from engine.serving import application, serve

    app = application(training.load(folder))
    asyncio.run(serve(app, port=0, on_ready=pipe.send))


async def asked(url: str, texts: Sequence[str], right: Sequence[str], *, clients: int) -> tuple[Speed, int]:
    """So many clients at a time, each with a request in flight; and how many answers were other than alone."""
    import aiohttp

    count = REQUESTS if clients > 1 else REQUESTS // 4
    left = iter(range(count))
    took: list[float] = []
    wrong = 0

    async def ask_on(session: aiohttp.ClientSession) -> None:
        nonlocal wrong
        for number in left:
            place = number % len(texts)
            body = {"model": "student", "messages": [{"role": "user", "content": texts[place]}]}
            began = time.perf_counter()
            async with session.post(f"{url}/v1/chat/completions", json=body) as reply:
                told: Any = await reply.json()
            took.append(time.perf_counter() - began)
            wrong += told["choices"][0]["message"]["content"] != right[place]

    async with aiohttp.ClientSession() as session:
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for _ in range(clients):
                group.create_task(ask_on(session))
        seconds = time.perf_counter() - began
    return speed_of(took, seconds=seconds), wrong


def speed_of(took: Sequence[float], *, seconds: float) -> Speed:
    ranked = sorted(took)
    return Speed(
        round(len(took) / seconds, 1),
        round(1000 * statistics.median(ranked), 2),
        round(1000 * ranked[int(0.95 * (len(ranked) - 1))], 2),
    )


def tell(found: dict[str, list[Speed]], *, differ: int, others: int) -> None:
    middle = {name: sorted(runs, key=lambda run: run.requests_per_s)[len(runs) // 2] for name, runs in found.items()}
    print(f"{'who':<28} {'requests/s':>24} {'p50 ms':>8} {'p95 ms':>8}")
    for name, speed in middle.items():
        rates = [run.requests_per_s for run in found[name]]
        spread = f"{speed.requests_per_s:.1f} ({min(rates):.1f} to {max(rates):.1f})"
        print(f"{name:<28} {spread:>24} {speed.p50_ms:>8.1f} {speed.p95_ms:>8.1f}")
    loop, most = middle["generate, one by one"], middle[f"smelt serve, {CLIENTS[-1]} clients"]
    times = most.requests_per_s / loop.requests_per_s
    holds = times >= LEAST_FASTER and not differ
    print(
        f"{times:.2f} x the loop; {differ} answers other than alone; of {ALONE} texts the loop reads {others} otherwise"
    )
    print("the claim holds" if holds else "the claim does not hold")
    told = {name: asdict(speed) for name, speed in middle.items()}
    print(
        json.dumps(
            {
                "benchmark": "serving",
                "holds": holds,
                "times": round(times, 2),
                "differ": differ,
                "others": others,
                **told,
            }
        )
    )


if __name__ == "__main__":
    main()
