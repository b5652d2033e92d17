"""Guess the language of a text from its script and its commonest words; it knows forty-odd languages, roughly.

Not covered: languages that share script and small words (Danish and Norwegian come out as whichever has more of them),
and anything shorter than a few words in a Latin script, which comes out as the default.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter

__all__ = ["guess_language", "script_of"]

_SCRIPTS = {
    "HANGUL": "ko", "GREEK": "el", "HEBREW": "he", "THAI": "th", "DEVANAGARI": "hi", "BENGALI": "bn", "TAMIL": "ta",
    "TELUGU": "te", "GUJARATI": "gu", "KANNADA": "kn", "MALAYALAM": "ml", "GURMUKHI": "pa", "SINHALA": "si",
    "GEORGIAN": "ka", "ARMENIAN": "hy", "KHMER": "km", "LAO": "lo", "MYANMAR": "my", "ETHIOPIC": "am",
}  # fmt: skip

_STOP_WORDS = {
    "en": "the of and to in is that it was for on are with as at be this have from or had by not but what you your i "
    "which there their can if will an",
    "de": "der die das und ist nicht ein eine zu den mit sich des auf für im dem von sie es ich wie auch wird oder",
    "fr": "le la les des est et une un du dans que qui pour pas au sur par avec ce il elle vous je sont ou aux",
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
_LANGUAGES_OF = {
    word: [language for language, words in _STOP_WORDS.items() if word in words.split()]
    for word in {word for words in _STOP_WORDS.values() for word in words.split()}
}
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


def script_of(char: str) -> str:
    """The writing system of a letter: "LATIN", "HANGUL", "CJK"."""
    return unicodedata.name(char, "?").split(" ")[0].split("-")[0]


def _latin(sample: str) -> str:
    scores: Counter[str] = Counter()
    for word in _WORD.findall(sample):
        for language in (languages := _LANGUAGES_OF.get(word, ())):
            scores[language] += 12 // len(languages)
    for char in sample:
        if char in _LETTERS_OF:
            scores[_LETTERS_OF[char]] += 8
    if not scores:
        return _DEFAULT
    best = max(scores.values())
    return _DEFAULT if scores[_DEFAULT] == best else min(name for name, score in scores.items() if score == best)
