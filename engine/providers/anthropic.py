"""Anthropic messages."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Final

from engine.clock import Clock
from engine.errors import RequestRejected, UnreadableReply
from engine.messages import FinishReason, RawReply, Request, Usage
from engine.providers import Capabilities, Reading
from engine.providers.account import Account
from engine.providers.address import Address
from engine.providers.anthropic_body import body_under
from engine.providers.batches import BatchEndpoint
from engine.providers.foreign import credible_usage, decode, encode, ended, optional
from engine.providers.http import Wire
from engine.providers.profile import Profile, profiles, recognised

__all__ = ["OFFICIAL_DOMAIN", "OFFICIAL_URL", "Anthropic", "capabilities_under", "read_message"]

OFFICIAL_URL: Final = "https://api.anthropic.com"
OFFICIAL_DOMAIN: Final = "api.anthropic.com"

# The version that we ask for unless told otherwise is the last before this one: annealing lives on temperatures.
_WITHOUT_SAMPLING: Final = "2026-10-21"

_FINISH: Final[Mapping[str, FinishReason]] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "refusal",
}


def capabilities_under(version: str) -> Capabilities:
    """What may be sent under an `anthropic-version`: a temperature up to 1, or from the newest on none at all."""
    return _of_version(profiles()["anthropic"], version).capabilities


def _of_version(profile: Profile, version: str) -> Profile:
    sampling = version < _WITHOUT_SAMPLING  # versions are dates, and sort as text
    return dataclasses.replace(profile, version=version, temperature=profile.temperature if sampling else None)


class Anthropic:
    """A model behind POST {base_url}/v1/messages; a base URL that ends in /v1 already is taken as meant.

    Anthropic("claude-haiku-4-5", api_key=key, clock=SystemClock())
    Anthropic("claude-haiku-4-5", api_key=key, clock=SystemClock(), version="2026-10-21")   # no temperature
    """

    simulated: bool = False

    def __init__(
        self,
        model: str,
        *,
        base_url: str | Address = OFFICIAL_URL,
        api_key: str | None = None,
        clock: Clock,
        version: str | None = None,
        profile: Profile | None = None,
    ) -> None:
        self.model = model
        address = base_url if isinstance(base_url, Address) else Address.of(base_url)
        self._address = dataclasses.replace(address, url=address.url.removesuffix("/v1"))
        known = profile or recognised(self._address, api="anthropic")
        self.profile = _of_version(known, version or known.version).for_model(model)
        self.version = self.profile.version
        self.capabilities = self.profile.capabilities
        self.errors = self.profile.errors
        self.official = self._address.within(OFFICIAL_DOMAIN)
        headers = self.profile.headers_with(api_key)
        self.account = Account.of(self._address, key=api_key, model=model)
        self._wire = Wire(self._address, self.profile.path_for(model), headers=headers, clock=clock, key=api_key)
        self._key: Callable[[], str | None] = lambda: api_key  # not to be seen by whoever looks at the attributes

    @property
    def name(self) -> str:
        return f"anthropic/{self.model}"

    @property
    def endpoint(self) -> str:
        plain = f"{self._address} anthropic-messages {self.version} {self.model}"
        return " ".join(filter(None, [plain, self.profile.peculiarity]))

    def __repr__(self) -> str:
        return f"<Anthropic {self.endpoint}>"

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        if objection := self.capabilities.objection(request):
            raise RequestRejected(f"{self.name}: {objection}")
        body = body_under(self.profile, request, model=self.model)
        return self.profile.understood(await self._wire.post(encode(body), timeout_s=timeout_s))

    def read(self, request: Request, raw: RawReply) -> Reading:
        return read_message(request, raw, model=self.model)

    def batches(self) -> BatchEndpoint:
        """Where many requests are answered within a day, for less; to be closed by whoever asks for it."""
        from engine.providers.anthropic_batches import AnthropicBatches

        return AnthropicBatches(url=self._address.url, api_key=self._key(), model=self.model, profile=self.profile)

    async def aclose(self) -> None:
        await self._wire.aclose()


def read_message(request: Request, raw: RawReply, *, model: str) -> Reading:
    """Read a message: its text blocks joined, thinking left out, up to the first stop. A refusal has the text "".

    Raises UnreadableReply when it is no message or does not say why it ended. `model` is what the reply is said to be
    from when it does not say so itself.
    """
    body = decode(raw)
    finish = body.get("stop_reason")
    if not isinstance(finish, str):
        raise UnreadableReply("the message does not say why it ended, so it may be cut")
    reason = _FINISH.get(finish, "other")
    text = _text(body.get("content"))
    texts = ("" if reason == "refusal" else text,)
    whole, reason = ended(texts[0], reason, stops=request.stop)
    said_model = body.get("model")
    return Reading(
        (whole,),
        (reason,),
        _usage(body.get("usage"), cap=request.n * request.max_tokens, texts=texts),
        said_model if isinstance(said_model, str) and said_model else model,
    )


def _text(content: object) -> str:
    if not isinstance(content, list):
        raise UnreadableReply("the message holds no list of content blocks")
    return "".join(_block_text(block) for block in content)


def _block_text(block: object) -> str:
    if not isinstance(block, dict):
        raise UnreadableReply("a content block is not an object")
    if block.get("type") != "text":
        return ""
    text = block.get("text")
    if not isinstance(text, str):
        raise UnreadableReply("a text block holds no text")
    return text


def _usage(told: object, *, cap: int, texts: tuple[str, ...]) -> Usage | None:
    """The whole input is three sums here: `input_tokens` counts only what follows the last cache point."""
    if not isinstance(told, dict):
        return None
    fresh = told.get("input_tokens")
    read = optional(told.get("cache_read_input_tokens"))
    written = optional(told.get("cache_creation_input_tokens"))
    parts = [part for part in (fresh, read, written) if isinstance(part, int) and not isinstance(part, bool)]
    if len(parts) < 3 or min(parts) < 0:
        return None
    return credible_usage(
        input_tokens=sum(parts),
        output_tokens=told.get("output_tokens"),
        cached=read,
        cache_write=written,
        cap=cap,
        texts=texts,
    )
