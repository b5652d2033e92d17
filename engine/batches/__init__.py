"""Requests that may wait for a day, at half the price: gathered into files, followed, and settled line by line.

packing     which requests leave together, and when
course      what to do next about a batch, and what its end means for its lines
depot       where requests wait to leave, and where it is known what is out
voyage      one batch from step to step
"""

from __future__ import annotations

from engine.batches.course import Timing
from engine.batches.depot import Depot
from engine.batches.opening import BATCH_PATIENCE_S, UNDER_WAY, assume_strangers, check_batch, open_depot

__all__ = ["BATCH_PATIENCE_S", "UNDER_WAY", "Depot", "Timing", "assume_strangers", "check_batch", "open_depot"]
