"""Text from elsewhere: how it is encoded, how it is made safe to show, and which word somebody will have meant."""

from __future__ import annotations

import codecs
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

__all__ = ["clean", "delimiter_of", "encoding_of", "first_line", "meant", "meant_path", "visible", "writable"]

_BYTE_ORDER_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))

# Controls (ESC and the C1 bytes among them), formats (bidi overrides, zero widths), lone surrogates, private use and
# unassigned characters: none of them shows anything, and some of them move, recolour or reverse what does.
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


_LOOKED_AT = 1000  # names in a folder, when one is looked for that is near to another


def encoding_of(raw: bytes) -> str:
    """How a text is encoded, by its byte order mark; without one it is taken for UTF-8."""
    return next((name for mark, name in _BYTE_ORDER_MARKS if raw.startswith(mark)), "utf-8")


def delimiter_of(header: str) -> str:
    """What stands between the columns of a table, by its first line: that which makes most columns of it.

    Where the comma is the decimal mark, spreadsheets save "CSV" with semicolons. Without any of the usual ones there is
    one column, and a comma does.
    """
    return max(",;\t|", key=lambda delimiter: _columns(header, delimiter))


def _columns(header: str, delimiter: str) -> int:
    import csv  # here, as most who import this read no table

    whole = header + '"' * (header.count('"') % 2)  # a name may go on in the next line
    try:
        return len(next(csv.reader([whole], delimiter=delimiter, strict=True), ()))
    except csv.Error:  # a quotation mark ends in the middle of a column: it is another delimiter
        return 0


def clean(text: str, limit: int) -> str:
    """At most `limit` characters of a text, on one line: blanks become one space, what cannot be seen is left out.

    A text that was cut ends in "…". Markup is no concern here: whoever draws must not interpret any.
    """
    head = text[: limit + 1]
    # Most texts are as they are to be shown, and told so ten times as fast as they are gone through.
    is_clean = head.isprintable() and "  " not in head and not head.startswith(" ")
    shown = (head if is_clean else "".join(islice(_visible(text), limit + 1))).rstrip()
    return shown if len(shown) <= limit else shown[: limit - 1].rstrip() + "…"


def visible(text: str) -> str:
    """The whole text without what cannot be seen, on its own lines: for pages and files, where lines are kept."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    return "".join(one for one in lines if one in "\n\t" or unicodedata.category(one) not in _UNSEEN)


def first_line(error: BaseException) -> str:
    """What an error of somebody else's says first; its kind, where it says nothing."""
    return next(filter(None, map(str.strip, str(error).splitlines())), type(error).__name__)


def writable(text: str) -> str:
    """The text as a file and a tokenizer can hold it: half a surrogate pair becomes U+FFFD."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def meant(word: object, known: Iterable[str]) -> str:
    """The known word that is near to what somebody wrote, as a question; nothing when none is."""
    import difflib  # here: most words are right

    near = difflib.get_close_matches(str(word), list(known), n=1)
    return f"; did you mean {near[0]!r}?" if near else ""


def meant_path(path: Path) -> str:
    """The same for a path that is not there: what lies in that folder under a name that is near."""
    import difflib  # here: most paths are right

    try:
        beside = [each.name for each in islice(path.parent.iterdir(), _LOOKED_AT)]
    except (OSError, ValueError):
        return ""
    near = difflib.get_close_matches(path.name, beside, n=1)
    return f"; did you mean {str(path.with_name(near[0]))!r}?" if near else ""


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
