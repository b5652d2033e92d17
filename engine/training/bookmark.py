"""Where a training that was stopped goes on: all that it knew at some step, in a folder beside the student to be.

It is written whole or not at all, in safetensors: nothing in it is ever unpickled or run. Written seldom enough that it
takes a fiftieth of the time at most, so a large model whose disk is slow loses more when it is killed than a small one.

Not covered: the generators of chance of graphics cards, so there a training that went on ends in other bytes.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from engine.training.folder import reason
from engine.training.lesson import Lesson
from engine.training.state import Tensors

__all__ = ["Bookmark", "Place", "clear_beside"]

FILE: Final = "state.safetensors"
DRAFT: Final = "new.safetensors"  # until it is whole

SOONEST_S: Final = 5.0  # between two, whatever the size
WRITING_SHARE: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a training has come, in plain numbers. `course` is what its course remembers."""

    step: int
    seconds: float
    loss: float
    latest: float | None  # score on the validation rows
    course: Mapping[str, float | None]


class Bookmark:
    """The bookmark of one training: `read` what an earlier process left, `write` when that is `due`, `drop` at the end.

    `training` names all that shapes what is learnt: another one's bookmark is as good as none.
    """

    def __init__(
        self, folder: Path, *, training: str, soonest_s: float = SOONEST_S, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder  # of its own, as whoever is killed while writing leaves half a file behind
        self._file = folder / FILE
        self.training = training
        self._soonest_s = soonest_s
        self._now = now
        self._last = now()
        self._took_s = 0.0
        self.problem: str | None = None  # why there is none, and will be none

    @classmethod
    def beside(cls, folder: Path, lesson: Lesson, *, recipe: object) -> Self:
        """The one of the student that `folder` will hold."""
        return cls(_place_beside(folder), training=_name_of(lesson, recipe))

    @property
    def due(self) -> bool:
        if self.problem is not None:
            return False
        return self._now() - self._last >= max(self._soonest_s, self._took_s / WRITING_SHARE)

    def write(self, place: Place, tensors: Tensors) -> None:
        """Replace the one before. Where the disk takes none there is none, and the training goes on without."""
        from safetensors import SafetensorError
        from safetensors.torch import save_file

        began = self._now()
        draft = self._file.with_name(DRAFT)
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            told = {"training": self.training, "place": json.dumps(asdict(place))}
            save_file({name: _laid_out(tensor) for name, tensor in tensors.items()}, draft, metadata=told)
            _make_durable(draft)
            draft.replace(self._file)
        except (OSError, SafetensorError) as error:
            # A convenience must not end what it is there to save, and the student itself takes a quarter of the room.
            self.problem = reason(error)
            self.drop()
        self._last = self._now()
        self._took_s = self._last - began

    def read(self) -> tuple[Place, Tensors] | None:
        """What was written last; None where that is nothing, another training's, or damaged."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self._file, framework="pt") as file:
                told = file.metadata() or {}
                if told.get("training") != self.training:
                    return None
                place = _place(json.loads(told["place"]))
                return place, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        except (OSError, SafetensorError, ValueError, KeyError, TypeError):
            return None

    def drop(self) -> None:
        """There is nothing to go on with any more."""
        _clear(self._folder)


def clear_beside(folder: Path) -> None:
    """Take away the bookmark of whatever training of this student's folder was the last: there is a student now."""
    _clear(_place_beside(folder))


def _place_beside(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.part")


def _clear(folder: Path) -> None:
    """Our own files alone: somebody may have a folder of that name, and other things in it."""
    with suppress(OSError):  # there is none, or it cannot be taken away and does no harm
        for name in (FILE, DRAFT):
            (folder / name).unlink(missing_ok=True)
        folder.rmdir()


def _laid_out(tensor: Any) -> Any:
    """As safetensors writes it: in main memory, row by row."""
    return tensor.detach().cpu().contiguous()


def _place(told: Mapping[str, Any]) -> Place:
    return Place(**{field.name: told[field.name] for field in fields(Place)})


def _name_of(lesson: Lesson, recipe: object) -> str:
    from importlib.metadata import version

    digest = hashlib.sha256()
    for package in ("torch", "transformers"):
        digest.update(f"{package} {version(package)}\n".encode())
    conditions = (lesson.seed, lesson.time_limit_s, lesson.base, lesson.threads, lesson.preset, lesson.device)
    digest.update(repr((recipe, *conditions, lesson.weights, sorted(lesson.dials.items()))).encode())
    digest.update(f"{lesson.team.size} processes\n".encode() if lesson.team.size > 1 else b"")
    for row in (*lesson.rows, None, *lesson.validation):
        digest.update(repr(row).encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _make_durable(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
