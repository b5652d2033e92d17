"""A disk that takes no student: one line, an older student untouched, nothing left lying about."""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.training.folder import Card, draft_of, new_folder, read_card, reason, write_card


def keep(folder: Path, *, family: str = "linear") -> None:
    with new_folder(folder) as draft:
        write_card(draft, Card(family=family))


def keep_half(folder: Path) -> None:
    with new_folder(folder) as draft:
        (draft / "model").write_bytes(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_one_line_and_leaves_the_older_student(tmp_path: Path) -> None:
    folder = tmp_path / "student"
    keep(folder, family="older")

    with pytest.raises(UserError, match=r"student: the student cannot be written \(No space left") as told:
        keep_half(folder)

    assert "make room" in str(told.value)
    assert "\n" not in str(told.value)
    assert read_card(folder).family == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


def test_whoever_may_read_one_file_of_a_student_may_read_its_weights(tmp_path: Path) -> None:
    """They are trained by one user and served by another, as a container's."""
    folder = tmp_path / "student"
    with new_folder(folder) as draft:
        (draft / "encoder").mkdir()
        for weights in (draft / "model.safetensors", draft / "encoder" / "model.safetensors"):
            weights.touch(mode=0o600)
        write_card(draft, Card(family="linear"))

    modes = {path.stat().st_mode for path in folder.rglob("*") if path.is_file()}
    assert modes == {(folder / "student.json").stat().st_mode}
    assert len(list(folder.rglob("*"))) == 4


@pytest.mark.long
def test_what_a_killed_process_left_is_cleared_and_what_another_writes_is_not(tmp_path: Path) -> None:
    program = "import os, pathlib, signal, sys; from engine.training.folder import draft_of\n"
    program += "with draft_of(pathlib.Path(sys.argv[1])): os.kill(os.getpid(), signal.SIGKILL)"
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "student")], check=False)
    (left,) = tmp_path.iterdir()

    with draft_of(tmp_path / "student") as mine, draft_of(tmp_path / "student") as other:
        assert {mine, other} == set(tmp_path.iterdir())

    assert left not in (mine, other)
    assert list(tmp_path.iterdir()) == []


def test_another_error_passes_through_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), new_folder(tmp_path / "student"):
        raise ZeroDivisionError

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError(errno.EROFS, "Read-only file system"), "Read-only file system"),
        (
            ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
            "No space left on device",
        ),
        (Exception("No space left on device (os error 28)"), "No space left on device"),
        (ValueError("odd"), "odd"),
        (ValueError(), "ValueError"),
    ],
)
def test_the_reason_is_told_in_few_words(error: Exception, told: str) -> None:
    assert reason(error) == told


def test_a_tokenizer_that_finds_no_room_is_a_full_disk_too(tmp_path: Path) -> None:
    """It raises a plain Exception, whose words are the system's; any other passes through."""
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"), new_folder(tmp_path / "new"):
        raise Exception("No space left on device (os error 28)")

    assert not list(tmp_path.iterdir())


def test_killed_while_an_older_student_was_replaced_it_comes_back_and_nothing_is_left(tmp_path: Path) -> None:
    """First the older one is put aside, then the new one takes its place: here it never came to that."""
    folder = tmp_path / "student"
    keep(folder, family="older")
    (tmp_path / ".student-x.older").mkdir()
    folder.rename(tmp_path / ".student-x.older" / "student")

    with draft_of(folder):
        back = read_card(folder).family

    assert back == "older"
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


def test_killed_once_a_student_was_replaced_the_older_one_goes(tmp_path: Path) -> None:
    folder = tmp_path / "student"
    keep(folder, family="older")
    (tmp_path / ".student-x.older").mkdir()
    folder.rename(tmp_path / ".student-x.older" / "student")
    draft = tmp_path / "new"
    draft.mkdir()
    write_card(draft, Card(family="newer"))
    draft.rename(folder)

    keep(folder, family="newest")

    assert read_card(folder).family == "newest"
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


def test_what_another_process_is_replacing_is_left_to_it(tmp_path: Path) -> None:
    aside = tmp_path / ".student-x.older"
    aside.mkdir()
    keep(aside / "student", family="older")
    entrance = os.open(aside, os.O_RDONLY)
    try:
        fcntl.flock(entrance, fcntl.LOCK_EX)
        with draft_of(tmp_path / "student"):
            there = (tmp_path / "student").exists()
    finally:
        os.close(entrance)

    assert not there
    assert read_card(aside / "student").family == "older"
