"""How fast a run goes and for how long is no part of what it is: it goes on at another pace, to the same bytes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from agents.config import PACE, Configuration
from agents.pipeline import run
from agents.run_folder import RunFolder
from engine.errors import Interrupted, UserError
from engine.events import Events

DATES = Path(__file__).parents[2] / "agents" / "demo" / "dates" / "prompt.md"
PROMPT = DATES.read_text(encoding="utf-8")
CONFIGURATION = Configuration(model="simulated/dates", budget="5", examples=5, train=False)
FASTER = replace(CONFIGURATION, rpm=3000, tpm=10**7, concurrency=40, hedge=True, deadline=7200.0, ray="none")


def begun(path: Path, configuration: Configuration) -> RunFolder:
    folder = RunFolder(path)
    folder.begin(prompt=PROMPT, configuration=configuration)
    return folder


@pytest.mark.parametrize("name", PACE)
def test_a_run_is_entered_again_at_another_pace(tmp_path: Path, name: str) -> None:
    begun(tmp_path, CONFIGURATION)

    folder = begun(tmp_path, replace(CONFIGURATION, **{name: getattr(FASTER, name)}))

    assert folder.configuration() == CONFIGURATION
    with pytest.raises(UserError, match="holds another run"):
        begun(tmp_path, replace(FASTER, seed=1))


def test_a_deadline_ends_a_run_in_order_at_the_pace_that_was_told_last(tmp_path: Path) -> None:
    begun(tmp_path, CONFIGURATION)
    in_a_hurry = replace(FASTER, deadline=1e-6)

    with pytest.raises(Interrupted, match=r"the run's time of 1e-06 s is over: nothing more is asked"):
        run(begun(tmp_path, in_a_hurry), in_a_hurry, events=Events())

    assert RunFolder(tmp_path).configuration() == in_a_hurry


@pytest.mark.parametrize("deadline", [0.0, -1.0, float("inf"), float("nan")])
def test_a_deadline_that_is_no_time_is_refused(deadline: float) -> None:
    with pytest.raises(UserError, match="--deadline must be above 0"):
        replace(CONFIGURATION, deadline=deadline)
