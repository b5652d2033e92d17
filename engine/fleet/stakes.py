"""What each worker may have spent at most, on disk before it may: for the day when nobody can read its journal.

A small file beside that journal. It is written anew whenever more is lent than it says, and says a quarter more then,
so it is written some dozen times however much there is to ask.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from engine.errors import JournalUnusable

__all__ = ["Stake"]

FILE: Final = "at-stake.json"


@dataclass(slots=True)
class Stake:
    """Pico-dollars by stage. `name` tells this worker from all others, so that it is charged once."""

    folder: Path
    name: str = field(default_factory=lambda: secrets.token_hex(8))
    amounts: dict[str, int] = field(default_factory=dict)

    @classmethod
    def in_folder(cls, folder: Path) -> Self:
        """As it was noted; nothing where nothing was. Raises JournalUnusable when it cannot be read."""
        try:
            told = json.loads((folder / FILE).read_bytes())
            return cls(folder, str(told["name"]), {str(stage): int(each) for stage, each in told["amounts"].items()})
        except FileNotFoundError:
            return cls(folder)
        except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise JournalUnusable(
                f"{folder / FILE} cannot be read ({error}): it says what a worker may have spent; put it back, or "
                "delete its folder to go on as if that were nothing"
            ) from error

    def covers(self, amounts: Mapping[str, int]) -> bool:
        """Whether it says as much already."""
        return all(amount <= self.amounts.get(stage, 0) for stage, amount in amounts.items())

    def note(self, amounts: Mapping[str, int]) -> None:
        """Durable on return, and whole whenever somebody reads it."""
        self.amounts |= {
            stage: amount + amount // 4 for stage, amount in amounts.items() if amount > self.amounts.get(stage, 0)
        }
        temporary = self.folder / f".{FILE}.new"
        with temporary.open("w", encoding="utf-8") as file:
            json.dump({"name": self.name, "amounts": self.amounts}, file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(self.folder / FILE)

    def forget(self) -> None:
        """The journal has told."""
        (self.folder / FILE).unlink(missing_ok=True)
