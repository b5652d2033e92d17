"""A student's folder: complete in itself, either wholly there or not at all.

`student.json` is written last, so its presence means that the rest is complete. Weights are safetensors; nothing in
the folder is ever unpickled or run.
"""

from __future__ import annotations

import fcntl
import glob
import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from engine.errors import UserError

__all__ = ["Card", "draft_of", "is_of_the_disk", "new_folder", "read_card", "reason", "write_card"]

CARD = "student.json"
FORMAT = 1

DRAFT = ".draft"  # how the name of a folder ends that is being written
OLDER = ".older"  # and of one that holds what is being replaced

_SYSTEM = re.compile(r"([^:\s][^:]*) \(os error \d+\)")  # as Rust tells of it


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """What `student.json` says: the family, its sizes, how training went, and whatever the caller added in `task`."""

    family: str
    sizes: Mapping[str, object] = field(default_factory=dict)
    metrics: Mapping[str, object] = field(default_factory=dict)
    task: Mapping[str, object] = field(default_factory=dict)
    base: str | None = None  # the checkpoint it started from
    base_licence: str | None = None  # as that one's page tells
    format: int = FORMAT


@contextmanager
def draft_of(folder: Path) -> Iterator[Path]:
    """A folder beside this one to write into, gone in the end unless it was renamed; only its owner may read it.

    What processes that were killed have left of the kind is cleared away first: nobody holds it any more.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    _clear_left(folder)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=DRAFT, dir=folder.parent))
    try:
        with _held(draft):
            yield draft
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _clear_left(folder: Path) -> None:
    """Drafts go. What was being replaced comes back where nothing has taken its place yet."""
    for kind in (OLDER, DRAFT):
        for left in folder.parent.glob(f".{glob.escape(folder.name)}-*{kind}"):
            with suppress(OSError), _held(left):
                if kind == OLDER and not folder.exists():
                    (left / folder.name).rename(folder)
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Within the block the folder is this process's; BlockingIOError when it is another's."""
    entrance = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(entrance, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(entrance)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to write a student into, which becomes `folder` only if the block ends well.

    An older student at that place is replaced. A folder that holds anything else is left alone: UserError.
    """
    if folder.exists() and not _replaceable(folder):
        raise UserError(f"{folder} holds something that is no student; choose another folder")
    with ExitStack() as stack:
        try:
            draft = stack.enter_context(draft_of(folder))
        except OSError as error:
            raise UserError(f"cannot write a student into {folder.parent}: {error.strerror}") from error
        try:
            yield draft
            _take_place(draft, folder)
        except Exception as error:  # raised on, unless the disk is to blame
            if not is_of_the_disk(error):
                raise
            raise UserError(_not_written(folder, error)) from error


def _not_written(folder: Path, error: Exception) -> str:
    return (
        f"{folder}: the student cannot be written ({reason(error)}), and an older one there is untouched: make room or "
        "choose another folder, and train again, which goes on from the last bookmark where there is one"
    )


def is_of_the_disk(error: Exception) -> bool:
    """Whether something could not be written: safetensors and tokenizers have errors of their own for that."""
    return isinstance(error, OSError) or type(error).__name__ == "SafetensorError" or bool(_SYSTEM.search(str(error)))


def reason(error: Exception) -> str:
    """Why something cannot be written, in few words; those libraries have the system's inside of their own."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    told = _SYSTEM.search(str(error))
    return told[1] if told else str(error) or type(error).__name__


def _replaceable(folder: Path) -> bool:
    return folder.is_dir() and ((folder / CARD).is_file() or not any(folder.iterdir()))


def _take_place(draft: Path, folder: Path) -> None:
    draft.chmod(0o755)  # mkdtemp makes it readable by its owner alone
    if not folder.exists():
        draft.rename(folder)
        return
    older = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", suffix=OLDER, dir=folder.parent))
    with _held(older):
        folder.rename(older / folder.name)
        draft.rename(folder)
        shutil.rmtree(older)


def write_card(folder: Path, card: Card) -> None:
    """Write `student.json`; the last thing to be written."""
    text = json.dumps(asdict(card), ensure_ascii=False, indent=2) + "\n"
    draft = folder / f"{CARD}.draft"
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    for weights in folder.rglob("*.safetensors"):  # they are made readable by their owner alone: others may serve
        weights.chmod(draft.stat().st_mode)
    draft.replace(folder / CARD)


def read_card(folder: Path) -> Card:
    """What `folder` says of its student; UserError if it holds none, or one that this version cannot read."""
    path = folder / CARD
    try:
        told = json.loads(path.read_bytes())
    except OSError as error:
        raise UserError(_is_none(folder, error)) from error
    except (ValueError, RecursionError) as error:
        raise UserError(_not_ours(folder)) from error
    if not isinstance(told, dict) or not isinstance(told.get("family"), str):
        raise UserError(_not_ours(folder))
    if told.get("format") != FORMAT:
        raise UserError(_of_another(folder, told.get("format")))
    if any(not isinstance(told.get(name, {}), dict) for name in ("sizes", "metrics", "task")):
        raise UserError(_not_ours(folder))
    # What a newer version adds without another format is no concern of ours.
    return Card(**{each.name: told[each.name] for each in fields(Card) if each.name in told})


def _not_ours(folder: Path) -> str:
    return f"{folder} is no student: its {CARD} is damaged or not ours"


def _of_another(folder: Path, form: object) -> str:
    way_out = "it takes a newer Smelt" if isinstance(form, int) and form > FORMAT else "train it again"
    return f"{folder} is a student of format {form!r:.20}; this Smelt reads format {FORMAT}: {way_out}"


def _is_none(folder: Path, error: OSError) -> str:
    """What is wrong with a folder without a card, and what may be meant instead."""
    if (folder / "config.json").is_file():
        return (
            f"{folder} is no student but a checkpoint from elsewhere: train a student from it, with --base {folder}, "
            f"or name a folder with a {CARD}"
        )
    return f"{folder} is no student: {CARD} cannot be read there ({error.strerror})"
