"""What follows from a name alone, whoever draws it and whenever."""

from __future__ import annotations

import hashlib
import math
from statistics import NormalDist

__all__ = ["log_normal"]


def log_normal(name: str, *, median: float, sigma: float) -> float:
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    share = (int.from_bytes(digest) + 0.5) / 2**64
    return median * math.exp(sigma * NormalDist().inv_cdf(share))
