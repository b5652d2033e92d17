"""The command that tunes a teacher: teach."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.checks import MOST_SEED
from agents.cli.options import JsonOption, QuietOption, ThreadsOption, examples
from agents.cli.output import print_json, say, say_aside, say_facts, say_table
from agents.cli.progress import under_way

if TYPE_CHECKING:
    from agents.records import Pair, Spec
    from agents.teaching.teach import Material
    from engine.training import Row

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command(
        epilog=examples(
            "smelt teach labels.csv --model local/Qwen/Qwen3-0.6B --prompt prompt.md",
            "smelt teach labels.csv --model local/models/mine --inputs unlabelled.csv --sweep 10,50,200",
        )
    )(teach)


def teach(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Your labelled rows: JSONL, CSV, TSV, JSON or parquet.")],
    model: Annotated[
        str,
        typer.Option("--model", metavar="local/NAME", help="A decoder-only model: a folder, or an id in the cache."),
    ],
    prompt: Annotated[
        str | None,
        typer.Option(
            metavar="FILE", help="The prompt that the teacher will be asked with; else the rows tell the task."
        ),
    ] = None,
    inputs: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Inputs without labels, for the teacher to label.")
    ] = None,
    test: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Real rows to judge by; otherwise a tenth of DATA.")
    ] = None,
    sweep: Annotated[
        str | None,
        typer.Option(metavar="N,N,...", help="Also with so few real labels, and with mixes of real and made-up rows."),
    ] = None,
    examples: Annotated[
        int, typer.Option(metavar="N", help="Rows that the teacher labels, and writes, for the students.", min=0)
    ] = 200,
    student: Annotated[
        str | None, typer.Option(metavar="FAMILY", help="Of the students: linear or tiny (linear for labels).")
    ] = None,
    train_seconds: Annotated[float, typer.Option(metavar="SECONDS", help="How long each training may take.", min=1)] = (
        600.0
    ),
    whole: Annotated[
        bool, typer.Option("--whole", help="Tune every weight, not an adapter (LoRA): more memory, for small models.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where to put it (teachers/NAME).")] = None,
    seed: Annotated[int, typer.Option(metavar="N", min=0, max=MOST_SEED)] = 0,
    threads: ThreadsOption = None,
    json: JsonOption = False,
    quiet: QuietOption = False,
) -> None:
    """Tune a local model as a teacher on few real labels. It costs nothing; the table says what it is worth."""
    from agents.cli.prompt_files import read_prompt
    from agents.parsing.parse import parse
    from agents.run_folder import free_name
    from agents.teaching.table import lines_of
    from agents.teaching.teach import Wish
    from agents.teaching.teach import teach as tune_and_judge

    wish = Wish(
        model=model,
        student=_family(student),
        examples=examples,
        sweep=_numbers(sweep),
        seconds=train_seconds,
        seed=seed,
        threads=threads,
        whole=whole,
    )
    spec = None if prompt is None else parse(read_prompt(prompt).text)
    folder = out or free_name(Path("teachers"), data.stem)
    material = _material(data, spec, inputs=inputs, test=test, seed=seed)
    with under_way("teaching", shown=not quiet):
        report = tune_and_judge(folder, material, wish, tell=_silent if quiet else say_aside if json else say)
    if json:
        print_json(report.as_table())
        return
    say_table(f"{report.test_rows} real rows, 95 % intervals", lines_of(report))
    for note in report.notes:
        say(note)
    say_facts({"teacher": f"--model local/{report.teacher}", "task": report.spec, "table": str(folder / "teach.md")})


def _silent(_: str) -> None:
    """Nobody wants to be told how it goes."""


def _family(name: str | None) -> str | None:
    from engine.errors import UserError
    from engine.text import meant
    from engine.training import FAMILIES

    if name is not None and name not in FAMILIES:
        raise UserError(f"--student: unknown family {name!r}{meant(name, FAMILIES)}; there are {', '.join(FAMILIES)}")
    return name


def _numbers(sweep: str | None) -> tuple[int, ...]:
    from engine.errors import UserError

    try:
        return tuple(sorted({int(number) for number in sweep.split(",")})) if sweep else ()
    except ValueError as error:
        raise UserError(f"--sweep: must be whole numbers with commas between them (got {sweep!r})") from error


def _material(data: Path, spec: Spec | None, *, inputs: Path | None, test: Path | None, seed: int) -> Material:
    """A tenth of the rows chooses, another judges, unless there are rows of its own for that."""
    from agents.reading.inputs import examine
    from agents.reading.rows import read_rows
    from agents.students.shares import split_off
    from agents.teaching.teach import Material

    shares = split_off(read_rows(data), seed=seed, named=data)
    train, validation, judged_by = map(_pairs, (shares.train, shares.validation, shares.test))
    if test is not None:
        train, judged_by = (*train, *judged_by), read_rows(test)
        train, validation = _apart(train, judged_by), _apart(validation, judged_by)
    texts = () if inputs is None else tuple(row.text for row in examine(inputs).inputs if row.text.strip())
    return Material(spec=spec, train=train, validation=validation, test=judged_by, unlabelled=texts)


def _pairs(rows: Sequence[Row]) -> tuple[Pair, ...]:
    from agents.records import Pair

    return tuple(Pair(row.input, row.output) for row in rows)


def _apart(rows: Sequence[Pair], test: Sequence[Pair]) -> tuple[Pair, ...]:
    """Without rows to judge by, which nobody may have learnt; how many these are is said."""
    judged_by = {row.input for row in test}
    kept = tuple(row for row in rows if row.input not in judged_by)
    if len(kept) < len(rows):
        say_aside(f"note: {len(rows) - len(kept)} rows are also among the test rows, and are not learnt from")
    return kept
