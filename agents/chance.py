"""Chance by name: the same words give the same draws, in every process and on every machine."""

from __future__ import annotations

import hashlib
import random

__all__ = ["chance"]


def chance(*name: str | int) -> random.Random:
    """A generator named by what it is for: `chance(seed, "demonstrations", row, vote)`.

    It depends on nothing that was drawn before, so whoever asks first or last draws alike.
    """
    # repr escapes lone surrogates, which a seed string may not hold.
    return random.Random(hashlib.sha256(repr(name).encode()).digest())
