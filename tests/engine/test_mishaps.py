"""Everything that the fake provider can do to a request, done to our engine: it ends well, or in the failure it should.

On the virtual clock, so that hours of stalls take no time; the sockets are real.
"""

from __future__ import annotations

import asyncio
import tracemalloc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from engine import (
    AuthenticationRefused,
    Budget,
    ConfigurationRefused,
    ContentFiltered,
    ContextOverflow,
    Engine,
    Outcome,
    Price,
    QuotaExhausted,
    Request,
    RequestRejected,
)
from engine.errors import SmeltError
from engine.fakes import virtual_time
from engine.fakes.audit import Audit
from engine.fakes.behaviour import Behaviour
from engine.fakes.limits import RateLimits
from engine.fakes.mishaps import FAMILIES, MISHAPS
from engine.fakes.rules import Rule, When
from engine.fakes.server import FakeProvider
from engine.fakes.worlds import EchoWorld
from engine.providers.http import LARGEST_BODY
from engine.statistics import Statistics

ROWS = 30
LATENCY_S = 0.5
PRICE = Price(input="0.25", output=2)

# One request in five meets it. Where it is about that request alone, that one fails and the others do not.
COSTS_ITS_ROW: dict[str, type[SmeltError]] = {
    "400-context": ContextOverflow,
    "413-size": ContextOverflow,
    "413-edge": ContextOverflow,
    "400-policy": ContentFiltered,
    "400-prompt": ContentFiltered,
    "400-azure-filter": ContentFiltered,
    **dict.fromkeys(
        [
            "400-parameter",
            "400-value",
            "400-minimum",
            "400-invalid",
            "413-tokens",
            "422-text",
            "422-list",
            "429-too-large",
        ],
        RequestRejected,
    ),
}
# Where it is about the account, the key or the address, nothing more is sent.
STOPS_EVERYTHING: dict[str, type[SmeltError]] = {
    **dict.fromkeys(
        ["400-hard-limit", "400-own-limit", "402-credit", "429-quota", "429-credit", "429-organization-limit",
         "429-project-limit", "429-usage-limit"], QuotaExhausted),
    **dict.fromkeys(["401-key", "403-country", "403-permission"], AuthenticationRefused),
    **dict.fromkeys(["404-model", *FAMILIES["redirects"]], ConfigurationRefused),
}  # fmt: skip
# An answer, if not the one that was given: no client can know.
CHANGES_THE_TEXT = {"nul", "line_separator", "escapes", "content_empty"}
CHANGES_A_MESSAGE = CHANGES_THE_TEXT | {"choices_empty", "choices_missing", "choices_duplicated"}  # it has blocks
LARGE = {"gzip_bomb", "huge_body"}
ENDS_WELL = [name for name in MISHAPS if name not in {*COSTS_ITS_ROW, *STOPS_EVERYTHING, "403-training", *LARGE}]


@dataclass(frozen=True)
class Run:
    """What became of it: outcomes, our books, the provider's, and the (virtual) seconds it took."""

    outcomes: Sequence[Outcome]
    statistics: Statistics
    audit: Audit
    seconds: float

    @property
    def failures(self) -> list[type[BaseException]]:
        return [type(outcome.error) for outcome in self.outcomes if outcome.error is not None]

    @property
    def altered(self) -> int:
        """How many answers are not what an echo says."""
        return sum(
            outcome.reply is not None and set(outcome.reply.texts) != {outcome.request.messages[-1].content}
            for outcome in self.outcomes
        )


def run_against(*rules: Rule, dialect: str = "openai", rows: int = ROWS, n: int = 1, **behaviour: Any) -> Run:
    """So many requests, five at a time, to a provider that keeps these rules."""

    async def main() -> Run:
        async with FakeProvider(EchoWorld(latency_s=LATENCY_S), Behaviour(rules=rules), **behaviour) as fake:
            async with Engine(
                f"{dialect}/m", base_url=fake.url, price=PRICE, budget=Budget(usd=1000), concurrency=5,
                attempt_timeout_s=20.0,
            ) as engine:  # fmt: skip
                requests = (Request.user(f"hello {number}", max_tokens=50, n=n) for number in range(rows))
                outcomes = [outcome async for outcome in engine.map(requests)]
            return Run(outcomes, engine.statistics(), fake.audit, asyncio.get_running_loop().time())

    return virtual_time.run(main())


def met(do: str) -> Rule:
    return Rule(do, When(nth=5))


def assert_books_agree(run: Run) -> None:
    """Nothing is under way any more, and whatever the provider billed was charged to the budget."""
    assert run.audit.in_flight == 0
    assert run.statistics.spent + run.statistics.assumed >= run.audit.billed


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("do", ENDS_WELL)
@pytest.mark.long
def test_what_may_be_chance_costs_time_and_no_row(do: str, dialect: str) -> None:
    run = run_against(met(do), dialect=dialect)

    assert run.failures == []
    assert run.audit.as_record()["by_fault"] or do == "answer"
    assert bool(run.altered) == (do in (CHANGES_THE_TEXT if dialect == "openai" else CHANGES_A_MESSAGE))
    assert run.seconds < (3600 if do == "429-day" else 120)
    assert_books_agree(run)


@pytest.mark.parametrize("do", [*FAMILIES["choices"], *FAMILIES["usage"], "choices_empty", "choices_null"])
def test_of_several_completions_none_is_lost_and_none_counts_twice(do: str) -> None:
    run = run_against(met(do), n=3)

    assert run.failures == []
    assert all(len(outcome.reply.texts) == 3 for outcome in run.outcomes if outcome.reply is not None)
    assert bool(run.altered) == (do == "content_empty")
    assert_books_agree(run)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("do", COSTS_ITS_ROW)
def test_what_is_about_a_request_costs_that_row(do: str, dialect: str) -> None:
    run = run_against(met(do), dialect=dialect)

    assert run.failures == [COSTS_ITS_ROW[do]] * (ROWS // 5)
    assert len(run.audit.entries) == ROWS
    assert_books_agree(run)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
@pytest.mark.parametrize("do", STOPS_EVERYTHING)
def test_what_is_about_everything_stops_everything(do: str, dialect: str) -> None:
    run = run_against(met(do), dialect=dialect)

    assert set(run.failures) == {STOPS_EVERYTHING[do]}
    assert len(run.audit.entries) <= 10
    assert_books_agree(run)


@pytest.mark.long
def test_training_that_is_not_available_is_no_matter_of_keys_where_a_code_says_so() -> None:
    assert set(run_against(met("403-training")).failures) == {ConfigurationRefused}
    assert set(run_against(met("403-training"), dialect="anthropic").failures) == {AuthenticationRefused}


def test_every_mishap_is_tried() -> None:
    assert {*ENDS_WELL, *COSTS_ITS_ROW, *STOPS_EVERYTHING, *LARGE, "403-training"} == set(MISHAPS)


@pytest.mark.slow
@pytest.mark.parametrize("do", sorted(LARGE))
def test_what_is_too_large_is_asked_for_again_and_never_held(do: str) -> None:
    tracemalloc.start()
    run = run_against(met(do), rows=10)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert run.failures == []
    assert peak < 3 * LARGEST_BODY
    assert_books_agree(run)


@pytest.mark.parametrize("wait", ["0", "2.5", "date+7", "date-7", "1e9", "-3", "NaN", "soon", ""])
@pytest.mark.parametrize("do", ["429-requests", "503-overloaded", "529-overloaded"])
def test_a_wait_is_kept_if_it_can_be_meant(do: str, wait: str) -> None:
    run = run_against(Rule(do, When(nth=7), {"retry_after": wait}))

    assert run.failures == []
    assert run.seconds < 120


def test_a_wait_of_years_is_not_believed_and_one_of_minutes_is() -> None:
    patient = run_against(Rule("429-requests", When(first=1), {"retry_after": "300"}))
    unmoved = run_against(Rule("429-requests", When(first=1), {"retry_after": "1e9"}))

    assert patient.failures == unmoved.failures == []
    assert patient.seconds >= 300 > 60 > unmoved.seconds


@pytest.mark.long
def test_all_of_it_at_once_loses_no_row() -> None:
    names = [name for name in ENDS_WELL if name not in CHANGES_THE_TEXT and name not in FAMILIES["delays"]]
    rules = [Rule(name, When(share=0.004)) for name in names]

    run = run_against(*rules, rows=400)

    assert run.failures == []
    assert run.altered == 0
    assert len({entry.fault for entry in run.audit.entries}) > 30
    assert_books_agree(run)


@pytest.mark.parametrize("dialect", ["openai", "anthropic"])
def test_an_account_without_credit_is_found_out_and_nothing_more_is_sent(dialect: str) -> None:
    run = run_against(dialect=dialect, quota_usd=10 * 5.0e-6)  # an echo of eight letters: 2 tokens in, 2 out

    assert set(run.failures) == {QuotaExhausted}
    assert 10 <= ROWS - len(run.failures) <= 16
    assert run.audit.billed_usd >= 10 * 4.5e-6
    assert_books_agree(run)


@pytest.mark.parametrize("do", ["headers_absent", "headers_stale", "headers_negative", "headers_malformed"])
@pytest.mark.long
def test_limits_that_lie_neither_stop_nor_speed_up_a_line(do: str) -> None:
    honest = run_against(limits=RateLimits(rpm=600), rows=60)
    lied_to = run_against(Rule(do), limits=RateLimits(rpm=600), rows=60)

    assert lied_to.failures == []
    assert lied_to.seconds < 10 * honest.seconds
    assert lied_to.audit.count(429) <= 20
