"""Fewer, fuller calls: how many items to ask for at once, and which of those that wait to answer together.

    Appetite        items asked for in one call: more while replies come whole, fewer when they do not
    items_that_pay  how many items are worth a call, by what they share
    merged          requests that would read the same, as one with n completions
    Gathering       micro-batches of texts for a model of our own: by length, and by how long they wait

All of it is synchronous, knows no clock and no task, and says why it chose as it did.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from engine.errors import UserError
from engine.messages import Request

__all__ = ["Appetite", "Batch", "Choice", "Gathering", "Taste", "items_that_pay", "merged"]

Taste = Literal["good", "broken", "stale"]
"""What a reply with several items was like: whole and varied; not whole; whole, but mostly things said before."""

GOOD_BEFORE_MORE = 3  # replies in a row at the present size; twice as many after each cut, up to
MOST_GOOD_BEFORE_MORE = 48
BAD_BEFORE_LESS = 5  # of the latest REMEMBERED at the present size: where one in ten is bad, chance once in 2,500
REMEMBERED = 8
GROWTH, KEPT_AFTER_CUT = 1.5, 0.7


class Appetite:
    """How many items to ask for in one call, learnt from what such calls brought.

        appetite = Appetite(start=8, most=32)
        appetite.size                           # 8
        appetite.notify(asked=8, taste="good")  # three of these, and the size is 12

    Grows by half while all goes well, by one after the first cut, and more reluctantly after each: what was too much
    once is not tried again soon. It is cut to 0.7 when five of the latest eight replies were bad. Only replies that
    were asked for at the present size count: what was under way before a change says nothing about the time after it.
    The same news in the same order give the same sizes, so whoever reports in the order of the requests gets the same
    sizes whatever the order of arrival.
    """

    def __init__(self, *, start: int, most: int) -> None:
        if not 1 <= start <= most:
            raise UserError(f"sizes must satisfy 1 <= start <= most (got {start} and {most})")
        self._most = most
        self._size = start
        self._why = "as it was set"
        self._cuts = 0
        self._good = 0  # in a row, at the present size
        self._latest: list[Taste] = []  # at the present size

    @property
    def size(self) -> int:
        return self._size

    @property
    def why(self) -> str:
        """What brought the size to where it is, in words."""
        return self._why

    def __repr__(self) -> str:
        return f"<Appetite {self._size}: {self._why}>"

    def notify(self, *, asked: int, taste: Taste) -> None:
        """A call that asked for so many items has ended."""
        if asked != self._size:
            return
        self._latest = [*self._latest, taste][-REMEMBERED:]
        self._good = self._good + 1 if taste == "good" else 0
        bad = [each for each in self._latest if each != "good"]
        if len(bad) >= BAD_BEFORE_LESS:
            self._cut(bad[-1])
        elif self._good >= min(MOST_GOOD_BEFORE_MORE, GOOD_BEFORE_MORE * 2**self._cuts):
            self._grow()

    def _cut(self, taste: Taste) -> None:
        self._cuts += 1
        smaller = max(1, math.floor(self._size * KEPT_AFTER_CUT))
        said = "replies were not whole" if taste == "broken" else "replies repeated what is there"
        self._change(smaller, f"cut: {said} at {self._size}")

    def _grow(self) -> None:
        larger = min(self._most, self._size + 1 if self._cuts else math.ceil(self._size * GROWTH))
        self._change(larger, f"grown: replies were whole and varied at {self._size}")

    def _change(self, size: int, why: str) -> None:
        if size != self._size:
            self._size, self._why, self._latest, self._good = size, why, [], 0


@dataclass(frozen=True, slots=True)
class Choice:
    """A number of items, and why just that many."""

    items: int
    why: str


LEAST_SAVED = 0.2  # of the input tokens; for less, one at a time is the safer way to ask


def items_that_pay(*, shared: int, each: int, answer: int, most: int, room: int) -> Choice:
    """How many items, at most `most`, are worth asking for together; 1 when sharing a call is not worth it.

    Tokens throughout: `shared` is what every call says again, `each` what an item adds to it, `answer` the most that
    an item's answer may take, `room` what items and what answers may come to in one call.
    """
    items = min(most, room // max(1, answer), room // max(1, each))
    if most < 2:
        return Choice(1, "one at a time, as it was set")
    if items < 2:
        return Choice(1, f"an item of {each} and an answer of {answer} tokens leave no room for a second")
    saved = 1 - (shared / items + each) / max(1, shared + each)
    if saved < LEAST_SAVED:
        return Choice(1, f"sharing a prompt of {shared} tokens among items of {each} would save only {saved:.0%}")
    return Choice(items, f"sharing a prompt of {shared} tokens among {items} saves {saved:.0%} of what is sent")


MOST_COMPLETIONS = 8  # what every endpoint that has `n` gives; some end at 8


def merged(requests: Sequence[Request]) -> tuple[Request, ...]:
    """The same questions in fewer requests: those in a row that differ in `sample` alone become one with n completions.

    The prompt is then paid once. The completions are those of the requests in their order. Where an endpoint has no
    `n`, the engine asks for them one by one, and nothing is saved. Requests that already want several are left alone.
    """
    runs: list[list[Request]] = []
    for request in requests:
        if runs and len(runs[-1]) < MOST_COMPLETIONS and _read_the_same(runs[-1][0], request):
            runs[-1].append(request)
        else:
            runs.append([request])
    return tuple(run[0] if len(run) == 1 else replace(run[0], n=len(run)) for run in runs)


def _read_the_same(one: Request, other: Request) -> bool:
    return one.n == 1 and replace(other, sample=one.sample) == one


@dataclass(frozen=True, slots=True)
class Batch:
    """What to answer together, by ticket, and why now."""

    tickets: tuple[int, ...]
    why: Literal["full", "others wait", "waited long enough", "alone"]


# A small encoder-decoder spends as long on a batch of its own as on some 500 tokens more of filling (one core).
SMALL_MATRIX = 1024


class Gathering:
    """Which of the texts that wait for a model of ours to answer together, and when.

        gathering = Gathering()
        ticket = gathering.add(size=len(text), now=clock.monotonic())
        batch = gathering.take(now=clock.monotonic())     # None: not yet; ask again at gathering.due

    A batch is a matrix, as wide as its longest text: what is shorter is filled up, and costs as much. So it is built
    around whoever has waited longest, with those nearest in length, none of them shorter than half of the longest
    unless the matrix is small. It leaves when `most` texts or `padded` tokens are reached, when others wait who do
    not fit in, or when its oldest has waited for `patience_s`. Where one text comes after the other, none waits.
    """

    def __init__(self, *, most: int = 64, padded: int = 16_384, patience_s: float = 0.002) -> None:
        if most < 1 or padded < 1 or not patience_s >= 0:
            raise UserError(f"a batch needs room and patience (got {most} texts, {padded} tokens, {patience_s} s)")
        self._most = most
        self._padded = padded
        self._patience_s = patience_s
        self._since: dict[int, float] = {}  # ticket: when it came, in order of arrival
        self._sizes: dict[int, int] = {}
        self._tickets = 0
        self._was_alone = True

    def __len__(self) -> int:
        return len(self._since)

    def __repr__(self) -> str:
        return f"<Gathering [{len(self)} waiting]>"

    def add(self, *, size: int, now: float) -> int:
        """A text of so many tokens has come; its ticket."""
        self._tickets += 1
        self._since[self._tickets] = now
        self._sizes[self._tickets] = max(1, size)
        return self._tickets

    def narrow(self, *, most: int, padded: int) -> None:
        """From now on a batch has at most so much room: there was no memory for more. It never grows again."""
        self._most, self._padded = max(1, min(self._most, most)), max(1, min(self._padded, padded))

    @property
    def due(self) -> float | None:
        """When the oldest will have waited long enough; None when nothing waits."""
        since = next(iter(self._since.values()), None)
        return None if since is None else since + self._patience_s

    def take(self, *, now: float) -> Batch | None:
        """The batch that should leave now, if any should; its texts wait no more."""
        due = self.due
        if due is None:
            return None
        tickets, is_full = self._around_the_oldest()
        batch = Batch(tickets, "full")
        if not is_full:
            if len(tickets) < len(self._since):
                batch = Batch(tickets, "others wait")
            elif len(tickets) == 1 and self._was_alone:
                batch = Batch(tickets, "alone")
            elif now >= due:
                batch = Batch(tickets, "waited long enough")
            else:
                return None
        self._was_alone = len(tickets) == 1
        for ticket in tickets:
            del self._since[ticket], self._sizes[ticket]
        return batch

    def _around_the_oldest(self) -> tuple[tuple[int, ...], bool]:
        """The batch with the oldest in it, in order of length, and whether it can take no more."""
        order = sorted(self._sizes, key=lambda ticket: (self._sizes[ticket], ticket))
        sizes = [self._sizes[ticket] for ticket in order]
        low = high = order.index(next(iter(self._since)))
        while (rows := high - low + 1) < self._most:
            step = _nearest(sizes, low, high)
            if step is None:
                return tuple(order[low : high + 1]), False
            low, high = min(low, step), max(high, step)
            if sizes[high] * (rows + 1) > self._padded:
                low, high = (low + 1, high) if step == low else (low, high - 1)
                break
        return tuple(order[low : high + 1]), True


def _nearest(sizes: Sequence[int], low: int, high: int) -> int | None:
    """The neighbour of a window in sorted sizes that adds least filling; None when neither may come in."""
    rows = high - low + 1
    filling = {}
    if low and _are_alike(sizes[low - 1], sizes[high], rows=rows + 1):
        filling[low - 1] = sizes[high] - sizes[low - 1]
    if high + 1 < len(sizes) and _are_alike(sizes[low], sizes[high + 1], rows=rows + 1):
        filling[high + 1] = (sizes[high + 1] - sizes[high]) * rows
    return min(filling, key=lambda step: filling[step], default=None)


def _are_alike(shortest: int, longest: int, *, rows: int) -> bool:
    return 2 * shortest >= longest or longest * rows <= SMALL_MATRIX
