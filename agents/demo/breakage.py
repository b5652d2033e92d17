"""How replies come out wrong in form: the slips of real teachers, as pure functions of a text and of chance."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from random import Random

__all__ = ["break_array", "break_label", "break_list", "break_rows", "refuse", "written_list"]

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
    return _cut(_lines(items), rng) if form is None else form(items)


def _cut(text: str, rng: Random) -> str:
    """Cut in the middle, as by a limit on the output that nobody noticed."""
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


def break_rows(items: Sequence[str], rng: Random) -> str:
    """The JSON objects in a form that is no JSON array, or not only one."""
    array = f"[{', '.join(items)}]"
    way = rng.randrange(4)
    if way == 0:
        return f"```json\n{array}\n```"
    if way == 1:
        return f"Here are the new rows:\n\n{array}"
    return "\n".join(items) if way == 2 else _cut(array, rng)


def break_list(items: Mapping[int, str], rng: Random) -> str:
    """The items under their numbers, in a form that is no list of one JSON string a line, or not only one."""
    form = rng.choice((*_LIST_FORMS, None))
    return _cut(written_list(items), rng) if form is None else form(items)


def written_list(items: Mapping[int, str]) -> str:
    """The items as they were asked for, one a line: the number and a JSON string."""
    return "\n".join(f"{number}. {json.dumps(item, ensure_ascii=False)}" for number, item in items.items())


def _bare(items: Mapping[int, str]) -> str:
    return "\n".join(f"{number}. {item}" for number, item in items.items())


def _bold(items: Mapping[int, str]) -> str:
    return "\n".join(f"**{number}.** {item}" for number, item in items.items())


def _without_numbers(items: Mapping[int, str]) -> str:
    return json.dumps(list(items.values()), ensure_ascii=False)


def _by_number(items: Mapping[int, str]) -> str:
    return json.dumps(items, ensure_ascii=False, indent=2)


def _list_with_prose(items: Mapping[int, str]) -> str:
    return f"Here are the answers:\n\n```\n{written_list(items)}\n```\nLet me know if you need more!"


_LIST_FORMS: tuple[Callable[[Mapping[int, str]], str], ...] = (
    _bare,
    _bold,
    _without_numbers,
    _by_number,
    _list_with_prose,
)
