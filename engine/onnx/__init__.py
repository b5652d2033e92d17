"""A student as ONNX: graphs, and a short program that runs them with numpy and onnxruntime, without Smelt or torch.

What can go: every family but `causal`. The program that leaves is a module of this package, and the one that the
answers are compared with: what is checked is what whoever takes the folder will run.
"""

from __future__ import annotations

import importlib
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from engine.errors import MissingExtra, UserError
from engine.onnx import encoder, encoder_decoder, linear
from engine.training import Student, read_card
from engine.training.recalling import FOLDER

__all__ = ["OPSET", "PROGRAM", "Agreement", "agreement", "check_student", "open_exported", "write_onnx"]

OPSET = 18
"""Of the graphs: what every onnxruntime since 1.14 runs."""

PROGRAM = "predict.py"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a family is written as graphs, and which program runs them."""

    write: Callable[..., None]
    program: str


_KINDS: Mapping[str, Kind] = {
    "classifier": Kind(encoder.write, "labels"),
    "embedding": Kind(encoder.write, "labels"),
    "linear": Kind(linear.write, "labels"),
    "seq2seq": Kind(encoder_decoder.write, "texts"),
    "tiny": Kind(encoder_decoder.write, "texts"),
}


class Model(Protocol):
    """What the program offers."""

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """Of how many rows the exported model gives the very answer of the student; how far confidences differ at most."""

    rows: int
    equal: int
    largest_difference: float

    @property
    def share(self) -> float:
        return self.equal / self.rows

    def __str__(self) -> str:
        return f"{self.equal:,} of {self.rows:,} answers are the same ({self.share:.3f})"


def check_student(student: Path, *, memory: bool = True) -> None:
    """Raise UserError for a student that has no such form: of some families, or with a memory that is not left out."""
    _kind(student)
    if memory and (student / FOLDER).is_dir():
        raise UserError(
            f"{student}: answers with the help of the rows in its folder {FOLDER!r}, which ONNX cannot carry: "
            "--no-memory hands on what answers without them, --format safetensors all of it"
        )


def write_onnx(student: Path, into: Path, *, int8: bool, memory: bool = True) -> None:
    """Write the student of a folder as graphs into another, with the program that runs them.

    With `int8` weights are whole numbers of eight bits: a quarter of the size, and some answers may change. Without
    `memory` it is what answers by itself. Raises UserError as `check_student` does, MissingExtra without the packages
    it takes.
    """
    check_student(student, memory=memory)
    kind = _kind(student)
    try:
        kind.write(student, into, int8=int8, opset=OPSET)
    except ImportError as error:
        raise MissingExtra("onnx", needed_for="writing ONNX") from error
    shutil.copyfile(Path(__file__).parent / "programs" / f"{kind.program}.py", into / PROGRAM)


def open_exported(student: Path, folder: Path) -> Model:
    """What was exported of a student, as the program beside it runs it."""
    try:
        program = importlib.import_module(f"engine.onnx.programs.{_kind(student).program}")
    except ImportError as error:
        raise MissingExtra("onnx", needed_for="running ONNX") from error
    model: Model = program.Model(folder)
    return model


def agreement(student: Student, model: Model, inputs: Sequence[str]) -> Agreement:
    """The student and what was exported of it, side by side on some inputs. Raises UserError where there are none."""
    if not inputs:
        raise UserError("no inputs to compare answers on: give some")
    ours, theirs = student.predict(inputs), model.predict(inputs)
    pairs = list(zip(ours, theirs, strict=True))
    return Agreement(
        rows=len(pairs),
        equal=sum(own.output == output for own, (output, _) in pairs),
        largest_difference=max(abs(own.confidence - confidence) for own, (_, confidence) in pairs),
    )


def _kind(student: Path) -> Kind:
    family = read_card(student).family
    if family not in _KINDS:
        raise UserError(
            f"{student}: a student of the family {family!r} has no form in ONNX ({', '.join(_KINDS)} have): "
            "hand it on with --format safetensors"
        )
    return _KINDS[family]
