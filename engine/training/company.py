"""Who starts the processes that learn together, and says what became of them.

The leader is this process, and each follower a Python process of its own on this machine: it is told the lesson over
its standard input, reads the same rows, makes the same model, and follows (`engine.training.team`) until the training
is over or the leader is gone. Or somebody else has started all of them, as accelerate, torchrun and Ray Train do, also
on several machines: then each is told by its environment which it is.
"""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import IO, Any, Final, Self

import orjson

from engine.errors import Interrupted, UserError
from engine.training.lesson import Lesson
from engine.training.student import Row
from engine.training.team import ALONE, Team

__all__ = ["Errand", "company", "follows", "is_launched", "join", "launched"]

HERE: Final = "127.0.0.1"
START_S: Final = 180.0  # in which a follower must be there: it loads the same packages as the leader did
LONGEST_S: Final = timedelta(hours=2)  # that anybody is waited for: the leader looks at validation rows alone

TOLD: Final = ("seed", "time_limit_s", "base", "threads", "weights", "preset", "device", "dials", "whole", "remember")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What a follower is told: the student to learn, and whom to follow as who."""

    family: str
    folder: str
    rows: list[list[str]]
    validation: list[list[str]]
    told: dict[str, Any]  # the rest of the lesson, by its names
    rank: int
    size: int
    port: int

    @classmethod
    def of(cls, lesson: Lesson, *, family: str, folder: Path, rank: int, size: int, port: int) -> Errand:
        rows, validation = ([[row.input, row.output] for row in some] for some in (lesson.rows, lesson.validation))
        told = {name: getattr(lesson, name) for name in TOLD}
        place = str(folder.absolute())
        return cls(
            family=family, folder=place, rows=rows, validation=validation, told=told, rank=rank, size=size, port=port
        )

    def lesson(self, team: Team) -> Lesson:
        told = {**self.told, "weights": None if self.told["weights"] is None else tuple(self.told["weights"])}
        rows, validation = (tuple(Row(*row) for row in some) for some in (self.rows, self.validation))
        return Lesson(rows=rows, validation=validation, team=team, **told)


@contextmanager
def company(lesson: Lesson, *, family: str, folder: Path, processes: int) -> Iterator[Lesson]:
    """The lesson with a team of so many processes, of which this one leads; they are gone at the end of the block.

    Raises UserError where there are fewer graphics cards than processes, and Interrupted when a follower does not come.
    """
    import torch

    _check_cards(lesson.device, processes)
    store = _store(0)
    with ExitStack() as stack:
        followers = [
            stack.enter_context(
                _Follower(Errand.of(lesson, family=family, folder=folder, rank=rank, size=processes, port=store.port))
            )
            for rank in range(1, processes)
        ]
        _wait_for(followers, store)
        _begin_group(store, rank=0, size=processes, card=0)
        stack.callback(torch.distributed.destroy_process_group)
        yield replace(lesson, team=Team(0, processes, why=lambda: _told(followers)))


def join(errand: Errand) -> Team:
    """As a follower: be there, and become one of the team."""
    store = _store(errand.port)
    store.set(f"here/{errand.rank}", "")
    _begin_group(store, rank=errand.rank, size=errand.size, card=errand.rank)
    return Team(errand.rank, errand.size)


def follows(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody has started this process as one of several that learn together, and another leads."""
    place = _place_in(environment)
    return place is not None and place[0] > 0


def is_launched(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether somebody has started this process as one of several that learn together."""
    return _place_in(environment) is not None


@contextmanager
def launched(environment: Mapping[str, str] = os.environ) -> Iterator[Team]:
    """The team that whoever started this process has put it into; of one, where nobody did.

    accelerate and torchrun say so in the environment; Ray Train has made the group when it calls.
    """
    distributed = getattr(sys.modules.get("torch"), "distributed", None)
    if distributed is not None and distributed.is_initialized():
        yield Team(distributed.get_rank(), distributed.get_world_size())
        return
    place = _place_in(environment)
    if place is None:
        yield ALONE
        return
    import torch

    rank, size = place
    _begin_group(None, rank=rank, size=size, card=int(environment.get("LOCAL_RANK", "0")))
    try:
        yield Team(rank, size)
    finally:
        torch.distributed.destroy_process_group()


def _place_in(environment: Mapping[str, str]) -> tuple[int, int] | None:
    """The rank of this process, and how many there are; None where it is alone, or nobody says where the others are."""
    size = environment.get("WORLD_SIZE", "1")
    if size == "1" or not {"RANK", "MASTER_ADDR", "MASTER_PORT"} <= environment.keys():
        return None
    return int(environment["RANK"]), int(size)


class _Follower:
    def __init__(self, errand: Errand) -> None:
        self.rank, self.size = errand.rank, errand.size
        self._errand = errand

    def __enter__(self) -> Self:
        self._says: IO[bytes] = tempfile.TemporaryFile()  # closed with the process
        self._process = subprocess.Popen(
            [sys.executable, "-m", "engine.training.follower"],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=self._says,
        )
        if self._process.stdin is not None:
            self._process.stdin.write(orjson.dumps(dataclasses.asdict(self._errand)))
            self._process.stdin.close()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._says.close()

    def ended(self, *, within_s: float = 0.0) -> str | None:
        """How it has ended, in words; None while it is at work."""
        try:
            code = self._process.wait(timeout=within_s)
        except subprocess.TimeoutExpired:
            return None
        self._says.seek(0)
        last = (self._says.read().decode("utf-8", "replace").strip().splitlines() or [""])[-1]
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
        return f"process {self.rank + 1} of {self.size} of the training {how}{f' ({last})' if last else ''}"


def _wait_for(followers: Sequence[_Follower], store: Any) -> None:
    until = time.monotonic() + START_S
    for follower in followers:
        while not store.check([f"here/{follower.rank}"]):
            if (how := follower.ended(within_s=0.1)) is not None:
                raise Interrupted(f"{how} before it began")
            if time.monotonic() > until:
                raise Interrupted(f"a process of the training did not begin within {START_S:g} s: try fewer of them")


def _told(followers: Sequence[_Follower]) -> str:
    found = [how for follower in followers if (how := follower.ended(within_s=1.0)) is not None]
    return found[0] if found else "a process of the training does not answer any more"


def _store(port: int) -> Any:
    """Where the processes of a team find each other: the leader's own at a port that is free (0), or that one."""
    from torch.distributed import TCPStore  # type: ignore[attr-defined]  # which torch itself says to import so

    return TCPStore(HERE, port, is_master=port == 0, wait_for_workers=False)


def _begin_group(store: Any, *, rank: int, size: int, card: int) -> None:
    """Meet the others at the store, or without one where the environment says; `card` is this process's own."""
    import torch

    kind = "gloo"
    if torch.cuda.is_available():
        torch.cuda.set_device(card % torch.cuda.device_count())
        kind = "cpu:gloo,cuda:nccl"
    torch.distributed.init_process_group(kind, store=store, rank=rank, world_size=size, timeout=LONGEST_S)


def _check_cards(device: str, processes: int) -> None:
    import torch

    cards = torch.cuda.device_count() if torch.cuda.is_available() and device in {"auto", "cuda"} else 0
    if cards and processes > cards:
        raise UserError(f"--processes {processes}: this machine has {cards} graphics cards, and each process needs one")
