"""The journal as the engine sees it: find, intend, settle."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, Self

from engine.journal.batches import BEGUN, note_row
from engine.journal.merging import Closed, copied
from engine.journal.records import Counts, Entry, OpenBatch, Rows, Stored, Totals, noted, packed, worth
from engine.journal.store import Store
from engine.journal.writer import Writer
from engine.messages import RawReply

__all__ = ["Journal"]

_KEY_BYTES: Final = 32
_LARGEST: Final = 2**63 - 1  # SQLite's integers


class Journal:
    """Ask `find` first; then `intend`, send, `settle`. One journal, one process, one event loop.

    async with await Journal.open(Path("run/journal.db")) as journal:
        attempt = await journal.intend(key, bound=1000, tag="annotate")
        await journal.settle(attempt, raw=raw, cost=400, assumed=False)
        journal.find(key).raw.body

    `spent` and `assumed` are pico-dollars, over all processes that ever wrote here. `recovered` says how many attempts
    an earlier process left in flight: nobody knows what they cost, so they are charged at their bounds, as assumed.
    """

    def __init__(self, store: Store, writer: Writer | None) -> None:
        """Not for use: journals come from `open`."""
        self._store = store
        self._writer = writer
        self._loop = asyncio.get_running_loop()
        self._numbers = itertools.count(store.last_attempt + 1)
        self._notes = itertools.count(store.last_note + 1)
        self._in_flight: set[int] = set(store.still_out)
        self._closed = False
        self.recovered: Final = store.recovered
        self.spent = store.spent
        self.assumed = store.assumed

    @classmethod
    async def open(cls, path: Path | None) -> Journal:
        """Open the journal at `path`, or make it; None keeps it in a nameless temporary file that ends with us.

        A locked, foreign, newer or damaged journal, and a folder that cannot be written, raise JournalUnusable.
        """
        if path is None:
            return cls(Store.temporary(), None)
        store = Store.open(path)
        return cls(store, Writer(commit=store.commit, finish=store.finish))

    def find(self, key: bytes) -> Stored | None:
        """The newest reply that answers this question, from the moment that its `settle` returns.

        Failing that, the newest of status 2xx that could not be parsed when it came.
        """
        return self._store.find(key)

    def was_cut(self, key: bytes) -> bool:
        """Whether a reply to this question was cut short on purpose, in this process or an earlier one."""
        return self._store.was_cut(key)

    async def intend(self, key: bytes, *, bound: int, tag: str, request: bytes | None = None) -> int:
        """Write down that `key` is about to be asked, at `bound` pico-dollars at most; gives the attempt's number.

        `request` is what is sent; it is kept for those who want to know, and nobody else reads it.

        Durable on return. Cancelled before that, the attempt is written off as never sent.
        """
        if len(key) != _KEY_BYTES:
            raise ValueError(f"a key has {_KEY_BYTES} bytes (got {len(key)})")
        _checked(bound)
        attempt = next(self._numbers)  # without gaps: from here on it is written, or nothing is any more
        try:
            await self._write(noted(attempt, key, tag=tag, bound=bound, request=request))
        except asyncio.CancelledError:
            self._put(Rows(charge=(attempt, 0, False, None)), None)
            raise
        self._store.keys.add(key, attempt)
        self._in_flight.add(attempt)
        return attempt

    async def intend_batch(
        self, name: str, lines: Sequence[tuple[bytes, int, str, bytes]], *, asked_of: str, at: float
    ) -> list[int]:
        """Write down that all of these are about to be asked in one batch: (key, bound, tag, request) each.

        Durable on return, all or none, with the first note of the batch; gives the attempts' numbers. They stay in
        flight when this process ends, until somebody settles them.
        """
        attempts = [next(self._numbers) for _ in lines]
        begun = {"asked_of": asked_of, "at": at, "first": attempts[0], "last": attempts[-1]}
        for attempt, (key, bound, tag, request) in zip(attempts, lines, strict=True):
            self._put(noted(attempt, key, tag=tag, bound=_checked(bound), request=request), None)
        # Rows that are put without an await between them are committed together.
        await self._write(Rows(note=note_row(next(self._notes), name, BEGUN, begun)))
        for attempt, (key, *_) in zip(attempts, lines, strict=True):
            self._store.keys.add(key, attempt)
        self._in_flight.update(attempts)
        return attempts

    async def note_batch(self, name: str, kind: str, told: Mapping[str, object]) -> None:
        """Write down how a batch got on. Durable on return."""
        await self._write(Rows(note=note_row(next(self._notes), name, kind, told)))

    def open_batches(self) -> list[OpenBatch]:
        """The batches some of whose attempts are still out, whichever process began them."""
        return self._store.open_batches()

    async def settle(
        self,
        attempt: int,
        *,
        raw: RawReply | None,
        cost: int,
        assumed: bool,
        answers: bool | None = None,
        is_cut: bool = False,
    ) -> None:
        """Write down how an attempt ended: the reply, if one came, and what it cost. Durable on return.

        A reply of status 2xx answers its question unless the caller says otherwise, as for one that cannot be parsed.
        One that was cut short on purpose answers nothing, however it is parsed. Cancelled while it waits, it waits
        on, and is cancelled then: by that time `find` knows the reply.
        """
        if attempt not in self._in_flight:
            raise ValueError(f"attempt {attempt} is not in flight")
        value = None if raw is None else int(worth(raw, answers=answers, is_cut=is_cut))
        charge = (attempt, _checked(cost), assumed, value)
        written = self._write(Rows(charge=charge, reply=None if raw is None else packed(attempt, raw)))
        self._in_flight.remove(attempt)
        if value:  # now, since it is written even if nobody waits for it any more
            self._store.keys.notify_reply(attempt)
        if assumed:
            self.assumed += cost
        else:
            self.spent += cost
        await self._until_durable(written)

    async def absorb(self, path: Path) -> Mapping[str, Totals]:
        """Take in all of another journal, that of a process which is gone; what that had in flight is assumed.

        Done again, or after it was cut off, it takes in what it has not yet. Gives what the other one came to, by tag.
        Raises JournalUnusable when that cannot be read, or somebody is writing it.
        """
        async with Closed(path) as other:
            done = self._store.merged(other.name)
            async for piece in other.pieces(after=done):
                done += len(piece)
                await self._take_in(piece, merged=(other.name, done))
            return (await other.counts()).by_tag

    async def write_off(self, name: str, amounts: Mapping[str, int]) -> None:
        """Charge, as assumed, what another process may have spent whose journal nobody can read: so much, by tag.

        Once for each `name`, however often it is done.
        """
        if self._store.merged(name):
            return
        for tag, amount in amounts.items():
            attempt = next(self._numbers)
            key = sha256(f"{name} {tag}".encode()).digest()
            row = noted(attempt, key, tag=tag, bound=_checked(amount), request=None)
            self._put(row._replace(charge=(attempt, amount, True, None)), None)
            self._store.keys.add(key, attempt)
            self.assumed += amount
        # Rows that are put without an await between them are committed together.
        await self._until_durable(self._write(Rows(merged=(name, 1))))

    async def _take_in(self, piece: Sequence[Entry], *, merged: tuple[str, int]) -> None:
        """Entries of another journal as rows of this one. All of them are durable on return, or none is."""
        rows = [copied(next(self._numbers), entry) for entry in piece]
        for each in rows:
            self._put(each, None)
        # Rows that are put without an await between them are committed together.
        written = self._write(Rows(merged=merged))
        for each, entry in zip(rows, piece, strict=True):  # now, since they are written even if nobody waits any more
            self._notice(each, entry)
        await self._until_durable(written)

    def _notice(self, rows: Rows, entry: Entry) -> None:
        if rows.intent is None or rows.charge is None:
            raise AssertionError("unreachable")
        attempt, *_ = rows.intent
        self._store.keys.add(entry.key, attempt)
        if rows.charge[3]:
            self._store.keys.notify_reply(attempt)
        if entry.assumed:
            self.assumed += entry.cost or 0
        else:
            self.spent += entry.cost or 0

    def counts(self) -> Counts:
        """The journal in figures; reads it whole."""
        return self._store.counts()

    def entries(self) -> Iterator[Entry]:
        """Every attempt in the order of their numbers, a few at a time from the disk."""
        return self._store.entries()

    async def aclose(self) -> None:
        """Write what is still queued and let go of the files. Closing twice does no harm."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._writer is None:
                self._store.finish()
            else:
                await self._writer.stop()
        finally:
            self._store.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        waiting = "" if self._writer is None else f", {self._writer.waiting} to be written"
        state = "closed" if self._closed else f"{len(self._in_flight)} in flight{waiting}"
        return f"<Journal {self._store.name} [{state}]>"

    def _write(self, rows: Rows) -> asyncio.Future[None]:
        """Hand the rows over now; the future is done when they are durable."""
        durable: asyncio.Future[None] = self._loop.create_future()
        self._put(rows, durable)
        return durable

    async def _until_durable(self, written: asyncio.Future[None]) -> None:
        """Wait on even if cancelled: who asks the same next must find the answer, or it would be paid for twice."""
        cancellation: asyncio.CancelledError | None = None
        while True:
            try:
                await written
                break
            except asyncio.CancelledError as error:
                if self._closed:
                    raise
                cancellation = error
                written = self._write(Rows())  # that one was cancelled with us; rows become durable in their order
        if cancellation is not None:
            raise cancellation

    def _put(self, rows: Rows, durable: asyncio.Future[None] | None) -> None:
        if self._closed:
            raise RuntimeError("the journal is closed")
        if self._writer is not None:
            self._writer.put(rows, durable)
            return
        self._store.commit([rows])
        if durable is not None:
            durable.set_result(None)


def _checked(amount: int) -> int:
    if not 0 <= amount <= _LARGEST:
        raise ValueError(f"an amount must lie between 0 and 2^63 - 1 pico-dollars (got {amount})")
    return amount
