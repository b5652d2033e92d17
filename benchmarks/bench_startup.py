"""Claim: `from engine import Engine` and `smelt --help` take at most 0.15 s, so that asking for help is never a wait.

The engine's names are loaded when they are first used, so the bare `import engine` would flatter: the claim is about
the name that everybody uses. Two regimes are told apart: what Python itself takes to start and stop (`python -c pass`),
and what is ours on top. The claim is about the whole, as a user feels it on a machine that has a core to spare. The
commands take turns, so that a busy moment of the machine meets all of them alike; medians are compared, and the middle
half of the times says how far to trust them. CPU seconds stand beside: where they are well below the time that passed,
the machine was busy with something else, and the figures are to be taken again.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

REPEATS = 21
WARM_UPS = 2  # byte code is compiled and the disk cache is filled before anything counts
CLAIM_S = 0.15
# Where Python was told to keep no byte code, each start compiles everything again, which is no user's daily life.
BYTE_CODE_KEPT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}

SMELT = Path(sys.executable).with_name("smelt")
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import engine'": [sys.executable, "-c", "import engine"],
    "python -c 'from engine import Engine'": [sys.executable, "-c", "from engine import Engine"],
    "python -c 'import agents'": [sys.executable, "-c", "import agents"],
    "smelt --help": [str(SMELT), "--help"],
}
CLAIMED = ("python -c 'from engine import Engine'", "smelt --help")


@dataclass(frozen=True, slots=True)
class Took:
    """One start, in seconds: on the wall, and of the processor."""

    passed: float
    cpu: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All starts of a command, in seconds."""

    median: float
    quarter: float
    three_quarters: float
    cpu: float


def main() -> None:
    took: dict[str, list[Took]] = {name: [] for name in COMMANDS}
    for _ in range(WARM_UPS):
        for command in COMMANDS.values():
            time_of(command)
    for _ in range(REPEATS):
        for name, command in COMMANDS.items():
            took[name].append(time_of(command))
    figures = {name: figures_of(starts) for name, starts in took.items()}
    holds = all(figures[name].median <= CLAIM_S for name in CLAIMED)
    print_table(figures)
    print(f"at most {CLAIM_S} s: {'holds' if holds else 'DOES NOT HOLD'}")
    rows = {name: asdict(row) for name, row in figures.items()}
    print(json.dumps({"benchmark": "startup", "repeats": REPEATS, "claim_s": CLAIM_S, "holds": holds, **rows}))


def time_of(command: Sequence[str]) -> Took:
    cpu, began = cpu_of_children(), time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=BYTE_CODE_KEPT)
    return Took(time.perf_counter() - began, cpu_of_children() - cpu)


def cpu_of_children() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def figures_of(starts: Sequence[Took]) -> Figures:
    quarter, median, three_quarters = statistics.quantiles([each.passed for each in starts], n=4, method="inclusive")
    return Figures(
        median=round(median, 4),
        quarter=round(quarter, 4),
        three_quarters=round(three_quarters, 4),
        cpu=round(statistics.median(each.cpu for each in starts), 4),
    )


def print_table(figures: dict[str, Figures]) -> None:
    print(f"{'seconds':<38} {'median':>8} {'middle half':>16} {'CPU':>8}")
    for name, row in figures.items():
        middle = f"{row.quarter:.3f} to {row.three_quarters:.3f}"
        print(f"{name:<38} {row.median:>8.3f} {middle:>16} {row.cpu:>8.3f}")


if __name__ == "__main__":
    main()
