"""Cards on disk as one parquet file in the user's cache: written whole or not at all, read back as they were."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, fields
from glob import escape
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal

from engine.errors import UserError
from engine.retrieval.card import Card, Column
from engine.text import first_line

if TYPE_CHECKING:
    import pyarrow

__all__ = ["Kind", "cache_folder", "kept_in", "read_cards", "write_cards", "writing"]

Kind = Literal["models", "datasets"]

_ABANDONED_S = 3600.0


def cache_folder() -> Path:
    """Where catalogues and indexes are kept: `SMELT_CACHE`, or `smelt` in the user's cache folder."""
    if named := os.environ.get("SMELT_CACHE"):
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "smelt"


def kept_in(kind: Kind, *, folder: Path | None = None) -> Path:
    """The file that holds the catalogue built from the hub, once it has been built."""
    return (folder or cache_folder()) / "catalogues" / f"{kind}.parquet"


@contextmanager
def writing(path: Path) -> Iterator[IO[bytes]]:
    """A file that is there whole or not at all; whoever reads it meanwhile sees the old one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _clear_abandoned(path)
    unfinished = path.with_suffix(f".{os.getpid()}.tmp")
    try:
        with unfinished.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _clear_abandoned(path: Path) -> None:
    """Take away what was begun by processes that were killed: a write takes seconds."""
    for left in path.parent.glob(f"{escape(path.stem)}.*.tmp"):
        with suppress(FileNotFoundError):  # its owner lives, and was just done with it
            if time.time() - left.stat().st_mtime > _ABANDONED_S:
                left.unlink()


def write_cards(path: Path, cards: Sequence[Card], *, kind: type[Card]) -> None:
    """Put the cards into a file, in their order."""
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.Table.from_pylist([asdict(card) for card in cards], schema=_schema(kind))
    with writing(path) as file:
        parquet.write_table(table, file, compression="zstd")


def read_cards(path: Path, *, kind: type[Card]) -> tuple[Card, ...]:
    """The cards of a file that `write_cards` wrote. Raises UserError when it is damaged or another kind of file."""
    import pyarrow
    from pyarrow import parquet

    try:
        rows = parquet.read_table(path, schema=_schema(kind)).to_pylist()
        return tuple(kind(**{name: _frozen(name, value) for name, value in row.items()}) for row in rows)
    except (OSError, pyarrow.ArrowException, TypeError, ValueError) as error:
        raise UserError(f"cannot read the catalogue {path}: {first_line(error)}; --refresh builds it anew") from error


def _frozen(name: str, value: object) -> Any:
    if not isinstance(value, list):
        return value
    return tuple(_column(item) for item in value) if name == "columns" else tuple(value)


def _column(row: Mapping[str, Any]) -> Column:
    return Column(row["name"], row["type"], tuple(row["labels"]), tuple(row["sample"]))


def _schema(kind: type[Card]) -> pyarrow.Schema:
    import pyarrow

    texts = pyarrow.list_(pyarrow.string())
    column = pyarrow.struct(
        [("name", pyarrow.string()), ("type", pyarrow.string()), ("labels", texts), ("sample", texts)]
    )
    types = {
        "str": pyarrow.string(), "str | None": pyarrow.string(), "int": pyarrow.int64(), "int | None": pyarrow.int64(),
        "bool": pyarrow.bool_(), "tuple[str, ...]": texts, "tuple[Column, ...]": pyarrow.list_(column),
    }  # fmt: skip
    return pyarrow.schema([(field.name, types[str(field.type)]) for field in fields(kind)])
