"""ROUGE-L: known values, and the length of what two sequences have in common against the plain recursion."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.evaluation.overlap import longest_in_common, rouge_l, words_of

SHORT = st.text("abc", max_size=8)


@pytest.mark.parametrize(
    ("one", "other", "score"),
    [
        pytest.param("police killed the gunman", "police kill the gunman", 0.75, id="Lin's example"),
        pytest.param("the gunman kill police", "police killed the gunman", 0.5, id="order counts"),
        pytest.param("The Cat.", "the cat", 1.0, id="neither case nor stops"),
        pytest.param("", "", 1.0, id="nothing wanted, nothing given"),
        pytest.param("", "a", 0.0, id="nothing given"),
        pytest.param("東京都", "京都", 0.8, id="a character is a word"),
    ],
)
def test_rouge_l_is_the_f1_of_the_longest_common_subsequence(one: str, other: str, score: float) -> None:
    assert rouge_l(one, other) == pytest.approx(score)


def test_words_are_those_of_their_script() -> None:
    assert words_of("L'été, 3_4 Приве\u0301т 東京 हिन्दी") == ["l", "été", "3", "4", "приве\u0301т", "東", "京", "हिन्दी"]


@settings(max_examples=80, deadline=None)
@given(SHORT, SHORT)
def test_what_two_sequences_have_in_common_is_what_the_recursion_finds(one: str, other: str) -> None:
    @cache
    def length(i: int, j: int) -> int:
        if i == 0 or j == 0:
            return 0
        if one[i - 1] == other[j - 1]:
            return length(i - 1, j - 1) + 1
        return max(length(i - 1, j), length(i, j - 1))

    assert longest_in_common(one, other) == length(len(one), len(other))
