"""Lines of a picture: as wide as they are to be, whatever is in them, and nothing but text."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from engine.dashboard.picture import Frame, Picture, Strip
from tests.engine.pictures import HOSTILE, Screenful

TEXTS = st.text(st.characters() | st.sampled_from("日本 e\u0301❤\ufe0f\x1b\n"), max_size=12)
PARTS = st.lists(st.tuples(TEXTS, st.sampled_from(["", "bold", "dim"])), max_size=5)


def printed(picture: Picture) -> list[str]:
    screen = Screenful(200)
    screen.console(color_system=None).print(picture)
    return screen.file.getvalue().removesuffix("\n").split("\n")


def text_of(strip: Strip) -> str:
    return "".join(text for text, _ in strip.parts)


@given(parts=PARTS, cells=st.integers(0, 40))
def test_a_line_is_cut_or_padded_to_its_cells_and_keeps_what_fits(parts: list[tuple[str, str]], cells: int) -> None:
    strip = Strip(*parts)
    cut, padded = strip.fitted(cells), strip.fitted(cells, pad=True)

    assert padded.cells == sum(cell_len(text) for text, _ in padded.parts) == cells
    assert text_of(padded).rstrip() == text_of(cut).rstrip()
    if strip.cells <= cells:
        assert cut.parts == strip.parts
    elif cells:
        assert text_of(cut).endswith("…")


@given(parts=PARTS)
def test_what_cannot_be_seen_is_left_out(parts: list[tuple[str, str]]) -> None:
    shown = text_of(Strip(*parts))

    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert [letter for letter in "".join(text for text, _ in parts) if letter.isprintable()] == list(shown)


def test_a_line_is_cut_in_the_style_of_what_is_cut() -> None:
    assert Strip(("日本", "bold"), ("語", "dim")).fitted(4).parts == [("日 …", "bold")]
    assert Strip(("ab", "bold"), ("cd", "dim")).fitted(3).parts == [("ab", "bold"), ("…", "dim")]


def test_lines_are_joined_with_something_between() -> None:
    assert text_of(Strip.joined(", ", [Strip("a"), Strip(("b", "bold"), "c"), Strip()])) == "a, bc, "


@pytest.mark.parametrize(
    ("title", "edge"),
    [
        pytest.param("dates", "╭─ dates ────────╮", id="short"),
        pytest.param("twelve words", "╭─ twelve words ─╮", id="fits"),
        pytest.param("fourteen words", "╭─ fourteen word─╮", id="cut"),
    ],
)
def test_a_frame_has_its_title_above_and_words_below(title: str, edge: str) -> None:
    picture = Picture([Strip("one"), Strip(HOSTILE)], 18, Frame(Strip(title), "0:20"))

    assert printed(picture) == [
        edge,
        "│ one            │",
        "│ a[2J]8;;http:… │",
        "╰───────── 0:20 ─╯",
    ]


def test_without_a_frame_lines_are_cut_and_not_padded() -> None:
    assert printed(Picture([Strip("one"), Strip(), Strip("fourteen words")], 10)) == ["one", "", "fourteen …"]
