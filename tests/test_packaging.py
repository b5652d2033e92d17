"""What a user installs: a wheel with exactly our two packages, working in a fresh environment outside the clone."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.slow
def test_the_wheel_holds_exactly_engine_and_agents(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist() if ".dist-info/" not in name}
        names = set(archive.namelist())

    assert tops == {"engine", "agents"}
    assert "agents/prompts/generate.txt" in names
    assert "agents/demo/dates/prompt.md" in names
    assert "engine/retrieval/cards/models.jsonl" in names
    assert "engine/training/seed/shipped/seed.safetensors" in names
    assert "engine/training/seed/shipped/seed.json" in names


@pytest.mark.slow
def test_the_wheel_works_from_a_fresh_environment_outside_the_clone(wheel: Path, tmp_path: Path) -> None:
    """The wheel's files serve from an environment of its own, with this environment's packages beneath it."""
    venv.create(tmp_path / "env", with_pip=True)
    python = tmp_path / "env" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "-q", "--no-deps", wheel], check=True, capture_output=True)
    beneath = subprocess.run(
        [sys.executable, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"], capture_output=True, text=True
    ).stdout.strip()
    site = next((tmp_path / "env").glob("lib/python*/site-packages"))
    # addsitedir is not used: it would run the editable install's own hook and bring the clone back.
    (site / "beneath.pth").write_text(beneath + "\n")

    alone = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    where = subprocess.run(
        [python, "-c", "import agents; print(agents.__file__)"], capture_output=True, text=True, cwd=tmp_path, env=alone
    )
    parsed = subprocess.run(
        [tmp_path / "env" / "bin" / "smelt", "parse", site / "agents/demo/dates/prompt.md", "--json"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=alone,
    )

    assert where.stdout.startswith(str(tmp_path))
    assert parsed.returncode == 0, parsed.stderr
    assert '"demonstrations"' in parsed.stdout
