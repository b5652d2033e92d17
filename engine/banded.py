"""Which of very many texts nearly repeat an earlier one, once all are known: band by band, or all bands at once.

`engine.duplicates` answers text by text, and holds in memory what it has kept. Here all signatures lie in a folder, and
what is held is a band of them at a time: signing is work on some of the texts, pairing is work on a band, and both can
be done anywhere that sees the folder. What comes out is the same, whoever does it.

    bands = Bands.create(folder, texts=10_000_000)
    block = signed(texts[:1000])
    bands.put(0, block.short, block.needed(0.7), block.keys)     # ... and so on
    pairs = [bands.pairs(band) for band in range(BANDS)]
    sifted(pairs, texts=10_000_000)                      # for each text the kept one that it nearly is, or -1

A text is compared with each other of its bucket; where more than 64 share a bucket (all texts of one form do), with the
64 before it and with the first 64.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from engine.signatures import BANDS, MINIMA

if TYPE_CHECKING:
    from engine.signatures import Bytes, Mask, Numbers, Words

__all__ = ["MOST_ALIKE", "Bands", "Pairs", "sifted"]

MOST_ALIKE: Final = 64  # of a bucket that a text is compared with: those before it, and the first
MOST_PAIRS: Final = 1 << 16  # compared in one go


class Pairs(NamedTuple):
    """Texts, and for each an earlier one that it is nearly like."""

    texts: Numbers
    others: Numbers


@dataclass(frozen=True, slots=True)
class Bands:
    """The signatures of so many texts, in a folder."""

    folder: Path
    texts: int

    @classmethod
    def create(cls, folder: Path, *, texts: int) -> Bands:
        """Make room: 229 bytes a text."""
        import numpy as np

        bands = cls(folder, texts)
        folder.mkdir(parents=True)
        for path, width, kind in bands._files():
            np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=(texts, width) if width > 1 else (texts,))
        return bands

    def put(self, first: int, short: Bytes, needed: Bytes, keys: Words) -> None:
        """These are the signatures of the texts from number `first` on (see `engine.signatures`)."""
        columns = [short, needed, *keys.T]
        for (path, _, _), column in zip(self._files(), columns, strict=True):
            self._mapped(path, "r+")[first : first + len(column)] = column

    def pairs(self, band: int) -> Pairs:
        """The texts that share this band and are nearly alike."""
        import numpy as np

        shorts, needed = (self._mapped(self.folder / f"{name}.npy", "r") for name in ("shorts", "needed"))
        found: list[tuple[Numbers, Numbers]] = [(np.empty(0, np.int64),) * 2]
        for texts, others in _in_buckets(np.asarray(self._mapped(self.folder / f"band-{band:02}.npy", "r"))):
            for at in range(0, len(texts), MOST_PAIRS):
                some = slice(at, at + MOST_PAIRS)
                alike = _alike(texts[some], others[some], shorts=shorts, needed=needed)
                found.append((texts[some][alike], others[some][alike]))
        return Pairs(*(np.concatenate(side) for side in zip(*found, strict=True)))

    def _files(self) -> Iterator[tuple[Path, int, str]]:
        yield self.folder / "shorts.npy", MINIMA, "uint8"
        yield self.folder / "needed.npy", 1, "uint8"
        for band in range(BANDS):
            yield self.folder / f"band-{band:02}.npy", 1, "uint32"

    @staticmethod
    def _mapped(path: Path, mode: str) -> Bytes:
        import numpy as np

        found: Bytes = np.lib.format.open_memmap(path, mode=mode)
        return found


def sifted(pairs: Sequence[Pairs], *, texts: int) -> Numbers:
    """For each text the first kept text that it nearly is; -1 for those that are kept themselves.

    A text is kept unless it is nearly one that was kept before it, in the order of their numbers.
    """
    import numpy as np

    codes = np.unique(np.concatenate([each.texts * texts + each.others for each in pairs]))
    found = np.full(texts, -1, dtype=np.int64)
    for text, other in zip(*(side.tolist() for side in np.divmod(codes, max(1, texts))), strict=True):
        if found[text] < 0 and found[other] < 0:
            found[text] = other
    return found


def _in_buckets(keys: Words) -> Iterator[tuple[Numbers, Numbers]]:
    """Which texts are to be compared: the later one of each pair, and the earlier. Many at a time."""
    import numpy as np

    order = np.argsort(keys, kind="stable")
    in_order = keys[order]
    places = np.flatnonzero(in_order[1:] == in_order[:-1]) + 1  # those that are not the first of their bucket
    starts = np.flatnonzero(np.concatenate([[True], in_order[1:] != in_order[:-1]]))
    first = starts[np.searchsorted(starts, places, side="right") - 1]
    for back in range(1, MOST_ALIKE + 1):
        places, first = _those(places - back >= first, places, first)
        if not len(places):
            return
        yield order[places], order[places - back]
    for ahead in range(MOST_ALIKE):
        places, first = _those(first + ahead < places - MOST_ALIKE, places, first)
        if not len(places):
            return
        yield order[places], order[first + ahead]


def _those(wanted: Mask, places: Numbers, first: Numbers) -> tuple[Numbers, Numbers]:
    return places[wanted], first[wanted]


def _alike(texts: Numbers, others: Numbers, *, shorts: Bytes, needed: Bytes) -> Mask:
    import numpy as np

    common = (shorts[texts] == shorts[others]).sum(axis=1)
    alike: Mask = common >= np.maximum(needed[texts], needed[others])
    return alike
