"""How many CPU threads to use: as many as nobody else is using.

Torch takes one a core unless told otherwise, and its threads spin while they wait for each other, which is ruinous
beside another busy process. A small step on two threads of two busy cores took 600 ms with GNU OpenMP's own spinning,
20 to 30 ms when threads spin for a moment and then sleep, 45 to 50 ms when they sleep at once; on one thread 25 ms.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["free_threads", "spin_briefly", "threads_for", "torch_threads"]

LOOK_SECONDS = 0.2
SPINS = "3000"


def threads_for(*, cores: int, busy: float, most: int) -> int:
    """The threads to use when `busy` cores' worth of `cores` is taken by others: at least 1, never above `most`."""
    return max(1, min(most, cores - round(busy)))


def free_threads(*, most: int) -> int:
    """Look at the machine for a moment (0.2 s, in which this thread is idle) and choose."""
    import psutil  # type: ignore[import-untyped]

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    busy = psutil.cpu_percent(interval=LOOK_SECONDS) / 100 * (os.cpu_count() or 1)
    return threads_for(cores=cores, busy=busy, most=most)


def spin_briefly() -> None:
    """Have torch's threads sleep soon when they wait; the user's own setting wins. Too late once torch is imported."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


@contextmanager
def torch_threads(count: int) -> Iterator[None]:
    """Inside the block, torch uses `count` threads for what this thread asks of it."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
