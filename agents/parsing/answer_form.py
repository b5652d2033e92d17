"""What every right answer looks like: a date, a number, JSON, several labels, code; a pattern or a schema for it.

Everything here errs on the side of saying nothing: a pattern that is too narrow would throw right answers away.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.parsing.json_shape import demonstrated_schema, told_schema
from agents.parsing.label_lists import listed_labels
from agents.records import AnswerForm

__all__ = ["AnswerShape", "answer_shape", "asks_for_json", "asks_for_several", "dates_named"]

_LEAST_LISTS = 4  # demonstrations before repetition alone makes a set of labels that may be combined
_LONGEST_LABEL = 48
_MOST_LABEL_WORDS = 5

_DIGITS = re.compile(r"\d+")
_TEMPLATE = re.compile(r"(?<!\w)(?:YYYY|HH|DD|MM)(?:[-/.:T ](?:YYYY|MM|DD|HH|SS|mm|ss))*(?!\w)")
_WIDTHS = {"YYYY": 4}

_ONE_NUMBER = re.compile(r"[-+−]?(?:\d+(?:[.,\u00a0\u202f ]\d+)*|\.\d+)(?:/\d+)?%?", re.ASCII)
_NUMBER = r"[-+−]?(?:\d+(?:[., ]\d+)*|\.\d+)(?:/\d+)?%?"
"""Any number as people write it; which ones are right is open, so nothing that is one may be shut out."""

_ASKS_FOR_NUMBER = re.compile(
    r"\b(?:numbers?|numeric\w*|numerical\w*|integers?|digits?|how (?:many|much|old|long|far|fast)|count|sum|mean|"
    r"average|calculat\w*|comput\w*|scores?|amounts?|percent\w*|rating|total|value|zahl\w*|anzahl|nombre|número|numero|"
    r"luku\w*|lukumäärä\w*|arvo\w*|числ\w*|aantal|getal|antal|tal)\b|数字|数値|数量|多少|숫자",
    re.IGNORECASE,
)
_GIVES_NUMBER = re.compile(
    r"\b(?:output|answer|return|respond|reply|report)\b(?: \w+){0,4} "
    r"(?:an? (?:single )?(?:number|integer)|the number)\b(?! of)",
    re.IGNORECASE,
)
_ASKS_FOR_CODE = re.compile(
    r"\b(?:code|python|javascript|typescript|java|c\+\+|rust|golang|sql|bash|shell|regex|regexp|regular expressions?|"
    r"functions?|scripts?|programs?|queries|query|html|css|latex|commands?|snippets?)\b|代码|コード|코드|код\w*",
    re.IGNORECASE,
)
_WRITES_CODE = re.compile(
    r"\b(?:write|generate|produce|output|return|create|complete|convert(?:s|ed|ing)?|translat\w*|implement|give|generat(?:e|es|ing)|pars(?:e|es|ing)|"
    r"answer|replac\w+|only)\b[^.\n]{0,80}?"
    r"\b(?:(?:python|javascript|typescript|java|rust|golang|sql|bash|shell)(?: \w+)?|(?:line of )?"
    r"(?<!calling )(?<!zip )(?<!area )(?<!country )(?<!postal )code(?! block)|"
    r"regex|regexp|regular expressions?|programs?|scripts?|sql quer(?:y|ies))\b|"
    r"(?:代码|コード|코드)[をで]?(?:生成|書|写)",
    re.IGNORECASE,
)
_CODE = re.compile(
    r"[;{}]\s*$|^\s*(?:def|class|import|from|for|while|if|return|print|function|const|let|var|#include|public|SELECT|"
    r"INSERT|UPDATE|DELETE|CREATE|WITH|WHERE|<\w+)\b|\w\([^()\n]*\)|\w\[[^\]\n]*\]\s*=|^\s*[\w.\[\]]+\s*[-+*/]?=\s*\S|=>|"
    r"[\\^$]\w?[+*?]|\$\(|^\s*(?:sudo|git|ls|cd|grep|awk|sed|curl|docker|npm|pip)\s",
    re.MULTILINE,
)
_JSON_WORD = re.compile(r"\bjson\b", re.IGNORECASE)
_ABOUT_ANSWER = re.compile(
    r"\b(?:outputs?|answers?|return\w*|respond\w*|reply|replies|responses?|produc\w+|generat\w+|convert\w*|extract\w*|"
    r"writ\w+|format\w*|gib|antwort\w*|ausgabe|réponds|responde\w*|as|into|to)\b|输出|返回|回答|出力|출력",
    re.IGNORECASE,
)
_FROM_JSON = re.compile(r"\b(?:input is|given|from|you (?:get|are given|receive))\b[^.\n]{0,30}\bjson\b", re.IGNORECASE)
_SEVERAL = re.compile(
    r"\b(?:one or more|all (?:that|which) apply|every (?:label|categor\w+|tag)|any (?:number )?of|multiple|several|"
    r"multi-?label|zero or more|at least one)\b|多个|複数|여러",
    re.IGNORECASE,
)
_SEVERAL_ASKED = re.compile(
    r"\b(?:one or more (?:of|labels?|categor\w+|tags?|topics?)|all (?:that|which) apply|"
    r"multiple (?:labels|categories|tags)|"
    r"multi-?label|zero or more|at least one (?:label|category|tag)|all (?:the )?(?:relevant|applicable|matching) "
    r"(?:labels|categories|tags|topics)|(?:labels|categories|tags|topics)\b[^.\n]{0,30}\bsep[ae]rated by)\b",
    re.IGNORECASE,
)
_SEPARATORS = (", ", "; ", " | ", "|", ",", ";", "\n", "、", "，", " / ")
_JOINTS = ("==", "=>", "->", "→", "=")
_LEAST_DATED = 3  # demonstrations: fewer may all be alike by chance
_SENTENCE_END = re.compile(r"(?<=[.!?。！？])\s*|\n+")


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """What an answer looks like, and what it must match."""

    form: AnswerForm = "text"
    pattern: str | None = None
    schema: Mapping[str, object] | None = None


def answer_shape(instruction: str, outputs: Sequence[str], *, nothing: str | None) -> AnswerShape:
    """The form of free answers, from the demonstrated ones and from what the instruction says of them.

    `nothing` is the answer for "nothing to find"; whatever the rest look like, it fits.
    """
    full = [output for output in outputs if output.strip() != nothing]
    return (
        _as_json(instruction, full, shown=bool(outputs))
        or _as_date(instruction, full, nothing=nothing)
        or _as_dated_things(instruction, full, nothing=nothing)
        or _as_several_labels(instruction, full, nothing=nothing)
        or _as_number(instruction, full, nothing=nothing)
        or _as_code(instruction, full)
        or AnswerShape()
    )


# -- JSON


def _as_json(instruction: str, outputs: Sequence[str], *, shown: bool) -> AnswerShape | None:
    if outputs:
        schema = demonstrated_schema(outputs)
        lone_list = len(outputs) == 1 and schema is not None and schema.get("type") != "object"
        return None if schema is None or lone_list else AnswerShape("json", schema=schema)
    if shown or not asks_for_json(instruction):
        return None
    return AnswerShape("json", schema=told_schema(instruction))


def asks_for_json(instruction: str) -> bool:
    """Whether a sentence of the instruction says that answers are JSON."""
    return any(
        _JSON_WORD.search(sentence) and _ABOUT_ANSWER.search(sentence) and not _FROM_JSON.search(sentence)
        for sentence in _SENTENCE_END.split(instruction)
    )


# -- dates and times


def _as_date(instruction: str, outputs: Sequence[str], *, nothing: str | None) -> AnswerShape | None:
    """Groups of two or four digits joined by the same marks. Forms that the instruction names count as seen."""
    shapes = [_date_shape(output) for output in outputs]
    grouped = [shape for shape, output in zip(shapes, outputs, strict=True) if shape and _has_groups(output)]
    if len(outputs) < 2 or not grouped or not all(shapes):
        return None
    named = dates_named(instruction)
    ordered = sorted({shape for shape in [*shapes, *named] if shape}, key=lambda shape: (-len(shape), shape))
    return AnswerShape("date", "|".join([*ordered, *_also(nothing)]))


def dates_named(instruction: str) -> list[str]:
    """Patterns of the forms of dates and times that the words name ("YYYY-MM-DD")."""
    return [_template_shape(match[0]) for match in _TEMPLATE.finditer(instruction)]


def _has_groups(output: str) -> bool:
    return len(_DIGITS.findall(output)) > 1


def _date_shape(output: str) -> str | None:
    """The output with its digits made a pattern; None unless it is groups of two or four digits between marks."""
    if not re.fullmatch(r"(?:\d{4}|\d{2})(?:[-/.:T ](?:\d{4}|\d{2}))*", output, re.ASCII):
        return None
    groups = _DIGITS.findall(output)
    if len(groups) == 1 and len(groups[0]) != 4:
        return None
    if len(groups) == 2 and not re.search(r"[-/:]", output):
        return None
    return _DIGITS.sub(lambda match: rf"\d{{{len(match[0])}}}", _escaped(output))


def _template_shape(template: str) -> str:
    return re.sub(r"YYYY|MM|DD|HH|SS|mm|ss", lambda match: rf"\d{{{_WIDTHS.get(match[0], 2)}}}", _escaped(template))


def _escaped(text: str) -> str:
    return text.replace(".", r"\.")


def _also(nothing: str | None) -> list[str]:
    return [re.escape(nothing)] if nothing else []


# -- things with their dates


def _as_dated_things(instruction: str, outputs: Sequence[str], *, nothing: str | None) -> AnswerShape | None:
    """What was found, each with its date ("last year == 1997 | May == 1998-05"): one joint, and one mark between."""
    joint = next((each for each in _JOINTS if all(each in output for output in outputs)), None)
    if joint is None or len(outputs) < _LEAST_DATED:
        return None
    separator = next((mark for mark in "|;\n," if any(mark in output for output in outputs)), None)
    parts = [part for output in outputs for part in (output.split(separator) if separator else [output])]
    dates = _as_date(instruction, [part.rpartition(joint)[2].strip() for part in parts], nothing=None)
    if dates is None or any(part.count(joint) != 1 or not part.partition(joint)[0].strip() for part in parts):
        return None
    blank = " " if all(f" {joint} " in part for part in parts) else r"\s*"
    mark = re.escape(separator or "|;\n")  # where none is shown, any
    other = mark + re.escape(joint[0])
    one = rf"[^{other}]*[^\s{other}]{blank}{re.escape(joint)}{blank}(?:{dates.pattern})"
    return AnswerShape("text", "|".join([rf"{one}(?:\s*[{mark}]\s*{one})*", *_also(nothing)]))


# -- several labels at once


def _as_several_labels(instruction: str, outputs: Sequence[str], *, nothing: str | None) -> AnswerShape | None:
    """Labels joined by one and the same mark: a list in the instruction holds all, or they repeat themselves."""
    if not outputs:
        return _told_labels(instruction, nothing=nothing) if _SEVERAL_ASKED.search(instruction) else None
    for separator in _SEPARATORS:
        split = [[part.strip() for part in output.split(separator)] for output in outputs]
        parts = [part for row in split for part in row]
        if max(map(len, split), default=0) > 1 and all(map(_is_label, parts)):
            labels = _combined(instruction, split, parts=parts)
            if labels:
                return _several(labels, re.escape(separator), nothing=nothing)
    return None


def _told_labels(instruction: str, *, nothing: str | None) -> AnswerShape | None:
    """A list in an instruction that asks for several of its labels; how they are joined is left open."""
    labels = next(listed_labels(instruction, known=frozenset(), shown=False), None)
    return _several(labels, r"\s*[,;|\n]\s*", nothing=nothing) if labels else None


def _several(labels: Sequence[str], joint: str, *, nothing: str | None) -> AnswerShape:
    one = "|".join(re.escape(label) for label in sorted(labels, key=lambda label: (-len(label), label)))
    return AnswerShape("labels", "|".join([f"(?:{one})(?:{joint}(?:{one}))*", *_also(nothing)]))


def asks_for_several(instruction: str) -> bool:
    """Whether the words ask for several labels at once."""
    return bool(_SEVERAL_ASKED.search(instruction))


def _combined(instruction: str, split: Sequence[Sequence[str]], *, parts: Sequence[str]) -> Sequence[str]:
    known = frozenset(part.casefold() for part in parts)
    for listed in listed_labels(instruction, known=known, shown=True):
        if known <= {label.casefold() for label in listed} and any(len(row) > 1 for row in split):
            spelled = {part.casefold(): part for part in parts}
            return [spelled.get(label.casefold(), label) for label in listed]
    repeat = len(split) >= _LEAST_LISTS and 2 * len(known) <= len(parts)
    # Without a list and without a word that several may be given, things found in a text could repeat by chance.
    return sorted(set(parts)) if repeat and _SEVERAL.search(instruction) else ()


def _is_label(part: str) -> bool:
    words = any(char.isalpha() for char in part)
    return words and len(part) <= _LONGEST_LABEL and len(part.split()) <= _MOST_LABEL_WORDS and "\n" not in part


# -- numbers


def _as_number(instruction: str, outputs: Sequence[str], *, nothing: str | None) -> AnswerShape | None:
    """Numbers, where the demonstrations show nothing else and the instruction asks for such."""
    if not outputs:
        return AnswerShape("number") if _GIVES_NUMBER.search(instruction) else None
    if len(outputs) < 2 or not all(_ONE_NUMBER.fullmatch(output.strip()) for output in outputs):
        return None
    if not _ASKS_FOR_NUMBER.search(instruction):
        return None
    return AnswerShape("number", "|".join([_NUMBER, *_also(nothing)]))


# -- code


def _as_code(instruction: str, outputs: Sequence[str]) -> AnswerShape | None:
    if not outputs:
        return AnswerShape("code") if _WRITES_CODE.search(instruction) else None
    if all(output.strip().startswith("```") and output.rstrip().endswith("```") for output in outputs):
        return AnswerShape("code")
    looks = sum(bool(_CODE.search(output)) for output in outputs)
    return AnswerShape("code") if _ASKS_FOR_CODE.search(instruction) and 3 * looks >= 2 * len(outputs) else None
