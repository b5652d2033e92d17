"""A worker's journal that nobody can read: the run says the way out, and what may have been spent counts as spent."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from engine import Budget
from engine.errors import JournalUnusable
from engine.fleet.gathering import gather, looked_into
from engine.fleet.stakes import Stake
from engine.journal import peek
from tests.engine.asking import GENEROUS, question, questions
from tests.engine.fleet.near_fleets import Service, fleet_of


def charged(journal: Path) -> int:
    return sum(each.spent + each.assumed for each in peek(journal).by_tag.values())


def left(run: Path, *, amount: int) -> Path:
    """The damaged journal of a worker that was lent so many pico-dollars."""
    folder = run / "workers" / "w0001"
    folder.mkdir(parents=True)
    Stake(folder).note({"annotate": amount})
    (folder / "journal.db").write_bytes(b"no database at all" * 1000)
    return folder / "journal.db"


def test_it_is_told_in_a_line_with_the_way_out_and_what_that_costs(tmp_path: Path) -> None:
    path = left(tmp_path, amount=4 * 10**9)

    with pytest.raises(JournalUnusable) as raised:
        asyncio.run(gather(tmp_path / "journal.db", tmp_path / "workers", budget=GENEROUS))
    told = str(raised.value)
    assert str(path) in told
    assert "or delete it: then $0.0050, all that this worker may have spent, counts as spent" in told
    assert "\n" not in told
    assert path.exists()
    with pytest.raises(JournalUnusable) as raised:
        looked_into(tmp_path / "workers")
    assert str(raised.value) == told


@pytest.mark.parametrize(
    ("usd", "assumed"),
    [pytest.param("1", 5 * 10**9, id="all of it"), pytest.param("0.003", 3 * 10**9, id="what the budget had left")],
)
def test_deleted_it_costs_what_its_worker_may_have_spent_once(tmp_path: Path, usd: str, assumed: int) -> None:
    left(tmp_path, amount=4 * 10**9).unlink()
    shutil.copytree(tmp_path / "workers", tmp_path / "copy")

    asyncio.run(gather(tmp_path / "journal.db", tmp_path / "workers", budget=Budget(usd=usd)))
    assert not (tmp_path / "workers").exists()
    assert peek(tmp_path / "journal.db").by_tag["annotate"].assumed == assumed
    shutil.copytree(tmp_path / "copy", tmp_path / "workers")  # as if it had died before the folder was gone
    asyncio.run(gather(tmp_path / "journal.db", tmp_path / "workers", budget=GENEROUS))
    assert charged(tmp_path / "journal.db") == assumed


def test_what_a_worker_may_spend_is_on_disk_before_it_may(tmp_path: Path) -> None:
    """And a run whose driver was killed goes on without the journal: charged with more than was billed, never less."""
    run, killed = tmp_path / "run", tmp_path / "killed"
    service = Service()

    async def main() -> None:
        fleet, _ = fleet_of(service, 1, run)
        async with fleet:
            for i in range(30):
                await fleet.ask(question(f"row {i}"))
                assert sum(Stake.in_folder(run / "workers" / "w0001").amounts.values()) >= service.billed
            shutil.copytree(run, killed, ignore=shutil.ignore_patterns("*-shm"))
        for file in (killed / "workers" / "w0001").glob("journal.db*"):
            file.unlink()
        fleet, _ = fleet_of(service, 1, killed)
        async with fleet:
            outcomes = [outcome async for outcome in fleet.map(questions(30))]
            assert all(outcome.reply is not None for outcome in outcomes)
            figures = fleet.statistics()
        assert service.billed <= figures.spent + figures.assumed == charged(killed / "journal.db")
        assert set(service.asked.values()) == {2}

    asyncio.run(main())


def test_what_was_noted_and_cannot_be_read_is_no_reason_to_guess(tmp_path: Path) -> None:
    path = left(tmp_path, amount=1)
    path.unlink()
    (path.parent / "at-stake.json").write_text("{}")

    with pytest.raises(JournalUnusable, match=r"at-stake\.json cannot be read"):
        asyncio.run(gather(tmp_path / "journal.db", tmp_path / "workers", budget=GENEROUS))
