"""Procedures from letter to letter: substitutions of chance, letters by their names in Unicode, rules of spelling."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from engine.training.seed.material import SCRIPTS, Maker, latin, on, size, word, words

__all__ = ["PROCEDURES"]

LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"
OTHER_LETTERS: Final = (
    "абвгдежзийклмнопрстуфхцчшщ", "αβγδεζηθικλμνξοπρστυφχψωάέ", "אבגדהוזחטיכלמנסעפצקרשתםןףץ",
    "ابتثجحخدذرزسشصضطظعغفقكلمنه", "あいうえおかきくけこさしすせそたちつてとなにぬねのは", LETTERS,
)  # fmt: skip

# The last word of a letter's name in Unicode, where that is not how the letter sounds.
SOUNDS: Final = {
    "ALEF": "a", "BEH": "b", "TEH": "t", "THEH": "th", "JEEM": "j", "HAH": "h", "KHAH": "kh", "DAL": "d",
    "THAL": "dh", "REH": "r", "ZAIN": "z", "SEEN": "s", "SHEEN": "sh", "SAD": "s", "DAD": "d", "TAH": "t",
    "AIN": "a", "GHAIN": "gh", "FEH": "f", "QAF": "q", "KAF": "k", "LAM": "l", "MEEM": "m", "NOON": "n",
    "HEH": "h", "WAW": "w", "YEH": "y", "BET": "b", "GIMEL": "g", "DALET": "d", "HE": "h", "VAV": "v",
    "HET": "ch", "TET": "t", "YOD": "y", "LAMED": "l", "MEM": "m", "NUN": "n", "SAMEKH": "s",
    "AYIN": "a", "PE": "p", "TSADI": "ts", "QOF": "k", "RESH": "r", "SHIN": "sh", "TAV": "t", "ALPHA": "a",
    "BETA": "v", "GAMMA": "g", "DELTA": "d", "EPSILON": "e", "ZETA": "z", "ETA": "i", "THETA": "th", "IOTA": "i",
    "KAPPA": "k", "LAMDA": "l", "MU": "m", "NU": "n", "XI": "x", "OMICRON": "o", "PI": "p", "RHO": "r",
    "SIGMA": "s", "TAU": "t", "UPSILON": "y", "PHI": "f", "CHI": "ch", "PSI": "ps", "OMEGA": "o", "EF": "f",
    "EL": "l", "EM": "m", "EN": "n", "ER": "r", "ES": "s", "SHORT": "y", "HARD": "", "SOFT": "",
    "YERU": "y",
}  # fmt: skip
CYRILLIC: Final = {
    "BE": "b", "VE": "v", "GHE": "g", "DE": "d", "ZHE": "zh", "ZE": "z", "KA": "k", "PE": "p", "TE": "t", "HA": "kh",
    "TSE": "ts", "CHE": "ch", "SHA": "sh", "SHCHA": "shch",
}  # fmt: skip
NAMED: Final = tuple(SCRIPTS[at] for at in (1, 2, 3, 4, 5, 7, 8, 9))  # neither Thai nor Han names sound like the letter


def letters_substituted(settings: Random) -> Maker:
    """Each letter by another one, the same always."""
    return on(_text, _translator(dict(zip(LETTERS, settings.sample(LETTERS, 26), strict=True))))


def few_letters_substituted(settings: Random) -> Maker:
    """Some letters by others; the rest stays."""
    return on(_text, _translator(dict(zip(settings.sample(LETTERS, 8), settings.sample(LETTERS, 8), strict=True))))


def letters_to_groups(settings: Random) -> Maker:
    """Each letter by one or two letters, the same always."""
    groups = {letter: "".join(settings.sample(LETTERS, settings.choice((1, 1, 2)))) for letter in LETTERS}
    return on(_text, _translator(groups))


def letters_to_script(settings: Random) -> Maker:
    """Each Latin letter by one of another script, in an order of chance."""
    other = settings.choice(OTHER_LETTERS)
    return on(_text, _translator(dict(zip(LETTERS, settings.sample(other, 26), strict=True))))


def script_to_letters(settings: Random) -> Maker:
    """Each letter of another script by one or two Latin ones, in an order of chance."""
    other = settings.choice(OTHER_LETTERS)
    groups = {letter: "".join(settings.sample(LETTERS, settings.choice((1, 1, 2)))) for letter in other}
    return on(
        lambda chance: "".join(chance.choice(other) for _ in range(size(chance, 3, 7))),
        _translator(groups),
    )


def letters_shifted(settings: Random) -> Maker:
    """Each letter by one that stands some places further in the alphabet."""
    places = settings.randint(1, 25)
    return on(_text, _translator(dict(zip(LETTERS, LETTERS[places:] + LETTERS[:places], strict=True))))


def letters_to_digits(settings: Random) -> Maker:
    """Each letter by a digit that stands for its class."""
    return on(_text, _translator({letter: settings.choice("0123456789") for letter in LETTERS}))


def letters_named(settings: Random) -> Maker:
    """Words of another script in Latin letters, by the names that Unicode gives to their letters."""
    script = settings.choice(NAMED)
    return on(lambda chance: " ".join(word(chance, script) for _ in range(size(chance, 1, 3))), romanised)


def letters_named_in_groups(settings: Random) -> Maker:
    """The same without vowel signs' own rules: letter by letter, with a mark between."""
    script, mark = settings.choice(NAMED[:5]), settings.choice("-. ")
    return on(lambda chance: word(chance, script), lambda text: mark.join(_sound(one) for one in text))


def kana_exchanged(settings: Random) -> Maker:
    """Hiragana as katakana, or the other way round."""
    script, step = settings.choice(((SCRIPTS[8], 96), (SCRIPTS[9], -96)))
    return on(
        lambda chance: "".join(word(chance, script) for _ in range(size(chance, 1, 2))),
        lambda text: "".join(one if one == "ー" else chr(ord(one) + step) for one in text),
    )


def spelling_changed(settings: Random) -> Maker:
    """A dozen rules of spelling, one after another, such as "ch before e becomes k"."""
    rules = [_rule(settings) for _ in range(12)]

    def work(text: str) -> str:
        for pattern, new in rules:
            text = pattern.sub(new, text)
        return text

    return on(_text, work)


def ending_changed(settings: Random) -> Maker:
    """An ending that depends on the last letter, as of plurals."""
    endings = {letter: settings.choice(("s", "en", "i", "ok", "ar", "")) for letter in LETTERS}
    cut = set(settings.sample(LETTERS, 8))

    def work(text: str) -> str:
        return " ".join((one[:-1] if one[-1] in cut else one) + endings[one[-1]] for one in text.split())

    return on(_text, work)


def beginning_changed(settings: Random) -> Maker:
    """A prefix that depends on the first letter, as of articles."""
    prefixes = {letter: settings.choice(("a ", "an ", "l'", "il ", "")) for letter in LETTERS}
    return on(latin, lambda text: prefixes[text[0]] + text)


def vowels_changed(settings: Random) -> Maker:
    """Vowels by one another."""
    return on(_text, _translator(dict(zip("aeiou", settings.sample("aeiouäöüy", 5), strict=True))))


def doubles_made_single(_settings: Random) -> Maker:
    """Letters that stand twice, once."""

    def material(chance: Random) -> str:
        return "".join(one * chance.choice((1, 1, 2)) for one in _text(chance))

    return on(material, lambda text: re.sub(r"(.)\1", r"\1", text))


def letters_written_out(settings: Random) -> Maker:
    """Every letter as a word of its own, the same always."""
    called = {letter: letter + settings.choice(("a", "e", "ay", "ix", "o")) for letter in LETTERS}
    between = settings.choice((" ", "-"))
    return on(latin, lambda text: between.join(called[one] for one in text))


def runs_counted(_settings: Random) -> Maker:
    """aabbb -> a2b3."""

    def material(chance: Random) -> str:
        return "".join(one * chance.randint(1, 4) for one in latin(chance))

    return on(material, lambda text: "".join(f"{run[0][0]}{len(run[0])}" for run in re.finditer(r"(.)\1*", text)))


def bytes_written(settings: Random) -> Maker:
    """Letters as the hexadecimal numbers of their bytes."""
    before = settings.choice(("", "%", "x"))
    return on(
        lambda chance: words(chance, 1, 1)[0][:6], lambda text: "".join(f"{before}{one:02x}" for one in text.encode())
    )


def _text(chance: Random) -> str:
    return " ".join(latin(chance) for _ in range(size(chance, 1, 3)))


def _translator(given: Mapping[str, str]) -> Callable[[str], str]:
    return lambda text: "".join(given.get(one, one) for one in text)


def _rule(settings: Random) -> tuple[re.Pattern[str], str]:
    old = "".join(settings.sample(LETTERS, 1)) if settings.random() < 0.7 else settings.choice(("ch", "sh", "th", "ee"))
    behind = f"(?=[{''.join(settings.sample('aeioulnrst', 5))}])" if settings.random() < 0.7 else "$"
    return re.compile(old + behind), "".join(settings.sample(LETTERS, settings.choice((1, 2))))


def romanised(text: str) -> str:
    """A word in Latin letters, as the names of its letters sound."""
    return "".join(_sound(one) for one in text)


def _sound(letter: str) -> str:
    """What a letter's name says of its sound: KATAKANA LETTER KA -> ka. Other characters stay as they are."""
    of_name = unicodedata.name(letter, "").split(" WITH ")[0].split()
    marker = next((one for one in ("LETTER", "SYLLABLE", "SIGN") if one in of_name), None)
    if marker is None:
        return letter
    called = of_name[of_name.index(marker) + 1 :]
    sound = called[-1] if called[0] == "FINAL" else called[0]
    if of_name[0] == "CYRILLIC" and sound in CYRILLIC:
        return CYRILLIC[sound]
    return SOUNDS.get(sound, sound.lower())


PROCEDURES: Final = (
    letters_substituted, few_letters_substituted, letters_to_groups, letters_to_script, script_to_letters,
    letters_shifted, letters_to_digits, letters_named, letters_named_in_groups, kana_exchanged, spelling_changed,
    ending_changed, beginning_changed, vowels_changed, doubles_made_single, letters_written_out, runs_counted,
    bytes_written,
)  # fmt: skip
