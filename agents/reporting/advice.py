"""How to make a student better, told from what was found: its errors, what more rows would bring, its data. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shlex import quote

from agents.evaluate import Findings, Judgement
from agents.evaluate.told import ENOUGH_REAL_ROWS
from agents.reporting.data_facts import DataFacts
from engine.text import clean

__all__ = ["advice"]

FEWEST_OF_LABEL = 5  # judged rows: of fewer the F1 says little
POOR = 0.8  # F1 of a label that is worth a word
OFTEN = 3  # mistakes of one kind
MANY_REPEATS = 0.3  # of the inputs asked for
UNSURE = 0.8  # mean agreement of votes: below it, a task or a teacher is not clear


def advice(*, found: Findings, data: DataFacts, folder: str, given_are_synthetic: bool = False) -> tuple[str, ...]:
    """What is likely to help, the surest first; nothing where nothing stands out."""
    return (
        *_by_rivals(found.judgements),
        *_by_real_rows(found.judgements, folder, given_are_synthetic=given_are_synthetic),
        *_by_errors(found.judgements),
        *_by_growth(found),
        *_by_data(data),
    )


def _leading(judgements: Sequence[Judgement]) -> Judgement | None:
    """The set of rows that tells most."""
    return next((each for on in ("test", "synthetic") for each in judgements if each.on == on), None)


def _by_rivals(judgements: Sequence[Judgement]) -> Iterator[str]:
    counts = _leading(judgements)
    if counts is None:
        return
    linear = next((each for each in counts.rivals() if each.name == "linear" and each.behind is not None), None)
    if linear is not None and linear.behind is not None and linear.behind.is_worse:
        yield "The plain student 'linear' does better on these rows and trains in seconds: --student linear."
    teacher = next((each for each in counts.baselines if each.name.startswith("teacher")), None)
    if teacher is not None and teacher.behind is not None and teacher.behind.is_worse:
        yield (
            f"The teacher does better on the same rows ({teacher.scores[0].value:.2f} {teacher.scores[0].metric}): "
            "there is room for a larger student, longer training (--train-seconds) or more rows."
        )


def _by_real_rows(judgements: Sequence[Judgement], folder: str, *, given_are_synthetic: bool) -> Iterator[str]:
    real = next((each for each in judgements if each.on == "test"), None)
    if judgements and (real is None or given_are_synthetic or real.rows < ENOUGH_REAL_ROWS):
        yield (
            f"Label {ENOUGH_REAL_ROWS} or more rows of your own and judge it by them: "
            f"smelt evaluate {quote(folder)} ROWS.jsonl"
        )


def _by_errors(judgements: Sequence[Judgement]) -> Iterator[str]:
    counts = _leading(judgements)
    if counts is None:
        return
    poor = [each for each in counts.labels if each.rows >= FEWEST_OF_LABEL and each.f1 < POOR]
    if poor:
        worst = min(poor, key=lambda each: each.f1)
        yield (
            f"The label {_named(worst.label)} fares worst (F1 {worst.f1:.2f} on {worst.rows} rows): "
            "show one more demonstration of it in the prompt, one that is hard."
        )
    if counts.confusion is not None:
        yield from _by_confusion(counts.confusion.labels, counts.confusion.counts)


def _by_confusion(labels: Sequence[str], counts: Sequence[Sequence[int]]) -> Iterator[str]:
    mistakes = [
        (rows, wanted, given)
        for wanted, line in zip(labels, counts, strict=True)
        for given, rows in zip(labels, line, strict=True)
        if wanted != given and rows >= OFTEN
    ]
    if mistakes:
        rows, wanted, given = max(mistakes, key=lambda each: each[0])
        yield f"{_named(wanted)} is taken for {_named(given)} {rows} times: say in the prompt how the two differ."


def _by_growth(found: Findings) -> Iterator[str]:
    growth = found.growth
    if growth is None:
        return
    now, then = growth.points[-1], growth.twice
    if then.low > now.value:
        yield (
            f"Twice the rows ({then.rows:,}, --examples) would bring it from {now.value:.3f} to about {then.value:.3f} "
            f"{growth.metric}."
        )
    elif then.value - now.value < (now.high - now.low) / 4:
        yield "More rows of this kind would hardly help: better labels, harder rows or a larger student might."


def _by_data(data: DataFacts) -> Iterator[str]:
    if data.accepted and data.agreement < UNSURE:
        yield (
            f"Votes agree in {data.agreement:.0%} only: the prompt leaves much open. Say in it what the answer is to "
            "inputs whose votes differ."
        )
    asked = sum(each.asked for each in data.course)
    if asked and (repeats := sum(each.repeats for each in data.course) / asked) > MANY_REPEATS:
        yield (
            f"{repeats:.0%} of the inputs that were made had been there already: name more topics in plan.json, or "
            "give texts to write them from with --documents."
        )
    if missing := [each.answer for each in data.balance if not each.rows and each.wanted != 0]:
        named = ", ".join(map(_named, missing[:3]))
        yield f"No row has the answer {named}: show a demonstration of it, or take it out of the prompt."


def _named(label: str) -> str:
    return repr(clean(label, 60))
