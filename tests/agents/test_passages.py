"""Passages: cut alike every time, spread over all documents, shown in turn, never held in bulk."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.reading.passages import LONGEST, LONGEST_PIECE, Passage, Piece, cut, cut_text, passage_for, pick, pieces_of

WORDS = "The parcel was left with a neighbour who has been away since last Tuesday. "


def passages(count: int, *, document: str = "a.md") -> list[Passage]:
    return [Passage(document, f"{document}:{n}", f"{document} number {n}: case {n * 7919}") for n in range(count)]


def test_paragraphs_are_held_together_until_a_passage_is_of_fair_length() -> None:
    found = list(cut_text("a.md", "\n\n".join([WORDS * 3] * 8)))

    assert [passage.place for passage in found] == ["a.md:1", "a.md:7", "a.md:13"]
    assert all(len(passage.text) <= LONGEST for passage in found)


def test_a_place_is_the_line_and_in_a_long_line_the_character() -> None:
    found = list(cut_text("a.md", "# Title\n\n" + WORDS * 40))

    assert [passage.place for passage in found][:2] == ["a.md:1", f"a.md:3:{len(WORDS) * 8 + 1}"]
    assert all(passage.text.endswith(".") for passage in found)


def test_what_has_hardly_a_letter_is_no_passage() -> None:
    assert list(cut_text("a.md", "---\n\n* * *\n\n1.\n")) == []


@settings(max_examples=40)
@given(st.text(alphabet="ab .。\n\r\t\x1b\x00\u2028", max_size=400).map(lambda text: text * 9))
def test_any_text_is_cut_whole_within_bounds_and_free_of_what_steers_a_terminal(text: str) -> None:
    found = list(cut_text("a", text, least_letters=1))

    assert Counter(filter(str.isalpha, text)) == Counter(c for each in found for c in each.text if c.isalpha())
    assert all(len(each.text) <= LONGEST and not set(each.text) & {"\x1b", "\x00", "\r"} for each in found)
    assert len({each.place for each in found}) == len(found)


class Endless(io.StringIO):
    """A line that never ends, counted as it is read."""

    taken = 0

    def readline(self, size: int = -1, /) -> str:  # type: ignore[override]  # the base class says bytes
        assert 0 < size <= LONGEST
        self.taken += size
        return "x" * size


def test_a_line_of_any_length_is_never_held_whole() -> None:
    endless = Endless()
    pieces = pieces_of(endless)

    assert [len(next(pieces).text) for _ in range(50)] == [LONGEST_PIECE] * 50
    assert endless.taken == 50 * LONGEST_PIECE


def test_a_piece_breaks_behind_a_sentence_or_else_behind_a_word() -> None:
    assert next(pieces_of(io.StringIO("word " * 500))).text.endswith(" ")
    assert next(pieces_of(io.StringIO("あ" * 500 + "。" + "い" * 1000))).text.endswith("。")


def test_a_large_document_does_not_drown_small_ones() -> None:
    picked = pick([passages(500, document="big.md"), passages(3, document="small.md")], most=10, seed=0)

    assert Counter(passage.document for passage in picked.passages) == {"big.md": 7, "small.md": 3}
    assert (picked.found, picked.documents) == (503, 2)


def test_the_same_seed_picks_the_same_and_another_others() -> None:
    def places(seed: int) -> list[str]:
        return [each.place for each in pick([passages(200)], most=20, seed=seed).passages]

    assert places(1) == places(1)
    assert set(places(1)) != set(places(2))


def test_what_stands_on_every_page_is_shown_once() -> None:
    footer = "All rights reserved. Write to us at the usual address, or call us on working days."

    picked = pick([[Passage(f"{n}.html", f"{n}.html:9", footer)] for n in range(20)], most=50, seed=0)

    assert len(picked.passages) == 1
    assert (picked.found, picked.documents) == (20, 20)


def test_only_so_many_passages_are_held_at_a_time() -> None:
    held: set[int] = set()
    most_held = 0

    class Tracked(str):
        __slots__ = ()

        def __del__(self) -> None:
            held.discard(id(self))

    def stream() -> Iterator[Passage]:
        nonlocal most_held
        for n in range(3000):
            text = Tracked(f"passage {n} about {n * 7919}")
            held.add(id(text))
            most_held = max(most_held, len(held))
            yield Passage("a", f"a:{n}", text)
            del text

    pick([stream()], most=50, seed=0)

    assert most_held < 150


@pytest.mark.parametrize("count", [1, 2, 7])
def test_every_passage_is_shown_once_before_any_is_shown_again(count: int) -> None:
    some = passages(count)

    for turn in range(3):
        shown = [passage_for(some, number) for number in range(turn * count, (turn + 1) * count)]
        assert Counter(shown) == Counter(some)


def test_a_passage_does_not_meet_the_same_wishes_again() -> None:
    some = passages(4)

    meetings = {(passage_for(some, number), number % 4) for number in range(16)}

    assert len(meetings) == 16


def test_without_passages_none_is_shown() -> None:
    assert passage_for((), 3) is None


def test_empty_pieces_make_no_passage() -> None:
    assert list(cut("a", [Piece("\n", 1), Piece("  ", 2)])) == []
