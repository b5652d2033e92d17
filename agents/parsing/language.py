"""Guess the language of a text from its script and its commonest words; it knows forty-odd languages, roughly.

Not covered: languages that share script and small words (Danish and Norwegian come out as whichever has more of them),
and anything shorter than a few words in a Latin script, which comes out as the default.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache

__all__ = [
    "LANGUAGES",
    "answers_language",
    "guess_language",
    "inputs_language",
    "language_asked",
    "language_name",
    "may_be_the_same",
    "script_of",
]

_SCRIPTS = {
    "HANGUL": "ko", "GREEK": "el", "HEBREW": "he", "THAI": "th", "DEVANAGARI": "hi", "BENGALI": "bn", "TAMIL": "ta",
    "TELUGU": "te", "GUJARATI": "gu", "KANNADA": "kn", "MALAYALAM": "ml", "GURMUKHI": "pa", "SINHALA": "si",
    "GEORGIAN": "ka", "ARMENIAN": "hy", "KHMER": "km", "LAO": "lo", "MYANMAR": "my", "ETHIOPIC": "am",
}  # fmt: skip

_LANGUAGE_SCRIPTS = {
    **{language: script for script, language in _SCRIPTS.items()},
    "zh": "CJK", "ja": "KANA", "ru": "CYRILLIC", "uk": "CYRILLIC", "ar": "ARABIC", "fa": "ARABIC", "ur": "ARABIC",
}  # fmt: skip

_NEAR = tuple(map(frozenset, (("da", "no"), ("ru", "uk"), ("ar", "fa", "ur"), ("ja", "zh"))))
"""Languages that a short text may be taken for each other in."""

_STOP_WORDS = {
    "en": "the of and to in is that it was for on are with as at be this have from or had by not but what you your i "
    "which there their can if will an a s t me my we us our he she his her they them its give make write about into no "
    "do does did how when who why has had been was were given following list find",
    "de": "der die das und ist nicht ein eine zu den mit sich des auf für im dem von sie es ich wie auch wird oder "
    "mein meine",
    "fr": "le la les des est et une un du dans que qui pour pas au sur par avec ce il elle vous je sont ou aux "
    "de mon ma mes",
    "es": "el la los las de que y en un una es por con para no se del al lo su como más o si qué usted una mi está",
    "pt": "o a os as de que e em um uma é por com para não se do da no na ao dos das como mais ou você qual",
    "it": "il la le gli di che e in un una è per con non si del della dei al da come più o sono nel questo quale",
    "nl": "de het een en van is dat op te in niet met voor zijn aan er die om als ook naar door wordt of uit",
    "sv": "och att det som en på är av för den med till inte ett om har de jag från eller kan du vad",
    "fi": "ja on ei se että oli hän mutta joka kun tai ovat tämä myös mitä voi sen jos kuin niin tässä sinulle",
    "da": "og at det er en af til på som med for den ikke der et har jeg fra eller kan de hvad blev",
    "no": "og i det er en av til på som med for den ikke et har jeg fra eller kan de hva ble",
    "pl": "i w na z do się nie to jest że jak za od po przez dla czy lub są być oraz",
    "cs": "a v na se je že s z do to i o jako pro by nebo jsou ale po které",
    "tr": "ve bir bu için ile da de çok daha olarak gibi ne var mı kadar sonra olan değil veya",
    "ro": "și de la în a cu pe nu este un o care să din mai că pentru sau sunt",
    "hu": "a az és hogy nem is egy ez meg van vagy de mint volt csak",
    "id": "yang dan di itu dengan untuk tidak ini dari dalam akan pada juga ke adalah atau saya",
    "vi": "và của là có không cho được trong một những người này với các để",
}


def _by_word(words_of: Mapping[str, str]) -> dict[str, list[str]]:
    """The languages of each word."""
    languages_of: dict[str, list[str]] = {}
    for language, words in words_of.items():
        for word in dict.fromkeys(words.split()):
            languages_of.setdefault(word, []).append(language)
    return languages_of


_LANGUAGES_OF = _by_word(_STOP_WORDS)
_LETTERS_OF = {
    char: language
    for language, chars in {
        "de": "ß", "es": "ñ¿", "pt": "ãõ", "pl": "ł", "cs": "řě", "tr": "ğı", "ro": "șț", "hu": "őű", "vi": "đơư",
        "da": "ø",
    }.items()
    for char in chars
}  # fmt: skip
_WORD = re.compile(r"[^\W\d_]+")
_MOST_LETTERS = 20_000
_DEFAULT = "en"
_MOST_TEXTS = 500  # inputs or answers looked at; more say the same
_LEAST_LETTERS = 8  # of an answer's language: names are in no language

_NAMES = {
    name: code
    for code, names in {
        "en": "english", "de": "german deutsch", "fr": "french français", "es": "spanish español castilian",
        "pt": "portuguese português", "it": "italian italiano", "nl": "dutch nederlands", "sv": "swedish",
        "fi": "finnish suomi",
        "da": "danish", "no": "norwegian", "pl": "polish", "cs": "czech", "tr": "turkish", "ro": "romanian",
        "hu": "hungarian", "id": "indonesian", "vi": "vietnamese", "ru": "russian", "uk": "ukrainian", "el": "greek",
        "he": "hebrew", "ar": "arabic", "fa": "persian farsi", "hi": "hindi", "bn": "bengali", "ta": "tamil",
        "te": "telugu", "th": "thai", "zh": "chinese mandarin", "ja": "japanese", "ko": "korean", "gu": "gujarati",
        "kn": "kannada", "ml": "malayalam", "pa": "punjabi panjabi", "ur": "urdu", "ka": "georgian", "hy": "armenian",
    }.items()
    for name in names.split()
}  # fmt: skip
LANGUAGES: Mapping[str, str] = {code: name.capitalize() for name, code in reversed(_NAMES.items())}
"""The English name of every language that is known here, by its code."""

_ANY_NAME = "|".join(_NAMES)
_TEXTS = (
    r"(?:texts?|strings?|sentences?|questions?|phrases?|words?|reviews?|tweets?|passages?|documents?|articles?|paragraphs?|"
    r"inputs?|poems?|messages?|quer(?:y|ies)|stackoverflow|comments?|names?|posts?|emails?|utterances?|headlines?)"
)
_TAKES = re.compile(
    rf"\bfrom (?:\w+ )?({_ANY_NAME})\b|(?<!to )(?<!into )(?<!in )\b({_ANY_NAME}) (?:\w+ )?{_TEXTS}\b|"
    rf"\b{_TEXTS} (?:that is |are |is )?(?:written )?in ({_ANY_NAME})\b",
    re.IGNORECASE,
)
_GIVES = re.compile(
    rf"\btranslat\w*\b[^.\n]{{0,80}}?\b(?:in)?to (?:\w+ )?({_ANY_NAME})\b|"
    rf"\b(?:answer|respond|reply|write|output|summari[sz]e)\b[^.\n]{{0,40}}? in ({_ANY_NAME})\b|\binto ({_ANY_NAME})\b",
    re.IGNORECASE,
)


def guess_language(text: str) -> str:
    """The ISO 639-1 code of the text's language; English where nothing shows another."""
    sample = text[:_MOST_LETTERS].casefold()
    letters = [char for char in sample if char.isalpha()]
    weights: Counter[str] = Counter()
    for char, count in Counter(letters).items():
        weights[script_of(char)] += count
    if not weights:
        return _DEFAULT
    script = max(sorted(weights), key=lambda name: weights[name])
    # A few kana among many ideographs make Japanese; ideographs weigh more than letters, one being half a word.
    if weights["HIRAGANA"] + weights["KATAKANA"] > 0.05 * len(letters):
        return "ja"
    if 2 * weights["CJK"] > weights["LATIN"] and weights["CJK"] >= weights[script] / 2:
        return "zh"
    if script == "CYRILLIC":
        return "uk" if any(char in sample for char in "іїєґ") else "ru"
    if script == "ARABIC":
        return "fa" if any(char in sample for char in "پچژگی") and "ي" not in sample else "ar"
    return _SCRIPTS.get(script) or _latin(sample)


def may_be_the_same(one: str, other: str) -> bool:
    """Whether texts that were guessed to be in these two languages may be in one of them."""
    return one == other or any({one, other} <= near for near in _NEAR)


def script_of(char: str) -> str:
    """The writing system of a letter: "LATIN", "HANGUL", "CJK"."""
    return unicodedata.name(char, "?").split(" ")[0].split("-")[0]


def _latin(sample: str) -> str:
    return min(_likeliest(_scores(sample)))


def _scores(sample: str) -> Counter[str]:
    """How much speaks for each language in a text in Latin letters."""
    scores: Counter[str] = Counter()
    for word in _WORD.findall(sample):
        for language in (languages := _LANGUAGES_OF.get(word, ())):
            scores[language] += 12 // len(languages)
    for char in sample:
        if char in _LETTERS_OF:
            scores[_LETTERS_OF[char]] += 8
    return scores


def _likeliest(scores: Mapping[str, int]) -> frozenset[str]:
    """The languages for which most speaks; English where nothing speaks for another."""
    best = max(scores.values(), default=0)
    found = frozenset(name for name, score in scores.items() if score == best)
    return frozenset({_DEFAULT}) if not found or _DEFAULT in found else found


def language_name(code: str) -> str:
    """What a language is called in a request; one that is not known here by its code."""
    return LANGUAGES.get(code, f"the language with the code {code!r}")


@lru_cache(maxsize=64)
def language_asked(language: str, *, instruction: str) -> str | None:
    """The name of the language that inputs are asked in; None where an English instruction leaves no doubt."""
    plainly = language == _DEFAULT and guess_language(instruction) == _DEFAULT
    return None if plainly else language_name(language)


def inputs_language(instruction: str, inputs: Sequence[str]) -> str:
    """The language of the inputs: guessed from them, or else named or spoken by the instruction.

    Where as much of short inputs speaks for several languages, it is the one of them that the instruction speaks.
    """
    text, told = "\n".join(inputs[:_MOST_TEXTS]), _without_places(instruction)
    spoken = guess_language(text)
    if _script_of_language(spoken) != "LATIN":
        return spoken
    if scores := _scores(text[:_MOST_LETTERS].casefold()):
        of_told = _scores(told.casefold())
        return min(_likeliest(scores), key=lambda language: (-of_told[language], language))
    found = _named(_TAKES, instruction) or guess_language(told)
    return found if not any(map(str.isalpha, text)) or _may_be(found, spoken) else spoken


def answers_language(instruction: str, outputs: Sequence[str], *, inputs: str, is_text: bool) -> str | None:
    """The language of the answers where it is another than the inputs'; None where it is the same or cannot be told.

    Words of one script are too few in an answer to tell languages apart: then the instruction must name it.
    """
    if not is_text:
        return None
    text = "\n".join(outputs[:_MOST_TEXTS])
    spoken = guess_language(text) if sum(map(str.isalpha, text[:_MOST_LETTERS])) >= _LEAST_LETTERS else None
    other_script = spoken is not None and _script_of_language(spoken) != _script_of_language(inputs)
    named = _named(_GIVES, instruction)
    if outputs and spoken is not None and named is not None and named != spoken and not _may_be(named, spoken):
        named = None
    found = spoken if other_script else named
    return found if found != inputs else None


def _may_be(named: str, spoken: str) -> bool:
    """Whether a text that was guessed to be in one language may be in the other: only scripts tell for certain."""
    return _script_of_language(named) == _script_of_language(spoken)


def _script_of_language(language: str) -> str:
    return _LANGUAGE_SCRIPTS.get(language, "LATIN")


def _named(pattern: re.Pattern[str], instruction: str) -> str | None:
    match = pattern.search(instruction[:_MOST_LETTERS])
    return _NAMES[next(group for group in match.groups() if group).casefold()] if match else None


def _without_places(text: str) -> str:
    return re.sub(r"\{\{[^{}]*\}\}|\{%[^{}]*%\}|\{\w*\}", " ", text[: 2 * _MOST_LETTERS])
