"""What a run would cost, take and bring: a pilot, carried on by forecasts, as a record that words are made of."""

from __future__ import annotations

import asyncio
import math
from dataclasses import dataclass, replace
from decimal import Decimal

from agents.config import Configuration
from agents.estimating.duration import Gates
from agents.estimating.expected import USABLE, Between, Expected, expected, rows_for
from agents.estimating.forecast import Paths, foretell
from agents.estimating.pilot import REQUESTS, Sounding, capped, sound_rows
from agents.models import models_told
from agents.run_folder import RunFolder
from agents.stages import OnEngine
from engine.events import Events
from engine.prices import BATCH_SHARE
from engine.throttle import Limits

__all__ = [
    "Estimate",
    "Pilot",
    "RowsFor",
    "batch_share",
    "estimate_of",
    "estimate_run",
    "is_here",
    "notes_of",
    "round_budgets",
    "rounded_up",
]

TIMES = (0.25, 0.5, 1.0, 2.0)  # the dollars of the whole, that a table of budgets has


@dataclass(frozen=True, slots=True, kw_only=True)
class Pilot:
    """What the pilot was: requests for inputs, all calls, rows, dollars, seconds."""

    requests: int
    calls: int
    rows: int
    usd: float
    seconds: float


@dataclass(frozen=True, slots=True)
class RowsFor:
    """The rows that so many dollars bring."""

    usd: float
    rows: Between


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """What a run comes to. All of `expected` are medians with intervals that nine in ten forecasts lie in.

    `what` is "rows" to be made or "labels" for inputs; `wanted` is how many. `usd` is for the whole, the pilot
    included, within the `budget` if there is one; `needed_usd` would do for it in nineteen of twenty forecasts. With
    `is_free` nothing costs anything, so that there is no `table`. `training_s` is what a student may take beside it.
    """

    name: str
    what: str
    teacher: str
    simulated: bool
    wanted: int
    pilot: Pilot
    rows: Between
    usd: Between
    seconds: Between
    calls: Between
    reaches: float
    budget: str | None
    needed_usd: str
    is_free: bool
    table: tuple[RowsFor, ...]
    training_s: float
    notes: tuple[str, ...]
    folder: str


def estimate_run(
    folder: RunFolder,
    configuration: Configuration,
    *,
    pilot_usd: str | None = None,
    requests: int | None = None,
    budget: str | None,
    events: Events,
    on_engine: OnEngine = lambda _: None,
) -> Estimate:
    """Pilot the run in a folder that has begun, and say what the whole comes to, within a `budget` if there is one.

    Raises UserError when no row came of the pilot, BudgetReached when its money ended before anything could be told.
    """
    sounding = asyncio.run(
        sound_rows(
            folder, capped(configuration, pilot_usd), requests=requests or REQUESTS, events=events, on_engine=on_engine
        )
    )
    return estimate_of(sounding, folder, replace(configuration, budget=budget))


def estimate_of(sounding: Sounding, folder: RunFolder, configuration: Configuration) -> Estimate:
    """What a pilot says of the run."""
    policy, spent = sounding.policy, math.fsum(call.usd for call in sounding.calls)
    paths = foretell(sounding.groups, policy, before=sounding.before, seed=configuration.seed)
    if sounding.is_whole:
        paths = _ended(paths, len(sounding.groups))
    share = batch_share(configuration)
    paths = replace(paths, usd=spent + (paths.usd - spent).clip(min=0) * share if share != 1 else paths.usd)
    gates = _gates(sounding, configuration)
    free = expected(paths, policy, gates, cap_usd=None, seed=configuration.seed, least_usd=spent)
    cap = None if configuration.budget is None else float(configuration.budget)
    within = expected(paths, policy, gates, cap_usd=cap, seed=configuration.seed, least_usd=spent)
    needed = rounded_up(free.usd.high / USABLE)
    budgets = round_budgets(free.usd.middle, own=configuration.budget, paid=spent)
    is_free = not free.usd.high
    return Estimate(
        name=folder.path.resolve().name,
        what="rows",
        teacher=models_told(configuration),
        simulated=sounding.simulated,
        wanted=policy.wanted,
        pilot=Pilot(
            requests=len(sounding.groups),
            calls=len(sounding.calls),
            rows=sounding.rows,
            usd=spent,
            seconds=sounding.seconds,
        ),
        rows=within.rows,
        usd=within.usd,
        seconds=within.seconds,
        calls=within.calls,
        reaches=within.reaches,
        budget=configuration.budget,
        needed_usd=needed,
        is_free=is_free,
        table=() if is_free else tuple(map(RowsFor, budgets, rows_for(paths, budgets))),
        training_s=configuration.train_seconds if configuration.train else 0.0,
        notes=tuple(_notes(sounding, configuration, free)),
        folder=str(folder.path),
    )


def _ended(paths: Paths, steps: int) -> Paths:
    """Only the pilot, which was all of it."""
    return replace(
        paths,
        rows=paths.rows[:steps],
        usd=paths.usd[:steps],
        calls=paths.calls[:steps],
        input_tokens=paths.input_tokens[:steps],
        output_tokens=paths.output_tokens[:steps],
        seconds=paths.seconds[:steps],
    )


def batch_share(configuration: Configuration) -> float:
    """What batches cost, as a share of what the pilot's calls did."""
    if not configuration.batch:
        return 1.0
    return float(configuration.price_batch or BATCH_SHARE)


def _gates(sounding: Sounding, configuration: Configuration) -> Gates:
    """What lets so much through and no more."""
    calls = [call for group in sounding.groups for call in group.calls]
    latency = math.fsum(call.latency_s for call in calls) / max(1, len(calls))
    at_once: float | None = configuration.concurrency
    if at_once is None and is_here(configuration):
        at_once = _at_once(sounding)
    return Gates(limits=sounding.limits, at_once=at_once, latency_s=latency, cpu_s=sounding.cpu_s)


def is_here(configuration: Configuration) -> bool:
    """Whether the model runs on this machine: then more at once makes each of them slower."""
    if configuration.model.startswith("local/"):
        return True
    places = " ".join(configuration.base_urls)
    return any(f"//{host}" in places for host in ("localhost", "127.", "[::1]", "0.0.0.0"))  # noqa: S104  # an address that is compared


def _at_once(sounding: Sounding) -> float:
    """How many calls of the pilot were at work at the same time, on the average."""
    busy = math.fsum(call.latency_s for group in sounding.groups for call in group.calls)
    return max(1.0, busy / sounding.seconds) if sounding.seconds else 1.0


def _notes(sounding: Sounding, configuration: Configuration, free: Expected) -> list[str]:
    notes = notes_of(configuration, sounding.limits, simulated=sounding.simulated, cut_short=sounding.cut_short)
    if free.reaches < 0.95:
        notes.append(
            f"in {1 - free.reaches:.0%} of the forecasts the run ends before it has {sounding.policy.wanted:,} rows, "
            "because little new comes any more; --documents, a plan with more axes or fewer --examples would help"
        )
    return notes


def notes_of(configuration: Configuration, limits: Limits, *, simulated: bool, cut_short: str) -> list[str]:
    """What must be known to read an estimate."""
    notes = []
    if cut_short:
        notes.append(f"the pilot ended early, so the intervals are wide: {cut_short}")
    if simulated:
        notes.append("a simulated teacher: the dollars are simulated, and nobody is paid")
    if configuration.batch:
        notes.append("in batches: the dollars are those of batches, and each round of them may take a day")
    elif is_here(configuration):
        notes.append("the model runs on this machine: the time is what it would take as fast as in the pilot")
    elif limits.rpm is None and limits.tpm is None and configuration.concurrency is None:
        notes.append("no limits are known (--rpm, --tpm): the time is what it takes if the provider's do not bind")
    return notes


def round_budgets(usd: float, *, own: str | None, paid: float) -> list[float]:
    """Budgets around what the whole takes, as people write them, and the one that was given; none that is gone."""
    around = {float(rounded_up(usd * times)) for times in TIMES if usd > 0 and usd * times > paid}
    given = {float(own)} if own is not None and usd > 0 and 0.02 * usd <= float(own) <= 4 * usd else set()
    return sorted(around | given)


def rounded_up(usd: float, digits: int = 2) -> str:
    """As a budget is written: so many digits that count, never less than it was; "0" for nothing."""
    if usd <= 0:
        return "0"
    exact = Decimal(repr(usd))
    step = Decimal(1).scaleb(exact.adjusted() - digits + 1)
    return f"{(exact / step).to_integral_value(rounding='ROUND_CEILING') * step:f}"
