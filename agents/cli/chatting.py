"""The command that opens a page to ask the student questions: chat."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.cli.options import AnswerThreadsOption, BudgetOption, examples
from agents.cli.output import say_address, say_aside, stopped_quietly
from agents.cli.progress import under_way

if TYPE_CHECKING:
    import asyncio

    from agents.config import Configuration
    from agents.students.task import Task
    from engine.training import Student

__all__ = ["register"]


def register(app: typer.Typer) -> None:
    app.command(epilog=examples("smelt chat runs/dates", "smelt chat runs/dates --budget 1"))(chat)


def chat(
    student: Annotated[Path, typer.Argument(metavar="STUDENT", help="A student's folder, or a run that has one.")],
    model: Annotated[
        str | None, typer.Option(metavar="PROVIDER/NAME", help="Who may be asked too, on a button (the run's teacher).")
    ] = None,
    budget: BudgetOption = None,
    port: Annotated[int | None, typer.Option(help="The port; chosen when not told.", min=1, max=65535)] = None,
    threads: AnswerThreadsOption = None,
) -> None:
    """Open a page on this machine to ask the student questions. What it gets wrong can be put right there."""
    from agents.cli.students import student_folder
    from agents.interrupts import until_told
    from agents.students.task import read_task
    from engine import training

    training.use_threads(threads)
    folder = student_folder(student).resolve()
    task = read_task(folder)
    configuration = _teacher(folder, task, model=model, budget=budget)
    with under_way("loading the student"):
        loaded = training.load(folder)
    with stopped_quietly():
        import asyncio

        asyncio.run(until_told(lambda told: _open(folder, loaded, task, configuration, port=port, until=told)))


def _teacher(folder: Path, task: Task | None, *, model: str | None, budget: str | None) -> Configuration | None:
    """How the teacher is to be asked. Nobody is where none was wanted and none can be, which is said in a line.

    Raises UserError where one was wanted.
    """
    from agents.chat.second_opinion import configuration_for
    from agents.run_folder import RunFolder
    from engine.errors import UserError

    try:
        if task is None:
            raise UserError(f"{folder}: was trained on rows alone, and knows no task to ask a teacher about")
        return configuration_for(RunFolder(folder.parent), model=model, budget=budget)
    except UserError as error:
        if model is not None or budget is not None:
            raise
        say_aside(f"without a teacher beside the student: {error}")
        return None


async def _open(
    folder: Path,
    student: Student,
    task: Task | None,
    configuration: Configuration | None,
    *,
    port: int | None,
    until: asyncio.Event,
) -> None:
    import asyncio

    from agents.chat.corrections import file_beside
    from agents.chat.second_opinion import opened
    from agents.chat.serving import Behind, examples_of, serve_page

    async with AsyncExitStack() as stack:
        teacher = None
        if configuration is not None and task is not None:
            about = f"smelt chat\0{task.prompt}"
            teacher = await stack.enter_async_context(opened(configuration, task.spec, about=about))
        demonstrations = [pair.input for pair in task.spec.demonstrations] if task else []
        await serve_page(
            Behind(student, file_beside(folder), teacher, asyncio.get_running_loop()),
            title=task.name if task else folder.name,
            instruction=task.spec.instruction if task else "",
            labels=task.spec.labels if task else (),
            examples=examples_of(demonstrations, folder.parent / "data" / "validation.parquet"),
            simulated=task.simulated if task else False,
            port=port,
            on_ready=lambda address: say_address(f"the chat page is at {address} (Ctrl-C stops it)"),
            until=until,
        )
