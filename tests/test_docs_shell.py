"""The lines that a page says to type are typed, where they can be without a network: slow.

They are typed in a folder that has what pages take for granted (a prompt, rows, a run), by the line and in their order.
Runs are made smaller, and what would ask a hub, a real model or somebody at a keyboard is left out, with its reason.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.agents.commands import in_this_process

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])
INTENTS = ROOT / "agents" / "demo" / "intents"

NOT_TYPED = {
    r"smelt (serve|chat|fake-provider|watch)\b": "goes on until somebody stops it",
    r"smelt (teach|resume|init|estimate)\b": "has pages of tests of its own",
    r"--model (openai|anthropic|local|sdk)/|--against|--fallback|--budget": "asks a real model",
    r"--refresh|--push-to-hub|hub:": "asks the hub",
    r"--student (causal|classifier|embedding|seq2seq|tiny)|--tune|--examples [0-9]{4}": "trains for long",
    r"--ray\b": "asks Ray, and has tests of its own",
    r"--encoder|teachers/|labelled\.parquet": "needs what another page makes",
    r"--code ": "is about answers of another kind",
    r"runs/dates-2|runs/\*": "compares runs of one task, and here they are not",
}
SMALLER = {"run": ("--examples", "48", "--student", "linear", "--train-seconds", "5"), "generate": ("--examples", "24")}
LEAST = 40  # lines: a rule above that swallows more than it should is noticed


def lines_of(page: Path) -> list[str]:
    """What a page says to type, without comments."""
    blocks = re.findall(r"^```bash\n(.*?)^```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = (line.rstrip() for block in blocks for line in block.splitlines())
    return [
        line
        for line in lines
        if re.search(r"\bsmelt (?!--)", line) and not any(re.search(no, line) for no in NOT_TYPED)
    ]


def words_of(line: str) -> tuple[list[str], Path | None]:
    """The words of a line, and where its output goes."""
    words = shlex.split(line, comments=True)[1:]
    if ">" not in words:
        return words, None
    end = words.index(">")
    return words[:end], Path(words[end + 1])


TYPED = {page: lines for page in PAGES if (lines := lines_of(page))}


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the pages take for granted."""
    stage = tmp_path_factory.mktemp("furnished")
    (stage / "agents").symlink_to(ROOT / "agents")
    rows = [json.loads(line) for line in (INTENTS / "test.jsonl").read_text(encoding="utf-8").splitlines()]
    for name in ("my-task.md", "prompt.md"):
        shutil.copy(INTENTS / "prompt.md", stage / name)
    (stage / "my-task").mkdir()
    shutil.copy(INTENTS / "prompt.md", stage / "my-task")
    shutil.copy(ROOT / "agents" / "demo" / "dates" / "prompt.md", stage / "dates.md")
    shutil.copy(ROOT / "agents" / "demo" / "dates" / "test.jsonl", stage / "raw.jsonl")
    (stage / "smelt.toml").write_text('model = "simulated/intents"\n', encoding="utf-8")
    for name in ("rows", "mine", "my-rows", "test"):
        part = rows[300:] if name in ("mine", "my-rows", "test") else rows[:300]
        (stage / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in part), encoding="utf-8")
    _tables(stage, rows)
    made = in_this_process(
        "run", stage / "my-task.md", "--model", "simulated/intents", "--examples", "100", "--student", "linear",
        "--out", stage / "runs" / "my-task", "--quiet",
    )  # fmt: skip
    assert made.code == 0, made.err
    (stage / "runs" / "my-task" / "corrections.jsonl").write_text((stage / "mine.jsonl").read_text())
    for name in ("dates", "prompt"):
        shutil.copytree(stage / "runs" / "my-task", stage / "runs" / name)
    return stage


def _tables(stage: Path, rows: Sequence[dict[str, str]]) -> None:
    import pyarrow
    from pyarrow import csv, parquet

    inputs, outputs = ([row[name] for row in rows] for name in ("input", "output"))
    labelled = pyarrow.table({"message": inputs, "intent": outputs})
    csv.write_csv(labelled, stage / "labelled.csv")
    csv.write_csv(pyarrow.table({"input": inputs, "output": outputs}).slice(0, 200), stage / "train.csv")
    csv.write_csv(pyarrow.table({"input": inputs, "output": outputs}).slice(300), stage / "test.csv")
    parquet.write_table(pyarrow.table({"input": inputs, "output": outputs}).slice(200, 100), stage / "more.parquet")
    csv.write_csv(labelled.select(["message"]), stage / "tickets.csv")
    parquet.write_table(labelled.select(["message"]), stage / "tickets.parquet")
    (stage / "my-tables").mkdir()
    csv.write_csv(labelled, stage / "my-tables" / "tickets.csv")


@pytest.fixture
def place(furnished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it to stand in, without a key."""
    shutil.copytree(furnished, tmp_path / "here", symlinks=True)
    monkeypatch.chdir(tmp_path / "here")
    for key in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY"):
        monkeypatch.delenv(key, raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    return tmp_path / "here"


@pytest.mark.slow
@pytest.mark.parametrize("page", TYPED, ids=lambda page: str(page.relative_to(ROOT)))
@pytest.mark.usefixtures("at_once", "place")
def test_what_a_page_says_to_type_works(page: Path) -> None:
    for line in TYPED[page]:
        fed, _, typed = line.rpartition(" | ")
        if fed:
            continue  # standard input is a process's own: the pipes have tests of their own
        words, out = words_of(typed)
        if "--out clean" in typed:
            shutil.rmtree("clean", ignore_errors=True)  # several lines of a page may be ways of saying one thing
        ran = in_this_process(*words, *SMALLER.get(words[0], ()))

        assert ran.code == 0, f"{line}: {ran.err}"
        if out is not None:
            out.write_text(ran.out, encoding="utf-8")


def test_enough_is_typed() -> None:
    assert sum(map(len, TYPED.values())) >= LEAST
