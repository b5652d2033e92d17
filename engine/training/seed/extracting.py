"""Procedures that find what has a certain form within a text, give it back, name it, or say that there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, NamedTuple

from engine.training.seed.choosing import KINDS
from engine.training.seed.material import Maker, amount, latin, name, nothing, number, separator, size, words
from engine.training.student import Row

__all__ = ["PROCEDURES"]


class Found(NamedTuple):
    """Something as it stands in a text, and what it is to be written as."""

    text: str
    value: str


Kind = Callable[[Random], Found]


def found_kind(settings: Random) -> Maker:
    """All things of one kind, with something between them, or nothing."""
    kind = KINDS[settings.choice(("number", "mail", "link", "tag", "code", "share", "time"))]
    return _found(settings, lambda chance: _same(kind(chance)), most=3)


def found_names(settings: Random) -> Maker:
    """Runs of words with capitals."""
    return _found(settings, lambda chance: _same(" ".join(name(chance) for _ in range(chance.randint(1, 2)))), most=2)


def found_quotes(settings: Random) -> Maker:
    """What stands in quotation marks, without them."""
    opening, closing = settings.choice(('""', "''", "“”", "«»", "「」"))

    def quoted(chance: Random) -> Found:
        inside = " ".join(words(chance, 1, 2))
        return Found(opening + inside + closing, inside)

    return _found(settings, quoted, most=2)


def found_money(settings: Random) -> Maker:
    """Amounts of money, written with the currency's letters behind."""
    signs = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}
    pattern = settings.choice(("{amount} {currency}", "{currency} {amount}", "{currency}{amount}"))

    def money(chance: Random) -> Found:
        sign, much = chance.choice(list(signs)), chance.choice((amount, number))(chance)
        text = chance.choice((f"{sign}{much}", f"{much} {sign}", f"{much}{sign}"))
        return Found(text, pattern.format(amount=much, currency=signs[sign]))

    return _found(settings, money, most=2)


def found_numbers_plain(settings: Random) -> Maker:
    """Numbers with marks between thousands, written without."""

    def grouped(chance: Random) -> Found:
        value = chance.randrange(10 ** chance.randint(2, 7))
        return Found(f"{value:,}", str(value))

    return _found(settings, grouped, most=2)


def found_measures(settings: Random) -> Maker:
    """A number with a unit, as number and the unit's other name."""
    units = {latin(settings)[:2]: latin(settings) for _ in range(6)}

    def measure(chance: Random) -> Found:
        unit, much = chance.choice(list(units)), number(chance)
        return Found(chance.choice((f"{much} {unit}", f"{much}{unit}")), f"{much} {units[unit]}")

    return _found(settings, measure, most=2)


def found_known_words(settings: Random) -> Maker:
    """Whichever of some known words occur, as what each is called."""
    known = {latin(settings): latin(settings) for _ in range(10)}

    def one_of_them(chance: Random) -> Found:
        text = chance.choice(list(known))
        return Found(chance.choice((text, text.capitalize())), known[text])

    return _found(settings, one_of_them, most=2)


def found_phrases(settings: Random) -> Maker:
    """Known words with a number beside them, written as a sign, the number and a letter."""
    known = {
        latin(settings): f"{sign}{{}}{letter}" for sign, letter in zip("+-+-", settings.sample("XYZVW", 4), strict=True)
    }
    behind = settings.random() < 0.5

    def counted(chance: Random) -> Found:
        cue, count = chance.choice(list(known)), str(chance.randint(1, 40))
        return Found(f"{count} {cue}" if behind else f"{cue} {count}", known[cue].format(count))

    return _found(settings, counted, most=2, with_text=True)


def found_marked(settings: Random) -> Maker:
    """The words to which a mark is stuck, without it."""
    mark = settings.choice("@*^!+%&")

    def marked(chance: Random) -> Found:
        plain = latin(chance)
        return Found(mark + plain, plain)

    return _found(settings, marked, most=3)


def found_pairs(settings: Random) -> Maker:
    """Two numbers with a mark between, as one is to write them."""
    mark, written = settings.choice("-:x/~"), settings.choice(("[{},{}]", "{}..{}", "({} {})", "{1}<{0}"))

    def pair(chance: Random) -> Found:
        one, two = number(chance), number(chance)
        return Found(f"{one}{mark}{two}", written.format(one, two))

    return _found(settings, pair, most=1)


def hosts_of_links(settings: Random) -> Maker:
    """What stands between "//" and the next "/" of an address."""

    def link(chance: Random) -> Found:
        host = f"{latin(chance)}.{chance.choice(('com', 'net', 'org', 'io'))}"
        return Found(f"http://{host}/{latin(chance)}", host)

    return _found(settings, link, most=1)


def users_of_mails(settings: Random) -> Maker:
    """What stands in front of the @."""

    def mail(chance: Random) -> Found:
        user = latin(chance) + chance.choice(("", ".", "_")) + latin(chance)
        return Found(f"{user}@{latin(chance)}.{chance.choice(('com', 'net', 'org'))}", user)

    return _found(settings, mail, most=1)


def classes_of_words(settings: Random) -> Maker:
    """The class of every word, by its form: number, capital, small."""
    called = [latin(settings)[:3] for _ in range(3)]
    between = settings.choice((" ", ",", ""))

    def make(chance: Random) -> Row:
        every = words(chance, 2, 5)
        return Row(" ".join(every), between.join(called[_form(one)] for one in every))

    return make


def words_with_classes(settings: Random) -> Maker:
    """Every word with its class, by its form."""
    called = [latin(settings) for _ in range(3)]
    pattern = settings.choice(("{}/{}", "{1}({0})", "{1}:{0}", "<{1}>{0}"))

    def make(chance: Random) -> Row:
        every = words(chance, 2, 4)
        return Row(" ".join(every), " ".join(pattern.format(one, called[_form(one)]) for one in every))

    return make


def runs_with_classes(settings: Random) -> Maker:
    """Words of one form that stand together, with the class of each run, in order."""
    called = [f"{latin(settings)}{letter}" for letter in "aei"]
    pattern, between = (
        settings.choice(("{1}[{0}]", "{1}: {0}", "{0} ({1})", "{1}>{0}")),
        settings.choice((" ", ", ", "\n", " | ")),
    )
    makers: Sequence[Callable[[Random], str]] = (number, name, latin)

    def make(chance: Random) -> Row:
        forms: list[int] = []
        for _ in range(size(chance, 2, 4)):
            forms.append(chance.choice([form for form in range(3) if not forms or form != forms[-1]]))
        runs = [" ".join(makers[form](chance) for _ in range(chance.randint(1, 2))) for form in forms]
        told = between.join(pattern.format(run, called[form]) for run, form in zip(runs, forms, strict=True))
        return Row(" ".join(runs), told)

    return make


def known_words_tagged(settings: Random) -> Maker:
    """The text again with marks around words that are known."""
    known = [latin(settings) for _ in range(8)]
    opening, closing = settings.choice((("[", "]"), ("<b>", "</b>"), ("{", "}"), ("*", "*")))

    def make(chance: Random) -> Row:
        every = [chance.choice(known) if chance.random() < 0.35 else latin(chance) for _ in range(size(chance, 2, 5))]
        return Row(" ".join(every), " ".join(opening + one + closing if one in known else one for one in every))

    return make


def _found(settings: Random, kind: Kind, *, most: int, with_text: bool = False) -> Maker:
    """Up to `most` of them between other words; told with something between, or nothing where there are none.

    Some tasks tell each thing as it stands there too, with a sign between that and its value.
    """
    empty, between = nothing(settings), separator(settings)
    sign = settings.choice((" -> ", " ~ ", ": ", " = ")) if with_text or settings.random() < 0.3 else ""

    def make(chance: Random) -> Row:
        found = [kind(chance) for _ in range(chance.randint(1, most))] if chance.random() < 0.8 else []
        parts = [latin(chance) for _ in range(size(chance, 2, 5))]
        places = sorted(chance.randrange(len(parts) + 1) for _ in found)
        for place, one in zip(reversed(places), reversed(found), strict=True):
            parts.insert(place, one.text)
        told = between.join(one.text + sign + one.value if sign else one.value for one in found)
        return Row(" ".join(parts), told or empty)

    return make


def _same(text: str) -> Found:
    return Found(text, text)


def _form(text: str) -> int:
    return 0 if text[0].isdigit() else 1 if text[0].isupper() else 2


PROCEDURES: Final = (
    found_kind, found_names, found_quotes, found_money, found_numbers_plain, found_measures, found_known_words,
    found_phrases, found_marked, found_pairs, hosts_of_links, users_of_mails, classes_of_words, words_with_classes,
    runs_with_classes, known_words_tagged,
)  # fmt: skip
