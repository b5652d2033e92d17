"""Rows become files: split so that nothing straddles, written so that equal rows give equal bytes.

What a text may hold on its way into a file: everything but lone surrogates, which no file can, and NUL, which many
readers take for an end. Accepted rows have neither (the filter sees to it); in rejected ones both become U+FFFD.
"""

from __future__ import annotations

import hashlib
import io
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from agents.records import Example, Origin, Provenance, Reject, Spec, Verdict
from agents.reporting.data_card import DataCard, card_text
from agents.run_folder import write_whole
from engine.duplicates import groups
from engine.text import writable

__all__ = ["JUDGED", "Split", "collect", "split_rows", "storable", "storable_or_none", "verdict_columns"]


JUDGED = {"judge_score": "int64", "judge_fault": "string", "judge_model": "string", "judge_question": "string"}
"""The columns that a judge's verdicts take."""

Tie = tuple[str, int | str]  # what rows may have in common: its kind, and which

STAGES_BY_ORIGIN: Mapping[Origin, str] = {
    "generated": "generate",
    "found": "retrieve",
    "transformed": "transform",
    "served": "serve",
}

# The part of the rows that goes where; who is named first has the first of rows that are not enough for all.
SHARES: Mapping[str, float] = {"train": 0.8, "test": 0.1, "validation": 0.1}

FEWEST_REQUESTS = 10  # fewer of them cannot be shared out in tenths

ANY = None  # the stratum that every row is in


@dataclass(frozen=True, slots=True)
class Split:
    """The rows to train on, to stop by, and to judge by."""

    train: tuple[Example, ...]
    validation: tuple[Example, ...]
    test: tuple[Example, ...]

    def named(self) -> dict[str, tuple[Example, ...]]:
        return {"train": self.train, "validation": self.validation, "test": self.test}


def collect(
    spec: Spec, examples: Sequence[Example], rejects: Sequence[Reject], *, folder: Path, card: DataCard, seed: int
) -> Split:
    """Split the rows and write `{train,validation,test,rejected}.parquet` and `README.md` into a folder.

    Each file is there whole or not at all; the same rows and seed give the same bytes.
    """
    split = split_rows(examples, seed=seed, stratum=_stratum_of(spec))
    _write_rows(folder, split, rejects)
    write_whole(folder / "README.md", storable(card_text(spec, split.named(), rejects, card)).encode())
    return split


def _stratum_of(spec: Spec) -> Callable[[Example], str]:
    """What must be shared out evenly: each label; for text, having an answer or not."""
    if spec.labels:
        return lambda example: example.output
    return lambda example: "empty" if example.output == spec.empty_answer else "text"


def split_rows(examples: Sequence[Example], *, seed: int, stratum: Callable[[Example], str]) -> Split:
    """Share the rows out: stratified, and all rows that are alike on the same side.

    Alike are the rows of one request, or of one passage of a document, and those whose inputs are near-duplicates, and
    so on from row to row; where the two together tie up more than half of all rows, near-duplicates alone. Rows of a
    stratum that has less than ten requests are not tied by these: a part would have many of its rows or none.

    It depends on the rows and the seed, not on their order. Parts are right to within the rows of one such family. With
    three families or more no part is empty, and none is without a stratum that has as many families of its own.
    """
    parts = _share_out(_families(examples, stratum, seed=seed), stratum)
    train, validation, test = (
        tuple(sorted(parts[name], key=lambda example: _order(seed, example.input, example.output)))
        for name in ("train", "validation", "test")
    )
    return Split(train, validation, test)


def _families(examples: Sequence[Example], stratum: Callable[[Example], str], *, seed: int) -> list[list[Example]]:
    """The rows that are alike together, in an order that only the seed and the content decide."""
    rows = sorted(examples, key=lambda row: _order(seed, row.input, row.output))
    near: list[Tie] = [("near", group) for group in groups([row.input for row in rows])]
    siblings = _siblings(rows, list(map(stratum, rows)))
    families = _tied(rows, list(zip(siblings, near, strict=True)))
    if _is_heap(families) and not _is_heap(_tied(rows, [(tie,) for tie in siblings])):
        families = _tied(rows, [(tie,) for tie in near])
    return sorted(families, key=lambda family: _order(seed, *sorted(row.input for row in family)))


def _siblings(rows: Sequence[Example], strata: Sequence[str]) -> list[Tie]:
    """What each row was written from: a passage, or the words of its request where its stratum has enough of these."""
    requests = Counter(key for key, _ in {(key, row.provenance.request) for key, row in zip(strata, rows, strict=True)})

    def written_from(number: int, row: Example, key: str) -> Tie:
        source = row.provenance
        if source.document is not None:
            return ("passage", source.document)
        return ("request", source.request) if requests[key] >= FEWEST_REQUESTS else ("row", number)

    return [written_from(number, row, key) for number, (row, key) in enumerate(zip(rows, strata, strict=True))]


def _is_heap(families: Sequence[Sequence[Example]]) -> bool:
    """Whether more than half of the rows are one family."""
    sizes = [len(family) for family in families]
    return 2 * max(sizes, default=0) > sum(sizes)


def _tied(rows: Sequence[Example], ties: Sequence[tuple[Tie, ...]]) -> list[list[Example]]:
    """Rows that share a tie, with those that share one with these, and so on."""
    leaders: dict[Tie, Tie] = {}

    def leader(tie: Tie) -> Tie:
        while (above := leaders.setdefault(tie, tie)) != tie:
            leaders[tie] = tie = leaders[above]
        return tie

    for each in ties:
        for tie in each[1:]:
            leaders[leader(tie)] = leader(each[0])
    families: dict[Tie, list[Example]] = defaultdict(list)
    for row, each in zip(rows, ties, strict=True):
        families[leader(each[0])].append(row)
    return list(families.values())


def _order(seed: int, *texts: str) -> bytes:
    return hashlib.sha256(repr((seed, texts)).encode()).digest()


def _share_out(families: Sequence[list[Example]], stratum: Callable[[Example], str]) -> dict[str, list[Example]]:
    """Each family goes where its strata lack most rows, and the part as a whole too.

    A part that has no row yet, or none of a stratum, comes before all others while there are just enough families left
    to fill them.
    """
    totals = Counter(stratum(row) for rows in families for row in rows)
    have: dict[str, Counter[str | None]] = {name: Counter() for name in SHARES}
    parts: dict[str, list[Example]] = {name: [] for name in SHARES}
    left: Counter[str | None] = Counter(key for rows in families for key in {ANY, *map(stratum, rows)})
    for rows in families:
        strata = Counter(map(stratum, rows))

        def lack(name: str, strata: Counter[str] = strata) -> float:
            share = SHARES[name]
            of_strata = sum(count * (share * totals[key] - have[name][key]) for key, count in strata.items())
            return of_strata / strata.total() + share * totals.total() - have[name][ANY]

        chosen = max(_urgent((ANY, *strata), have, left) or SHARES, key=lack)
        parts[chosen] += rows
        have[chosen].update(strata)
        have[chosen][ANY] += len(rows)
        left.subtract({ANY, *strata})
    return parts


def _urgent(
    keys: Sequence[str | None], have: Mapping[str, Counter[str | None]], left: Counter[str | None]
) -> list[str]:
    """The parts without any of a key of which no more families are left than there are such parts."""
    for key in keys:
        without = [name for name in SHARES if not have[name][key]]
        if left[key] <= len(without):
            return without[: left[key]]
    return []


def _write_rows(folder: Path, split: Split, rejects: Sequence[Reject]) -> None:
    """The rows as parquet, one file a part, and the rejected ones with their reasons."""
    every = [example.vote.verdict for examples in split.named().values() for example in examples]
    is_judged = any([*every, *(reject.verdict for reject in rejects)])
    for name, examples in split.named().items():
        columns = _verdict_columns([example.vote.verdict for example in examples], is_judged=is_judged)
        write_whole(folder / f"{name}.parquet", _parquet(_example_columns(examples) | columns))
    columns = _verdict_columns([reject.verdict for reject in rejects], is_judged=is_judged)
    write_whole(folder / "rejected.parquet", _parquet(_reject_columns(rejects) | columns))


Columns = dict[str, tuple[str, list[object]]]  # {name: (type, values)}


def _example_columns(examples: Sequence[Example]) -> Columns:
    return {
        "input": ("string", [storable(example.input) for example in examples]),
        "output": ("string", [storable(example.output) for example in examples]),
        "agreement": ("double", [example.vote.agreement for example in examples]),
        "votes": ("list", [[storable(sample) for sample in example.vote.samples] for example in examples]),
        "vote_models": ("list", [[storable(model) for model in example.vote.models] for example in examples]),
        "vote_questions": ("list", [list(example.vote.questions) for example in examples]),
        **_provenance_columns([example.provenance for example in examples]),
        "cost_usd": ("double", [example.provenance.cost_usd + example.vote.cost_usd for example in examples]),
    }


def _reject_columns(rejects: Sequence[Reject]) -> Columns:
    return {
        "input": ("string", [storable(reject.input) for reject in rejects]),
        "output": ("string", [storable_or_none(reject.output) for reject in rejects]),
        "reason": ("string", [reject.reason for reject in rejects]),
        "detail": ("string", [storable(reject.detail) for reject in rejects]),
        **_provenance_columns([reject.provenance for reject in rejects]),
        "cost_usd": ("double", [reject.provenance.cost_usd for reject in rejects]),
    }


def _provenance_columns(provenances: Sequence[Provenance]) -> Columns:
    return {
        "stage": ("string", [STAGES_BY_ORIGIN[source.origin] for source in provenances]),
        "origin": ("string", [source.origin for source in provenances]),
        "dataset": ("string", [storable_or_none(source.dataset or None) for source in provenances]),
        "row": ("int64", [source.row for source in provenances]),
        "licence": ("string", [storable_or_none(source.licence or None) for source in provenances]),
        "model": ("string", [storable(source.model) for source in provenances]),
        "question": ("string", [source.question for source in provenances]),
        "request": ("int64", [source.request for source in provenances]),
        "position": ("int64", [source.position for source in provenances]),
        "temperature": ("double", [source.temperature for source in provenances]),
        "target": ("string", [storable_or_none(source.target) for source in provenances]),
        "seeds": ("list", [[storable(seed) for seed in source.seeds] for source in provenances]),
        "attributes": ("list", [list(source.attributes) for source in provenances]),
        "case": ("string", [storable_or_none(source.case) for source in provenances]),
        "document": ("string", [storable_or_none(source.document) for source in provenances]),
    }


def _verdict_columns(verdicts: Sequence[Verdict | None], *, is_judged: bool) -> Columns:
    """What a judge said of each row; no columns where none was asked about any."""
    rows = [verdict_columns(verdict) for verdict in verdicts]
    return {name: (kind, [row[name] for row in rows]) for name, kind in JUDGED.items()} if is_judged else {}


def verdict_columns(verdict: Verdict | None) -> dict[str, object]:
    """What a judge said of a row, under the names of its columns; nothing where none was asked or none answered."""
    if verdict is None:
        return dict.fromkeys(JUDGED)
    return {
        "judge_score": verdict.score,
        "judge_fault": verdict.criterion if verdict.refused else verdict.fault,
        "judge_model": storable(verdict.model),
        "judge_question": verdict.question,
    }


def storable(text: str) -> str:
    """What any file can hold: NUL and halves of characters become U+FFFD."""
    return writable(text.replace("\x00", "\ufffd"))


def storable_or_none(text: str | None) -> str | None:
    return None if text is None else storable(text)


def _parquet(columns: Columns) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {
        "string": pa.string(),
        "double": pa.float64(),
        "int64": pa.int64(),
        "list": pa.list_(pa.string()),
    }
    # A schema, because columns without a single value would otherwise have no type.
    schema = pa.schema([(name, types[kind]) for name, (kind, _) in columns.items()])
    table = pa.table({name: values for name, (_, values) in columns.items()}, schema=schema)
    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd", compression_level=3)
    return buffer.getvalue()
