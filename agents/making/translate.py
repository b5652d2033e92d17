"""The instruction in another language, where a teacher follows that one better; labels, examples and inputs stay."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from agents.asks import Asks, coldest
from agents.filtering.filter import declines
from agents.parsing.language import guess_language, language_name
from agents.parsing.specs import write_spec
from agents.prompts import fill
from agents.records import Spec
from agents.voting.lists import quoted
from engine.errors import RequestFailed
from engine.events import Events, Noted
from engine.messages import Reply, Request

__all__ = ["Translated", "kept_words", "translate_instruction", "translated"]

TAG = "parse"  # it is about the prompt, and one question: not for a batch
MOST_TOKENS = 8192
MOST_TIMES = 6  # as long as the instruction in characters, or as short: what is more is no translation of it
MOST_KEPT = 200  # words that are named to the teacher, and held it to

_PLACE = re.compile(r"\{\{?\s*\w+\s*\}?\}")


class Translated(NamedTuple):
    """The spec with the translation, or as it was; then `problem` says why."""

    spec: Spec
    problem: str = ""


async def translated(asks: Asks, spec: Spec, language: str | None, path: Path, *, events: Events) -> Spec:
    """The spec with its instruction in another language for the requests, if that is wanted and can be had.

    The translation is written down with the spec, for reading and for editing; one that stands there is kept.
    """
    if language is None or spec.translation is not None or guess_language(spec.instruction) == language:
        return spec
    spec, problem = await translate_instruction(asks, spec, language)
    if problem:
        events.emit(Noted(f"the instruction stays as it is written, its translation cannot be used: {problem}"))
    else:
        write_spec(path, spec)
        events.emit(Noted(f"requests have the instruction in {language_name(language)}; {path} has the translation"))
    return spec


def kept_words(spec: Spec) -> tuple[str, ...]:
    """The words of an instruction that answers and inputs are made of: they must be the same in every language."""
    properties = (spec.output_schema or {}).get("properties")
    keys = tuple(properties) if isinstance(properties, dict) else ()
    nothing = () if spec.empty_answer is None else (spec.empty_answer,)
    words = (*spec.labels, *nothing, *spec.fields, *keys, *_PLACE.findall(spec.instruction))
    told = (word for word in dict.fromkeys(words) if word.strip() and _stands_in(word, spec.instruction))
    return tuple(told)[:MOST_KEPT]


def _stands_in(word: str, text: str) -> bool:
    """Whether the word stands there as a word: "no" does not in "not"."""
    return re.search(rf"(?<!\w){re.escape(word)}(?!\w)", text) is not None or (word in text and not word.isascii())


async def translate_instruction(asks: Asks, spec: Spec, language: str) -> Translated:
    """Ask the teacher once for the instruction in a language (its code), and check that nothing was lost.

    Raises what ends more than a request: the budget, a refused key. Whatever else goes wrong leaves the spec as it is.
    """
    kept = kept_words(spec)
    try:
        reply = await asks.ask(_request(asks, spec, language, kept))
    except RequestFailed as error:
        return Translated(spec, f"{type(error).__name__}: {error}")
    problem = next(_problems(reply, spec, kept), "")
    return Translated(spec, problem) if problem else Translated(replace(spec, translation=reply.text.strip()))


def _request(asks: Asks, spec: Spec, language: str, kept: tuple[str, ...]) -> Request:
    words = "\n".join(map(quoted, kept))
    prompt = fill(
        "translate",
        instruction=spec.instruction,
        language=language_name(language),
        kept="\n\n" + fill("translate_kept", words=words) + "\n" if kept else "",
    )
    room = min(MOST_TOKENS, 256 + 2 * len(spec.instruction.encode("utf-8", "surrogatepass")))
    return Request.user(prompt, max_tokens=room, temperature=coldest(asks, tag=TAG), tag=TAG)


def _problems(reply: Reply, spec: Spec, kept: tuple[str, ...]) -> Iterator[str]:
    """What speaks against a translation, in words for people."""
    text, instruction = reply.text.strip(), spec.instruction.strip()
    if reply.finish_reasons[0] == "length":
        yield "the answer was cut"
    if reply.finish_reasons[0] in ("refusal", "filtered") or (declines(text) and not declines(instruction)):
        yield "the teacher declined"
    if not text or text == instruction:
        yield "the teacher gave none"
    if not len(instruction) / MOST_TIMES <= len(text) <= len(instruction) * MOST_TIMES:
        yield "it is no translation by its length"
    if lost := [word for word in kept if not _stands_in(word, text)]:
        yield f"it has lost {lost[0]!r:.80}, which must stay as it is"
