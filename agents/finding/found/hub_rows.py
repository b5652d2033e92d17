"""Rows of a data set on the hub, streamed: of the part and the split that suit. Knows the hub, and no task."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final

from agents.finding.found.splits import (
    BENCHMARKS,
    PIECES,
    benchmark_split,
    judging_split,
    part_of,
    spaced,
    training_split,
)
from engine.clock import Clock, SystemClock
from engine.errors import MissingExtra, SmeltError, UserError
from engine.retrieval.allowance import Allowance

if TYPE_CHECKING:
    from datasets import IterableDataset

__all__ = ["PATIENT", "Patience", "Row", "all_rows", "heard", "stream"]

Row = Mapping[str, object]
"""The columns of a row, classes by their names."""

BLOCK = 256 << 10  # bytes read beyond what is needed

READS = 3  # of a piece that breaks off, before the data set is given up
BETWEEN_READS_S = 1

MOST_CAUSES = 20

CARD: Final = "README.md"
LARGEST_CARD = 16 << 20  # bytes; the package fetches all of it before the first row

GATED = "it is behind a gate: accept its terms on the hub, and have HF_TOKEN set"
ANSWERS: Mapping[int, str] = {
    401: GATED,
    403: GATED,
    404: "the hub has no such data set, or not for everybody",
    429: "the hub has had too many questions for now",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a data set on the hub is waited for, in seconds between two rows and in all, and what it may cost."""

    silence_s: float = 60.0
    longest_s: float = 300.0
    most_bytes: int = 256 << 20  # over the line; some data sets have row groups of half a gigabyte


PATIENT: Final = Patience()

Splits = Sequence[str]


def stream(
    name: str,
    *,
    most: int,
    configs: Sequence[str] = (),
    language: str = "en",
    judging: bool = False,
    patience: Patience = PATIENT,
) -> Iterator[Row]:
    """At most so many rows; little more is fetched than that. With `judging`, of what it is judged by, if it has that.

    They come from several places of a data set where that is cheap, because many are sorted by label.
    Raises UserError when the data set is gone, behind a gate, breaks off, is too large to be read so, or is too slow.
    """
    allowance = Allowance(patience.most_bytes)
    judged = benchmark_split if name in BENCHMARKS else judging_split
    rows = _some(name, most, configs, language, judged if judging else training_split, allowance)
    return heard(rows, name=name, patience=patience, give_up=allowance.end)


def all_rows(name: str, *, split: str = "") -> Iterator[Row]:
    """All rows of a split, in their order; by default of the one to learn from. However long that takes.

    Raises UserError when the data set is gone, behind a gate, or breaks off.
    """
    allowance = Allowance()
    with _told_as_ours(name, allowance), allowance:
        if (rows := _opened(name, (), "en", lambda splits: split or training_split(splits))) is not None:
            yield from _with_names(rows, rows)


def heard(
    rows: Iterator[Row],
    *,
    name: str,
    patience: Patience = PATIENT,
    give_up: Callable[[str], None] = lambda _: None,
    clock: Clock | None = None,
) -> Iterator[Row]:
    """The rows, as long as they come soon enough. Raises UserError when they do not; `give_up` is told so too.

    They are read in a thread, which is left alone then: the packages wait and ask again for many minutes.
    """
    read: SimpleQueue[Row | SmeltError | None] = SimpleQueue()
    clock = clock or SystemClock()
    end = clock.monotonic() + patience.longest_s

    def go_through() -> None:
        try:
            for row in rows:
                read.put(row)
        except SmeltError as error:  # raised again below, where somebody waits
            read.put(error)
        finally:
            read.put(None)

    Thread(target=go_through, name="hub", daemon=True).start()
    try:
        while True:
            left = end - clock.monotonic()
            try:
                got = read.get(timeout=max(0.0, min(patience.silence_s, left)))
            except Empty:
                slow = f"it took longer than {patience.longest_s:.0f} s"
                silent = f"nothing was heard of the hub for {patience.silence_s:.0f} s"
                raise UserError(f"{name}: {slow if left <= patience.silence_s else silent}") from None
            if got is None:
                return
            if isinstance(got, SmeltError):
                raise got
            yield got
    finally:
        give_up("nobody waits for it any more")


def _some(
    name: str,
    most: int,
    configs: Sequence[str],
    language: str,
    choose: Callable[[Splits], str | None],
    allowance: Allowance,
) -> Iterator[Row]:
    with _told_as_ours(name, allowance), allowance:
        _check_card(name)
        if (rows := _opened(name, configs, language, choose)) is None:
            return
        for row in _with_names(rows, _spread(rows, most)):
            allowance.watch()  # after a connection that failed there is another client
            allowance.check()
            yield row


def _check_card(name: str) -> None:
    """Raise UserError where the page about a data set, which is fetched with it, is longer than anybody reads."""
    from huggingface_hub import HfApi, constants

    if Path(name).exists() or constants.HF_HUB_OFFLINE:
        return
    for page in HfApi().get_paths_info(name, [CARD], repo_type="dataset"):
        if (size := getattr(page, "size", 0)) > LARGEST_CARD:
            raise UserError(f"its {CARD} has {size >> 20:,} MiB, more than {LARGEST_CARD >> 20}")


def _opened(
    name: str, configs: Sequence[str], language: str, choose: Callable[[Splits], str | None]
) -> IterableDataset | None:
    """The rows of a split, of the part that suits; None where there is no split to choose."""
    try:
        from datasets import config, get_dataset_config_names, get_dataset_split_names, load_dataset
    except ImportError as error:
        raise MissingExtra("train", needed_for=f"the data set {name}") from error
    # They are twenty, five seconds apart or a minute: no word would be heard for so long.
    config.STREAMING_READ_MAX_RETRIES = config.STREAMING_OPEN_MAX_RETRIES = READS
    config.STREAMING_READ_RETRY_INTERVAL = config.STREAMING_OPEN_RETRY_INTERVAL = BETWEEN_READS_S
    for noisy in (
        "datasets",
        "huggingface_hub",
    ):  # they tell of every attempt and bad line, which one line of ours does
        logging.getLogger(noisy).setLevel(logging.CRITICAL)
    part = part_of(configs or get_dataset_config_names(name), language)
    if (split := choose(get_dataset_split_names(name, part))) is None:
        return None
    return load_dataset(name, part, split=split, streaming=True, storage_options={"hf": {"block_size": BLOCK}})


def _with_names(rows: IterableDataset, some: Iterator[Row] | IterableDataset) -> Iterator[Row]:
    """Some of the rows, with the names of classes instead of their numbers."""
    classes = _classes(rows.features or {})
    for row in some:
        yield {column: _named(value, classes.get(column, ())) for column, value in row.items()}


@contextmanager
def _told_as_ours(name: str, allowance: Allowance) -> Iterator[None]:
    """Whatever goes wrong is raised as a UserError of one line."""
    try:
        yield
    except MissingExtra:
        raise
    except UserError as error:
        raise UserError(f"{name}: {error}") from error
    except Exception as error:  # the hub, the network, the cache and the data each fail in their own way; all are told
        raise UserError(f"{name}: {allowance.over or _told(error)}") from error


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


def _told(error: BaseException) -> str:
    """What went wrong, by what the hub answered, wherever in a chain of errors that is said."""
    chain = [error]
    while (before := chain[-1].__cause__ or chain[-1].__context__) is not None and len(chain) < MOST_CAUSES:
        chain.append(before)
    if any(type(each).__name__ == "RepositoryNotFoundError" for each in chain):  # which it answers with 401 too
        return ANSWERS[404]
    for each in chain:
        status = getattr(getattr(each, "response", None), "status_code", None)
        if isinstance(status, int):
            return ANSWERS.get(status, f"the hub answers with {status}")
    if isinstance(error, ConnectionError):
        return "the hub cannot be reached; try again with a network, or give a file"
    if type(error).__name__ == "DatasetNotFoundError":
        return GATED if "gated" in str(error) else ANSWERS[404]
    # What a package says "from None" it means; what led there is an attempt of its own that failed too.
    said = next((each for each in chain if each.__suppress_context__ and each.__cause__ is None), chain[-1])
    lines = str(said).splitlines() or [type(said).__name__]
    return f"cannot be read: {lines[0]}"


def _classes(features: Mapping[str, object]) -> dict[str, Sequence[str]]:
    """The names of classes, by column."""
    return {
        column: names
        for column, feature in features.items()
        if isinstance(names := getattr(feature, "names", None), list)
    }


def _named(value: object, names: Sequence[str]) -> object:
    return names[value] if isinstance(value, int) and 0 <= value < len(names) else value
