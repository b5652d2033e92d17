"""What the peers are asked, and what those that say what they are told to say answer: the same for all of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from engine import Price
from engine.fakes.error_rows import openai_error
from engine.messages import Message
from engine.providers.simulated import Answer

__all__ = [
    "BRIEF",
    "CITY",
    "CITY_SCHEMA",
    "LONG",
    "PLAIN",
    "STOPPED",
    "TOO_LONG",
    "UNKNOWN_MODEL",
    "Scripted",
    "fixtures",
]

PLAIN: Final = "Peer, which number is it?"
BRIEF: Final = "Peer, be brief."
LONG: Final = "Peer, tell a long story."
STOPPED: Final = "Peer, count to five."
CITY: Final = "Peer, name a city."
TOO_LONG: Final = "Peer, read all of this."
UNKNOWN_MODEL: Final = "no-such-model"

CITY_SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "people": {"type": "integer"}},
    "required": ["city", "people"],
    "additionalProperties": False,
}
ANSWERS: Final = {
    PLAIN: "It is 42.",
    LONG: "Once upon a time there was a very long story that nobody heard the end of. " * 10,
    STOPPED: "one two three four five",
    # As models do that were only asked for JSON in words: a fence, and prose around it.
    CITY: 'Gladly:\n```json\n{"city": "Vigo", "people": 292000,}\n```\nAnything else?',
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Scripted:
    """A world that says what stands in the script, and elsewhere what it was asked."""

    seed: int = 0
    price: Price = field(default_factory=lambda: Price(input=1, output=2))
    name: str = "scripted"

    def answer(self, messages: Sequence[Message], *, temperature: float, max_tokens: int, sample: int = 0) -> Answer:  # noqa: ARG002 - a script depends on nothing else
        return Answer(self.truth(messages))

    def truth(self, messages: Sequence[Message]) -> str:
        if messages[0].content == BRIEF:
            return heard(len(messages))
        last = messages[-1].content
        return next((answer for question, answer in ANSWERS.items() if question in last), last)


def heard(messages: int) -> str:
    return f"heard {messages} messages"


def fixtures() -> dict[str, Any]:
    """The script as aimock reads it; of several that match it takes the first. In each dialect it tells a usage."""
    told = {"prompt_tokens": 9, "completion_tokens": 3, "input_tokens": 9, "output_tokens": 3}
    too_long, missing = (openai_error(name, model=UNKNOWN_MODEL) for name in ("400-context", "404-model"))
    cut = {"content": "Once upon a", "finishReason": "length"}
    table: list[tuple[dict[str, str], dict[str, Any]]] = [
        ({"model": UNKNOWN_MODEL}, {"error": missing, "status": 404}),
        ({"systemMessage": BRIEF}, {"content": heard(4)}),
        ({"userMessage": LONG}, cut),
        ({"userMessage": TOO_LONG}, {"error": too_long, "status": 400}),
        (
            {"userMessage": CITY, "responseFormat": "json_schema"},
            {"content": json.dumps({"city": "Vigo", "people": 292000})},
        ),
        *(({"userMessage": question}, {"content": answer}) for question, answer in ANSWERS.items()),
        ({"userMessage": "Peer"}, {"content": "It is 42."}),
    ]
    return {
        "fixtures": [
            {"match": match, "response": response if "error" in response else {**response, "usage": told}}
            for match, response in table
        ]
    }
