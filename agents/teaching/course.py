"""One number of real labels, from the tuning of a teacher to the last student that its rows make."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from agents.annotating.labelling import Labelled, Unlabelled, label_inputs
from agents.chance import chance
from agents.evaluate import rows_of
from agents.interrupts import drained_by_signals
from agents.making.synthesis import Settings
from agents.making.synthesize import synthesize
from agents.reading.inputs import InputRow
from agents.records import Pair, Spec
from agents.run_folder import write_whole
from agents.teaching.requests import Told, annotating, told
from agents.teaching.table import OF_ALL, OF_REAL_ROWS, Cell
from agents.voting.annotate import Voting
from engine import Engine
from engine.errors import UserError
from engine.evaluation import Score, score
from engine.events import Events

if TYPE_CHECKING:
    from engine.providers.local.codec import Codec
    from engine.training import Progress
    from engine.training.tuning import Question

__all__ = ["Conditions", "Course", "Level", "Tell"]

STEPS_A_LINE = 100

MIXES = (1, 4)  # made-up rows for each real one, beside all of them

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """What is the same for every number of labels: the model to begin with, who is judged on what, and for how long.

    `examples` is how many rows a teacher labels, and how many it writes; 0 for none. With `mixes`, students are trained
    on made-up rows in other shares, too.
    """

    source: Path
    journal: Path
    test: tuple[Pair, ...]
    student: str
    examples: int
    mixes: bool
    seconds: float  # of each training, at most
    seed: int
    threads: int | None
    whole: bool
    tell: Tell


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """So many real labels, and what goes with them; `pool` are inputs whose labels are not known here."""

    spec: Spec
    real: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    pool: tuple[str, ...]

    @property
    def labels(self) -> int:
        return len(self.real)


@dataclass(slots=True)
class _Asked:
    """What a teacher answered: to the test inputs, None where nothing could be used; to the pool; and what it wrote."""

    answers: list[str | None]
    annotated: list[Pair] = field(default_factory=list)
    generated: list[Pair] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Course:
    """`place` is where the tuned teacher lies, or will; what it made is written into `rows`."""

    conditions: Conditions
    level: Level
    place: Path
    rows: Path

    def cells(self) -> list[Cell]:
        """The teacher's own figures, then the students'. Tunes the teacher unless it is there already."""
        seconds = self._tuned()
        asked = asyncio.run(self._ask(str(self.place), makes_rows=self.conditions.examples > 0))
        for name in ("annotated", "generated"):
            _write_rows(self.rows / f"{name}.jsonl", getattr(asked, name))
        teacher = self._judged("teacher, tuned", self.level.labels, asked.answers, seconds=seconds)
        return [teacher, *self._students(asked)]

    def untuned(self) -> Cell:
        """The model as it came, asked the same."""
        self.conditions.tell("the model as it came is asked the same")
        asked = asyncio.run(self._ask(str(self.conditions.source), makes_rows=False))
        return self._judged("teacher, as it came", 0, asked.answers)

    # The teacher

    def _tuned(self) -> float | None:
        """How long it took, in seconds; None where it was there already."""
        from engine.providers.local.codec import Codec, read_tokenizer
        from engine.training.lesson import Lesson
        from engine.training.tuning import tune

        level, how = self.level, self.conditions
        if self.place.is_dir():
            how.tell(f"the teacher of {level.labels} real labels is there already")
            return None
        how.tell(f"a teacher is tuned on {level.labels} real labels")
        codec = Codec(read_tokenizer(how.source))
        lesson = Lesson(
            rows=rows_of(level.real),
            seed=how.seed,
            time_limit_s=how.seconds,
            base=str(how.source),
            threads=how.threads,
            whole=how.whole,
            on_progress=self._say_progress,
            on_note=how.tell,
        )
        learnt = [_question(codec, each) for each in told(level.spec, level.real, seed=how.seed)]
        chosen_by = [_question(codec, each) for each in annotating(level.spec, level.validation, seed=how.seed, ways=1)]
        tuned = tune(lesson, learnt, chosen_by, self.place)
        left_out = f" ({tuned.left_out} were too long)" if tuned.left_out else ""
        how.tell(f"{tuned.questions} conversations{left_out}, {tuned.fitted.steps} steps, {tuned.fitted.seconds:.0f} s")
        return tuned.fitted.seconds

    def _say_progress(self, progress: Progress) -> None:
        if progress.step and progress.step % STEPS_A_LINE == 0:
            right = "" if progress.validation is None else f", {progress.validation:.3f} of the labels kept back right"
            self.conditions.tell(f"step {progress.step} of {progress.steps}, loss {progress.loss:.3f}{right}")

    async def _ask(self, name: str, *, makes_rows: bool) -> _Asked:
        """As any run asks: through the engine, with a journal, so that an answer is asked for once."""
        how, level = self.conditions, self.level
        async with Engine(f"local/{name}", journal=how.journal, seed=how.seed) as engine:
            with drained_by_signals(engine.drain):
                labels = await self._labels(engine, [row.input for row in how.test])
                asked = _Asked([labels.get(row.input) for row in how.test])
                if makes_rows:
                    labels = await self._labels(engine, level.pool)
                    asked.annotated = [Pair(text, label) for text, label in labels.items()]
                    asked.generated = await self._generated(engine)
        return asked

    async def _labels(self, engine: Engine, texts: Sequence[str]) -> dict[str, str]:
        """Each by its likeliest answer; without those that could not be used."""
        found: dict[str, str] = {}

        def take(ended: Labelled | Unlabelled) -> None:
            if isinstance(ended, Labelled):
                found[ended.row.text] = ended.vote.winner

        rows = [InputRow(number, text) for number, text in enumerate(dict.fromkeys(texts), start=1)]
        voting = Voting(votes=1, temperature=0.0, seed=self.conditions.seed)
        if error := await label_inputs(engine, self.level.spec, rows, voting=voting, take=take):
            raise error
        return found

    async def _generated(self, engine: Engine) -> list[Pair]:
        how, level = self.conditions, self.level
        settings = Settings(examples=how.examples, votes=1, label_temperature=0.0, labels_per_call=1, seed=how.seed)
        withheld = tuple(row.input for row in (*how.test, *level.validation))
        made = await synthesize(engine, level.spec, settings=settings, events=Events(), withheld=withheld)
        if made.error is not None:
            raise made.error
        how.tell(f"{len(made.examples)} rows written ({made.why})")
        return [Pair(example.input, example.output) for example in made.examples]

    # The students

    def _students(self, asked: _Asked) -> list[Cell]:
        real, how = list(self.level.real), self.conditions
        made = [*asked.annotated, *asked.generated]
        arms = {OF_REAL_ROWS: real}
        if how.examples:
            arms |= {
                "student of annotated rows": asked.annotated,
                "student of generated rows": asked.generated,
                OF_ALL: [*real, *made],
            }
        if how.mixes:
            chance(how.seed, "mix").shuffle(made)
            arms |= {
                f"student of real rows and {times} times as many made up": [*real, *made[: times * len(real)]]
                for times in MIXES
                if times * len(real) < len(made)
            }
        return [self._majority(real), *(self._student(who, rows) for who, rows in arms.items())]

    def _majority(self, real: Sequence[Pair]) -> Cell:
        from engine.baselines import Majority

        rival = Majority.of(rows_of(real))
        return self._judged("the most frequent label", len(real), [rival.output] * len(self.conditions.test))

    def _student(self, who: str, rows: Sequence[Pair]) -> Cell:
        from engine.training import read_card, train

        how, level = self.conditions, self.level
        with tempfile.TemporaryDirectory() as place:
            try:
                student = train(
                    how.student,
                    rows_of(rows),
                    rows_of(level.validation),
                    Path(place) / "student",
                    seed=how.seed,
                    time_limit_s=how.seconds,
                    threads=how.threads,
                )
            except UserError as error:  # rows that teach nothing are a result, too
                return Cell(who=who, labels=level.labels, rows=len(rows), why=f"not trained: {error}")
            seconds = read_card(Path(place) / "student").metrics.get("seconds")
            answers = [each.output for each in student.predict([row.input for row in how.test])]
        took = seconds if isinstance(seconds, float) else None
        cell = self._judged(who, level.labels, answers, rows=len(rows), seconds=took)
        how.tell(f"{who}: {cell.scores[0]}")
        return cell

    def _judged(
        self, who: str, labels: int, answers: Sequence[str | None], *, rows: int = 0, seconds: float | None = None
    ) -> Cell:
        return Cell(
            who=who,
            labels=labels,
            rows=rows or labels,
            scores=self._scores(["" if answer is None else answer for answer in answers]),
            unanswered=sum(answer is None for answer in answers),
            seconds=seconds,
        )

    def _scores(self, answers: Sequence[str]) -> tuple[Score, ...]:
        wanted = [row.output for row in self.conditions.test]
        return score(answers, wanted, kind=self.level.spec.kind, seed=self.conditions.seed)


def _question(codec: Codec, each: Told) -> Question:
    """The prompt in the very tokens in which the model will be asked it."""
    from engine.training.tuning import Question

    return Question(codec.encode(each.request.messages), each.answer)


def _write_rows(path: Path, rows: Sequence[Pair]) -> None:
    lines = [json.dumps({"input": row.input, "output": row.output}) for row in rows]
    write_whole(path, "".join(f"{line}\n" for line in lines).encode())
