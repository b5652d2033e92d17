"""The language that rows are held to, and whether a text is in another one. Pure; in doubt it says nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.parsing.language import guess_language, may_be_the_same
from agents.records import Spec

__all__ = ["answer_language", "foreign", "input_language"]

# Characters from which on the language of a text is guessed. A script tells at once; in the Latin one a few small
# words do, and in shorter texts those of another language may happen to stand.
LEAST_LETTERS, LEAST_LATIN = 20, 200
MOST_READ = 20_000  # characters
MOST_TEXTS = 500  # demonstrations looked at; more say the same

# The share of demonstrations that must seem to be in a language before others may be held to it: one in ten may be a
# name or a number, which is in none. A task about languages shows several.
MOSTLY_SPOKEN = 0.8

# Where nothing is shown, inputs may be in any language if the instruction speaks of languages.
OF_LANGUAGES = re.compile(
    r"languag|translat|lingu|sprach|langue|idioma|язык|перев[её]|语言|翻译|言語|翻訳|언어|번역",
    re.IGNORECASE,
)


def input_language(spec: Spec) -> str | None:
    """The language that inputs are held to; None for any."""
    if spec.demonstrations:
        return spec.language if _is_spoken(spec.language, [pair.input for pair in spec.demonstrations]) else None
    return None if OF_LANGUAGES.search(spec.instruction[:MOST_READ]) else spec.language


def answer_language(spec: Spec) -> str | None:
    """The language that answers are held to where they are any text; None for any."""
    if spec.labels or spec.form != "text" or not spec.demonstrations:
        return None
    language = spec.output_language or spec.language
    return language if _is_spoken(language, [pair.output for pair in spec.demonstrations]) else None


def _is_spoken(language: str, texts: Sequence[str]) -> bool:
    sample = texts[:MOST_TEXTS]
    return sum(guess_language(text) == language for text in sample) >= MOSTLY_SPOKEN * len(sample)


def foreign(text: str, language: str | None) -> str | None:
    """In which other language than this a text is, in words; None where it is not, or is too short to tell."""
    letters = [one for one in text[:MOST_READ] if one.isalpha()]
    is_latin = 2 * sum(one < "\u0250" for one in letters) >= len(letters)
    if language is None or len(text) < (LEAST_LATIN if is_latin else LEAST_LETTERS):
        return None
    # Single letters are words of some languages and symbols in all.
    words = [word for word in text[:MOST_READ].split() if len(word) > 1]
    halves = {guess_language(" ".join(half)) for half in (words[: len(words) // 2], words[len(words) // 2 :])}
    if len(halves) > 1 or may_be_the_same(language, spoken := halves.pop()):
        return None
    return f"in {spoken}, the task is in {language}"
