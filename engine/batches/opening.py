"""What to do when an engine opens: adopt the batches that are out, and gather new ones if that was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from engine.attempt import Attempts
from engine.batches.course import Timing
from engine.batches.depot import Depot
from engine.errors import SmeltError
from engine.prices import BATCH_SHARE
from engine.providers.batches import BatchEndpoint
from engine.statistics import Tally

__all__ = ["open_depot"]


def open_depot(
    attempts: Attempts,
    reach: Callable[[], BatchEndpoint] | None,
    *,
    gathers: bool,
    timing: Timing,
    stop: Callable[[SmeltError], None],
    tally: Callable[[str], Tally],
) -> Depot | None:
    """The depot of an engine; None where nothing is out and nothing is to be gathered.

    `attempts` are priced as online ones are. What is out at somebody else's, who was asked in this journal before, is
    counted as assumed: nobody here can tell how it ends.
    """
    ours = []
    for batch in attempts.journal.open_batches():
        if reach is not None and batch.asked_of == attempts.asked_of:
            ours.append(batch)
            continue
        for line in batch.lines:
            attempts.ledger.assume(attempts.ledger.adopt(line.bound, stage=line.tag))
    if reach is None or not (ours or gathers):
        return None
    cheaper = replace(attempts, price=attempts.price.at_share(BATCH_SHARE))
    depot = Depot(cheaper, reach(), clock=attempts.clock, stop=stop, timing=timing)
    depot.adopt(ours, tally=tally)
    return depot
