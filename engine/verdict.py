"""What a failure is: status, headers and body in, a verdict out.

    RATE, OVERLOAD          provider weather: wait and try again, as long as the time lasts
    TRANSIENT, PROTOCOL     may be chance: try again a few times
    CONTEXT, FILTERED       this request fails, the others go on
    CONFIG                  so does this one; or everything, when the model or the endpoint is what was refused
    AUTH, QUOTA             everything fails, so nothing more is sent

The classifier knows no dialect: both families of errors, and those of routers and edge proxies, go through the same
tables. Specific words win over the status. What is done about a verdict is `engine.retry`'s business.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

import orjson

from engine.errors import (
    AuthenticationRefused,
    ConfigurationRefused,
    ContentFiltered,
    ContextOverflow,
    ProviderUnavailable,
    QuotaExhausted,
    RequestRejected,
    SmeltError,
    UnreadableReply,
)
from engine.headers import SHOULD_RETRY, retry_after_s, wait_s
from engine.messages import RawReply
from engine.text import clean

__all__ = ["CHANCE", "WEATHER", "Kind", "Verdict", "classify", "classify_failure", "classify_unreadable"]


class Kind(StrEnum):
    """What a failure is."""

    RATE = "rate"
    OVERLOAD = "overload"
    TRANSIENT = "transient"
    PROTOCOL = "protocol"
    CONTEXT = "context"
    FILTERED = "filtered"
    CONFIG = "config"
    AUTH = "auth"
    QUOTA = "quota"


WEATHER = frozenset({Kind.RATE, Kind.OVERLOAD})
CHANCE = frozenset({Kind.TRANSIENT, Kind.PROTOCOL})


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a failed attempt is, and what follows.

    `billed` is False when the attempt surely cost nothing and None when nobody knows. `everywhere` says that every
    other request to this provider would fail alike; `final` that the provider itself advises against another try.
    `delay_s` is how long it asked us to wait. `unreached`: no connection could be made.
    """

    kind: Kind
    message: str
    delay_s: float | None = None
    billed: bool | None = None
    everywhere: bool = False
    final: bool = False
    unreached: bool = False

    @property
    def may_retry(self) -> bool:
        return not self.final and (self.kind in WEATHER or self.kind in CHANCE)

    def error(self) -> SmeltError:
        """The error that a request ends with when this is its last word."""
        if self.kind is Kind.CONFIG and self.everywhere:
            return ConfigurationRefused(self.message)
        return ERRORS[self.kind](self.message)


ERRORS: Mapping[Kind, type[SmeltError]] = {
    Kind.RATE: ProviderUnavailable,
    Kind.OVERLOAD: ProviderUnavailable,
    Kind.TRANSIENT: ProviderUnavailable,
    Kind.PROTOCOL: UnreadableReply,
    Kind.CONTEXT: ContextOverflow,
    Kind.FILTERED: ContentFiltered,
    Kind.CONFIG: RequestRejected,
    Kind.AUTH: AuthenticationRefused,
    Kind.QUOTA: QuotaExhausted,
}

EVERYWHERE = frozenset({Kind.AUTH, Kind.QUOTA})
UNBILLED_UNDER_200 = frozenset({Kind.RATE, Kind.AUTH, Kind.QUOTA, Kind.CONFIG})  # refused before generation

# Codes and types of the error body, the most telling first: `code` is looked up before `type`.
WORDS: Mapping[str, Kind] = {
    "context_length_exceeded": Kind.CONTEXT,
    "exceed_context_size_error": Kind.CONTEXT,
    "request_too_large": Kind.CONTEXT,
    "content_policy_violation": Kind.FILTERED,
    "content_filter": Kind.FILTERED,
    "responsibleaipolicyviolation": Kind.FILTERED,
    "invalid_prompt": Kind.FILTERED,
    "billing_hard_limit_reached": Kind.QUOTA,
    "billing_error": Kind.QUOTA,
    "insufficient_quota": Kind.QUOTA,
    "credit_balance_exhausted": Kind.QUOTA,
    "organization_spend_limit_exceeded": Kind.QUOTA,
    "project_spend_limit_exceeded": Kind.QUOTA,
    "organization_usage_limit_exceeded": Kind.QUOTA,
    "enforced_spend_limit_reached": Kind.QUOTA,
    "contract_spend_limit_reached": Kind.QUOTA,
    "invalid_api_key": Kind.AUTH,
    "authentication_error": Kind.AUTH,
    "no_db_connection": Kind.AUTH,  # LiteLLM's proxy, of a key that it would look up if it could
    "permission_error": Kind.AUTH,
    "unsupported_country_region_territory": Kind.AUTH,
    "model_not_found": Kind.CONFIG,
    "not_found_error": Kind.CONFIG,
    "training_not_available": Kind.CONFIG,
    "unsupported_parameter": Kind.CONFIG,
    "unsupported_value": Kind.CONFIG,
    "integer_below_min_value": Kind.CONFIG,
    "invalid_value": Kind.CONFIG,
    "rate_limit_exceeded": Kind.RATE,
    "rate_limit_error": Kind.RATE,
    "slow_down": Kind.RATE,
    "ramp_limit_exceeded": Kind.RATE,
    "throttling_error": Kind.RATE,
    "overloaded_error": Kind.OVERLOAD,
    "server_is_overloaded": Kind.OVERLOAD,
    "service_unavailable_error": Kind.OVERLOAD,
    "unavailable_error": Kind.OVERLOAD,
    "capacity_exceeded": Kind.OVERLOAD,
    "conflict_error": Kind.TRANSIENT,
    "timeout_error": Kind.TRANSIENT,
    "server_error": Kind.TRANSIENT,
    "api_error": Kind.TRANSIENT,
    "internal_server_error": Kind.TRANSIENT,
    "invalid_request_error": Kind.CONFIG,
}
CONFIG_EVERYWHERE = frozenset({"model_not_found", "not_found_error", "training_not_available"})
# `rate_limit_error` may stand for "credit is gone", and a status knows better than these vague types.
VAGUE = frozenset({"rate_limit_error", "api_error", "server_error", "invalid_request_error", "internal_server_error"})

# Found in the message where neither code nor type tells: (statuses, pattern, kind).
PHRASES: tuple[tuple[frozenset[int], str, Kind], ...] = (
    (frozenset({400, 413, 422}), r"prompt is too long|context (length|window|size)|maximum context", Kind.CONTEXT),
    (frozenset({400, 402, 403, 429}), r"credit balance|spend(ing)? limit|usage limits|insufficient credit", Kind.QUOTA),
    (frozenset({400, 403}), r"content (filter|management|policy)|flagged|moderation", Kind.FILTERED),
    (frozenset({400, 403}), r"(invalid|incorrect) api key", Kind.AUTH),
)

STATUSES: Mapping[int, Kind] = {
    400: Kind.CONFIG, 401: Kind.AUTH, 402: Kind.QUOTA, 403: Kind.AUTH, 404: Kind.CONFIG, 405: Kind.CONFIG,
    408: Kind.TRANSIENT, 409: Kind.TRANSIENT, 413: Kind.CONTEXT, 422: Kind.CONFIG, 425: Kind.TRANSIENT,
    429: Kind.RATE, 498: Kind.OVERLOAD, 499: Kind.TRANSIENT, 503: Kind.OVERLOAD, 529: Kind.OVERLOAD,
}  # fmt: skip
LONGEST_READ = 1000  # characters of a message, in which figures are looked for
FIGURES = re.compile(r"\blimit (\d[\d,]{0,20}),.{0,40}?\brequested (\d[\d,]{0,20})", re.IGNORECASE)

NO_WORDS: Mapping[str, Kind] = MappingProxyType({})
KINDS: Mapping[type, str] = {list: "a list", dict: "an object", bool: "true"}
CONFIG_EVERYWHERE_STATUSES = frozenset({404, 405})
NEVER_BILLED = frozenset({429, 529})


@dataclass(frozen=True, slots=True)
class Said:
    """What an error body says, whatever its shape. `parsed` is False for HTML, an empty body and the like."""

    words: tuple[str, ...] = ()  # codes and types in lower case, the most special first
    message: str = ""
    status: int | None = None  # some routers put a status where others put a code
    parsed: bool = False


def classify(raw: RawReply, *, now: float = 0.0, own: Mapping[str, Kind] = NO_WORDS) -> Verdict | None:
    """What is wrong with a reply, by its status, headers and body; None for a success that is to be read.

    `now`, in seconds since 1970, is needed for providers that say a date to wait for. `own` is what codes, types and
    statuses of the provider's mean, in lower case; it has the first word.
    """
    if 200 <= raw.status < 300:
        # Inside of a JSON text the quotes are escaped, so these bytes are a key or a value, never an answer's words.
        return _judge(raw, now=now, own=own) if b'"error"' in raw.body and _said(raw.body).parsed else None
    return _judge(raw, now=now, own=own)


def classify_failure(message: str, *, sent: bool) -> Verdict:
    """No complete reply came back: may be chance. `sent` is False when the provider surely never saw the request."""
    return Verdict(kind=Kind.TRANSIENT, message=_cleaned(message), billed=None if sent else False, unreached=not sent)


def classify_unreadable(message: str) -> Verdict:
    """A success that is none: garbled, cut or in another dialect. Nobody knows what it cost."""
    return Verdict(kind=Kind.PROTOCOL, message=_cleaned(message))


def _judge(raw: RawReply, *, now: float, own: Mapping[str, Kind]) -> Verdict:
    said = _said(raw.body)
    status = (said.status or 500) if raw.status < 300 else raw.status
    kind, is_specific = _own_kind(said, status, own) or _kind(said, status)
    advice = raw.headers.get(SHOULD_RETRY, "")
    if advice == "true" and not is_specific and kind is Kind.CONFIG:
        kind = Kind.TRANSIENT
    return Verdict(
        kind=kind,
        message=_cleaned(f"{raw.status}: {said.message or _default_message(raw)}"),
        delay_s=_delay_s(raw, said, now=now),
        billed=False if _is_unbilled(raw.status, kind, said) else None,
        everywhere=kind in EVERYWHERE or (kind is Kind.CONFIG and _is_about_everything(said, status)),
        final=advice == "false" and not is_specific,
    )


def _own_kind(said: Said, status: int, own: Mapping[str, Kind]) -> tuple[Kind, bool] | None:
    """What the provider's own words mean, if there is one among them; a status of its own comes last."""
    found = next((own[word] for word in (*said.words, str(status)) if word in own), None)
    return None if found is None else (found, True)


def _kind(said: Said, status: int) -> tuple[Kind, bool]:
    """The kind, and whether words said it rather than the status alone."""
    # This one comes under the code of an ordinary rate limit, and yet waiting cannot help.
    if status in (413, 429) and _asks_for_too_much(said.message[:LONGEST_READ]):
        return Kind.CONFIG, True
    for word in said.words:
        if word in WORDS and word not in VAGUE:
            return WORDS[word], True
    for statuses, pattern, kind in PHRASES:
        if status in statuses and re.search(pattern, said.message, re.IGNORECASE):
            return kind, True
    if status in STATUSES:
        return STATUSES[status], False
    if 300 <= status < 500:
        return Kind.CONFIG, False
    return Kind.TRANSIENT, False


def _asks_for_too_much(message: str) -> bool:
    """Whether a single request is above a limit: in words, or by the figures that were told."""
    if "request too large" in message.lower():
        return True
    told = FIGURES.search(message)
    return told is not None and int(told[2].replace(",", "")) > int(told[1].replace(",", ""))


def _is_about_everything(said: Said, status: int) -> bool:
    return status in CONFIG_EVERYWHERE_STATUSES or 300 <= status < 400 or bool(CONFIG_EVERYWHERE & {*said.words})


def _is_unbilled(status: int, kind: Kind, said: Said) -> bool:
    if status < 300:
        return kind in UNBILLED_UNDER_200
    # At 499 and 520 to 524 a proxy speaks: the provider may have answered, and billed.
    return status in NEVER_BILLED or (said.parsed and (400 <= status < 499 or status in (498, 503)))


def _said(body: bytes) -> Said:
    try:
        found: object = orjson.loads(body)
    except orjson.JSONDecodeError:
        return Said()
    if isinstance(found, list) and found:  # Gemini wraps its errors in a list
        found = found[0]
    if not isinstance(found, dict):
        return Said()
    error = found.get("error", found.get("detail", found if found.get("object") == "error" else None))
    if isinstance(error, list) and error and isinstance(error[0], dict):  # FastAPI lists what was wrong
        return Said(message=_text(error[0].get("msg")), parsed=True)
    if isinstance(error, dict):
        return _said_by(error)
    return Said(message=_text(error), parsed=error is not None)


def _said_by(error: Mapping[str, object]) -> Said:
    found = [error.get("code"), error.get("type")]
    for inner in (error.get("details"), error.get("innererror")):
        if isinstance(inner, dict):
            found[:0] = [inner.get("error_code"), inner.get("code")]
    numbers = [int(str(word)) for word in found if _is_status(word)]
    return Said(
        words=tuple(word.lower() for word in found if isinstance(word, str)),
        message=_text(error.get("message")),
        status=numbers[0] if numbers else _status_of_words(found),
        parsed=True,
    )


def _text(found: object) -> str:
    """What was said if it is a text, else its kind: a list in a list in a list cannot be told, and is no message."""
    if isinstance(found, str):
        return found
    return f"the message is no text but {KINDS.get(type(found), 'a number')}" if found else ""


def _is_status(word: object) -> bool:
    """OpenRouter and vLLM say the status as a number, LiteLLM as a text, where others say a code."""
    return (
        not isinstance(word, bool) and isinstance(word, int | str) and re.fullmatch(r"[345]\d\d", str(word)) is not None
    )


def _status_of_words(words: list[object]) -> int | None:
    """The status under which a vague type is at home, for errors that come under 200."""
    homes = {"rate_limit_error": 429, "invalid_request_error": 400}
    return next((homes[word] for word in words if isinstance(word, str) and word in homes), None)


def _delay_s(raw: RawReply, said: Said, *, now: float) -> float | None:
    """The headers' word, else what the body says: `try again in 7m12s`, Gemini's `"retryDelay": "3.5s"`."""
    delay = retry_after_s(raw.headers, now=now)
    if delay is not None:
        return delay
    told = re.search(rb'"retryDelay"\s*:\s*"([\d.]+s)"', raw.body)
    text = told[1].decode() if told else ""
    if not text and (asked := re.search(r"try again in ([\d.hmsuµn]*[hms])", said.message)):
        text = asked[1]
    return wait_s(text)


def _default_message(raw: RawReply) -> str:
    if 300 <= raw.status < 400:
        return f"the endpoint redirects to {raw.headers.get('location', 'elsewhere')}; give the final address"
    return "the provider gave no reason"


# Keys as providers make and echo them: a known beginning, or anything long right after a telling word.
KEYS = re.compile(
    r"\b(?:sk|pk|rk|gsk|xai|hf|r8|key)[-_][\w*.…/+=-]{4,}|\bAIza[\w-]{8,}"
    r"|(?i:bearer|api[ _-]?key(?: provided)?:?)\s+[\w*.…/+=-]{8,}"
)
LONGEST_MESSAGE = 300


def _cleaned(message: str) -> str:
    """One line without keys or control characters, short enough to read."""
    # Cleaned before as well: what cannot be seen parts a key only until it is left out.
    return clean(KEYS.sub("[key]", clean(message, 4 * LONGEST_MESSAGE)), LONGEST_MESSAGE)
