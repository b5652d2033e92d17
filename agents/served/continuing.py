"""A run that goes on from another one: its rows are taken over, and those that a teacher labelled while it served.

What was paid for then is not paid for again: the rows are of the new run from the start. They are written into its
folder before it begins, so it is the same run however often it is resumed, and whatever is served meanwhile.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from agents.config import Configuration
from agents.finding.found.records import Found
from agents.finding.found.sieve import Sieve
from agents.parsing.specs import read_spec
from agents.reading.rows import read_rows, records
from agents.records import Draft, Example, Provenance, Reject, Spec, Verdict, Vote
from agents.run_folder import RunFolder
from agents.served.folder import check_is_run, served_annotations
from agents.succession import succeeded
from agents.voting.ballots import Annotation
from engine.errors import UserError
from engine.events import Events, Noted

__all__ = ["Taken", "begun_from", "continued", "files_of", "read_taken", "take_over", "taken_over", "with_rows"]

FORMAT: Final = 1
PARTS: Final = ("train", "validation", "test")

# Of the earlier run alone. What may be spent is said anew, since that was said of another run.
ITS_OWN = ("budget", "formers", "deadline", "examples", "catalogue", "datasets", "licences")

# Requests of this run are numbered from 0, rows that it finds in data sets from -1 down; a run has fewer than these.
FIRST_TAKEN: Final = -(1 << 40)


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The rows that a run begins with, and those that were left out, each with a reason. `run` is where they are from.

    Those that a student was asked come first: they are what people really ask, so of two that are nearly the same it is
    the one that stays.
    """

    run: str
    examples: tuple[Example, ...]
    rejects: tuple[Reject, ...] = ()

    def told(self) -> str:
        """In a sentence."""
        served = sum(example.provenance.origin == "served" for example in self.examples)
        reasons = Counter(reject.reason for reject in self.rejects)
        left_out = ", ".join(f"{count:,} {reason}" for reason, count in reasons.most_common())
        told = f"taken over from {self.run}: {len(self.examples) - served:,} of its rows, and {served:,} that it served"
        return f"{told} (left out: {left_out})" if left_out else told


def continued(earlier: RunFolder, *, told: Mapping[str, object]) -> Configuration:
    """The options of a run that goes on from an earlier one, but for those that are told anew (not None).

    Raises UserError for a folder that holds no run, one that only labelled, or what a teacher answered.
    """
    before = earlier.configuration()
    check_is_run(earlier)
    if before.inputs is not None:
        raise UserError(f"{earlier.path}: only labelled inputs: there is nothing to train and to serve")
    usual: dict[str, Any] = {field.name: field.default for field in dataclasses.fields(Configuration)}
    base = dataclasses.replace(before, **{name: usual[name] for name in ITS_OWN}, train=True)
    changes = {name: value for name, value in told.items() if value is not None}
    return succeeded(base, changes, asked=())


def take_over(earlier: RunFolder, spec: Spec, *, withheld: Sequence[str]) -> Taken:
    """The rows of a run and those that it served, near-duplicates and what judges left out.

    `withheld` are inputs that must not become rows. Raises UserError where there is no row.
    """
    sieve = Sieve(spec, withheld)
    ended = [
        *(_served(sieve, each, number=FIRST_TAKEN - number) for number, each in enumerate(_labelled(earlier, spec))),
        *(_kept(sieve, example) for example in _rows(earlier)),
    ]
    examples = tuple(each for each in ended if isinstance(each, Example))
    if not examples:
        raise UserError(f"{earlier.path}: has no row to go on from; bring it to its end: smelt resume {earlier.path}")
    return Taken(
        run=str(earlier.path.resolve()),
        examples=examples,
        rejects=tuple(each for each in ended if isinstance(each, Reject)),
    )


def _labelled(earlier: RunFolder, spec: Spec) -> list[Annotation]:
    return served_annotations(RunFolder(earlier.path / "served"), spec)


def _served(sieve: Sieve, annotation: Annotation, *, number: int) -> Example | Reject:
    vote = annotation.vote
    source = Provenance(
        request=number,
        position=0,
        temperature=None,
        target=None,
        question=vote.questions[0] if vote and vote.questions else "",
        origin="served",
    )
    draft = Draft(annotation.input, source)
    return sieve.refuse(draft) or sieve.take(draft, annotation)


def _kept(sieve: Sieve, example: Example) -> Example | Reject:
    draft = Draft(example.input, example.provenance, example.output)
    return sieve.take(draft, Annotation(input=example.input, asked=0, vote=example.vote))


def _rows(earlier: RunFolder) -> list[Example]:
    """The rows of a run as they stand in its files. Those that came of one request still do."""
    files = [path for part in PARTS if (path := earlier.data / f"{part}.parquet").is_file()]
    rows = [row for path in files for _, row in records(path)]
    numbers = {number: FIRST_TAKEN * 2 - place for place, number in enumerate(dict.fromkeys(map(_request, rows)))}
    return [_example(row, request=numbers[_request(row)]) for row in rows]


def _request(row: Mapping[str, Any]) -> int:
    return int(row["request"])


def _example(row: Mapping[str, Any], *, request: int) -> Example:
    vote = Vote(
        winner=row["output"],
        agreement=row["agreement"],
        samples=tuple(row["votes"]),
        models=tuple(row["vote_models"]),
        questions=tuple(row["vote_questions"]),
        verdict=_verdict(row),
    )
    source = Provenance(
        request=request,
        position=row["position"],
        temperature=row["temperature"],
        target=row["target"],
        seeds=tuple(row["seeds"]),
        attributes=tuple(row["attributes"]),
        case=row["case"],
        document=row["document"],
        model=row["model"],
        question=row["question"],
        cost_usd=row["cost_usd"],  # the whole of it: the files do not tell the votes' part
        origin=row["origin"],
        dataset=row["dataset"] or "",
        row=row["row"],
        licence=row["licence"] or "",
    )
    return Example(row["input"], row["output"], vote, source)


def _verdict(row: Mapping[str, Any]) -> Verdict | None:
    if row.get("judge_score") is None:
        return None
    model, question = row["judge_model"] or "", row["judge_question"] or ""
    return Verdict(row["judge_score"], row["judge_fault"], model=model, question=question)


# -- in the folder of the run that goes on


def files_of(folder: RunFolder, earlier: RunFolder, taken: Taken) -> dict[Path, bytes]:
    """What the new run is to find in its folder: the rows, and what the earlier one knew of the task."""
    table = {"format": FORMAT, **dataclasses.asdict(taken)}
    known = {folder.spec: earlier.spec, folder.plan: earlier.plan, folder.documents: earlier.documents}
    copies = {there: here.read_bytes() for there, here in known.items() if here.is_file()}
    return {**copies, folder.taken: orjson.dumps(table)}


def read_taken(folder: RunFolder) -> Taken | None:
    """The rows that a run was begun with, or None where it went on from no other. UserError when they are damaged."""
    if not folder.taken.is_file():
        return None
    try:
        table = orjson.loads(folder.taken.read_bytes())
        if table["format"] != FORMAT:
            raise ValueError(table["format"])
        return Taken(
            run=table["run"],
            examples=tuple(_example_of(each) for each in table["examples"]),
            rejects=tuple(_reject_of(each) for each in table["rejects"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder.taken}: is damaged or from another version; begin the run anew") from error


def _example_of(table: Mapping[str, Any]) -> Example:
    return Example(table["input"], table["output"], _vote_of(table["vote"]), _source_of(table["provenance"]))


def _reject_of(table: Mapping[str, Any]) -> Reject:
    verdict = table["verdict"] and Verdict(**table["verdict"])
    source = _source_of(table["provenance"])
    return Reject(table["input"], table["output"], table["reason"], source, table["detail"], verdict)


def _vote_of(table: Mapping[str, Any]) -> Vote:
    verdict = table["verdict"] and Verdict(**table["verdict"])
    return Vote(**{**_with_tuples(table, ("samples", "models", "questions")), "verdict": verdict})


def _source_of(table: Mapping[str, Any]) -> Provenance:
    return Provenance(**_with_tuples(table, ("seeds", "attributes")))


def _with_tuples(table: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {**table, **{name: tuple(table[name]) for name in names}}


def withheld_of(configuration: Configuration) -> list[str]:
    """The inputs of the test rows that were given, if any were."""
    return [pair.input for pair in read_rows(Path(configuration.test))] if configuration.test else []


def begun_from(earlier: RunFolder, configuration: Configuration) -> tuple[Configuration, Taken]:
    """What a run takes over, and its options: without a wish it is to have just these rows, and none is made."""
    spec = read_spec(earlier.spec)
    taken = take_over(earlier, spec, withheld=withheld_of(configuration))
    examples = configuration.examples or len(taken.examples)
    return dataclasses.replace(configuration, examples=examples), taken


def taken_over(folder: RunFolder, *, events: Events) -> Taken:
    """The rows of an earlier run that this one goes on from; none where it is a run of its own."""
    taken = read_taken(folder)
    if taken is None:
        return Taken(run="", examples=())
    events.emit(Noted(taken.told()))
    return taken


def with_rows(found: Found, taken: Taken) -> Found:
    """Rows that exist already, wherever they are from."""
    return dataclasses.replace(
        found, examples=(*taken.examples, *found.examples), rejects=(*taken.rejects, *found.rejects)
    )
