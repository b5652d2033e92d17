"""The loop that labels a user's inputs: in their order, a bounded number under way, one bad row costs one row.

Inputs are asked for in blocks. Which inputs share a block, and what was known when it was begun, follows from the file
alone, so the same answers give the same rows whoever was first. What is under way is bounded in inputs and in
characters; a text that came among the last ones, as many as are remembered, is not asked again.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Literal

from agents.asks import Asks
from agents.filtering.filter import Candidate, Finding, judge_label, make_known
from agents.judging.judge import Judge, judged
from agents.judging.rubric import refusal_of
from agents.making.outcomes import labels_at_once, labels_taste
from agents.reading.inputs import InputRow
from agents.records import RejectReason, Spec, Vote
from agents.voting.annotate import Annotation, Voting, annotate_all
from agents.voting.vote import Trust, normaliser
from engine.errors import BudgetReached, Interrupted, ProviderRefused, SmeltError

__all__ = [
    "BLOCK",
    "IN_BATCHES",
    "JUDGED",
    "LONGEST_INPUT",
    "ONLINE",
    "Labelled",
    "Reach",
    "Unlabelled",
    "WithoutLabel",
    "digest_of",
    "label_inputs",
    "refused_at_sight",
]

WithoutLabel = RejectReason | Literal["budget", "provider"]
"""Why an input has no label: as a row that is left out, or the money or the provider ended the run before it."""

BLOCK = 32  # inputs whose votes are asked for together

LONGEST_INPUT = 200_000
"""Characters; some fifty thousand tokens, for each of several votes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How much is held in memory: inputs under way, their characters unless one alone has more, texts remembered."""

    inputs: int
    characters: int = 2**25
    remembered: int = 2**15


ONLINE = Reach(inputs=4096)
"""With eight inputs to a call, some thousand calls."""

JUDGED = Reach(inputs=512)
"""Where a judge follows: with more under way the money may end before it has its turn."""

IN_BATCHES = Reach(inputs=65_536)
"""Where every round of them may take a day."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """An input with the label that won, and the one that the first vote gave.

    `asked` is the number of votes that were asked for. `same_as` is the row with the same text whose label this is, for
    nothing.
    """

    row: InputRow
    vote: Vote
    first: str
    asked: int
    lasting: float = 1.0  # how likely all votes would have given the same label
    same_as: int | None = None


@dataclass(frozen=True, slots=True)
class Unlabelled:
    """An input without a label, and why; `vote` is what came all the same, where its label could not be taken."""

    row: InputRow
    reason: WithoutLabel
    detail: str = ""
    vote: Vote | None = None
    cost_usd: float = 0.0
    asked: int = 0
    same_as: int | None = None


@dataclass(slots=True)
class _Text:
    """A text that is asked about, and how the first row that has it ended. Without the text itself: it may be long."""

    ended: Labelled | Unlabelled | None = None


Place = tuple[InputRow, _Text] | Unlabelled
"""A row with the text it asks about, or one that need not be asked about."""


@dataclass(slots=True)
class _Block:
    """Rows in order, and how they are voted on; `texts` are those of them that are asked about."""

    voting: Voting
    places: list[Place] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @property
    def characters(self) -> int:
        return sum(map(len, self.texts))


async def label_inputs(
    asks: Asks,
    spec: Spec,
    rows: Iterable[InputRow],
    *,
    voting: Voting,
    take: Callable[[Labelled | Unlabelled], None],
    reach: Reach = ONLINE,
    judge: Judge | None = None,
    most_blocks: int | None = None,
) -> BudgetReached | ProviderRefused | None:
    """Label every row and hand what came of it to `take`, in their order. Returns what ended it early, if it did.

    Then what is under way is brought home, and the rows after it are handed on without having been asked about.
    After an interruption it is brought home, too, and then Interrupted is raised; what the user must mend first is
    raised at once. With a `judge`, a label that it refuses is not taken. With `most_blocks` it ends after so many:
    they ask what those of the whole would.
    """
    course, begun = _Course(spec, iter(rows), voting, reach), 0
    under_way: deque[tuple[_Block, asyncio.Task[tuple[Annotation, ...]]]] = deque()
    async with asyncio.TaskGroup() as group:
        while True:
            while begun != most_blocks and (block := course.next_block()):
                begun += 1
                under_way.append((block, group.create_task(course.labels(asks, block, judge))))
            if not under_way:
                break
            block, task = under_way.popleft()
            for ended in course.apply(block, await task):
                take(ended)
    if isinstance(course.error, Interrupted):
        raise course.error
    return course.error


class _Course:
    """What the loop remembers and decides, without waiting for anything."""

    def __init__(self, spec: Spec, rows: Iterator[InputRow], voting: Voting, reach: Reach) -> None:
        self._reach = reach
        self._spec = spec
        self._known = make_known(spec)
        self._rows = rows
        self._voting = voting
        self._normalise = normaliser(spec)
        self._trust = Trust()
        self._together = labels_at_once(most=voting.together)
        self._seen: dict[bytes, _Text] = {}  # by digest
        self._inputs = 0  # under way
        self._characters = 0
        self.error: BudgetReached | ProviderRefused | Interrupted | None = None

    def next_block(self) -> _Block | None:
        """The rows to ask about next; None when there are none, or enough are under way."""
        if isinstance(self.error, Interrupted):
            return None
        reach = self._reach
        if self._inputs and (self._inputs + BLOCK > reach.inputs or self._characters >= reach.characters):
            return None
        block = _Block(replace(self._voting, together=self._together.size, weights=self._trust.weights))
        # Rows that need not be asked about take no place in it, and must not fill memory either.
        while len(block.texts) < BLOCK and len(block.places) < 2 * BLOCK and block.characters < reach.characters // 32:
            if (row := next(self._rows, None)) is None:
                break
            block.places.append(self._place(row, block))
        self._inputs += len(block.places)
        self._characters += block.characters
        return block if block.places else None

    def _place(self, row: InputRow, block: _Block) -> Place:
        if (refused := refused_at_sight(row)) is not None:
            return refused
        if self.error is not None:
            return _not_asked(row, self.error)
        digest = digest_of(row.text)
        if (text := self._seen.get(digest)) is None:
            text = self._seen[digest] = _Text()
            block.texts.append(row.text)
            if len(self._seen) > self._reach.remembered:
                del self._seen[next(iter(self._seen))]
        return row, text

    async def labels(self, asks: Asks, block: _Block, judge: Judge | None) -> tuple[Annotation, ...]:
        """What the votes on the texts of a block amount to, and what the judge says of it."""
        annotations = await annotate_all(asks, self._spec, block.texts, block.voting)
        return await judged(asks, judge, annotations, is_asked=lambda each: self._finding(each) is None)

    def _finding(self, annotation: Annotation) -> Finding | None:
        """What speaks against the label that won."""
        if annotation.vote is None:
            return None
        row = Candidate.voted(annotation.input, annotation.vote)
        return judge_label(row, self._known) or refusal_of(annotation.vote.verdict)

    def apply(self, block: _Block, annotations: tuple[Annotation, ...]) -> Iterator[Labelled | Unlabelled]:
        """Take in what came of a block: how each of its rows ends, in order."""
        self._inputs -= len(block.places)
        self._characters -= block.characters
        self._taste(block, annotations)
        coming = iter(annotations)
        for place in block.places:
            if isinstance(place, Unlabelled):
                yield place
                continue
            row, text = place
            if text.ended is None:
                ended = self._ended(row, next(coming))
                text.ended = replace(ended, row=InputRow(row.number, ""))
                yield ended
            else:
                yield _same(row, text.ended)

    def _ended(self, row: InputRow, annotation: Annotation) -> Labelled | Unlabelled:
        vote, asked = annotation.vote, annotation.asked
        if vote is not None:
            self._trust.notify(list(map(self._normalise, vote.samples)), vote.models)
        if annotation.error is not None:
            self._notice(annotation.error)
        if annotation.error is not None and vote is None:
            without = _not_asked(row, annotation.error)
        elif vote is None:
            detail = f"{len(annotation.failures)} of {asked} votes brought no label"
            without = Unlabelled(row, annotation.reason or "empty", detail)
        elif (finding := self._finding(annotation)) is not None:
            without = Unlabelled(row, finding.reason, finding.detail, vote)
        else:
            return Labelled(row, vote, annotation.first or vote.winner, asked, annotation.lasting)
        return replace(without, cost_usd=annotation.cost_usd, asked=asked)

    def _notice(self, error: SmeltError) -> None:
        if not isinstance(error, BudgetReached | ProviderRefused | Interrupted):
            raise error
        self.error = self.error or error

    def _taste(self, block: _Block, annotations: tuple[Annotation, ...]) -> None:
        """Let the size of calls know what shared ones were like."""
        if len(annotations) > 1:
            self._together.notify(asked=block.voting.together, taste=labels_taste(annotations))


def digest_of(text: str) -> bytes:
    """What a text is remembered by."""
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).digest()


def refused_at_sight(row: InputRow) -> Unlabelled | None:
    """Why a row is not worth asking about, if it is not."""
    if not row.text.strip():
        return Unlabelled(row, "empty", "no input")
    if "\x00" in row.text:
        return Unlabelled(row, "unreadable", "NUL in it")
    if len(row.text) > LONGEST_INPUT:
        return Unlabelled(row, "length", f"input of {len(row.text):,} characters, at most {LONGEST_INPUT:,}; split it")
    return None


def _not_asked(row: InputRow, error: SmeltError) -> Unlabelled:
    reason: WithoutLabel = "budget" if isinstance(error, BudgetReached) else "provider"
    return Unlabelled(row, reason, "nothing more was asked")


def _same(row: InputRow, ended: Labelled | Unlabelled) -> Labelled | Unlabelled:
    """The outcome of an equal text, for nothing."""
    if isinstance(ended, Labelled):
        vote = replace(ended.vote, cost_usd=0.0)
        return replace(ended, row=row, vote=vote, asked=0, same_as=ended.row.number)
    return replace(ended, row=row, cost_usd=0.0, asked=0, same_as=ended.row.number)
