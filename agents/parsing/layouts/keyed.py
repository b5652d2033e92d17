"""Demonstrations as a YAML list: `examples:` and then `- input: …` with `output: …`; block and quoted values are read.

It reads the part of YAML that people write prompts in. Whatever else the text holds, it leaves to the other layouts.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from textwrap import dedent

from agents.parsing.layouts.found import Found
from agents.parsing.layouts.markers import stem
from agents.parsing.layouts.structured import pair_of
from agents.parsing.layouts.words import EXAMPLE_WORDS, INSTRUCTION_NAMES

__all__ = ["find"]

_LIST = re.compile(r"^(?P<name>[^\W\d_][\w -]{0,30}):[ \t]*\n(?P<items>[ \t]*-[ \t])", re.MULTILINE)
_ENTRY = re.compile(r"(?P<name>[^\W\d_][\w -]{0,30}):(?:[ \t]+(?P<value>.*))?")
_BLOCK = re.compile(r"(?P<style>[|>])[+-]?[ \t]*")
_ITEM = re.compile(r"(?P<indent>[ \t]*)-[ \t]+")
_FLOW = re.compile(r"\{(?P<inner>[^{}\n]*)\}")
_FLOW_JOINT = re.compile(r",[ \t]*(?=[^\W\d_][\w -]{0,30}:[ \t])")
_BEYOND = ("[", "{", "&", "*", "!", "@", "%")  # flow lists, anchors and tags: more YAML than people write by hand


def find(text: str) -> Found | None:
    """The demonstrations of a YAML list, and the instruction where it is a key above them."""
    for match in _LIST.finditer(text):
        if stem(match["name"]) not in EXAMPLE_WORDS and match["name"].casefold() not in EXAMPLE_WORDS:
            continue
        end = _end_of_list(text, match.start("items"))
        rows = [_row(item) for item in _items(text[match.start("items") : end])]
        pairs = tuple(pair for row in rows if row and (pair := pair_of(row)))
        if pairs and len(pairs) == len(rows):
            instruction = None if text[end:].strip() else _instruction(text[: match.start()])
            return Found(
                layout="yaml", pairs=pairs, start=match.start(), end=end, certainty=1.0, instruction=instruction
            )
    return None


def _end_of_list(text: str, start: int) -> int:
    """Where the first line stands that is neither blank, nor indented, nor an item."""
    position = start
    while position < len(text):
        line_end = text.find("\n", position)
        line = text[position : len(text) if line_end < 0 else line_end]
        if line.strip() and not line.startswith((" ", "\t", "- ")):
            return position
        position += len(line) + 1
    return len(text)


def _items(block: str) -> list[str]:
    """The list's items, each as a block of its own without the dash."""
    first = _ITEM.match(block.lstrip("\n"))
    if first is None:
        return []
    items: list[list[str]] = []
    for line in block.split("\n"):
        item = _ITEM.match(line)
        if item and item["indent"] == first["indent"]:
            items.append([" " * item.end() + line[item.end() :]])
        elif items:
            items[-1].append(line)
    return [dedent("\n".join(lines)) for lines in items]


def _row(item: str) -> dict[str, str] | None:
    if (flow := _FLOW.fullmatch(item.strip())) is not None:
        entries = _entries(_FLOW_JOINT.sub("\n", flow["inner"].strip()))
        return None if entries is None else dict(entries)
    entries = _entries(item)
    return None if entries is None else dict(entries)


def _instruction(above: str) -> str | None:
    """The value of the only key above the list, if it is named like an instruction."""
    entries = _entries(above)
    if entries is None or len(entries) != 1 or entries[0][0].casefold() not in INSTRUCTION_NAMES:
        return None
    return entries[0][1].strip() or None


def _entries(block: str) -> list[tuple[str, str]] | None:
    """The keys of a block with their values; None when it is no such block."""
    raw: list[tuple[str, list[str]]] = []
    for line in block.split("\n"):
        entry = _ENTRY.fullmatch(line)
        if entry:
            raw.append((entry["name"], [entry["value"] or ""]))
        elif line.strip() and (not raw or not line.startswith((" ", "\t"))):
            return None
        elif raw:
            raw[-1][1].append(line)
    entries = [(name, value) for name, lines in raw if (value := _scalar(lines)) is not None]
    return entries if len(entries) == len(raw) else None


def _scalar(lines: Sequence[str]) -> str | None:
    """A value without what YAML puts around it; None for one that is no text."""
    first = lines[0].strip()
    if style := _BLOCK.fullmatch(first):
        body = dedent("\n".join(lines[1:])).strip("\n")
        return body if style["style"] == "|" else _folded(body.split("\n"))
    whole = _folded([first, *(line.strip() for line in lines[1:])])
    if whole.startswith(_BEYOND):
        return None
    if len(whole) > 1 and whole[0] == whole[-1] == "'":
        return whole[1:-1].replace("''", "'")
    if len(whole) > 1 and whole[0] == whole[-1] == '"':
        return _unescaped(whole)
    return whole


def _folded(lines: Sequence[str]) -> str:
    """Lines joined by blanks, and paragraphs by line ends."""
    paragraphs = "\n".join(line.rstrip() for line in lines).strip("\n").split("\n\n")
    return "\n".join(" ".join(paragraph.split("\n")) for paragraph in paragraphs).strip()


def _unescaped(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1]
