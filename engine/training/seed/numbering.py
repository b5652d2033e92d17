"""Procedures with numbers: in words of many languages, in other digits, units and signs; small sums."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from engine.training.seed.material import Maker, amount, latin, number, on
from engine.training.student import Row

__all__ = ["PROCEDURES"]


@dataclass(frozen=True, slots=True)
class Tongue:
    """How a language counts to 99, and from there to 9,999.

    `small` holds 0 to 19 (or as far as words are their own), `tens` 20, 30 and so on; `tie` puts 42 together. `one`
    stands in front of hundred and thousand where that language says it there.
    """

    small: Sequence[str]
    tens: Sequence[str]
    hundred: str
    thousand: str
    tie: Callable[[str, str], str]
    one: str = ""
    space: str = " "


def _tongue(
    small: str,
    tens: str,
    hundred: str,
    thousand: str,
    tie: Callable[[str, str], str],
    *,
    one: str = "",
    space: str = " ",
) -> Tongue:
    return Tongue(small.split(), tens.split(), hundred, thousand, tie, one, space)


TONGUES: Final[Mapping[str, Tongue]] = {
    "English": _tongue(
        "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen"
        " seventeen eighteen nineteen",
        "twenty thirty forty fifty sixty seventy eighty ninety",
        "hundred", "thousand", lambda ten, one: f"{ten}-{one}", one="one",
    ),
    "German": _tongue(
        "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn fünfzehn sechzehn"
        " siebzehn achtzehn neunzehn",
        "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
        "hundert", "tausend", lambda ten, one: f"{'ein' if one == 'eins' else one}und{ten}", space="",
    ),
    "Dutch": _tongue(
        "nul een twee drie vier vijf zes zeven acht negen tien elf twaalf dertien veertien vijftien zestien zeventien"
        " achttien negentien",
        "twintig dertig veertig vijftig zestig zeventig tachtig negentig",
        "honderd", "duizend", lambda ten, one: f"{one}{'ën' if one.endswith('e') else 'en'}{ten}", space="",
    ),
    "Swedish": _tongue(
        "noll ett två tre fyra fem sex sju åtta nio tio elva tolv tretton fjorton femton sexton sjutton arton"
        " nitton",
        "tjugo trettio fyrtio femtio sextio sjuttio åttio nittio",
        "hundra", "tusen", lambda ten, one: ten + one, one="ett", space="",
    ),
    "Spanish": _tongue(
        "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce quince dieciséis"
        " diecisiete dieciocho diecinueve",
        "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
        "cientos", "mil", lambda ten, one: f"{ten} y {one}",
    ),
    "Portuguese": _tongue(
        "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze dezesseis dezessete"
        " dezoito dezenove",
        "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
        "centos", "mil", lambda ten, one: f"{ten} e {one}",
    ),
    "Italian": _tongue(
        "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici quattordici quindici sedici"
        " diciassette diciotto diciannove",
        "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
        "cento", "mila", lambda ten, one: (ten[:-1] if one[0] in "uo" else ten) + one, space="",
    ),
    "French": _tongue(
        "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze quinze seize dix-sept"
        " dix-huit dix-neuf",
        "vingt trente quarante cinquante soixante septante huitante nonante",
        "cent", "mille", lambda ten, one: f"{ten} et un" if one == "un" else f"{ten}-{one}",
    ),
    "Turkish": _tongue(
        "sıfır bir iki üç dört beş altı yedi sekiz dokuz on",
        "yirmi otuz kırk elli altmış yetmiş seksen doksan",
        "yüz", "bin", lambda ten, one: f"{ten} {one}",
    ),
    "Russian": _tongue(
        "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать тринадцать"
        " четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать",
        "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто",
        "сот", "тысяч", lambda ten, one: f"{ten} {one}",
    ),
    "Chinese": _tongue(
        "零 一 二 三 四 五 六 七 八 九 十",
        "二十 三十 四十 五十 六十 七十 八十 九十",
        "百", "千", lambda ten, one: ten + one, one="一", space="",
    ),
    "Korean": _tongue(
        "영 일 이 삼 사 오 육 칠 팔 구 십",
        "이십 삼십 사십 오십 육십 칠십 팔십 구십",
        "백", "천", lambda ten, one: ten + one, space="",
    ),
    "Indonesian": _tongue(
        "nol satu dua tiga empat lima enam tujuh delapan sembilan sepuluh",
        "dua tiga empat lima enam tujuh delapan sembilan",
        "ratus", "ribu", lambda ten, one: f"{ten} puluh {one}", one="se",
    ),
}  # fmt: skip
MOST_IN_WORDS: Final = {"Spanish": 99, "Portuguese": 99, "Russian": 99, "Italian": 999, "Indonesian": 99}
"""Where hundreds or thousands have forms of their own, which are not told here."""

DIGITS: Final = (
    "٠١٢٣٤٥٦٧٨٩",
    "०१२३४५६७८९",
    "๐๑๒๓๔๕๖๗๘๙",
    "０１２３４５６７８９",
    "۰۱۲۳۴۵۶۷۸۹",
    "⁰¹²³⁴⁵⁶⁷⁸⁹",
    "০১২৩৪৫৬৭৮৯",
)
ROMAN: Final = ((100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I"))


def words_to_digits(settings: Random) -> Maker:
    """A number in the words of some language, in digits."""
    language = settings.choice(sorted(TONGUES))
    return _between(lambda chance: _value(chance, language), lambda value: in_words(value, language), str)


def digits_to_words(settings: Random) -> Maker:
    """A number in the words of some language."""
    language = settings.choice(sorted(TONGUES))
    return _between(lambda chance: _value(chance, language), str, lambda value: in_words(value, language))


def words_of_any_language(settings: Random) -> Maker:
    """A number in the words of one of four languages, in digits."""
    languages = settings.sample(sorted(TONGUES), 4)

    def make(chance: Random) -> Row:
        language = chance.choice(languages)
        value = _value(chance, language)
        return Row(in_words(value, language), str(value))

    return make


def counted_things(settings: Random) -> Maker:
    """A number in words and a thing, as digits and the thing."""
    language, between = settings.choice(sorted(TONGUES)), settings.choice((" ", " x ", "*"))

    def make(chance: Random) -> Row:
        value, thing = chance.randrange(2, 40), latin(chance)
        return Row(f"{in_words(value, language)} {thing}", f"{value}{between}{thing}")

    return make


def digits_spelled(settings: Random) -> Maker:
    """Digit after digit in words."""
    language = settings.choice(sorted(TONGUES))
    small = TONGUES[language].small
    return on(number, lambda text: " ".join(small[int(one)] for one in text))


def spelled_digits(settings: Random) -> Maker:
    """Digits in words, one after another, as digits."""
    small = TONGUES[settings.choice(sorted(TONGUES))].small

    def make(chance: Random) -> Row:
        text = number(chance)
        return Row(" ".join(small[int(one)] for one in text), text)

    return make


def to_roman(_settings: Random) -> Maker:
    """Roman numerals."""
    return _between(lambda chance: chance.randrange(1, 200), str, _roman)


def from_roman(_settings: Random) -> Maker:
    """Roman numerals in digits."""
    return _between(lambda chance: chance.randrange(1, 200), _roman, str)


def to_other_digits(settings: Random) -> Maker:
    """The digits of another script."""
    table = str.maketrans("0123456789", settings.choice(DIGITS))
    return on(number, lambda text: text.translate(table))


def from_other_digits(settings: Random) -> Maker:
    """The usual digits for those of another script."""
    table = str.maketrans("0123456789", settings.choice(DIGITS))

    def make(chance: Random) -> Row:
        text = number(chance)
        return Row(text.translate(table), text)

    return make


def decimals_exchanged(_settings: Random) -> Maker:
    """1,234.50 -> 1.234,50."""

    def make(chance: Random) -> Row:
        text = f"{chance.randrange(10 ** chance.randint(1, 7)):,}.{chance.randrange(100):02}"
        return Row(text, text.translate(str.maketrans(",.", ".,")))

    return make


def share_as_fraction(settings: Random) -> Maker:
    """35% -> 0.35, or back."""
    back = settings.random() < 0.5

    def make(chance: Random) -> Row:
        value = chance.randrange(1, 100)
        told, other = f"{value}%", f"0.{value:02}"
        return Row(other, told) if back else Row(told, other)

    return make


def unit_changed(settings: Random) -> Maker:
    """A number of one unit in another that is ten, a hundred or a thousand times as small."""
    zeros, units = settings.randint(1, 3), (latin(settings)[:3], latin(settings)[:3])

    def make(chance: Random) -> Row:
        whole, part = chance.randrange(1, 1000), chance.choice(("", f".{chance.randrange(1, 10)}"))
        digits = f"{whole}{part[1:]}{'0' * (zeros - len(part[1:]))}"
        return Row(f"{whole}{part} {units[0]}", f"{digits} {units[1]}")

    return make


def factor_written_out(settings: Random) -> Maker:
    """3.5k -> 3500; the letters and how many zeros they stand for were made up."""
    zeros = dict(zip(settings.sample(("k", "M", "mil", "th", "lak", "bn", "T", "c"), 3), (2, 3, 6), strict=True))

    def make(chance: Random) -> Row:
        letter = chance.choice(list(zeros))
        whole, part = chance.randrange(1, 100), chance.choice(("", "", f".{chance.randrange(1, 10)}"))
        return Row(f"{whole}{part}{letter}", f"{whole}{part[1:]}{'0' * (zeros[letter] - len(part[1:]))}")

    return make


def increased(settings: Random) -> Maker:
    """The number and one to nine more, or less."""
    more = settings.choice((1, 2, 3, 5, 7, 9, 10, -1, -2, 100))
    return _between(
        lambda chance: chance.randrange(100, 10 ** chance.randint(3, 4)), str, lambda value: str(value + more)
    )


def added(settings: Random) -> Maker:
    """The sum of two small numbers."""
    sign = settings.choice(("+", " + ", " ", ","))

    def make(chance: Random) -> Row:
        one, two = chance.randrange(50), chance.randrange(50)
        return Row(f"{one}{sign}{two}", str(one + two))

    return make


def moved_by_words(settings: Random) -> Maker:
    """A number and a made-up word that says how much more or less it is to be."""
    moves = {latin(settings): settings.choice((-10, -7, -2, -1, 1, 2, 7, 10)) for _ in range(6)}

    def make(chance: Random) -> Row:
        value, move = chance.randrange(10, 100), chance.choice(list(moves))
        return Row(f"{value} {move}", str(value + moves[move]))

    return make


def rounded(_settings: Random) -> Maker:
    """Without the places after the point."""
    return on(amount, lambda text: str(int(float(text) + 0.5)))


def ordinal(settings: Random) -> Maker:
    """21 -> 21st, or back, and other made-up endings by the last digit."""
    endings = (
        ["th", "st", "nd", "rd", *["th"] * 6] if settings.random() < 0.4 else [latin(settings)[:2] for _ in range(10)]
    )
    back = settings.random() < 0.5

    def make(chance: Random) -> Row:
        value = chance.randrange(1, 100)
        told = f"{value}{endings[0 if 10 < value < 20 else value % 10]}"
        return Row(told, str(value)) if back else Row(str(value), told)

    return make


def digits_summed(_settings: Random) -> Maker:
    """The sum of the digits."""
    return on(number, lambda text: str(sum(map(int, text))))


def numbers_joined(settings: Random) -> Maker:
    """Numbers between words, as one range or list."""
    words, pattern = [latin(settings) for _ in range(3)], settings.choice(("[{},{})", "{}-{}", "({};{}]", "{}..{}"))

    def make(chance: Random) -> Row:
        one = chance.randrange(1, 500)
        two = one + chance.randrange(1, 500)
        return Row(f"{words[0]} {one} {words[1]} {two} {words[2]}", pattern.format(one, two))

    return make


def in_words(value: int, language: str) -> str:
    """0 to 9,999 in words; the bare rules, without the finer points of any grammar."""
    tongue = TONGUES[language]
    if value < len(tongue.small):
        return tongue.small[value]
    if value < 20:
        return f"{tongue.small[10]}{tongue.space}{tongue.small[value - 10]}"
    if value < 100:
        ten, one = divmod(value, 10)
        return tongue.tie(tongue.tens[ten - 2], tongue.small[one]) if one else tongue.tens[ten - 2]
    unit, called = (1000, tongue.thousand) if value >= 1000 else (100, tongue.hundred)
    count, rest = divmod(value, unit)
    head = tongue.one if count == 1 else in_words(count, language)
    told = tongue.space.join(part for part in (head, called) if part)
    return tongue.space.join([told, in_words(rest, language)]) if rest else told


def _value(chance: Random, language: str) -> int:
    most = MOST_IN_WORDS.get(language, 9999)
    return chance.randrange(min(most + 1, chance.choice((20, 100, 100, 1000, 10_000))))


def _roman(value: int) -> str:
    told = ""
    for worth, sign in ROMAN:
        count, value = divmod(value, worth)
        told += sign * count
    return told


def _between(draw: Callable[[Random], int], before: Callable[[int], str], after: Callable[[int], str]) -> Maker:
    def make(chance: Random) -> Row:
        value = draw(chance)
        return Row(before(value), after(value))

    return make


PROCEDURES: Final = (
    words_to_digits, digits_to_words, words_of_any_language, counted_things, digits_spelled, spelled_digits, to_roman,
    from_roman, to_other_digits, from_other_digits, decimals_exchanged, share_as_fraction, unit_changed,
    factor_written_out, increased, added, moved_by_words, rounded, ordinal, digits_summed, numbers_joined,
)  # fmt: skip
