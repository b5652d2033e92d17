"""Procedures that choose, sort, count or judge: the answer depends on all of the input, not on one place of it."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from engine.training.seed.material import (
    Maker,
    amount,
    code,
    latin,
    name,
    nothing,
    number,
    on,
    phrase,
    separator,
    size,
    words,
)
from engine.training.student import Row

__all__ = ["PROCEDURES"]

KINDS: Final[dict[str, Callable[[Random], str]]] = {
    "word": latin,
    "name": name,
    "number": number,
    "amount": amount,
    "code": code,
    "mail": lambda chance: f"{latin(chance)}@{latin(chance)}.{chance.choice(('com', 'net', 'org', 'eu'))}",
    "time": lambda chance: f"{chance.randrange(24)}:{chance.randrange(60):02}",
    "link": lambda chance: f"{latin(chance)}.{chance.choice(('com', 'net', 'org'))}/{latin(chance)}",
    "tag": lambda chance: f"#{latin(chance)}",
    "question": lambda chance: f"{name(chance)} {latin(chance)}?",
    "share": lambda chance: f"{chance.randrange(101)}%",
}


def words_longer_than(settings: Random) -> Maker:
    """The words of more than so many letters, or nothing."""
    count, empty = settings.randint(3, 6), nothing(settings)
    return on(phrase, lambda text: _told([one for one in text.split() if len(one) > count], empty))


def words_beginning_with(settings: Random) -> Maker:
    """The words that begin with one of some letters, or nothing."""
    first, empty = tuple(settings.sample("bcdfghklmnprst", 4)), nothing(settings)
    return on(_small_words, lambda text: _told([one for one in text.split() if one.startswith(first)], empty))


def words_with_capital(settings: Random) -> Maker:
    """The words that begin with a capital, or nothing."""
    empty, between = nothing(settings), separator(settings)
    return on(phrase, lambda text: _told([one for one in text.split() if one[0].isupper()], empty, between))


def words_without_digits(settings: Random) -> Maker:
    """The words that are no numbers."""
    empty = nothing(settings)
    return on(_mixed, lambda text: _told([one for one in text.split() if not one.isdigit()], empty))


def longest_word(_settings: Random) -> Maker:
    """The word of most letters; the first of equals."""
    return on(_small_words, lambda text: max(text.split(), key=len))


def shortest_word(_settings: Random) -> Maker:
    """The word of fewest letters; the first of equals."""
    return on(_small_words, lambda text: min(text.split(), key=len))


def sorted_words(settings: Random) -> Maker:
    """The words in the order of the alphabet, or against it."""
    back = settings.random() < 0.3
    return on(_small_words, lambda text: " ".join(sorted(text.split(), reverse=back)))


def sorted_numbers(settings: Random) -> Maker:
    """The numbers from small to large, or from large to small."""
    back = settings.random() < 0.3
    return on(_numbers, lambda text: " ".join(sorted(text.split(), key=int, reverse=back)))


def largest_number(_settings: Random) -> Maker:
    """The largest of some numbers."""
    return on(_numbers, lambda text: max(text.split(), key=int))


def smallest_number(_settings: Random) -> Maker:
    """The smallest of some numbers."""
    return on(_numbers, lambda text: min(text.split(), key=int))


def number_of_words(_settings: Random) -> Maker:
    """How many words there are."""
    return on(phrase, lambda text: str(len(text.split())))


def number_of_letters(_settings: Random) -> Maker:
    """How many letters a word has."""
    return on(lambda chance: latin(chance) + latin(chance), lambda text: str(len(text)))


def number_of_marks(settings: Random) -> Maker:
    """How often one mark occurs."""
    mark = settings.choice("*#+!|")

    def make(chance: Random) -> Row:
        every = [one + mark * chance.choice((0, 0, 1, 1, 2)) for one in words(chance, 1, 4)]
        text = " ".join(every)
        return Row(text, str(text.count(mark)))

    return make


def words_once(_settings: Random) -> Maker:
    """Every word once, in the order of first sight."""
    return on(_repeating, lambda text: " ".join(dict.fromkeys(text.split())))


def repeated_word(settings: Random) -> Maker:
    """The word that occurs twice, or nothing."""
    empty = nothing(settings)

    def make(chance: Random) -> Row:
        every = list(dict.fromkeys(words(chance, 3, 5)))
        if chance.random() < 0.2:
            return Row(" ".join(every), empty)
        twice = chance.choice(every)
        every.insert(chance.randrange(len(every) + 1), twice)
        return Row(" ".join(every), twice)

    return make


def odd_one_out(settings: Random) -> Maker:
    """The one that is of another kind than the rest."""
    usual, odd = settings.sample(["word", "number", "mail", "time", "tag", "code"], 2)

    def make(chance: Random) -> Row:
        every = [KINDS[usual](chance) for _ in range(size(chance, 2, 4))]
        other = KINDS[odd](chance)
        every.insert(chance.randrange(len(every) + 1), other)
        return Row(" ".join(every), other)

    return make


def kind_of(settings: Random) -> Maker:
    """What kind of thing this is, in words that were made up for each kind."""
    kinds = settings.sample(sorted(KINDS), settings.randint(3, 6))
    called = {kind: latin(settings) if settings.random() < 0.6 else kind for kind in kinds}

    def make(chance: Random) -> Row:
        kind = chance.choice(kinds)
        return Row(KINDS[kind](chance), called[kind])

    return make


def kind_within(settings: Random) -> Maker:
    """What kind of thing stands between the words of a text, or nothing."""
    kinds, empty = settings.sample(["number", "mail", "time", "link", "tag", "share"], 3), nothing(settings)
    called = {kind: latin(settings) for kind in kinds}

    def make(chance: Random) -> Row:
        every = [latin(chance) for _ in range(size(chance, 2, 5))]
        if chance.random() < 0.25:
            return Row(" ".join(every), empty)
        kind = chance.choice(kinds)
        every.insert(chance.randrange(len(every) + 1), KINDS[kind](chance))
        return Row(" ".join(every), called[kind])

    return make


def label_by_cue(settings: Random) -> Maker:
    """A label for each of a dozen words, one of which stands in the text; the same label for several, or none."""
    labels = [latin(settings) for _ in range(settings.randint(2, 5))]
    cues = {latin(settings): settings.choice(labels) for _ in range(12)}
    empty = nothing(settings)

    def make(chance: Random) -> Row:
        every = [latin(chance) for _ in range(size(chance, 2, 5))]
        cue = chance.choice(list(cues)) if chance.random() < 0.85 else latin(chance)
        every.insert(chance.randrange(len(every) + 1), cue)
        return Row(" ".join(every), next((cues[one] for one in every if one in cues), empty))

    return make


def compared(settings: Random) -> Maker:
    """Whether the first number is smaller, the same or larger."""
    less, same, more = settings.choice((("<", "=", ">"), ("less", "same", "more"), ("A", "B", "C"), ("-1", "0", "1")))

    def make(chance: Random) -> Row:
        places = chance.choice((10, 100, 1000))
        one = chance.randrange(places)
        two = one if chance.random() < 0.2 else chance.randrange(places)
        return Row(f"{one} {two}", less if one < two else same if one == two else more)

    return make


def even_or_odd(settings: Random) -> Maker:
    """What the last digit says."""
    even, odd = settings.choice((("even", "odd"), ("0", "1"), ("yes", "no"), ("A", "B")))
    return on(number, lambda text: odd if int(text) % 2 else even)


def same_or_not(settings: Random) -> Maker:
    """Whether two words are the same."""
    same, other = settings.choice((("same", "different"), ("1", "0"), ("yes", "no"), ("true", "false")))

    def make(chance: Random) -> Row:
        one = words(chance, 1, 1)[0]
        two = one if chance.random() < 0.5 else words(chance, 1, 1)[0]
        return Row(f"{one} {two}", same if one == two else other)

    return make


def occurs(settings: Random) -> Maker:
    """Whether the first word occurs among the rest."""
    yes, no = settings.choice((("yes", "no"), ("1", "0"), ("true", "false"), ("in", "out")))
    mark = settings.choice((": ", " ? ", " | ", " in "))

    def make(chance: Random) -> Row:
        every = words(chance, 3, 6)
        asked = chance.choice(every) if chance.random() < 0.5 else latin(chance)
        return Row(f"{asked}{mark}{' '.join(every)}", yes if asked in every else no)

    return make


def place_of(settings: Random) -> Maker:
    """At which place a mark stands among the words."""
    mark, first = settings.choice(("*", "here", "X", "->")), settings.randint(0, 1)

    def make(chance: Random) -> Row:
        every = words(chance, 2, 5)
        at = chance.randrange(len(every) + 1)
        return Row(" ".join([*every[:at], mark, *every[at:]]), str(at + first))

    return make


def _told(chosen: list[str], empty: str, between: str = " ") -> str:
    return between.join(chosen) or empty


def _small_words(chance: Random) -> str:
    return " ".join(latin(chance) for _ in range(size(chance, 2, 5)))


def _numbers(chance: Random) -> str:
    return " ".join(number(chance) for _ in range(size(chance, 2, 4)))


def _mixed(chance: Random) -> str:
    return " ".join(number(chance) if chance.random() < 0.4 else latin(chance) for _ in range(size(chance, 2, 5)))


def _repeating(chance: Random) -> str:
    few = [latin(chance) for _ in range(chance.randint(2, 3))]
    return " ".join(chance.choice(few) for _ in range(size(chance, 3, 5)))


PROCEDURES: Final = (
    words_longer_than, words_beginning_with, words_with_capital, words_without_digits, longest_word, shortest_word,
    sorted_words, sorted_numbers, largest_number, smallest_number, number_of_words, number_of_letters,
    number_of_marks, words_once, repeated_word, odd_one_out, kind_of, kind_within, label_by_cue, compared, even_or_odd,
    same_or_not, occurs, place_of,
)  # fmt: skip
