"""Procedures that put parts into another order or into another frame of words."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Final

from engine.training.seed.material import Maker, field, latin, name, number, on, phrase, size, word, words
from engine.training.student import Row

__all__ = ["PROCEDURES"]

BETWEEN: Final = (",", ", ", ";", "|", "/", " - ", ":", "~", "_", " ")


def fields_permuted(settings: Random) -> Maker:
    """Fields in another order, the same always, with other marks between them."""
    order = list(range(settings.randint(2, 5)))
    settings.shuffle(order)
    before, after = settings.choice(BETWEEN[:-1]), settings.choice(BETWEEN)

    def make(chance: Random) -> Row:
        fields = [field(chance) for _ in order]
        return Row(before.join(fields), after.join(fields[at] for at in order))

    return make


def fields_chosen(settings: Random) -> Maker:
    """Some of the fields, in another order."""
    count = settings.randint(3, 5)
    order = settings.sample(range(count), 2)
    before, after = settings.choice(BETWEEN[:-1]), settings.choice(BETWEEN)

    def make(chance: Random) -> Row:
        fields = [field(chance) for _ in range(count)]
        return Row(before.join(fields), after.join(fields[at] for at in order))

    return make


def fields_reversed(settings: Random) -> Maker:
    """All fields from back to front."""
    between = settings.choice(BETWEEN[:-1])

    def make(chance: Random) -> Row:
        fields = [field(chance) for _ in range(size(chance, 2, 5))]
        return Row(between.join(fields), between.join(fields[::-1]))

    return make


def numbers_permuted(settings: Random) -> Maker:
    """Three numbers of fixed width in another order, with other marks, as of a serial number."""
    widths, order = [settings.randint(1, 4) for _ in range(3)], settings.sample(range(3), 3)
    before, after = settings.choice(("~", ":", "|", "_", " ")), settings.choice(("~", "|", "_", "+", ""))

    def make(chance: Random) -> Row:
        parts = [f"{chance.randrange(10**width):0{width}}" for width in widths]
        return Row(before.join(parts), after.join(parts[at] for at in order))

    return make


def surname_first(settings: Random) -> Maker:
    """Ben Okar -> Okar, Ben."""
    between = settings.choice((", ", "; ", ","))

    def make(chance: Random) -> Row:
        *first, last = (name(chance) for _ in range(chance.randint(2, 3)))
        return Row(" ".join([*first, last]), last + between + " ".join(first))

    return make


def surname_last(_settings: Random) -> Maker:
    """Okar, Ben -> Ben Okar."""

    def make(chance: Random) -> Row:
        *first, last = (name(chance) for _ in range(chance.randint(2, 3)))
        return Row(f"{last}, {' '.join(first)}", " ".join([*first, last]))

    return make


def halves_swapped(settings: Random) -> Maker:
    """What stands behind a mark in front, and the other way round."""
    mark = settings.choice((" / ", " | ", ": ", " -> ", "=", " & "))

    def make(chance: Random) -> Row:
        one, two = (" ".join(words(chance, 1, 3)) for _ in range(2))
        return Row(one + mark + two, two + mark + one)

    return make


def rotated(settings: Random) -> Maker:
    """The first words behind the last."""
    count = settings.randint(1, 2)
    return on(phrase, lambda text: " ".join(text.split()[count:] + text.split()[:count]))


def neighbours_swapped(_settings: Random) -> Maker:
    """Each two words change places."""

    def work(text: str) -> str:
        every = text.split()
        return " ".join(one for at in range(0, len(every), 2) for one in every[at : at + 2][::-1])

    return on(phrase, work)


def interleaved(settings: Random) -> Maker:
    """Two lists, word by word in turn."""
    mark = settings.choice((" | ", "\n", " / "))

    def make(chance: Random) -> Row:
        count = size(chance, 2, 3)
        one, two = ([latin(chance) for _ in range(count)] for _ in range(2))
        pairs = zip(one, two, strict=True)
        return Row(" ".join(one) + mark + " ".join(two), " ".join(part for pair in pairs for part in pair))

    return make


def paired(settings: Random) -> Maker:
    """Two lists, joined pair by pair."""
    mark, pairing = settings.choice((" | ", "\n", " / ")), settings.choice(("=", ":", "-", "+"))

    def make(chance: Random) -> Row:
        count = size(chance, 2, 3)
        one, two = ([latin(chance) for _ in range(count)] for _ in range(2))
        told = " ".join(first + pairing + second for first, second in zip(one, two, strict=True))
        return Row(" ".join(one) + mark + " ".join(two), told)

    return make


def vowels_behind(_settings: Random) -> Maker:
    """The first letters of each word behind it, as children do in secret languages."""

    def work(text: str) -> str:
        return " ".join(one[1:] + one[0] for one in text.split())

    return on(lambda chance: " ".join(words(chance, 1, 3)), work)


def reworded(settings: Random) -> Maker:
    """What stands at two or three places of one made-up sentence, put into another."""
    slots = settings.randint(2, 3)
    before, after = _frame(settings, range(slots)), _frame(settings, settings.sample(range(slots), slots))

    def make(chance: Random) -> Row:
        values = [field(chance) for _ in range(slots)]
        return Row(before.format(*values), after.format(*values))

    return make


def recognised(settings: Random) -> Maker:
    """The same from one of four made-up sentences, each with its slots in its own order, into one form."""
    slots = settings.randint(1, 3)
    frames = [_frame(settings, settings.sample(range(slots), slots)) for _ in range(4)]
    after = settings.choice(("|", ";", ",", " ", "/", "~")).join(f"{{{at}}}" for at in range(slots))
    makers = [settings.choice((field, number, name)) for _ in range(slots)]

    def make(chance: Random) -> Row:
        values = [make_one(chance) for make_one in makers]
        return Row(chance.choice(frames).format(*values), after.format(*values))

    return make


def named_slots(settings: Random) -> Maker:
    """The values of a made-up sentence, each with its slot's name."""
    slots = settings.randint(2, 3)
    frames = [_frame(settings, settings.sample(range(slots), slots)) for _ in range(3)]
    pairing, between = settings.choice((("=", ","), (": ", "\n"), ("<", ">"), (" ", " / ")))
    after = between.join(f"{latin(settings)}{pairing}{{{at}}}" for at in range(slots))

    def make(chance: Random) -> Row:
        values = [field(chance) for _ in range(slots)]
        return Row(chance.choice(frames).format(*values), after.format(*values))

    return make


def command_of(settings: Random) -> Maker:
    """A made-up wish as a call with its argument: three wishes, several wordings of each."""
    wishes = {latin(settings): [_frame(settings, [0]) for _ in range(3)] for _ in range(3)}

    def make(chance: Random) -> Row:
        called = chance.choice(list(wishes))
        value = chance.choice((word, number, name))(chance)
        return Row(chance.choice(wishes[called]).format(value), f"{called}({value})")

    return make


def _frame(settings: Random, order: Iterable[int]) -> str:
    """A made-up sentence with numbered slots: `mo {0} tra {1}`."""
    parts = [
        part for at in order for part in (" ".join(latin(settings) for _ in range(settings.randint(1, 2))), f"{{{at}}}")
    ]
    return " ".join([*parts, latin(settings)] if settings.random() < 0.5 else parts)


PROCEDURES: Final = (
    fields_permuted, fields_chosen, fields_reversed, numbers_permuted, surname_first, surname_last, halves_swapped,
    rotated, neighbours_swapped, interleaved, paired, vowels_behind, reworded, recognised, named_slots, command_of,
)  # fmt: skip
