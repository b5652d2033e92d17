"""A student's answers to a whole file: some hundred rows at a time, kept as they come, in memory that does not grow.

What takes long is the answering. So answers are kept in a file beside the one that is wanted, and a stop costs no more
than the last few; the file itself is written when all are there, and is there whole or not at all.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import itertools
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.reading.inputs import Examined, Inputs, inputs_of
from agents.reading.rows import flat, json_lines, text_of
from agents.reporting.export import Csv
from agents.students.predictions import Answer, Columns, Row, Tally, columns_in, rows_in, text_lines, write_parquet
from engine.errors import UserError
from engine.training import Prediction, Student

__all__ = ["Answered", "answers_to", "beside", "check_place", "pairs_in", "pairs_of", "predict_file", "student_digest"]

ROWS_AT_ONCE = 512
CHARACTERS_AT_ONCE = 2**20  # of inputs that are held at once: they may be documents
HEAD = b'{"answers": 1, "to": '  # of a file that answers are kept in
NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)

STREAM = Path("standard input")  # what an error calls it

OnRows = Callable[[int], None]


def answers_to(student: Student, texts: Iterable[str]) -> Iterator[list[Answer]]:
    """The student's answers, some hundred at a time, in order. What is blank is not asked about."""
    for some in _some(texts):
        told = iter(student.predict([text for text in some if text.strip()]))
        yield [_answer(next(told)) if text.strip() else Answer(None) for text in some]


def _answer(prediction: Prediction) -> Answer:
    return Answer(prediction.output, prediction.confidence, prediction.cut)


def _some(texts: Iterable[str]) -> Iterator[list[str]]:
    some: list[str] = []
    characters = 0
    for text in texts:
        some.append(text)
        characters += len(text)
        if len(some) == ROWS_AT_ONCE or characters >= CHARACTERS_AT_ONCE:
            yield some
            some, characters = [], 0
    if some:
        yield some


@dataclass(frozen=True, slots=True)
class Answered:
    """Answers in a file, one a line, behind a line that says to what: the answers of another question never count."""

    path: Path
    question: str

    def so_far(self) -> int:
        """How many answers are there whole. What a stop left of another line is taken off; other questions' all.

        Raises UserError for a file of that name that holds no answers: somebody may want it.
        """
        with contextlib.suppress(FileNotFoundError), self.path.open("r+b") as file:
            head = file.readline()
            if not head.startswith(HEAD[: len(head)]):
                raise UserError(f"{self.path}: is no file of answers; move it away, or choose another --out")
            if head != self._head():
                return 0
            count, end = 0, file.tell()
            for line in file:
                if not line.endswith(b"\n"):
                    break
                count, end = count + 1, end + len(line)
            file.truncate(end)
            return count
        return 0

    def keep(self, answers: Iterable[list[Answer]], *, after: int, on_rows: OnRows) -> None:
        """Write answers as they come, after so many that are there; `on_rows` is told how many more there are."""
        with self.path.open("ab" if after else "wb") as file:
            if not after:
                file.write(self._head())
            for some in answers:
                file.writelines(_line([each.output, each.confidence, each.cut]) for each in some)
                file.flush()
                on_rows(len(some))
            os.fsync(file.fileno())

    def __iter__(self) -> Iterator[Answer]:
        with self.path.open("rb") as file:
            file.readline()
            for line in file:
                yield Answer(*json.loads(line))

    def _head(self) -> bytes:
        return _line({"answers": 1, "to": self.question})


def _line(value: object) -> bytes:
    return json.dumps(value).encode() + b"\n"


def predict_file(
    student: Student,
    examined: Examined,
    out: Path,
    *,
    form: str,
    columns: Columns,
    csv: Csv,
    made_by: str,
    on_rows: OnRows = lambda _: None,
) -> Tally:
    """Answer a file of inputs into the new file `out`, or go on where that was stopped.

    `made_by` names the student, so that another one begins anew. Raises UserError when `out` is there already, or the
    file has columns of the names that the answers' columns have, or there is no room for it.
    """
    inputs = examined.inputs
    check_place(out)
    own = columns_in(inputs)
    columns.check_free(inputs.path, own)
    question = hashlib.sha256(repr((examined.digest, inputs.columns, inputs.parts, made_by)).encode()).hexdigest()
    answered = Answered(out.with_name(f"{out.name}.part"), question)
    with _alone(answered.path), _told_of_no_room(out):
        after = answered.so_far()
        on_rows(after)
        texts = (row.text for row in itertools.islice(inputs, after, None))
        answered.keep(answers_to(student, texts), after=after, on_rows=on_rows)
        tally = _put_together(inputs, answered, out, form=form, columns=columns, own=own, csv=csv)
        answered.path.unlink()
    return tally


def check_place(out: Path) -> None:
    """Raise UserError where no new file of that name can be: one is there, or there is no folder for it."""
    if out.exists():
        raise UserError(f"{out}: is there already; choose another with --out")
    if not out.parent.is_dir():
        raise UserError(f"{out}: there is no folder {out.parent}; make it, or choose another with --out")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Within the block no other process answers into this file. Raises UserError when one is just doing so."""
    with path.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise UserError(f"{path}: another process is writing it; wait for it, or choose another --out") from error
        yield


@contextlib.contextmanager
def _told_of_no_room(out: Path) -> Iterator[None]:
    """The system does not say which file found no room, nor that the answers until then are kept."""
    try:
        yield
    except OSError as error:
        if error.errno not in NO_ROOM:
            raise
        raise UserError(
            f"{out}: {error.strerror}; what is answered is kept: make room and give the same command again"
        ) from error


def _put_together(
    inputs: Inputs, answered: Answered, out: Path, *, form: str, columns: Columns, own: tuple[str, ...], csv: Csv
) -> Tally:
    """The rows and their answers, in a file that is there whole or not at all."""
    tally = Tally(columns)
    rows = tally.beside(rows_in(inputs), answered)
    draft = out.with_name(f".{out.name}.new")
    try:
        if form == "parquet":
            write_parquet(draft, inputs, rows, columns=columns, own=own)
        else:
            with draft.open("wb") as file:
                lines = text_lines(form, rows, columns=(*own, *columns.names), answer=columns.answer, csv=csv)
                file.writelines(lines)
        with draft.open("rb") as file:
            os.fsync(file.fileno())
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)
    return tally


def beside(student: Student, pairs: Iterable[tuple[Row, str]], tally: Tally) -> Iterator[Row]:
    """Rows with the student's answers beside them, as they come; each comes with its input."""
    rows, texts = itertools.tee(pairs)
    answers = itertools.chain.from_iterable(answers_to(student, (text for _, text in texts)))
    return tally.beside((row for row, _ in rows), answers)


def pairs_of(inputs: Inputs) -> Iterator[tuple[Row, str]]:
    """The rows of a file, each with its input."""
    return zip(rows_in(inputs), (row.text for row in inputs), strict=True)


def pairs_in(
    lines: Iterable[str], *, column: str | None, parts: Sequence[str], columns: Columns
) -> Iterator[tuple[Row, str]]:
    """The same of lines as they come: each is an input, or, if the first one begins with a brace, a JSON object.

    Raises UserError for a line that is no such object, when it is that line's turn.
    """
    some = filter(str.strip, lines)
    first = next(some, "")
    every = itertools.chain([first] if first else [], some)
    if first.lstrip().startswith("{"):
        return _objects_in(every, column=column, parts=parts, columns=columns)
    return (({"input": text}, text) for text in (text_of(line.rstrip("\r\n")) for line in every))


def _objects_in(
    lines: Iterable[str], *, column: str | None, parts: Sequence[str], columns: Columns
) -> Iterator[tuple[Row, str]]:
    inputs = None
    for number, (_, row) in enumerate(json_lines(STREAM, lines), start=1):
        if inputs is None:
            inputs, _ = inputs_of(STREAM, flat(row), column=column, parts=parts)
        columns.check_free(STREAM, tuple(row))
        yield row, inputs.row(number, flat(row)).text


def student_digest(folder: Path) -> str:
    """A name for a student by what lies in its folder, its card and its weights: another one has another name."""
    digest = hashlib.sha256()
    for path in sorted((*folder.rglob("*.json"), *folder.rglob("*.safetensors"))):
        with path.open("rb") as file:
            digest.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()
