"""What to do when an engine opens: adopt the batches that are out, and gather new ones if that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

from engine.attempt import Attempts
from engine.batches.course import Timing
from engine.batches.depot import Depot
from engine.errors import SmeltError, UserError
from engine.journal import OpenBatch
from engine.prices import BATCH_SHARE
from engine.providers import Provider
from engine.providers.batches import BatchEndpoint
from engine.providers.choice import batches_of
from engine.statistics import Tally

__all__ = ["BATCH_PATIENCE_S", "UNDER_WAY", "check_batch", "open_depot"]

UNDER_WAY: Final = 50_000
"""How many requests may be under way at once: as many as go into the smaller of the two services' batches. Each takes
some eight kilobytes beside its text."""

BATCH_PATIENCE_S: Final = 2 * 86_400.0
"""How long a request may wait for room and money while nothing is answered; a batch takes a day at most."""


class Everything(Collection[str]):
    """Holds every tag there is."""

    def __contains__(self, tag: object) -> bool:
        return True

    def __iter__(self) -> Iterator[str]:
        return iter(("everything",))

    def __len__(self) -> int:
        return 1


def check_batch(
    batch: bool | Collection[str], *, provider: Provider, journal: str | Path | None, hedge: bool
) -> Collection[str]:
    """The tags of what goes in batches; UserError when nothing can."""
    if not batch:
        return ()
    if isinstance(batch, str):
        raise UserError(f"batch must be True, or the tags of what goes in batches, as in [{batch!r}] (got {batch!r})")
    if batches_of(provider) is None:
        raise UserError(f"{provider.name} has no batch endpoint: leave out --batch")
    if journal is None:
        raise UserError("a batch outlives the process that sends it: give a journal, so that its answers are found")
    if hedge:
        raise UserError("batches are not hedged: leave out --hedge, or --batch")
    return Everything() if batch is True else frozenset(batch)


async def open_depot(
    attempts: Attempts,
    reach: Callable[[], BatchEndpoint] | None,
    *,
    gathers: bool,
    timing: Timing,
    stop: Callable[[SmeltError], None],
    tally: Callable[[str], Tally],
) -> Depot | None:
    """The depot of an engine; None where nothing is out and nothing is to be gathered.

    What is out at somebody else's, who was asked in this journal before, is counted as assumed: nobody here can tell
    how it ends. When it cannot be opened, the journal is closed.
    """
    try:
        ours = _left_out(attempts, is_reached=reach is not None)
        if reach is None or not (ours or gathers):
            return None
        cheaper = replace(attempts, price=attempts.price.at_share(BATCH_SHARE))
        depot = Depot(cheaper, reach(), clock=attempts.clock, stop=stop, timing=timing)
        depot.adopt(ours, tally=tally)
    except BaseException:  # whatever it was, nobody else will close it
        await attempts.journal.aclose()
        raise
    return depot


def _left_out(attempts: Attempts, *, is_reached: bool) -> list[OpenBatch]:
    """The batches that we have out; of others' only the money is counted."""
    ours = []
    for batch in attempts.journal.open_batches():
        if is_reached and batch.asked_of == attempts.asked_of:
            ours.append(batch)
            continue
        for line in batch.lines:
            attempts.ledger.assume(attempts.ledger.adopt(line.bound, stage=line.tag))
    return ours
