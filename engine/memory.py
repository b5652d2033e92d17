"""Whether memory ran out, by what was raised. Asks nobody, and imports no torch to find out."""

from __future__ import annotations

__all__ = ["is_out_of_memory"]

WORDS = ("out of memory", "not enough memory", "can't allocate memory", "defaultcpuallocator")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less at once might have gone well: Python's own class, torch's on cards, words in a RuntimeError."""
    if not isinstance(error, RuntimeError):
        return isinstance(error, MemoryError)
    told = str(error).lower()
    return type(error).__name__ == "OutOfMemoryError" or any(words in told for words in WORDS)
