"""How a run stands, as a file that others read."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from engine.budget import Share
from engine.dashboard.storing import SILENT_S, Process, Snapshot, load, save
from engine.statistics import ModelStatistics, WorkerStatistics
from tests.engine.pictures import CENT, HOSTILE, figures
from tests.engine.test_dashboard import busy_view, drawn


def snapshot_of(text: str = "on May 5th", *, over: bool = False) -> Snapshot:
    model = ModelStatistics(model=text, endpoint=text, standing="asked", replies=1, from_journal=0, cost=5)
    worker = WorkerStatistics(
        name=text, node=text, standing="asking", replies=1, in_flight=2, waiting=3, requests_a_minute=4.5, cost=6
    )
    shown = figures(shares={"generate": Share(at_most=CENT)}, by_model=(model, model), workers=(worker,))
    return Snapshot(view=busy_view(text), figures=shown, at=1000.0, process=Process.this(), over=over)


def test_what_was_written_down_draws_the_same(tmp_path: Path) -> None:
    snapshot = snapshot_of()

    save(tmp_path / "live.json", snapshot)
    found = load(tmp_path / "live.json")

    assert found is not None
    assert replace(found, view=snapshot.view) == snapshot
    assert drawn(found.view, shown=found.figures, width=120) == drawn(snapshot.view, shown=snapshot.figures, width=120)
    assert [each.name for each in tmp_path.iterdir()] == ["live.json"]


def test_hostile_texts_can_be_written_down(tmp_path: Path) -> None:
    save(tmp_path / "live.json", snapshot_of(HOSTILE))
    found = load(tmp_path / "live.json")

    assert found is not None
    assert found.view.examples[-1].input.startswith("a\x1b[2J")


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"{", id="cut"),
        pytest.param(b"[]", id="another-kind"),
        pytest.param(b'{"view": {"title": 3}}', id="other-types"),
        pytest.param(b'{"view": null, "figures": null, "at": 0, "process": null, "over": false}', id="nothing-in-it"),
    ],
)
def test_what_is_damaged_is_as_good_as_nothing(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "live.json").write_bytes(content)

    assert load(tmp_path / "live.json") is None
    assert load(tmp_path / "missing.json") is None


def test_a_process_is_told_from_a_later_one_with_its_number() -> None:
    this = Process.this()

    assert this.is_alive() is True
    assert this.began == "" or replace(this, began="1").is_alive() is False
    assert replace(this, number=2**22 + os.getpid()).is_alive() is False
    assert replace(this, host="elsewhere.invalid").is_alive() is None


def test_a_run_elsewhere_is_alive_as_long_as_it_is_not_silent() -> None:
    snapshot = snapshot_of()
    elsewhere = replace(snapshot, process=replace(snapshot.process, host="elsewhere.invalid"))

    assert elsewhere.is_alive(now=1000.0 + SILENT_S)
    assert not elsewhere.is_alive(now=1001.0 + SILENT_S)
    assert snapshot.is_alive(now=10_000.0)
    assert not snapshot_of(over=True).is_alive(now=1000.0)
