"""Reading a folder of a user's documents, one after another, whatever lies in it; and what was taken from them, kept.

Text, Markdown, HTML and tables of rows are read, each as a stream. What is none of these, or cannot be read, costs
itself and is told in a line. Links are not followed, so nothing outside the folder is ever opened.
"""

from __future__ import annotations

import codecs
import dataclasses
import io
import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import orjson

from agents.config import Configuration
from agents.reading.html_text import paragraphs
from agents.reading.passages import Passage, cut, cut_text, pick, pieces_of, plain
from agents.reading.rows import is_missing, text_of
from agents.reading.sources import ENDINGS, Broken, read_source
from agents.records import Example
from agents.run_folder import RunFolder, write_whole
from engine.errors import UserError
from engine.events import Events, Noted
from engine.text import clean, encoding_of

__all__ = [
    "Coverage",
    "Documents",
    "check_documents",
    "coverage_of",
    "documents_for",
    "gather",
    "read_documents",
    "write_documents",
]

TEXTS = (".txt", ".text", ".md", ".markdown", ".rst")
PAGES = (".html", ".htm", ".xhtml")
KINDS = (*TEXTS, *PAGES, *ENDINGS, *(f"{ending}.gz" for ending in ENDINGS if ending not in (".json", ".parquet")))

MOST_FILES = 100_000
MOST_AT_ONCE = 64 << 20  # bytes of a file that must be held whole: a JSON array
SNIFFED = 1 << 16  # bytes that tell how a text is encoded
MOST_FOREIGN = 0.3  # of those, in letters beyond ASCII: with more, text that is not UTF-8 is hardly Western
TOLD = 20  # files that are not read, each with its reason; of the others the count
LONGEST_TOLD = 200

FEWEST, MOST = 500, 20_000  # passages that are kept: as many as rows are wanted, within these

_CHARSET = re.compile(rb"charset=[\"']?([\w-]{1,40})", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """What was taken from a folder: `found` passages in so many documents, of which `passages` may be shown.

    `skipped` has a line for each file that was not read, up to some number; `unread` counts them all.
    """

    passages: tuple[Passage, ...] = ()
    found: int = 0
    documents: int = 0
    skipped: tuple[str, ...] = ()
    unread: int = 0

    def told(self) -> tuple[str, ...]:
        """The outcome, in lines for people."""
        shown = f", of which {len(self.passages):,} are shown in turn" if len(self.passages) < self.found else ""
        some = f"documents: {self.unread - len(self.skipped):,} more files are not read, or not whole"
        return (
            f"documents: {_many(self.found, 'passage')} in {_many(self.documents, 'file')}{shown}; sent to the teacher",
            *(f"documents: {line}" for line in self.skipped),
            *([some] if self.unread > len(self.skipped) else []),
        )


@dataclass(slots=True)
class _Skipped:
    """What was not read, and why: the first ones in words."""

    lines: list[str] = field(default_factory=list)
    count: int = 0

    def add(self, name: str, why: str) -> None:
        self.count += 1
        if len(self.lines) < TOLD:
            self.lines.append(clean(f"{name}: {why}", LONGEST_TOLD))


def gather(folder: Path, *, rows: int, seed: int) -> Documents:
    """Read a folder through, and pick as many passages as a data set of so many rows can do with.

    The same files and seed give the same passages. Raises UserError when there is nothing to read.
    """
    skipped = _Skipped()
    most = min(MOST, max(FEWEST, rows))
    picked = pick((_passages(file, name, skipped) for name, file in _walk(folder, skipped)), most=most, seed=seed)
    if not picked.passages:
        raise _nothing(folder, skipped)
    return Documents(
        passages=picked.passages,
        found=picked.found,
        documents=picked.documents,
        skipped=tuple(skipped.lines),
        unread=skipped.count,
    )


def documents_for(folder: RunFolder, configuration: Configuration, *, rows: int, events: Events) -> Documents | None:
    """What the rows of a run are written from, if anything: the passages that were picked when it began."""
    if configuration.documents is None:
        return None
    if folder.documents.exists():
        documents = read_documents(folder.documents)
    else:
        events.emit(Noted(f"documents: reading {configuration.documents}"))
        documents = gather(Path(configuration.documents), rows=rows, seed=configuration.seed)
        write_documents(folder.documents, documents)
    for line in documents.told():
        events.emit(Noted(line))
    return documents


def check_documents(folder: Path) -> None:
    """Raise UserError unless there is a folder with something to read in it. Reads up to the first passage."""
    skipped = _Skipped()
    if not any(True for name, file in _walk(folder, skipped) for _ in _passages(file, name, skipped)):
        raise _nothing(folder, skipped)


def _nothing(folder: Path, skipped: _Skipped) -> UserError:
    others = f"; not read: {skipped.lines[0]}" if skipped.lines else ""
    more = f" and {skipped.count - 1:,} more" if skipped.count > 1 else ""
    return UserError(f"{folder}: holds no documents; they are read from {', '.join(KINDS)} files{others}{more}")


def _many(count: int, noun: str) -> str:
    return f"1 {noun}" if count == 1 else f"{count:,} {noun}s"


# -- finding files


def _walk(folder: Path, skipped: _Skipped) -> Iterator[tuple[str, Path]]:
    """The files below a folder that can be documents, by name, each with its path below it."""
    if not folder.is_dir():
        raise UserError(f"{folder}: is no folder; --documents takes the folder that the documents lie in")
    waiting, files = [("", folder)], 0
    while waiting:
        prefix, path = waiting.pop()
        entries = _entries(path, prefix, skipped)
        if any(entry.name == "run.toml" for entry in entries):
            skipped.add(storable(prefix) or str(folder), "is the folder of a run, and holds no documents")
            continue
        folders = {entry.name: Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)}
        waiting += [(f"{prefix}{name}/", below) for name, below in reversed(folders.items())]
        for entry in entries:
            name = storable(f"{prefix}{entry.name}")
            if entry.name in folders:
                continue
            if why := _why_not(entry) or (f"comes after the first {MOST_FILES:,}" if files == MOST_FILES else ""):
                skipped.add(name, why)
                continue
            files += 1
            yield name, Path(entry.path)


def _why_not(entry: os.DirEntry[str]) -> str:
    """Why a file is not read; nothing if it is."""
    kind = _kind(entry.name)
    if entry.is_symlink():
        return "is a link; documents are read where they lie"
    if not entry.is_file(follow_symlinks=False):
        return "is neither a file nor a folder"
    if kind is None:
        return "is of a kind that is not read"
    if kind == ".json" and entry.stat(follow_symlinks=False).st_size > MOST_AT_ONCE:
        return f"is a JSON array of over {MOST_AT_ONCE >> 20} MiB; save it as .jsonl"
    return ""


def _entries(path: Path, prefix: str, skipped: _Skipped) -> list[os.DirEntry[str]]:
    """What lies in a folder and is not hidden, in the order of its names, whatever the file system's is."""
    try:
        with os.scandir(path) as found:
            return sorted((entry for entry in found if not entry.name.startswith(".")), key=lambda entry: entry.name)
    except OSError as error:
        skipped.add(prefix or str(path), f"cannot be read: {error.strerror}")
        return []


def _kind(name: str) -> str | None:
    lower = name.lower()
    return next((kind for kind in sorted(KINDS, key=len, reverse=True) if lower.endswith(kind)), None)


def storable(text: str) -> str:
    """A name of a file as text that any file can hold: names may be no UTF-8, and hold line ends."""
    return plain(text.encode("utf-8", "replace").decode()).replace("\n", " ")


# -- reading files


def _passages(file: Path, name: str, skipped: _Skipped) -> Iterator[Passage]:
    """The passages of a file, as far as it can be read."""
    told, is_empty = skipped.count, True
    try:
        is_page = _kind(file.name) in PAGES
        is_text = is_page or _kind(file.name) in TEXTS
        passages = _of_text(file, name, skipped, is_page=is_page) if is_text else _of_rows(file, name, skipped)
        for passage in passages:
            is_empty = False
            yield passage
    except OSError as error:
        skipped.add(name, f"cannot be read: {error.strerror or error}")
    except UserError as error:
        skipped.add(name, str(error).removeprefix(f"{file}: "))
    if is_empty and skipped.count == told:
        skipped.add(name, "has no text to write from")


def _of_text(file: Path, name: str, skipped: _Skipped, *, is_page: bool) -> Iterator[Passage]:
    with file.open("rb") as raw:
        head = raw.read(SNIFFED)
        encoding = _encoding(head, is_page=is_page)
        if encoding is None:
            why = "is binary, not text" if b"\x00" in head else "is neither UTF-8 nor Western text; save it as UTF-8"
            skipped.add(name, why)
            return
        raw.seek(0)
        text = io.TextIOWrapper(raw, encoding, errors="replace")
        yield from cut(name, paragraphs(text, broken=partial(skipped.add, name)) if is_page else pieces_of(text))


def _encoding(head: bytes, *, is_page: bool) -> str | None:
    """How a text is encoded, by its mark or its first bytes; None for what is no text."""
    marked = encoding_of(head)
    if marked != "utf-8":
        return marked
    if b"\x00" in head:
        return None
    told = _CHARSET.search(head) if is_page else None
    for encoding in ("utf-8", told[1].decode() if told else "cp1252", "cp1252"):
        if _reads(head, encoding) and (encoding != "cp1252" or _is_western(head)):
            return encoding
    return None


def _reads(head: bytes, encoding: str) -> bool:
    """Whether the bytes are text in an encoding; in UTF-8 also with a few that are not, as in texts glued together."""
    try:
        codecs.getincrementaldecoder(encoding)().decode(head)  # not the end: a character may be cut
    except (UnicodeError, LookupError, AttributeError):  # the last of codecs that are none of text
        broken = head.decode("utf-8", "replace")
        foreign, lost = sum(character > "\x7f" for character in broken), broken.count("\ufffd")
        return encoding == "utf-8" and foreign > 2 * lost
    return True


def _is_western(head: bytes) -> bool:
    return sum(byte > 0x7F for byte in head) <= MOST_FOREIGN * len(head)


def _of_rows(file: Path, name: str, skipped: _Skipped) -> Iterator[Passage]:
    """Each row as text of its own: its columns one a line, named where there are several."""
    broken = 0
    for record in read_source(str(file)):
        if isinstance(record, Broken):
            broken += 1
            continue
        columns = {key: value for key, value in record.columns.items() if not is_missing(value)}
        texts = {key: plain(text_of(value)).strip() for key, value in columns.items() if not isinstance(value, bytes)}
        alone = len(record.columns) == 1
        row = "\n".join(text if alone else f"{key}: {text}" for key, text in texts.items() if text)
        for part, passage in enumerate(cut_text(name, row, least_letters=1), start=1):
            place = f"{name}:{record.line}" if part == 1 else f"{name}:{record.line} part {part}"
            yield dataclasses.replace(passage, place=place)
    if broken:
        skipped.add(name, f"{_many(broken, 'row')} cannot be read")


# -- what was taken, kept in the run's folder


def write_documents(path: Path, documents: Documents) -> None:
    """Write down what was taken, whole or not at all: a run that goes on needs the documents no more."""
    write_whole(path, orjson.dumps(dataclasses.asdict(documents), option=orjson.OPT_INDENT_2) + b"\n")


def read_documents(path: Path) -> Documents:
    """What was taken when the run began. Raises UserError for what cannot be read; passages may be taken out."""
    try:
        table = orjson.loads(path.read_bytes())
        passages = tuple(Passage(**row) for row in table["passages"])
        read = Documents(**{**table, "passages": passages, "skipped": tuple(table["skipped"])})
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise UserError(f"{path}: cannot be read ({error}); delete it to have the documents read anew") from error
    texts = (text for each in passages for text in (each.document, each.place, each.text))
    if not passages or not all(isinstance(text, str) for text in texts):
        raise UserError(f"{path}: holds no passages; delete it to have the documents read anew")
    return read


# -- what came of them


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How far the rows cover the documents: of `found` passages in so many `documents`, `shown` were shown.

    `used` of them, in `used_documents`, brought rows. `most` are the documents with most rows; `skipped` has a line for
    each file that was not read, up to some number.
    """

    documents: int
    found: int
    shown: int
    used: int
    used_documents: int
    most: tuple[tuple[str, int], ...]
    skipped: tuple[str, ...]
    unread: int


def coverage_of(documents: Documents, examples: Iterable[Example], *, requests: int) -> Coverage:
    """What became of the documents in a run that asked so many times for inputs."""
    rows = Counter(example.provenance.document for example in examples)
    by_document: Counter[str] = Counter()
    used = 0
    for passage in documents.passages:
        if passage.place in rows:
            used += 1
            by_document[passage.document] += rows[passage.place]
    return Coverage(
        documents=documents.documents,
        found=documents.found,
        shown=min(requests, len(documents.passages)),
        used=used,
        used_documents=len(by_document),
        most=tuple(by_document.most_common(TOLD)),
        skipped=documents.skipped,
        unread=documents.unread,
    )
