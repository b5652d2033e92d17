"""The journals that workers have left, taken into the one of their run.

Whoever carries a run does this before anything else, with workers or without: what they paid for counts.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from engine.budget import Budget
from engine.errors import JournalInUse, JournalUnusable
from engine.fleet.stakes import Stake
from engine.journal import Counts, Journal, Totals, peek
from engine.prices import dollars

__all__ = ["WORKERS", "all_taken_in", "gather", "is_written", "looked_into", "taken_in", "written_off"]

WORKERS: Final = "workers"
"""The folder beside a run's journal in which each worker has one of its own."""

PATIENCE_S: Final = 120.0  # a process lets go at once; of a machine that died a file server hears later
AGAIN_S: Final = 0.2


def _journals_left(workers: Path) -> list[Path]:
    """The journals of workers that are not taken in yet, the oldest first."""
    return sorted(workers.glob("*/journal.db")) if _is_there(workers) else []


def looked_into(workers: Path) -> list[Counts]:
    """Of the workers' journals that are not taken in yet, the figures, whoever may be writing them.

    Raises JournalUnusable, as `gather` does.
    """
    found = []
    for path in _journals_left(workers):
        try:
            found.append(peek(path))
        except JournalUnusable as error:
            raise _with_a_way_out(error, path) from error
    return found


def _is_there(folder: Path) -> bool:
    return folder.is_dir()


def is_written(journal: Path) -> bool:
    """Whether a worker's journal is where it was."""
    return journal.is_file()


def _folders(workers: Path) -> set[Path]:
    """What workers have begun with that never came to a journal."""
    return {each for each in workers.iterdir() if each.is_dir()} if _is_there(workers) else set()


async def gather(journal: Path, workers: Path, *, budget: Budget | None) -> int:
    """Take what workers left into the journal of their run; how many journals there were.

    Nothing is done where there are none. Raises JournalUnusable when one of them cannot be read, or is in use still.
    Where somebody has deleted it since, what its worker may have spent is charged, as assumed: more than the budget
    had left it cannot be.
    """
    if not _is_there(workers):
        return 0
    async with await Journal.open(journal) as main:  # nobody else carries the run then
        return await all_taken_in(main, workers, budget=budget)


async def all_taken_in(
    main: Journal, workers: Path, *, budget: Budget | None = None, but: Collection[Path] = ()
) -> int:
    """The same for a journal that is open; those that nobody can read stay where they are."""
    left = [path for path in _journals_left(workers) if path not in but]
    for path in left:
        try:
            await taken_in(main, path)
        except JournalInUse:
            raise
        except JournalUnusable as error:
            raise _with_a_way_out(error, path) from error
    for folder in _folders(workers) - {each.parent for each in but}:
        stake = Stake.in_folder(folder)
        most = None if budget is None else max(0, budget.cap - main.spent - main.assumed)
        await written_off(main, stake, stake.amounts, most=most)
    if not but and _is_there(workers):
        shutil.rmtree(workers)
    return len(left)


async def written_off(main: Journal, stake: Stake, amounts: Mapping[str, int], *, most: int | None = None) -> None:
    """Charge what nobody can find out any more, as assumed, at `most` in all; then its folder is removed."""
    left, charged = most, dict[str, int]()
    for stage, amount in amounts.items():
        charged[stage] = amount if left is None else min(amount, left)
        left = None if left is None else left - charged[stage]
    if charged:
        await main.write_off(stake.name, charged)
    shutil.rmtree(stake.folder, ignore_errors=True)


def _with_a_way_out(error: JournalUnusable, path: Path) -> JournalUnusable:
    """What its worker may have spent is known, so the run can go on without what that has answered."""
    most = dollars(sum(Stake.in_folder(path.parent).amounts.values()))
    told = str(error).removesuffix(", or start a new run")
    return JournalUnusable(
        f"{told}, or delete it: then {most}, all that this worker may have spent, counts as spent, and what it has "
        "answered is asked again"
    )


async def taken_in(main: Journal, path: Path) -> Mapping[str, Totals]:
    """What the worker's journal came to, by tag, once it is in the main one; then its folder is removed.

    Raises JournalUnusable as above, and where there is none: it would be made anew, and nothing known of what it held.
    """
    deadline = asyncio.get_running_loop().time() + PATIENCE_S
    while True:
        if not is_written(path):
            raise JournalUnusable(f"the journal {path} of a worker is gone")
        try:
            totals = await main.absorb(path)
            break
        except JournalInUse:
            if asyncio.get_running_loop().time() >= deadline:
                raise
            await asyncio.sleep(AGAIN_S)
    Stake(path.parent).forget()  # first: without a journal it would be charged
    shutil.rmtree(path.parent)
    return totals
