"""Several processes that somebody else has started, as torchrun and accelerate do: one student, and one who speaks."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.commands import ROOT

pytestmark = pytest.mark.slow


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def test_they_learn_one_student_together_and_one_of_them_speaks(tmp_path: Path) -> None:
    rows, student = tmp_path / "rows.jsonl", tmp_path / "student"
    told = [json.dumps({"input": f"word number {i}", "output": ("Yes", "no", "yes")[i % 3]}) for i in range(60)]
    rows.write_text("\n".join(told), encoding="utf-8")
    words = ["train", rows, "--student", "tiny", "--seconds", "1", "--threads", "1", "--no-memory", "--out", student]
    place = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}

    started = [
        subprocess.Popen(
            [sys.executable, "-m", "agents", *map(str, words)], cwd=ROOT, text=True,
            env={**os.environ, **place, "RANK": str(rank)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for rank in range(2)
    ]  # fmt: skip
    (out, err), silent = [process.communicate(timeout=100) for process in started]

    assert [process.returncode for process in started] == [0, 0], err
    assert "'Yes' (20) and 'yes' (20)" in err
    assert "step 1 of" in out
    assert silent == ("", "")
    assert json.loads((student / "student.json").read_text(encoding="utf-8"))["metrics"]["steps"] > 0
