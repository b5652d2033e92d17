"""The machine: calls, time, money, bytes, tensors. It knows no task and no prompt.

async with Engine("openai/gpt-5.4-mini", budget=Budget(usd=5), journal="run/journal.db") as engine:
    reply = await engine.ask(Request.user("Say hello"))
"""

from __future__ import annotations

from engine.budget import Budget
from engine.clock import Clock, SystemClock
from engine.core import Engine
from engine.errors import (
    AuthenticationRefused,
    BudgetReached,
    ConfigurationRefused,
    ContentFiltered,
    ContextOverflow,
    DeadlineExceeded,
    Interrupted,
    JournalUnusable,
    MissingExtra,
    ProviderRefused,
    ProviderUnavailable,
    QuotaExhausted,
    RequestFailed,
    RequestRejected,
    SmeltError,
    UnknownPrice,
    UnreadableReply,
    UserError,
)
from engine.events import Event, Events
from engine.messages import FinishReason, Message, Outcome, RawReply, Reply, Request, Role, Usage
from engine.prices import FREE, Price
from engine.providers import Capabilities, Provider
from engine.statistics import Statistics
from engine.throttle import Limits

__all__ = [
    "FREE",
    "AuthenticationRefused",
    "Budget",
    "BudgetReached",
    "Capabilities",
    "Clock",
    "ConfigurationRefused",
    "ContentFiltered",
    "ContextOverflow",
    "DeadlineExceeded",
    "Engine",
    "Event",
    "Events",
    "FinishReason",
    "Interrupted",
    "JournalUnusable",
    "Limits",
    "Message",
    "MissingExtra",
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
    "SmeltError",
    "Statistics",
    "SystemClock",
    "UnknownPrice",
    "UnreadableReply",
    "Usage",
    "UserError",
]
