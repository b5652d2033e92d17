"""Demonstrations as named fields: `Input: … Output: …`, `Q:/A:`, `### Input`, `**Text:**`, `input="…"`, any language.

Three cases, the surest first:
1. the two names are partners (input and output, question and answer, user and assistant);
2. the second name is one that answers have (label, summary, …) and the first one that inputs have;
3. the names are unknown, but the same ones repeat in the same order.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from agents.parsing.layouts.found import Found, unquote, unquote_all
from agents.parsing.layouts.markers import Marker, markers, stem, with_inline
from agents.parsing.layouts.tail import EMPTY_LINES, strip_value, tail_start
from agents.parsing.layouts.words import ASIDE_NAMES, INPUT_NAMES, OUTPUT_NAMES, PARTNERS, REASONING_NAMES
from agents.records import Pair

__all__ = ["find"]

_CLOSING_QUOTE = re.compile(r"[\"”“'’»`」』][ \t]*(?=\n[ \t]*\n|\s*\Z)")
_PLACEHOLDER = re.compile(r"\{\{[^{}]{0,200}\}\}|\{%[^{}]{0,200}%\}|\{\w{0,40}\}|\s|[|;]|\.\.\.|…|_{3,}")
_NESTED = re.compile(r"\s{0,3}[^\W\d_][\w ]{0,24}[ \t]?[:：]")

_REPEATED = frozenset({"instruction", "instructions"})  # fields that some prompts repeat above every example

_MOST_CANDIDATES = 40  # names looked at; a text has few field names, a hostile one has thousands

_Key = Callable[[Marker], str]


@dataclass(frozen=True, slots=True)
class _Names:
    """One way to read the markers: examples begin with `opening` and end with the value of `answer`."""

    opening: str
    answer: str
    key: _Key
    certainty: float


@dataclass(frozen=True, slots=True)
class _Block:
    """One example: its markers, and where the next one begins or the text ends."""

    opening: Marker
    answer: Marker
    stop: int
    inner: frozenset[str]  # the fields between the two
    rivals: int  # how many markers could have been the answer


def find(text: str) -> Found | None:
    """The demonstrations written as named fields, in the reading that explains most of them."""
    marks = markers(text)
    readings = [
        reading
        for candidates, names in (*_partner_names(text, marks), *_repeating_names(text, marks))
        if (reading := _read(text, candidates, names=names))
    ]
    return max(readings, key=lambda reading: (len(reading.pairs), reading.certainty, -reading.start), default=None)


def _stem_of(mark: Marker) -> str:
    return mark.stem


def _name_of(mark: Marker) -> str:
    return mark.name


def _partner_names(text: str, marks: Sequence[Marker]) -> Iterator[tuple[Sequence[Marker], _Names]]:
    stems = {mark.stem for mark in marks}
    for inputs, outputs in PARTNERS:
        for opening in sorted(inputs & stems):
            candidates = marks
            answers = (outputs & stems) - {opening}
            if not answers:
                candidates = with_inline(text, marks, opening=opening, outputs=outputs)
                answers = (outputs & {mark.stem for mark in candidates}) - {opening}
            for answer in sorted(answers):
                yield candidates, _Names(opening, answer, _stem_of, 1.0)


def _repeating_names(text: str, marks: Sequence[Marker]) -> Iterator[tuple[Sequence[Marker], _Names]]:
    for key in (_name_of, _stem_of):
        counts = Counter(key(mark) for mark in marks)
        names = [name for name, count in counts.most_common() if count > 1 or stem(name) in OUTPUT_NAMES]
        for answer in names[:_MOST_CANDIDATES]:
            if answer in ASIDE_NAMES or answer in REASONING_NAMES:
                continue
            opening = _opening_of(text, marks, answer=answer, key=key)
            if opening is not None and (certainty := _trust(opening, answer, counts[answer])):
                yield marks, _Names(opening, answer, key, certainty)


def _trust(opening: str, answer: str, count: int) -> float:
    """How sure a reading by unproven names is; one example with unknown names is not worth a reading."""
    known = (stem(opening) in INPUT_NAMES) + (stem(answer) in OUTPUT_NAMES)
    if count == 1:
        return 0.9 if known == 2 else 0.0
    if stem(answer) in INPUT_NAMES - OUTPUT_NAMES:
        return 0.6  # more likely a part of the input, and the answer is marked in some other way
    return (0.75, 0.85, 0.95)[known]


def _opening_of(text: str, marks: Sequence[Marker], *, answer: str, key: _Key) -> str | None:
    """The name that begins each example whose answer is called `answer`; None when there is none."""
    groups = _groups(marks, answer=answer, key=key)
    if len(groups) == 2:
        return _opening_of_one(text, groups[0], key=key)
    inner = [[key(mark) for mark in group] for group in groups[:-1]]
    common = set(inner[0]).intersection(*inner[1:])
    opening = next((name for name in inner[1] if name in common), None)
    if opening is None or _recurs_after_answer(groups, opening=opening, key=key):
        return None
    return opening


def _groups(marks: Sequence[Marker], *, answer: str, key: _Key) -> list[list[Marker]]:
    """The markers before the first answer, between the answers, and after the last."""
    groups: list[list[Marker]] = [[]]
    for mark in marks:
        if key(mark) == answer:
            groups.append([])
        else:
            groups[-1].append(mark)
    return groups


def _opening_of_one(text: str, before: Sequence[Marker], *, key: _Key) -> str | None:
    """With a single example, its fields are those right above the answer with no empty line between."""
    opening: Marker | None = None
    for mark in reversed(before):
        if opening is not None and EMPTY_LINES.search(text, mark.start, opening.start):
            break
        opening = mark
    return key(opening) if opening is not None else None


def _recurs_after_answer(groups: Sequence[Sequence[Marker]], *, opening: str, key: _Key) -> bool:
    """Whether another field follows every answer: then this one is not the last, and so not the answer."""
    following = []
    for group in groups[1:]:
        names = [key(mark) for mark in group]
        following.append(set(names[: names.index(opening)] if opening in names else names))
    return bool(set.intersection(*following) - ASIDE_NAMES)


def _read(text: str, marks: Sequence[Marker], *, names: _Names) -> Found | None:
    """Read the text as examples that begin and end with these names."""
    opening = _outermost(marks, names=names)
    blocks, dangling = _blocks(text, marks, opening=opening, answer=names.answer, key=names.key)
    if not blocks:
        return None
    end = _end_of_last(text, blocks, dangling=dangling)
    pairs = _pairs(text, marks, blocks, end=end, keep_names=_keeps_names(text, blocks, opening=opening, names=names))
    full = tuple(pair for pair in pairs if _is_filled(pair.input) and _is_filled(pair.output))
    if not full:
        return None
    doubts = sum(block.rivals > 1 for block in blocks) + sum(mark.start < blocks[-1].opening.start for mark in dangling)
    incomplete = len(full) < len(pairs)
    return Found(
        layout="fields",
        pairs=unquote_all(full),
        start=blocks[0].opening.start,
        end=_end_of_query(text, dangling[-1], marks[-1]) if dangling and dangling[-1].start >= end else end,
        certainty=max(0.3, names.certainty - 0.05 * doubts - 0.15 * incomplete),
        names=(opening, names.answer),
    )


def _is_filled(value: str) -> bool:
    """Whether a value is there, and is not just the place for one ("{text}", "...")."""
    return bool(_PLACEHOLDER.sub("", value))


def _outermost(marks: Sequence[Marker], *, names: _Names) -> str:
    """A field above `opening` that every example has (`Context:` above `Question:`) begins the example instead."""
    groups = _groups(marks, answer=names.answer, key=names.key)
    if len(groups) < 3:
        return names.opening
    leads = []
    for group in groups[:-1]:
        keys = [names.key(mark) for mark in group]
        leads.append(keys[: keys.index(names.opening)] if names.opening in keys else [])
    last = [names.key(mark) for mark in groups[-1]]
    inside_answers = last[: last.index(names.opening)] if names.opening in last else last
    common = set(leads[0]).intersection(*leads[1:]) - set(inside_answers) - ASIDE_NAMES - _REPEATED
    return next((name for name in leads[1] if name in common), names.opening)


def _blocks(
    text: str, marks: Sequence[Marker], *, opening: str, answer: str, key: _Key
) -> tuple[list[_Block], list[Marker]]:
    """The examples, and the openings that no answer follows."""
    starts = [position for position, mark in enumerate(marks) if key(mark) == opening]
    blocks, dangling = [], []
    for number, position in enumerate(starts):
        following = starts[number + 1] if number + 1 < len(starts) else len(marks)
        answers = [at for at in range(position + 1, following) if key(marks[at]) == answer]
        if not answers or (following == len(marks) and not text[marks[answers[-1]].end :].strip()):
            dangling.append(marks[position])
            continue
        # "A:" may be a speaker in a dialogue above the answer, so there the last one counts; longer names are none.
        chosen = answers[-1] if len(answer) == 1 else answers[0]
        stop = marks[following].start if following < len(marks) else len(text)
        inner = frozenset(key(mark) for mark in marks[position + 1 : chosen])
        blocks.append(_Block(marks[position], marks[chosen], stop, inner, len(answers)))
    return blocks, dangling


def _keeps_names(text: str, blocks: Sequence[_Block], *, opening: str, names: _Names) -> bool:
    """Whether an input has several fields, so that their names belong to it (`Premise: … Hypothesis: …`)."""
    if opening == names.opening and names.certainty == 1.0:
        return False  # partners: the input's name holds everything up to the answer
    if all(_NESTED.match(text, block.opening.end) for block in blocks):
        return False  # `Text: Premise: …`: the outer name holds the others
    return bool(frozenset.intersection(*(block.inner for block in blocks)) - REASONING_NAMES)


def _pairs(text: str, marks: Sequence[Marker], blocks: Sequence[_Block], *, end: int, keep_names: bool) -> list[Pair]:
    thoughts = [mark.start for mark in marks if mark.stem in REASONING_NAMES]
    asides = [mark.start for mark in marks if mark.stem in ASIDE_NAMES]
    if 2 * sum(_first_between(asides, block.answer.end, block.stop) < block.stop for block in blocks) <= len(blocks):
        asides = []  # most answers have none, so the one that has is content
    repeated = [mark.start for mark in marks if mark.stem in _REPEATED]
    if all(_first_between(repeated, block.answer.end, block.stop) < block.stop for block in blocks[:-1]):
        asides = sorted([*asides, *repeated])
    pairs = []
    for block in blocks:
        start = block.opening.start if keep_names else block.opening.end
        given = text[start : _first_between(thoughts, block.opening.end, block.answer.start)]
        answered = text[block.answer.end : _first_between(asides, block.answer.end, min(block.stop, end))]
        pairs.append(
            Pair(
                _value(given, quoted=block.opening.quoted and not keep_names),
                _value(answered, quoted=block.answer.quoted),
            )
        )
    return pairs


def _first_between(positions: Sequence[int], low: int, high: int) -> int:
    """The first of the ascending positions within the bounds, otherwise the upper bound."""
    place = bisect_left(positions, low)
    return min(positions[place], high) if place < len(positions) else high


def _value(text: str, *, quoted: bool) -> str:
    bare = strip_value(text)
    return (unquote(bare) if quoted else None) or bare


def _end_of_last(text: str, blocks: Sequence[_Block], *, dangling: Sequence[Marker]) -> int:
    """Where the last answer ends and the words after the examples begin."""
    last = blocks[-1]
    value = text[last.answer.end : last.stop]
    if last.answer.quoted and (close := _CLOSING_QUOTE.search(value, 2)) is not None:
        whole = value.rstrip()
        return last.answer.end + (len(whole) if unquote(whole) is not None and not dangling else close.end())
    others = [text[block.answer.end : block.stop].rstrip() for block in blocks[:-1]]
    if not value.strip():
        return last.stop
    lead = len(value) - len(value.lstrip())
    has_instruction = bool(text[: blocks[0].opening.start].strip())
    return last.answer.end + lead + tail_start(value[lead:], others=others, has_instruction=has_instruction)


def _end_of_query(text: str, mark: Marker, last: Marker) -> int:
    """An opening without an answer is where the input at hand goes: up to the next empty line, or an empty answer."""
    if last.start > mark.start and last.stem in OUTPUT_NAMES and not text[last.end :].strip():
        return len(text)
    empty = EMPTY_LINES.search(text, mark.end)
    return empty.start() if empty else len(text)
