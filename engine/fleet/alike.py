"""Whether a worker is of the same make as its driver: else one would ask, or count, in another way than the other."""

from __future__ import annotations

import hashlib
import platform
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

import engine
from engine.errors import UserError

__all__ = ["Make", "absent", "make", "unlike"]


class Make(NamedTuple):
    """Which Smelt this is, down to its source, and which Python."""

    smelt: str
    source: str
    python: str


@cache
def make() -> Make:
    """The make of this process."""
    try:
        smelt = version("smelt")
    except PackageNotFoundError:  # a checkout that was not installed
        smelt = "unknown"
    return Make(smelt, _source(Path(engine.__file__).parent), ".".join(platform.python_version_tuple()[:2]))


def unlike(mine: Make, other: Make, *, node: str) -> str | None:
    """In what a worker differs, in a line with the way out; None when it does not."""
    if mine == other:
        return None
    if mine.python != other.python:
        return f"{node} runs Python {other.python} and this machine {mine.python}: use the same on all of them"
    if mine.smelt != other.smelt:
        return f"{node} has Smelt {other.smelt} and this machine {mine.smelt}: install the same on all of them"
    return f"{node} has another Smelt {other.smelt} than this machine, of the same number: install the same on all"


def absent(told: str) -> UserError | None:
    """That a machine has no Smelt at all, where what an error says that came from there is that."""
    if not any(f"No module named '{package}'" in told for package in ("agents", "engine")):
        return None
    return UserError("--ray: a machine of the cluster has no Smelt: install the same on all of them")


def _source(folder: Path) -> str:
    """The digest of all modules below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]
