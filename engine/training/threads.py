"""How many CPU threads to use: as many as nobody else is using, and as this process may.

Torch takes one a core unless told otherwise, and its threads spin while they wait for each other, which is ruinous
beside another busy process. A small step on two threads of two busy cores took 600 ms with GNU OpenMP's own spinning,
20 to 30 ms when threads spin for a moment and then sleep, 45 to 50 ms when they sleep at once; on one thread 25 ms.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

__all__ = [
    "busy_for",
    "cores_for",
    "free_threads",
    "quotas_at",
    "spin_briefly",
    "threads_for",
    "torch_threads",
    "use_threads",
]

CGROUPS = Path("/sys/fs/cgroup")

LOOK_SECONDS = 0.2
SPINS = "3000"
MOST_THREADS = 64  # where a student says nothing else


def threads_for(*, cores: float, busy: float, most: int) -> int:
    """The threads to use when `busy` cores' worth of `cores` is taken by others: at least 1, never above `most`.

    `cores` is what this process may use; a part of one is worth no thread, which would wait for it.
    """
    return max(1, min(most, math.floor(cores) - round(busy)))


def cores_for(*, affinity: int, quotas: Iterable[float]) -> float:
    """How many cores a process may use that is bound to `affinity` of them, within groups of such quotas of time."""
    return min([float(affinity), *quotas])


def busy_for(*, busy: float, all_cores: int, cores: float) -> float:
    """How many of its `cores` are taken, where `busy` of all that the machine has are: its part of them.

    Where a process may use all of them this is `busy`. Where it is kept to a few, the others' work has the rest first.
    """
    return max(0.0, busy - (all_cores - cores))


def free_threads(*, most: int = MOST_THREADS) -> int:
    """Look at the machine for a moment (0.2 s, in which this thread is idle) and choose."""
    import psutil  # type: ignore[import-untyped]

    all_cores = os.cpu_count() or 1
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else all_cores
    cores = cores_for(affinity=affinity, quotas=quotas_at(CGROUPS, told=_own_groups()))
    busy = psutil.cpu_percent(interval=LOOK_SECONDS) / 100 * all_cores
    return threads_for(cores=cores, busy=busy_for(busy=busy, all_cores=all_cores, cores=cores), most=most)


def quotas_at(root: Path, *, told: str) -> list[float]:
    """The quotas in cores of the control groups that a process is in, and of those around them; none without any.

    `told` is what /proc/self/cgroup says: "0::/a/b" in version 2, "4:cpu,cpuacct:/a/b" in version 1. A container sees
    its own group as the root.
    """
    found = []
    for line in told.splitlines():
        _, controllers, path = line.split(":", 2)
        top = root if not controllers else root / "cpu" if "cpu" in controllers.split(",") else None
        if top is not None:
            inner = PurePosixPath(path.lstrip("/"))
            found += [_quota(top / each) for each in (inner, *inner.parents)]
    return [quota for quota in found if quota is not None]


def _quota(group: Path) -> float | None:
    """cpu.max holds "150000 100000", or "max 100000" for no quota; version 1 has a file for each, and -1 for none."""
    try:
        limit, period = (group / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            limit = (group / "cpu.cfs_quota_us").read_text().strip()
            period = (group / "cpu.cfs_period_us").read_text().strip()
        except OSError:
            return None
    return int(limit) / int(period) if limit.isdecimal() and period.isdecimal() and int(period) else None


def _own_groups() -> str:
    try:
        return Path("/proc/self/cgroup").read_text()
    except OSError:  # not Linux
        return ""


def spin_briefly() -> None:
    """Have torch's threads sleep soon when they wait; the user's own setting wins. Too late once torch is imported."""
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", SPINS)


def use_threads(count: int | None) -> None:
    """From now on students answer on so many CPU threads; None leaves it to torch, which takes one a core.

    Said before torch is imported it costs nothing, and who answers without torch need not import it.
    """
    if count is None:
        return
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)
    else:
        os.environ["OMP_NUM_THREADS"] = str(count)


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
