"""A run finds a related file with other columns, maps it, uses it, says so, and its student gains. Slow."""

from __future__ import annotations

import asyncio
import csv
import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pytest

from agents.demo.intents.routing import LABELS
from agents.demo.intents.world import Messages
from agents.demo.known_rows import World
from agents.records import Pair
from engine.fakes.server import FakeProvider
from tests.end_to_end.commands import Ended, smelt

pytestmark = pytest.mark.slow

CLINC = Path(__file__).parents[3] / "shared" / "data" / "clinc150" / "dev.jsonl"
BANKING = (
    "transfer", "transactions", "balance", "freeze_account", "pay_bill", "bill_balance", "bill_due", "interest_rate",
    "routing", "min_payment", "order_checks", "pin_change", "report_fraud", "account_blocked", "spending_history",
)  # fmt: skip
IDEAS, FOUND, TEST = 8, 20, 20  # rows of a label: what the teacher thinks of, what the file holds, what judges


@dataclass(frozen=True)
class Task:
    """A prompt, a catalogue with a related file and two others, rows that judge, and a teacher who knows them all."""

    prompt: Path
    catalogue: Path
    test: Path
    teacher: World
    examples: int


def banking() -> list[Pair]:
    if not CLINC.is_file():
        pytest.skip("the requests of CLINC150 are not here")
    rows = [json.loads(line) for line in CLINC.read_text(encoding="utf-8").splitlines()]
    return [Pair(row["input"], row["output"]) for row in rows if row["output"] in BANKING]


def messages() -> list[Pair]:
    writer, rng = Messages(), Random(11)
    written = [Pair(writer.write(label, rng, temperature=1.0), label) for label in LABELS for _ in range(70)]
    return [pair for pair in dict.fromkeys(written) if writer.right(pair.input) == pair.output]


def shared_out(pairs: Sequence[Pair]) -> dict[str, list[Pair]]:
    of_label: dict[str, list[Pair]] = defaultdict(list)
    for pair in pairs:
        of_label[pair.output].append(pair)
    parts: dict[str, list[Pair]] = defaultdict(list)
    for rows in of_label.values():
        parts["ideas"] += rows[:IDEAS]
        parts["found"] += rows[IDEAS : IDEAS + FOUND]
        parts["test"] += rows[IDEAS + FOUND : IDEAS + FOUND + TEST]
    return parts


def laid_out(folder: Path, pairs: Sequence[Pair], about: str) -> Task:
    parts = shared_out(pairs)
    labels = list(dict.fromkeys(pair.output for pair in pairs))
    shown = "\n".join(f"Input: {pair.input}\nOutput: {pair.output}\n" for pair in parts["ideas"][::IDEAS])
    listed = "\n".join(f"- {label}" for label in labels)
    prompt = folder / "prompt.md"
    prompt.write_text(f"# Intents\n\n{about} Name the intent of each:\n\n{listed}\n\n## Examples\n\n{shown}", "utf-8")
    test = folder / "test.jsonl"
    test.write_text("".join(json.dumps({"text": p.input, "label": p.output}) + "\n" for p in parts["test"]), "utf-8")
    catalogue = folder / "data"
    catalogue.mkdir()
    write_related(catalogue / "archive.csv", parts["found"], about)
    songs = "".join(json.dumps({"title": f"song {n}", "year": 1990 + n}) + "\n" for n in range(20))
    (catalogue / "songs.jsonl").write_text(songs, "utf-8")
    (catalogue / "broken.parquet").write_bytes(b"PAR1")
    known = [*parts["ideas"], *parts["found"], *parts["test"]]
    return Task(prompt, catalogue, test, World(known, about=about, ideas=IDEAS), 20 * len(labels))


def write_related(path: Path, pairs: Sequence[Pair], about: str) -> None:
    """Other columns, labels in another spelling, and rows that are no help; in no order."""
    rows = [(pair.input, pair.output.title().replace(" ", "").replace("_", "")) for pair in pairs]
    rows += [(f"automatic notice number {number}", "Notice") for number in range(len(rows) // 4)]
    Random(3).shuffle(rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(["nr", "utterance", "code"])
        table.writerows((number, *row) for number, row in enumerate(rows))
    path.with_suffix(".md").write_text(about, "utf-8")


@pytest.mark.parametrize(
    ("rows", "about"),
    [
        pytest.param(banking, "You read requests of customers to a bank about accounts and bills.", id="clinc150"),
        pytest.param(messages, "You read messages of customers to a parcel delivery company.", id="own"),
    ],
)
def test_a_related_file_is_found_mapped_used_and_told_and_the_student_gains(
    tmp_path: Path, rows: object, about: str
) -> None:
    assert callable(rows)
    task = laid_out(tmp_path, rows(), about)

    async def made(name: str, *more: object) -> Ended:
        async with FakeProvider(task.teacher, latency_scale=0.02) as fake:
            return await smelt(
                "run", task.prompt, "--model", "openai/known-rows", "--base-url", fake.url, "--price-in", "0.25",
                "--price-out", "2", "--budget", "5", "--examples", task.examples, "--student", "linear", "--test",
                task.test, "--out", tmp_path / name, "--json", *more,
            )  # fmt: skip

    alone, mixed = asyncio.run(made("alone")), asyncio.run(made("mixed", "--catalogue", task.catalogue))

    assert (alone.code, mixed.code) == (0, 0), mixed.err
    report = mixed.table()
    data = report["data"]
    assert isinstance(data, dict)
    sources = {source["dataset"]: source for source in data["sources"]}
    assert sources["archive.csv"]["use"] == "raw"
    assert "utterance -> code" in sources["archive.csv"]["why"]
    assert data["origins"]["found"] == int(sources["archive.csv"]["kept"]) >= task.examples * 0.4
    assert data["accepted"] == task.examples
    assert "archive.csv" in (tmp_path / "mixed" / "report.html").read_text(encoding="utf-8")
    assert "archive.csv" in (tmp_path / "mixed" / "data" / "README.md").read_text(encoding="utf-8")
    assert "broken.parquet" in mixed.err
    before, after = accuracy(alone), accuracy(mixed)
    sys.stderr.write(f"accuracy on test rows: {before:.3f} by generation alone, {after:.3f} with the file\n")
    assert after > before + 0.01
    assert "origins" not in alone.table() or alone.table()["data"]["sources"] == []  # type: ignore[index]


def accuracy(done: Ended) -> float:
    judgements = done.table()["judgements"]
    assert isinstance(judgements, list)
    real = next(judgement for judgement in judgements if judgement["on"] == "test")
    return float(next(score["value"] for score in real["student"]["scores"] if score["metric"] == "accuracy"))
