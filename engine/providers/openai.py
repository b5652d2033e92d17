"""OpenAI chat completions, spoken by OpenAI and by every server that calls itself compatible."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from engine.clock import Clock
from engine.errors import RequestRejected, UnreadableReply
from engine.messages import FinishReason, RawReply, Request, Usage
from engine.providers import Capabilities, Reading
from engine.providers.account import Account
from engine.providers.address import Address
from engine.providers.batches import BatchEndpoint
from engine.providers.foreign import credible_usage, decode, encode, ended, optional
from engine.providers.http import Wire
from engine.providers.openai_body import body_under
from engine.providers.profile import Profile, recognised

__all__ = ["OFFICIAL_DOMAIN", "OFFICIAL_URL", "OpenAI", "read_completion"]

OFFICIAL_URL: Final = "https://api.openai.com/v1"
OFFICIAL_DOMAIN: Final = "api.openai.com"

_FINISH: Final[Mapping[str, FinishReason]] = {"stop": "stop", "length": "length", "content_filter": "filtered"}


class OpenAI:
    """A model behind POST {base_url}/chat/completions.

    OpenAI("gpt-5.4-mini", api_key=key, clock=SystemClock())
    OpenAI("qwen3", base_url="http://127.0.0.1:8000/v1", clock=SystemClock())   # a server of one's own, no key
    OpenAI("qwen3", base_url=url, profile=profile_named("vllm"), clock=SystemClock())

    What may be sent, and how, is the `profile`'s to say; without one it is the one that the address is known by.
    """

    simulated: bool = False

    def __init__(
        self,
        model: str,
        *,
        base_url: str | Address = OFFICIAL_URL,
        api_key: str | None = None,
        clock: Clock,
        capabilities: Capabilities | None = None,
        profile: Profile | None = None,
    ) -> None:
        self.model = model
        self._address = base_url if isinstance(base_url, Address) else Address.of(base_url)
        self.profile = (profile or recognised(self._address)).for_model(model)
        self.capabilities = capabilities or self.profile.capabilities
        self.errors = self.profile.errors
        self.official = self._address.within(OFFICIAL_DOMAIN)
        headers = self.profile.headers_with(api_key)
        self.account = Account.of(self._address, key=api_key, model=model)
        self._wire = Wire(self._address, self.profile.path_for(model), headers=headers, clock=clock, key=api_key)
        self._key: Callable[[], str | None] = lambda: api_key  # not to be seen by whoever looks at the attributes

    @property
    def name(self) -> str:
        return f"openai/{self.model}"

    @property
    def endpoint(self) -> str:
        return " ".join(filter(None, [f"{self._address} openai-chat {self.model}", self.profile.peculiarity]))

    def __repr__(self) -> str:
        return f"<OpenAI {self.endpoint}>"

    async def send(self, request: Request, *, timeout_s: float) -> RawReply:
        if objection := self.capabilities.objection(request):
            raise RequestRejected(f"{self.name}: {objection}")
        body = body_under(self.profile, request, model=self.model)
        return self.profile.understood(await self._wire.post(encode(body), timeout_s=timeout_s))

    def read(self, request: Request, raw: RawReply) -> Reading:
        return read_completion(request, raw, model=self.model)

    def batches(self) -> BatchEndpoint:
        """Where many requests are answered within a day, for less; to be closed by whoever asks for it."""
        from engine.providers.openai_batches import OpenAIBatches

        return OpenAIBatches(url=self._address.url, api_key=self._key(), model=self.model, profile=self.profile)

    async def aclose(self) -> None:
        await self._wire.aclose()


def read_completion(request: Request, raw: RawReply, *, model: str) -> Reading:
    """Read a chat completion; raises UnreadableReply unless it holds exactly the n completions that were asked for.

    Completions come out in the order of their index, whatever order they came in. A refusal has the text "" and the
    finish reason "refusal". An answer ends before the first stop sequence, whether or not the server saw to that.
    `model` is what the reply is said to be from when it does not say so itself.
    """
    body = decode(raw)
    choices = _in_order(body.get("choices"), n=request.n)
    answers = [_answer(choice) for choice in choices]
    texts = tuple(text for text, _ in answers)
    whole = [ended(text, reason, stops=request.stop) for text, reason in answers] if request.stop else answers
    said_model = body.get("model")
    return Reading(
        tuple(text for text, _ in whole),
        tuple(reason for _, reason in whole),
        _usage(body.get("usage"), cap=request.n * request.max_tokens, texts=texts),
        said_model if isinstance(said_model, str) and said_model else model,
    )


def _in_order(choices: object, *, n: int) -> list[dict[str, object]]:
    if not isinstance(choices, list) or len(choices) != n:
        count = len(choices) if isinstance(choices, list) else "no"
        way_out = "; where a server gives one a request, its dialect must say n = false" if count == 1 else ""
        raise UnreadableReply(f"{n} completions were asked for, {count} came{way_out}")
    found: dict[object, dict[str, object]] = {}
    for position, choice in enumerate(choices):
        if not isinstance(choice, dict):
            raise UnreadableReply("a completion is not an object")
        index = choice.get("index", position)
        # The type too: 0.0, False and 0 are the same key, and only one of them is an index.
        found[index if type(index) is int else None] = choice
    try:
        return [found[index] for index in range(n)]
    except KeyError:
        raise UnreadableReply("the completions are not numbered from 0 without a gap") from None


def _answer(choice: dict[str, object]) -> tuple[str, FinishReason]:
    finish, message = choice.get("finish_reason"), choice.get("message")
    if not isinstance(finish, str):
        raise UnreadableReply("a completion does not say why it ended, so it may be cut")
    if not isinstance(message, dict):
        raise UnreadableReply("a completion holds no message")
    content, refusal = message.get("content"), message.get("refusal")
    reason = _FINISH.get(finish, "other")
    if isinstance(content, str):
        return content, reason
    if content is not None:
        raise UnreadableReply("a completion's content is not text")
    if isinstance(refusal, str) and refusal:
        return "", "refusal"
    # No text and no refusal: honest when the cap was spent on reasoning, a filter cut in, or a tool was called.
    if reason == "stop":
        raise UnreadableReply("a completion ended normally without any content")
    return "", reason


def _usage(told: object, *, cap: int, texts: tuple[str, ...]) -> Usage | None:
    details = told.get("prompt_tokens_details") or {} if isinstance(told, dict) else None
    if not isinstance(told, dict) or not isinstance(details, dict):
        return None
    return credible_usage(
        input_tokens=told.get("prompt_tokens"),
        output_tokens=told.get("completion_tokens"),
        cached=optional(details.get("cached_tokens")),
        cache_write=optional(details.get("cache_write_tokens")),
        cap=cap,
        texts=texts,
    )
