"""One thread writes, and commits what gathered while it was busy with the commit before: group commit.

It knows batches and futures, and nothing of what is in them. An fsync costs the same for one row as for five hundred,
so the busier the run, the cheaper a row.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import queue
import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from engine.journal.records import Rows

__all__ = ["Writer"]

_T = TypeVar("_T")

# A commit takes the interpreter from the event loop some twenty times, however many rows it has. Where many come at
# once, as from an endpoint that answers in no time, fewer and larger commits cost a twentieth of a request less. So
# after many rows as many are let gather again, for a few milliseconds at most; nobody who asks little waits for it. As
# many, since those whose rows were written may be all there are: without that, 50 in flight would mostly wait.
_BUSY: Final = 16
_LINGER_S: Final = 0.005


class _Write(NamedTuple):
    rows: Rows
    durable: asyncio.Future[None] | None


class _Written(NamedTuple):
    """What became of a batch: durable, unless it says why not."""

    batch: Sequence[_Write]
    failure: Exception | None


class Writer:
    """Calls `commit` with all that is queued, in order, then resolves the futures of the batch in one go.

    After a commit has failed nothing is written any more, and everyone who waits, then or later, gets the failure.
    `waiting` is how many rows were put and are not durable yet. The queue has no bound of its own: whoever puts rows
    waits for them, so there are as many as there are who wait.
    """

    def __init__(self, *, commit: Callable[[Sequence[Rows]], None], finish: Callable[[], None]) -> None:
        self._commit_rows = commit
        self._finish = finish
        self._loop = asyncio.get_running_loop()
        self._stopped = self._loop.create_future()
        self._turn: list[_Write] = []  # what this turn of the loop has put; it goes to the thread in one piece
        self._turns: queue.SimpleQueue[list[_Write] | None] = queue.SimpleQueue()
        self._failure: Exception | None = None  # the thread's, as is the next line
        self._taken = 0  # rows, in all
        self._handed_over = 0  # rows, in all; the loop's
        self._awaited = math.inf  # of the rows handed over; the thread waits for so many
        self._enough = threading.Event()  # have come
        self.waiting = 0
        # A daemon: a process that ends without closing must not wait for a thread that waits for work.
        threading.Thread(target=self._run, name="journal", daemon=True).start()

    def put(self, rows: Rows, durable: asyncio.Future[None] | None) -> None:
        """Queue the rows; `durable` is resolved when they are on disk, or could not be written."""
        if not self._turn:
            self._loop.call_soon(self._hand_over)
        self._turn.append(_Write(rows, durable))
        self.waiting += 1

    async def stop(self) -> None:
        """Write what is queued, then end. Cancelled, the thread still does both."""
        self._hand_over()
        self._turns.put(None)
        self._enough.set()
        await asyncio.shield(self._stopped)

    def _hand_over(self) -> None:
        if self._turn:
            self._turns.put(self._turn)
            self._handed_over += len(self._turn)
            self._turn = []
            if self._handed_over >= self._awaited:
                self._enough.set()

    def _run(self) -> None:
        going = True
        while going:
            batch, going = self._gather()
            self._commit(batch)
            self._tell(self._resolve, _Written(batch, self._failure))
            self._taken += len(batch)
            if going and len(batch) >= _BUSY:
                self._linger(len(batch))
        try:
            self._finish()
            self._tell(self._stopped.set_result, None)
        # Whatever it was: who waits for the end must hear of it.
        except Exception as error:  # noqa: BLE001
            self._tell(self._stopped.set_exception, error)

    def _gather(self) -> tuple[list[_Write], bool]:
        """Wait for work and take all there is; False when it was the last."""
        batch: list[_Write] = []
        turn = self._turns.get()
        while turn is not None:
            batch += turn
            try:
                turn = self._turns.get_nowait()
            except queue.Empty:
                return batch, True
        return batch, False

    def _linger(self, rows: int) -> None:
        """Wait until so many rows are there again, but not for long."""
        self._enough.clear()
        self._awaited = self._taken + rows
        if self._handed_over < self._awaited:  # after the line above: whoever came before it has not rung
            self._enough.wait(_LINGER_S)
        self._awaited = math.inf

    def _commit(self, batch: Sequence[_Write]) -> None:
        if self._failure is not None or not batch:
            return
        try:
            self._commit_rows([write.rows for write in batch])
        # Whatever stops the writer, everyone who waits for it must hear of it, or would hang.
        except Exception as error:  # noqa: BLE001
            self._failure = error

    def _tell(self, call: Callable[[_T], object], argument: _T) -> None:
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left who waits
            self._loop.call_soon_threadsafe(call, argument)

    def _resolve(self, written: _Written) -> None:
        self.waiting -= len(written.batch)
        for write in written.batch:
            if write.durable is None or write.durable.done():
                continue
            if written.failure is None:
                write.durable.set_result(None)
            else:  # one each: an exception raised by many tasks gathers the tracebacks of all
                write.durable.set_exception(type(written.failure)(*written.failure.args))
