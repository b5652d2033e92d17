"""Whose limits a request counts against: an address, a key and a family of models. The key itself is not kept."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from typing import Final, NamedTuple

from engine.providers.address import Address

__all__ = ["Account"]

# Dated snapshots and their aliases share one limit: claude-haiku-4-5-20251001, gpt-5.4-mini-2026-03-17, …-latest.
_SNAPSHOT: Final = re.compile(r"-(?:latest|\d{8}|\d{4}-\d{2}-\d{2})$")


class Account(NamedTuple):
    """Two providers with equal accounts share their limits. `key` is a fingerprint that tells keys apart, no more."""

    address: str
    key: str
    family: str

    @classmethod
    def of(cls, address: Address, *, key: str | None, model: str) -> Account:
        return cls(str(address), "" if key is None else _fingerprint(key), _SNAPSHOT.sub("", model))


def _fingerprint(key: str) -> str:
    """Differs from one process to the next, so that seeing it helps nobody to recognise or to guess a key."""
    return hashlib.blake2b(key.encode("utf-8", "surrogatepass"), key=_salt(), digest_size=8).hexdigest()


@cache
def _salt() -> bytes:
    return os.urandom(16)
