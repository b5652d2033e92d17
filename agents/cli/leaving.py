"""How a student leaves: `smelt export STUDENT`, for those who run it elsewhere, and onto the hub."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from agents.cli.output import say
from agents.cli.progress import under_way

if TYPE_CHECKING:
    from agents.students.student_export import Exported

__all__ = ["export_a_student", "is_for_students"]


def is_for_students(path: Path, form: str | None) -> bool:
    """Whether what is to be exported is a student: it is one, or is to be in one of their forms."""
    return form in ("onnx", "safetensors") or (path / "student.json").is_file()


def export_a_student(
    path: Path,
    *,
    form: str | None,
    out: Path | None,
    rows: Path | None,
    full_precision: bool,
    floor: float | None,
    memory: bool,
    push_to_hub: str | None,
    public: bool,
) -> None:
    """Write a student into a folder of its own, and put that on the hub if it is wanted there."""
    from agents.checks import part
    from agents.cli.students import student_folder
    from agents.reporting.hub import push, token_in
    from agents.students.student_export import FLOOR, export_student, rows_to_compare

    if floor is not None:
        part("floor", floor)
    student, form = student_folder(path), form or "safetensors"
    token = "" if push_to_hub is None else token_in(os.environ)  # whoever has none learns it before the work
    with tempfile.TemporaryDirectory(prefix="smelt-export-") as somewhere:
        place = _place(path, form, out) if out or not push_to_hub else Path(somewhere) / "student"
        with under_way(f"writing the student as {form}, and comparing answers" if form == "onnx" else "writing"):
            exported = export_student(
                student,
                place,
                form=form,
                inputs=rows_to_compare(student, file=rows) if form == "onnx" else (),
                int8=not full_precision,
                floor=FLOOR if floor is None else floor,
                memory=memory,
            )
        _tell(exported, is_kept=out is not None or not push_to_hub)
        if push_to_hub is not None:
            say(f"the student is at {push(exported.folder, push_to_hub, public=public, token=token, kind='model')}")


def _place(path: Path, form: str, out: Path | None) -> Path:
    from agents.run_folder import free_name

    return out or free_name(Path("exported"), f"{path.resolve().name}-{form}")


def _tell(exported: Exported, *, is_kept: bool) -> None:
    if exported.agreement is not None:
        say(f"beside {exported.beside}, {exported.agreement}")
    elif exported.forgets:
        say("its memory is left out, and what its confidence was found to be worth with it")
    if is_kept:
        say(f"the student is in {exported.folder} ({exported.bytes / 1e6:,.1f} MB), with its card")
