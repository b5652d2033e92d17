"""The journals that workers have left, taken into the one of their run.

Whoever carries a run does this before anything else, with workers or without: what they paid for counts.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

from engine.errors import JournalInUse, JournalUnusable
from engine.journal import Journal, Totals

__all__ = ["WORKERS", "all_taken_in", "gather", "is_written", "journals_left", "taken_in"]

WORKERS: Final = "workers"
"""The folder beside a run's journal in which each worker has one of its own."""

PATIENCE_S: Final = 120.0  # a process lets go at once; of a machine that died a file server hears later
AGAIN_S: Final = 0.2


def journals_left(workers: Path) -> list[Path]:
    """The journals of workers that are not taken in yet, the oldest first."""
    return sorted(workers.glob("*/journal.db")) if _is_there(workers) else []


def _is_there(folder: Path) -> bool:
    return folder.is_dir()


def is_written(journal: Path) -> bool:
    """Whether a worker's journal is where it was."""
    return journal.is_file()


def _folders(workers: Path) -> set[Path]:
    """What workers have begun with that never came to a journal."""
    return {each for each in workers.iterdir() if each.is_dir()} if _is_there(workers) else set()


async def gather(journal: Path, workers: Path) -> int:
    """Take what workers left into the journal of their run; how many journals there were.

    Nothing is done where there are none. Raises JournalUnusable when one of them cannot be read, or is in use still.
    """
    if not _is_there(workers):
        return 0
    async with await Journal.open(journal) as main:  # nobody else carries the run then
        return await all_taken_in(main, workers)


async def all_taken_in(main: Journal, workers: Path, *, but: Collection[Path] = ()) -> int:
    """The same for a journal that is open; those that nobody can read stay where they are."""
    left = [path for path in journals_left(workers) if path not in but]
    for path in left:
        await taken_in(main, path)
    for folder in _folders(workers) - {each.parent for each in but}:
        shutil.rmtree(folder)
    if not but and _is_there(workers):
        shutil.rmtree(workers)
    return len(left)


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
    shutil.rmtree(path.parent)
    return totals
