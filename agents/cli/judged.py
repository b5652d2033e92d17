"""What was found out about a student, said: tables and sentences for a person, one JSON object for a machine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING

from agents.cli.output import print_json, say, say_facts, say_table

if TYPE_CHECKING:
    from agents.evaluate import Findings, Judgement

__all__ = ["UNKNOWN_ROWS", "say_findings"]

NOTHING: Mapping[str, str] = MappingProxyType({})
WORST_LABELS = 10  # the JSON has all of them

UNKNOWN_ROWS = "Nobody has said which rows the student has learnt from, so none are left out: say it with --train FILE."


def say_findings(found: Findings, *, json: bool, more: Mapping[str, str] = NOTHING, notes: Sequence[str] = ()) -> None:
    """What was found out about a student on one set of rows, in words or as one JSON object.

    `notes` are warnings that the rows themselves do not tell.
    """
    (judgement,) = found.judgements
    warnings = [*judgement.warnings(), *notes]
    if json:
        parts = {name: getattr(found, name) for name in ("promised", "costs", "growth")}
        told = {name: part and dataclasses.asdict(part) for name, part in parts.items()}
        print_json({**more, **dataclasses.asdict(judgement), **told, "warnings": warnings})
        return
    _say_tables(judgement)
    for sentence in (*_sentences(found), *warnings):
        say(sentence)
    say_facts(more)


def _say_tables(judgement: Judgement) -> None:
    from agents.evaluate import table_of

    say_table(f"{judgement.rows} rows, 95 % intervals", table_of(judgement))
    worst = sorted(judgement.labels, key=lambda label: label.f1)[:WORST_LABELS]
    if worst:
        say_table(
            "labels, the worst first",
            [
                {
                    "label": each.label,
                    "rows": str(each.rows),
                    "precision": _share(each.precision),
                    "recall": _share(each.recall),
                    "F1": f"{each.f1:.2f}",
                }
                for each in worst
            ],
        )


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _sentences(found: Findings) -> list[str]:
    from agents.evaluate.told import reliable

    told = [] if found.promised is None else [reliable(found.promised)]
    return [*told, *(part.told() for part in (found.costs, found.growth) if part is not None)]
