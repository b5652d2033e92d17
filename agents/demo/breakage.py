"""How replies come out wrong in form: the slips of real teachers, as pure functions of a text and of chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from random import Random

__all__ = ["break_array", "break_label", "refuse"]

_REFUSALS = (
    "I'm sorry, but I can't help with that.",
    "I'm sorry, but I cannot assist with this request.",
    "As an AI language model, I am unable to answer this.",
    "I apologize, but there is not enough information to answer.",
)


def refuse(rng: Random) -> str:
    """A polite no."""
    return rng.choice(_REFUSALS)


def break_label(label: str, rng: Random) -> str:
    """The label in a form that nobody asked for: in a sentence, in quotation marks, explained."""
    return rng.choice(_LABEL_FORMS).format(label)


_LABEL_FORMS = (
    "The answer is {}.",
    "Answer: {}",
    "Output: {}",
    '"{}"',
    "`{}`",
    "**{}**",
    "{}.",
    "{}\n\nExplanation: this is what the text says.",
    "Sure! The correct output is: {}",
)


def break_array(items: Sequence[str], rng: Random) -> str:
    """The items in a form that is no JSON array, or not only one."""
    form = rng.choice((*_ARRAY_FORMS, None))
    if form is not None:
        return form(items)
    # Cut in the middle, as by a limit on the output that nobody noticed.
    text = _lines(items)
    return text[: rng.randint(len(text) // 3, len(text) - 2)]


def _lines(items: Sequence[str]) -> str:
    """One item a line, as models lay arrays out."""
    return "[\n" + ",\n".join(f"  {json.dumps(item, ensure_ascii=False)}" for item in items) + "\n]"


def _trailing_comma(items: Sequence[str]) -> str:
    return _lines(items).replace("\n]", ",\n]")


def _fenced(items: Sequence[str]) -> str:
    return f"```json\n{_lines(items)}\n```"


def _with_prose(items: Sequence[str]) -> str:
    return f"Here are {len(items)} new inputs:\n\n{_lines(items)}\n\nLet me know if you need more!"


def _numbered(items: Sequence[str]) -> str:
    return "\n".join(f"{number}. {item}" for number, item in enumerate(items, start=1))


def _wrapped(items: Sequence[str]) -> str:
    return json.dumps({"inputs": list(items)}, ensure_ascii=False)


def _unescaped(items: Sequence[str]) -> str:
    """Python's way of writing a list: single quotation marks, which JSON does not know."""
    return repr(list(items))


_ARRAY_FORMS: tuple[Callable[[Sequence[str]], str], ...] = (
    _trailing_comma,
    _fenced,
    _with_prose,
    _numbered,
    _wrapped,
    _unescaped,
)
