"""Every error that the two services, routers and edge proxies are known for, by a name that begins with its status.

Data: who meets a row gets its status, its type and code in their own dialect, and its words.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Final, Literal, NamedTuple

from engine.fakes.case import Case, Refused, Served
from engine.providers.foreign import encode

__all__ = ["ERROR_ROWS", "openai_error", "retry_after"]

Shape = Literal["usual", "html", "empty", "text", "list", "azure", "router", "failed"]
"""What the body is: the dialect's own error; what a proxy says; {"detail": ...} as a text or a list; Azure's inner
error; an integer for a code, as routers have it; the responses endpoint's failure."""


class Row(NamedTuple):
    """An error: type and code at OpenAI's, type and details.error_code at Anthropic's."""

    openai: tuple[str, str | None] = ("invalid_request_error", None)
    anthropic: tuple[str, str | None] = ("invalid_request_error", None)
    says: str = "The request failed."
    anthropic_says: str = ""
    param: str | None = None
    shape: Shape = "usual"
    retry_after: str = ""


_INVALID: Final = "invalid_request_error"
_LIMIT: Final = "rate_limit_error"
_BROKE: Final = "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade."
_SPENT: Final = "You exceeded your current quota, please check your plan and billing details."
_SPENT_A: Final = "This organization has reached its enforced spend limit."
_OWN_LIMIT: Final = "You have reached your specified API usage limits. You will regain access on 2026-12-01."
_BLOCKED: Final = "Output blocked by content filtering policy"
_FLEX: Final = "Resource unavailable: the flex tier has no capacity right now."

_RPM: Final = (
    "Rate limit reached for {model} in organization org-fake on requests per min (RPM): Limit 500, Used 500, "
    "Requested 1. Please try again in 120ms."
)
_TPM: Final = (
    "Rate limit reached for {model} in organization org-fake on tokens per min (TPM): Limit 200000, Used 199990, "
    "Requested 500. Please try again in 147ms."
)
_LARGE: Final = (
    "Request too large for {model} in organization org-fake on tokens per min (TPM): Limit 30000, Requested 50000. "
    "The input or output tokens must be reduced in order to run successfully."
)
_RPM_A: Final = "This request would exceed your organization's rate limit of 1,000 requests per minute."
_RPD: Final = (
    "Rate limit reached for {model} in organization org-fake on requests per day (RPD): Limit 200, Used 200, "
    "Requested 1. Please try again in 7m12s."
)
_RPD_A: Final = "This request would exceed your organization's rate limit of 200 requests per day."
_ITPM_A: Final = "This request would exceed your organization's rate limit of 2,000,000 input tokens per minute."
_HTML: Final = b"<html>\r\n<head><title>%d</title></head>\r\n<body><center><h1>%d</h1></center></body>\r\n</html>\r\n"

_ROWS: Final[Mapping[str, Row]] = {
    "400-context": Row(
        (_INVALID, "context_length_exceeded"), (_INVALID, None),
        "This model's maximum context length is 8192 tokens. However, your messages resulted in 9000 tokens.",
        "prompt is too long: 210000 tokens > 200000 maximum", "messages",
    ),
    "400-parameter": Row(
        (_INVALID, "unsupported_parameter"), (_INVALID, None),
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
        "temperature: Extra inputs are not permitted", "max_tokens",
    ),
    "400-value": Row(
        (_INVALID, "unsupported_value"), (_INVALID, None),
        "Unsupported value: 'temperature' does not support 0.7 with this model. Only the default (1) is supported.",
        "temperature: range: 0..1", "temperature",
    ),
    "400-minimum": Row(
        (_INVALID, "integer_below_min_value"), (_INVALID, None),
        "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got 5 instead.",
        "max_tokens: Input should be greater than or equal to 1", "max_output_tokens",
    ),
    "400-invalid": Row(
        (_INVALID, "invalid_value"), (_INVALID, None), "Invalid value: 'robot'.",
        "messages.0.role: Input should be 'user' or 'assistant'", "messages[0].role",
    ),
    "400-policy": Row(
        (_INVALID, "content_policy_violation"), (_INVALID, None),
        "Your request was rejected as a result of our safety system.", _BLOCKED,
    ),
    "400-prompt": Row(
        (_INVALID, "invalid_prompt"), (_INVALID, None),
        "Invalid prompt: your prompt was flagged as potentially violating our usage policy.", _BLOCKED,
    ),
    "400-azure-filter": Row(
        ("", "content_filter"), (_INVALID, None), "The response was filtered.", _BLOCKED, "prompt", "azure"
    ),
    "400-hard-limit": Row(
        (_INVALID, "billing_hard_limit_reached"), (_INVALID, None), "Billing hard limit has been reached.", _BROKE
    ),
    "400-own-limit": Row(
        (_INVALID, "billing_hard_limit_reached"), (_INVALID, None), "Billing hard limit has been reached.", _OWN_LIMIT
    ),
    "401-key": Row(
        (_INVALID, "invalid_api_key"), ("authentication_error", None), "Incorrect API key provided: {key}.",
        "invalid x-api-key",
    ),
    "402-credit": Row(("", None), ("billing_error", None), "Insufficient credits.", _BROKE, shape="router"),
    "403-country": Row(
        ("request_forbidden", "unsupported_country_region_territory"), ("permission_error", None),
        "Country, region, or territory not supported.",
    ),
    "403-permission": Row(
        (_INVALID, "insufficient_permissions"), ("permission_error", None),
        "You have insufficient permissions for this operation.",
        "Your API key does not have permission to use the specified resource.",
    ),
    "403-training": Row(
        (_INVALID, "training_not_available"), ("permission_error", None),
        "Training is not available for this organization.",
    ),
    "404-model": Row(
        (_INVALID, "model_not_found"), ("not_found_error", None),
        "The model `{model}` does not exist or you do not have access to it.", "model: {model}",
    ),
    "408-timeout": Row(("timeout", "timeout"), ("timeout_error", None), "Request timed out."),
    "409-conflict": Row(
        ("conflict", "conflict"), ("conflict_error", None), "The resource is locked by another request."
    ),
    "413-size": Row(
        (_INVALID, "request_too_large"), ("request_too_large", None), "The request is larger than the service takes.",
        "Request exceeds the maximum size",
    ),
    "413-tokens": Row(
        ("tokens", "rate_limit_exceeded"), (_INVALID, None),
        "Request too large for model `{model}` on tokens per minute (TPM): Limit 6000, Requested 9000, please reduce "
        "your message size and try again.",
    ),
    "413-edge": Row(shape="html"),
    "422-text": Row(says="Field 'n' is not permitted.", shape="text"),
    "422-list": Row(says="Extra inputs are not permitted", shape="list"),
    "429-requests": Row(("requests", "rate_limit_exceeded"), (_LIMIT, None), _RPM, _RPM_A, retry_after="1"),
    "429-tokens": Row(("tokens", "rate_limit_exceeded"), (_LIMIT, None), _TPM, _ITPM_A, retry_after="1"),
    "429-too-large": Row(("tokens", "rate_limit_exceeded"), (_LIMIT, None), _LARGE, _LARGE),
    "429-ramp": Row(
        (_LIMIT, "slow_down"), (_LIMIT, "ramp_limit_exceeded"), "Slow down: your traffic rises too fast.",
        retry_after="5",
    ),
    "429-quota": Row(
        ("insufficient_quota", "insufficient_quota"), (_LIMIT, "enforced_spend_limit_reached"), _SPENT, _SPENT_A
    ),
    "429-credit": Row(
        ("insufficient_quota", "credit_balance_exhausted"), (_LIMIT, "contract_spend_limit_reached"), _SPENT, _SPENT_A
    ),
    "429-organization-limit": Row(
        ("insufficient_quota", "organization_spend_limit_exceeded"), (_LIMIT, "enforced_spend_limit_reached"), _SPENT,
        _SPENT_A,
    ),
    "429-project-limit": Row(
        ("insufficient_quota", "project_spend_limit_exceeded"), (_LIMIT, "enforced_spend_limit_reached"), _SPENT,
        _SPENT_A,
    ),
    "429-usage-limit": Row(
        ("insufficient_quota", "organization_usage_limit_exceeded"), (_LIMIT, "enforced_spend_limit_reached"), _SPENT,
        _SPENT_A,
    ),
    "429-rush": Row((_LIMIT, "rate_limit_exceeded"), (_LIMIT, None), "Slow down: too many requests right now."),
    "429-day": Row(("requests", "rate_limit_exceeded"), (_LIMIT, None), _RPD, _RPD_A, retry_after="432"),
    "429-flex": Row(("", "resource_unavailable"), (_LIMIT, None), _FLEX),
    "498-capacity": Row(("capacity_exceeded", "capacity_exceeded"), ("overloaded_error", None), _FLEX, "Overloaded"),
    "499-edge": Row(shape="html"),
    "500-server": Row(("server_error", None), ("api_error", None), "Internal error", "Internal server error"),
    "502-edge": Row(shape="html"),
    "502-empty": Row(shape="empty"),
    "503-overloaded": Row(
        ("service_unavailable_error", "server_is_overloaded"), ("api_error", None),
        "The server is currently overloaded with other requests.", "Overloaded",
    ),
    "503-slow-down": Row(("service_unavailable_error", "slow_down"), (_LIMIT, "ramp_limit_exceeded"), "Slow down."),
    "503-key": Row(
        ("service_unavailable_error", None), ("api_error", "cmek_key_unreachable"), "A key cannot be reached."
    ),
    "503-edge": Row(shape="html"),
    "504-timeout": Row(("timeout", "timeout"), ("timeout_error", None), "The request timed out."),
    "504-edge": Row(shape="html"),
    "504-empty": Row(shape="empty"),
    **{f"{status}-edge": Row(shape="html") for status in range(520, 525)},
    "529-overloaded": Row(("overloaded_error", None), ("overloaded_error", None), "Overloaded"),
    "529-compaction": Row(("overloaded_error", None), ("overloaded_error", "compaction_unavailable"), "Overloaded"),
    "200-error": Row(("server_error", None), ("overloaded_error", None), "Internal error", "Overloaded"),
    "200-router": Row(("", "502"), ("api_error", None), "Bad upstream.", shape="router"),
    "200-failed": Row(("", "server_error"), ("api_error", None), "The server had an error.", shape="failed"),
}  # fmt: skip


def _say(name: str, row: Row, case: Case) -> Served:
    status = int(name[:3])
    body, kind = _body(status, row, case), "text/html" if row.shape == "html" else "application/json"
    headers = {"content-type": kind} if row.shape in {"html", "empty"} else dict(case.headers)
    if told := str(case.settings["retry_after"]):
        headers["retry-after"] = retry_after(told, wall=case.wall)
    return Served(status, headers, body)


def retry_after(told: str, *, wall: float) -> str:
    """The header's text: as it is told, but `date+30` is the HTTP date that many seconds ahead (`date-5`: ago)."""
    if ahead := re.fullmatch(r"date([+-]\d{1,9})", told):
        return format_datetime(datetime.fromtimestamp(wall + int(ahead[1]), UTC), usegmt=True)
    return told


def _body(status: int, row: Row, case: Case) -> bytes:
    if row.shape == "html":
        return _HTML % (status, status)
    if row.shape == "empty":
        return b""
    if row.shape in {"text", "list"}:
        detail = [{"loc": ["body", "n"], "msg": row.says, "type": "extra_forbidden"}]
        return encode({"detail": row.says if row.shape == "text" else detail})
    return _anthropic_body(row, case) if case.is_anthropic else _openai_body(status, row, case)


def openai_error(name: str, *, model: str) -> dict[str, object]:
    """What stands under `error` in an error of OpenAI's: type, code, message and parameter."""
    return _openai_error(_ROWS[name], message=_ROWS[name].says.format(model=model, key=""))


def _openai_error(row: Row, *, message: str) -> dict[str, object]:
    kind, code = row.openai
    return {"message": message, "type": kind or None, "param": row.param, "code": code}


def _openai_body(status: int, row: Row, case: Case) -> bytes:
    _, code = row.openai
    message = row.says.format(model=case.model, key=case.key)
    if row.shape == "failed":
        return encode({"object": "response", "status": "failed", "error": {"code": code, "message": message}})
    if row.shape == "router":
        return encode({"error": {"message": message, "code": int(code or status)}})
    error = _openai_error(row, message=message)
    if row.shape == "azure":
        error |= {"status": status, "innererror": {"code": "ResponsibleAIPolicyViolation", "content_filter_result": {}}}
    return encode({"error": error})


def _anthropic_body(row: Row, case: Case) -> bytes:
    kind, code = row.anthropic
    error: dict[str, object] = {
        "type": kind,
        "message": (row.anthropic_says or row.says).format(model=case.model, key=case.key),
    }
    if code is not None:
        error["details"] = {"error_code": code}
    return encode({"type": "error", "error": error, "request_id": case.dialect.request_id(case.number)})


def _about(name: str, row: Row) -> str:
    codes = f"{' / '.join(filter(None, row.openai))}; {' / '.join(filter(None, row.anthropic))}"
    told = {
        "html": "an edge proxy's page",
        "empty": "no body",
        "text": '{"detail": "..."}',
        "list": '{"detail": [...]}',
    }
    return f"{name[:3]}: {told.get(row.shape, codes)}"


ERROR_ROWS: Final[Mapping[str, Refused]] = {
    name: Refused(about=_about(name, row), settings={"retry_after": row.retry_after}, say=partial(_say, name, row))
    for name, row in _ROWS.items()
}
