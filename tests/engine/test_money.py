"""Money through the whole engine: random schedules against a provider that keeps its own books, stages, and savings."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.bench_budget import CLAIM, Played, play, play_killed
from benchmarks.overspenders import overspent
from engine import Budget, BudgetReached, Engine, Price, Request, Statistics
from engine.budget import Share
from engine.clock import SystemClock
from engine.fakes import virtual_time
from engine.fakes.worlds import EchoWorld
from engine.journal import Journal
from engine.providers.simulated import Simulated

MICRO = 10**6
TOKENS = 100  # each way
COST = 2 * TOKENS  # a millionth of a dollar a token


def echo() -> Simulated:
    return Simulated(EchoWorld(price=Price(input=1, output=1)), SystemClock())


def question(text: str, *, tag: str = "", n: int = 1) -> Request:
    return Request.user(text.ljust(4 * TOKENS, "x"), max_tokens=TOKENS, tag=tag, n=n)


async def ask_all(engine: Engine, requests: list[Request]) -> int:
    """How many were answered."""
    ends = await asyncio.gather(*(engine.ask(request) for request in requests), return_exceptions=True)
    assert all(isinstance(end, BudgetReached) for end in ends if isinstance(end, BaseException))
    return sum(not isinstance(end, BaseException) for end in ends)


def usd(tokens: int) -> str:
    return f"{tokens}e-6"


# -- random schedules


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.long
def test_no_schedule_overspends_or_hangs_and_the_cap_is_usable(seed: int) -> None:
    check(play(seed))


@pytest.mark.parametrize("seed", [2, 22, 74])
@pytest.mark.long
def test_second_attempts_are_paid_from_the_cap_too(seed: int) -> None:
    """With each of these it is seen if second attempts leave with no money set aside for them."""
    check(play(seed, hedge=True))


@pytest.mark.slow
@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(1000, 10**9))
def test_no_schedule_whatever_overspends_or_hangs(seed: int) -> None:
    check(play(seed), used=0.95)  # what is in the benchmark is used to 97 %; among all there may be stranger ones


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_no_schedule_overspends_when_it_is_killed_and_resumed(seed: int) -> None:
    check(play_killed(seed))


def check(played: Played, *, used: float = CLAIM) -> None:
    assert (played.overshoot, played.unknown, played.hung) == (0, 0, False), played
    assert played.billed <= played.charged <= played.cap
    assert played.used is None or played.used >= used, played


@pytest.mark.long
def test_the_judge_can_tell_who_overspends() -> None:
    """By hand nearly every schedule is overspent: were the books blind, the tests above would prove nothing."""
    overshoots = [overspent(seed) for seed in range(3)]

    assert all(each["sum afterwards"] > 0 for each in overshoots)
    assert all(each["check, then spend"] > 0 for each in overshoots)


# -- stages


def ask_in_stages(journal: Path | None, budget: Budget, *tags: str) -> Callable[[], Statistics]:
    """A process that asks fifty questions of each stage."""

    async def main() -> Statistics:
        async with Engine(echo(), budget=budget, journal=journal) as engine:
            await ask_all(engine, [question(f"{tag} {i}", tag=tag) for tag in tags for i in range(50)])
            return engine.statistics()

    return lambda: asyncio.run(main())


def test_a_stage_never_takes_more_than_its_share(tmp_path: Path) -> None:
    budget = Budget(usd(20 * COST), at_most={"generate": 0.3})

    figures = ask_in_stages(tmp_path / "journal.db", budget, "generate", "annotate")()

    assert figures.shares == {"generate": Share(at_most=6 * COST * MICRO, charged=6 * COST * MICRO)}
    assert figures.spent == figures.cap


def test_what_is_kept_for_a_stage_is_there_when_it_comes(tmp_path: Path) -> None:
    budget = Budget(usd(20 * COST), kept={"annotate": 0.25})

    first = ask_in_stages(tmp_path / "journal.db", budget, "generate")()
    then = ask_in_stages(tmp_path / "journal.db", budget, "annotate")()

    assert first.spent == 15 * COST * MICRO
    assert then.by_tag["annotate"].replies == 5


def test_shares_hold_across_processes(tmp_path: Path) -> None:
    """What a stage was charged before is read from the journal."""
    budget = Budget(usd(20 * COST), at_most={"generate": 0.3})
    ask_in_stages(tmp_path / "journal.db", budget, "generate")()

    again = ask_in_stages(tmp_path / "journal.db", budget, "generate", "parse")()

    assert again.shares["generate"].charged == 6 * COST * MICRO
    assert (again.by_tag["generate"].replies, again.by_tag["generate"].from_journal) == (6, 6)
    assert again.spent == again.cap


def test_what_is_only_assumed_counts_towards_a_share_too(tmp_path: Path) -> None:
    budget = Budget(usd(20 * COST), at_most={"generate": 0.3})

    async def crashed() -> None:
        journal = await Journal.open(tmp_path / "journal.db")
        await journal.intend(b"k" * 32, bound=6 * COST * MICRO, tag="generate")
        await journal.aclose()

    asyncio.run(crashed())
    figures = ask_in_stages(tmp_path / "journal.db", budget, "generate")()

    assert figures.shares["generate"].charged == figures.assumed == 6 * COST * MICRO
    assert figures.by_tag["generate"].replies == 0


class Muddled(Budget):
    """A budget that fails when it is to be shared out."""

    has_shares = True

    def shares(self, charged: Mapping[str, int]) -> dict[str, Share]:
        raise ZeroDivisionError(charged)


def test_an_engine_that_could_not_be_opened_holds_no_journal(tmp_path: Path) -> None:
    async def opens(budget: Budget) -> None:
        async with Engine(echo(), budget=budget, journal=tmp_path / "journal.db"):
            pass

    with pytest.raises(ZeroDivisionError):
        asyncio.run(opens(Muddled(1)))
    asyncio.run(opens(Budget(1)))


# -- what was saved


def test_what_the_journal_answers_is_counted_as_saved(tmp_path: Path) -> None:
    budget = Budget(usd(1000 * COST))

    first = ask_in_stages(tmp_path / "journal.db", budget, "parse")()
    again = ask_in_stages(tmp_path / "journal.db", budget, "parse")()

    assert first.saved_by_journal == 0
    assert again.saved_by_journal == first.spent == again.spent == 50 * COST * MICRO


def test_a_prompt_that_is_paid_once_for_several_answers_is_counted_as_saved() -> None:
    async def main() -> Statistics:
        async with Engine(echo(), budget=Budget(usd(1000 * COST))) as engine:
            await engine.ask(question("a", n=3))
            await engine.ask(question("a", n=3))  # the journal's: saved as that, and not twice
            return engine.statistics()

    figures = virtual_time.run(main())

    assert figures.saved_by_sampling == 2 * TOKENS * MICRO
    assert figures.spent == figures.saved_by_journal == 4 * TOKENS * MICRO
