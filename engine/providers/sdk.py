"""A client of somebody else's making, behind the same Protocol: OpenAI's and Anthropic's own, and their cloud variants.

The client makes the address, the signature and the headers; everything else is as on our own wire. Its retries and
redirects are off, and what comes back is taken raw, so that one classifier judges all.

What is not covered: a reply is read whole before its size is looked at, because the clients read it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from engine.clock import Clock, SystemClock
from engine.errors import RequestRejected, UnknownPrice, UserError
from engine.messages import RawReply, Request
from engine.prices import Price, lookup
from engine.providers import (
    AttemptTimedOut,
    Capabilities,
    ConnectionFailed,
    Reading,
    TransportFailure,
    anthropic_body,
    openai_body,
)
from engine.providers import anthropic as anthropic_wire
from engine.providers import openai as openai_wire
from engine.providers.account import Account
from engine.providers.address import Address
from engine.providers.foreign import encode
from engine.providers.http import LARGEST_BODY
from engine.providers.secrecy import Secrecy
from engine.scope import Deadlines
from engine.text import clean, meant

if TYPE_CHECKING:
    import httpx2

__all__ = ["SERVICES", "Sdk", "from_environment"]

NEWEST_VERSION: Final = "2026-10-21"
"""What Anthropic's clients speak unless told otherwise: no temperature may be sent."""

_LONGEST_REASON: Final = 200


class _Kind(NamedTuple):
    """How a client is called here, where it comes from, and what its own base URL is called."""

    name: str
    package: Literal["openai", "anthropic"]
    client: str
    address: str = "base_url"
    listed_as: str | None = None  # in the price table


_KINDS: Final = (
    _Kind("azure", "openai", "AsyncAzureOpenAI", "azure_endpoint", "azure"),
    _Kind("openai", "openai", "AsyncOpenAI", listed_as="openai"),
    _Kind("anthropic", "anthropic", "AsyncAnthropic", listed_as="anthropic"),
    _Kind("bedrock", "anthropic", "AsyncAnthropicBedrock"),
    _Kind("vertex", "anthropic", "AsyncAnthropicVertex"),
    _Kind("foundry", "anthropic", "AsyncAnthropicFoundry"),
)
SERVICES: Final = tuple(kind.name for kind in _KINDS)
"""What may follow `sdk/`."""
_OFFICIAL: Final = {"openai": openai_wire.OFFICIAL_DOMAIN, "anthropic": anthropic_wire.OFFICIAL_DOMAIN}


class Sdk:
    """A model behind a client that you have made.

    Sdk(openai.AsyncAzureOpenAI(azure_endpoint=..., api_version=...), "my-deployment")
    Sdk(anthropic.AsyncAnthropicBedrock(aws_region="eu-central-1"), "anthropic.claude-haiku-4-5-20251001-v1:0")

    The client stays yours to close. `version` is Anthropic's API version, if it is not to be the client's own; under
    the newest no temperature may be sent. `capabilities` for models that take less than their dialect has.
    """

    simulated: bool = False

    def __init__(
        self,
        client: Any,
        model: str,
        *,
        version: str | None = None,
        capabilities: Capabilities | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._client = client
        self._kind = _kind_of(client)
        self.model = model
        self._version = version
        self._clock = clock or SystemClock()
        self._address = Address.of(str(self._client.base_url))
        key = self._client.api_key if isinstance(getattr(client, "api_key", None), str) else None
        self._secrecy = Secrecy(key)
        self.account = Account.of(self._address, key=key, model=model)
        is_openai = self._kind.package == "openai"
        self.capabilities = capabilities or (
            Capabilities() if is_openai else anthropic_wire.capabilities_under(version or NEWEST_VERSION)
        )
        self._deadlines = Deadlines()

    @property
    def name(self) -> str:
        return f"sdk/{self._kind.name}/{self.model}"

    @property
    def endpoint(self) -> str:
        version = f" {self._version}" if self._version else ""
        return f"{self._address} {self._kind.package}-sdk{version} {self.model}"

    @property
    def price(self) -> Price | None:
        """The list price where the table has this service's own; None leaves it to be told."""
        domain = _OFFICIAL.get(self._kind.name)
        if self._kind.listed_as is None or (domain is not None and not self._address.within(domain)):
            return None
        try:
            return lookup(f"{self._kind.listed_as}/{self.model}")
        except UnknownPrice:
            return None

    def __repr__(self) -> str:
        return f"<Sdk {self.endpoint}>"

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        if objection := self.capabilities.objection(request):
            raise RequestRejected(f"{self.name}: {objection}")
        failure: TransportFailure
        started = self._clock.monotonic()
        try:
            with self._deadlines.within(timeout_s):
                response = await self._post(request, timeout_s=timeout_s)
            return self._raw(response, latency_s=self._clock.monotonic() - started)
        except TransportFailure:
            raise
        except TimeoutError:
            failure = self._timed_out(timeout_s)
        except Exception as error:  # noqa: BLE001 - the client's, its transport's, a credential library's: told below
            if (raw := self._told_by(error, latency_s=self._clock.monotonic() - started)) is not None:
                return raw
            failure = self._failed(error, timeout_s=timeout_s)
        # Outside of the handler on purpose: their errors hold the request's headers, so the key.
        raise failure

    def read(self, request: Request, raw: RawReply) -> Reading:
        if self._kind.package == "openai":
            return openai_wire.read_completion(request, raw, model=self.model)
        return anthropic_wire.read_message(request, raw, model=self.model)

    async def aclose(self) -> None:
        """The client is its maker's to close."""
        self._deadlines.close()

    def body_of(self, request: Request) -> dict[str, object]:
        """What the client is given to send."""
        official = self._kind.name in _OFFICIAL and self._address.within(_OFFICIAL[self._kind.name])
        if self._kind.package == "openai":
            body = openai_body.body_of(request, model=self.model, official=official)
            if self._kind.name == "azure":  # the old name is refused by newer models there
                body["max_completion_tokens"] = body.pop("max_tokens")
            return body
        body = anthropic_body.body_of(request, model=self.model, official=official)
        if self._version is not None and self._kind.name in {"bedrock", "vertex"}:
            body["anthropic_version"] = self._version
        return body

    async def _post(self, request: Request, *, timeout_s: float) -> httpx2.Response:
        import httpx2

        options: dict[str, object] = {"max_retries": 0, "follow_redirects": False, "timeout": timeout_s}
        if self._version is not None:
            options["headers"] = {"anthropic-version": self._version}
        path = "/chat/completions" if self._kind.package == "openai" else "/v1/messages"
        response: httpx2.Response = await self._client.post(
            path, cast_to=httpx2.Response, body=self.body_of(request), options=options
        )
        return response

    def _raw(self, response: httpx2.Response, *, latency_s: float) -> RawReply:
        if len(response.content) > LARGEST_BODY:
            raise TransportFailure(f"the reply is longer than {LARGEST_BODY >> 20} MiB")
        headers = {name.lower(): value for name, value in response.headers.items()}
        return self._secrecy.conceal(RawReply(response.status_code, headers, response.content, latency_s))

    def _told_by(self, error: Exception, *, latency_s: float) -> RawReply | None:
        """The reply that an error of the client's stands for, if any.

        A status other than 2xx; or, as a refusal of everything, what the client could not even begin with: credentials
        that are not there, a package that is missing.
        """
        import httpx2

        response = getattr(error, "response", None)
        if isinstance(response, httpx2.Response):
            return self._raw(response, latency_s=latency_s)
        told = clean(str(error), _LONGEST_REASON)
        if isinstance(error, ImportError):
            return self._refusal(404, f"the client cannot be used: {told}", "model_not_found")
        is_of_the_client = type(error).__name__ in {"OpenAIError", "AnthropicError"}
        if is_of_the_client or isinstance(error, TypeError | ValueError):
            return self._refusal(401, f"the client refuses to send: {told}", "invalid_api_key")
        return None

    def _refusal(self, status: int, message: str, code: str) -> RawReply:
        error: Mapping[str, object] = {"error": {"message": message, "code": code}}
        return self._secrecy.conceal(RawReply(status, {}, encode(error), 0.0))

    def _timed_out(self, timeout_s: float) -> TransportFailure:
        return AttemptTimedOut(f"{self._address}: no complete reply within {timeout_s:g} s")

    def _failed(self, error: Exception, *, timeout_s: float) -> TransportFailure:
        import httpx2

        cause = error.__cause__ or error
        if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout | httpx2.PoolTimeout):
            return ConnectionFailed(f"{self._address}: cannot connect", sent=False)
        if isinstance(cause, httpx2.TimeoutException):
            return self._timed_out(timeout_s)
        return ConnectionFailed(f"{self._address}: the connection broke ({type(cause).__name__})")


class _Owned(Sdk):
    """One whose client was made here, and is closed here."""

    async def aclose(self) -> None:
        await super().aclose()
        await self._client.close()


def from_environment(name: str, *, base_url: str | None, api_key: str | None, clock: Clock) -> Sdk:
    """`azure/DEPLOYMENT`, `bedrock/MODEL` and the like, by the variables that each service's own client reads.

    Raises UserError when the service is unknown, or its client says what it lacks.
    """
    service, _, model = name.partition("/")
    kind = next((kind for kind in _KINDS if kind.name == service), None)
    if kind is None or not model:
        known = ", ".join(f"sdk/{kind.name}/NAME" for kind in _KINDS)
        raise UserError(f"model 'sdk/{name}': no such service{meant(service, SERVICES)} (there are: {known})")
    given = {kind.address: base_url, "api_key": api_key}
    made: Any = getattr(_package(kind), kind.client)
    try:
        client = made(max_retries=0, **{option: value for option, value in given.items() if value is not None})
    except Exception as error:  # noqa: BLE001 - a client's own errors, which say what it lacks
        raise UserError(f"model 'sdk/{name}': {clean(str(error), _LONGEST_REASON)}") from None
    return _Owned(client, model, clock=clock)


def _package(kind: _Kind) -> Any:
    if kind.package == "openai":
        import openai

        return openai
    import anthropic

    return anthropic


def _kind_of(client: object) -> _Kind:
    """Which client it is, by the names of its classes: importing theirs to ask would take seconds."""
    if asyncio.iscoroutinefunction(getattr(client, "post", None)):
        names = [each.__name__ for each in type(client).__mro__]
        for kind in _KINDS:
            if kind.client in names:
                return kind
        package = type(client).__module__.partition(".")[0]
        if package == "anthropic" and hasattr(client, "base_url"):
            return _Kind("anthropic-other", "anthropic", names[0])
    raise UserError(
        f"{type(client).__name__} is no client that can be asked; give an asynchronous one, as openai.AsyncOpenAI"
    )
