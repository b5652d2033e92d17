"""How much of a text stands in another: chrF++ by characters and words, ROUGE-L by the words that keep their order."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from engine.evaluation.intervals import Measure

__all__ = ["chrf", "longest_in_common", "rouge_l", "words_of"]

_UNSPACED: Final = (
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
)
# Accents and vowel signs that are no letters by themselves, but part of a word: Latin to Arabic, the scripts of India.
_SIGNS: Final = r"\u0300-\u036f\u0483-\u0489\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0900-\u0dff"
# In scripts without spaces a character stands for a word; all else that is no letter or digit parts words.
_WORD: Final = re.compile(rf"[{_UNSPACED}]|(?:[^\W{_UNSPACED}_]|[{_SIGNS}])+")


def chrf(predictions: Sequence[str], answers: Sequence[Sequence[str]]) -> Measure:
    """Corpus chrF++ of a draw, 0 to 100, from per-row counts: counting again for each resample would take minutes."""
    import numpy as np
    from sacrebleu.metrics import CHRF

    scorer = CHRF(word_order=2)
    most = max(len(right) for right in answers)
    # sacrebleu reads references by column: the first right answer of every row, then the second, ...
    columns = [[right[i] if i < len(right) else None for right in answers] for i in range(most)]
    counts = np.array(scorer._extract_corpus_statistics(predictions, columns))  # noqa: SLF001  # no public way to resample
    return lambda drawn: float(scorer._compute_f_score(counts[drawn].sum(axis=0).tolist()))  # noqa: SLF001


def rouge_l(given: str, wanted: str) -> float:
    """ROUGE-L, 0 to 1: the F1 of the longest common subsequence of words, whatever their case. Two empty texts: 1.

    C.-Y. Lin, "ROUGE: A Package for Automatic Evaluation of Summaries", 2004. Words are not stemmed, which would be
    right for one language only.
    """
    ours, theirs = words_of(given), words_of(wanted)
    if not ours or not theirs:
        return float(not ours and not theirs)
    return 2 * longest_in_common(ours, theirs) / (len(ours) + len(theirs))


def words_of(text: str) -> list[str]:
    """The words of a text in lower case."""
    return _WORD.findall(text.casefold())


def longest_in_common(first: Sequence[Any], second: Sequence[Any]) -> int:
    """How many elements two sequences have in common in their order, with others between them.

    H. Hyyrö, "Bit-Parallel LCS-length Computation Revisited", 2004: a row of the table is one whole number, so a pair
    of long texts takes as many steps as the second has words.
    """
    places: dict[Any, int] = {}
    for place, element in enumerate(first):
        places[element] = places.get(element, 0) | 1 << place
    whole = (1 << len(first)) - 1
    row = whole
    for element in second:
        met = row & places.get(element, 0)
        row = ((row + met) | (row - met)) & whole
    return len(first) - row.bit_count()
