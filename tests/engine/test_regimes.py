"""Every regime of limits is used to the full and hardly ever overstepped: told, half told, not told, and in storms.

Figures, not timings: the clock is virtual and the provider nothing but its limits, so they are the same everywhere.
"""

from __future__ import annotations

import pytest

from engine.concurrency import News
from engine.fakes import virtual_time
from engine.fakes.limits import RateLimits
from engine.throttle import Limits
from tests.engine.weather import Client, Climate, Log, run_clients

RPM = RateLimits(rpm=2_400)  # and at most 40 in each second
TPM = RateLimits(rpm=60_000, tpm=600_000)
OPENAI = Client(input_tokens=(20, 1_000), max_tokens=300)
ANTHROPIC = Client(input_tokens=(20, 1_000), output_tokens=(10, 200), max_tokens=200)
TOLD = Limits(rpm=2_400)


def told(limits: Limits, *, like: Client | None = None, shares_account: bool = True) -> Client:
    like = like or Client()
    return Client(
        told=limits,
        input_tokens=like.input_tokens,
        output_tokens=like.output_tokens,
        max_tokens=like.max_tokens,
        shares_account=shares_account,
    )


def seen(climate: Climate, *clients: Client, seconds: float = 30.0, seed: int = 0) -> Log:
    return virtual_time.run(run_clients(climate, clients, seconds=seconds, seed=seed))


# -- told


@pytest.mark.parametrize("quantum_s", [0.0, 1.0, 10.0])
@pytest.mark.parametrize("jitter_s", [0.002, 0.02])
def test_a_limit_that_was_told(quantum_s: float, jitter_s: float) -> None:
    climate = Climate(limits=RateLimits(rpm=6_000, quantum_s=quantum_s), jitter_s=jitter_s)
    log = seen(climate, told(Limits(rpm=6_000)), seconds=10)

    assert 0.97 * 100 <= log.rate(0, 10) <= 100
    assert log.refused_share <= 0.001


@pytest.mark.parametrize("tells", [True, False], ids=["with headers", "without"])
def test_tokens_that_bind_with_sizes_that_vary(tells: bool) -> None:
    """Used up to the limit and not beyond it: a little too much would empty the provider's minute in an hour."""
    climate = Climate(limits=TPM, tells_limits=tells)
    log = seen(climate, told(Limits(rpm=60_000, tpm=600_000), like=OPENAI), seconds=60)

    assert 0.97 * 10_000 <= log.rate(0, 60, what="charged") <= 10_000
    assert log.refused_share <= 0.001


@pytest.mark.parametrize("latency_s", [0.5, 5.0])
@pytest.mark.parametrize("otpm_charge", ["actual", "reserve"])
def test_output_that_is_counted_apart(latency_s: float, otpm_charge: str) -> None:
    limits = RateLimits(rpm=6_000, itpm=2_000_000, otpm=120_000, otpm_charge=otpm_charge)  # type: ignore[arg-type] # parametrised
    known = Limits(rpm=6_000, input_tpm=2_000_000, output_tpm=120_000)
    climate = Climate(limits=limits, dialect="anthropic", latency_s=latency_s)
    log = seen(climate, told(known, like=ANTHROPIC), seconds=60)

    assert log.rate(0, 60, what="output_tokens") >= 0.97 * 2_000
    assert log.refused_share <= 0.001


def test_input_that_is_counted_apart() -> None:
    limits = RateLimits(rpm=6_000, itpm=600_000, otpm=1_200_000)
    known = Limits(rpm=6_000, input_tpm=600_000, output_tpm=1_200_000)
    log = seen(Climate(limits=limits, dialect="anthropic"), told(known, like=ANTHROPIC), seconds=60)

    assert log.rate(0, 60, what="input_tokens") >= 0.97 * 10_000
    assert log.refused_share <= 0.001


def test_two_engines_with_one_key_share_the_limit_evenly() -> None:
    log = seen(Climate(limits=RPM), told(TOLD), told(TOLD), seconds=20)

    assert log.rate(0, 20) >= 0.97 * 40
    assert log.refused_share <= 0.001
    assert log.rate(0, 20, client=0) == pytest.approx(log.rate(0, 20, client=1), rel=0.02)


@pytest.mark.parametrize("quantum_s", [0.0, 1.0], ids=["by what remains", "by what is refused"])
@pytest.mark.long
def test_two_processes_with_one_key_come_to_terms(quantum_s: float) -> None:
    """They know nothing of each other, only what remains, or that they are refused."""
    one = told(Limits(rpm=900), shares_account=False)
    log = seen(Climate(limits=RateLimits(rpm=900, quantum_s=quantum_s)), one, one, seconds=180)

    assert log.rate(90, 180) >= 0.95 * 15
    assert log.between(90).refused_share <= 0.02
    assert min(log.rate(90, 180, client=client) for client in range(2)) >= 0.25 * 15


# -- learnt from headers


@pytest.mark.parametrize("quantum_s", [0.0, 1.0])
@pytest.mark.parametrize(("rpm", "latency_s"), [(3_000, 0.1), (600, 0.5)])
def test_a_limit_that_headers_tell(quantum_s: float, rpm: int, latency_s: float) -> None:
    climate = Climate(limits=RateLimits(rpm=rpm, quantum_s=quantum_s), latency_s=latency_s)
    log = seen(climate, Client(), seconds=30)

    assert log.rate(0, 30) >= 0.95 * rpm / 60
    assert log.refused_share <= 0.005


def test_tokens_that_headers_tell() -> None:
    log = seen(Climate(limits=TPM), OPENAI, seconds=60)

    assert log.rate(0, 60, what="charged") >= 0.95 * 10_000
    assert log.refused_share <= 0.005


def test_what_anthropic_tells() -> None:
    climate = Climate(limits=RateLimits(rpm=6_000, itpm=2_000_000, otpm=120_000), dialect="anthropic")
    log = seen(climate, ANTHROPIC, seconds=60)

    assert log.rate(0, 60, what="output_tokens") >= 0.95 * 2_000
    assert log.refused_share <= 0.005


# -- what changes


@pytest.mark.parametrize(
    ("limits", "tells", "most_refused"),
    [
        pytest.param(TOLD, False, 0.005, id="told"),
        pytest.param(Limits(), True, 0.001, id="headers"),
        pytest.param(Limits(), False, 0.015, id="nothing"),
    ],
)
def test_a_limit_that_halves_is_followed_and_found_again(limits: Limits, tells: bool, most_refused: float) -> None:
    changes = ((20.0, RateLimits(rpm=1_200)), (50.0, RPM))
    log = seen(Climate(limits=RPM, changes=changes, tells_limits=tells), told(limits), seconds=90)

    assert log.rate(10, 20) >= 0.9 * 40
    assert log.rate(23, 50) >= 0.9 * 20
    assert log.rate(66, 90) >= 0.9 * 40
    assert log.refused_share <= most_refused


STORMS = {
    "overloaded": (News.OVERLOADED,),
    "too fast": (News.TOO_FAST,),
    "either": (News.OVERLOADED, News.TOO_FAST),
}


@pytest.mark.parametrize("news", STORMS.values(), ids=STORMS)
@pytest.mark.parametrize("limits", [TOLD, Limits()], ids=["told", "nothing"])
@pytest.mark.long
def test_a_storm_is_waited_out_and_soon_forgotten(news: tuple[News, ...], limits: Limits) -> None:
    climate = Climate(limits=RPM, storm=(10.0, 70.0), storm_news=news, tells_limits=False)
    log = seen(climate, told(limits), seconds=90)

    assert log.between(10, 70).refused <= 60
    assert log.rate(80, 90) >= 0.9 * 40


def test_an_overload_that_turns_away_one_in_thirty_does_not_slow_the_others() -> None:
    climate = Climate(limits=RPM, overload_share=1 / 30)
    log = seen(climate, told(TOLD), seconds=20)

    assert log.rate(5, 20) >= 0.9 * 40
