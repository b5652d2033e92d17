"""No pickle is ever opened, no foreign code run: by what stands in our sources, and with a pickle that would tell."""

from __future__ import annotations

import ast
import json
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.fakes.checkpoints import save_seq2seq
from engine.training import Row, load, read_card, train
from engine.training.pickles import check_weights

ROOT = Path(__file__).parents[2]
ROWS = [Row("good day", "hello"), Row("see you", "bye"), Row("good morning", "hello"), Row("farewell", "bye")]

CARD = {"family": "linear", "format": 1, "sizes": {}, "metrics": {}, "task": {}, "base": None}

UNPICKLERS = {"pickle", "cPickle", "_pickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "pickletools"}
OPENERS = {"torch.load", "pandas.read_pickle", "pd.read_pickle", "yaml.load", "yaml.unsafe_load", "yaml.full_load"}


class Bomb:
    """Whoever unpickles it makes a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def sources() -> list[Path]:
    return sorted(path for package in ("engine", "agents") for path in (ROOT / package).rglob("*.py"))


def faults(tree: ast.AST) -> list[str]:
    """What could open a pickle or run foreign code."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if alias.name.split(".")[0] in UNPICKLERS]
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] in UNPICKLERS:
            found.append(node.module)
        elif isinstance(node, ast.Attribute) and ast.unparse(node) in OPENERS:
            found.append(ast.unparse(node))
        elif isinstance(node, ast.keyword) and isinstance(node.value, ast.Constant):
            if node.arg in ("trust_remote_code", "allow_pickle") and node.value.value is not False:
                found.append(f"{node.arg}={node.value.value!r}")
            if node.arg in ("use_safetensors", "weights_only") and node.value.value is not True:
                found.append(f"{node.arg}={node.value.value!r}")
    return found


def test_the_eyes_of_the_next_test_are_open() -> None:
    """It finds what it is there to find."""
    bad = (
        "import pickle\nfrom joblib import load\nx = torch.load(p)\nnp.load(p, allow_pickle=True)\n"
        "M.from_pretrained(p, trust_remote_code=True, use_safetensors=False)"
    )

    assert len(faults(ast.parse(bad))) == 6
    assert not faults(ast.parse("np.load(p, allow_pickle=False)\nload_file(p)"))


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_source_of_ours_opens_a_pickle(path: Path) -> None:
    assert not faults(ast.parse(path.read_text(encoding="utf-8")))


@pytest.mark.long
def test_weights_are_taken_as_safetensors_wherever_transformers_loads_some() -> None:
    """`from_pretrained` would take a pickle, or ask whether to run foreign code, where it is not told otherwise."""
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("from_pretrained"):
                told = {keyword.arg for keyword in node.keywords}
                is_weights = "Model" in ast.unparse(node.func)
                assert "use_safetensors" in told or not is_weights, f"{path}: {ast.unparse(node.func)}"
                assert {"local_files_only", "trust_remote_code"} <= told, f"{path}: {ast.unparse(node.func)}"


def test_pickles_beside_a_student_are_never_opened(tmp_path: Path) -> None:
    train("linear", ROWS, ROWS, tmp_path / "student")
    for name in ("pytorch_model.bin", "model.pkl", "training_args.bin", "classifier.joblib", "rng_state.pth"):
        (tmp_path / "student" / name).write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))

    answer = load(tmp_path / "student").predict(["see you"])[0].output

    assert answer == "bye"
    assert not (tmp_path / "exploded").exists()


def test_a_student_whose_weights_are_a_pickle_is_refused_with_the_way_out(tmp_path: Path) -> None:
    train("linear", ROWS, ROWS, tmp_path / "student")
    (tmp_path / "student" / "model.safetensors").unlink()
    (tmp_path / "student" / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))

    with pytest.raises(UserError, match=r"pytorch_model\.bin only, a pickle, .* model\.save_pretrained"):
        load(tmp_path / "student")

    assert not (tmp_path / "exploded").exists()


def test_weights_that_are_a_pickle_by_another_name_are_refused(tmp_path: Path) -> None:
    train("linear", ROWS, ROWS, tmp_path / "student")
    (tmp_path / "student" / "model.safetensors").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))

    with pytest.raises(UserError, match="damaged student"):
        load(tmp_path / "student")

    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("family", ["seq2seq", "embedding", "classifier"])
def test_a_checkpoint_that_is_a_pickle_is_no_base(tmp_path: Path, family: str) -> None:
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text('{"model_type": "t5"}')
    (tmp_path / "base" / "pytorch_model.bin").write_bytes(pickle.dumps(Bomb(tmp_path / "exploded")))

    with pytest.raises(UserError, match="a pickle"):
        train(family, ROWS, ROWS, tmp_path / "student", base=str(tmp_path / "base"))

    assert not (tmp_path / "exploded").exists()


@pytest.mark.long
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("load(base)", "brings code of its own, which is never run"),
        ("train('seq2seq', ROWS, ROWS, base.parent / 'student', base=str(base))", "code of its own|cannot be loaded"),
    ],
    ids=["student", "base"],
)
def test_code_that_comes_with_a_model_is_never_run_whatever_the_keyboard_says(
    asked: str, told: str, tmp_path: Path
) -> None:
    base = save_seq2seq(tmp_path / "base")
    config = json.loads((base / "config.json").read_bytes())
    own = {"AutoConfig": "own.Config", "AutoModelForSeq2SeqLM": "own.Model"}
    (base / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": own}))
    (base / "own.py").write_text(f"import os\nos.mkdir({str(tmp_path / 'exploded')!r})\n")
    card = {**CARD, "family": "seq2seq", "sizes": {"longest_input": 8, "longest_output": 8}}
    (base / "student.json").write_text(json.dumps(card))
    program = (
        "import sys; from pathlib import Path; from engine.training import Row, load, train\n"
        f"base = Path(sys.argv[1]); ROWS = {ROWS!r}\n{asked}"
    )

    ran = subprocess.run([sys.executable, "-c", program, base], input="y\n" * 9, capture_output=True, text=True)

    assert re.search(f"UserError: .*({told})", ran.stderr), ran.stderr
    assert not (tmp_path / "exploded").exists()


def test_pickles_beside_safetensors_are_left_alone(tmp_path: Path) -> None:
    for name in ("model.safetensors", "optimizer.pt"):
        (tmp_path / name).write_bytes(b"")

    check_weights(tmp_path)


@pytest.mark.parametrize(
    ("card", "said"),
    [
        pytest.param({**CARD, "format": 0}, "reads format 1: train it again", id="older"),
        pytest.param({**CARD, "format": 2}, "reads format 1: it takes a newer Smelt", id="newer"),
        pytest.param({**CARD, "family": "huge"}, "unknown student family 'huge'", id="a family of another version"),
        pytest.param({**CARD, "sizes": []}, "damaged or not ours", id="damaged"),
        pytest.param({"model_type": "bert"}, "damaged or not ours", id="from elsewhere"),
        pytest.param([1], "damaged or not ours", id="no object"),
    ],
)
def test_a_folder_from_elsewhere_is_one_clear_line(tmp_path: Path, card: object, said: str) -> None:
    (tmp_path / "student.json").write_text(json.dumps(card))

    with pytest.raises(UserError, match=said) as caught:
        load(tmp_path)

    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_transformers_is_told_from_a_student(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")

    with pytest.raises(UserError, match="a checkpoint from elsewhere: train a student from it, with --base"):
        load(tmp_path)


def test_what_a_newer_version_adds_to_a_card_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "student.json").write_text(json.dumps({**CARD, "colour": "red"}))

    assert read_card(tmp_path).family == "linear"
