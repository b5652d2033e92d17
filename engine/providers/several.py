"""One model that answers at several addresses, as one provider: servers of one's own that serve the same.

Which of them a request goes to is not decided here: `engine.spread` does that, for whoever asks `places`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Protocol

from engine.errors import UserError
from engine.messages import RawReply, Request
from engine.providers import Capabilities, Provider, Reading
from engine.providers.account import Account
from engine.providers.profile import Profile
from engine.verdict import Kind, Verdict

__all__ = ["Several", "at", "placed", "urls_of"]


class Placed(Provider, Protocol):
    """A provider at an address of its own, as `OpenAI` and `Anthropic` are."""

    account: Account
    errors: Mapping[str, Kind]
    official: bool
    profile: Profile


class Several:
    """The same model at each of `places`, all in one dialect, asked for one price.

    A question has the key that it has for the first of them alone, whichever answers: a server more or less, behind the
    first, asks nothing anew. Whoever knows no places asks the first.
    """

    def __init__(self, places: Sequence[Placed]) -> None:
        self.places = tuple(places)
        first = self.places[0]
        self.name: str = first.name
        self.endpoint: str = first.endpoint
        self.capabilities: Capabilities = first.capabilities
        self.simulated = False
        self.profile = first.profile
        self.errors = first.errors
        self.official = all(place.official for place in self.places)
        self.account = tuple(sorted(place.account for place in self.places))
        urls = urls_of(self)
        if twice := next((url for i, url in enumerate(urls) if url in urls[:i]), None):
            raise UserError(f"base URL {twice}: stands there twice; name each address once")

    def __repr__(self) -> str:
        return f"<Several [{', '.join(place.endpoint for place in self.places)}]>"

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        return await self.places[0].send(request, timeout_s=timeout_s)

    def read(self, request: Request, raw: RawReply) -> Reading:
        return self.places[0].read(request, raw)

    async def aclose(self) -> None:
        """Close all of them, whatever goes wrong with one."""
        async with AsyncExitStack() as closing:
            for place in self.places:
                closing.push_async_callback(place.aclose)


def at(provider: Provider, place: int) -> Provider:
    """Whoever is asked at one of its addresses: the provider itself, where it has but one."""
    return provider.places[place] if isinstance(provider, Several) else provider


def placed(verdict: Verdict | None, provider: Provider, place: int) -> Verdict | None:
    """The verdict with the address that it came from, where there are several, so that one knows which is wrong."""
    if verdict is None or not isinstance(provider, Several):
        return verdict
    return replace(verdict, message=f"{urls_of(provider)[place]}: {verdict.message}")


def urls_of(provider: Provider) -> list[str]:
    """The addresses at which it is asked."""
    places = provider.places if isinstance(provider, Several) else (provider,)
    return [place.endpoint.partition(" ")[0] for place in places]
