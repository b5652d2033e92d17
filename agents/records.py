"""The nouns of making data, frozen: what the stages hand to each other.

Nothing here decides anything or talks to anyone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

__all__ = [
    "AnswerForm",
    "Criterion",
    "Doubt",
    "DoubtKind",
    "Draft",
    "Example",
    "Origin",
    "Pair",
    "Provenance",
    "Reject",
    "RejectReason",
    "Spec",
    "StudentFamily",
    "TaskKind",
    "Verdict",
    "Vote",
]

TaskKind = Literal["classification", "text"]
"""What the answer is: one of a closed set of labels, or text."""

StudentFamily = Literal["linear", "tiny", "embedding", "classifier", "seq2seq", "causal"]
"""A kind of student: what it reads with and how it answers."""

AnswerForm = Literal["code", "date", "json", "label", "labels", "number", "text"]
"""What an answer looks like: one label, several of them, a number, a date or time, JSON, code, or any text."""

DoubtKind = Literal["demonstrations", "labels", "contradiction"]
"""What a prompt leaves open: where its examples are, what its label set is, or which of two things it says is meant."""

Criterion = Literal["input", "output", "form"]
"""What a judge looks at: whether the input is one of the task, the output right for it, and written as it should be."""


Origin = Literal["generated", "found", "transformed", "served"]
"""Who wrote an input: the teacher; whoever made a data set; the teacher, from a row of one; whoever asked a student."""


@dataclass(frozen=True, slots=True)
class Pair:
    """An input and the output that belongs to it: a demonstration, an anchor, a row."""

    input: str
    output: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """Something that the prompt leaves open, and why, in words for whoever wrote it."""

    about: DoubtKind
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """The prompt, understood.

    `labels` is the closed label set of a classification task, in order of first mention, otherwise empty.
    `empty_answer` is what is answered when there is nothing to find ("N/A"), if the demonstrations show one.
    `form` is what an answer looks like. `output_pattern` is a regular expression that every right answer matches in
    full, and `output_schema` a JSON schema that it fits, if one could be derived.
    `fields` are the names of an input's parts ("Premise", "Hypothesis"), in order, if it has named ones.
    `language` and `output_language` are those of the inputs and, where they differ, of the answers.
    `extractive` says that an answer stands in its input word for word.
    `translation` is the instruction in another language, where requests shall have it so; `asked` is what they have.
    `confidence` (0 to 1) is how sure the parser is of the split; `layout` names how it was found. `doubts` are what a
    person should look at.
    """

    instruction: str
    demonstrations: tuple[Pair, ...] = ()
    kind: TaskKind = "text"
    labels: tuple[str, ...] = ()
    empty_answer: str | None = None
    form: AnswerForm = "text"
    output_pattern: str | None = None
    output_schema: Mapping[str, object] | None = field(default=None, hash=False)
    fields: tuple[str, ...] = ()
    language: str = "en"  # ISO 639-1, of the inputs
    output_language: str | None = None  # ISO 639-1; None is that of the inputs
    extractive: bool = False
    translation: str | None = None
    layout: str = "plain"
    confidence: float = 1.0
    doubts: tuple[Doubt, ...] = ()

    @property
    def asked(self) -> str:
        """The instruction as requests have it."""
        return self.instruction if self.translation is None else self.translation


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """Where a draft came from: the generating request's number, its temperature, and what it was asked for.

    `attributes` are what its inputs were asked to be, `case` the kind of hard case, if they were to be hard ones.
    `document` is the place of the passage that was shown: "returns.md:37".
    `model` wrote it, in answer to `question`, as exported requests name it; `cost_usd` is its part of what
    that was paid. A row that exists already is `found` as it is or `transformed`: it comes from that `row` of a
    `dataset` under a `licence`, and `request` is below 0, another for each.
    """

    request: int
    position: int  # which of the inputs in that request's reply
    temperature: float | None
    target: str | None  # the answer that the request asked inputs for, if any
    seeds: tuple[str, ...] = ()  # the inputs shown as examples
    attributes: tuple[str, ...] = ()
    case: str | None = None
    document: str | None = None
    model: str = ""
    question: str = ""
    cost_usd: float = 0.0
    origin: Origin = "generated"
    dataset: str = ""
    row: int | None = None
    licence: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """An input proposed by the teacher, not yet labelled, unless it came with an `output` of its own."""

    input: str
    provenance: Provenance
    output: str | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a judge said of a row: how sure it is that the row is right (1 to 5), and which criterion it fails, if any.

    `refused` says that the score lies below what the judge's calibration asks for. `model` gave it in answer to
    `question`, as exported requests name it.
    """

    score: int
    fault: Criterion | None = None
    why: str = ""
    refused: bool = False
    model: str = ""
    question: str = ""

    @property
    def criterion(self) -> Criterion:
        """What the row was refused for: an output that is not right, where nothing else was named."""
        return self.fault or "output"

    def told(self) -> str:
        """Why the row was refused, in a few words."""
        return f"{self.criterion} ({self.score} of 5){f': {self.why}' if self.why else ''}"


@dataclass(frozen=True, slots=True)
class Vote:
    """Independent labels for one input, as they came, and what came of them.

    `agreement` is the winner's share of the samples (0 to 1). `models` and `questions` have an entry a sample: who gave
    it, and the call that did, as exported requests name it. `cost_usd` is what all votes on the input were paid, and
    its judge. `verdict` is what a judge said of the input with the winner, where one was asked.
    """

    winner: str
    agreement: float
    samples: tuple[str, ...]
    models: tuple[str, ...] = ()
    questions: tuple[str, ...] = ()
    cost_usd: float = 0.0
    verdict: Verdict | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A draft that has won its vote and passed the filters."""

    input: str
    output: str
    vote: Vote
    provenance: Provenance


RejectReason = Literal[
    "agreement",  # the votes did not agree enough
    "balance",  # its label has more rows than its share
    "boilerplate",  # words around the row that belong to the conversation with the teacher
    "code",  # the answer is meant to be code, and does not parse or run
    "conflict",  # the same input has another answer more often
    "context",  # the answer is meant to stand in the context, and does not
    "duplicate",  # the same input was accepted before, or nearly the same
    "empty",  # no input, or no label came back
    "failed",  # the request for it failed
    "fields",  # the input lacks parts that the others have
    "format",  # the label breaks the output format
    "judge",  # a judge that was calibrated on anchors holds it wrong
    "label",  # the label is not in the label set
    "language",  # the input is in another language than the task
    "leak",  # the input is an anchor or a test row, or nearly
    "length",  # absurdly long
    "placeholder",  # "[insert name here]" and other unfilled templates
    "refusal",  # the teacher declined
    "unreadable",  # the generating reply could not be read as inputs
    "unsuited",  # a row of a data set from which the teacher could make none of the task
]


@dataclass(frozen=True, slots=True)
class Reject:
    """A draft that was left out, with one reason; `detail` is for people."""

    input: str
    output: str | None
    reason: RejectReason
    provenance: Provenance
    detail: str = ""
    verdict: Verdict | None = None  # of a judge, where one was asked
