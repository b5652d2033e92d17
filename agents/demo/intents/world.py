"""A simulated teacher that routes a parcel company's support messages.

`python -m agents.demo.intents.world` writes test.jsonl anew.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from random import Random
from typing import Final

from agents.demo.conversation import Conversation, Split
from agents.demo.held_out import held_out, print_rows
from agents.demo.intents.routing import LABELS, NONE, SLIPS, intents_in, route
from agents.demo.intents.templates import CLOSERS, OPENERS, REQUESTS, SECOND_THOUGHTS, SLOTS, STORIES
from agents.demo.subject import Subject
from agents.demo.teacher import Teacher, chance_hardness, favourite, nudge
from agents.demo.vices import USUAL_VICES, Vices

__all__ = ["Messages", "World"]

_HELD_OUT_ROWS: Final = 400

# How often a message tells a story of another intent first, or asks for something else before it comes to the point.
_WITH_STORY: Final = 0.3
_WITH_SECOND_THOUGHT: Final = 0.15
_CARELESS: Final = 0.25

_CONFUSED_WITH: Final = {
    "track parcel": ("late delivery", "missing parcel"),
    "late delivery": ("track parcel", "missing parcel"),
    "missing parcel": ("late delivery", "track parcel"),
    "damaged parcel": ("refund", "return parcel"),
    "change address": ("change delivery time", "account"),
    "change delivery time": ("change address", "collect parcel"),
    "collect parcel": ("change delivery time", "track parcel"),
    "return parcel": ("refund", "damaged parcel"),
    "refund": ("return parcel", "damaged parcel"),
    "customs": ("price quote", "late delivery"),
    "price quote": ("customs", NONE),
    "account": ("change address", NONE),
    NONE: ("track parcel", "account", "price quote"),
}


class Messages:
    """Support messages, some of them on more than one matter."""

    kinds: Final[Mapping[str, float]] = {label: 1.5 if label == NONE else 1.0 for label in LABELS}
    # What comes to mind first is written most, and what is none of these hardly ever.
    prior: Final[Mapping[str, float]] = {
        label: 0.1 if label == NONE else 4 / (rank + 2) for rank, label in enumerate(LABELS)
    }
    about: Final[Mapping[str, str]] = {
        "model": "A compact text classifier for customer support of a parcel delivery company. It reads a short "
        "English message and names its intent: tracking, late, missing or damaged parcels, changes of address or time, "
        "pick-up, returns, refunds, customs, prices, accounts, or none of these. Trained on real enquiries.",
        "dataset": "Short English customer messages to a parcel delivery service, each labelled with one of twelve "
        "intents or as out of scope. Collected from chat and e-mail, with the spelling left as it was, and labelled by "
        "support staff.",
    }

    def write(self, kind: str, rng: Random, *, temperature: float) -> str:
        """A message that comes to that intent last."""
        request = _request(kind, rng, temperature=temperature)
        other = rng.choice([label for label in STORIES if label != kind])
        chance = rng.random()
        if kind == NONE:
            body = request
        elif chance < _WITH_STORY:
            body = f"{_filled(rng.choice(STORIES[other]), rng)} {request}"
        elif chance < _WITH_STORY + _WITH_SECOND_THOUGHT:
            first = _request(other, rng, temperature=temperature)
            body = f"{first} {rng.choice(SECOND_THOUGHTS)} {request}"
        else:
            body = request
        text = _opened(rng.choice(OPENERS), body) + _filled(rng.choice(CLOSERS), rng)
        return _careless(text, rng) if rng.random() < _CARELESS else text

    def nudge(self, text: str, rng: Random) -> str:
        """The same message with a greeting or a mark more."""
        return nudge(text, rng, before=("Hi, ", "Hello! ", "Please: "))

    def right(self, text: str) -> str:
        """The intent that the message comes to last."""
        return route(text)

    def wrong(self, text: str, rng: Random) -> str:
        """Another intent that the message touches on, or one that is easily taken for the right one."""
        found = intents_in(text)
        if len(found) > 1 and rng.random() < 0.7:
            return rng.choice(found[:-1])
        return rng.choice(_CONFUSED_WITH[route(text)])

    def hardness(self, text: str) -> float:
        """One matter is easy; several at once, or none of ours, are hard."""
        matters = len(intents_in(text))
        return chance_hardness(text) * (0.6 if matters == 1 else 1.8)


_MESSAGES: Final = Messages()


class World(Teacher):
    """Knows one task: the intent of a message to a parcel company."""

    def __init__(self, seed: int = 0, *, vices: Vices = USUAL_VICES) -> None:
        super().__init__("intents", seed=seed, vices=vices, subject_of=subject_of)


def subject_of(asked: Conversation) -> Subject | None:
    """Our messages when the task names most of our intents, else nothing we know."""
    if isinstance(asked, Split):
        return None
    task = asked.task.lower()
    return _MESSAGES if sum(label in task for label in LABELS) > len(LABELS) // 2 else None


def _request(kind: str, rng: Random, *, temperature: float) -> str:
    return _filled(favourite(REQUESTS[kind], rng, temperature=temperature), rng)


def _filled(template: str, rng: Random) -> str:
    slots = {name: rng.choice(options) for name, options in SLOTS.items()}
    return template.format(n=rng.randint(2, 40), id=f"PX{rng.randint(100_000, 999_999)}", **slots)


def _opened(opener: str, body: str) -> str:
    """The body after its greeting, in small letters where the greeting runs on."""
    runs_on = opener and not body.startswith(("I ", "PX"))
    return opener + (body[0].lower() + body[1:] if runs_on else body)


def _careless(text: str, rng: Random) -> str:
    """The text as typed in a hurry: a slip of the pen, or small letters and no marks."""
    if rng.random() < 0.4:
        return text.lower().replace(",", "").replace("?", "").rstrip(".!")
    words = [word for word in re.findall(r"[a-z]+", text) if word in SLIPS]
    if not words:
        return text
    word = rng.choice(words)
    return re.sub(rf"\b{word}\b", SLIPS[word], text, count=1)


if __name__ == "__main__":
    print_rows(held_out(_MESSAGES, count=_HELD_OUT_ROWS))
