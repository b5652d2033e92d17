"""What is posted for Anthropic's messages, online or as a line of a batch. Sends nothing."""

from __future__ import annotations

from itertools import dropwhile, takewhile

from engine.errors import RequestRejected
from engine.messages import Message, Request
from engine.providers.marks import marked
from engine.providers.profile import Profile, profiles

__all__ = ["body_of", "body_under"]


def body_of(request: Request, *, model: str, official: bool) -> dict[str, object]:
    """What is posted to Anthropic itself (`official`), or to whatever speaks its dialect."""
    return body_under(profiles()["anthropic" if official else "anthropic-plain"], request, model=model)


def body_under(profile: Profile, request: Request, *, model: str) -> dict[str, object]:
    """What is posted. Opening system messages become the top-level system text; later ones raise RequestRejected."""
    system, turns = _split_system(request.messages)
    body: dict[str, object] = {
        "model": model,
        profile.output_cap: request.max_tokens,
        "messages": [{"role": message.role, "content": message.content} for message in turns],
        **profile.send,
    }
    if system:
        body["system"] = system
    if request.stable and profile.marks(request):
        body |= _marked(profile, system, turns, stable=request.stable)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.stop:
        body["stop_sequences"] = list(request.stop)
    if request.schema is not None:
        body["output_config"] = {"format": {"type": "json_schema", "schema": request.schema}}
    return body


def _marked(profile: Profile, system: str, turns: list[Message], *, stable: int) -> dict[str, object]:
    """The system text, if there is one, and the messages, with a mark where what many requests share ends."""
    texts = [system, *(message.content for message in turns)]
    opening, *contents = marked(texts, stable=stable, says=profile.cache_mark)
    messages = [{"role": message.role, "content": said} for message, said in zip(turns, contents, strict=True)]
    return {"messages": messages, **({"system": opening} if system else {})}


def _split_system(messages: tuple[Message, ...]) -> tuple[str, list[Message]]:
    opening = takewhile(lambda message: message.role == "system", messages)
    turns = list(dropwhile(lambda message: message.role == "system", messages))
    if any(message.role == "system" for message in turns):
        raise RequestRejected("this dialect takes system messages only before the first user message")
    return "\n\n".join(message.content for message in opening), turns
