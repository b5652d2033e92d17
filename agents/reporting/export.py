"""The rows of a run in the forms that other tools train on: one row in, one line out. Pure but for the reading.

What each form is for, and who documents it:
- alpaca: `instruction`, `input`, `output`, as Stanford Alpaca's file has them and LLaMA-Factory and axolotl read them
- chat: `messages` of a system, a user and an assistant turn, TRL's conversational form of language modelling
- openai: the same, as OpenAI's supervised fine-tuning takes it: JSONL, ten rows at least
- trl: `prompt` and `completion` as messages, TRL's conversational prompt-completion: only the answer is learnt
- prompt-completion: the two as texts, TRL's standard prompt-completion; the answer begins with a blank
- csv: the plain columns, for spreadsheets and everything else
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from agents.prompts import fill
from agents.reading.rows import records
from agents.records import Spec
from engine.errors import UserError
from engine.text import meant

__all__ = ["FORMATS", "LEAST_FOR_OPENAI", "Csv", "Row", "checked_parts", "csv_line", "json_line", "rows_of"]

LEAST_FOR_OPENAI = 10
"""OpenAI refuses a file for fine-tuning with fewer rows."""

PARTS = ("train", "validation", "test", "labelled")
CSV_COLUMNS = ("row", "input", "output", "agreement", "cost_usd", "given", "rest")

# What a spreadsheet takes for a formula by its first character (OWASP's list, with the full-width forms that some of
# them fold), and what begins so and is a number all the same.
FORMULA = re.compile(r"[=+\-@\t\r\n＝＋－＠]")
NUMBER = re.compile(r"[+-]?\d+(?:[.,]\d+)*(?:[eE][+-]?\d+)?%?")

Row = Mapping[str, object]  # as it stands in the parquet file


def rows_of(data: Path, parts: Sequence[str]) -> Iterator[Row]:
    """The rows of some parts, a few at a time from the disk."""
    for part in parts:
        for _, row in records(data / f"{part}.parquet"):
            yield row


def json_line(row: Row, *, spec: Spec, form: str) -> bytes:
    """A row in one of the JSON forms, as a line."""
    line = orjson.dumps(FORMATS[form](str(row["input"]), str(row["output"]), spec), option=orjson.OPT_APPEND_NEWLINE)
    # Two characters that stand in texts only, and at which some readers would break the line.
    return line.replace("\u2028".encode(), rb"\u2028").replace("\u2029".encode(), rb"\u2029")


def _alpaca(asked: str, answered: str, spec: Spec) -> object:
    return {"instruction": spec.instruction, "input": asked, "output": answered}


def _chat(asked: str, answered: str, spec: Spec) -> object:
    return {"messages": [*_prompt(asked, spec), _message("assistant", answered)]}


def _trl(asked: str, answered: str, spec: Spec) -> object:
    return {"prompt": _prompt(asked, spec), "completion": [_message("assistant", answered)]}


def _texts(asked: str, answered: str, spec: Spec) -> object:
    prompt = fill("complete", instruction=spec.instruction, input=asked)
    return {"prompt": prompt, "completion": f" {answered}"}


def _prompt(asked: str, spec: Spec) -> list[dict[str, str]]:
    return [_message("system", spec.instruction), _message("user", asked)]


def _message(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


FORMATS: Mapping[str, Callable[[str, str, Spec], object]] = {
    "alpaca": _alpaca,
    "chat": _chat,
    "openai": _chat,
    "prompt-completion": _texts,
    "trl": _trl,
}
"""The JSON forms, by name; `csv` is written by `Csv`."""


@dataclass(slots=True)
class Csv:
    """Writes rows as CSV, the header first. A cell that a spreadsheet would run gets an apostrophe in front.

    Numbers are none of these, whatever their sign. With `as_is` every cell stays what it is; `guarded` counts those
    that did not.
    """

    as_is: bool = False
    guarded: int = 0

    def lines(self, rows: Iterator[Row]) -> Iterator[bytes]:
        columns: tuple[str, ...] = ()
        for row in rows:
            if not columns:
                columns = tuple(name for name in CSV_COLUMNS if name in row)
                yield csv_line(columns)
            yield csv_line([self._cell(row.get(name)) for name in columns])

    def _cell(self, value: object) -> str:
        return self.guard("" if value is None else str(value))

    def guard(self, text: str) -> str:
        """A cell as it may stand in a file that somebody opens in a spreadsheet."""
        if self.as_is or not FORMULA.match(text) or NUMBER.fullmatch(text):
            return text
        self.guarded += 1
        return f"'{text}"


def csv_line(cells: Sequence[str], *, delimiter: str = ",") -> bytes:
    """Cells as a line of CSV in UTF-8; half a surrogate pair becomes a question mark."""
    line = io.StringIO(newline="")
    csv.writer(line, delimiter=delimiter).writerow(cells)
    return line.getvalue().encode("utf-8", "replace")


def checked_parts(data: Path, wanted: Sequence[str]) -> tuple[str, ...]:
    """The parts to export: those that are wanted, or `train`, or the labels of a run that only labelled."""
    there = tuple(name for name in PARTS if (data / f"{name}.parquet").is_file())
    if not there:
        raise UserError(f"{data}: has no rows yet; bring the run to its end: smelt resume {data.parent}")
    if not wanted:
        return ("labelled",) if "labelled" in there else ("train",)
    if tuple(wanted) == ("all",):
        return there
    if missing := [part for part in wanted if part not in there]:
        there = (*there, "all")
        raise UserError(f"{data}: has no part {missing[0]!r}{meant(missing[0], there)}; there are: {', '.join(there)}")
    return tuple(wanted)
