"""The machine: calls, time, money, bytes, tensors. It knows no task and no prompt.

async with Engine("openai/gpt-5.4-mini", budget=Budget(usd=5), journal="run/journal.db") as engine:
    reply = await engine.ask(Request.user("Say hello"))
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.budget import Budget
    from engine.clock import Clock, SystemClock
    from engine.core import Engine
    from engine.errors import (
        AnswerCut,
        AnswerRefused,
        AuthenticationRefused,
        BudgetReached,
        ConfigurationRefused,
        ContentFiltered,
        ContextOverflow,
        DeadlineExceeded,
        EndpointUnreachable,
        Interrupted,
        JournalInUse,
        JournalUnusable,
        LimitReached,
        MissingExtra,
        ProviderRefused,
        ProviderUnavailable,
        QuotaExhausted,
        RequestFailed,
        RequestRejected,
        SchemaMissed,
        SmeltError,
        TrainingDiverged,
        UnknownPrice,
        UnreadableReply,
        UserError,
        WorkersLost,
    )
    from engine.events import Event, Events
    from engine.messages import FinishReason, Message, Outcome, RawReply, Reply, Request, Role, Usage
    from engine.prices import FREE, Price
    from engine.providers import Capabilities, Provider
    from engine.providers.choice import Model
    from engine.statistics import Statistics
    from engine.throttle import Limits

__all__ = [
    "FREE",
    "AnswerCut",
    "AnswerRefused",
    "AuthenticationRefused",
    "Budget",
    "BudgetReached",
    "Capabilities",
    "Clock",
    "ConfigurationRefused",
    "ContentFiltered",
    "ContextOverflow",
    "DeadlineExceeded",
    "EndpointUnreachable",
    "Engine",
    "Event",
    "Events",
    "FinishReason",
    "Interrupted",
    "JournalInUse",
    "JournalUnusable",
    "LimitReached",
    "Limits",
    "Message",
    "MissingExtra",
    "Model",
    "Outcome",
    "Price",
    "Provider",
    "ProviderRefused",
    "ProviderUnavailable",
    "QuotaExhausted",
    "RawReply",
    "Reply",
    "Request",
    "RequestFailed",
    "RequestRejected",
    "Role",
    "SchemaMissed",
    "SmeltError",
    "Statistics",
    "SystemClock",
    "TrainingDiverged",
    "UnknownPrice",
    "UnreadableReply",
    "Usage",
    "UserError",
    "WorkersLost",
]

# A name is looked up in its module when it is first used: `smelt --help` needs an error or two, not an event loop.
_HOMES = {
    "engine.budget": "Budget",
    "engine.clock": "Clock SystemClock",
    "engine.core": "Engine",
    "engine.errors": "AnswerCut AnswerRefused AuthenticationRefused BudgetReached ConfigurationRefused "
    "ContentFiltered ContextOverflow DeadlineExceeded EndpointUnreachable Interrupted JournalInUse JournalUnusable "
    "LimitReached MissingExtra ProviderRefused ProviderUnavailable QuotaExhausted RequestFailed RequestRejected "
    "SchemaMissed SmeltError TrainingDiverged UnknownPrice UnreadableReply UserError WorkersLost",
    "engine.events": "Event Events",
    "engine.messages": "FinishReason Message Outcome RawReply Reply Request Role Usage",
    "engine.prices": "FREE Price",
    "engine.providers": "Capabilities Provider",
    "engine.providers.choice": "Model",
    "engine.statistics": "Statistics",
    "engine.throttle": "Limits",
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME_OF[name]), name)
    return value


def __dir__() -> list[str]:
    return __all__
