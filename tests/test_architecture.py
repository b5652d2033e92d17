"""The shape of the tree: imports go one way, nothing heavy is loaded early, public names are told."""

from __future__ import annotations

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import agents
import engine
from engine import errors

ROOT = Path(__file__).parents[1]

# From what is general to what is special. A file may import what stands in an earlier row, and its own folder.
ENGINE_FLOORS = (
    ("errors", "clock", "messages", "text", "headers", "scope", "collector", "patterns", "structured", "silence"),
    ("events", "verdict", "prices", "memory"),
    ("throttle", "concurrency", "retry", "budget", "journal", "flow", "parts", "batching", "fallback"),
    ("providers", "limiter", "ledger", "spread"),
    ("admission", "bounds", "fakes"),
    ("statistics", "timeline", "dispatch"),
    ("attempt",),
    ("underway", "hedging", "batches"),
    ("shut",),
    ("branch",),
    ("relay",),
    ("routes",),
    ("dashboard",),
    ("core",),
    ("fleet",),
    ("log_file", "open_telemetry"),
)
WINGS = ("encoder", "retrieval", "signatures", "duplicates", "banded", "training", "onnx", "evaluation", "baselines",
         "desk", "serving", "cluster")  # fmt: skip
HEAVY = ("torch", "transformers", "datasets", "evaluate", "sklearn", "numpy", "pyarrow", "openai", "anthropic",
         "gradio", "aiohttp", "httpx", "huggingface_hub", "genai_prices", "rank_bm25", "jinja2",
         "jsonschema", "rensa", "ray", "onnx", "onnxruntime", "opentelemetry", "vl_convert")  # fmt: skip


def imports_of(path: Path) -> set[str]:
    """The modules that a file names, at its top and inside its functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


def python_files(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def part_of(path: Path) -> str:
    """The file or folder directly below `engine/` that a file belongs to."""
    return path.relative_to(ROOT / "engine").parts[0].removesuffix(".py")


def parts_named(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports_of(path) if name.startswith("engine.")}


def test_engine_never_imports_agents() -> None:
    guilty = [
        path for path in python_files("engine") if any(name.split(".")[0] == "agents" for name in imports_of(path))
    ]

    assert not guilty


def test_every_part_of_the_engine_has_its_floor() -> None:
    known = {part for floor in ENGINE_FLOORS for part in floor} | set(WINGS) | {"__init__"}

    assert {part_of(path) for path in python_files("engine")} <= known


@pytest.mark.parametrize("path", python_files("engine"), ids=lambda path: str(path.relative_to(ROOT)))
def test_engine_imports_point_one_way(path: Path) -> None:
    """A mechanism stands alone; providers know the nouns; only the core knows everybody."""
    part = part_of(path)
    if part == "__init__":
        return
    floors = {name: height for height, floor in enumerate(ENGINE_FLOORS) for name in floor}
    modules = {name.name for name in pkgutil.iter_modules([str(ROOT / "engine")])}
    named = (parts_named(path) & modules) - {part}
    if part in WINGS:
        allowed = {"errors", "text", "messages", "clock", "batching", "silence", "memory", *WINGS}
        assert named <= allowed
        return

    if part == "fleet":
        named -= {"cluster"}
    assert not named & set(WINGS)
    for other in named:
        same_floor_is_fine = floors[part] <= 1
        assert floors[other] < floors[part] or (same_floor_is_fine and floors[other] == floors[part]), (
            f"{part} -> {other}"
        )


@pytest.mark.parametrize("package", [engine, agents], ids=lambda package: package.__name__)
def test_public_names_are_listed_sorted_and_there(package: object) -> None:
    """Every module that lists `__all__` lists it sorted, and every name in it exists."""
    for info in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):  # type: ignore[attr-defined]
        if info.name.endswith("__main__"):
            continue
        module = importlib.import_module(info.name)
        names = getattr(module, "__all__", [])
        assert list(names) == sorted(names, key=lambda name: (not name.isupper(), name)) or list(names) == sorted(names)
        assert all(hasattr(module, name) for name in names), info.name


def test_the_engine_hands_out_what_it_lists_and_every_error() -> None:
    assert sorted(engine._HOME_OF) == sorted(engine.__all__)
    assert set(errors.__all__) <= set(engine.__all__)


@pytest.mark.parametrize(
    "code",
    [
        pytest.param("import engine, agents", id="import engine, agents"),
        pytest.param(
            "import sys; sys.argv = ['smelt', '--help']\nfrom agents.cli import main\n"
            "try: main()\nexcept SystemExit: pass",
            id="smelt --help",
        ),
    ],
)
def test_nothing_heavy_is_loaded_early(code: str) -> None:
    quietly = f"with contextlib.redirect_stdout(io.StringIO()):\n    exec({code!r})"
    probe = f"import contextlib, io, sys\n{quietly}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, cwd=ROOT, check=True)

    assert not {name.split(".")[0] for name in done.stdout.split()} & set(HEAVY)
