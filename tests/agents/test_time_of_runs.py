"""Where the time went: heard while a run goes on, over all the processes that carried it."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.reporting.pace import listening, pace_of, read_sittings
from engine.events import AttemptFailed, Events, ReplyReceived, RequestSent, StageFinished, StageStarted

REPLY = ReplyReceived("generate", 7, 10, 5, 0.1, from_journal=False)


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 50.0

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        raise AssertionError(f"nothing waits here, and not for {seconds} s")


def sit(path: Path, *, seconds: float, ends: bool = True) -> None:
    """A process that generates for so long."""
    clock, events = HandClock(), Events()
    with listening(path, events, clock=clock):
        events.emit(StageStarted("generate"))
        events.emit(RequestSent("generate"))
        events.emit(AttemptFailed("generate", "rate", 1.0))
        events.emit(REPLY)
        clock.now += seconds
        if ends:
            events.emit(StageFinished("generate"))


def test_the_sittings_of_a_run_add_up(tmp_path: Path) -> None:
    path = tmp_path / "pace.json"
    sit(path, seconds=3.0)
    sit(path, seconds=4.0)

    pace = pace_of(read_sittings(path))

    assert (pace.sittings, pace.seconds, pace.stages) == (2, 7.0, {"generate": 7.0})
    assert [moment.sitting for moment in pace.moments] == [1, 2]
    assert pace.limits_met == 2
    assert pace.moments[0].requests_per_minute == 60.0, "one in the first second"


def test_a_stage_that_was_cut_off_counts_as_far_as_it_came(tmp_path: Path) -> None:
    sit(tmp_path / "pace.json", seconds=3.0, ends=False)

    assert pace_of(read_sittings(tmp_path / "pace.json")).stages == {"generate": 3.0}


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"{", id="torn"),
        pytest.param(b"3", id="a number"),
        pytest.param(b'[{"seconds": 1}]', id="half a sitting"),
        pytest.param(b'[{"seconds": 1, "stages": {}, "slices": [{}]}]', id="half a slice"),
    ],
)
def test_a_file_that_cannot_be_read_costs_no_run(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pace.json"
    path.write_bytes(content)

    sit(path, seconds=3.0)

    assert pace_of(read_sittings(path)).sittings == 1


def test_what_was_heard_is_written_down_while_it_goes_on(tmp_path: Path) -> None:
    clock, events = HandClock(), Events()
    with listening(tmp_path / "pace.json", events, clock=clock):
        events.emit(StageStarted("generate"))
        assert not read_sittings(tmp_path / "pace.json")
        clock.now += 31.0
        events.emit(REPLY)

        assert pace_of(read_sittings(tmp_path / "pace.json")).seconds == 31.0


def test_a_folder_that_cannot_be_written_costs_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    sit(tmp_path / "file" / "pace.json", seconds=1.0)

    assert not read_sittings(tmp_path / "file" / "pace.json")
