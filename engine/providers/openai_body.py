"""What is posted for a chat completion, online or as a line of a batch. Sends nothing."""

from __future__ import annotations

from engine.messages import Request
from engine.providers.marks import marked
from engine.providers.profile import Profile, profiles

__all__ = ["body_of", "body_under"]


def body_of(request: Request, *, model: str, official: bool) -> dict[str, object]:
    """What is posted to OpenAI itself (`official`), or to whatever calls itself compatible."""
    return body_under(profiles()["openai" if official else "plain"], request, model=model)


def body_under(profile: Profile, request: Request, *, model: str) -> dict[str, object]:
    """What is posted. Only what the request asks for is named, beside what the profile has every request say."""
    body: dict[str, object] = {
        "model": model,
        "messages": [{"role": message.role, "content": message.content} for message in request.messages],
        profile.output_cap: request.max_tokens,
        **profile.send,
    }
    if request.stable and profile.marks(request):
        body["messages"] = _marked(profile, request)
    if request.temperature is not None:
        body["temperature"] = request.temperature
    if request.n > 1:
        body["n"] = request.n
    if request.seed is not None:
        body["seed"] = request.seed
    if request.stop:
        body["stop"] = list(request.stop)
    if request.schema is not None:
        answer = {"name": "answer", "schema": request.schema, "strict": True}
        body["response_format"] = {"type": "json_schema", "json_schema": answer}
    return body


def _marked(profile: Profile, request: Request) -> list[dict[str, object]]:
    """The messages, with a mark where what many requests share ends."""
    texts = [message.content for message in request.messages]
    contents = marked(texts, stable=request.stable, says=profile.cache_mark)
    return [
        {"role": message.role, "content": content} for message, content in zip(request.messages, contents, strict=True)
    ]
