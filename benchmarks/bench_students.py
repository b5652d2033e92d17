"""Claim: `linear` stands within a point of scikit-learn done by hand; `tiny` from its seed beats `linear`, the nearest
neighbour and itself from scratch where answers are text, with 200, 1,000 and 5,000 rows to learn from.

Rows that people labelled: intents (banking77, clinc150, snips) with 10, 50 and all rows of a class, and text to text
(dates and times in 14 languages, addresses taken apart, numbers and units, names from Arabic into Latin letters) with
200, 1,000 and 5,000 rows, or what a set has of the last. A fifth of the inputs judges, and of texts also what a size
leaves over; nothing was chosen by them. By hand is what one would write: TF-IDF of words and logistic regression as
they come, and the same with word pairs and characters. Each cell is a family trained on a set of a size: its score with
the 95 % interval, and the seconds that training took. `tiny` and its rivals answer the same rows, so a paired test says
whether one is ahead by more than chance; what the seed brings to the writers alone, without the memories that both
have, is told apart.

All of it takes hours on two cores. So what is done is kept (`--cache`), under a digest of the code that trains, and the
next call goes on with what is missing; `--minutes` ends a call, at the next cell. Beside other work a clock says
nothing of a training: `--processor-time` counts what this process computes instead.

    python benchmarks/bench_students.py [SET ...] [--families linear,tiny] [--sizes 10,200] [--encoder FOLDER]
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.student_sets import SETS, Parts, parts_of, sizes_of
from engine.baselines import Copy, Majority, Nearest
from engine.errors import SmeltError
from engine.evaluation import Difference, better, wilson
from engine.retrieval.store import cache_folder
from engine.training import FAMILIES, Row, Student, load_packages, train
from engine.training.recalling import Recalling
from engine.training.tiny import SCRATCH

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared" / "data"
TINY_SECONDS = 150.0  # what `smelt train` takes unless told
MINUTES = 30.0
WITHIN = 0.01  # of the better one by hand
RIGHT = "1"

BY_HAND = ("by hand: words", "by hand: words and characters")
BASELINES = ("majority", "copy", "nearest")
TINY = ("tiny", "tiny from scratch")
NEED_AN_ENCODER = ("embedding", "classifier")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What came of one family on one set of one size. `problem` says why nothing did."""

    name: str
    size: str
    family: str
    rows: int = 0
    right: int = 0
    judged: int = 0
    seconds: float = 0.0
    problem: str = ""
    digest: str = ""
    hits: str = ""  # "1" for each judged row that was answered right, "0" for each other
    alone: str = ""  # the same of a writer without its memory

    @property
    def score(self) -> float:
        return self.right / self.judged if self.judged else 0.0

    def told(self) -> str:
        if self.problem:
            return self.problem
        low, high = wilson(self.right, self.judged)
        return f"{self.score:.3f} ({low:.3f} to {high:.3f})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conditions:
    """Under which all is measured."""

    data: Path
    seconds: float
    threads: int
    encoder: str | None
    seed: int
    clock: str  # "wall" or "processor"


Make = Callable[[Parts, Conditions, Path], Any]
"""Makes what answers: an object with `predict`, of rows, in a folder that it may use."""


def main() -> None:
    options = read_options()
    conditions = Conditions(
        data=options.data, seconds=options.seconds, threads=options.threads, encoder=options.encoder, seed=options.seed,
        clock="processor" if options.processor_time else "wall",
    )  # fmt: skip
    if not options.data.is_dir():
        print(f"{options.data} is not here: name the folder with the sets with --data, or as SMELT_DATA")
        print(json.dumps({"benchmark": "students", "cells": []}))
        return
    if options.processor_time:
        time.monotonic = time.process_time  # by which trainings, too, know how much of their time is left
    load_packages()
    digest = digest_of(conditions)
    done = {(cell.name, cell.size, cell.family): cell for cell in kept(options.cache) if cell.digest == digest}
    end = time.monotonic() + 60 * options.minutes
    missing = 0
    for name, size, family in wanted(options):
        if (name, size, family) in done:
            continue
        if time.monotonic() > end:
            missing += 1
            continue
        if (parts := parts_of(options.data, name, size)) is not None:
            cell, answers = measured(name, size, family, parts, conditions, digest)
            if options.answers is not None and answers:
                keep_answers(options.answers / f"{name}-{size}-{family}.jsonl".replace(" ", "-"), parts.test, answers)
            done[name, size, family] = cell
            keep(options.cache, cell)
            print(f"{name}, {size}, {family}: {cell.told()}, {cell.seconds:.0f} s", flush=True)
    chosen = [done[key] for key in wanted(options) if key in done]
    print_table(chosen)
    print_claims(chosen)
    if missing:
        print(f"{missing} cells are missing: call again")
    print(
        json.dumps(
            {
                "benchmark": "students",
                "missing": missing,
                "cells": [asdict(replace(cell, hits="", alone="")) for cell in chosen],
            }
        )
    )


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="How good students are on rows that people labelled.")
    parser.add_argument("sets", nargs="*", default=SETS, metavar="SET", help=", ".join(SETS))
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("SMELT_DATA", SHARED)))
    parser.add_argument("--families", type=lambda text: text.split(","), help="these alone")
    parser.add_argument("--sizes", type=lambda text: text.split(","), help="these alone")
    parser.add_argument("--seconds", type=float, default=TINY_SECONDS, help="for a training that takes a limit")
    parser.add_argument("--processor-time", action="store_true", help="count seconds of computing, not of the clock")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--encoder", help="the folder of a sentence encoder, for embedding and classifier")
    parser.add_argument("--cache", type=Path, default=cache_folder() / "bench_students.jsonl")
    parser.add_argument("--answers", type=Path, help="a folder for what was answered, for reading")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="after which no cell is begun")
    return parser.parse_args()


def wanted(options: argparse.Namespace) -> Iterator[tuple[str, str, str]]:
    """The cells, the quick families first."""
    for family in families(options.encoder):
        for name in options.sets:
            if options.families is None or family in options.families:
                sizes = [size for size in sizes_of(name) if options.sizes is None or size in options.sizes]
                yield from ((name, size, family) for size in sizes if suits(family, name))


def suits(family: str, name: str) -> bool:
    is_label = sizes_of(name) == sizes_of("banking77")
    if family in (*TINY, "copy"):
        return not is_label
    return is_label or family not in (*NEED_AN_ENCODER, *BY_HAND)


def families(encoder: str | None) -> list[str]:
    there = [*BASELINES, *BY_HAND, "linear"]
    if encoder is not None:
        there += [family for family in NEED_AN_ENCODER if family in FAMILIES]
    return [*there, *TINY]


# -- one cell


def measured(
    name: str, size: str, family: str, parts: Parts, conditions: Conditions, digest: str
) -> tuple[Cell, list[str]]:
    """What came of it, and the answers to the rows that judge."""
    folder = Path(tempfile.mkdtemp(prefix="smelt-bench-"))
    started = time.monotonic()
    try:
        student = maker(family)(parts, conditions, folder / "student")
        seconds = time.monotonic() - started
        inputs = [row.input for row in parts.test]
        answers = [said.output for said in student.predict(inputs)]
        writer = student.writer if isinstance(student, Recalling) else student
        written = [said.output for said in writer.predict(inputs)] if family in TINY else None
    except SmeltError as error:
        return Cell(name=name, size=size, family=family, problem=f"{error}"[:100], digest=digest), []
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    hits, alone = hits_of(answers, parts.test), "" if written is None else hits_of(written, parts.test)
    cell = Cell(
        name=name, size=size, family=family, rows=len(parts.train), right=hits.count(RIGHT), judged=len(hits),
        seconds=round(seconds, 2), digest=digest, hits=hits, alone=alone,
    )  # fmt: skip
    return cell, answers


def hits_of(answers: Sequence[str], rows: Sequence[Row]) -> str:
    return "".join(RIGHT if said == row.output else "0" for said, row in zip(answers, rows, strict=True))


def maker(family: str) -> Make:
    plain: dict[str, Make] = {
        "majority": lambda parts, _, __: Majority.of(parts.train),
        "copy": lambda _, __, ___: Copy(),
        "nearest": lambda parts, _, __: Nearest.of(parts.train),
        BY_HAND[0]: lambda parts, _, __: ByHand(parts.train, characters=False),
        BY_HAND[1]: lambda parts, _, __: ByHand(parts.train, characters=True),
        "tiny from scratch": lambda parts, conditions, folder: taught("tiny", parts, conditions, folder, scratch=True),
    }
    return plain.get(family) or (lambda parts, conditions, folder: taught(family, parts, conditions, folder))


def taught(family: str, parts: Parts, conditions: Conditions, folder: Path, *, scratch: bool = False) -> Student:
    """A student of the engine's, trained as `smelt train` would."""
    return train(
        family,
        parts.train,
        parts.validation,
        folder,
        seed=conditions.seed,
        time_limit_s=conditions.seconds,
        threads=conditions.threads,
        base=base_of(family, conditions, scratch=scratch),
    )


def base_of(family: str, conditions: Conditions, *, scratch: bool) -> str | None:
    """What the family starts from: the encoder, nothing in the place of the seed, or what is usual."""
    if family in NEED_AN_ENCODER:
        return conditions.encoder
    return SCRATCH if scratch else None


class ByHand:
    """TF-IDF and logistic regression, in five lines, as every tutorial has them; or with more to look at."""

    def __init__(self, rows: Sequence[Row], *, characters: bool) -> None:
        from sklearn.feature_extraction.text import TfidfVectorizer
        from sklearn.linear_model import LogisticRegression
        from sklearn.pipeline import make_pipeline, make_union

        both = make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        )
        features = both if characters else TfidfVectorizer()
        classifier = LogisticRegression(C=10.0 if characters else 1.0, max_iter=1000, tol=1e-3)
        self._pipeline = make_pipeline(features, classifier)
        self._pipeline.fit([row.input for row in rows], [row.output for row in rows])

    def predict(self, inputs: Sequence[str]) -> list[Row]:
        return [Row(text, str(label)) for text, label in zip(inputs, self._pipeline.predict(inputs), strict=True)]


# -- what is kept


def digest_of(conditions: Conditions) -> str:
    """A name for all that decides a cell but the set: the code and checkpoints that train, and the conditions."""
    told = hashlib.sha256(repr(replace(conditions, data=Path())).encode())
    files = (ROOT / "engine" / "training").rglob("*")
    for path in sorted((*files, ROOT / "benchmarks" / "student_sets.py", ROOT / "engine" / "baselines.py")):
        if path.suffix in (".py", ".safetensors"):
            told.update(path.read_bytes())
    return told.hexdigest()[:12]


def kept(path: Path) -> list[Cell]:
    if not path.is_file():
        return []
    return [Cell(**json.loads(line)) for line in path.read_text(encoding="utf-8").splitlines()]


def keep(path: Path, cell: Cell) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(cell)) + "\n")


def keep_answers(path: Path, rows: Sequence[Row], answers: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for row, said in zip(rows, answers, strict=True):
            told = {"input": row.input, "output": row.output, "answer": said}
            file.write(json.dumps(told, ensure_ascii=False) + "\n")


# -- what is shown


def print_table(cells: Sequence[Cell]) -> None:
    print(f"\n{'set':<25} {'size':>5} {'family':<27} {'rows':>5} {'score':<24} {'seconds':>8}")
    for cell in sorted(cells, key=lambda cell: (SETS.index(cell.name), len(cell.size), cell.size, -cell.score)):
        print(f"{cell.name:<25} {cell.size:>5} {cell.family:<27} {cell.rows:>5} {cell.told():<24} {cell.seconds:>8.1f}")


def print_claims(cells: Sequence[Cell]) -> None:
    found = {(cell.name, cell.size, cell.family): cell for cell in cells if not cell.problem}
    print_by_hand(list(behind_by_hand({key: cell.score for key, cell in found.items()})))
    for rival in ("linear", "nearest", TINY[1]):
        print_beaten(f"tiny from the seed beats {rival}", list(beside(rival, found)))
    writers = [
        (replace(ours, hits=ours.alone), replace(theirs, hits=theirs.alone))
        for ours, theirs in beside(TINY[1], found)
        if ours.alone and theirs.alone
    ]
    print_beaten("without their memories tiny from the seed beats tiny from scratch", writers)


def beside(rival: str, found: Mapping[tuple[str, str, str], Cell]) -> Iterator[tuple[Cell, Cell]]:
    """`tiny` and a rival, wherever there are both."""
    for (name, size, family), cell in found.items():
        if family == TINY[0] and (name, size, rival) in found:
            yield cell, found[name, size, rival]


def behind_by_hand(scores: dict[tuple[str, str, str], float]) -> Iterator[tuple[str, float]]:
    for (name, size, family), score in scores.items():
        hands = [scores[name, size, hand] for hand in BY_HAND if (name, size, hand) in scores]
        if family == "linear" and hands:
            yield f"{name}, {size}", max(hands) - score


def print_by_hand(gaps: Sequence[tuple[str, float]]) -> None:
    """Whether `linear` is within a point of the better one by hand; where it is not, and by how much."""
    missed = [f"{where} ({gap:+.3f} behind)" for where, gap in gaps if gap > WITHIN]
    told = f"DOES NOT HOLD: {'; '.join(missed)}" if missed else f"holds in all {len(gaps)}"
    print(f"\nlinear is within a point of the better one by hand: {told if gaps else 'not measured'}")


def print_beaten(claim: str, pairs: Sequence[tuple[Cell, Cell]]) -> None:
    """How far the first is ahead of a rival on the same rows, and where no further than chance may bring."""
    told = [(ours, difference(ours, theirs)) for ours, theirs in pairs]
    missed = [f"{ours.name}, {ours.size}" for ours, ahead in told if ahead.value <= 0]
    unclear = [f"{ours.name}, {ours.size}" for ours, ahead in told if ahead.value > 0 and not ahead.is_better]
    verdict = f"DOES NOT HOLD for {'; '.join(missed)}" if missed else f"holds in all {len(told)}"
    print(f"\n{claim}: {verdict if told else 'not measured'}", end="")
    print(f"; within chance: {'; '.join(unclear)}" if unclear else "")
    for ours, ahead in told:
        print(f"    {ours.name}, {ours.size}: {share(ours.hits):.3f}, {ahead}")


def share(hits: str) -> float:
    return hits.count(RIGHT) / len(hits)


def difference(ours: Cell, theirs: Cell) -> Difference:
    """How much more often one is right than the other on the same rows."""
    return better(ours.hits, theirs.hits, [RIGHT] * ours.judged, metric="exact match")


if __name__ == "__main__":
    main()
