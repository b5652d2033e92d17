"""Procedures that give back the input or a part of it, told by place or by a mark, in the same or another order."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Final

from engine.training.seed.material import Maker, latin, nothing, on, phrase, sentence, separator, size, word, words
from engine.training.student import Row

__all__ = ["PROCEDURES"]

MARKS: Final = ("()", "[]", "{}", "<>", '""', "''", "**", "||", "«»", "「」", "~~", "__", "``")
POINTERS: Final = (": ", " -> ", " => ", " = ", " @ ", " # ", " | ", " >> ", " / ", " ~ ")


def copy(settings: Random) -> Maker:
    """Everything, as it is."""
    return on(settings.choice((phrase, sentence)), lambda text: text)


def first_words(settings: Random) -> Maker:
    """The first one to three words."""
    count = settings.randint(1, 3)
    return on(phrase, lambda text: " ".join(text.split()[:count]))


def last_words(settings: Random) -> Maker:
    """The last one to three words."""
    count = settings.randint(1, 3)
    return on(phrase, lambda text: " ".join(text.split()[-count:]))


def word_at(settings: Random) -> Maker:
    """The word at some place, or nothing where there are fewer."""
    place, empty = settings.randint(1, 4), nothing(settings)
    return on(phrase, lambda text: (text.split() + [empty] * 5)[place])


def all_but_first(_settings: Random) -> Maker:
    """Everything behind the first word."""
    return on(phrase, lambda text: " ".join(text.split()[1:]))


def all_but_last(_settings: Random) -> Maker:
    """Everything in front of the last word."""
    return on(phrase, lambda text: " ".join(text.split()[:-1]))


def first_letters(settings: Random) -> Maker:
    """The first two to six letters."""
    count = settings.randint(2, 6)
    return on(phrase, lambda text: text[:count])


def last_letters(settings: Random) -> Maker:
    """The last two to six letters."""
    count = settings.randint(2, 6)
    return on(phrase, lambda text: text[-count:])


def without_first_letters(settings: Random) -> Maker:
    """Everything but the first one to three letters."""
    count = settings.randint(1, 3)
    return on(phrase, lambda text: text[count:])


def between_marks(settings: Random) -> Maker:
    """What stands between two marks, or nothing where there are none."""
    opening, closing = settings.choice(MARKS)
    empty, share = nothing(settings), settings.choice((0.0, 0.2, 0.4))

    def make(chance: Random) -> Row:
        before, inside, after = (" ".join(words(chance, 1, 3)) for _ in range(3))
        if chance.random() < share:
            return Row(f"{before} {inside} {after}", empty)
        return Row(f"{before} {opening}{inside}{closing} {after}", inside)

    return make


def outside_marks(settings: Random) -> Maker:
    """The text without what stands between two marks."""
    opening, closing = settings.choice(MARKS)

    def make(chance: Random) -> Row:
        before, inside, after = (" ".join(words(chance, 1, 3)) for _ in range(3))
        return Row(f"{before} {opening}{inside}{closing} {after}", f"{before} {after}")

    return make


def after_mark(settings: Random) -> Maker:
    """What stands behind a mark, or nothing where it is missing."""
    mark, empty = settings.choice(POINTERS), nothing(settings)
    return _halves(mark, lambda _before, after: after, empty=empty)


def before_mark(settings: Random) -> Maker:
    """What stands in front of a mark, or nothing where it is missing."""
    mark, empty = settings.choice(POINTERS), nothing(settings)
    return _halves(mark, lambda before, _after: before, empty=empty)


def after_cue(settings: Random) -> Maker:
    """The word behind a certain word, wherever that stands, or nothing."""
    cue, empty, share = latin(settings), nothing(settings), settings.choice((0.1, 0.3))

    def make(chance: Random) -> Row:
        every = [one for one in words(chance, 3, 7) if one != cue]
        if len(every) < 2 or chance.random() < share:
            return Row(" ".join(every), empty)
        at = chance.randrange(len(every))
        return Row(" ".join([*every[:at], cue, *every[at:]]), every[at])

    return make


def between_cues(settings: Random) -> Maker:
    """All between two certain words."""
    first, second = latin(settings), latin(settings)

    def make(chance: Random) -> Row:
        before, inside, after = (" ".join(words(chance, 1, 3)) for _ in range(3))
        return Row(f"{before} {first} {inside} {second} {after}", inside)

    return make


def reversed_letters(_settings: Random) -> Maker:
    """The letters of a word or two from back to front."""
    return on(lambda chance: " ".join(words(chance, 1, 2)), lambda text: text[::-1])


def reversed_words(_settings: Random) -> Maker:
    """The words from back to front."""
    return on(phrase, lambda text: " ".join(text.split()[::-1]))


def doubled(settings: Random) -> Maker:
    """Everything twice."""
    between = separator(settings)
    return on(lambda chance: " ".join(words(chance, 1, 3)), lambda text: text + between + text)


def every_other_word(settings: Random) -> Maker:
    """The first, third, fifth word, or the second, fourth, sixth."""
    first = settings.randint(0, 1)
    return on(phrase, lambda text: " ".join(text.split()[first::2]))


def line_at(settings: Random) -> Maker:
    """One of the lines."""
    place = settings.choice((0, 1, 2, -1, -2))

    def make(chance: Random) -> Row:
        lines = [" ".join(words(chance, 1, 3)) for _ in range(size(chance, 3, 4))]
        return Row("\n".join(lines), lines[place])

    return make


def marked_line(settings: Random) -> Maker:
    """The line that begins with a mark, without the mark."""
    mark = settings.choice(("> ", "* ", "- ", "! ", "? ", "+ ", "x "))

    def make(chance: Random) -> Row:
        lines = [" ".join(words(chance, 1, 3)) for _ in range(size(chance, 2, 4))]
        chosen = chance.choice(lines)
        return Row("\n".join(mark + line if line is chosen else line for line in lines), chosen)

    return make


def copy_when_marked(settings: Random) -> Maker:
    """The text where it holds a certain word, else nothing."""
    cue, empty = latin(settings), nothing(settings)

    def make(chance: Random) -> Row:
        every = words(chance, 2, 5)
        if chance.random() < 0.5:
            every.insert(chance.randrange(len(every) + 1), cue)
        return Row(" ".join(every), " ".join(every) if cue in every else empty)

    return make


def framed(settings: Random) -> Maker:
    """The text with certain words in front and behind."""
    before, after = (f"{latin(settings)} " if settings.random() < 0.7 else "" for _ in range(2))
    return on(phrase, lambda text: f"{before}{text} {after}".strip())


def longest_word_only(_settings: Random) -> Maker:
    """The one long word among short ones."""

    def make(chance: Random) -> Row:
        long = word(chance) + word(chance) + word(chance) + "en"
        every = [one[: max(1, len(long) - 2)] for one in words(chance, 2, 5)]
        every.insert(chance.randrange(len(every) + 1), long)
        return Row(" ".join(every), long)

    return make


def _halves(mark: str, choose: Callable[[str, str], str], *, empty: str) -> Maker:
    def make(chance: Random) -> Row:
        before, after = (" ".join(words(chance, 1, 3)) for _ in range(2))
        if chance.random() < 0.15:
            return Row(f"{before} {after}", empty)
        return Row(before + mark + after, choose(before, after))

    return make


PROCEDURES: Final = (
    copy, first_words, last_words, word_at, all_but_first, all_but_last, first_letters, last_letters,
    without_first_letters, between_marks, outside_marks, after_mark, before_mark, after_cue, between_cues,
    reversed_letters, reversed_words, doubled, every_other_word, line_at, marked_line, copy_when_marked, framed,
    longest_word_only,
)  # fmt: skip
