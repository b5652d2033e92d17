"""The closed set of answers that a prompt shows or spells out, and the answer for "nothing to find"; pure.

Errs on the side of saying nothing: a wrong label set would throw right answers away.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from agents.parsing.label_lists import CLOSED_FAMILIES, listed_labels

__all__ = ["as_shown", "empty_answer", "is_short", "labels_of", "outside", "plain"]

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


def empty_answer(instruction: str, outputs: Sequence[str]) -> str | None:
    """What is answered when there is nothing to find, if a demonstration or quoted words of the instruction show it."""
    for output in outputs:
        if plain(output) in _EMPTY_ANSWERS:
            return output.strip()
    for match in _QUOTED_EMPTY.finditer(instruction):
        if plain(match[1]) in _EMPTY_ANSWERS and len(match[1].strip()) > 1:
            return match[1].strip()
    return None


def plain(label: str) -> str:
    """The label as far as two spellings of it count as one: no case, no full stop, no quotation marks."""
    bare = label.strip().strip("\"'`“”‘’").casefold()
    return bare.removesuffix(".").strip() or bare


def labels_of(instruction: str, outputs: Sequence[str], *, nothing: str | None) -> tuple[str, ...]:
    """The closed set of answers, as the demonstrations spell them; empty when the answers are free text.

    A list in the instruction counts when it holds every demonstrated answer. Without one, the demonstrations must
    repeat themselves, or keep to a well-known family such as yes and no.
    """
    spelled = {plain(output): output.strip() for output in reversed(outputs)}
    if not all(is_short(output) for output in spelled.values()):
        return ()
    known = set(spelled) - ({plain(nothing)} if nothing else set())
    for listed in listed_labels(instruction, known=frozenset(known), shown=bool(outputs)):
        if known <= {plain(label) for label in listed}:
            return as_shown(listed, outputs, nothing=nothing)
    distinct = list(dict.fromkeys(plain(output) for output in outputs))
    if any(len(known) > 1 and known <= family for family in CLOSED_FAMILIES) or _repeat(outputs, known):
        return tuple(spelled[label] for label in distinct)
    return ()


def is_short(output: str) -> bool:
    return 0 < len(output) <= _LONGEST_LABEL and "\n" not in output and len(output.split()) <= _MOST_LABEL_WORDS


def _repeat(outputs: Sequence[str], known: set[str]) -> bool:
    full = [output for output in outputs if plain(output) in known]
    words = all(any(char.isalpha() for char in label) for label in known)
    return words and len(full) >= _LEAST_UNLISTED and 1 < len(known) <= len(full) / 2


def as_shown(listed: Sequence[str], outputs: Sequence[str], *, nothing: str | None) -> tuple[str, ...]:
    """The listed labels in the demonstrations' spelling, and then what only the demonstrations show."""
    spelled = {plain(output): output.strip() for output in reversed(outputs)}
    respell = _respelling(listed, spelled)
    labels = [spelled.get(plain(label)) or respell(label) for label in listed]
    if nothing is not None and plain(nothing) not in {plain(label) for label in labels}:
        labels.append(spelled.get(plain(nothing), nothing))
    return tuple(dict.fromkeys(labels))


def _respelling(listed: Sequence[str], spelled: Mapping[str, str]) -> Callable[[str], str]:
    """How the demonstrations spell the list's labels ("yes" as "Yes."), to be done to the labels they do not show."""
    shown = [(label, spelled[plain(label)]) for label in listed if plain(label) in spelled]
    for respell in _RESPELLINGS:
        if all(respell(label) == output for label, output in shown):
            return respell
    return str


def outside(instruction: str, outputs: Sequence[str], *, nothing: str | None) -> tuple[str, ...]:
    """The demonstrated answers that a list of the instruction's lacks, though it holds most of the others.

    Empty where one list holds them all, or none is meant for them.
    """
    shown = {plain(output): output.strip() for output in reversed(outputs)}
    known = frozenset(set(shown) - ({plain(nothing)} if nothing else set()))
    if len(known) < 2 or not all(map(is_short, shown.values())):
        return ()
    missing: tuple[str, ...] = ()
    for listed in listed_labels(instruction, known=known, shown=True):
        odd = known - {plain(label) for label in listed}
        if not odd:
            return ()
        answered = sum(plain(output) in odd for output in outputs)
        if not missing and 2 * answered < len(outputs):
            missing = tuple(shown[label] for label in shown if label in odd)
    return missing
