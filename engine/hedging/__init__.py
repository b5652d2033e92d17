"""Another attempt beside one that takes far too long.

stragglers   which requests deserve one, and how many may have it: arithmetic that is handed the time
race         sends it, and sees to what becomes of the slower ones
"""

from __future__ import annotations

from engine.hedging.race import Races

__all__ = ["Races"]
