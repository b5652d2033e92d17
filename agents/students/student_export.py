"""A student in a folder of its own, for whoever takes it elsewhere: its weights as they are, or as ONNX, and its card.

What leaves as ONNX is asked some questions first, and its answers are held against the student's: a form that changes
more of them than is allowed does not leave.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import orjson

from agents.checks import one_of
from agents.reading.inputs import examine
from agents.reading.rows import records
from agents.students.model_card import write_model_card
from agents.students.task import read_task
from engine.errors import UserError
from engine.evaluation.calibration import FILE as CALIBRATION
from engine.onnx import Agreement, agreement, check_student, open_exported, write_onnx
from engine.training import load, read_card
from engine.training.folder import draft_of
from engine.training.recalling import FOLDER

__all__ = ["FLOOR", "FORMS", "Exported", "export_student", "rows_to_compare"]

FORMS = ("onnx", "safetensors")

FLOOR = 0.98
"""The share of answers that must stay the same, unless somebody says otherwise."""

MOST_COMPARED = 300  # rows; of these one is a third of a hundredth

# Of a student's folder and those within it: weights, settings, tokenizers. Nothing else that lies there is handed on.
TAKEN = (".safetensors", ".json")
TOKENIZERS = ("chat_template.jinja", "merges.txt", "sentencepiece.bpe.model", "spiece.model", "tokenizer.model",
              "vocab.txt")  # fmt: skip


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written where; `agreement` is of ONNX, where answers may change."""

    folder: Path
    form: str
    bytes: int
    agreement: Agreement | None = None
    forgets: bool = False  # the student has a memory, which was left out

    @property
    def beside(self) -> str:
        """What its answers were compared with."""
        return _itself(forgets=self.forgets)


def export_student(
    student: Path,
    out: Path,
    *,
    form: str,
    inputs: Sequence[str] = (),
    int8: bool = True,
    floor: float = FLOOR,
    memory: bool = True,
) -> Exported:
    """Write a student into the new folder `out`, which is there whole or not at all.

    Without `memory`, one that has a memory leaves without it: its rows, and what its confidence was found to be worth
    with them. Raises UserError where `out` is there already, where the student has no such form, or where fewer of its
    answers to `inputs` than `floor` stay the same.
    """
    if form not in FORMS:
        one_of("format", form, FORMS)
    forgets = not memory and (student / FOLDER).is_dir()
    with _new(out) as draft:
        found = None
        if form == "onnx":
            found = _as_onnx(student, draft, inputs, int8=int8, floor=floor, forgets=forgets)
        else:
            _as_it_is(student, draft, forgets=forgets)
        size = sum(path.stat().st_size for path in draft.rglob("*") if path.is_file())
    return Exported(out, form, size, found, forgets)


def _as_it_is(student: Path, into: Path, *, forgets: bool) -> None:
    read_card(student)
    stays = {FOLDER, CALIBRATION} if forgets else set()
    for path in sorted(student.rglob("*")):
        name = path.relative_to(student)
        is_taken = path.suffix in TAKEN or path.name in TOKENIZERS
        if is_taken and path.is_file() and not path.is_symlink() and name.parts[0] not in stays:
            (into / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, into / name)
    write_model_card(into, student=student)


def _as_onnx(student: Path, into: Path, inputs: Sequence[str], *, int8: bool, floor: float, forgets: bool) -> Agreement:
    check_student(student, memory=not forgets)  # before rows are asked for that would not help
    if not inputs:
        raise UserError(f"{student}: no rows lie beside it to compare answers on; name some with --rows FILE")
    write_onnx(student, into, int8=int8, memory=not forgets)
    found = agreement(load(student, remember=not forgets), open_exported(student, into), inputs)
    if found.share < floor:
        whole = " --full-precision keeps more of them;" if int8 else ""
        raise UserError(f"as ONNX {found}, below {floor:g};{whole} --floor lets fewer suffice")
    told = {"rows": found.rows, "equal": found.equal, "largest_difference": found.largest_difference, "int8": int8}
    (into / "agreement.json").write_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))
    write_model_card(into, student=student, more=(_told(found, int8=int8, forgets=forgets),))
    return found


def _told(found: Agreement, *, int8: bool, forgets: bool) -> str:
    precision = "whole numbers of eight bits" if int8 else "single precision"
    return (
        f"## As ONNX\n\nWeights in {precision}. Beside {_itself(forgets=forgets)}, {found}; confidences "
        f"differ by at most {found.largest_difference:.3f}. It runs without Smelt:\n\n"
        '    pip install numpy onnxruntime tokenizers\n    python predict.py "an input"'
    )


def _itself(*, forgets: bool) -> str:
    return "the student without its memory" if forgets else "the student itself"


def rows_to_compare(student: Path, *, file: Path | None) -> tuple[str, ...]:
    """Inputs to hold answers against each other on: of a file, or else the run's validation rows, or else the prompt's.

    At most three hundred of them. Raises UserError for a file that cannot be read.
    """
    if file is not None:
        return tuple(row.text for row in islice(examine(file).inputs, MOST_COMPARED))
    validation = student.parent / "data" / "validation.parquet"
    if validation.is_file():
        return tuple(str(row["input"]) for _, row in islice(records(validation), MOST_COMPARED))
    task = read_task(student)
    return tuple(pair.input for pair in task.spec.demonstrations) if task else ()


@contextmanager
def _new(folder: Path) -> Iterator[Path]:
    """A folder to write into, which becomes `folder` only if the block ends well. UserError where there is no room."""
    if folder.exists():
        raise UserError(f"{folder}: is there already; choose another with --out")
    try:
        with draft_of(folder) as draft:
            yield draft
            draft.chmod(0o755)  # until then its owner alone may read it
            draft.rename(folder)
    except OSError as error:  # which names a file of the draft, of the student, or none
        raise UserError(
            f"{folder}: cannot be written ({error.strerror or error}); make room, or choose another with --out"
        ) from error
