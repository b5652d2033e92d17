"""What an answer was written in: the parts make the whole, however a tokenizer cuts it, and their chances its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from engine.training.shorthand import Shorthand
from engine.training.spelling import VOCABULARY, Bytes
from engine.training.spelt import Spelt, pieces_by


def trimmed(tokens: Sequence[int]) -> str:
    """A decoder over bytes that takes blanks off the ends, as those of encoder-decoders do."""
    return bytes(tokens).decode("utf-8", "replace").strip()


@given(st.text(max_size=20))
@example("0\r\x85")
def test_the_pieces_make_the_text(text: str) -> None:
    tokens = list(text.encode("utf-8", "replace"))

    pieces = pieces_by(trimmed, tokens)

    assert len(pieces) == len(tokens)
    assert b"".join(pieces).decode() == trimmed(tokens)


def test_a_character_of_several_tokens_is_the_last_ones() -> None:
    assert pieces_by(trimmed, list("aé 日".encode())) == [b"a", b"", "é".encode(), b"", b"", b"", " 日".encode()]


def test_bytes_and_marks_read_as_they_are() -> None:
    codec = Bytes(Shorthand(("2026-",)))
    tokens = [VOCABULARY, *codec.encode("é")[:-1]]

    assert Spelt(tokens, [-1.0, -2.0, -3.0], codec.pieces).pieces() == [
        (b"2026-", -1.0), (b"\xc3", -2.0), (b"\xa9", -3.0),
    ]  # fmt: skip
    assert codec.decode(tokens) == "2026-é"


@pytest.mark.long
def test_a_student_that_writes_tells_what_it_wrote_and_how_likely_each_part_was() -> None:
    """The end mark is a part of the whole's chance, and not told."""
    from engine.training.encoder_decoder import EncoderDecoder
    from engine.training.tiny import new_model

    student = EncoderDecoder(family="tiny", model=new_model(seed=0), codec=Bytes(), longest_input=20, longest_output=5)

    whole, cut = student.predict(["a text", "one that is too long to be read"])

    assert whole.spelt is not None
    assert len(whole.spelt.tokens) == len(whole.spelt.log_probabilities) <= 5
    assert b"".join(piece for piece, _ in whole.spelt.pieces()).decode("utf-8", "ignore") == whole.output
    assert math.exp(math.fsum(whole.spelt.log_probabilities)) >= whole.confidence > 0
    assert (cut.cut, cut.confidence, cut.spelt) == (True, 0.0, None)
