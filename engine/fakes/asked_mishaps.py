"""Mishaps that a request asks for itself, in a header: `x-mishap: 429-requests retry_after=2`. For it alone."""

from __future__ import annotations

from typing import Final

from engine.errors import UserError
from engine.fakes.case import Unread
from engine.fakes.dialect import Headers, Refusal
from engine.fakes.rule_forms import rule_from_text
from engine.fakes.rules import Rule, When

__all__ = ["MISHAP_HEADER", "mishap_asked_for", "unread_mishap_asked_for"]

MISHAP_HEADER: Final = "x-mishap"


def mishap_asked_for(headers: Headers, *, answers: bool) -> Rule | None:
    """What the request is to meet. Raises Refusal for what cannot be meant; `answers`: it asks for an answer."""
    if (told := headers.get(MISHAP_HEADER)) is None:
        return None
    try:
        rule = _meant(told)
        if rule.mishap.needs_answer and not answers:
            raise UserError(f"{rule.do} is about answers, and this call asks for none")
    except UserError as error:
        raise Refusal("invalid", f"{MISHAP_HEADER}: {error}") from None
    return rule


def unread_mishap_asked_for(headers: Headers) -> Rule | None:
    """What the request is to meet before it is read. Whatever cannot be meant is complained about once it was read."""
    if (told := headers.get(MISHAP_HEADER)) is None:
        return None
    try:
        rule = _meant(told)
    except UserError:
        return None
    return rule if isinstance(rule.mishap, Unread) else None


def _meant(told: str) -> Rule:
    rule = rule_from_text(told)
    if rule.when != When():
        raise UserError("a mishap that a request asks for has no conditions")
    return rule
