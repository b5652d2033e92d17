"""Near-duplicates are found, what merely looks alike is kept, and every answer is a function of the texts alone."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.duplicates import BLOCK, NearDuplicates, groups

LETTERS = "abcdefghijklmnopqrstuvwxyz"


def sentence(rng: random.Random, words: int = 30) -> str:
    return " ".join("".join(rng.choices(LETTERS, k=rng.randint(2, 9))) for _ in range(words))


def one_word_more(text: str) -> str:
    head, tail = text.split(" ", 1)
    return f"{head} really {tail}"


def other_case(text: str) -> str:
    return f"  {text.upper()} "


def a_typo(text: str) -> str:
    return f"{text[:30]}x{text[31:]}"


def a_stop(text: str) -> str:
    return f"{text}."


@pytest.mark.parametrize("slip", [one_word_more, other_case, a_typo, a_stop])
def test_planted_near_duplicates_are_found(slip: Callable[[str], str]) -> None:
    rng = random.Random(0)
    texts = [sentence(rng) for _ in range(500)]

    found = NearDuplicates().sift([*texts, *map(slip, texts)])

    assert found[:500] == [None] * 500
    assert sum(other == number for number, other in enumerate(found[500:])) >= 495


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("due on 5 March 2021, please reply", "due on 6 March 2021, please reply", id="another number"),
        pytest.param("1, 2 and 3 are in this order", "2, 1 and 3 are in this order", id="another order of numbers"),
        pytest.param("What is the capital of France?", "What is the capital of Australia?", id="another name"),
        pytest.param("", "not empty", id="empty"),
    ],
)
def test_texts_that_ask_for_two_answers_are_two(one: str, other: str) -> None:
    assert NearDuplicates().sift([one, other]) == [None, None]
    assert groups([one, other]) == [0, 1]


def test_texts_of_different_kinds_are_never_alike() -> None:
    texts = ["find the index of `a` in the list", "find the index of `a` in the list"]

    assert NearDuplicates().sift(texts, kinds=["x", "x"]) == [None, 0]
    assert NearDuplicates().sift(texts, kinds=["x", "y"]) == [None, None]


def test_long_texts_in_one_form_that_differ_in_a_sentence_are_two() -> None:
    rng = random.Random(4)
    form, one, other = sentence(rng, 60), sentence(rng, 10), sentence(rng, 10)

    assert NearDuplicates().sift([f"{form} {one}", f"{form} {other}", f"{form} {a_typo(one)}"]) == [None, None, 0]


def test_at_full_likeness_only_the_same_letter_groups_repeat() -> None:
    texts = ["where is my card?", "Where is  my card?", "where is my card"]

    assert NearDuplicates(likeness=1.0).sift(texts) == [None, 0, None]


def test_a_group_holds_near_duplicates_of_near_duplicates() -> None:
    words = [f"word{chr(97 + i)}" for i in range(20)]
    chain = [" ".join(words[i : i + 12]) for i in range(6)]

    assert groups([*chain, "something else"]) == [0] * 6 + [6]
    assert NearDuplicates().sift([chain[0], chain[5]]) == [None, None]


def test_numbers_count_over_calls_and_blocks() -> None:
    rng = random.Random(1)
    texts = [sentence(rng) for _ in range(BLOCK + 10)]
    index = NearDuplicates()

    assert index.sift(texts) == [None] * len(texts)
    assert index.sift([texts[BLOCK + 3], "new", texts[2]]) == [BLOCK + 3, None, 2]
    assert index.sift(["new"]) == [BLOCK + 11]
    assert len(index) == BLOCK + 11
    assert repr(index) == f"<NearDuplicates [{BLOCK + 11} kept of {BLOCK + 14}]>"


def test_a_repeated_text_leads_to_the_one_that_was_kept() -> None:
    assert NearDuplicates().sift(["a text", "a text", "a text"]) == [None, 0, 0]


@pytest.mark.long
def test_thousands_of_a_kind_are_one_group() -> None:
    rng = random.Random(2)
    text = sentence(rng, 60)

    assert set(groups([one_word_more(text) + chr(97 + i % 26) for i in range(1500)])) == {0}


def test_any_script_is_compared() -> None:
    assert groups(["東京の天気はどうですか", "東京の天気はどうですか?", "大阪へ行く電車はありますか"]) == [0, 0, 2]
    assert groups(["12 月", "１２ 月"]) == [0, 0]


def test_very_long_texts_are_compared_by_their_ends() -> None:
    rng = random.Random(3)
    one, other = ("".join(rng.choices(LETTERS, k=1_000_000)) for _ in range(2))

    assert groups([one, f"{one} ", other, f"{one[:9_999]}{other}{one[-9_999:]}"]) == [0, 0, 2, 0]


def test_nothing_has_no_groups() -> None:
    assert groups([]) == []
    assert NearDuplicates().sift([]) == []


TEXTS = st.lists(st.text(max_size=12) | st.text(alphabet="ab 1", max_size=8), max_size=30)


@given(TEXTS)
@settings(deadline=None)
def test_what_was_kept_is_kept_again(texts: list[str]) -> None:
    kept = [text for text, other in zip(texts, NearDuplicates().sift(texts), strict=True) if other is None]

    assert NearDuplicates().sift(kept) == [None] * len(kept)


@given(TEXTS, st.integers(0, 30))
@settings(deadline=None)
def test_how_texts_are_handed_over_changes_nothing(texts: list[str], cut: int) -> None:
    index = NearDuplicates()

    assert [*index.sift(texts[:cut]), *index.sift(texts[cut:])] == NearDuplicates().sift(texts)


@given(TEXTS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_groups_do_not_depend_on_the_order(texts: list[str], rng: random.Random) -> None:
    order = list(range(len(texts)))
    rng.shuffle(order)

    there = groups([texts[i] for i in order])
    here = groups(texts)

    together = {(order[i], order[j]) for i in range(len(texts)) for j in range(len(texts)) if there[i] == there[j]}
    assert together == {(i, j) for i in range(len(texts)) for j in range(len(texts)) if here[i] == here[j]}


@given(TEXTS)
@settings(deadline=None)
@pytest.mark.long
def test_a_group_is_named_by_its_first_text(texts: list[str]) -> None:
    for number, name in enumerate(groups(texts)):
        assert name <= number
        assert groups(texts)[name] == name
