"""Who was asked before, in the same journal: what they answered counts, and they are asked nothing more."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from engine.errors import UserError
from engine.messages import RawReply, Request
from engine.providers import Reading
from engine.providers.anthropic import read_message
from engine.providers.openai import read_completion

__all__ = ["Former", "formers_of"]


@dataclass(frozen=True, slots=True)
class Former:
    """A model and an endpoint, as requests name them: `openai/gpt-5.4-mini at https://... openai-chat gpt-5.4-mini`."""

    asked_of: str

    @property
    def model(self) -> str:
        """`provider/name`, as on the command line."""
        return self.asked_of.partition(" at ")[0]

    def read(self, request: Request, raw: RawReply) -> Reading:
        """What they said, in the dialect that they spoke. Raises UnreadableReply."""
        address_and_dialect = self.asked_of.partition(" at ")[2].split(" ")
        name = self.model.partition("/")[2]
        if any(word.startswith("anthropic-") for word in address_and_dialect[1:2]):
            return read_message(request, raw, model=name)
        return read_completion(request, raw, model=name)


def formers_of(told: Iterable[str]) -> tuple[Former, ...]:
    """Those who are named. Raises UserError for what no request could name."""
    formers = tuple(map(Former, told))
    for former in formers:
        if "/" not in former.model or former.model == former.asked_of:
            raise UserError(
                f"formers are told as `Engine.asked_of` says them: MODEL at ENDPOINT (got {former.asked_of!r})"
            )
    return formers
