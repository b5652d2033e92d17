"""From data sets to rows: chosen by vote, columns mapped, taken as they are where that fits, else worked on.

Data sets are taken one after another and rows in rounds, each round at once; what comes next depends on whole rounds
alone. So the same replies give the same rows, whoever answers first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from agents.asks import Asks
from agents.chance import chance
from agents.finding.found.aside import aside
from agents.finding.found.columns import applied, map_columns
from agents.finding.found.judging import texts_of
from agents.finding.found.mix import portion
from agents.finding.found.rank import CANDIDATES, rank
from agents.finding.found.read import Reader
from agents.finding.found.records import ColumnMap, Found, FoundRow, Sample, Seeking, Source, Use
from agents.finding.found.sieve import Sieve
from agents.finding.found.told import unreached_told, with_leaks
from agents.finding.found.transform import Rewriting, Task, plan_rewriting, rewrite
from agents.making.plan import Quota
from agents.records import Draft, Example, Origin, Provenance, Reject, Spec
from agents.voting.annotate import Voting, annotate_all
from agents.voting.vote import fits_spec, normaliser
from engine.errors import BudgetReached, ProviderRefused, SmeltError
from engine.retrieval import DatasetCard

__all__ = ["gather"]

MOST_DATASETS = 4
PROBED = 200  # rows by which columns are mapped
AUDITED = 40  # rows whose labels are held against the teacher's votes

# Where the votes agree with so many of them, labels are as good as votes. With a fifth of the labels wrong, half of the
# rows taken as they are cost the student 2 points where they would have brought 5; so each is voted on then, and those
# stay that both agree on: right, whether it is the labels or the teacher that errs. With less than half, they do not
# mean what the task means by them.
LEAST_TRUSTED, LEAST_AGREED = 0.9, 0.5
FIRST_ROUND = 16  # rows labelled or rewritten before it is known what comes of them
LEAST_YIELD = 0.2  # of the rows of a round that must be kept for the next one
MOST_IN_A_ROUND = 256
DEAREST: tuple[Use, ...] = ("checked", "labelled", "transformed")  # last

Note = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Candidate:
    """A data set whose rows were looked at: which columns are what, what is to be made of it, and why just that."""

    card: DatasetCard
    sample: Sample
    columns: ColumnMap | None
    use: Use
    why: str = ""


async def gather(
    asks: Asks,
    spec: Spec,
    cards: Sequence[DatasetCard],
    *,
    seeking: Seeking,
    quotas: Sequence[Quota],
    voting: Voting,
    withheld: Sequence[str],
    judging: Sequence[DatasetCard] = (),
    note: Note,
    reader: Reader | None = None,
) -> Found:
    """Rows of the task from the data sets that search has found, best first. Raises only what the user must mend.

    What is nearly one of the `withheld` inputs, a row of a data set that is there for `judging`, or a row of the test
    split of one of these data sets is left out. Of each split at most `MOST_JUDGING` rows are looked at.

    What ends the asking early (the budget, a refused key) comes with the rows that were paid for by then.
    """
    gathering = Gathering(
        asks=asks, spec=spec, seeking=seeking, quotas=quotas, voting=voting, note=note, sieve=Sieve(spec, withheld),
        reader=reader or Reader(seed=seeking.seed, language=spec.language, streamed=seeking.per_dataset),
    )  # fmt: skip
    try:
        await gathering.go_through(cards, judging)
    except (BudgetReached, ProviderRefused) as error:
        gathering.error = error
    return gathering.found()


def _can_be_compared(spec: Spec) -> bool:
    """Whether two right answers to an input read the same; free text has many."""
    return bool(spec.labels) or spec.extractive or spec.form in ("date", "label", "labels", "number")


@dataclass(slots=True, kw_only=True)
class Gathering:
    """What was found so far, and what is still missing."""

    asks: Asks
    spec: Spec
    seeking: Seeking
    quotas: Sequence[Quota]
    voting: Voting
    note: Note
    reader: Reader
    sieve: Sieve
    free: list[Example] = field(default_factory=list)  # as they are
    paid: list[Example] = field(default_factory=list)  # labelled or rewritten
    rejects: list[Reject] = field(default_factory=list)
    sources: list[Source] = field(default_factory=list)
    judged_by: dict[str, Sample] = field(default_factory=dict)  # the test rows of a data set, by its id
    numbered: int = 0
    error: BudgetReached | ProviderRefused | None = None

    async def go_through(self, cards: Sequence[DatasetCard], judging: Sequence[DatasetCard]) -> None:
        """Take what costs least first: rows as they are, then inputs to vote on, then rows to rewrite."""
        paid: list[Candidate] = []
        chosen = await self._chosen(cards)
        # All of them before a row is taken: one data set may hold the test rows of another.
        for card in (*judging, *(card for card in chosen if not Path(card.id).is_absolute())):
            await self._keep_out(card)
        for card in chosen:
            if (candidate := await self._look(card)) is None:
                continue
            judged = await self._judged(candidate)
            if judged.use == "raw":
                self._take(judged)
            else:
                paid.append(judged)
        for each in sorted(paid, key=lambda each: DEAREST.index(each.use)):
            await self._work_on(each)

    async def _work_on(self, candidate: Candidate) -> None:
        if self._missing <= 0:
            self._left_out(candidate.card, "there are enough rows without it", read=candidate.sample.met)
        elif candidate.columns is None:
            await self._rewrite(candidate)
        else:
            await self._vote_on(candidate)

    def found(self) -> Found:
        """All of it, with how many rows of each data set were kept."""
        examples = (*self._portion(), *self.paid)
        kept = Counter(example.provenance.dataset for example in examples)
        sources = tuple(replace(source, kept=kept[source.dataset]) for source in with_leaks(self.sources, self.rejects))
        return Found(examples=examples, rejects=tuple(self.rejects), sources=sources, error=self.error)

    def _portion(self) -> tuple[Example, ...]:
        return portion(self.free, self.quotas, most=self.seeking.most, seed=self.seeking.seed)

    @property
    def _missing(self) -> int:
        return self.seeking.most - len(self._portion()) - len(self.paid)

    # Which data sets

    async def _chosen(self, cards: Sequence[DatasetCard]) -> Sequence[DatasetCard]:
        if self.seeking.only or not cards:
            return cards
        candidates = cards[:CANDIDATES]
        ranked = await rank(self.asks, self.spec, candidates, seed=self.seeking.seed, name_of=self.seeking.name_of)
        if ranked is None:
            self.note("data sets: no vote of the teacher could be read; the order of the search holds")
            return candidates[:MOST_DATASETS]
        if not ranked:
            self.note(f"data sets: the teacher sees none among {len(candidates)} that could serve")
        return ranked[:MOST_DATASETS]

    async def _keep_out(self, card: DatasetCard) -> None:
        """Have nothing taken that is nearly a row by which others judge with this data set."""
        rows = self.judged_by[card.id] = await aside(lambda: self.reader.judging(card))
        if rows.problem:
            problem = self._without_place(rows.problem, card)
            self.note(f"data sets: {self._name(card)}: {unreached_told(len(rows.rows))}: {problem}")
        await self._keep_out_texts(card, lambda: texts_of(rows))

    async def _keep_out_texts(self, card: DatasetCard, texts: Callable[[], list[str]]) -> None:
        owner = f"a test row of {self._name(card)}"
        await aside(lambda: self.sieve.keep_out(texts(), owner=owner))

    async def _look(self, card: DatasetCard) -> Candidate | None:
        sample = await aside(lambda: self.reader.draw(card, most=min(PROBED, self.seeking.per_dataset)))
        if not sample.rows:
            self._left_out(card, sample.problem or "it holds no rows that can be read")
            return None
        columns, why = await map_columns(self.asks, self.spec, sample)
        if columns is not None and card.id in self.judged_by:
            inputs = replace(columns, output=None)
            rows = self.judged_by[card.id].rows
            pairs = [pair for row in rows if (pair := applied(inputs, row, self.spec)) is not None]
            await self._keep_out_texts(card, lambda: [pair.input for pair in pairs])
        use: Use = "transformed" if columns is None else "raw" if columns.output else "labelled"
        return Candidate(card, sample, columns, use, why=why)

    async def _judged(self, candidate: Candidate) -> Candidate:
        """The candidate with the rows that serve, and what to make of their answers, by the teacher's votes on some."""
        columns = candidate.columns
        serving = await aside(lambda: self._serving(candidate.card, columns))
        candidate = replace(candidate, sample=serving)
        if candidate.use != "raw" or columns is None or not _can_be_compared(self.spec):
            return candidate
        agreed, asked = await self._audit(candidate, columns)
        told = f"the teacher agrees with {agreed} of {asked} labels"
        self.note(f"data sets: {self._name(candidate.card)}: {columns.told()}: {told}")
        if agreed >= LEAST_TRUSTED * asked:
            return replace(candidate, why=told)
        if agreed >= LEAST_AGREED * asked:
            return replace(candidate, use="checked", why=told)
        return replace(candidate, use="labelled", columns=ColumnMap(inputs=columns.inputs), why=told)

    def _serving(self, card: DatasetCard, columns: ColumnMap | None) -> Sample:
        """Rows from all of a data set that can be used: they have an input, and where there are answers one of ours."""

        def serves(row: FoundRow) -> bool:
            if columns is None:
                return True
            pair = applied(columns, row, self.spec)
            is_labelled = columns.output is not None and self.spec.labels
            return pair is not None and (not is_labelled or fits_spec(pair.output, self.spec))

        return self.reader.draw(card, most=self.seeking.per_dataset, serves=serves, name=repr(columns))

    async def _audit(self, candidate: Candidate, columns: ColumnMap) -> tuple[int, int]:
        """With how many of some labels the teacher's votes agree, and how many it was asked for."""
        pairs = [pair for row in candidate.sample.rows if (pair := applied(columns, row, self.spec)) is not None]
        drawn = sorted(pairs, key=lambda pair: chance(self.seeking.seed, "audit", pair.input).random())[:AUDITED]
        votes = await annotate_all(self.asks, self.spec, [pair.input for pair in drawn], self.voting)
        if (error := next((vote.error for vote in votes if vote.error is not None), None)) is not None:
            raise error
        normalise = normaliser(self.spec)
        said = [
            (vote.vote.winner, normalise(pair.output)) for vote, pair in zip(votes, drawn, strict=True) if vote.vote
        ]
        return sum(winner == output for winner, output in said), len(said)

    def _name(self, card: DatasetCard) -> str:
        return self.seeking.name_of(card.id)

    def _without_place(self, problem: str, card: DatasetCard) -> str:
        """The problem without where on this machine it arose, and without the name, which is said before."""
        return problem.replace(card.id, self._name(card)).removeprefix(f"{self._name(card)}: ")

    def _left_out(self, card: DatasetCard, why: str, *, read: int = 0) -> None:
        why = self._without_place(why, card)
        self.note(f"data sets: without {self._name(card)}: {why}")
        self.sources.append(Source(dataset=self._name(card), licence=card.licence, use="unused", read=read, why=why))

    def _used(self, candidate: Candidate, *, why: str = "") -> None:
        sample, columns = candidate.sample, candidate.columns
        problem = self._without_place(sample.problem, candidate.card)
        if problem:
            self.note(f"data sets: {self._name(candidate.card)}: the run goes on without the rest of it: {problem}")
        parts = (
            "" if columns is None else columns.told(),
            candidate.why,
            why,
            self._judged_told(candidate.card),
            f"{sample.broken} rows could not be read" if sample.broken else "",
            problem,
        )
        self.sources.append(
            Source(
                dataset=self._name(candidate.card),
                licence=candidate.card.licence,
                use=candidate.use,
                read=sample.met + sample.broken,
                why="; ".join(filter(None, parts)),
            )
        )

    def _judged_told(self, card: DatasetCard) -> str:
        """What its rows were held against, as far as it has test rows of its own."""
        sample = self.judged_by.get(card.id, Sample())
        if sample.problem:
            return unreached_told(len(sample.rows))
        return f"held against {len(sample.rows):,} of its test rows" if sample.rows else ""

    # What is made of them

    def _take(self, candidate: Candidate) -> None:
        """Take the rows as they are."""
        taken = [self.sieve.take(self._draft(candidate, row)) for row in candidate.sample.rows]
        self.free += [each for each in taken if isinstance(each, Example)]
        self.rejects += [each for each in taken if isinstance(each, Reject)]
        self._used(candidate)

    async def _vote_on(self, candidate: Candidate) -> None:
        """Have inputs labelled; where rows have answers of their own, those are kept that the votes agree with."""

        async def voted(rows: Sequence[FoundRow]) -> list[Example | Reject]:
            drafts = [self._draft(candidate, row) for row in rows]
            refused = [self.sieve.refuse(draft) for draft in drafts]
            good = [draft for draft, reject in zip(drafts, refused, strict=True) if reject is None]
            votes = await annotate_all(self.asks, self.spec, [draft.input for draft in good], self.voting)
            self._heed(next((vote.error for vote in votes if vote.error is not None), None))
            asked = [(draft, vote) for draft, vote in zip(good, votes, strict=True) if vote.error is None]
            return [*filter(None, refused), *(self.sieve.take(draft, vote) for draft, vote in asked)]

        self._used(candidate, why=await self._in_rounds(candidate.sample, voted))

    async def _rewrite(self, candidate: Candidate) -> None:
        rewriting = await plan_rewriting(self.asks, self.spec, candidate.sample)
        if rewriting is None:
            self._left_out(candidate.card, "the teacher has no plan to rewrite its rows", read=candidate.sample.met)
            return
        plan: Rewriting = rewriting

        async def rewritten(rows: Sequence[FoundRow]) -> list[Example | Reject]:
            tasks = [Task(row, self._provenance(candidate, row, "transformed")) for row in rows]
            refused = [self.sieve.refuse_source(task.row, task.provenance) for task in tasks]
            good = [task for task, reject in zip(tasks, refused, strict=True) if reject is None]
            ended, error = await rewrite(self.asks, self.spec, plan, good)
            self._heed(error)
            made = (self.sieve.take(each) if isinstance(each, Draft) else each for each in ended)
            return [*filter(None, refused), *made]

        self._used(candidate, why=await self._in_rounds(candidate.sample, rewritten))

    # What voting and rewriting have in common

    async def _in_rounds(
        self, sample: Sample, work: Callable[[Sequence[FoundRow]], Awaitable[list[Example | Reject]]]
    ) -> str:
        """Put rows through the work until there are enough, or too little comes of it; returns why not, if so."""
        rows = list(sample.rows)
        chance(self.seeking.seed, "rounds", len(rows)).shuffle(rows)
        size = min(FIRST_ROUND, 2 * self._missing)  # half of them may be no good
        while rows and self._missing > 0 and self.error is None:
            some, rows = rows[:size], rows[size:]
            ended = await work(some)
            kept = [each for each in ended if isinstance(each, Example)]
            self.paid += kept
            self.rejects += [each for each in ended if isinstance(each, Reject)]
            if len(kept) < LEAST_YIELD * len(some):
                return f"given up: {len(kept)} of {len(some)} rows could be kept"
            size = min(MOST_IN_A_ROUND, math.ceil(self._missing * len(some) / len(kept)))
        return ""

    def _heed(self, error: SmeltError | None) -> None:
        """Keep what ends the asking for later: what came before it counts. What the user must mend is raised."""
        if error is None:
            return
        if not isinstance(error, BudgetReached | ProviderRefused):
            raise error
        self.error = self.error or error

    def _draft(self, candidate: Candidate, row: FoundRow) -> Draft:
        pair = None if candidate.columns is None else applied(candidate.columns, row, self.spec)
        if pair is None:
            raise AssertionError("unreachable: only rows that serve are drawn")
        return Draft(pair.input, self._provenance(candidate, row, "found"), pair.output or None)

    def _provenance(self, candidate: Candidate, row: FoundRow, origin: Origin) -> Provenance:
        self.numbered += 1
        card = candidate.card
        return Provenance(
            request=-self.numbered,
            position=0,
            temperature=None,
            target=None,
            origin=origin,
            dataset=self._name(card),
            row=row.number,
            licence=card.licence,
        )
