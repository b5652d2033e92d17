"""Rows of a data set on the hub, streamed: of the part and the split that suit, and never what others judge by."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING

from agents.sources import Found
from engine.errors import MissingExtra, SmeltError, UserError

if TYPE_CHECKING:
    from datasets import IterableDataset

__all__ = ["heard", "judges", "part_of", "spaced", "stream", "training_split"]

JUDGING = frozenset(
    (
        "benchmark", "dev", "development", "devtest", "eval", "evaluation", "heldout", "holdout", "test", "testa",
        "testb", "testing", "testmini", "tests", "val", "valid", "validation",
    )
)  # fmt: skip
"""Words in the names of splits and files that students are judged by, here and elsewhere."""

BLOCK = 256 << 10  # bytes read beyond what is needed

SILENCE_S = 60.0

READS = 3  # of a piece that breaks off, before the data set is given up

_WORDS = re.compile(r"[^a-z]+")

MOST_CAUSES = 20

PIECES = 8
"""In so many places a data set is read, where it has them; in parquet each costs the row group that it lies in."""

GATED = "it is behind a gate: accept its terms on the hub, and have HF_TOKEN set"
ANSWERS: Mapping[int, str] = {
    401: GATED,
    403: GATED,
    404: "the hub has no such data set, or not for everybody",
    429: "the hub has had too many questions for now",
}


def stream(name: str, *, most: int, configs: Sequence[str] = (), language: str = "en") -> Iterator[Found]:
    """At most so many rows, classes by their names, numbered as they are read; little more is fetched than that.

    They come from several places of a data set where that is cheap, because many are sorted by label.
    Raises UserError when the data set is gone, behind a gate, breaks off, or nothing is heard of it for too long.
    """
    return heard(_rows(name, most=most, configs=configs, language=language), name=name)


def heard(rows: Iterator[Found], *, name: str, seconds: float = SILENCE_S) -> Iterator[Found]:
    """The rows, as long as there is one every so many seconds. Raises UserError where nothing comes for longer."""
    read: SimpleQueue[Found | SmeltError | None] = SimpleQueue()

    def go_through() -> None:
        try:
            for row in rows:
                read.put(row)
        except SmeltError as error:  # raised again below, where somebody waits
            read.put(error)
        finally:
            read.put(None)

    # The packages wait and ask again for many minutes, and cannot be told to stop: they are left alone then.
    Thread(target=go_through, daemon=True).start()
    while True:
        try:
            got = read.get(timeout=seconds)
        except Empty:
            raise UserError(f"{name}: nothing was heard of the hub for {seconds:.0f} s") from None
        if got is None:
            return
        if isinstance(got, SmeltError):
            raise got
        yield got


def _rows(name: str, *, most: int, configs: Sequence[str], language: str) -> Iterator[Found]:
    try:
        from datasets import config, get_dataset_config_names, get_dataset_split_names, load_dataset
    except ImportError as error:
        raise MissingExtra("train", needed_for=f"the data set {name}") from error
    # They are twenty, five seconds apart or a minute: no word would be heard for so long.
    config.STREAMING_READ_MAX_RETRIES = config.STREAMING_OPEN_MAX_RETRIES = READS
    for noisy in (
        "datasets",
        "huggingface_hub",
    ):  # they tell of every attempt and bad line, which one line of ours does
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    try:
        part = part_of(configs or get_dataset_config_names(name), language)
        split = training_split(get_dataset_split_names(name, part))
        rows = load_dataset(name, part, split=split, streaming=True, storage_options={"hf": {"block_size": BLOCK}})
        classes = _classes(rows.features or {})
        for number, row in enumerate(_spread(rows, most), start=1):
            yield Found(name, number, {column: _named(value, classes.get(column, ())) for column, value in row.items()})
    except Exception as error:  # the hub, the network, the cache and the data each fail in their own way; all are told
        raise UserError(f"{name}: {_told(error)}") from error


def _spread(rows: IterableDataset, most: int) -> Iterator[Mapping[str, object]]:
    """The first rows of pieces from all of a data set: of its files, or of the row groups of the only one."""
    # Earlier versions of the package cannot cut a file; it is read from its beginning then.
    pieces = rows.reshard() if rows.num_shards == 1 and hasattr(rows, "reshard") else rows
    left = most
    for place, piece in enumerate(order := spaced(pieces.num_shards)):
        if left <= 0:
            return
        quota = math.ceil(max(most / PIECES, left / (len(order) - place)))
        for row in pieces.shard(len(order), piece).take(min(quota, left)):
            left -= 1
            yield row


def spaced(count: int) -> list[int]:
    """The numbers below `count`: first some that lie evenly among them, then the others."""
    first = [place * count // PIECES for place in range(PIECES)] if count > PIECES else list(range(count))
    return first + [place for place in range(count) if place not in first]


def _told(error: BaseException) -> str:
    """What went wrong, by what the hub answered, wherever in a chain of errors that is said."""
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < MOST_CAUSES:
        chain.append(before)
    for each in chain:
        status = getattr(getattr(each, "response", None), "status_code", None)
        if isinstance(status, int):
            return ANSWERS.get(status, f"the hub answers with {status}")
    if type(error).__name__ == "DatasetNotFoundError":
        return GATED if "gated" in str(error) else ANSWERS[404]
    # What a package says "from None" it means; what led there is an attempt of its own that failed too.
    said = next((each for each in chain if each.__suppress_context__ and each.__cause__ is None), chain[-1])
    lines = str(said).splitlines() or [type(said).__name__]
    return f"cannot be read: {lines[0]}"


def part_of(configs: Sequence[str], language: str) -> str | None:
    """The part in the language, if parts are named so; otherwise the usual one, which comes first."""
    if not configs:
        return None
    spoken = [name for name in configs if name.casefold().replace("_", "-").split("-")[0] == language]
    return spoken[0] if spoken else "default" if "default" in configs else configs[0]


def judges(name: str) -> bool:
    """Whether a split, or a file, is there to judge by: "devtest" and "test_sft" are, "auxiliary_train" is not."""
    words = _WORDS.split(name.casefold())
    return "train" not in words and any(word in JUDGING for word in words)


def training_split(splits: Sequence[str]) -> str:
    """The split to learn from. Raises UserError where all are there to judge by."""
    learning = [name for name in splits if not judges(name)]
    if not learning:
        raise UserError(f"it has no split to learn from (only {', '.join(splits) or 'none'})")
    return "train" if "train" in learning else learning[0]


def _classes(features: Mapping[str, object]) -> dict[str, Sequence[str]]:
    """The names of classes, by column."""
    return {
        column: names
        for column, feature in features.items()
        if isinstance(names := getattr(feature, "names", None), list)
    }


def _named(value: object, names: Sequence[str]) -> object:
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value
