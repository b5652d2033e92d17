"""Another provider in the middle of a run, over the real command line. Slow; `make test` runs it."""

from __future__ import annotations

import asyncio
import signal
from pathlib import Path

import pytest

from engine.journal import peek
from tests.end_to_end.commands import Ended, Watched, data_of, generating, rows_in, smelt, stopped_at, teacher

pytestmark = pytest.mark.slow

PRICED = ("--price-in", "0.5", "--price-out", "4")


@pytest.mark.parametrize(("first", "then"), [("openai", "anthropic"), ("anthropic", "openai"), ("openai", "openai")])
def test_a_run_goes_on_with_another_provider_and_pays_for_nothing_twice(
    tmp_path: Path, undisturbed: dict[str, bytes], first: str, then: str
) -> None:
    """Both have the same world behind them, so the data tell that nothing was lost or asked otherwise."""
    run = tmp_path / "run"
    one, other = Watched("dates"), Watched("dates")

    async def swap() -> tuple[Ended, Ended, Ended]:
        async with teacher(one) as before, teacher(other) as after:
            one.latency_s = 0.05
            stopped = await stopped_at(one, 60, signal.SIGINT, generating(run, url=before.url, dialect=first))
            asked = one.asked.total()
            swapped = await smelt("resume", run, "--model", f"{then}/after", "--base-url", after.url, *PRICED)
            again = await smelt("resume", run, "--quiet")
            assert one.asked.total() == asked
            return stopped, swapped, again

    stopped, swapped, again = asyncio.run(swap())
    counts = peek(run / "journal.db")
    both = one.asked & other.asked

    assert (stopped.code, swapped.code, again.code) == (130, 0, 0), swapped.err
    assert one.asked_again == other.asked_again == 0
    assert not both, "what one has answered the other was asked again"
    assert counts.answered_twice == 0
    assert f"{then}/after" in (run / "data" / "README.md").read_text(encoding="utf-8")
    assert f"before: {first}/dates" in (run / "data" / "README.md").read_text(encoding="utf-8")
    assert rows_in(data_of(run)) == rows_in(undisturbed)
