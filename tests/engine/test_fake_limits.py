"""The limits of the fake provider: exact, and told as the real ones tell them."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import UserError
from engine.fakes.behaviour import Change
from engine.fakes.dialect import Dialect
from engine.fakes.faults import FaultRates
from engine.fakes.limits import Charge, Denial, Gate, RateLimits
from engine.fakes.openai_side import go_duration
from tests.engine.fake_requests import ANTHROPIC, OPENAI, ask, service

ONE = Charge(input_tokens=1, output_allowed=1)


@settings(deadline=None)
@given(
    rpm=st.integers(1, 2000),
    quantum_s=st.sampled_from([0.0, 1.0, 10.0]),
    gaps=st.lists(st.floats(0, 3), min_size=1, max_size=80),
)
def test_no_minute_and_no_quantum_admits_more_than_the_limit(rpm: int, quantum_s: float, gaps: list[float]) -> None:
    gate, now, admitted = Gate(RateLimits(rpm=rpm, quantum_s=quantum_s)), 0.0, []
    for gap in gaps:
        now += gap
        if gate.admit(ONE, now=now, denied_counts=False) is None:
            admitted.append(now)

    assert len(admitted) <= rpm + now * rpm / 60 + 1e-6
    if quantum_s:
        per_window = Counter(int(at // quantum_s) for at in admitted)
        assert max(per_window.values()) <= max(1, int(rpm * quantum_s / 60))


@settings(deadline=None)
@given(
    limits=st.builds(
        RateLimits,
        rpm=st.integers(1, 200),
        tpm=st.integers(10, 500),
        rpd=st.none() | st.integers(1, 500),
        tpd=st.none() | st.integers(10, 5000),
        style=st.sampled_from(["usual", "azure"]),
    ),
    count=st.integers(1, 60),
)
@pytest.mark.long
def test_who_waits_as_told_is_let_in(limits: RateLimits, count: int) -> None:
    gate, now = Gate(limits), 0.0
    for _ in range(count):
        denials: list[Denial] = []  # one limit after another may be in the way, and the second's window
        while (denial := gate.admit(Charge(3, 4), now=now, denied_counts=False)) is not None:
            denials.append(denial)
            assert len(denials) <= 3
            now += denial.retry_after_s + 1e-9


def test_a_limit_that_changes_keeps_what_it_can_hold_of_what_was_saved_up() -> None:
    gate = Gate(RateLimits(rpm=600, quantum_s=0))
    gate.change(RateLimits(rpm=60, quantum_s=0), now=10.0)
    let_in = sum(gate.admit(ONE, now=10.0, denied_counts=False) is None for _ in range(100))
    assert let_in == 60

    gate.change(RateLimits(rpm=6000, quantum_s=0), now=11.0)
    assert sum(gate.admit(ONE, now=11.0, denied_counts=False) is None for _ in range(100)) == 1


def test_limits_and_weather_change_so_long_after_the_first_request() -> None:
    storm = Change(after_s=20, faults=FaultRates(overloaded=1))
    target = service(changes=(storm, Change(after_s=80, faults=FaultRates(), limits=RateLimits(rpm=60))))

    assert [ask(target, at=at).status for at in (100.0, 119.9, 120.0, 179.9, 180.0)] == [200, 200, 503, 503, 200]
    assert ask(target, at=180.1).status == 429


def test_a_service_may_keep_its_limits_to_itself() -> None:
    target = service(limits=RateLimits(rpm=60), tells_limits=False)
    served = [ask(target, at=0.0) for _ in range(2)]

    assert [each.status for each in served] == [200, 429]
    assert not [name for each in served for name in each.headers if "ratelimit" in name or "retry" in name]


def test_a_request_above_the_limit_can_never_come_in() -> None:
    denial = Gate(RateLimits(tpm=100)).admit(Charge(1, 100), now=0, denied_counts=False)

    assert denial is not None
    assert math.isinf(denial.retry_after_s)


@pytest.mark.parametrize(("tpm_charge", "taken"), [("sum", 30), ("max", 20)])
def test_tokens_are_charged_on_arrival(tpm_charge: Any, taken: int) -> None:
    gate = Gate(RateLimits(tpm=100, tpm_charge=tpm_charge))
    gate.admit(Charge(10, 20), now=0, denied_counts=False)

    assert gate.standings()[0].remaining == 100 - taken
    assert repr(gate) == f"<Gate [tokens {100 - taken}/100]>"


@pytest.mark.parametrize(("otpm_charge", "remaining"), [("actual", 93), ("reserve", 80)])
def test_output_counts_as_produced_or_as_allowed(otpm_charge: Any, remaining: int) -> None:
    gate = Gate(RateLimits(otpm=100, otpm_charge=otpm_charge))
    gate.admit(Charge(10, 20), now=0, denied_counts=False)
    gate.produced(ONE, 7)

    assert gate.standings()[0].remaining == remaining


def test_output_beyond_the_limit_closes_the_gate_until_it_is_made_up_for() -> None:
    gate = Gate(RateLimits(otpm=60))
    gate.admit(ONE, now=0, denied_counts=False)
    gate.produced(ONE, 90)

    denial = gate.admit(ONE, now=0, denied_counts=False)

    assert denial is not None
    assert denial.retry_after_s == pytest.approx(31)


def test_what_was_not_used_comes_back_where_the_service_says_so() -> None:
    charge = Charge(input_tokens=10, output_allowed=50)
    keeping, refunding = (Gate(RateLimits(tpm=100, refund=refund)) for refund in (False, True))
    for gate in (keeping, refunding):
        gate.admit(charge, now=0, denied_counts=False)
        gate.produced(charge, 20)

    assert [gate.standings()[0].remaining for gate in (keeping, refunding)] == [40, 70]


@pytest.mark.parametrize(("gap_s", "let_in"), [(10.0, [20, 40, 80]), (20.0, [20, 20, 20])], ids=["steady", "paused"])
def test_a_sharp_rise_is_turned_away(gap_s: float, let_in: list[int]) -> None:
    """Twice as many in ten seconds as in the ten before, and twenty in any case."""
    gate = Gate(RateLimits(ramp=2))

    def admitted(at: float) -> int:
        return sum(gate.admit(ONE, now=at, denied_counts=True) is None for _ in range(100))

    assert [admitted(gap_s * place) for place in range(3)] == let_in


def test_a_day_s_limit_lets_nobody_in_for_long_and_refills_all_day() -> None:
    gate = Gate(RateLimits(rpm=600, rpd=100, quantum_s=0))
    let_in = [gate.admit(ONE, now=0.0, denied_counts=False) for _ in range(101)]

    denial = let_in[-1]
    assert let_in[:-1] == [None] * 100
    assert denial is not None
    assert (denial.dimension, denial.limit) == ("requests_a_day", 100)
    assert denial.retry_after_s == pytest.approx(864.0)
    assert gate.admit(ONE, now=864.0, denied_counts=False) is None
    assert gate.admit(ONE, now=864.0, denied_counts=False) is not None


def test_a_day_s_tokens_are_charged_as_a_minute_s_are() -> None:
    gate = Gate(RateLimits(tpd=86_400, refund=True))
    gate.admit(Charge(10, 50), now=0, denied_counts=False)
    gate.produced(Charge(10, 50), 20)

    assert gate.tokens_charged(Charge(10, 50)) == 60
    assert gate.standings()[0].remaining == 86_400 - 30


@settings(deadline=None)
@given(rpm=st.integers(1, 500), gaps=st.lists(st.floats(0, 30), min_size=1, max_size=60))
def test_at_azure_every_whole_minute_begins_with_all_there_is(rpm: int, gaps: list[float]) -> None:
    gate, now, admitted = Gate(RateLimits(rpm=rpm, quantum_s=0, style="azure")), 0.0, Counter[int]()
    for gap in gaps:
        now += gap
        denial = gate.admit(ONE, now=now, denied_counts=False)
        if denial is None:
            admitted[int(now // 60)] += 1
        else:
            assert admitted[int(now // 60)] == rpm
            assert now + denial.retry_after_s == pytest.approx((now // 60 + 1) * 60)

    assert max(admitted.values()) <= rpm


def test_at_azure_requests_follow_from_tokens_and_waits_are_exact() -> None:
    target = service(limits=RateLimits(tpm=1000, quantum_s=0, style="azure"))

    served = [ask(target, at=at, max_tokens=8) for at in (*range(6), 58.5, 60.0)]

    assert [each.status for each in served] == [200] * 6 + [429, 200]
    assert served[6].headers["retry-after-ms"] == "1500"


def test_azure_tells_resets_in_bare_seconds_and_waits_in_milliseconds() -> None:
    target = service(limits=RateLimits(rpm=120, tpm=100, quantum_s=10, style="azure"))
    good, denied = ask(target, at=12.25, max_tokens=60), ask(target, at=12.25, max_tokens=60)

    assert (good.status, denied.status) == (200, 429)
    assert good.headers["x-ratelimit-reset-tokens"] == "48"
    assert (denied.headers["retry-after"], denied.headers["retry-after-ms"]) == ("48", "47750")


@pytest.mark.parametrize(("per_key", "statuses"), [(True, [200, 200, 429]), (False, [200, 429, 429])])
def test_keys_have_limits_of_their_own_where_the_service_says_so(per_key: bool, statuses: list[int]) -> None:
    target = service(limits=RateLimits(rpm=60, tpm=10_000, per_key=per_key))

    served = [ask(target, headers={"authorization": f"Bearer {key}"}) for key in ("one", "other", "one")]

    assert [each.status for each in served] == statuses
    assert ("x-ratelimit-limit-project-tokens" in served[0].headers) is per_key


def test_azure_s_own_header_names_a_key_too() -> None:
    assert OPENAI.key({"api-key": "a-key"}) == OPENAI.key({"authorization": "Bearer a-key"}) == "a-key"


def test_a_day_s_limit_is_told_where_there_is_no_minute_s() -> None:
    daily, both = (
        ask(service(limits=limits)).headers for limits in (RateLimits(rpd=1440), RateLimits(rpm=600, rpd=1440))
    )

    assert (daily["x-ratelimit-limit-requests"], daily["x-ratelimit-reset-requests"]) == ("1440", "1m0s")
    assert (both["x-ratelimit-limit-requests"], both["x-ratelimit-reset-requests"]) == ("600", "100ms")


@pytest.mark.parametrize(
    ("dialect", "words"),
    [
        (OPENAI, "on requests per day (RPD): Limit 200, Used 200, Requested 1. Please try again in 7m12s."),
        (ANTHROPIC, "rate limit of 200 requests per day (org: fake, model: m)."),
    ],
    ids=["openai", "anthropic"],
)
def test_a_day_that_is_used_up_is_told_in_the_dialect_s_own_words(dialect: Dialect, words: str) -> None:
    target = service(limits=RateLimits(rpd=200))

    served = [ask(target, dialect) for _ in range(201)][-1]

    assert (served.status, served.headers["retry-after"]) == (429, "432")
    assert orjson.loads(served.body)["error"]["message"].endswith(words)


def test_what_is_no_valid_request_counts_at_openai_s_and_not_at_anthropic_s() -> None:
    one, other = (service(limits=RateLimits(rpm=600)) for _ in range(2))
    assert (ask(one, messages=[]).status, ask(other, ANTHROPIC, messages=[]).status) == (400, 400)

    assert ask(one).headers["x-ratelimit-remaining-requests"] == "598"
    assert ask(other, ANTHROPIC).headers["anthropic-ratelimit-requests-remaining"] == "599"


def test_anthropic_repeats_the_tightest_limit_of_tokens() -> None:
    headers = ask(service(limits=RateLimits(itpm=90_000, otpm=8_000)), ANTHROPIC).headers

    assert headers["anthropic-ratelimit-tokens-limit"] == headers["anthropic-ratelimit-output-tokens-limit"] == "8000"


@pytest.mark.parametrize(("per_model", "statuses"), [(True, [200, 200, 429]), (False, [200, 429, 429])])
def test_models_have_limits_of_their_own_where_the_service_says_so(per_model: bool, statuses: list[int]) -> None:
    target = service(limits=RateLimits(rpm=60, per_model=per_model))

    served = [ask(target, model=model) for model in ("a", "b", "a")]

    assert [each.status for each in served] == statuses
    assert [each.headers["x-ratelimit-remaining-requests"] for each in served[:2]] == [
        "59",
        "59" if per_model else "58",
    ]


@pytest.mark.parametrize(
    ("dialect", "words"),
    [(OPENAI, ("rate_limit_error", "slow_down")), (ANTHROPIC, ("rate_limit_error", "ramp_limit_exceeded"))],
    ids=["openai", "anthropic"],
)
def test_a_sharp_rise_has_a_name_of_its_own(dialect: Dialect, words: tuple[str, str]) -> None:
    target = service(limits=RateLimits(ramp=1))

    served = [ask(target, dialect, at=3.0) for _ in range(21)][-1]

    error = orjson.loads(served.body)["error"]
    assert served.status == 429
    assert (error["type"], error.get("code") or error["details"]["error_code"]) == words
    assert served.headers["retry-after"] == "7"


def test_a_denied_request_counts_where_the_service_says_so() -> None:
    counting, lenient = (Gate(RateLimits(rpm=10, quantum_s=6)) for _ in range(2))
    for _ in range(4):
        counting.admit(ONE, now=0, denied_counts=True)
        lenient.admit(ONE, now=0, denied_counts=False)

    assert counting.standings()[0].remaining == 6
    assert lenient.standings()[0].remaining == 9


def test_openai_says_which_limit_in_its_own_words() -> None:
    target = service(limits=RateLimits(rpm=100, tpm=50))
    assert ask(target, max_tokens=40).status == 200

    served = ask(target, at=1.0, max_tokens=40)

    assert served.status == 429
    assert orjson.loads(served.body)["error"] == {
        "message": "Rate limit reached for m in organization org-fake on tokens per min (TPM): Limit 50, Used 42, "
        "Requested 42. Please try again in 39.8s.",
        "type": "tokens",
        "param": None,
        "code": "rate_limit_exceeded",
    }
    assert served.headers["retry-after"] == "40"
    assert served.headers["x-ratelimit-limit-requests"] == "100"
    assert served.headers["x-ratelimit-remaining-requests"] == "99"
    assert served.headers["x-ratelimit-reset-requests"] == "600ms"
    assert served.headers["x-ratelimit-remaining-tokens"] == "8"
    assert served.headers["x-ratelimit-reset-tokens"] == "49.4s"


def test_openai_says_when_a_request_can_never_come_in() -> None:
    served = ask(service(limits=RateLimits(tpm=50)), max_tokens=60)
    error = orjson.loads(served.body)["error"]

    assert (served.status, error["type"]) == (429, "tokens")
    assert error["message"].startswith(
        "Request too large for m in organization org-fake on tokens per min (TPM): Limit"
    )
    assert "retry-after" not in served.headers


def test_anthropic_says_which_limit_in_its_own_words() -> None:
    target = service(limits=RateLimits(rpm=60, itpm=100_000))
    ask(target, ANTHROPIC, at=10.2)

    served = ask(target, ANTHROPIC, at=10.3)

    assert served.status == 429
    assert orjson.loads(served.body)["error"] == {
        "type": "rate_limit_error",
        "message": "This request would exceed your organization's rate limit of 60 requests per minute "
        "(org: fake, model: m).",
    }
    assert served.headers["retry-after"] == "1"
    assert served.headers["anthropic-ratelimit-requests-remaining"] == "59"
    assert served.headers["anthropic-ratelimit-requests-reset"] == "2026-11-18T11:06:51Z"
    assert served.headers["anthropic-ratelimit-input-tokens-limit"] == "100000"
    assert served.headers["anthropic-ratelimit-input-tokens-remaining"] == "100000"  # rounded to thousands


def test_without_limits_there_are_no_limit_headers() -> None:
    assert set(ask(service()).headers) == {"content-type", "x-request-id", "x-simulated-teacher"}


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0s"), (0.012, "12ms"), (1, "1s"), (8.64, "8.64s"), (60, "1m0s"), (360, "6m0s"), (3723.5, "1h2m3.5s")],
)
def test_spans_are_written_as_go_writes_them(seconds: float, text: str) -> None:
    assert go_duration(seconds) == text


@pytest.mark.parametrize(
    "limits",
    [
        {"rpm": 0}, {"tpm": -1}, {"itpm": 0}, {"otpm": 0}, {"quantum_s": -1}, {"quantum_s": 61},
        {"rpm": math.nan}, {"tpm": math.inf}, {"rpm": "60"}, {"rpm": True}, {"quantum_s": math.nan}, {"rpd": 0},
        {"tpd": -5}, {"ramp": 0.5}, {"ramp": math.inf},
    ],
)  # fmt: skip
def test_a_limit_that_means_nothing_is_refused(limits: dict[str, Any]) -> None:
    with pytest.raises(UserError, match="must"):
        RateLimits(**limits)
