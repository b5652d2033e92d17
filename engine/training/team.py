"""The processes that learn together: each computes a part of every step, and all have the same weights after it.

One of them leads: it alone looks at validation rows, keeps time, leaves bookmarks and writes the student. The others
follow. What they exchange goes through torch's process group, over which accelerate and Ray Train work too. It knows
no model; who starts the others is `engine.training.company`'s business.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Final, TypeVar

from engine.errors import Interrupted

__all__ = ["ALONE", "Followed", "Team"]

T = TypeVar("T")


class Followed(Exception):
    """A follower has done its part; what is left is the leader's."""


class Team:
    """Process `rank` of `size`. A team of one exchanges nothing.

    `why` says what has become of the others, when one of them does not answer any more.
    """

    def __init__(self, rank: int = 0, size: int = 1, *, why: Callable[[], str] = lambda: "a process has ended") -> None:
        self.rank = rank
        self.size = size
        self._why = why

    def __repr__(self) -> str:
        return f"<Team [{self.rank + 1} of {self.size}]>"

    @property
    def leads(self) -> bool:
        return self.rank == 0

    def own(self, rows: Sequence[T], lengths: Sequence[int]) -> tuple[list[T], list[int]]:
        """This process's part of a step, and its lengths: as many of the long ones as anybody has."""
        if self.size == 1:
            return list(rows), list(lengths)
        order = sorted(range(len(rows)), key=lambda row: (lengths[row], row))[self.rank :: self.size]
        return [rows[row] for row in order], [lengths[row] for row in order]

    def begin(self, tensors: Sequence[Any], *, step: int) -> None:
        """All go on with the leader's tensors, from its step: who stands at another sees other files."""
        if self.size == 1:
            return
        import torch

        if self.heed(float(step)) != step:
            raise Interrupted("the processes of a training do not see the same folder")
        with torch.no_grad():
            for tensor in tensors:
                self._do(partial(torch.distributed.broadcast, tensor, src=0))

    def heed(self, number: float | None) -> float | None:
        """The leader's number, whatever this process says; None when it says that it is over."""
        if self.size == 1:
            return number
        import torch

        told = torch.tensor([_OVER if number is None else number], dtype=torch.float64)
        self._do(partial(torch.distributed.broadcast, told, src=0))
        return None if told.item() == _OVER else told.item()

    def add_up(self, tensors: Sequence[Any]) -> None:
        """Each becomes the sum of those that the processes have."""
        if self.size == 1:
            return
        import torch

        together = torch.cat([tensor.reshape(-1) for tensor in tensors])  # one exchange, not one for each
        self._do(partial(torch.distributed.all_reduce, together))
        for tensor, summed in zip(tensors, torch.split(together, [tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(summed.view_as(tensor))

    def _do(self, exchange: Callable[[], object]) -> None:
        try:
            exchange()
        except RuntimeError as error:  # whatever the network says of it, somebody is not there any more
            raise Interrupted(f"{self._why()}; the same command goes on where the training was") from error


_OVER: Final = -1.0

ALONE: Final = Team()
