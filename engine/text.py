"""Text from elsewhere, made safe to show: one line, of bounded length, that cannot steer a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from itertools import islice

__all__ = ["clean"]

# Controls (ESC and the C1 bytes among them), formats (bidi overrides, zero widths), lone surrogates, private use and
# unassigned characters: none of them shows anything, and some of them move, recolour or reverse what does.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def clean(text: str, limit: int) -> str:
    """At most `limit` characters of a text, on one line: blanks become one space, what cannot be seen is left out.

    A text that was cut ends in "…". Markup is no concern here: whoever draws must not interpret any.
    """
    shown = "".join(islice(_visible(text), limit + 1)).rstrip()
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def _visible(text: str) -> Iterator[str]:
    """The characters worth showing; a run of blanks is one space, and none stands at the start."""
    after_blank = True
    for character in text:
        if character.isspace():
            if not after_blank:
                yield " "
            after_blank = True
        elif unicodedata.category(character) not in _UNSEEN:
            yield character
            after_blank = False
