"""What follows from an instruction and its demonstrations: task kind, labels, empty answer, output pattern, language.

Everything here errs on the side of saying nothing: a wrong label set or pattern would throw right answers away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from agents.label_lists import CLOSED_FAMILIES, listed_labels
from agents.language import guess_language
from agents.records import Pair, Spec

__all__ = ["derive", "empty_answer", "labels_of", "output_pattern"]

_LONGEST_LABEL = 48
_MOST_LABEL_WORDS = 5
_LEAST_UNLISTED = 4  # demonstrations before repetition alone makes a label set

_EMPTY_WORDS = (
    "n/a, na, n.a., none, null, nil, nothing, empty, unanswerable, -, --, —, [], {}, keine,"
    "keiner, nichts, aucun, aucune, rien, ninguno, ninguna, nada, nenhum, nenhuma, nessuno,"
    "nessuna, niente, geen, inga, ingen, ei mitään, brak, yok, нет, ничего, 无, 無, なし, 該当なし, 없음,"
    "không, none of these, none of the above, none of them, no answer, not found, not available,"
    "not applicable, no date, no match, no result, no entity, no entities, out of scope,"
    "no intent, cannot be determined"
)
_EMPTY_ANSWERS = frozenset(word.strip() for word in _EMPTY_WORDS.split(","))
_RESPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    str.capitalize,
    str.upper,
    str.lower,
    str.title,
    lambda label: f"{label}.",
    lambda label: f"{label.capitalize()}.",
)
_QUOTED_EMPTY = re.compile(r"[\"'“‘`«]([^\"'”’`»\n]{1,24})[\"'”’`»]")
_DIGITS = re.compile(r"\d+")
_TEMPLATE = re.compile(r"(?<!\w)(?:YYYY|HH|DD|MM)(?:[-/.:T ](?:YYYY|MM|DD|HH|SS|mm|ss))*(?!\w)")
_WIDTHS = {"YYYY": 4}


def derive(instruction: str, pairs: Sequence[Pair], *, layout: str, confidence: float) -> Spec:
    """The spec that an instruction and its demonstrations amount to."""
    nothing = empty_answer(instruction, [pair.output for pair in pairs])
    labels = labels_of(instruction, [pair.output for pair in pairs], nothing=nothing)
    if labels:
        # In a closed set, a stray blank does not make another label.
        pairs = [Pair(pair.input, pair.output.strip()) for pair in pairs]
    return Spec(
        instruction=instruction,
        demonstrations=tuple(pairs),
        kind="classification" if labels else "text",
        labels=labels,
        empty_answer=nothing,
        output_pattern=None
        if labels
        else output_pattern(instruction, [pair.output for pair in pairs], nothing=nothing),
        language=guess_language("\n".join(pair.input for pair in pairs) or instruction),
        layout=layout,
        confidence=confidence,
    )


def empty_answer(instruction: str, outputs: Sequence[str]) -> str | None:
    """What is answered when there is nothing to find, if a demonstration or quoted words of the instruction show it."""
    for output in outputs:
        if _plain(output) in _EMPTY_ANSWERS:
            return output.strip()
    for match in _QUOTED_EMPTY.finditer(instruction):
        if _plain(match[1]) in _EMPTY_ANSWERS and len(match[1].strip()) > 1:
            return match[1].strip()
    return None


def _plain(label: str) -> str:
    """The label as far as two spellings of it count as one: no case, no full stop, no quotation marks."""
    bare = label.strip().strip("\"'`“”‘’").casefold()
    return bare.removesuffix(".").strip() or bare


def labels_of(instruction: str, outputs: Sequence[str], *, nothing: str | None) -> tuple[str, ...]:
    """The closed set of answers, as the demonstrations spell them; empty when the answers are free text.

    A list in the instruction counts when it holds every demonstrated answer. Without one, the demonstrations must
    repeat themselves, or keep to a well-known family such as yes and no.
    """
    spelled = {_plain(output): output.strip() for output in reversed(outputs)}
    if not all(_is_short(output) for output in spelled.values()):
        return ()
    known = set(spelled) - ({_plain(nothing)} if nothing else set())
    for listed in listed_labels(instruction, known=frozenset(known), shown=bool(outputs)):
        if known <= {_plain(label) for label in listed}:
            return _merged(listed, spelled, nothing=nothing)
    distinct = list(dict.fromkeys(_plain(output) for output in outputs))
    if any(len(known) > 1 and known <= family for family in CLOSED_FAMILIES) or _repeat(outputs, known):
        return tuple(spelled[label] for label in distinct)
    return ()


def _is_short(output: str) -> bool:
    return 0 < len(output) <= _LONGEST_LABEL and "\n" not in output and len(output.split()) <= _MOST_LABEL_WORDS


def _repeat(outputs: Sequence[str], known: set[str]) -> bool:
    full = [output for output in outputs if _plain(output) in known]
    words = all(any(char.isalpha() for char in label) for label in known)
    return words and len(full) >= _LEAST_UNLISTED and 1 < len(known) <= len(full) / 2


def _merged(listed: Sequence[str], spelled: Mapping[str, str], *, nothing: str | None) -> tuple[str, ...]:
    """The listed labels in the demonstrations' spelling, and then what only the demonstrations show."""
    respell = _respelling(listed, spelled)
    labels = [spelled.get(_plain(label)) or respell(label) for label in listed]
    if nothing is not None and _plain(nothing) not in {_plain(label) for label in labels}:
        labels.append(spelled.get(_plain(nothing), nothing))
    return tuple(dict.fromkeys(labels))


def _respelling(listed: Sequence[str], spelled: Mapping[str, str]) -> Callable[[str], str]:
    """How the demonstrations spell the list's labels ("yes" as "Yes."), to be done to the labels they do not show."""
    shown = [(label, spelled[_plain(label)]) for label in listed if _plain(label) in spelled]
    for respell in _RESPELLINGS:
        if all(respell(label) == output for label, output in shown):
            return respell
    return str


def output_pattern(instruction: str, outputs: Sequence[str], *, nothing: str | None) -> str | None:
    """A regular expression that every right answer matches in full, where the demonstrations leave no doubt.

    That is so for dates, times and the like: groups of two or four digits joined by the same marks. Forms that the
    instruction names ("YYYY-MM") count as seen. Plain numbers and free text give None: what else may come is open.
    """
    full = [output for output in outputs if output.strip() != nothing]
    shapes = [_shape(output) for output in full]
    if len(full) < 2 or not any(
        shape and len(_DIGITS.findall(output)) > 1 for shape, output in zip(shapes, full, strict=True)
    ):
        return None
    if not all(shapes):
        return None
    named = [_template_shape(match[0]) for match in _TEMPLATE.finditer(instruction)]
    ordered = sorted({shape for shape in [*shapes, *named] if shape}, key=lambda shape: (-len(shape), shape))
    alternatives = [*ordered, *([re.escape(nothing)] if nothing else [])]
    return "|".join(alternatives)


def _shape(output: str) -> str | None:
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
