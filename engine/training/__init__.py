"""Students: small models that learn a text-to-text mapping from rows. One file a family.

A student knows rows and nothing of prompts, teachers or money. `train` makes one in a folder, `load` brings it back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from operator import ne
from pathlib import Path
from typing import Protocol

from engine.errors import MissingExtra, UserError
from engine.text import meant, writable
from engine.training import causal, classifier, embedding, linear, seq2seq, tiny
from engine.training.bookmark import clear_beside
from engine.training.company import company, follows, is_launched, launched
from engine.training.folder import Card, read_card
from engine.training.lesson import Lesson
from engine.training.pickles import check_weights
from engine.training.student import OnProgress, Prediction, Progress, Row, Student
from engine.training.team import Followed, Team
from engine.training.threads import free_threads, spin_briefly, use_threads

__all__ = [
    "FAMILIES",
    "Card",
    "Followed",
    "OnProgress",
    "Prediction",
    "Progress",
    "Row",
    "Student",
    "follows",
    "is_launched",
    "load",
    "load_packages",
    "read_card",
    "taught_by",
    "train",
    "use_threads",
]


class Family(Protocol):
    """How one kind of student is made and brought back: what each module of a family offers."""

    def train(self, lesson: Lesson, folder: Path) -> None: ...

    def load(self, folder: Path) -> Student: ...


_FAMILIES: Mapping[str, Family] = {
    "causal": causal,
    "classifier": classifier,
    "embedding": embedding,
    "linear": linear,
    "seq2seq": seq2seq,
    "tiny": tiny,
}

FAMILIES: tuple[str, ...] = tuple(_FAMILIES)


def train(
    family: str,
    rows: Sequence[Row],
    validation: Sequence[Row],
    folder: Path,
    *,
    seed: int = 0,
    time_limit_s: float | None = None,
    base: str | None = None,
    threads: int | None = None,
    weights: Sequence[float] | None = None,
    preset: str = "own",
    device: str = "auto",
    dials: Mapping[str, float] | None = None,
    whole: bool = False,
    remember: bool = True,
    processes: int | None = 1,
    task: Mapping[str, object] | None = None,
    on_progress: OnProgress | None = None,
    on_note: Callable[[str], None] | None = None,
    is_enough: Callable[[], bool] = lambda: False,
) -> Student:
    """Make a student of `family` that gives each row's output for its input, and keep it in `folder`.

    `validation` chooses the best moment of the training and is never learnt from. `time_limit_s` bounds the whole call,
    but for loading packages the first time; families that need no more than seconds do without it. `base` names the
    checkpoint that `seq2seq`, `causal`, `embedding` and `classifier` start from, a folder or an id in the hub's cache;
    with `whole`, `causal` teaches all of its weights and not an adapter. `threads` is the number of CPU threads (None:
    as many as are free). `weights` say how much each row counts. `preset` is "own" or "paper" (see
    `engine.training.recipe`), `device` one of torch's, or "auto" for a graphics card where there is one; `dials` turn
    the family's recipe (see `engine.training.dials`). Without `remember`, `tiny` keeps no rows as a memory, where it
    otherwise does if that helps. `processes` compute each step together, each on its part of the threads or on a
    graphics card of its own; families that need no more than seconds learn in one. With None it is those that
    accelerate, torchrun or Ray Train has started, this process among them: each of them must call this, and it ends
    with Followed in those that do not lead. `task` is kept in `student.json` as it is. `on_note` is told in a line what
    users ought to know. `is_enough` is asked before each step: once it says yes, families that learn in steps end with
    the best that there is.

    A training that was killed goes on where it was when the same is asked again: what that takes lies meanwhile in a
    folder beside `folder`, with `.part` after its name.

    The same rows, seed and number of threads and processes give the same student on the same machine while no time
    limit binds.

    Raises UserError for rows that cannot teach anything, MissingExtra without the packages it takes, and
    TrainingDiverged when the loss is no longer a number.
    """
    spin_briefly()
    _check_learns_together(family, processes=processes)
    taken, looked_at = tuple(map(_writable, rows)), tuple(map(_writable, validation))
    lesson = Lesson(
        rows=taken,
        validation=looked_at,
        seed=seed,
        time_limit_s=time_limit_s,
        base=base,
        threads=threads,
        weights=None if weights is None else tuple(weights),
        preset=preset,
        device=device,
        dials=dials or {},
        whole=whole,
        remember=remember,
        task=task or {},
        on_progress=on_progress,
        on_note=on_note,
        is_enough=is_enough,
    )
    if base is not None and Path(base).expanduser().is_dir():
        check_weights(Path(base).expanduser())
    if changed := sum(map(ne, (*rows, *validation), (*taken, *looked_at))):
        rows_hold = "1 row holds" if changed == 1 else f"{changed:,} rows hold"
        lesson.note(f"{rows_hold} half a surrogate pair, which no file can: U+FFFD stands in its place")
    load_packages(family)
    if processes is None:
        with launched() as team:
            _check_leads(family, team)
            taught_by(family, replace(lesson, team=team), folder)
    elif processes > 1:
        _teach_together(family, lesson, folder, processes=processes)
    else:
        taught_by(family, lesson, folder)
    clear_beside(folder)  # perhaps of another family, whose training was killed
    return load(folder)


def taught_by(family: str, lesson: Lesson, folder: Path) -> None:
    """Have a family teach a lesson, alone or as one of a team. Raises what `train` does."""
    with _packages_needed_for("training a student"):
        _family(family).train(lesson, folder)


def load(folder: Path, *, remember: bool = True) -> Student:
    """Bring back the student that `train` kept in `folder`; UserError when there is none, or packages are missing.

    Without `remember`, one with a memory answers by itself.
    """
    spin_briefly()
    card = read_card(folder)
    if card.family not in FAMILIES:
        raise UserError(
            f"{folder}: unknown student family {card.family!r}, perhaps of a newer Smelt; "
            f"this one knows {', '.join(FAMILIES)}"
        )
    check_weights(folder)
    family = _family(card.family)
    with _packages_needed_for("bringing back a student"):
        return family.load(folder) if remember or family is not tiny else tiny.load_writer(folder)


def load_packages(family: str | None = None) -> None:
    """Load what training takes, which is a matter of seconds the first time, so that no clock of a training counts it.

    `family` is the one that is to be trained; None loads what any of them takes. Raises MissingExtra where packages
    are missing, UserError for a family that there is not.
    """
    with _packages_needed_for("training a student"):
        import sklearn.linear_model

        if family is None or _family(family) is not linear:
            import torch
            from transformers import AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer  # each is loaded when first named

            del torch, AutoModel, AutoModelForSeq2SeqLM, AutoTokenizer
    del sklearn


def _check_learns_together(family: str, *, processes: int | None) -> None:
    """Raise UserError where several processes are wanted and there is nothing to share out."""
    if processes is not None and processes > 1 and _learns_alone(family):
        raise UserError(f"--processes: {family!r} learns in seconds, in one process; leave it out")


def _check_leads(family: str, team: Team) -> None:
    """Of a family that learns in one process the leader learns; the others have nothing to do."""
    if not team.leads and _learns_alone(family):
        raise Followed


def _learns_alone(family: str) -> bool:
    return _family(family) in (linear, embedding)


def _teach_together(family: str, lesson: Lesson, folder: Path, *, processes: int) -> None:
    threads = max(1, (lesson.threads or free_threads()) // processes)
    lesson = replace(lesson, threads=threads)
    with company(lesson, family=family, folder=folder, processes=processes) as together:
        taught_by(family, together, folder)


def _writable(row: Row) -> Row:
    return Row(writable(row.input), writable(row.output))


@contextmanager
def _packages_needed_for(what: str) -> Iterator[None]:
    """Whatever package is missing, it is one of the extra's."""
    try:
        yield
    except ImportError as error:
        raise MissingExtra("train", needed_for=what) from error


def _family(name: str) -> Family:
    if name not in _FAMILIES:
        raise UserError(f"unknown student family {name!r}{meant(name, FAMILIES)}; there are {', '.join(FAMILIES)}")
    return _FAMILIES[name]
