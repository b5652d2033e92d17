"""What the procedures work on: words, sentences, numbers and codes of chance, in many scripts. No real text at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final, NamedTuple

from engine.training.student import Row

__all__ = [
    "Maker",
    "Material",
    "amount",
    "code",
    "field",
    "latin",
    "name",
    "nothing",
    "number",
    "on",
    "phrase",
    "sentence",
    "separator",
    "size",
    "word",
    "words",
]

Maker = Callable[[Random], Row]
"""A task: a procedure whose settings are drawn, ready to make example after example."""

Material = Callable[[Random], str]


class Script(NamedTuple):
    """How words of a script are put together: syllables of an onset, a nucleus and perhaps a coda."""

    onsets: Sequence[str]
    nuclei: Sequence[str]
    codas: Sequence[str] = ("",)
    most_syllables: int = 3


LATIN: Final = Script(
    [*"bcdfghjklmnprstvwz", "ch", "sh", "th", "st", "tr", "br", "pl", "gr", "qu", ""],
    [*"aeiouaeiouy", "ai", "ea", "ee", "oo", "ou"],
    ["", "", "", *"nrstlmdx", "ck", "ng", "st", "nt"],
)
SCRIPTS: Final = (
    Script(list("bdfgklmnprstvçñšžł"), list("aeiouéöüåą"), ["", "", "n", "r", "ß"]),
    Script(list("бвгджзклмнпрстфхцчшщ"), list("аеиоуыюяё"), ["", "", "н", "р", "ть", "й"]),
    Script(list("βγδζθκλμνξπρστφχψ"), list("αεηιουωάέή"), ["", "", "ς", "ν"]),
    Script(list("ابتثجحخدذرزسشصضطعغفقكلمنهوي"), ["", "", "ا", "و", "ي"], most_syllables=4),
    Script(list("אבגדהוזחטיכלמנסעפצקרשת"), ["", "", "ו", "י"], most_syllables=4),
    Script(list("कखगचजटडतदनपबमयरलवसह"), ["", "ा", "ि", "ी", "ु", "े", "ो"]),
    Script(list("กขคงจชดตทนบปพมยรลวสห"), ["ะ", "า", "ี", "ู", "อ"], ["", "", "น", "ง", "ก"], 2),
    Script(list("가나다라마바사아자차카하고노도로모보소오조우구수시지기리미"), ["", "", "은", "이"], most_syllables=2),
    Script(list("かきくけこさしすせそたちつてとなにのはひまみもやゆよらりるれろわ"), ["", "", "ん", "い"]),
    Script(list("アイウエオカキクケコサシスセタチテトナニノハマミムラリルレロワ"), ["", "", "ン", "ー"]),
    Script(list("一二三人大小中上下山水火木土日月年時分天地手目口心東西南北王玉石田町文"), [""], most_syllables=2),
)

LATIN_SHARE: Final = 0.7
LONG_SHARE: Final = 0.05
LONG_FACTOR: Final = 3

NOTHINGS: Final = ("N/A", "none", "-", "null", "?", "nothing", "NONE", "0", "n/a", "no match", "[]")
SEPARATORS: Final = (
    ",",
    ", ",
    ";",
    "; ",
    "|",
    " | ",
    "/",
    "-",
    "_",
    ":",
    " ",
    "\t",
    "\n",
    " - ",
    "&",
    "+",
    "~",
    " == ",
)


def size(chance: Random, low: int, high: int) -> int:
    """A number of words or fields from `low` to `high`; now and then three times as many, so that long inputs occur."""
    count = chance.randint(low, high)
    return count * LONG_FACTOR if chance.random() < LONG_SHARE else count


def word(chance: Random, script: Script = LATIN) -> str:
    """A word that means nothing, of one to three syllables."""
    choice = chance.choice
    syllables = chance.randint(1, script.most_syllables)
    return "".join(choice(script.onsets) + choice(script.nuclei) for _ in range(syllables)) + choice(script.codas)


def latin(chance: Random) -> str:
    """A word of plain lower-case letters."""
    return word(chance)


def script_of(chance: Random) -> Script:
    return LATIN if chance.random() < LATIN_SHARE else chance.choice(SCRIPTS)


def words(chance: Random, low: int = 2, high: int = 6) -> list[str]:
    """Words of one script, seven times of ten Latin; some begin with a capital, a few are numbers."""
    script = script_of(chance)
    return [_varied(chance, word(chance, script)) for _ in range(size(chance, low, high))]


def _varied(chance: Random, plain: str) -> str:
    luck = chance.random()
    if luck < 0.65:
        return plain
    if luck < 0.85:
        return plain.capitalize()
    return plain.upper() if luck < 0.9 else number(chance)


def phrase(chance: Random) -> str:
    """A few words with spaces between them."""
    return " ".join(words(chance))


def sentence(chance: Random) -> str:
    """Words with a capital in front, sometimes a comma within, and a mark at the end."""
    parts = words(chance, 3, 8)
    if chance.random() < 0.3:
        at = chance.randrange(len(parts))
        parts[at] += ","
    text = " ".join(parts)
    return text[0].upper() + text[1:] + chance.choice("....!?")


def name(chance: Random) -> str:
    """A word with a capital in front, long enough to be a name."""
    return (word(chance) + chance.choice(LATIN.onsets) + chance.choice("aeio")).capitalize()


def number(chance: Random) -> str:
    """Digits: of one to three places mostly, up to six."""
    return str(chance.randrange(10 ** chance.choice((1, 2, 2, 3, 3, 4, 6))))


def amount(chance: Random) -> str:
    """A number with two places after the point."""
    return f"{chance.randrange(10 ** chance.choice((1, 2, 3)))}.{chance.randrange(100):02}"


def code(chance: Random) -> str:
    """Letters and digits, as of an order or a part."""
    letters = "".join(chance.choice("ABCDEFGHKLMNPRSTXZ") for _ in range(chance.randint(1, 3)))
    return f"{letters}{chance.choice(('-', '', '/'))}{chance.randrange(10, 10_000)}"


def field(chance: Random) -> str:
    """What may stand in a cell: a word, two words, a number or a code; never one of the usual separators."""
    luck = chance.random()
    if luck < 0.45:
        return word(chance, script_of(chance))
    if luck < 0.65:
        return f"{name(chance)} {latin(chance)}"
    return number(chance) if luck < 0.85 else code(chance).replace("-", "").replace("/", "")


def separator(settings: Random) -> str:
    """What stands between fields."""
    return settings.choice(SEPARATORS)


def nothing(settings: Random) -> str:
    """How a task says that there is nothing to answer."""
    return settings.choice(NOTHINGS)


def on(material: Material, work: Callable[[str], str]) -> Maker:
    """The task of doing `work` on texts of that material."""

    def make(chance: Random) -> Row:
        text = material(chance)
        return Row(text, work(text))

    return make
