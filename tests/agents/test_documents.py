"""A folder of documents as people have them: read where it can be, told where it cannot, nothing opened outside."""

from __future__ import annotations

import gzip
import io
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from agents.reading.documents import (
    Documents,
    check_documents,
    coverage_of,
    gather,
    read_documents,
    write_documents,
)
from agents.reading.html_text import MOST_MARKUP, paragraphs
from agents.reading.passages import Passage
from agents.records import Example, Provenance, Vote
from engine.errors import UserError

TEXT = "A parcel may be returned within thirty days, unopened, at any counter."


def texts(folder: Path) -> dict[str, str]:
    return {passage.place: passage.text for passage in gather(folder, rows=100, seed=0).passages}


def test_texts_pages_and_rows_are_read_wherever_they_lie(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(f"# Returns\n\n{TEXT}\n")
    (tmp_path / "deep" / "down").mkdir(parents=True)
    (tmp_path / "deep" / "down" / "b.TXT").write_text("Refunds are paid within five working days.")
    (tmp_path / "c.html").write_text("<title>x</title><p>Customs duties are paid by the <b>receiver</b>.</p>")
    (tmp_path / "d.csv").write_text("question,answer\nWho pays?,You\n,\n")
    (tmp_path / "e.jsonl").write_text('{"text": "My parcel is broken"}\n')
    (tmp_path / "f.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1, "b": [2]}\n'))

    assert texts(tmp_path) == {
        "a.md:1": f"# Returns\n\n{TEXT}",
        "deep/down/b.TXT:1": "Refunds are paid within five working days.",
        "c.html:1": "x\n\nCustoms duties are paid by the receiver.",
        "d.csv:2": "question: Who pays?\nanswer: You",
        "e.jsonl:1": "My parcel is broken",
        "f.jsonl.gz:1": "a: 1\nb: [2]",
    }


@pytest.mark.parametrize(
    ("raw", "read"),
    [
        pytest.param("Grüße, das Päckchen ist kaputt".encode(), True, id="UTF-8"),
        pytest.param("\ufeffGrüße, das Päckchen ist kaputt".encode(), True, id="UTF-8 with a mark"),
        pytest.param("Grüße, das Päckchen ist kaputt".encode("utf-16"), True, id="UTF-16"),
        pytest.param("Grüße, das Päckchen ist kaputt".encode("cp1252"), True, id="Western"),
        pytest.param(
            "荷物が届きません。どこにありますか。いつ届きますか。".encode("shift-jis"), False, id="Japanese, old"
        ),
        pytest.param("Где моя посылка и когда она придёт".encode("koi8-r"), False, id="Russian, old"),
        pytest.param(b"text and then \x00\x01\x02", False, id="binary"),
    ],
)
def test_text_is_read_in_the_encodings_that_can_be_told(raw: bytes, read: bool, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(raw)
    (tmp_path / "b.txt").write_text(TEXT)

    gathered = gather(tmp_path, rows=10, seed=0)

    assert ("Grüße, das Päckchen ist kaputt" in [passage.text for passage in gathered.passages]) is read
    assert len(gathered.skipped) == (0 if read else 1)


def test_a_bad_byte_in_much_that_is_utf_8_costs_itself(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes("Grüße, das Päckchen ist kaputt: ".encode() + b"\xff")

    assert texts(tmp_path)["a.txt:1"] == "Grüße, das Päckchen ist kaputt: \ufffd"


def test_a_page_is_read_in_the_encoding_that_it_names(tmp_path: Path) -> None:
    page = '<meta charset="shift_jis"><p>荷物が届きません。どこにありますか。いつ届きますか。</p>'
    (tmp_path / "a.html").write_bytes(page.encode("shift-jis"))

    assert texts(tmp_path)["a.html:1"].startswith("荷物が届きません。")


def test_what_is_not_read_costs_itself_and_a_line(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(TEXT)
    (tmp_path / "photo.jpg").write_bytes(b"\xff\xd8")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1 no")
    (tmp_path / "rows.csv").write_text('a,b\n1,2,3\nx,"y\n')
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / ".hidden.txt").write_text(TEXT)
    (tmp_path / "empty.txt").touch()

    gathered = gather(tmp_path, rows=10, seed=0)

    assert [passage.place for passage in gathered.passages] == ["a.md:1"]
    assert [line.partition(":")[0] for line in gathered.skipped] == [
        "broken.parquet", "empty.txt", "photo.jpg", "pipe.txt", "rows.csv",
    ]  # fmt: skip


def test_of_very_many_the_first_are_named_and_the_others_counted(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(TEXT)
    for number in range(50):
        (tmp_path / f"{number:02}.png").touch()

    told = gather(tmp_path, rows=10, seed=0).told()

    assert told[0] == "documents: 1 passage in 1 file; sent to the teacher"
    assert told[1] == "documents: 00.png: is of a kind that is not read"
    assert told[-1] == "documents: 30 more files are not read, or not whole"
    assert len(told) == 22


def test_no_link_is_followed(tmp_path: Path) -> None:
    secret, folder = tmp_path / "secret", tmp_path / "folder"
    secret.mkdir()
    folder.mkdir()
    (secret / "key.txt").write_text("the key of somebody else, which is long enough")
    (folder / "a.md").write_text(TEXT)
    (folder / "out").symlink_to(secret)
    (folder / "key.txt").symlink_to(secret / "key.txt")
    (folder / "round").symlink_to(folder)

    gathered = gather(folder, rows=10, seed=0)

    assert [passage.document for passage in gathered.passages] == ["a.md"]
    assert gathered.unread == 3


def test_a_run_that_lies_among_the_documents_is_none_of_them(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(TEXT)
    (tmp_path / "runs" / "one" / "data").mkdir(parents=True)
    (tmp_path / "runs" / "one" / "run.toml").touch()
    (tmp_path / "runs" / "one" / "prompt.md").write_text(TEXT * 2)

    gathered = gather(tmp_path, rows=10, seed=0)

    assert [passage.document for passage in gathered.passages] == ["a.md"]
    assert gathered.skipped == ("runs/one/: is the folder of a run, and holds no documents",)


def test_names_that_no_file_could_hold_become_some_that_can(tmp_path: Path) -> None:
    (tmp_path / "b\x1b[31m\nad.md").write_text(TEXT)
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.md")).write_text("Another text, which is long enough for one.")

    assert sorted(texts(tmp_path)) == ["?.md:1", "b[31m ad.md:1"]


def vanish(folder: Path) -> Path:
    return folder / "not there"


def empty(folder: Path) -> Path:
    return folder


def only_pictures(folder: Path) -> Path:
    (folder / "a.png").touch()
    return folder


def a_file(folder: Path) -> Path:
    (folder / "a.md").write_text(TEXT)
    return folder / "a.md"


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (vanish, "is no folder; --documents takes the folder"),
        (a_file, "is no folder; --documents takes the folder"),
        (empty, "holds no documents; they are read from .txt"),
        (only_pictures, "not read: a.png: is of a kind that is not read"),
    ],
)
def test_a_folder_without_documents_is_refused_in_a_line(
    make: Callable[[Path], Path], says: str, tmp_path: Path
) -> None:
    for read in (check_documents, lambda folder: gather(folder, rows=10, seed=0)):
        with pytest.raises(UserError, match=says):
            read(make(tmp_path))


def test_what_was_taken_comes_back_as_it_was_written(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_text(TEXT)
    taken = gather(tmp_path, rows=10, seed=0)

    write_documents(tmp_path / "documents.json", taken)

    assert read_documents(tmp_path / "documents.json") == taken


@pytest.mark.parametrize("text", ["", "{}", '{"passages": [], "skipped": []}', '{"passages": [{"a": 1}]}', "[1]"])
def test_what_was_written_and_damaged_says_the_way_out(text: str, tmp_path: Path) -> None:
    (tmp_path / "documents.json").write_text(text)

    with pytest.raises(UserError, match="delete it"):
        read_documents(tmp_path / "documents.json")


# -- pages


def page(text: str) -> tuple[str, list[str]]:
    """What is read of a page, and what is told."""
    told: list[str] = []
    return "".join(piece.text for piece in paragraphs(io.StringIO(text), broken=told.append)), told


def test_of_a_page_that_is_read_which_somebody_sees() -> None:
    html = "<script>if (a<b) evil()</script><style>p{}</style><p>One&nbsp;&amp; two</p><!-- no --><ul><li>a<li>b</ul>"

    assert page(html)[0].split() == ["One", "&", "two", "a", "b"]


@pytest.mark.parametrize(
    "html",
    [
        pytest.param("<p>read</p><![endless[", id="a declaration of no kind"),
        pytest.param("<p>read</p><" + "a" * (2 * MOST_MARKUP), id="a tag without end"),
        pytest.param("<p>read</p><!--" + "a" * (2 * MOST_MARKUP), id="a comment without end"),
        pytest.param("<p>read</p>" + "<b>" * 100_000, id="tags without end"),
        pytest.param("<p>read</p></script></svg>", id="ends without a beginning"),
        pytest.param("<p>read</p><svg/><img/><br/>", id="nothing in it"),
    ],
)
def test_broken_pages_are_read_as_far_as_they_are_pages(html: str) -> None:
    read, told = page(html)

    assert read.split()[0] == "read"
    assert len(told) <= 1


# -- coverage


def row(place: str | None, number: int) -> Example:
    source = Provenance(request=number, position=0, temperature=None, target=None, document=place)
    return Example(f"input {number}", "x", Vote("x", 1.0, ("x",)), source)


def test_coverage_says_what_was_shown_and_what_brought_rows() -> None:
    shown = tuple(Passage(f"{n % 2}.md", f"{n % 2}.md:{n}", f"text {n}") for n in range(6))
    documents = Documents(passages=shown, found=90, documents=5, skipped=("x.png: no",), unread=1)

    coverage = coverage_of(documents, [row("0.md:0", 0), row("0.md:0", 1), row("1.md:3", 2), row(None, 3)], requests=4)

    assert (coverage.documents, coverage.found, coverage.shown) == (5, 90, 4)
    assert (coverage.used, coverage.used_documents, coverage.most) == (2, 2, (("0.md", 2), ("1.md", 1)))
    assert coverage.skipped == ("x.png: no",)
