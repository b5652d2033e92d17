"""Claim: a million short rows are curated in a gigabyte of memory, on a Ray cluster with the same bytes as without.

Regimes: `smelt curate` in one process; the same with `--ray`, a cluster of this machine's own; and beside them the
plain way to find near-duplicates, each row against an index in memory of all that was kept, alone. Rows are messages of
8 to 14 words of which one in ten repeats an earlier one. Memory is what processes have for themselves, all together
at their peak: Ray's own come to several hundred megabytes, whatever the rows. What 10,000,000 rows take follows from
what 100,000 and 1,000,000 took.

    python -m benchmarks.bench_curate_ray 100000 1000000
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from benchmarks.bench_curate import REGIMES, planted

ROWS = (100_000, 1_000_000)
CLAIM_MB = 1024
PLANNED = 10_000_000
SAMPLED_S = 0.5
FILES = ("rows.parquet", "rows.jsonl", "rejected.parquet", "rejected.jsonl", "report.json")

ONE_BY_ONE = """
import json, sys
from engine.duplicates import BLOCK, NearDuplicates
index, rows = NearDuplicates(), [json.loads(line) for line in open(sys.argv[1], encoding="utf-8")]
for at in range(0, len(rows), BLOCK):
    some = rows[at : at + BLOCK]
    index.sift([row["input"] for row in some], kinds=[row["output"] for row in some])
"""


@dataclass(frozen=True, slots=True)
class Took:
    """What a way took: seconds, seconds of processors, and megabytes at its peak."""

    way: str
    rows: int
    seconds: float
    cpu_s: float
    peak_mb: float


def ways(file: Path, folder: Path) -> dict[str, list[str]]:
    curate = [sys.executable, "-m", "agents", "curate", str(file), "--quiet", "--out"]
    return {
        "one process": [*curate, str(folder / "alone")],
        "--ray": [*curate, str(folder / "ray"), "--ray"],
        "row by row, near-duplicates alone": [sys.executable, "-c", ONE_BY_ONE, str(file)],
    }


def measured(way: str, command: Sequence[str], rows: int) -> Took:
    """Run it to its end, looking at it and all that it has started twice a second."""
    began, cpu, peak = time.monotonic(), dict[int, float](), 0
    process = psutil.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        private = 0
        for each in _family(process):
            try:
                times, memory = each.cpu_times(), each.memory_info()
            except psutil.NoSuchProcess:
                continue
            cpu[each.pid] = times.user + times.system
            private += memory.rss - memory.shared
        peak = max(peak, private)
        time.sleep(SAMPLED_S)
    if process.returncode:
        raise SystemExit(f"{way} ended with {process.returncode}")
    return Took(way, rows, time.monotonic() - began, sum(cpu.values()), peak / 2**20)


def _family(process: psutil.Popen) -> list[psutil.Process]:
    try:
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def write_rows(path: Path, rows: int) -> None:
    made = planted(rows, words=REGIMES["messages"], seed=0)
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(made.texts):
            file.write(json.dumps({"input": text, "output": "abc"[number % 3]}) + "\n")


def at_size(rows: int) -> tuple[list[Took], bool]:
    """What each way took, and whether the files of both are the same."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_rows(folder / "rows.jsonl", rows)
        took = [measured(way, command, rows) for way, command in ways(folder / "rows.jsonl", folder).items()]
        same = all((folder / "alone" / name).read_bytes() == (folder / "ray" / name).read_bytes() for name in FILES)
    return took, same


def planned(few: Took, many: Took) -> Took:
    """So many rows more take as much more each."""
    share = (PLANNED - many.rows) / (many.rows - few.rows)

    def at(one: float, other: float) -> float:
        return other + (other - one) * share

    return Took(
        few.way,
        PLANNED,
        at(few.seconds, many.seconds),
        at(few.cpu_s, many.cpu_s),
        at(few.peak_mb, many.peak_mb),
    )


def main() -> None:
    sizes = tuple(map(int, sys.argv[1:])) or ROWS
    found = [at_size(rows) for rows in sizes]
    took = [each for some, _ in found for each in some]
    if len(sizes) > 1:
        took += [planned(few, many) for few, many in zip(found[0][0], found[-1][0], strict=True)]
    for each in took:
        is_plan = "  (planned)" if each.rows not in sizes else ""
        print(
            f"{each.rows:>10,} rows  {each.way:35} {each.seconds:8.0f} s  {each.cpu_s:8.0f} s of processors  "
            f"{each.peak_mb:7.0f} MB{is_plan}"
        )
    same = all(is_same for _, is_same in found)
    largest = max(each.peak_mb for each in took if each.way == "one process" and each.rows == sizes[-1])
    print(f"the same bytes: {same}; one process at most {CLAIM_MB} MB: {largest <= CLAIM_MB}")
    print(json.dumps({"took": [asdict(each) for each in took], "same": same}))


if __name__ == "__main__":
    main()
