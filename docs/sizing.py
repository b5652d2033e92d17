"""What so many calls come to: money, disk, time. Plain arithmetic, from costs that rows of benchmarks/README.md tell.

`docs/generate.py` writes the table into the page on clusters, and a test holds the page to it. For other assumptions:
`python docs/sizing.py price_in=0.75 price_out=4.5 seconds=5`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Final

__all__ = ["CALL", "CALLS", "MEASURED", "PER_CALL", "Call", "Costs", "Size", "sized", "table"]

CALLS: Final = tuple(10**power for power in range(5, 10))


@dataclass(frozen=True, slots=True)
class Costs:
    """What a call costs here, as measured (see `MEASURED`)."""

    cpu_ms: float = 0.208  # everything on, 1,000 in flight, one process
    disk_bytes: float = 1472.0  # of the journal: request, reply, and what it was charged
    driver_ms: float = 0.197  # of the one process that deals requests to a fleet, where the processor binds
    in_flight: int = 1000  # of one process at most


PER_CALL: Final = Costs()

MEASURED: Final = {
    "bench_overhead.py": "1,000 in flight: smelt 0.208",
    "bench_journal.py": "1,000,000 replies (1,472 MB)",
    "benchmarks.bench_ray": "of CPU a request: driver 0.197,",
}
"""Which row of the benchmarks says each figure, and in which words."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call as it is assumed: tokens, USD a million of them, seconds."""

    input_tokens: int = 500
    output_tokens: int = 100
    price_in: float = 0.25
    price_out: float = 2.0
    seconds: float = 2.0
    of_a_server: float = 20.0  # such calls a second, of one server of one's own

    @property
    def usd(self) -> float:
        return (self.input_tokens * self.price_in + self.output_tokens * self.price_out) / 1e6


CALL: Final = Call()


@dataclass(frozen=True, slots=True)
class Size:
    """What so many calls come to."""

    calls: int
    usd: float
    disk_gb: float
    cpu_s: float
    alone_s: float  # one process, as many in flight as it has
    ten_s: float  # ten workers, dealt to by one driver
    at_10k_s: float  # at 10,000 requests a minute
    at_100k_s: float
    servers: float  # of one's own, to be done in a day


def sized(calls: int, *, call: Call = CALL, costs: Costs = PER_CALL) -> Size:
    """The arithmetic of a row. Whatever is least binds, of limits, of waiting and of the processor."""
    waiting = calls * call.seconds / costs.in_flight
    cpu = calls * costs.cpu_ms / 1000
    return Size(
        calls=calls,
        usd=calls * call.usd,
        disk_gb=calls * costs.disk_bytes / 1e9,
        cpu_s=cpu,
        alone_s=max(waiting, cpu),
        ten_s=max(waiting / 10, calls * costs.driver_ms / 1000),
        at_10k_s=calls / 10_000 * 60,
        at_100k_s=calls / 100_000 * 60,
        servers=calls / 86_400 / call.of_a_server,
    )


def table(call: Call = CALL) -> str:
    """A row for each number of calls."""
    names = [
        "calls", "to pay", "journal", "processor", "one process", "ten workers", "10,000 a minute", "100,000 a minute",
        "servers, for a day",
    ]  # fmt: skip
    rows = [names, ["---"] * len(names), *(_row(sized(calls, call=call)) for calls in CALLS)]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in rows)


def _row(size: Size) -> list[str]:
    times = (size.cpu_s, size.alone_s, size.ten_s, size.at_10k_s, size.at_100k_s)
    return [
        f"{size.calls:,}",
        f"{_rounded(size.usd, 3):,} USD",
        f"{_rounded(size.disk_gb):,} GB",
        *map(_span, times),
        f"{max(1, round(size.servers)):,}",
    ]


def _span(seconds: float) -> str:
    for name, length in (("days", 86_400.0), ("h", 3600.0), ("min", 60.0)):
        if seconds >= 2 * length:
            return f"{_rounded(seconds / length):,} {name}"
    return f"{_rounded(seconds):,} s"


def _rounded(number: float, digits: int = 2) -> float:
    """The assumptions are worth no more digits."""
    rounded = float(f"{number:.{digits}g}")
    return int(rounded) if rounded >= 10 ** (digits - 1) else rounded


if __name__ == "__main__":
    told = dict(argument.split("=", 1) for argument in sys.argv[1:])
    sys.stdout.write(table(Call(**{name: float(value) for name, value in told.items()})))  # type: ignore[arg-type]  # whole tokens too
