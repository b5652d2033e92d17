"""Everything that can go wrong, as one tree, split by who must act.

SmeltError
├── UserError               the user must change what they gave        exit code 2
│   ├── UnknownPrice        a model whose price nobody told us
│   ├── MissingExtra        a command whose optional packages are absent
│   ├── JournalUnusable     a journal that is foreign, newer or damaged
│   │   └── JournalInUse    another process writes it
│   └── TrainingDiverged    a loss that is no longer a number: another seed, base or student
├── BudgetReached           the money is spent                         exit code 3
├── ProviderRefused         the provider refuses everything we send    exit code 4
│   ├── AuthenticationRefused
│   ├── QuotaExhausted
│   ├── LimitReached         an allowance, of a day say, that comes back only after long
│   ├── ConfigurationRefused
│   ├── EndpointUnreachable  nothing answers there, or nothing but errors
│   └── WorkersLost          the machines that were to ask are gone
├── Interrupted             somebody asked for an orderly end      exit code 130
└── RequestFailed           one request, one row; the rest go on
    ├── ContextOverflow     too long for the model
    ├── ContentFiltered     refused by a content filter
    ├── RequestRejected     malformed in the provider's eyes
    ├── UnreadableReply     answered, but not in the dialect
    ├── ProviderUnavailable the allowance of retries is used up
    ├── DeadlineExceeded    the time is used up
    ├── AnswerCut           meant to be JSON, and its end is missing
    ├── AnswerRefused       the model would not answer
    └── SchemaMissed        answered, but not what the schema says

A bug of ours is none of these: it is whatever Python raises, exit code 1.
"""

from __future__ import annotations

from typing import Self

__all__ = [
    "AnswerCut",
    "AnswerRefused",
    "AuthenticationRefused",
    "BudgetReached",
    "ConfigurationRefused",
    "ContentFiltered",
    "ContextOverflow",
    "DeadlineExceeded",
    "EndpointUnreachable",
    "Interrupted",
    "JournalInUse",
    "JournalUnusable",
    "LimitReached",
    "MissingExtra",
    "ProviderRefused",
    "ProviderUnavailable",
    "QuotaExhausted",
    "RequestFailed",
    "RequestRejected",
    "SchemaMissed",
    "SmeltError",
    "TrainingDiverged",
    "UnknownPrice",
    "UnreadableReply",
    "UserError",
    "WorkersLost",
]


class SmeltError(Exception):
    """The root of every error that Smelt raises on purpose."""

    exit_code = 1

    def again(self) -> Self:
        """The same error for somebody else: raised twice, one object would gather the tracebacks of all."""
        return type(self)(*self.args)


class UserError(SmeltError):
    """Something the user gave cannot be used; the message says what, where and the way out."""

    exit_code = 2


class UnknownPrice(UserError):
    """No price is known for the model, and no price is never taken to be zero."""


class MissingExtra(UserError):
    """An optional part of Smelt is not installed."""

    def __init__(self, extra: str, *, needed_for: str) -> None:
        super().__init__(f"{needed_for} needs the {extra!r} extra: pip install 'smelt[{extra}]'")
        self.extra = extra


class JournalUnusable(UserError):
    """The journal belongs to another run, is newer than this Smelt, damaged, or in use."""


class JournalInUse(JournalUnusable):
    """Another process writes the journal."""


class TrainingDiverged(UserError):
    """The loss of a student became infinite or stopped being a number; nothing was saved."""


class BudgetReached(SmeltError):
    """The next call might pass the cap, and nothing in flight could give money back."""

    exit_code = 3


class ProviderRefused(SmeltError):
    """The provider refuses everything we send; trying again cannot help."""

    exit_code = 4


class AuthenticationRefused(ProviderRefused):
    """The key is missing, wrong or not allowed here."""


class QuotaExhausted(ProviderRefused):
    """The account has no credit left or has met its own spending limit."""


class LimitReached(ProviderRefused):
    """Nobody is let in for longer than a request may wait, as when a limit a day is used up; later it is again."""


class ConfigurationRefused(ProviderRefused):
    """The model or a parameter does not exist at this endpoint."""


class EndpointUnreachable(ProviderRefused):
    """Nothing ever answered at the endpoint, or nothing but errors of its own."""


class WorkersLost(ProviderRefused):
    """The processes or machines that were to ask are gone, and no others could be had."""


class Interrupted(SmeltError):
    """Somebody asked for an orderly end: what was in flight is finished and kept, and nothing more is sent."""

    exit_code = 130


class RequestFailed(SmeltError):
    """One request ended without an answer; the others go on."""


class ContextOverflow(RequestFailed):
    """The request is longer than the model can read."""


class ContentFiltered(RequestFailed):
    """A content filter refused the request or its answer."""


class RequestRejected(RequestFailed):
    """The provider finds this one request malformed."""


class UnreadableReply(RequestFailed):
    """The provider answered 200 with something that is not a reply in its own dialect."""


class ProviderUnavailable(RequestFailed):
    """Every allowed attempt failed for reasons that lay with the provider or the network."""


class DeadlineExceeded(RequestFailed):
    """The request did not end within the time it was given."""


class AnswerCut(RequestFailed):
    """The answer was to be JSON, and its end is missing: there was no room for it."""


class AnswerRefused(RequestFailed):
    """The answer was to be JSON, and the model would not give one."""


class SchemaMissed(RequestFailed):
    """The answer is not the JSON that the schema says."""
