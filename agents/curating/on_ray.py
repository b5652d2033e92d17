"""The work of curating on a Ray cluster, through Ray Data: on parts of rows, and on bands of signatures.

What is done is `agents.curating.work`'s, and what follows from it is decided where the command runs: so the same rows
come out. The parts lie in the folder that is written into, which every machine of the cluster must see.
"""

from __future__ import annotations

import logging
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from agents.curating.work import Columns, Each
from engine.cluster import connected
from engine.errors import UserError
from engine.fleet.alike import absent, make, unlike

__all__ = ["on_ray"]


@contextmanager
def on_ray(address: str, *, folder: Path) -> Iterator[Each]:
    """Does each piece of work as a task of the cluster; what comes back waits there, and not in this process.

    Raises UserError when there is no such cluster, and when a machine of it does not see the folder.
    """
    with connected(address) as ray:
        yield _Data(ray, folder)


class _Data:
    def __init__(self, ray: Any, folder: Path) -> None:
        from ray.data import DataContext

        for name in ("ray.data", "ray.data._internal"):  # they tell each step on standard error, whatever Ray was told
            logging.getLogger(name).setLevel(logging.CRITICAL)
        context = DataContext.get_current()
        context.enable_progress_bars = False
        context.execution_options.preserve_order = True
        self._ray = ray
        self._folder = folder

    def __call__(self, work: Callable[[Any], Columns], things: Sequence[Any]) -> Iterator[Columns]:
        mine, folder = make(), self._folder

        def do(batch: dict[str, Any]) -> Columns:
            if (why := unlike(mine, make(), node=socket.gethostname())) is not None:
                raise UserError(f"--ray: {why}")
            [number] = batch["id"]
            try:
                return work(things[number])
            except FileNotFoundError:
                raise UserError(
                    f"{folder}: {socket.gethostname()} does not see this folder; choose one with --out on storage that "
                    "all machines of the cluster share"
                ) from None

        if not things:
            return
        every = self._ray.data.range(len(things), override_num_blocks=len(things))
        try:
            yield from every.map_batches(do, batch_size=1).iter_batches(batch_size=None, batch_format="numpy")
        except self._ray.exceptions.RayError as error:
            raise _said(str(error)) or error from error


def _said(text: str) -> UserError | None:
    """What went wrong there, as it would have been said here: nothing else of an error comes back but its text."""
    told = re.search(r"UserError: (.+)", text)
    return absent(text) or (None if told is None else UserError(told[1]))
