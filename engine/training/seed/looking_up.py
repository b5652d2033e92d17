"""Procedures whose question stands in the input: look up a key, follow a pointer, use a mapping given there."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from engine.training.seed.material import Maker, field, latin, name, nothing, number, size, word, words
from engine.training.student import Row

__all__ = ["PROCEDURES"]

PAIRINGS: Final = ((": ", ", "), ("=", " "), ("=", "; "), (" is ", ", "), (" -> ", "\n"), (":", "|"), (" ", "; "))
QUESTIONS: Final = (("? ", True), (" :: ", True), ("\n", True), (" | ", True), (" ? ", False), (" >> ", False))


def value_of(settings: Random) -> Maker:
    """The value of the key that is asked for, or nothing."""
    empty = nothing(settings)
    return _asked(settings, lambda chance, pairs: _ask(chance, pairs, empty))


def key_of(settings: Random) -> Maker:
    """The key of the value that is asked for, or nothing."""
    empty = nothing(settings)
    return _asked(settings, lambda chance, pairs: _ask(chance, {value: key for key, value in pairs.items()}, empty))


def value_of_usual_key(settings: Random) -> Maker:
    """The value of one key, always the same, among others in any order; or nothing."""
    key, empty = latin(settings), nothing(settings)
    pairing, between = settings.choice(PAIRINGS)

    def make(chance: Random) -> Row:
        pairs = _pairs(chance)
        pairs.pop(key, None)
        items = list(pairs.items())
        value = field(chance)
        if present := chance.random() < 0.8:
            items.insert(chance.randrange(len(items) + 1), (key, value))
        return Row(between.join(one + pairing + two for one, two in items), value if present else empty)

    return make


def key_after_key(settings: Random) -> Maker:
    """The value of the value: two steps."""
    return _asked(settings, _two_steps)


def word_behind(settings: Random) -> Maker:
    """The word that stands behind the one that is asked for."""
    mark = settings.choice((" : ", "\n", " | ", " ? "))

    def make(chance: Random) -> Row:
        every = list(dict.fromkeys(words(chance, 3, 6)))
        every += [latin(chance) + "o"] if len(every) < 2 else []
        at = chance.randrange(len(every) - 1)
        return Row(every[at] + mark + " ".join(every), every[at + 1])

    return make


def word_numbered(settings: Random) -> Maker:
    """The word at the place that is asked for."""
    mark = settings.choice((" : ", "\n", ") ", " | "))

    def make(chance: Random) -> Row:
        every = words(chance, 3, 5)
        at = chance.randrange(min(9, len(every)))
        return Row(f"{at + 1}{mark}{' '.join(every)}", every[at])

    return make


def ending_of(settings: Random) -> Maker:
    """The rest of the word whose beginning is given."""
    mark = settings.choice((": ", "\n", " | "))
    whole = settings.random() < 0.5

    def make(chance: Random) -> Row:
        every = [latin(chance) + latin(chance) for _ in range(size(chance, 2, 4))]
        chosen = chance.choice(every)
        start = chosen[:3]
        first = next(one for one in every if one.startswith(start))
        return Row(start + mark + " ".join(every), first if whole else first[3:])

    return make


def letters_mapped(settings: Random) -> Maker:
    """A word written in other letters, as the input itself says."""
    pairing, mark = settings.choice(("=", ">", ":")), settings.choice((" | ", "\n", " / "))

    def make(chance: Random) -> Row:
        letters = chance.sample("abcdefghiklmnoprstuvwxyz", chance.randint(2, 4))
        others = chance.sample("ABCDEFGHIKLMNOPRSTUVWXYZ0123456789", len(letters))
        given = dict(zip(letters, others, strict=True))
        text = "".join(chance.choice(letters) for _ in range(size(chance, 2, 6)))
        told = " ".join(one + pairing + two for one, two in given.items())
        return Row(told + mark + text, "".join(given[one] for one in text))

    return make


def words_mapped(settings: Random) -> Maker:
    """Words put into other words, as the input itself says; those that it does not name stay."""
    pairing, mark = settings.choice(("=", " > ", ":")), settings.choice((" | ", "\n", " / "))

    def make(chance: Random) -> Row:
        given = {latin(chance): word(chance) for _ in range(chance.randint(1, 3))}
        text = [chance.choice([*given, latin(chance)]) for _ in range(size(chance, 1, 4))]
        told = ", ".join(one + pairing + two for one, two in given.items())
        return Row(told + mark + " ".join(text), " ".join(given.get(one, one) for one in text))

    return make


def shown_by_example(settings: Random) -> Maker:
    """What one example shows is done to the next word: one of five changes."""
    arrow, between = settings.choice((" -> ", ": ", " = ")), settings.choice(("; ", "\n", " | "))
    changes = settings.sample([str.upper, _reversed, _doubled, str.capitalize, _tail, _starred], 4)

    def make(chance: Random) -> Row:
        change = chance.choice(changes)
        one, two = (latin(chance) + chance.choice("bdgklmnprst") for _ in range(2))
        return Row(one + arrow + change(one) + between + two + arrow.rstrip(), change(two))

    return make


def who_has(settings: Random) -> Maker:
    """Who has the thing that is asked for, from sentences of made-up verbs; or nothing."""
    verb, asks, empty = latin(settings), latin(settings), nothing(settings)
    what = settings.random() < 0.5

    def make(chance: Random) -> Row:
        owners = {name(chance): latin(chance) for _ in range(size(chance, 2, 3))}
        told = ". ".join(f"{owner} {verb} {thing}" for owner, thing in owners.items()) + "."
        owner, thing = chance.choice(list(owners.items()))
        if chance.random() < 0.15:
            other = latin(chance) + "um"
            return Row(f"{asks} {other}? {told}", empty)
        if what:
            return Row(f"{asks} {owner}? {told}", thing)
        return Row(f"{asks} {thing}? {told}", next(one for one in owners if owners[one] == thing))

    return make


def fact_asked(settings: Random) -> Maker:
    """Which of several things is told of somebody, in sentences whose made-up verbs answer made-up questions."""
    verbs = {latin(settings): latin(settings) for _ in range(3)}
    empty = nothing(settings)

    def make(chance: Random) -> Row:
        about = name(chance)
        facts = {verb: chance.choice((name, latin, number))(chance) for verb in verbs.values()}
        asked = chance.choice(list(verbs))
        told = [f"{about} {verb} {fact}." for verb, fact in facts.items()]
        chance.shuffle(told)
        if chance.random() < 0.15:
            told = [one for one in told if f" {verbs[asked]} " not in one]
            return Row(f"{asked} {about}? {' '.join(told)}", empty)
        return Row(f"{asked} {about}? {' '.join(told)}", facts[verbs[asked]])

    return make


def cell_of_grid(settings: Random) -> Maker:
    """The cell that a row's and a column's name point at."""
    between = settings.choice((" ", ",", "|", "\t"))

    def make(chance: Random) -> Row:
        columns = chance.sample("ABCDEFG", chance.randint(2, 3))
        rows = chance.sample("uvwxyz", chance.randint(2, 3))
        cells = {(row, column): number(chance) for row in rows for column in columns}
        head = between.join([".", *columns])
        lines = [between.join([row, *(cells[row, column] for column in columns)]) for row in rows]
        row, column = chance.choice(rows), chance.choice(columns)
        return Row("\n".join([f"{row}{column}", head, *lines]), cells[row, column])

    return make


def same_place(settings: Random) -> Maker:
    """The word of the second list at the place where the asked one stands in the first."""
    between = settings.choice((" | ", "\n", " / "))

    def make(chance: Random) -> Row:
        count = chance.randint(2, 4)
        first = [f"{latin(chance)}{letter}" for letter in "aeio"[:count]]
        second = [field(chance) for _ in range(count)]
        at = chance.randrange(count)
        return Row(between.join((first[at], ",".join(first), ",".join(second))), second[at])

    return make


def _asked(settings: Random, ask: Callable[[Random, dict[str, str]], tuple[str, str]]) -> Maker:
    """Pairs and a question of one form, in front or behind."""
    pairing, between = settings.choice(PAIRINGS)
    mark, in_front = settings.choice(QUESTIONS)

    def make(chance: Random) -> Row:
        pairs = _pairs(chance)
        question, answer = ask(chance, pairs)
        told = between.join(key + pairing + value for key, value in pairs.items())
        return Row(question + mark + told if in_front else told + mark + question, answer)

    return make


def _two_steps(chance: Random, pairs: dict[str, str]) -> tuple[str, str]:
    """Some value becomes another pair's key."""
    first, second = latin(chance) + "a", latin(chance) + "e"
    answer = field(chance)
    pairs[first] = second
    pairs[second] = answer
    if chance.random() < 0.5:
        pairs[latin(chance) + "i"] = latin(chance)
    return first, answer


def _pairs(chance: Random) -> dict[str, str]:
    return {latin(chance): field(chance) for _ in range(size(chance, 2, 4))}


def _ask(chance: Random, pairs: dict[str, str], empty: str) -> tuple[str, str]:
    if chance.random() < 0.15:
        asked = latin(chance)
        return asked, pairs.get(asked, empty)
    return chance.choice(list(pairs.items()))


def _reversed(text: str) -> str:
    return text[::-1]


def _doubled(text: str) -> str:
    return text + text


def _tail(text: str) -> str:
    return text[1:]


def _starred(text: str) -> str:
    return f"*{text}*"


PROCEDURES: Final = (
    value_of, key_of, value_of_usual_key, key_after_key, word_behind, word_numbered, ending_of, letters_mapped,
    words_mapped, shown_by_example, who_has, fact_asked, cell_of_grid, same_place,
)  # fmt: skip
