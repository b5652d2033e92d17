"""Whether a judge can be trusted, found out before it is: right rows and spoiled ones, and it is not told which. Pure.

Rows whose answer is known, the user's own, are put to the judge as they are and spoiled: with another answer, with half
of theirs, with a gap in the input. What a filter would find for nothing is left out, for nobody need be paid to find
it. The share of spoiled rows that it refuses and the share of right ones that it lets pass decide whether it is used at
all, and from which score on a row is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import accumulate
from random import Random

from agents.chance import chance
from agents.filtering.filter import Candidate, judge_row, make_known, same_text
from agents.judging.rubric import SCORES, addresses_the_judge, length_of
from agents.records import Pair, Spec, Verdict
from engine.evaluation import wilson
from engine.prices import PICO_PER_USD, dollars

__all__ = ["LEAST_ANCHORS", "Calibration", "Share", "Trial", "anchors_of", "calibrated", "deal", "too_few", "trials_of"]

LEAST_ANCHORS = 5  # with all of them told right, chance is ruled out; with fewer it hardly can be
MOST_TRIED = 60_000  # characters of anchors, beyond the least: each is shown some three times, and paid for
MOST_ANCHORS = 48  # some 24 calls: the intervals are then some 15 points wide, and more would hardly change the choice
FEW_ANCHORS = 16  # up to here each is spoiled three times, beyond twice
GAP = "___"

THRESHOLDS = SCORES[1:]
# Four thresholds are tried, and the best is kept: its interval must hold for all of them.
COVERAGE = 1 - 0.05 / len(THRESHOLDS)


@dataclass(frozen=True, slots=True)
class Trial:
    """A row that is put to the judge: right if nothing says how it was `spoiled`. `anchor` is the number of its row."""

    row: Pair
    anchor: int
    spoiled: str = ""


@dataclass(frozen=True, slots=True)
class Share:
    """So many of so many rows, with the 95 % interval of what that says."""

    hits: int
    rows: int
    low: float
    high: float

    @classmethod
    def of(cls, hits: int, rows: int) -> Share:
        return cls(hits, rows, *((round(end, 4) for end in wilson(hits, rows)) if rows else (0.0, 1.0)))

    @property
    def value(self) -> float:
        return self.hits / self.rows if self.rows else 0.0

    def told(self) -> str:
        return f"{self.hits} of {self.rows} ({self.value:.0%}; {self.low:.0%} to {self.high:.0%})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What became of the trials. Rows that score below `threshold` are refused; 0 says that the judge is not used.

    `found` is the share of spoiled rows that it refuses (its sensitivity), `passed` that of right ones that it lets
    pass (its specificity), `by_kind` the first by how they were spoiled; all at the threshold, or at the best one where
    none is good enough. `silent` counts trials without a verdict, which let pass.
    """

    anchors: int
    threshold: int
    found: Share
    passed: Share
    by_kind: Mapping[str, Share]
    silent: int = 0
    cost_usd: float = 0.0

    @property
    def is_used(self) -> bool:
        return self.threshold > 0

    def told(self) -> str:
        """In a line: whether it is used, with the figures, or why not."""
        if self.anchors < LEAST_ANCHORS:
            return (
                f"the judge is not used: {self.anchors} rows with known answers are too few to tell whether it can be "
                f"trusted (at least {LEAST_ANCHORS}, better 20: demonstrations in the prompt, or rows of your own)"
            )
        refused = f"it refused {self.found.told()} spoiled rows and {self._wronged.told()} right ones"
        silent = f", and said nothing of {self.silent}" if self.silent else ""
        silent += f"; that trial cost {dollars(round(self.cost_usd * PICO_PER_USD))}" if self.cost_usd else ""
        if not self.is_used:
            return f"the judge is not used: that it does better than chance is not shown; {refused}{silent}"
        return f"the judge is used, for rows that it gives less than {self.threshold} of 5: {refused}{silent}"

    @property
    def _wronged(self) -> Share:
        return Share.of(self.passed.rows - self.passed.hits, self.passed.rows)


def too_few(anchors: int) -> Calibration:
    """The calibration that could not be made."""
    nothing = Share.of(0, 0)
    return Calibration(anchors=anchors, threshold=0, found=nothing, passed=nothing, by_kind={})


# -- the trials


def anchors_of(demonstrations: Sequence[Pair], given: Sequence[Pair], *, seed: int) -> tuple[Pair, ...]:
    """The rows to try a judge on, each input once: demonstrations first, of all some fifty at most, fewer long ones."""
    own = {pair.input: pair for pair in demonstrations}
    others = {pair.input: pair for pair in given if pair.input not in own}
    several = [*_drawn(list(own.values()), seed), *_drawn(list(others.values()), seed)][:MOST_ANCHORS]
    sizes = list(accumulate(map(length_of, several)))
    return tuple(pair for place, pair in enumerate(several) if place < LEAST_ANCHORS or sizes[place] <= MOST_TRIED)


def _drawn(pairs: Sequence[Pair], seed: int) -> Sequence[Pair]:
    """As they are, or some of them by chance: many rows are often sorted by their answers."""
    return pairs if len(pairs) <= MOST_ANCHORS else chance(seed, "anchors", len(pairs)).sample(pairs, MOST_ANCHORS)


def trials_of(spec: Spec, anchors: Sequence[Pair], *, seed: int) -> tuple[Trial, ...]:
    """Each anchor as it is, and spoiled two or three times, each time in another way."""
    known = replace(make_known(spec), withheld=frozenset())
    few = len(anchors) <= FEW_ANCHORS
    trials = []
    for number, anchor in enumerate(anchors):
        draw = chance(seed, "trials", anchor.input)
        trials.append(Trial(anchor, number))
        ways = ("answer", ("gap", "answer", "cut", "answer")[number % 4], "answer")[: 3 if few else 2]
        spoilt: dict[Pair, str] = {}
        for way in ways:
            rows = (row for each in (way, "answer", "cut", "gap") for row in _SPOILS[each](anchor, spec, anchors, draw))
            for row in rows:
                is_new = row not in spoilt and row != anchor
                if is_new and judge_row(Candidate(input=row.input, output=row.output), known) is None:
                    spoilt[row] = _way_of(row, anchor)
                    break
        trials += [Trial(row, number, way) for row, way in spoilt.items()]
    return tuple(trials)


def _way_of(row: Pair, anchor: Pair) -> str:
    if row.input != anchor.input:
        return "gap in the input"
    return "half of the answer" if anchor.output.startswith(row.output) else "another answer"


def _with_another_answer(anchor: Pair, spec: Spec, anchors: Sequence[Pair], draw: Random) -> Iterator[Pair]:
    """With the label, or the answer, of some other row."""
    empty = () if spec.empty_answer is None else (spec.empty_answer,)
    known = (*spec.labels, *empty) if spec.labels else (*(other.output for other in anchors), *empty)
    others = sorted({each for each in known if same_text(each) != same_text(anchor.output)})
    draw.shuffle(others)
    return (Pair(anchor.input, other) for other in others)


def _with_half_the_answer(anchor: Pair, spec: Spec, _: Sequence[Pair], __: Random) -> Iterator[Pair]:
    words = anchor.output.split()
    if len(words) > 1 and anchor.output != spec.empty_answer:
        yield Pair(anchor.input, " ".join(words[: len(words) // 2]))


def _with_a_gap(anchor: Pair, _: Spec, __: Sequence[Pair], ___: Random) -> Iterator[Pair]:
    """Without the longest word of the input, where the answer does not lie in other words."""
    longest = max(anchor.input.split(), key=len, default="")
    if len(longest) > 3:
        yield Pair(anchor.input.replace(longest, GAP, 1), anchor.output)


_SPOILS: Mapping[str, Callable[[Pair, Spec, Sequence[Pair], Random], Iterator[Pair]]] = {
    "answer": _with_another_answer,
    "cut": _with_half_the_answer,
    "gap": _with_a_gap,
}


def deal(trials: Sequence[Trial], *, together: int, shown: int, demonstrations: int, seed: int) -> list[list[Trial]]:
    """The trials in calls: none has an anchor twice, and enough demonstrations stay outside each to be shown.

    The first so many anchors are demonstrations.
    """
    order = list(trials)
    chance(seed, "deal", len(order)).shuffle(order)
    spare = demonstrations - shown
    calls: list[list[Trial]] = []
    for trial in order:
        fits = partial(_has_room, trial, together=together, demonstrations=demonstrations, spare=spare)
        call = None if addresses_the_judge(trial.row) else next(filter(fits, calls), None)
        if call is None:
            calls.append([trial])
        else:
            call.append(trial)
    return calls


def _has_room(trial: Trial, call: Sequence[Trial], *, together: int, demonstrations: int, spare: int) -> bool:
    if len(call) >= together or any(each.anchor == trial.anchor for each in call):
        return False
    has_spare = trial.anchor >= demonstrations or sum(each.anchor < demonstrations for each in call) < spare
    return has_spare and not addresses_the_judge(call[0].row)


# -- what came of them


def calibrated(
    trials: Sequence[Trial], verdicts: Sequence[Verdict | None], *, anchors: int, cost_usd: float = 0.0
) -> Calibration:
    """The threshold that tells right rows from spoiled ones best, if any is better than chance at all.

    How well is what it finds of the spoiled rows and what it lets pass of the right ones, less one (Youden's index):
    the lower end of that decides, and of equals the threshold that refuses less.
    """
    best = max(THRESHOLDS, key=lambda threshold: (round(_skill(trials, verdicts, threshold), 9), -threshold))
    refused = [_is_refused(verdict, best) for verdict in verdicts]
    kinds = Counter(trial.spoiled for trial in trials if trial.spoiled)
    hits = Counter(trial.spoiled for trial, no in zip(trials, refused, strict=True) if no)
    right = len(trials) - kinds.total()
    return Calibration(
        anchors=anchors,
        threshold=best if _skill(trials, verdicts, best) > 0 else 0,
        found=Share.of(sum(hits[kind] for kind in kinds), kinds.total()),
        passed=Share.of(right - hits[""], right),
        by_kind={kind: Share.of(hits[kind], rows) for kind, rows in sorted(kinds.items())},
        silent=sum(verdict is None for verdict in verdicts),
        cost_usd=cost_usd,
    )


def _is_refused(verdict: Verdict | None, threshold: int) -> bool:
    return verdict is not None and verdict.score < threshold


def _skill(trials: Sequence[Trial], verdicts: Sequence[Verdict | None], threshold: int) -> float:
    """How much better than chance it is at least: the lower end of Youden's index, after Newcombe 1998."""
    right = [
        not _is_refused(verdict, threshold)
        for trial, verdict in zip(trials, verdicts, strict=True)
        if not trial.spoiled
    ]
    found = [_is_refused(verdict, threshold) for trial, verdict in zip(trials, verdicts, strict=True) if trial.spoiled]
    if not right or not found:
        return -1.0
    shares = [sum(each) / len(each) for each in (right, found)]
    lows = [wilson(sum(each), len(each), coverage=COVERAGE)[0] for each in (right, found)]
    return sum(shares) - 1 - math.hypot(*(share - low for share, low in zip(shares, lows, strict=True)))
