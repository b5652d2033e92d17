"""Demonstrations as data: JSON objects, JSON lines, chat messages, XML-like tags, Markdown tables."""

from __future__ import annotations

import html
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeGuard

from agents.parsing.layouts.columns import columns_of, joined, unnamed
from agents.parsing.layouts.found import Found
from agents.parsing.layouts.markers import stem
from agents.parsing.layouts.words import (
    ASIDE_NAMES,
    EXAMPLE_WORDS,
    INPUT_NAMES,
    INSTRUCTION_NAMES,
    OUTPUT_NAMES,
    REASONING_NAMES,
)
from agents.records import Pair

__all__ = [
    "LEAF",
    "find_attributes",
    "find_json",
    "find_table",
    "find_tags",
    "pair_of",
    "pairs_in",
    "values_in",
    "with_sections",
]

_JSON_START = re.compile(r"^[ \t]{0,12}(?:[-*•][ \t]+|\d{1,3}[.)][ \t]+)?(?=[\[{])", re.MULTILINE)
_MOST_FAILURES = 60  # a hostile text may begin JSON on every line and never end it
_TAG = re.compile(r"<(?P<name>[^\W\d_][\w\-]{0,30})(?:[ \t]+[^<>\n]{0,80})?>")
_ATTRIBUTE = re.compile(r"([^\W\d_][\w\-]{0,30})[ \t]*=[ \t]*([\"'])(.*?)\2", re.DOTALL)
_ATTRIBUTED = re.compile(
    r"<[^\W\d_][\w\-]{0,30}(?:\s{1,8}[^\W\d_][\w\-]{0,30}[ \t]?=[ \t]?(?:\"[^\"<]*\"|'[^'<]*')){2,8}\s{0,4}/?>"
    r"(?:\s{0,4}</\w{1,30}>)?"
)
LEAF = re.compile(r"<(?P<name>[^\W\d_][\w-]{0,30})>(?P<inner>(?:[^<>]|<(?![A-Za-z_/!?])){1,4000})</(?P=name)>")
_NO_FIELDS = ASIDE_NAMES | REASONING_NAMES | INSTRUCTION_NAMES
_SECTION = re.compile(r"[ \t\n]*</?[\w\-]{1,30}(?:[ \t]+[^<>\n]{0,80})?>[ \t\n]*")
_RULE = re.compile(r"[ \t]*\|?[ \t]*:?-{1,80}:?[ \t]*(?:\|[ \t]*:?-{1,80}:?[ \t]*)*\|?[ \t]*")
_CELL = re.compile(r"(?<!\\)\|")


def find_json(text: str) -> Found | None:
    """Demonstrations written as JSON: one object a line, an array, or a whole prompt in one object."""
    pairs: list[Pair] = []
    begin, end, instruction = 0, 0, None
    for start, stop, value in values_in(text):
        found = list(pairs_in(value))
        if not found:
            continue
        if not pairs:
            begin = start
            instruction = None if text[:start].strip() else _instruction_in(value)
        pairs.extend(found)
        end = stop
    if not pairs:
        return None
    return Found(layout="json", pairs=tuple(pairs), start=begin, end=end, certainty=1.0, instruction=instruction)


def values_in(text: str) -> Iterator[tuple[int, int, object]]:
    """Every JSON value that begins a line, with where it begins and ends."""
    decoder = json.JSONDecoder()
    failures, end = 0, 0
    for match in _JSON_START.finditer(text):
        if match.start() < end:
            continue
        try:
            value, end = decoder.raw_decode(text, match.end())
        except (ValueError, RecursionError):
            failures += 1
            if failures > _MOST_FAILURES:
                return
            continue
        yield match.start(), end, value


def pairs_in(value: object, *, loose: bool = False) -> Iterator[Pair]:
    """The pairs in a decoded value, at most two levels down. `loose`: a list of two texts alone is one, too."""
    if loose and _is_two_texts(value):
        yield Pair(*value)
    elif isinstance(value, list):
        yield from _pairs_of_messages(value) or _pairs_of_items(value)
    elif isinstance(value, dict):
        if (pair := pair_of(value)) is not None:
            yield pair
            return
        for name, inner in value.items():
            if isinstance(inner, list) and (stem(str(name)) in EXAMPLE_WORDS or str(name).casefold() in _LISTS):
                yield from pairs_in(inner)


def _pairs_of_items(items: Sequence[object]) -> Iterator[Pair]:
    for item in items:
        if isinstance(item, dict):
            yield from pairs_in(item)
        elif _is_two_texts(item):
            yield Pair(*item)


def _is_two_texts(value: object) -> TypeGuard[list[str]]:
    return isinstance(value, list) and len(value) == 2 and all(isinstance(part, str) for part in value)


_LISTS = frozenset(
    {"messages", "data", "rows", "few_shot", "fewshot", "shots", "demos", "pairs", "conversation", "turns"}
)


def pair_of(row: Mapping[str, object]) -> Pair | None:
    """The row's input and output by the names of its fields; None unless both are there.

    An input of several fields keeps their names ("Premise: …"), unless one of them is called the input.
    """
    names = [str(name) for name in row if row[name] not in (None, "")]
    columns = columns_of([stem(name) for name in names])
    if columns is None:
        return None
    given = [(names[at], _plain(row[names[at]])) for at in columns.inputs]
    return Pair(joined(given), _plain(row[names[columns.answer]]))


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _pairs_of_messages(items: Sequence[object]) -> list[Pair]:
    """Alternating user and assistant turns."""
    turns = [
        (str(item.get("role", item.get("from", ""))), item.get("content", item.get("value")))
        for item in items
        if isinstance(item, dict)
    ]
    pairs = []
    for (role, given), (next_role, answer) in pairwise(turns):
        if (
            role in {"user", "human"}
            and next_role in {"assistant", "gpt"}
            and isinstance(given, str)
            and isinstance(answer, str)
        ):
            pairs.append(Pair(given, answer))
    return pairs


def _instruction_in(value: object) -> str | None:
    if isinstance(value, list):
        system = [item for item in value if isinstance(item, dict) and item.get("role") in {"system", "developer"}]
        content = system[0].get("content") if system else None
        return content.strip() if isinstance(content, str) else None
    if not isinstance(value, dict):
        return None
    for name, inner in value.items():
        if isinstance(inner, str) and stem(str(name)) in INSTRUCTION_NAMES:
            return inner.strip()
    return next(
        (found for inner in value.values() if isinstance(inner, list) and (found := _instruction_in(inner))), None
    )


@dataclass(frozen=True, slots=True)
class _Tag:
    """A field's tag with what stands in it."""

    name: str
    start: int
    inner: str
    end: int


def find_tags(text: str) -> Found | None:
    """Demonstrations in tags: `<example><input>…</input><output>…</output></example>`."""
    examples = list(_tagged_examples(_tagged(text)))
    if not examples:
        return None
    # What only some have above their input is no part of it: a context for all of them, or the prompt around them.
    parts = min(len(inputs) for inputs, _ in examples)
    pairs = tuple(
        Pair(joined([(tag.name, tag.inner) for tag in inputs[-parts:]]), output.inner) for inputs, output in examples
    )
    begin, end = examples[0][0][-parts].start, examples[-1][1].end
    begin, end = with_sections(text, begin, end)
    names = (examples[0][0][-1].name, examples[0][1].name)
    return Found(layout="tags", pairs=pairs, start=begin, end=end, certainty=1.0, names=names)


def _tagged_examples(tags: Iterable[_Tag]) -> Iterator[tuple[list[_Tag], _Tag]]:
    """The inputs' tags in a row, and the output's that follows; of all examples the output has the same name."""
    inputs: list[_Tag] = []
    answer: str | None = None
    for tag in tags:
        is_answer = stem(tag.name) in OUTPUT_NAMES and inputs and tag.name not in {given.name for given in inputs}
        if not tag.inner.strip():
            inputs = []
        elif is_answer and answer in (None, tag.name):
            answer = tag.name
            yield inputs, tag
            inputs = []
        elif stem(tag.name) not in OUTPUT_NAMES - INPUT_NAMES and tag.name != answer:
            inputs.append(tag)


def find_attributes(text: str) -> Found | None:
    """Demonstrations in one tag each: `<example input="…" output="…"/>`."""
    pairs: list[Pair] = []
    begin, end = 0, 0
    for match in _ATTRIBUTED.finditer(text):
        row = {name: html.unescape(value) for name, _, value in _ATTRIBUTE.findall(match[0])}
        pair = pair_of(row)
        if pair is None:
            continue
        begin = begin if pairs else match.start()
        pairs.append(pair)
        end = match.end()
    if not pairs:
        return None
    begin, end = with_sections(text, begin, end)
    return Found(layout="attributes", pairs=tuple(pairs), start=begin, end=end, certainty=1.0)


def _tagged(text: str) -> Iterator[_Tag]:
    """Every field's tag; sections such as `<example>` are looked into. An unknown name is a field's if it recurs."""
    leaves = Counter(leaf["name"] for leaf in LEAF.finditer(text))
    position = 0
    missing: set[str] = set()
    while (match := _TAG.search(text, position)) is not None:
        position = match.end()
        name = match["name"].casefold()
        if stem(name) in EXAMPLE_WORDS or name in missing:
            continue
        if stem(name) not in INPUT_NAMES | OUTPUT_NAMES:
            leaf = LEAF.match(text, match.start())
            if leaf and leaves[leaf["name"]] > 1 and stem(name) not in _NO_FIELDS:
                position = leaf.end()
                yield _Tag(name, leaf.start(), leaf["inner"].strip(), position)
            continue
        stop = text.find(f"</{match['name']}>", match.end())
        if stop < 0:
            missing.add(name)  # never look for it again: a text full of open tags must not cost its square
            continue
        position = stop + len(name) + 3
        yield _Tag(name, match.start(), _without_margins(text[match.end() : stop]), position)


def _without_margins(content: str) -> str:
    return content.strip("\n").strip() if "\n" in content else content


def with_sections(text: str, begin: int, end: int) -> tuple[int, int]:
    """The region with the tags around it that hold nothing else (`<examples>`, `<example>`)."""
    while (start := text.rfind("<", 0, begin)) >= 0:
        match = _SECTION.fullmatch(text, start, begin)
        if match is None or not _is_example_tag(text[start:begin]):
            break
        begin = start
    while (match := _SECTION.match(text, end)) is not None and _is_example_tag(match[0]):
        end = match.end()
    return begin, end


def _is_example_tag(tag: str) -> bool:
    name = re.sub(r"[\s<>/]+", " ", tag).split()
    return bool(name) and stem(re.sub(r"[_\-]", " ", name[0])) in EXAMPLE_WORDS | {
        "shot",
        "shots",
        "few shot examples",
        "item",
        "pair",
    }


def find_table(text: str) -> Found | None:
    """Demonstrations as the rows of a Markdown table of an input and an output column."""
    lines = text.split("\n")
    offset = 0
    best: Found | None = None
    for number, line in enumerate(lines):
        start = offset
        offset += len(line) + 1
        if (
            number + 1 >= len(lines)
            or "|" not in line
            or len(lines[number + 1]) > 2000
            or not _RULE.fullmatch(lines[number + 1])
        ):
            continue
        found = _table(lines, number, start=start)
        if found is not None and (best is None or len(found.pairs) > len(best.pairs)):
            best = found
    return best


def _table(lines: Sequence[str], header: int, *, start: int) -> Found | None:
    header_names = [name.strip("*_` ") for name in _cells(lines[header])]
    names = [stem(name) for name in header_names]
    columns = columns_of(names) or unnamed(names)
    if columns is None:
        return None
    pairs = []
    end = start + len(lines[header]) + 1 + len(lines[header + 1])
    for line in lines[header + 2 :]:
        cells = _cells(line)
        if "|" not in line or len(cells) != len(names):
            break
        pairs.append(columns.pair(list(map(_unescape, cells)), header=header_names))
        end += 1 + len(line)
    full = tuple(pair for pair in pairs if pair.input and pair.output)
    if not full:
        return None
    return Found(
        layout="table", pairs=full, start=start, end=end, certainty=1.0 if columns.is_known else 0.75,
        names=(names[columns.inputs[0]], names[columns.answer]),
    )  # fmt: skip


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in _CELL.split(line.strip().removeprefix("|").removesuffix("|"))]


def _unescape(cell: str) -> str:
    return cell.replace("\\|", "|")
