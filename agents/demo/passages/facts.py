"""Short passages about buildings and ships that never were, and which of their words answer a question: the truth."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from random import Random
from typing import Final

__all__ = ["FILLERS", "RELATIONS", "Relation", "fact_in", "parts_of", "thing"]

_NAMES: Final = (
    "Harrow", "Linden", "Casper", "Orlova", "Quince", "Tamsin", "Verity", "Bramble", "Calder", "Dunmore", "Eskdale",
    "Fenwick", "Garrick", "Hollis", "Ingram", "Juniper", "Kestrel", "Lorimer", "Marlow", "Norwood", "Osprey", "Penrose",
    "Radley", "Selwyn", "Thorne", "Ulverton", "Wexley", "Yarrow", "Zeller", "Ashby",
)  # fmt: skip
_THINGS: Final = (
    "Bridge", "Tower", "Library", "Lighthouse", "Theatre", "Museum", "Canal", "Chapel", "Station", "Mill",
    "Observatory",
    "Hotel", "Garden", "Market", "Tunnel", "Ferry",
)  # fmt: skip
_PEOPLE: Final = (
    "Ada Brandt", "Milo Serrano", "Ines Kowal", "Oskar Lund", "Ruth Adeyemi", "Piet Vos", "Clara Nunes", "Ivan Petrov",
    "Mei Tanaka", "Hugo Ferrand", "Sara Lindqvist", "Tomas Reyes", "Nadia Haddad", "Otto Weiss", "Lena Fischer",
    "Paul Okafor", "Greta Moen", "Luca Bianchi", "Amir Khan", "Rosa Delgado",
)  # fmt: skip
_PLACES: Final = (
    "Port Ellery", "Vantes", "Lower Creek", "Saint Orme", "Kalmaro", "Upper Wold", "Brightwater", "Noorden", "Castello",
    "Milford Bay", "Tarn Valley", "Ostrow", "Pinehaven", "Grenville", "Ravensburg", "Salt Point", "Eastmere", "Altona",
)  # fmt: skip
_STUFFS: Final = (
    "red brick", "granite", "oak", "limestone", "cast iron", "concrete", "slate", "pale marble", "sandstone", "steel",
    "yellow clay", "larch", "basalt", "copper",
)  # fmt: skip
_CAUSES: Final = (
    "a fire", "a flood", "a lack of money", "the war", "an earthquake", "a strike", "a quarrel over the land",
    "an epidemic",
    "a storm", "a trial",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """What can be asked of a thing, and the ways of stating the fact; {s} is the thing, {a} the answer."""

    question: str
    facts: tuple[str, ...]
    answers: tuple[str, ...]

    def stated(self, subject: str, answer: str, rng: Random) -> str:
        return rng.choice(self.facts).format(s=subject, a=answer)

    def answer(self, rng: Random) -> str:
        return rng.choice(self.answers)


_YEARS: Final = tuple(str(year) for year in range(1640, 1996, 3))

RELATIONS: Final = (
    Relation(
        question="Who designed the {s}?",
        facts=(
            "The {s} was designed by {a}.",
            "The plans of the {s} were drawn by {a}.",
            "Its architect, {a}, called the {s} a toy.",
        ),
        answers=_PEOPLE,
    ),
    Relation(
        question="Who paid for the {s}?",
        facts=(
            "The {s} was paid for by {a}.",
            "The money for the {s} came from {a}.",
            "Without the fortune of {a} there would be no {s}.",
        ),
        answers=_PEOPLE,
    ),
    Relation(
        question="When was the {s} opened?",
        facts=(
            "The {s} was opened in {a}.",
            "Visitors first entered the {s} in {a}.",
            "The {s} welcomed its first guests in {a}.",
        ),
        answers=_YEARS,
    ),
    Relation(
        question="When was the {s} closed?",
        facts=(
            "The {s} was closed in {a}.",
            "The {s} shut its doors in {a}.",
            "Nobody has used the {s} since {a}.",
        ),
        answers=_YEARS,
    ),
    Relation(
        question="Where is the {s}?",
        facts=(
            "The {s} stands in {a}.",
            "The {s} is to be found in {a}.",
            "Travellers see the {s} when they come to {a}.",
        ),
        answers=_PLACES,
    ),
    Relation(
        question="What is the {s} made of?",
        facts=(
            "The {s} is made of {a}.",
            "The walls of the {s} are of {a}.",
            "For the {s} the builders chose {a}.",
        ),
        answers=_STUFFS,
    ),
    Relation(
        question="What delayed the {s}?",
        facts=(
            "The {s} was delayed by {a}.",
            "Work on the {s} stood still because of {a}.",
            "After {a} the {s} had to wait.",
        ),
        answers=_CAUSES,
    ),
)  # fmt: skip

FILLERS: Final = (
    "It is a popular place for school trips.", "Many locals are proud of it.", "A small fee is charged.",
    "The view in autumn is said to be splendid.", "Postcards of it are sold everywhere.", "Dogs are not allowed.",
    "There have been several plans to restore it.", "A song was written about it.", "Birds nest under its roof.",
    "It appears in two novels and a film.", "The town council meets nearby.", "Guided tours take an hour.",
    "It is lit at night.", "Some say that it is haunted.", "It was once owned by a circus.", "The records were lost.",
    "A festival takes place there every summer.", "Opinions about its beauty differ.", "The ground around it is wet.",
    "Children like to play hide and seek there.", "It has been repainted many times.", "A copy exists abroad.",
)  # fmt: skip

_SHAPE: Final = re.compile(r"\s*question:\s*(.*?)\s*context:\s*(.*)", re.IGNORECASE | re.DOTALL)


def thing(rng: Random) -> str:
    """The name of a thing."""
    return f"{rng.choice(_NAMES)} {rng.choice(_THINGS)}"


def parts_of(text: str) -> tuple[str, str]:
    """The question and the context of an input; empty where it has another shape."""
    match = _SHAPE.fullmatch(text)
    return (match[1], match[2]) if match else ("", text)


def fact_in(text: str) -> tuple[str, str]:
    """The sentence of the context that answers the question, and the answer; both empty when none does."""
    question, context = parts_of(text)
    for relation, subject in _asked(question):
        for fact in relation.facts:
            if found := _pattern(fact, subject).search(context):
                return found[0], found["answer"]
    return "", ""


def _asked(question: str) -> Sequence[tuple[Relation, str]]:
    """The relation that a question asks about, with its subject; none or one."""
    found = ((each, _pattern(each.question, "").fullmatch(question.strip())) for each in RELATIONS)
    return [(relation, match["subject"]) for relation, match in found if match]


@lru_cache(maxsize=2**14)  # Python itself remembers 512, fewer than a run asks for again and again
def _pattern(template: str, subject: str) -> re.Pattern[str]:
    named = re.escape(template).replace(r"\{a\}", "(?P<answer>[^.]+?)", 1)
    named = named.replace(r"\{s\}", re.escape(subject) if subject else "(?P<subject>.+?)", 1)
    return re.compile(named, re.IGNORECASE)
