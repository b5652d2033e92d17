"""The work of curating done elsewhere: the same bytes come out, whoever does it."""

from __future__ import annotations

import importlib.util
import json
import os
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random
from typing import Any

import pytest

from agents.curating import spool
from agents.curating.curate import Wanted, curate
from agents.curating.on_ray import on_ray
from agents.curating.progress import Advance
from agents.curating.spool import ROWS_IN_A_PART, Part, spooled
from agents.curating.work import Columns, Each, in_turn
from agents.reading.roles import Row
from agents.records import Pair, Spec
from engine.cluster import connected
from engine.errors import MissingExtra, UserError
from tests.agents.commands import in_this_process

FILES = ("rows.parquet", "rows.jsonl", "rejected.parquet", "rejected.jsonl", "report.json", "report.html", "README.md")
HAS_RAY = importlib.util.find_spec("ray") is not None


def some_rows(path: Path, *, count: int = 160) -> Path:
    """Sentences of chance, with every reason among them to be left out."""
    chance, lines = Random(3), list[str]()
    words = [
        *("the", "a", "my", "our", "red", "green", "old", "new", "parcel", "letter", "van", "shop", "road", "door"),
        *("bell", "note", "arrived", "left", "broke", "waits"),
    ]
    texts = [" ".join(chance.choices(words, k=9)) for _ in range(count)]
    for number, text in enumerate(texts):
        again = texts[chance.randrange(number + 1)]
        said = chance.choice(
            [text] * 6 + [again, again.upper(), again + " now", "As an AI language model, I cannot.", " "]
        )
        lines.append(json.dumps({"input": said, "output": chance.choice("xy")}))
    lines[7:7] = ["no JSON at all", json.dumps({"input": "half \ud800 of one", "output": "x"})]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def by_others(work: Callable[[Any], Columns], things: Sequence[Any]) -> Iterator[Columns]:
    """As processes that share nothing do it, and in pieces that are cut anywhere."""
    alike = [pickle.loads(pickle.dumps(work))(pickle.loads(pickle.dumps(thing))) for thing in reversed(things)]  # noqa: S301
    for columns in reversed(alike):
        length = max((len(values) for values in columns.values()), default=0)
        for at in range(0, length, 97):
            yield {name: values[at : at + 97] for name, values in columns.items()}


def curated(folder: Path, source: Path, each: Each, *, part_rows: int = ROWS_IN_A_PART) -> list[bytes]:
    wanted = Wanted(spec=Spec(instruction="", demonstrations=(Pair("the old van waits at our red door", "x"),)))
    curate([str(source)], wanted, folder, each=each, part_rows=part_rows)
    return [(folder / name).read_bytes() for name in FILES]


@pytest.mark.long
def test_the_same_comes_out_whoever_does_the_work(tmp_path: Path) -> None:
    source = some_rows(tmp_path / "rows.jsonl")
    here = curated(tmp_path / "here", source, in_turn)

    assert curated(tmp_path / "elsewhere", source, by_others, part_rows=64) == here
    reasons = json.loads((tmp_path / "here" / "report.json").read_text(encoding="utf-8"))["rejected"]
    assert {"unreadable", "empty", "refusal", "conflict", "duplicate"} <= reasons.keys()


def test_whoever_waits_hears_how_many_of_how_many_are_done(tmp_path: Path) -> None:
    """Each row once in each of the passes, and none of them twice."""
    told: dict[str, list[int]] = {}
    totals: dict[str, int | None] = {}

    @contextmanager
    def showing(what: str, total: int | None) -> Iterator[Advance]:
        told[what], totals[what] = [], total
        yield told[what].append

    source = some_rows(tmp_path / "rows.jsonl", count=40)
    came = curate([str(source)], Wanted(), tmp_path / "out", showing=showing)

    done = {what: sum(more) for what, more in told.items()}
    assert done["reading the rows"] == came.read
    assert all(done[what] == total for what, total in totals.items() if total is not None)
    assert [totals[what] for what in ("looking at each row", "writing what is kept and what is not")] == [came.read] * 2


def test_rows_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    rows = [Row(i, "a", i, f"text {i}", None if i % 2 else "y", None) for i in range(9)] + [
        Row(9, "a", 9, "\ud800", "", "")
    ]

    parts = spooled(rows, tmp_path / "parts", size=4)

    assert [(part.first, part.end) for part in parts] == [(0, 4), (4, 8), (8, 10)]
    assert [row for part in parts for row in part] == rows
    assert list(spool.read_back(rows, tmp_path / "whole")) == rows
    assert spooled([], tmp_path / "none", size=4) == []
    assert isinstance(parts[0], Part)


@pytest.mark.skipif(HAS_RAY, reason="Ray is installed here")
def test_without_ray_a_line_says_what_to_install(tmp_path: Path) -> None:
    with (
        pytest.raises(MissingExtra, match=r"needs the 'ray' extra: pip install 'smelt\[ray\]'"),
        on_ray("local", folder=tmp_path),
    ):
        pass


@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("127.0.0.1:1", "--ray 127.0.0.1:1: nobody listens there"),
        ("somewhere", "--ray somewhere: an address is HOST:PORT"),
        ("127.0.0.1:99999", "an address is HOST:PORT"),
    ],
)
def test_a_wrong_address_is_said_in_a_line(address: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    class NoCluster:
        @staticmethod
        def is_initialized() -> bool:
            return False

    monkeypatch.setitem(sys.modules, "ray", NoCluster())
    with pytest.raises(UserError) as caught, connected(address):
        pass

    assert str(caught.value).startswith(says) or says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("cause", "told"),
    [
        pytest.param("none", "no Ray cluster runs on this machine; `ray start --head` starts one", id="none runs"),
        pytest.param(
            "AuthenticationError: RPC error", "the cluster wants a token: set RAY_AUTH_MODE=token", id="no token"
        ),
    ],
)
def test_why_a_cluster_lets_nobody_in_is_said_in_our_words_and_in_a_line(
    cause: str, told: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    class Closed:
        @staticmethod
        def is_initialized() -> bool:
            return False

        @staticmethod
        def init(**_: object) -> None:
            os.write(2, b"gcs_client.cc:210: Failed\n")
            raise ConnectionError("by setting `--address` flag") from RuntimeError(cause)

        @staticmethod
        def shutdown() -> None: ...

    monkeypatch.setitem(sys.modules, "ray", Closed())
    with pytest.raises(UserError, match=f"^--ray auto: {told}"):
        connected("auto").__enter__()
    assert capfd.readouterr().err == ""


def test_files_are_looked_for_before_a_cluster(tmp_path: Path) -> None:
    ran = in_this_process("curate", tmp_path / "missing.jsonl", "--ray", "127.0.0.1:1")

    assert (ran.code, ran.err) == (
        2,
        f"smelt: {tmp_path / 'missing.jsonl'}: cannot be read: No such file or directory\n",
    )


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Ray's own, of itself
@pytest.mark.skipif(not HAS_RAY, reason="Ray is not installed here: pip install 'smelt[ray]'")
def test_a_cluster_leaves_out_the_same_rows(tmp_path: Path) -> None:
    source = some_rows(tmp_path / "rows.jsonl")
    here = curated(tmp_path / "here", source, in_turn)

    with on_ray("local", folder=tmp_path / "there") as each:
        assert curated(tmp_path / "there", source, each, part_rows=128) == here
        with pytest.raises(UserError, match=r"there: \S+ does not see this folder; choose one with --out"):
            list(each(list, [Part(tmp_path / "nowhere", 0, 1)]))  # type: ignore[arg-type]  # it ends before it gives any
