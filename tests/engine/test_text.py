"""Text from elsewhere on a page: its lines stay, what cannot be seen goes."""

from __future__ import annotations

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from engine.text import first_line, visible, writable


@given(st.text(alphabet=st.one_of(st.characters(), st.sampled_from("\x00\x1b\r\n\t\u202e\ud800"))))
def test_nothing_unseen_is_left_and_everything_seen_is_kept_in_order(text: str) -> None:
    shown = visible(text)

    assert not [one for one in shown if one not in "\n\t" and unicodedata.category(one)[0] == "C"]
    assert [one for one in shown if one not in "\n\t"] == [one for one in text if unicodedata.category(one)[0] != "C"]
    assert visible(shown) == shown


def test_lines_end_one_way() -> None:
    assert visible("a\r\nb\rc\n\td") == "a\nb\nc\n\td"


def test_half_a_surrogate_pair_is_replaced_and_nothing_else_is() -> None:
    assert writable("\ufeffa\x00\ud83d \U0001f600 \udc00") == "\ufeffa\x00\ufffd \U0001f600 \ufffd"


def test_an_error_says_its_first_line_and_one_that_says_nothing_its_kind() -> None:
    assert first_line(OSError("\n it broke\nhere")) == "it broke"
    assert first_line(OSError(" \n")) == first_line(OSError()) == "OSError"
