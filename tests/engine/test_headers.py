"""What providers say of limits and waits is read in every dress it comes in, and not believed when it cannot be."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.headers import DAY_S, MINUTE_S, LimitHint, duration_s, limit_hints, retry_after_s, worth_keeping

WALL = 1_700_000_000.0  # 2023-11-14T22:13:20Z


def openai(limit: str, *, remaining: str = "", reset: str = "", what: str = "requests") -> dict[str, str]:
    return {
        f"x-ratelimit-limit-{what}": limit,
        f"x-ratelimit-remaining-{what}": remaining,
        f"x-ratelimit-reset-{what}": reset,
    }


def only(headers: dict[str, str]) -> LimitHint:
    (hint,) = limit_hints(headers, now=WALL)
    return hint


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("12ms", 0.012), ("120ms", 0.12), ("1s", 1.0), ("8.64s", 8.64), ("6m0s", 360.0), ("1h2m3.5s", 3723.5),
        ("0s", 0.0), ("30", 30.0), ("2m59.56s", 179.56), ("", None), ("soon", None), ("5 apples", None),
    ],
)  # fmt: skip
def test_durations_are_read_as_go_writes_them(text: str, seconds: float | None) -> None:
    assert duration_s(text) == (None if seconds is None else pytest.approx(seconds))


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        pytest.param({"retry-after": "7"}, 7.0, id="seconds"),
        pytest.param({"retry-after": "0.25"}, 0.25, id="a fraction"),
        pytest.param({"retry-after-ms": "120", "retry-after": "1"}, 0.12, id="milliseconds win"),
        pytest.param({"retry-after": "Tue, 14 Nov 2023 22:13:50 GMT"}, 30.0, id="a date"),
        pytest.param({"retry-after": "Tue, 14 Nov 2023 22:13:10 GMT"}, 0.0, id="a date just past"),
        pytest.param({"retry-after": "Tue, 14 Nov 2017 22:13:10 GMT"}, None, id="a date long past"),
        pytest.param({"retry-after": "-3"}, None, id="negative"),
        pytest.param({"retry-after": "1e9"}, None, id="absurd"),
        pytest.param({"retry-after": "nan"}, None, id="not a number"),
        pytest.param({"retry-after": "inf"}, None, id="infinite"),
        pytest.param({"retry-after": "shortly"}, None, id="words"),
        pytest.param({"retry-after": "0"}, 0.0, id="zero"),
        pytest.param({"retry-after": "4500"}, 4_500.0, id="more than an hour, as daily limits ask"),
        pytest.param({"retry-after": "7m12s"}, 432.0, id="as Go writes it"),
        pytest.param({"retry-after-ms": "-5", "retry-after": "3"}, 3.0, id="milliseconds that cannot be"),
        pytest.param({"retry-after-ms": "nan", "retry-after": "3"}, 3.0, id="milliseconds that are none"),
        pytest.param({}, None, id="silence"),
    ],
)
def test_a_wait_is_read_in_every_form(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after_s(headers, now=WALL) == (None if seconds is None else pytest.approx(seconds))


TELLING = {
    "content-type": "application/json", "date": "Tue, 14 Nov 2023 22:13:20 GMT", "request-id": "r", "x-request-id": "r",
    "retry-after": "9", "retry-after-ms": "120", "x-should-retry": "true", "x-simulated-teacher": "1",
    "x-ratelimit-limit-requests": "500", "anthropic-ratelimit-input-tokens-limit": "2000000",
}  # fmt: skip


def test_what_is_read_of_a_reply_is_kept_and_no_cookie() -> None:
    assert worth_keeping(TELLING | {"set-cookie": "a", "cookie": "b", "server": "c"}) == TELLING


def test_either_family_tells_limit_remainder_and_reset() -> None:
    anthropic = {
        "anthropic-ratelimit-input-tokens-limit": "2000000",
        "anthropic-ratelimit-input-tokens-remaining": "1999000",
        "anthropic-ratelimit-input-tokens-reset": "2023-11-14T22:13:22Z",
    }

    assert only(openai("500", remaining="499", reset="120ms")) == LimitHint("requests", 500, None, 499, 0.12)
    assert only(anthropic) == LimitHint("input tokens", 2_000_000, None, 1_999_000, 2.0)


@pytest.mark.parametrize(
    ("reset", "seconds"),
    [("7", 7.0), ("1700000009", 9.0), ("1700000009000", 9.0), ("2023-11-14T22:13:29+00:00", 9.0), ("-4", None)],
    ids=["Azure", "epoch", "epoch in milliseconds", "moment", "negative"],
)
def test_a_reset_may_be_a_span_or_a_moment(reset: str, seconds: float | None) -> None:
    assert only(openai("500", remaining="490", reset=reset)).reset_s == seconds


def test_of_two_limits_on_the_same_the_tighter_counts() -> None:
    both = openai("200000", what="tokens") | openai("50000", what="project-tokens")

    assert only(both).limit == 50_000


@pytest.mark.parametrize(
    ("headers", "hints"),
    [
        pytest.param(
            openai("5000", remaining="4999", reset="12ms")
            | openai("2000000", remaining="1999000", reset="6m0s", what="tokens"),
            [("requests", 5_000, 4_999, 0.012), ("tokens", 2_000_000, 1_999_000, 360.0)],
            id="OpenAI",
        ),
        pytest.param(
            {"x-ratelimit-limit-project-tokens": "40000", "x-ratelimit-remaining-project-tokens": "39000"},
            [("tokens", 40_000, 39_000, None)],
            id="OpenAI, a project",
        ),
        pytest.param(
            {
                "anthropic-ratelimit-requests-limit": "1000",
                "anthropic-ratelimit-requests-remaining": "999",
                "anthropic-ratelimit-requests-reset": "2023-11-14T22:13:21Z",
                "anthropic-ratelimit-tokens-limit": "80000",  # the tightest of the others once more
                "anthropic-ratelimit-tokens-remaining": "0",
                "anthropic-ratelimit-input-tokens-limit": "400000",
                "anthropic-ratelimit-input-tokens-remaining": "399000",  # rounded to thousands
                "anthropic-ratelimit-output-tokens-limit": "80000",
                "anthropic-ratelimit-output-tokens-remaining": "80000",
                "anthropic-priority-input-tokens-limit": "10000",  # of another tier
            },
            [
                ("requests", 1_000, 999, 1.0),
                ("input tokens", 400_000, 399_000, None),
                ("output tokens", 80_000, 80_000, None),
            ],
            id="Anthropic",
        ),
        pytest.param(openai("60", remaining="59", reset="1"), [("requests", 60, 59, 1.0)], id="Azure"),
        pytest.param(openai("-1", remaining="-1", reset="0"), [], id="Azure, responses"),
        pytest.param(
            openai("14400", remaining="14370", reset="2m59.56s")
            | openai("6000", remaining="5990", reset="0.1s", what="tokens"),
            [("requests", 14_400, 14_370, 179.56), ("tokens", 6_000, 5_990, 0.1)],
            id="Groq",
        ),
        pytest.param(
            {
                "x-ratelimit-limit": "10",
                "x-ratelimit-remaining": "9",
                "x-ratelimit-reset": "1",
                "x-tokenlimit-limit": "3000",
            },
            [],
            id="Together: a second or a minute, nobody knows",
        ),
        pytest.param(
            {
                "x-ratelimit-limit-tokens": "90000",
                "x-ratelimit-remaining-tokens": "80000",
                "x-litellm-response-cost": "0.1",
            },
            [("tokens", 90_000, 80_000, None)],
            id="LiteLLM",
        ),
        pytest.param({}, [], id="Gemini, vLLM, llama.cpp, Ollama"),
    ],
)
def test_what_each_provider_tells_of_its_limits_is_read(
    headers: dict[str, str], hints: list[tuple[str, float, float | None, float | None]]
) -> None:
    found = limit_hints(headers, now=WALL)

    assert [(hint.dimension, hint.limit, hint.remaining) for hint in found] == [hint[:3] for hint in hints]
    assert [hint.reset_s for hint in found] == [None if hint[3] is None else pytest.approx(hint[3]) for hint in hints]


@pytest.mark.parametrize("limit", ["0", "-1", "nan", "inf", "1e30", "many", ""])
def test_absurd_limits_are_taken_as_not_said(limit: str) -> None:
    assert limit_hints(openai(limit), now=WALL) == []


@pytest.mark.parametrize("remaining", ["-1", "501", "nan", "some", ""])
def test_a_remainder_that_cannot_be_is_taken_as_not_said(remaining: str) -> None:
    assert only(openai("500", remaining=remaining)).remaining is None


@pytest.mark.parametrize(
    ("limit", "remaining", "reset", "period_s"),
    [
        pytest.param("14400", "14370", "2m59.56s", DAY_S, id="full again after more than a minute"),
        pytest.param("14400", "14399", "6s", DAY_S, id="one used, and six seconds to refill it"),
        pytest.param("6000", "3000", "30s", MINUTE_S, id="half used, and half a minute to refill it"),
        pytest.param("6000", "5999", "10ms", None, id="too little used to tell"),
        pytest.param("10000", "9999", "1s", None, id="rounded up to a second"),
        pytest.param("6000", "5990", "", None, id="no reset told"),
        pytest.param("900", "899", "59.9s", None, id="one used, and the minute has just begun"),
        pytest.param("1440", "1439", "59.9s", None, id="one used of so many that a minute would make a day"),
        pytest.param("900", "898", "30s", None, id="two used, and half of the minute to go"),
    ],
)
def test_whether_a_limit_is_one_a_day_is_told_by_how_fast_it_refills(
    limit: str, remaining: str, reset: str, period_s: float | None
) -> None:
    assert only(openai(limit, remaining=remaining, reset=reset)).period_s == period_s


def test_a_name_that_says_of_which_time_a_limit_is_goes_before_one_that_does_not() -> None:
    headers = (
        openai("14400", remaining="14400", what="requests-day")
        | openai("30", remaining="29", reset="2s", what="requests-minute")
        | openai("14400", remaining="14399", reset="6s")
        | openai("9000", what="tokens")
        | openai("100", what="tokens-second")
    )

    hints = limit_hints(headers, now=WALL)

    assert {(hint.dimension, hint.period_s, hint.limit) for hint in hints} == {
        ("requests", DAY_S, 14_400),
        ("requests", MINUTE_S, 30),
        ("tokens", MINUTE_S, 6_000),
    }
    assert all(hint.is_told for hint in hints)


NAMES = [*openai(""), *openai("", what="project-tokens"), *openai("", what="requests-day"),
         "anthropic-ratelimit-requests-limit",
         "anthropic-ratelimit-requests-remaining", "anthropic-ratelimit-requests-reset"]  # fmt: skip
VALUES = st.one_of(st.text(max_size=12), st.floats().map(str), st.integers().map(str))


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), VALUES))
def test_headers_of_any_content_are_survived(headers: dict[str, str]) -> None:
    for hint in limit_hints(headers, now=0.0):
        assert hint.limit > 0
        assert hint.remaining is None or 0 <= hint.remaining <= hint.limit
        assert hint.reset_s is None or hint.reset_s >= 0


@pytest.mark.parametrize("text", ["1" * 16_000, "1h" * 8_000, "1." * 8_000, "9" * 101 + "s"])
def test_what_is_too_long_to_be_a_time_or_a_number_is_not_said(text: str) -> None:
    """To look for a duration in it would take seconds, in which nothing else runs."""
    assert duration_s(text) is None
    assert retry_after_s({"retry-after": text}, now=0) is None
    assert limit_hints({"x-ratelimit-limit-requests": text}, now=0) == []
