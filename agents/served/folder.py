"""What a student was asked and a teacher answered in its place: a folder beside the student, and the rows in it.

The folder is a run of its own kind: `run.toml` says who was asked and what may be spent, `journal.db` holds every
answer that was ever paid for. Nothing else is written: a row is a question in the journal and the answer to it, so
whatever kills a server, a paid answer is a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from agents.config import Configuration
from agents.parsing.specs import write_spec
from agents.records import Spec
from agents.run_folder import RunFolder
from agents.students.task import Task
from agents.succession import succeeded
from agents.voting.ballots import LABELLING, Annotation, Ballot, Call, Voting, annotation_of, ballots_of
from engine.attempt import reply_of
from engine.errors import RequestFailed, UserError
from engine.journal import read
from engine.messages import Outcome, RawReply, Request, asked_of
from engine.prices import PICO_PER_USD
from engine.providers.former import Former

__all__ = ["begin_serving", "check_is_run", "served_annotations", "served_folder"]


def served_folder(student: Path) -> RunFolder:
    """Where the answers for a student lie: in the run that it is of, or beside it."""
    run = RunFolder(student.absolute().parent)
    if run.manifest.is_file() and run.student.name == student.absolute().name:
        return RunFolder(run.path / "served")
    return RunFolder(student.absolute().with_name(f"{student.absolute().name}-served"))


def check_is_run(folder: RunFolder) -> None:
    """Raise UserError for a folder of answers: to go on as a run would spend on rows what was meant for answers."""
    if folder.manifest.is_file() and folder.configuration().serves:
        raise UserError(
            f"{folder.path}: holds what a teacher answered behind a student, and is no run: "
            "smelt serve --fallback goes on with it, and smelt run --continue of the run that it lies in learns from it"
        )


def begin_serving(folder: RunFolder, task: Task, told: Mapping[str, object]) -> Configuration:
    """Who shall be asked now, by the options that were told (not None), and what may be spent of it in all.

    The folder is made when it is not there. Where another was asked before, what that one answered goes on counting.
    Raises UserError for what cannot be meant, and for a cap below what was spent already.
    """
    from agents.prepare import checked

    changes = {name: value for name, value in told.items() if value is not None}
    if not folder.manifest.exists():
        configuration = checked(Configuration(**{**changes, "train": False, "serves": True}))  # type: ignore[arg-type]  # typer's types
        folder.begin(prompt=task.prompt, configuration=configuration)
        write_spec(folder.spec, task.spec)
        return configuration
    if "budget" in changes:
        folder.with_budget(str(changes["budget"]))  # raises when that is spent already
    before = folder.configuration()
    if all(getattr(before, name) == changes.get(name, getattr(before, name)) for name in ("model", "base_url")):
        # Named again, it is still the one whose price and limits were told before.
        changes = {name: value for name, value in changes.items() if name not in ("model", "base_url")}
    return checked(succeeded(before, changes, asked=folder.asked()))


def served_annotations(folder: RunFolder, spec: Spec) -> list[Annotation]:
    """Every input that a teacher was paid to label, in the order of asking, with what its answers amount to.

    Another process may be serving meanwhile: what it has on disk by now counts.
    """
    if not folder.journal.is_file():
        return []
    ballots: dict[str, list[Ballot]] = {}
    for entry in read(folder.journal):
        if entry.tag == LABELLING and entry.answers and entry.raw is not None and entry.request is not None:
            for text, ballot in _votes(entry.request, entry.raw, spec, cost_usd=(entry.cost or 0) / PICO_PER_USD):
                ballots.setdefault(text, []).append(ballot)
    return [annotation_of(spec, text, cast, Voting(votes=len(cast))) for text, cast in ballots.items()]


def _votes(sent: bytes, raw: RawReply, spec: Spec, *, cost_usd: float) -> Iterator[tuple[str, Ballot]]:
    request = Request.from_canonical(sent, tag=LABELLING)
    try:
        reading = Former(asked_of(sent)).read(request, raw)
    except RequestFailed:  # paid for and of no use: that is what the journal says of it, too
        return
    reply = reply_of(reading, attempts=1, latency_s=raw.latency_s, cost_usd=cost_usd)
    for ballots in ballots_of(Outcome(request, reply=reply), Call(request, (0,)), spec):
        yield from ((request.messages[-1].content, ballot) for ballot in ballots.values())
