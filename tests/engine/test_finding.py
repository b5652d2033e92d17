"""Limits that nobody tells, or told wrongly, are found by trying: with few refusals, and never come to nothing.

Figures, not timings: the clock is virtual and the provider nothing but its limits, so they are the same everywhere.
"""

from __future__ import annotations

import pytest

from engine.fakes import virtual_time
from engine.fakes.limits import RateLimits
from engine.throttle import Limits
from tests.engine.weather import Client, Climate, Log, run_clients

RPM = RateLimits(rpm=2_400)  # and at most 40 in each second
OPENAI = Client(input_tokens=(20, 1_000), max_tokens=300)


def seen(climate: Climate, client: Client, *, seconds: float) -> Log:
    return virtual_time.run(run_clients(climate, [client], seconds=seconds))


@pytest.mark.parametrize("tells_waits", [True, False], ids=["with retry-after", "without"])
@pytest.mark.parametrize("latency_s", [0.05, 0.5])
def test_a_limit_by_the_second_that_nobody_tells(latency_s: float, tells_waits: bool) -> None:
    climate = Climate(limits=RPM, tells_limits=False, tells_waits=tells_waits, latency_s=latency_s)
    log = seen(climate, Client(), seconds=45)

    assert log.rate(0, 45) >= 0.9 * 40
    assert log.refused_share <= 0.02


@pytest.mark.parametrize("limits", [Limits(), Limits(rpm=4_800)], ids=["untold", "told wrongly"])
@pytest.mark.parametrize("way_s", [0.5, 2.0])
@pytest.mark.long
def test_refusals_that_come_back_late_are_understood_too(limits: Limits, way_s: float) -> None:
    """A gateway may keep a refusal to itself for seconds, and try again for us."""
    climate = Climate(limits=RPM, tells_limits=False, way_s=way_s)
    log = seen(climate, Client(told=limits), seconds=120)

    assert log.rate(30, 120) >= 0.9 * 40
    assert log.between(30).refused_share <= 0.06


@pytest.mark.long
def test_tokens_at_a_slow_pace_that_nobody_tells() -> None:
    """A request a second, of 500 tokens: how often to try depends on requests, not on tokens."""
    client = Client(input_tokens=(200, 200), max_tokens=300)
    log = seen(Climate(limits=RateLimits(tpm=30_000), tells_limits=False), client, seconds=900)

    assert log.rate(300, 900, what="charged") >= 0.9 * 500
    assert log.between(300).refused_share <= 0.03


def test_a_limit_by_the_minute_that_nobody_tells() -> None:
    """At first there is a whole minute's worth to be had at once; what counts is how it goes on."""
    climate = Climate(limits=RateLimits(rpm=900, quantum_s=0), tells_limits=False)
    log = seen(climate, Client(), seconds=240)

    assert log.rate(120, 240) >= 0.9 * 15
    assert log.between(120).refused_share <= 0.02


def test_a_low_limit_that_nobody_tells_is_found_too() -> None:
    """At one a second each waits longer than a burst lasts; that must not be taken for a limit that is not used."""
    climate = Climate(limits=RateLimits(rpm=60, quantum_s=0), tells_limits=False)
    log = seen(climate, Client(), seconds=900)

    assert log.rate(300, 900) >= 0.9
    assert log.between(300).refused_share <= 0.025


@pytest.mark.parametrize("tells_waits", [True, False], ids=["with retry-after", "without"])
@pytest.mark.parametrize(("rpm", "share"), [(20, 0.85), (10, 0.65)])
def test_a_few_requests_a_minute_that_nobody_tells_never_come_to_nothing(
    rpm: int, share: float, tells_waits: bool
) -> None:
    """Here every refusal counts as a request, so asking on and on would keep the account empty for ever."""
    limits = RateLimits(rpm=rpm, quantum_s=0)
    log = seen(
        Climate(limits=limits, tells_limits=False, tells_waits=tells_waits, latency_s=2.0), Client(), seconds=1_800
    )

    assert log.rate(300, 1_800) >= share * rpm / 60


@pytest.mark.parametrize("quantum_s", [0.0, 1.0])
@pytest.mark.parametrize(("rpm", "true_rpm"), [(6_000, 600), (600, 60)])
def test_a_limit_that_was_told_wrongly_is_found(quantum_s: float, rpm: int, true_rpm: int) -> None:
    climate = Climate(limits=RateLimits(rpm=true_rpm, quantum_s=quantum_s), tells_limits=False)
    log = seen(climate, Client(told=Limits(rpm=rpm)), seconds=400)

    assert log.rate(200, 400) >= 0.9 * true_rpm / 60
    assert log.between(200).refused_share <= 0.03


@pytest.mark.long
def test_tokens_that_nobody_tells() -> None:
    log = seen(Climate(limits=RateLimits(tpm=600_000), tells_limits=False), OPENAI, seconds=240)

    assert log.rate(120, 240, what="charged") >= 0.9 * 10_000
    assert log.between(120).refused_share <= 0.02


@pytest.mark.parametrize("tells_limits", [True, False], ids=["told in headers", "untold"])
def test_a_limit_that_comes_back_at_whole_minutes_is_used_whole(tells_limits: bool) -> None:
    """As at Azure, where windows of ten seconds are kept to besides."""
    limits = RateLimits(rpm=600, quantum_s=10, style="azure")
    log = seen(Climate(limits=limits, tells_limits=tells_limits), Client(), seconds=120)

    assert log.rate(0, 120) >= 0.9 * 10
    assert log.refused_share <= (0.001 if tells_limits else 0.05)


def test_who_has_used_up_a_day_goes_on_as_fast_as_it_comes_back() -> None:
    log = seen(Climate(limits=RateLimits(rpm=6000, rpd=2_000)), Client(), seconds=900)

    assert log.rate(0, 900) * 900 >= 2_000
    assert log.refused_share <= 0.02
