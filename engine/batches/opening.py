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
from engine.journal import Journal
from engine.ledger import Ledger
from engine.providers import Provider
from engine.providers.batches import BatchEndpoint
from engine.providers.choice import batch_share_of, batches_of
from engine.statistics import Tally

__all__ = ["BATCH_PATIENCE_S", "UNDER_WAY", "assume_strangers", "check_batch", "open_depot"]

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


def open_depot(
    attempts: Attempts,
    reach: Callable[[], BatchEndpoint] | None,
    *,
    gathers: bool,
    adopts: bool = True,
    timing: Timing,
    stop: Callable[[SmeltError], None],
    tally: Callable[[str], Tally],
) -> Depot | None:
    """The depot of a model; None where nothing is out and nothing is to be gathered.

    It `adopts` what earlier processes have left out, unless another depot of the same model does.
    """
    left = attempts.journal.open_batches() if adopts else []
    ours = [batch for batch in left if batch.asked_of == attempts.asked_of]
    if reach is None or not (ours or gathers):
        return None
    share = batch_share_of(attempts.provider, price=attempts.price)
    cheaper = replace(attempts, price=attempts.price.at_share(share))
    depot = Depot(cheaper, reach(), clock=attempts.clock, stop=stop, timing=timing)
    depot.adopt(ours, tally=tally)
    return depot


def assume_strangers(journal: Journal, ledger: Ledger, *, ours: Collection[str]) -> None:
    """Charge what is out in batches of none of ours, whom this journal was asked of before: nobody can tell its end."""
    for batch in journal.open_batches():
        if batch.asked_of not in ours:
            for line in batch.lines:
                ledger.assume(ledger.adopt(line.bound, stage=line.tag))
