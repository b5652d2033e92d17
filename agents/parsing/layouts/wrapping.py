"""What stands around a whole prompt, or around its sections, and says nothing: taken off before the prompt is read.

<prompt> … </prompt>                   tags around all of it
<examples> … </examples>               tags, each alone on its line, around examples that are not in tags themselves
#+BEGIN_EXAMPLE … #+END_EXAMPLE        Org's marks around a block
"""

from __future__ import annotations

import html
import re

from agents.parsing.layouts.words import EXAMPLE_WORDS, any_of

__all__ = ["rewritten", "unwrapped"]

_WHOLE = re.compile(
    r"\s*<(?P<name>prompts?|system|system[_-]prompt|message|request|template|root|document)(?:[ \t][^<>\n]{0,80})?>"
    r"(?P<inside>.*)</(?P=name)>\s*",
    re.DOTALL | re.IGNORECASE,
)
_ORG = re.compile(r"^[ \t]*#\+(?:BEGIN|END)_(?:EXAMPLE|QUOTE|VERSE)[^\n]{0,80}$", re.MULTILINE | re.IGNORECASE)
_SECTION = re.compile(
    rf"^[ \t]*<(?P<close>/?)(?P<name>(?:few[_-]?shot[_-]?)?(?:{any_of(EXAMPLE_WORDS)}|shots?))"
    r"(?:[ \t_-]?\d{1,3})?>[ \t]*$",
    re.MULTILINE | re.IGNORECASE,
)
_FIELD_TAG = re.compile(r"</[^\W\d_][\w-]{0,30}>|<[^\W\d_][^<>\n]{0,400}/>")
# What is repeated stops where the same begins anew, so that a text of openings alone costs no square of its length.
_RAW = re.compile(r"<!\[CDATA\[((?:(?!<!\[CDATA\[|\]\]>).)*+)\]\]>", re.DOTALL)
_FIELD = re.compile(r"^:(?P<name>[^\W\d_][\w ]{0,30}):(?=[ \t])", re.MULTILINE)
_JIRA = re.compile(r"^\|\|(?P<names>[^\n]{1,2000}?)\|\|[ \t]*$", re.MULTILINE)
_DOCTEST = re.compile(r"^>>>[ \t](?P<asked>[^\n]+)\n(?!>>>|\.\.\.)(?P<told>[^\n]+)$", re.MULTILINE)
_TABLE = re.compile(r"<table\b[^<>]{0,200}>(?P<rows>(?:(?!</?table\b).)++)</table>", re.DOTALL | re.IGNORECASE)
_ROW = re.compile(r"<tr\b[^<>]{0,200}>((?:(?!</?tr\b).)++)</tr>", re.DOTALL | re.IGNORECASE)
_CELL = re.compile(r"<t[dh]\b[^<>]{0,200}>((?:(?!</?t[dh]\b).)*+)</t[dh]>", re.DOTALL | re.IGNORECASE)
_INNER_TAG = re.compile(r"</?[A-Za-z][^<>]{0,200}>")


def unwrapped(text: str) -> str:
    """The prompt without tags around all of it and without marks around its sections."""
    while (whole := _WHOLE.fullmatch(text)) is not None and f"</{whole['name']}>" not in whole["inside"]:
        text = whole["inside"].strip("\n")
    return _without_sections(_without_org(text))


def _without_org(text: str) -> str:
    marks = _ORG.findall(text)
    return _ORG.sub("", text) if len(marks) > 1 else text


def _without_sections(text: str) -> str:
    """The same with an empty line in place of a section's tag; tags that examples are in are their layout, and stay."""
    marks = list(_SECTION.finditer(text))
    opened = {mark["name"].casefold() for mark in marks if not mark["close"]}
    closed = {mark["name"].casefold() for mark in marks if mark["close"]}
    if not marks or opened != closed:
        return text
    others = _FIELD_TAG.findall(_SECTION.sub("", text))
    inside = text[marks[0].end() : marks[-1].start()]
    return text if any(tag in inside for tag in others) else _SECTION.sub("", text)


def rewritten(text: str) -> str:
    """The same in layouts that are read, where it is in others: tables of HTML and Jira, field lists, doctests, CDATA.

    Only for a text in which nothing was found: in another, such a table is what somebody asks about.
    """
    text = _FIELD.sub(lambda mark: f"{mark['name']}:", _RAW.sub(r"\1", text))
    if len(_DOCTEST.findall(text)) > 1:
        text = _DOCTEST.sub(r"Input: \g<asked>\nOutput: \g<told>", text)
    return _JIRA.sub(_as_header, _TABLE.sub(_as_rows, text))


def _as_header(line: re.Match[str]) -> str:
    names = line["names"].split("||")
    return f"| {' | '.join(names)} |\n" + "|---" * len(names) + "|"


def _as_rows(table: re.Match[str]) -> str:
    rows = [[_plain(cell) for cell in _CELL.findall(row)] for row in _ROW.findall(table["rows"])]
    if len(rows) < 2 or len(rows[0]) < 2 or len({len(row) for row in rows}) > 1:
        return table[0]
    lines = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join(["", lines[0], "|---" * len(rows[0]) + "|", *lines[1:], ""])


def _plain(cell: str) -> str:
    return " ".join(html.unescape(_INNER_TAG.sub(" ", cell)).split()).replace("|", "\\|")
