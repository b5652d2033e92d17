"""The live view of a run: draws events and statistics, and never steers. Knows no task; every name comes as data."""

from __future__ import annotations

from engine.dashboard.live import Dashboard

__all__ = ["Dashboard"]
