"""A view and its figures as a small file that others may read, and back: whole or not at all, checked on the way in.

Whoever looks on from another process, or much later, draws what stands there. The writer never waits for the disk.
"""

from __future__ import annotations

import os
import socket
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, get_args, get_origin, get_type_hints

import orjson

from engine.dashboard.view import View
from engine.statistics import Statistics

__all__ = ["Process", "Snapshot", "load", "save"]

T = TypeVar("T")

SILENT_S = 30.0  # a process elsewhere that writes once a second and has not for so long is given up


@dataclass(frozen=True, slots=True)
class Process:
    """Which process wrote: its number, its machine, and when it began, as the machine counts it."""

    number: int
    host: str
    began: str

    @classmethod
    def this(cls) -> Process:
        return cls(os.getpid(), socket.gethostname(), _began(os.getpid()))

    def is_alive(self) -> bool | None:
        """Whether it is there still; None of a process on another machine."""
        if self.host != socket.gethostname():
            return None
        try:
            os.kill(self.number, 0)
        except ProcessLookupError:
            return False
        except PermissionError:  # another user's
            pass
        return _began(self.number) == self.began  # else it is another one with its number


def _began(number: int) -> str:
    """When a process began, in ticks since the machine did; empty where the machine does not tell."""
    try:
        told = Path(f"/proc/{number}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return told.rpartition(")")[2].split()[19]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """How a run stood at `at` (seconds since 1970); `over` once it had ended, in order or by an error."""

    view: View
    figures: Statistics | None
    at: float
    process: Process
    over: bool = False

    def is_alive(self, *, now: float) -> bool:
        """Whether somebody carries the run on; of a process on another machine by how long it has been silent."""
        if self.over:
            return False
        alive = self.process.is_alive()
        return now - self.at <= SILENT_S if alive is None else alive


def save(path: Path, snapshot: Snapshot) -> None:
    """Write it in place of the one before. Not made durable: after a power cut the journal knows what counts."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        temporary.write_bytes(_packed(snapshot))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def load(path: Path) -> Snapshot | None:
    """What was written there last; None where there is nothing, or nothing of ours."""
    try:
        return _built(Snapshot, orjson.loads(path.read_bytes()))
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _packed(snapshot: Snapshot) -> bytes:
    try:
        return orjson.dumps(snapshot, default=_plain)
    except TypeError:  # half a surrogate pair somewhere in a text from elsewhere
        return orjson.dumps(_writable(snapshot))


def _plain(value: object) -> object:
    """What orjson does not know: sequences of kinds of their own; anything else is not kept."""
    return list(value) if isinstance(value, tuple | deque) else None


def _writable(value: Any) -> Any:
    """The same with every text as a file can hold it."""
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if is_dataclass(value):
        return {each.name: _writable(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {_writable(name): _writable(each) for name, each in value.items()}
    if isinstance(value, list | tuple | deque):
        return [_writable(each) for each in value]
    return value if isinstance(value, int | float | NoneType) else None


def _built(kind: type[T], value: object) -> T:
    """The value as that type, checked through and through. Raises TypeError or ValueError for anything else."""
    build: Callable[[Any, object], T] = _BUILDERS.get(get_origin(kind) or kind, _built_record)
    return build(kind, value)


def _built_record(kind: Any, value: object) -> Any:
    """A dataclass from a table, a named tuple from a list. What is not stored keeps its default."""
    types = get_type_hints(kind)
    if is_dataclass(kind):
        table = _checked(dict, value)
        stored = [each.name for each in fields(kind) if each.compare]
        return kind(**{name: _built(types[name], table[name]) for name in stored})  # type: ignore[operator]  # a class
    items = _checked(list, value)
    return kind(*(_built(each, item) for each, item in zip(types.values(), items, strict=True)))


def _built_union(kind: Any, value: object) -> Any:
    if value is None and NoneType in get_args(kind):
        return None
    [other] = [each for each in get_args(kind) if each is not NoneType]
    return _built(other, value)


def _built_tuple(kind: Any, value: object) -> Any:
    items, inner = _checked(list, value), get_args(kind)
    if inner[-1] is Ellipsis:
        return tuple(_built(inner[0], item) for item in items)
    return tuple(_built(each, item) for each, item in zip(inner, items, strict=True))


def _built_list(kind: Any, value: object) -> Any:
    [inner] = get_args(kind)
    items = [_built(inner, item) for item in _checked(list, value)]
    return deque(items) if get_origin(kind) is deque else items


def _built_table(kind: Any, value: object) -> Any:
    inner = get_args(kind)[1]
    return {name: _built(inner, item) for name, item in _checked(dict, value).items()}


def _built_counter(kind: Any, value: object) -> Any:  # noqa: ARG001  # one of the builders
    return Counter({name: _built(float, item) for name, item in _checked(dict, value).items()})


def _built_literal(kind: Any, value: object) -> Any:
    if value not in get_args(kind):
        raise ValueError(f"not one of {get_args(kind)}")
    return value


def _built_number(kind: Any, value: object) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("not a number")
    return value if isinstance(value, int) else float(value) if kind is float else int(value)


def _checked(kind: type[T], value: object) -> T:
    if not isinstance(value, kind):
        raise TypeError(f"not a {kind.__name__}")
    return value


_BUILDERS: Mapping[Any, Any] = {
    int: _built_number,
    float: _built_number,
    str: _checked,
    bool: _checked,
    UnionType: _built_union,
    tuple: _built_tuple,
    list: _built_list,
    deque: _built_list,
    dict: _built_table,
    Mapping: _built_table,
    Counter: _built_counter,
    Literal: _built_literal,
}
