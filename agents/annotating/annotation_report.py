"""What came of labelling a user's inputs, told as of a whole run: facts, verdict, warnings, data card. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from agents.annotating.labelled import Tally
from agents.filtering.strange import strange_told
from agents.filtering.variety import Variety, variety_of
from agents.judging.judging import JudgeFacts
from agents.making.truth import LabelAccuracy
from agents.records import Spec
from agents.reporting.data_card import table_text
from agents.reporting.data_facts import Answer, answers_of
from agents.reporting.lengths import Lengths, lengths_counted
from agents.reporting.money import Money
from agents.reporting.report import RunReport
from agents.reporting.shown import Shown
from agents.reporting.told import SIMULATED, about_prompt
from engine.errors import BudgetReached, ProviderRefused
from engine.evaluation import wilson
from engine.text import visible

__all__ = ["AnnotationReport", "InputFacts", "card_of", "facts_of", "verdict", "warnings"]

MOST_STRANGE = 20
ENOUGH_AGREEMENT = 0.8  # below it, a task or a teacher is not clear


@dataclass(frozen=True, slots=True, kw_only=True)
class InputFacts:
    """The labelled inputs in figures.

    `unlabelled` has a count a reason; `agreements` one a tenth of agreement, the last for full agreement. `votes_saved`
    is what as many votes for every input would have asked more, `votes_kept` the share of winners that these would have
    given too, at least. `given` counts labelled rows that came with a label of
    their own, `as_given` those of them that got the same; `strange` has the labels of the file that the task lacks.
    The balance is compared with that of `anchors` rows: the demonstrations, and rows that came with labels.
    """

    file: str
    rows: int
    labelled: int
    unlabelled: Mapping[str, int]
    same_text: int
    answers: int  # different ones
    balance: tuple[Answer, ...]
    anchors: int
    variety: Variety
    agreement: float
    agreements: tuple[int, ...]
    asked_about: int
    votes_asked: int
    votes_saved: int
    votes_kept: float
    given: int
    as_given: int
    strange: tuple[tuple[str, int], ...]
    label_accuracy: LabelAccuracy | None
    shown: tuple[Shown, ...]
    shown_unlabelled: tuple[Shown, ...]
    input_lengths: Lengths
    output_lengths: Lengths
    judge: JudgeFacts | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnnotationReport(RunReport):
    """Everything that a reader needs to trust the labels, or not to."""

    inputs: InputFacts


def facts_of(tally: Tally, *, file: str, votes: int, judge: JudgeFacts | None = None) -> InputFacts:
    """The figures; `votes` is how many a fixed vote would have asked for each input."""
    accuracy = LabelAccuracy.of(single=tally.single, voted=tally.voted, inputs=tally.known) if tally.known else None
    anchors = Counter(pair.output for pair in tally.spec.demonstrations) + tally.given_answers
    return InputFacts(
        file=file,
        rows=tally.rows,
        labelled=tally.labelled,
        unlabelled=dict(tally.unlabelled.most_common()),
        same_text=tally.shared,
        answers=len(tally.answers),
        balance=answers_of(tally.answers, anchors=anchors, spec=tally.spec),
        anchors=anchors.total(),
        variety=variety_of(tally.inputs.things()),
        agreement=tally.agreement / max(1, tally.labelled),
        agreements=tuple(tally.agreements[tenth] for tenth in range(11)),
        asked_about=tally.asked_about,
        votes_asked=tally.votes,
        votes_saved=votes * tally.asked_about - tally.votes,
        votes_kept=tally.lasting / tally.labelled if tally.labelled else 1.0,
        given=tally.given,
        as_given=tally.as_given,
        strange=tuple(tally.strange.most_common(MOST_STRANGE)),
        label_accuracy=accuracy,
        shown=tuple(tally.shown.things()),
        shown_unlabelled=tuple(tally.shown_unlabelled.things()),
        input_lengths=lengths_counted(tally.input_sizes),
        output_lengths=lengths_counted(tally.output_sizes),
        judge=judge,
    )


def verdict(
    facts: InputFacts, money: Money, *, simulated: bool, error: BudgetReached | ProviderRefused | None
) -> tuple[str, ...]:
    """The outcome in a few sentences."""
    teacher = "a simulated teacher" if simulated else "the teacher"
    sentences = [f"{facts.labelled:,} of {facts.rows:,} rows were labelled by {teacher} for {money.told()}."]
    if error is not None and money.outlook is not None:
        sentences.append(money.outlook.told())
    if facts.unlabelled:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in facts.unlabelled.items())
        sentences.append(f"Without a label, each with its reason in unlabelled.parquet: {reasons}.")
    if facts.asked_about:
        saved = facts.votes_saved / max(1, facts.votes_asked + facts.votes_saved)
        kept = "every winner" if facts.votes_kept == 1 else f"at least {facts.votes_kept:.1%} of the winners"
        sentences.append(
            f"{facts.votes_asked / facts.asked_about:.2f} votes were asked for an input, {saved:.0%} fewer than "
            f"all for each, which would have given {kept} too; {facts.agreement:.1%} of votes agree with their winner."
        )
    if facts.given:
        low, high = wilson(facts.as_given, facts.given)
        sentences.append(
            f"{facts.given:,} labelled rows had a label of their own in the file; {facts.as_given / facts.given:.1%} "
            f"({low:.1%} to {high:.1%}) got the same."
        )
    if facts.judge is not None:
        sentences.append(facts.judge.sentence())
    if facts.label_accuracy is not None:
        sentences.append(facts.label_accuracy.told())
    return tuple(sentences)


def warnings(facts: InputFacts, spec: Spec, *, simulated: bool) -> tuple[str, ...]:
    """What a reader must know before trusting the labels."""
    found = []
    if simulated:
        found.append(SIMULATED)
    found += strange_told(dict(facts.strange), where="the file")
    if facts.labelled and facts.agreement < ENOUGH_AGREEMENT:
        found.append(
            f"Votes agree in {facts.agreement:.0%} only: the prompt leaves much open, or the teacher is not up to it. "
            "Look at labelled.parquet where agreement is low."
        )
    return (*found, *about_prompt(spec))


def card_of(report: AnnotationReport) -> str:
    """The page beside the labelled rows, for people and for `load_dataset`."""
    facts, name = report.inputs, visible(report.teacher)
    teacher = f"a **simulated teacher** ({name})" if report.simulated else f"`{name}`"
    parts = [
        _FRONT_MATTER,
        "# Inputs with labels from a prompt",
        f"The inputs are somebody's own; their labels are those that won a vote among answers of {teacher}.",
        table_text(("rows", ""), [("labelled", facts.labelled), *facts.unlabelled.items()]),
        "## The columns",
        _COLUMNS,
        "## The answers",
        table_text(("answer", "rows"), [(each.answer, each.rows) for each in facts.balance]),
    ]
    return "\n\n".join(parts) + "\n"


_FRONT_MATTER = """---
configs:
- config_name: default
  data_files:
  - split: train
    path: labelled.parquet
- config_name: unlabelled
  data_files:
  - split: train
    path: unlabelled.parquet
---"""

_COLUMNS = """`row` says which row of the file it is, from 1 (in a text, which line); `input` and `output` are the row.
`agreement` is the winning label's share of the votes; `votes` holds them, `models` who gave each, `questions` in which
call (`smelt export RUN --requests` has the calls). `cost_usd` is the row's part of what its calls were paid. `same_as`
is the row with the same text that was asked about in its place. `given` is the file's own label, `rest` its other
columns as JSON. `unlabelled.parquet` has the rows without a label, each with its `reason` and a `detail`."""
