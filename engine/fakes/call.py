"""A call that asks for no answer: about files, batches, models or counts; read whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import orjson

from engine.fakes.dialect import Headers

__all__ = ["Call", "Upload"]


class Upload(NamedTuple):
    """A form with a file in it."""

    name: str
    purpose: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call. `body` is None where it was too large to be read."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Headers
    body: bytes | None = b""
    upload: Upload | None = None
    wall: float  # seconds since 1970
    origin: str  # the scheme and host that the caller sees

    @property
    def content(self) -> bytes:
        """All that was sent, but for the form that a file comes in."""
        return self.upload.content if self.upload is not None else self.body or b""

    @property
    def model(self) -> str:
        """The model that the body names, if it does."""
        try:
            told = orjson.loads(self.content)
        except orjson.JSONDecodeError:
            return ""
        model = told.get("model") if isinstance(told, dict) else None
        return model if isinstance(model, str) else ""
