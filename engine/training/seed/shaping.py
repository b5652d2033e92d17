"""Procedures that change the look of a text: case, padding, joining, splitting, replacing, leaving out."""

from __future__ import annotations

import re
import unicodedata
from random import Random
from typing import Final

from engine.training.seed.material import (
    Maker,
    field,
    latin,
    name,
    number,
    on,
    phrase,
    sentence,
    separator,
    size,
    words,
)
from engine.training.student import Row

__all__ = ["PROCEDURES"]


def upper(_settings: Random) -> Maker:
    """Capitals, in every script that has them."""
    return on(phrase, str.upper)


def lower(_settings: Random) -> Maker:
    """Small letters."""
    return on(sentence, str.lower)


def capitalised(_settings: Random) -> Maker:
    """Every word with a capital in front."""
    return on(phrase, lambda text: " ".join(one.capitalize() for one in text.split()))


def swapped_case(_settings: Random) -> Maker:
    """Capitals small and small letters capitals."""
    return on(phrase, str.swapcase)


def as_sentence(_settings: Random) -> Maker:
    """One capital in front, the rest small, a stop at the end."""
    return on(phrase, lambda text: text.capitalize() + ".")


def zero_padded(settings: Random) -> Maker:
    """Numbers filled up with zeros in front."""
    width = settings.randint(3, 8)
    return on(number, lambda text: text.zfill(width))


def padded(settings: Random) -> Maker:
    """A word filled up to some width with a mark, in front or behind."""
    width, mark, left = settings.randint(6, 12), settings.choice(".-_*# "), settings.random() < 0.5
    return on(latin, lambda text: text.rjust(width, mark) if left else text.ljust(width, mark))


def joined(settings: Random) -> Maker:
    """The words with something else between them."""
    between = separator(settings)
    return on(phrase, lambda text: between.join(text.split()))


def spaced(settings: Random) -> Maker:
    """Fields in words, without what was between them."""
    between = settings.choice((",", ";", "|", "/", "_", "+", "~", "--", "::"))

    def make(chance: Random) -> Row:
        fields = [field(chance) for _ in range(size(chance, 2, 5))]
        return Row(between.join(fields), " ".join(fields))

    return make


def acronym(settings: Random) -> Maker:
    """The first letters of the words."""
    dot = settings.choice(("", "."))
    return on(phrase, lambda text: "".join(one[0].upper() + dot for one in text.split()))


def camel(_settings: Random) -> Maker:
    """words like these -> wordsLikeThese."""
    return on(_plain, lambda text: text[0] + "".join(one.capitalize() for one in text.split())[1:])


def snake(settings: Random) -> Maker:
    """Words Like These -> words_like_these, or with another mark."""
    between = settings.choice("_-.")
    return on(phrase, lambda text: between.join(text.lower().split()))


def from_camel(_settings: Random) -> Maker:
    """wordsLikeThese -> words like these."""

    def make(chance: Random) -> Row:
        plain = _plain(chance)
        return Row(plain[0] + "".join(one.capitalize() for one in plain.split())[1:], plain)

    return make


def from_snake(settings: Random) -> Maker:
    """words_like_these -> Words Like These."""
    between = settings.choice("_-.")

    def make(chance: Random) -> Row:
        plain = _plain(chance)
        return Row(plain.replace(" ", between), plain.title())

    return make


def enclosed_words(settings: Random) -> Maker:
    """Every word between marks."""
    opening, closing = settings.choice(("()", "[]", '""', "<>", "''", "**"))
    return on(phrase, lambda text: " ".join(opening + one + closing for one in text.split()))


def without_vowels(_settings: Random) -> Maker:
    """What is left of Latin words without a, e, i, o and u."""
    return on(_plain, lambda text: re.sub("[aeiou]", "", text))


def without_punctuation(_settings: Random) -> Maker:
    """Letters, digits and spaces alone."""
    return on(sentence, lambda text: re.sub(r"[.,!?]", "", text))


def without_spaces(_settings: Random) -> Maker:
    """The words without what is between them."""
    return on(phrase, lambda text: text.replace(" ", ""))


def without_digits(_settings: Random) -> Maker:
    """Words into which digits were strewn, without them."""

    def make(chance: Random) -> Row:
        plain = latin(chance) + latin(chance)
        dirty = "".join(letter + (number(chance)[0] if chance.random() < 0.3 else "") for letter in plain)
        return Row(dirty, plain)

    return make


def digits_only(_settings: Random) -> Maker:
    """The digits of a number that is written with marks between them."""

    def make(chance: Random) -> Row:
        groups = [f"{chance.randrange(1000):03}" for _ in range(size(chance, 2, 4))]
        return Row(chance.choice((" ", "-", ".", "/", ") ")).join(groups), "".join(groups))

    return make


def letter_replaced(settings: Random) -> Maker:
    """One letter instead of another."""
    old, new = settings.choice("aeiounrst"), settings.choice("xyzwq_*0")
    return on(_plain, lambda text: text.replace(old, new))


def spaces_squeezed(_settings: Random) -> Maker:
    """One space where there are several, none at the ends."""

    def make(chance: Random) -> Row:
        every = words(chance)
        return Row("".join(" " * chance.choice((0, 1, 2)) + one + " " for one in every), " ".join(every))

    return make


def digits_grouped(settings: Random) -> Maker:
    """A mark between thousands."""
    mark = settings.choice((",", ".", " ", "'", "_"))
    return on(
        lambda chance: str(chance.randrange(10 ** chance.randint(2, 9))),
        lambda text: f"{int(text):,}".replace(",", mark),
    )


def letters_grouped(settings: Random) -> Maker:
    """A mark behind every second, third or fourth letter."""
    count, mark = settings.randint(2, 4), settings.choice("-. :/")
    material = settings.choice((_long, _digits))
    return on(material, lambda text: mark.join(text[at : at + count] for at in range(0, len(text), count)))


def letters_spread(settings: Random) -> Maker:
    """A mark between any two letters."""
    mark = settings.choice("-. _+")
    return on(latin, mark.join)


def letters_together(settings: Random) -> Maker:
    """The word whose letters are spread."""
    mark = settings.choice("-. _+")

    def make(chance: Random) -> Row:
        plain = _long(chance)
        return Row(mark.join(plain), plain)

    return make


def truncated(settings: Random) -> Maker:
    """The first letters and three dots where the text is longer."""
    count = settings.randint(6, 14)
    return on(phrase, lambda text: text if len(text) <= count else text[:count] + "...")


def without_accents(_settings: Random) -> Maker:
    """Latin letters without their marks above and below."""

    def make(chance: Random) -> Row:
        text = "".join(
            chance.choice("bcdfglmnprst") + chance.choice("aeiouéèêëáàâäíìîïóòôöõúùûüñçåñ") for _ in range(6)
        )
        return Row(text, "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one)))

    return make


def enumerated(settings: Random) -> Maker:
    """Numbers in front of the parts."""
    mark, between = settings.choice((". ", ") ", ": ", "=")), settings.choice((" ", "\n", "; "))
    return on(phrase, lambda text: between.join(f"{at}{mark}{one}" for at, one in enumerate(text.split(), start=1)))


def prefixed_words(settings: Random) -> Maker:
    """Every word with the same letters in front or behind."""
    mark, before = settings.choice(("#", "@", "$", latin(settings)[:3])), settings.random() < 0.6
    return on(phrase, lambda text: " ".join(mark + one if before else one + mark for one in text.split()))


def masked(settings: Random) -> Maker:
    """All but the last letters hidden by a mark."""
    shown, mark = settings.randint(2, 4), settings.choice("*x#.")
    return on(_digits, lambda text: mark * (len(text) - shown) + text[-shown:])


def initialled(_settings: Random) -> Maker:
    """Ben Okar -> B. Okar: the first names by their first letters."""

    def make(chance: Random) -> Row:
        *first, last = (name(chance) for _ in range(chance.randint(2, 3)))
        return Row(" ".join([*first, last]), " ".join([*(f"{one[0]}." for one in first), last]))

    return make


def _plain(chance: Random) -> str:
    return " ".join(latin(chance) for _ in range(size(chance, 2, 4)))


def _long(chance: Random) -> str:
    return latin(chance) + latin(chance) + latin(chance)


def _digits(chance: Random) -> str:
    return str(chance.randrange(10**6, 10 ** chance.randint(7, 12)))


PROCEDURES: Final = (
    upper, lower, capitalised, swapped_case, as_sentence, zero_padded, padded, joined, spaced, acronym, camel, snake,
    from_camel, from_snake, enclosed_words, without_vowels, without_punctuation, without_spaces, without_digits,
    digits_only, letter_replaced, spaces_squeezed, digits_grouped, letters_grouped, letters_spread, letters_together,
    truncated, without_accents, enumerated, prefixed_words, masked, initialled,
)  # fmt: skip
