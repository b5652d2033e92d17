"""Every row that a student was judged by, with its answer: kept beside the report, which shows a few.

Whoever wants to know where it errs has all of them; and two students can be compared by a paired test without being
asked again.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path

from agents.evaluate.judgement import Origin, Sample
from agents.run_folder import write_whole
from engine.errors import UserError
from engine.text import writable

__all__ = ["judged_rows", "keep_judged"]

COLUMNS = ("on", "input", "wanted", "got", "confidence", "right")


def keep_judged(path: Path, judged: Mapping[Origin, Sequence[Sample]]) -> None:
    """Write them down, whole or not at all: `on` which set of rows, `input`, `wanted`, `got`, `confidence`, `right`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = [(origin, sample) for origin, samples in judged.items() for sample in samples]
    table = pa.table(
        {
            "on": pa.array([origin for origin, _ in rows], pa.string()),
            "input": pa.array([writable(sample.input) for _, sample in rows], pa.string()),
            "wanted": pa.array([writable(sample.wanted) for _, sample in rows], pa.string()),
            "got": pa.array([writable(sample.got) for _, sample in rows], pa.string()),
            "confidence": pa.array([sample.confidence for _, sample in rows], pa.float64()),
            "right": pa.array([sample.right for _, sample in rows], pa.bool_()),
        }
    )
    content = io.BytesIO()
    pq.write_table(table, content)
    write_whole(path, content.getvalue())


def judged_rows(path: Path) -> dict[str, list[Sample]]:
    """What was written down, by the set of rows; nothing where nothing was. Raises UserError for a torn file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if not path.is_file():
        return {}
    try:
        rows = pq.read_table(path, columns=list(COLUMNS)).to_pylist()
    except (OSError, pa.ArrowException, KeyError, ValueError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: cannot be read ({reason}); smelt resume {path.parent} writes it anew") from error
    judged: dict[str, list[Sample]] = {}
    for row in rows:
        told = Sample(row["input"], row["wanted"], row["got"], row["confidence"], row["right"])
        judged.setdefault(str(row["on"]), []).append(told)
    return judged
