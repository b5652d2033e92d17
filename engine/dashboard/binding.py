"""What holds a run up just now, and what would help, in words: pure.

`engine.statistics` names what the next request waits for; here that is put beside how much of the limits is used, and
beside what the run is doing at all.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from engine.dashboard.traffic import Rates
from engine.dashboard.view import View
from engine.statistics import Statistics
from engine.text import clean
from engine.throttle import Limits

__all__ = ["Bound", "Situation", "bound_by", "named", "situation_of", "use_of"]

IDLE: Final = frozenset(("CPU", "lack of work"))  # what binds where nobody asks
IDLE_LOOKS: Final = 2  # in a row, a second apart; between two calls there may be such a moment
UNUSED: Final = 0.7  # a limit that binds, and of which less than this is used, counts more than what comes back


class Bound(NamedTuple):
    """What binds, how that shows, and what would help; empty where there is nothing to say."""

    what: str
    why: str = ""
    helps: str = ""

    def told(self) -> str:
        """As in "bound by output tokens a minute (98 % of 40,000): a second key would help"."""
        why = f" ({self.why})" if self.why else ""
        return f"{self.what}{why}: {self.helps}" if self.helps else f"{self.what}{why}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """How things stand: what the next request waits for (as statistics say it), and all that explains it.

    `stage` is the stage at work, `use` the share (0 to 1) of each limit that is used, by its name in the statistics.
    """

    binding: str
    stage: str = ""
    in_flight: int = 0
    waiting: int = 0
    allowed: int = 0
    latency_s: float | None = None
    use: Mapping[str, tuple[float, float]] = field(default_factory=dict)  # dimension: (share used, the limit)


MORE: Final = "a second key, a higher tier or --batch would help"

# What binds: the words for it, how it shows, and what would help.
KNOWN: Final[Mapping[str, Bound]] = {
    "requests": Bound("bound by requests a minute", helps=f"{MORE}, and more rows in a call"),
    "tokens": Bound("bound by tokens a minute", helps=MORE),
    "input tokens": Bound("bound by input tokens a minute", helps=f"{MORE}, and shorter prompts"),
    "output tokens": Bound("bound by output tokens a minute", helps=MORE),
    "requests per day": Bound("bound by requests a day", helps="q ends in order, and resume goes on tomorrow"),
    "tokens per day": Bound("bound by tokens a day", helps="q ends in order, and resume goes on tomorrow"),
    "provider weather": Bound("bound by the provider", "it has trouble, or asks us to wait", "--fallback would help"),
    "money": Bound("bound by money", "what is left is set aside for calls in flight", "+ raises the cap"),
    "batches": Bound("waiting for batches", "within a day", "q ends in order, and resume waits on"),
    "CPU": Bound(
        "bound by this computer", "its processor is busy", "fewer other programs, or a faster one, would help"
    ),
    "slow consumer": Bound("bound by whoever takes the results", "they are taken slowly"),
    "straggler": Bound("bound by a straggler", "the rows after it wait for it in order", "--hedge would help"),
    "pause": Bound("paused", helps="r goes on"),
}


SLOTS: Final = "bound by calls in flight"
TEACHER: Final = "bound by the teacher's time"


def named(binding: str) -> str:
    """What held something up, as a person says it: "requests a minute", "the teacher's time". Unknown ones stay."""
    known = {name: bound.what for name, bound in KNOWN.items()} | {"concurrency": SLOTS, "lack of work": TEACHER}
    return known.get(binding, binding).removeprefix("bound by ")


def bound_by(now: Situation) -> Bound:
    """What binds now. There are four cases:

    1. a limit or something else that statistics name binds;
    2. all slots are taken: as many as the provider takes, or as were allowed;
    3. slots are free and calls are out: rows wait for answers to earlier ones, so it is the teacher's time;
    4. nothing is out: the stage works on this computer.
    """
    is_out = now.in_flight > 0 or now.waiting > 0
    if not is_out and now.stage and now.binding in IDLE:
        return Bound(f"{now.stage} works on this computer", "", "nobody is asked meanwhile")
    if (known := KNOWN.get(now.binding)) is not None:
        return known._replace(why=_used(now) or known.why)
    if now.binding == "concurrency":
        return Bound(f"{SLOTS} ({now.allowed:,})", "", "--concurrency sets them; else they grow while it pays")
    if is_out:
        why = f"{now.in_flight:,} in flight" + (f", {now.latency_s:.1f} s each" if now.latency_s else "")
        return Bound(TEACHER, why, "no limit is in the way; a faster model would help")
    return Bound("nothing waits")


def situation_of(view: View, figures: Statistics | None) -> Situation:
    """How things stand in a view: what has bound most in the last seconds counts, as it changes from call to call.

    But where nobody asks any more, what bound before does not.
    """
    stage = "" if view.current is None else clean(view.current.name, 40)
    if figures is None:
        return Situation(binding="lack of work", stage=stage)
    return Situation(
        binding=_binding(view, figures),
        stage=stage,
        in_flight=figures.in_flight,
        waiting=figures.waiting,
        allowed=figures.allowed,
        latency_s=view.traffic.latency(0.5),
        use=use_of(figures.limits, view.traffic.rates(view.now_s)),
    )


def _binding(view: View, figures: Statistics) -> str:
    if figures.binding == "pause" or _is_idle(view, figures):
        return figures.binding
    return view.traffic.usual_binding() or figures.binding


def _is_idle(view: View, figures: Statistics) -> bool:
    """Whether nothing was asked for the last seconds."""
    latest = list(view.traffic.bindings)[-IDLE_LOOKS:]
    return not figures.in_flight and not figures.waiting and {*latest, figures.binding} <= IDLE


def _used(now: Situation) -> str:
    if now.binding not in now.use:
        return ""
    share, limit = now.use[now.binding]
    told = f"{share:.0%} of {limit:,.0f}".replace("%", " %")
    if share >= UNUSED:
        return told
    # Of tokens less comes back than was set aside; of requests it was less of late: it has just begun, or gone on.
    return f"{told} come back; it counts what answers may have" if "tokens" in now.binding else f"{limit:,.0f} at most"


def use_of(limits: Limits, rates: Rates) -> dict[str, tuple[float, float]]:
    """How much of each limit a minute is used, and the limit, by its name in the statistics."""
    tokens = rates.input_tokens + rates.output_tokens
    pairs = {
        "requests": (rates.sent, limits.rpm),
        "tokens": (tokens, limits.tpm),
        "input tokens": (rates.input_tokens, limits.input_tpm),
        "output tokens": (rates.output_tokens, limits.output_tpm),
    }
    return {name: (rate / limit, limit) for name, (rate, limit) in pairs.items() if limit}
