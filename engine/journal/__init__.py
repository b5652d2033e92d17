"""What is written here is never asked, or paid for, twice.

An intent is durable before its request is sent; the raw reply and its line in the ledger are durable, in one
transaction, before anybody reads the reply. So after `kill -9` at any instant the next process knows every reply that
was paid for and every request that may have been. The journal knows questions as 32-byte keys and replies as bytes: no
provider and no price, and what was asked is bytes to it, too.
"""

from __future__ import annotations

from engine.journal.journal import Journal
from engine.journal.looks import latencies, name_at, peek, read, requests
from engine.journal.records import Counts, Entry, Line, OpenBatch, Stored, Totals
from engine.journal.soundness import mark_path

__all__ = [
    "Counts",
    "Entry",
    "Journal",
    "Line",
    "OpenBatch",
    "Stored",
    "Totals",
    "latencies",
    "mark_path",
    "name_at",
    "peek",
    "read",
    "requests",
]
