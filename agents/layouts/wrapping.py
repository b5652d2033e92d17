"""What stands around a whole prompt, or around its sections, and says nothing: taken off before the prompt is read.

    <prompt> … </prompt>                   tags around all of it
    <examples> … </examples>               tags, each alone on its line, around examples that are not in tags themselves
    #+BEGIN_EXAMPLE … #+END_EXAMPLE        Org's marks around a block
"""

from __future__ import annotations

import re

from agents.layouts.words import EXAMPLE_WORDS, any_of

__all__ = ["unwrapped"]

_WHOLE = re.compile(
    r"\s*<(?P<name>prompt|prompts|system|system[_-]prompt|message|request|template|root|document)(?:[ \t][^<>\n]{0,80})?>"
    r"(?P<inside>.*)</(?P=name)>\s*",
    re.DOTALL | re.IGNORECASE,
)
_ORG = re.compile(r"^[ \t]*#\+(?:BEGIN|END)_(?:EXAMPLE|QUOTE|VERSE)[^\n]{0,80}$", re.MULTILINE | re.IGNORECASE)
_SECTION = re.compile(
    rf"^[ \t]*<(?P<close>/?)(?P<name>(?:few[_-]?shot[_-]?)?(?:{any_of(EXAMPLE_WORDS)}|shots?))(?:[ \t_-]?\d{{1,3}})?>[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_FIELD_TAG = re.compile(r"</[^\W\d_][\w-]{0,30}>")


def unwrapped(text: str) -> str:
    """The prompt without tags around all of it and without marks around its sections."""
    while (whole := _WHOLE.fullmatch(text)) is not None and f"</{whole['name']}>" not in whole["inside"]:
        text = whole["inside"].strip("\n")
    return _without_sections(_without_org(text))


def _without_org(text: str) -> str:
    marks = _ORG.findall(text)
    return _ORG.sub("", text) if len(marks) > 1 else text


def _without_sections(text: str) -> str:
    """The same with an empty line in place of each section's tag; where examples are in tags, those are their layout."""
    marks = list(_SECTION.finditer(text))
    opened, closed = ({mark["name"].casefold() for mark in marks if bool(mark["close"]) is close} for close in (False, True))
    if not marks or opened != closed:
        return text
    others = _FIELD_TAG.findall(_SECTION.sub("", text))
    inside = text[marks[0].end() : marks[-1].start()]
    return text if any(tag in inside for tag in others) else _SECTION.sub("", text)
