"""Where a prompt's beginning ends that many requests share, said as dialects say it: on a block of text. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

__all__ = ["Content", "marked"]

Content = str | list[dict[str, object]]
"""A message's text, or the same text in blocks."""


def marked(texts: Sequence[str], *, stable: int, says: Mapping[str, object]) -> list[Content]:
    """The texts of a conversation, with the one in blocks in which its first `stable` characters end.

    The block that ends there `says` so. No block is blank, since some services refuse that: where the rest would be,
    the whole text is marked, and where the beginning would be, nothing is.
    """
    contents: list[Content] = list(texts)
    for place, text in enumerate(texts):
        if stable <= len(text):
            contents[place] = _blocks(text, stable, says)
            break
        stable -= len(text)
    return contents


def _blocks(text: str, end: int, says: Mapping[str, object]) -> Content:
    beginning, rest = text[:end], text[end:]
    if not beginning.strip():
        return text
    if not rest.strip():
        beginning, rest = text, ""
    block: dict[str, object] = {"type": "text", "text": beginning, **says}
    return [block, {"type": "text", "text": rest}] if rest else [block]
