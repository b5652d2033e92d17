"""Very many texts, sifted by bands: the same as text by text, in parts as in one piece."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.banded import MOST_ALIKE, Bands, sifted
from engine.duplicates import NearDuplicates
from engine.signatures import BANDS, LIKENESS, signed

WORDS = [
    *("please", "tell", "me", "when", "the", "parcel", "that", "I", "sent", "to", "my", "aunt", "in", "the"),
    *("mountains", "will", "be", "there", "at", "last"),
]
texts_that_repeat = st.lists(
    st.lists(st.sampled_from(WORDS), min_size=6, max_size=9).map(" ".join), min_size=1, max_size=40
)


def by_bands(texts: Sequence[str], *, kinds: Sequence[str] = (), cut: int | None = None) -> list[int | None]:
    """Signed in one or two parts."""
    cut = len(texts) if cut is None else cut
    with tempfile.TemporaryDirectory() as place:
        bands = Bands.create(Path(place) / "bands", texts=len(texts))
        for start, end in ((0, cut), (cut, len(texts))):
            if end > start:
                block = signed(texts[start:end], kinds[start:end])
                bands.put(start, block.short, block.needed(LIKENESS), block.keys)
        found = sifted([bands.pairs(band) for band in range(BANDS)], texts=len(texts))
    return [None if other < 0 else other for other in found.tolist()]


@settings(max_examples=15, deadline=None)
@given(texts=texts_that_repeat, kinds=st.booleans(), cut=st.integers(0, 40))
def test_what_is_sifted_by_bands_is_what_is_sifted_text_by_text(texts: list[str], kinds: bool, cut: int) -> None:
    labels = [text.split()[0] for text in texts] if kinds else []

    assert by_bands(texts, kinds=labels, cut=min(cut, len(texts))) == NearDuplicates().sift(texts, kinds=labels)


def test_of_a_full_bucket_the_first_are_found_and_those_before() -> None:
    """All of a form share bands: what repeats one of the first, or one shortly before, is found all the same."""
    form = "in the matter of the application of {} for a permit to build a house with a garden at the lake"
    texts = [form.format(f"{a}{b}{c}ovich{a}{c}{b}") for a in "bdfg" for b in "klmn" for c in "aeiouyrs"]
    assert len(texts) > 1.5 * MOST_ALIKE
    kept = by_bands(texts)
    again = by_bands([*texts, texts[0].upper(), texts[-1].upper()])

    assert again[:-2] == kept
    assert again[-2:] == [0, len(texts) - 1 if kept[-1] is None else kept[-1]]


def test_there_need_not_be_any() -> None:
    assert by_bands(["alone in the world"]) == [None]


def test_room_is_made_in_a_folder_of_its_own(tmp_path: Path) -> None:
    bands = Bands.create(tmp_path / "bands", texts=1000)

    size = sum(path.stat().st_size for path in bands.folder.iterdir())
    assert size == pytest.approx(1000 * 229, abs=5000)
    with pytest.raises(FileExistsError):
        Bands.create(tmp_path / "bands", texts=1)
