"""`smelt teach`: tune a local teacher on few real labels, and see what it is worth to a student.

For each number of real labels the teacher is tuned in both directions, labels the inputs that are left and writes new
rows, and students are trained on each kind. A folder that holds an earlier start of the same is gone on with: what was
tuned or answered there is not tuned or asked again.
"""

from __future__ import annotations

import hashlib
import math
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import orjson

from agents.parsing.specs import table_of, write_spec
from agents.records import Pair, Spec
from agents.run_folder import write_whole
from agents.teaching.course import Conditions, Course, Level, Tell
from agents.teaching.requests import in_turn, spec_for
from agents.teaching.table import Cell, TeachReport, page_of, warnings_of
from agents.voting.vote import fits_spec, normaliser
from engine.errors import UserError

__all__ = ["LOCAL", "Material", "Wish", "teach"]

LOCAL = "local/"

MOST_JUDGED = 300  # rows: at 300 the chance in a share of 0.9 is about 0.02, and a teacher takes its time
VALIDATION_SHARE = 8  # one real label to choose a best moment by for so many that are learnt from


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """What there is to teach with and to judge by. `spec` is None without a prompt; `unlabelled` are inputs alone."""

    spec: Spec | None
    train: tuple[Pair, ...]
    validation: tuple[Pair, ...]
    test: tuple[Pair, ...]
    unlabelled: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """How it is to be done. `examples` is how many rows the teacher labels, and how many it writes; 0 for none.

    `sweep` are numbers of real labels beside all of them. `seconds` bound each training. With `whole` every weight of
    the teacher is tuned, not an adapter.
    """

    model: str
    student: str | None = None  # None: linear for labels, tiny for text
    examples: int = 200
    sweep: tuple[int, ...] = ()
    seconds: float = 600.0
    seed: int = 0
    threads: int | None = None
    whole: bool = False

    @property
    def base(self) -> str:
        """The name of the model without its provider. Raises UserError for one that is not in this process."""
        if not self.model.startswith(LOCAL) or self.model == LOCAL:
            raise UserError(
                f"--model {self.model}: only a model in this process can be tuned; give local/NAME or local/FOLDER"
            )
        return self.model.removeprefix(LOCAL)


def teach(folder: Path, material: Material, wish: Wish, *, tell: Tell) -> TeachReport:
    """Tune the teacher, judge it and the students that its rows make, and write all that into `folder`.

    Raises UserError for what cannot be taught, a folder that holds something else, or a model that cannot be tuned.
    """
    source = _source(wish)
    material = _checked(material, wish)
    _enter(folder, material, wish, source)
    spec = spec_for(material.spec, material.train, known=len(material.train))
    ordered = in_turn(material.train, seed=wish.seed, by_output=bool(spec.labels))
    conditions = _conditions(folder, material, wish, source, spec, tell)
    counts = sorted({*wish.sweep, len(ordered)})
    cells: list[Cell] = []
    for count in counts[:-1]:
        cells += _swept(conditions, _level(material, ordered, count, wish), folder / "sweep" / str(count))
    level = _level(material, ordered, counts[-1], wish)
    write_spec(folder / "spec.json", level.spec)
    course = Course(conditions, level, folder / "teacher", folder)
    cells += course.cells()
    report = _report(folder, wish, conditions, [course.untuned(), *cells], given=len(material.test))
    write_whole(folder / "teach.json", orjson.dumps(report.as_table(), option=orjson.OPT_INDENT_2))
    write_whole(folder / "teach.md", page_of(report).encode("utf-8", "replace"))
    return report


def _swept(conditions: Conditions, level: Level, place: Path) -> list[Cell]:
    """The figures of fewer labels than there are; an earlier start may have come as far."""
    figures = place / "cells.json"
    if figures.is_file():
        return [Cell.of(cell) for cell in orjson.loads(figures.read_bytes())]
    cells = Course(conditions, level, place / "teacher", place).cells()
    write_whole(figures, orjson.dumps([asdict(cell) for cell in cells], option=orjson.OPT_INDENT_2))
    shutil.rmtree(place / "teacher", ignore_errors=True)  # the weights of each would fill the disk, for nobody
    return cells


def _conditions(folder: Path, material: Material, wish: Wish, source: Path, spec: Spec, tell: Tell) -> Conditions:
    return Conditions(
        source=source,
        journal=folder / "journal.db",
        test=tuple(in_turn(material.test, seed=wish.seed, by_output=False)[:MOST_JUDGED]),
        student=wish.student or ("linear" if spec.labels else "tiny"),
        examples=wish.examples,
        mixes=bool(wish.sweep),
        seconds=wish.seconds,
        seed=wish.seed,
        threads=wish.threads,
        whole=wish.whole,
        tell=tell,
    )


def _level(material: Material, ordered: Sequence[Pair], count: int, wish: Wish) -> Level:
    """The first `count` real labels. The inputs of the others are as good as inputs without any."""
    real = tuple(ordered[:count])
    kept = {row.input for row in (*real, *material.validation, *material.test)}
    others = (*material.unlabelled, *(row.input for row in ordered[count:]))
    return Level(
        spec=spec_for(material.spec, ordered, known=count),
        real=real,
        validation=material.validation[: math.ceil(count / VALIDATION_SHARE)],
        pool=tuple(dict.fromkeys(text for text in others if text not in kept))[: wish.examples],
    )


def _report(folder: Path, wish: Wish, conditions: Conditions, cells: Sequence[Cell], *, given: int) -> TeachReport:
    notes = []
    if given > len(conditions.test):
        notes.append(f"Of {given:,} test rows, {len(conditions.test):,} were drawn to judge by.")
    if conditions.examples and not any(cell.rows for cell in cells if "annotated" in cell.who):
        notes.append("No inputs were left to be labelled: give some with --inputs, or hold labels back with --sweep.")
    notes += warnings_of(cells)
    return TeachReport(
        model=wish.model,
        teacher=str(folder / "teacher"),
        spec=str(folder / "spec.json"),
        student=conditions.student,
        test_rows=len(conditions.test),
        seed=wish.seed,
        whole=wish.whole,
        cells=tuple(cells),
        notes=tuple(notes),
    )


# -- what is asked for, checked


def _source(wish: Wish) -> Path:
    from engine.providers.local.checkpoint import find

    checkpoint = find(wish.base)
    if checkpoint.kind != "causal":
        raise UserError(f"--model {wish.model}: is an encoder-decoder; only decoder-only models are tuned as teachers")
    return checkpoint.folder


def _checked(material: Material, wish: Wish) -> Material:
    """The same with outputs spelled as the prompt spells its labels, where it has some."""
    if too_many := [count for count in wish.sweep if count > len(material.train)]:
        raise UserError(
            f"--sweep {too_many[0]}: there are {len(material.train)} rows to learn from; the rest choose and judge"
        )
    if too_few := [count for count in wish.sweep if count < 2]:
        raise UserError(f"--sweep {too_few[0]}: a teacher needs at least 2 real labels")
    spec = material.spec
    if spec is None:
        return material
    return replace(
        material,
        train=_spelled(material.train, spec),
        validation=_spelled(material.validation, spec),
        test=_spelled(material.test, spec),
    )


def _spelled(rows: Sequence[Pair], spec: Spec) -> tuple[Pair, ...]:
    normalise = normaliser(spec)
    spelled = tuple(Pair(row.input, normalise(row.output)) for row in rows)
    if odd := next((row for row in spelled if not fits_spec(row.output, spec)), None):
        what = "is none of the prompt's labels" if spec.labels else "is not of the form that the prompt asks for"
        raise UserError(
            f"the row {odd.input!r:.60} answers {odd.output!r:.60}, which {what}; mend the row or the prompt"
        )
    return spelled


def _enter(folder: Path, material: Material, wish: Wish, source: Path) -> None:
    """Make the folder, or enter the one of an earlier start of the same."""
    told = {**asdict(wish), "material": _digest(material), "source": str(source.resolve())}
    options = orjson.dumps(told, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    written = folder / "options.json"
    if written.is_file():
        if written.read_bytes() != options:
            raise UserError(f"{folder}: holds another teacher; choose another folder with --out")
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: is not empty and holds no teacher; choose another folder with --out")
    write_whole(written, options)


def _digest(material: Material) -> str:
    spec = None if material.spec is None else table_of(material.spec)
    told = repr((spec, material.train, material.validation, material.test, material.unlabelled))
    return hashlib.sha256(told.encode("utf-8", "surrogatepass")).hexdigest()
