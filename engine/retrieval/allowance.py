"""What one reading of the hub may cost: so many bytes, and so many answers that break off.

They are counted where the answers come in, in the client that huggingface_hub shares among all that use it: whoever
reads through it (the package datasets does) asks again and again on its own, and knows no limit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from threading import local
from types import TracebackType
from typing import Any, Self

__all__ = ["Allowance", "AllowanceSpentError"]

_of_thread = local()

MOST_BREAKS = 3  # answers that end before their time, until the hub is given up


class AllowanceSpentError(Exception):
    """No more is read: the message says why. None of those that packages take for a reason to try again."""


class Allowance:
    """Lets so many bytes in, and ends every reading that goes on after that, after `end`, or over a broken line.

    with Allowance(256 << 20) as allowance: ...   `allowance.over` says why it ended; nothing as long as it has not

    Bytes count as they come over the line. What huggingface_hub fetches otherwise than through its client (hf_xet)
    is not counted. What other threads fetch counts too, such as those that read parquet, unless they have an allowance
    of their own: a reading that nobody waits for any more may still be under way beside the next one.
    """

    def __init__(self, most_bytes: int | None = None) -> None:
        self.over = ""
        self.bytes = 0
        self._most = most_bytes
        self._breaks = 0

    def __repr__(self) -> str:
        return f"<Allowance [{self.bytes:,} bytes in{f', over: {self.over}' if self.over else ''}]>"

    def __enter__(self) -> Self:
        _of_thread.allowance = self
        self.watch()
        return self

    def __exit__(self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None) -> None:
        _of_thread.allowance = None
        hooks = _hooks()
        _session().event_hooks = hooks | {"response": [hook for hook in hooks["response"] if hook != self.on_response]}

    def watch(self) -> None:
        """Watch the client, if this one is not watched yet: after an error it may be another one."""
        hooks = _hooks()
        if self.on_response not in hooks["response"]:
            _session().event_hooks = hooks | {"response": [*hooks["response"], self.on_response]}

    def end(self, why: str) -> None:
        """Let nothing more in. The first reason holds."""
        self.over = self.over or why

    def on_response(self, response: Any) -> None:
        """Count what this answer brings. To be called before its body is read, by whoever has asked for it."""
        of_thread = getattr(_of_thread, "allowance", None)
        if of_thread is not self and (of_thread is not None or self.over):
            return
        self.check()
        # An earlier huggingface_hub talks through httpx, a later one through httpx2; a body must be of its own kind.
        package = import_module(type(response).__module__.partition(".")[0])
        response.stream = _counted(package, response.stream, self)

    def check(self) -> None:
        """Raise AllowanceSpentError when it is over."""
        if self.over:
            raise AllowanceSpentError(self.over)

    def spend(self, count: int) -> None:
        """So many bytes more. Raises AllowanceSpentError when that is too many, or it was over before."""
        self.bytes += count
        if self._most is not None and self.bytes > self._most:
            self.end(f"more than {self._most >> 20:,} MiB would have to be fetched of it")
        self.check()

    def break_off(self, error: Exception) -> None:
        """An answer has ended before its time. Raises AllowanceSpentError when that has happened too often."""
        self._breaks += 1
        if self._breaks >= MOST_BREAKS:
            self.end("the hub's answers break off")
            raise AllowanceSpentError(self.over) from error


def _counted(package: Any, stream: Any, allowance: Allowance) -> object:
    """A body of an answer that tells the allowance what it brings."""

    class Counted(package.SyncByteStream):  # type: ignore[misc]  # known when the first answer comes
        def __iter__(self) -> Iterator[bytes]:
            try:
                for part in stream:
                    allowance.spend(len(part))
                    yield part
            except package.TransportError as error:
                allowance.break_off(error)
                raise

        def close(self) -> None:
            stream.close()

    return Counted()


def _session() -> Any:
    from huggingface_hub import get_session

    return get_session()


def _hooks() -> dict[str, list[Callable[[Any], None]]]:
    hooks: dict[str, list[Callable[[Any], None]]] = _session().event_hooks
    return hooks
