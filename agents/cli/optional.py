"""Options whose value may be left out, which typer does not know: `--ray` alone is a cluster of this machine's own."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final

__all__ = ["HERE", "in_full"]

HERE: Final = "local"

# What an option may take, and what stands for it where nothing like that follows.
OPTIONAL: Final[Mapping[str, tuple[re.Pattern[str], str]]] = {
    "--ray": (re.compile(r"(ray://.*|auto|local|none|[^/]*:\d+)"), HERE),
}


def in_full(arguments: Sequence[str]) -> list[str]:
    """The arguments with every such value said: `--ray rows.jsonl` asks for no cluster of that name."""
    return [_in_full(argument, after) for argument, after in pairwise([*arguments, ""])]


def _in_full(argument: str, after: str) -> str:
    value, otherwise = OPTIONAL.get(argument, (None, ""))
    return argument if value is None or value.fullmatch(after) else f"{argument}={otherwise}"
