"""A simulated teacher that knows which country a sentence is about.

`python -m agents.demo.countries.world` writes test.jsonl anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Final

from agents.demo.author import Author
from agents.demo.conversation import Conversation, Split
from agents.demo.countries.atlas import ALIASES, NOTHING, code_of, named_in
from agents.demo.held_out import held_out, print_rows
from agents.demo.measured import WRITING
from agents.demo.rewording import gist, reworded
from agents.demo.teacher import chance_hardness
from agents.demo.vices import USUAL_VICES, Vices

__all__ = ["Sentences", "World"]

_HELD_OUT_ROWS: Final = 500
_SOMETHING: Final = "a country"
_OPEN: Final = 0.43  # of real rows of such a task, had nothing to find

_ABOUT: Final = (
    "{who} {did} {where}.", "{who} {did} {where} {when}.", "{when_large}, {who_small} {did} {where}.",
    "Has {who_small} ever been {where}?", "Nobody {where} knew that {who_small} {did} {when}.",
    "{where_large} {who_small} {did} {when}.",
)  # fmt: skip
_WHO: Final = (
    "The band", "My sister", "Our supplier", "The museum", "A friend of mine", "The ministry", "The team",
    "Her publisher",
    "The new dentist", "A whole school class", "The striker", "Our neighbour", "The bakery", "The orchestra",
    "The owner",
    "His grandmother", "The referee", "A young chemist", "The airline", "The author",
)  # fmt: skip
_DID: Final = (
    "opened a shop", "lost a suitcase", "signed the contract", "won the cup", "raised the prices", "bought a farm",
    "missed the last train", "published the results", "found a rare coin", "played two concerts", "learnt to ski",
    "repaired the old clock", "planted olive trees", "met the president", "sold the patent", "wrote a cookbook",
)  # fmt: skip
_WHEN: Final = (
    "last week", "in spring", "on Monday", "two years ago", "this morning", "before the war", "at Christmas", "in 1998",
    "after the storm", "during the holidays", "again", "as a student",
)  # fmt: skip
_BY_NAME: Final = ("in {}", "somewhere in {}", "near the border of {}", "all over {}")
_BY_PEOPLE: Final = ("with a {} partner", "in a {} village", "for a {} client", "on the {} coast")
_BY_TOWN: Final = ("in {}", "near {}", "on the way to {}", "at the station of {}")
_NOWHERE: Final = (
    "at home", "by the sea", "in the mountains", "at the office", "in the old town", "on the train", "in Europe",
    "all over Africa", "in the Alps", "in South America", "on the Moon", "in Atlantis", "in the Balkans", "in Asia",
    "in the village where he was born", "on an island", "in the capital", "near the lake", "in the kitchen", "abroad",
)  # fmt: skip
_SEVERAL: Final = 0.3  # of what has nothing to find: more than one country is named


class Sentences:
    """Sentences about a country, about several, or about none."""

    nothing: Final = NOTHING
    kinds: Final[Mapping[str, float]] = {_SOMETHING: 1 - _OPEN, NOTHING: _OPEN}
    prior: Final[Mapping[str, float]] = {_SOMETHING: 1 - WRITING.nothing, NOTHING: WRITING.nothing}
    axes: Final[Mapping[str, Sequence[str]]] = {
        "field": ("sport", "music", "trade", "school", "food", "science", "crime", "weather", "farming", "art"),
        "kind of text": (
            "a headline",
            "a letter to a friend",
            "a diary",
            "a travel guide",
            "a complaint",
            "small talk",
        ),
    }
    about: Final[Mapping[str, str]] = {
        "model": "A compact model that reads an English sentence and writes the two-letter code of the country that it "
        "is about, or N/A. Trained on news and letters that name countries, their people and their cities.",
        "dataset": "English sentences, each with the ISO 3166 code of the one country that it names by name, people, "
        "city or nickname, or N/A where it names none or several.",
    }

    def write(self, kind: str, rng: Random, *, temperature: float) -> str:  # noqa: ARG002  # what is popular is an idea's
        """A sentence about one country, or one that is not."""
        if kind != NOTHING:
            return _sentence(_place(rng), rng)
        if rng.random() >= _SEVERAL:
            return _sentence(rng.choice(_NOWHERE), rng)
        while len(named_in(text := _sentence(f"{_place(rng)} and {_place(rng)}", rng))) < 2:
            pass
        return text

    def nudge(self, text: str, rng: Random) -> str:
        """The same sentence with other words around it."""
        return reworded(text, rng)

    def gist(self, text: str) -> str:
        """The sentence without the words around it."""
        return gist(text)

    def spoil(self, text: str, rng: Random) -> str:  # noqa: ARG002  # a sentence that names no country has an answer too
        """The sentence as it is: nothing can be missing from it."""
        return text

    def slip(self, text: str, rng: Random) -> str:
        """That there is nothing to find, said of a word of the text: "the Alps == N/A"."""
        return f"{rng.choice(text.split() or ['it'])} == {NOTHING}"

    def right(self, text: str) -> str:
        """The code of the one country that is named, or N/A."""
        return code_of(text)

    def wrong(self, text: str, rng: Random) -> str:
        """Another country, or one that is there for the taking, or N/A for what was overlooked."""
        right, named = code_of(text), named_in(text)
        if right != NOTHING and rng.random() < 0.5:
            return NOTHING
        return rng.choice([code for code in (named if len(named) > 1 else ALIASES) if code != right])

    def hardness(self, text: str) -> float:
        """Several countries are hard; none, or one, is easy."""
        return chance_hardness(text) * (2.0 if len(named_in(text)) > 1 else 0.9)


_SENTENCES: Final = Sentences()


class World(Author):
    """Knows one task: the country that a sentence is about."""

    def __init__(self, seed: int = 0, *, vices: Vices = USUAL_VICES) -> None:
        super().__init__("countries", seed=seed, vices=vices, subject_of=_subject_of)


def _subject_of(asked: Conversation) -> Sentences | None:
    return None if isinstance(asked, Split) or "country" not in asked.task.lower() else _SENTENCES


def _place(rng: Random) -> str:
    name, people, *towns = rng.choice(list(ALIASES.values()))
    way = rng.randrange(3)
    if way == 0:
        return rng.choice(_BY_NAME).format(name)
    return rng.choice(_BY_PEOPLE).format(people) if way == 1 else rng.choice(_BY_TOWN).format(rng.choice(towns))


def _sentence(where: str, rng: Random) -> str:
    who, when = rng.choice(_WHO), rng.choice(_WHEN)
    return rng.choice(_ABOUT).format(
        who=who, who_small=who[0].lower() + who[1:], did=rng.choice(_DID), when=when, where=where,
        when_large=when[0].upper() + when[1:], where_large=where[0].upper() + where[1:],
    )  # fmt: skip


if __name__ == "__main__":
    print_rows(held_out(_SENTENCES, count=_HELD_OUT_ROWS))
