"""Students as ONNX: the program that leaves answers as the student does, with nothing of ours beside it."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import UserError
from engine.fakes.checkpoints import save_encoder, save_tokenizer
from engine.onnx import agreement, open_exported, write_onnx
from engine.onnx.graphs import _quantise
from engine.training import Row, load, train
from engine.training.seq2seq import Tokens

pytest.importorskip("onnx", reason="the extra onnx is not installed")
pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")

from engine.onnx.programs.texts import Pieces  # it needs onnxruntime

ROOT = Path(__file__).parents[2]
TOPICS = {
    "weather": "rain sun clouds wind storm snow cold warm",
    "money": "price bank loan euro cost pay bill cheap",
    "food": "bread soup cheese apple salt cook oven taste",
}
STRANGE = ["", "  ", "ÄÖ 北京\u2028x", "x" * 500, "A a A a", "a b", "one", "İstanbul ſ", "\ud800", "no-word!!"]


def rows(count: int, *, labels: int = 3, seed: int = 0) -> list[Row]:
    chance = random.Random(seed)
    topics = dict(list(TOPICS.items())[:labels])
    made = []
    for _ in range(count):
        topic = chance.choice(list(topics))
        words = [*chance.choices(topics[topic].split(), k=3), *chance.choices(["the", "a", "is", "very", "today"], k=3)]
        made.append(Row(" ".join(chance.sample(words, 6)), topic))
    return made


def several(count: int) -> list[Row]:
    """Rows whose outputs are several labels."""
    pairs = zip(rows(count, seed=1), rows(count, seed=2), strict=True)
    return [Row(f"{a.input} {b.input}", ", ".join(sorted({a.output, b.output}))) for a, b in pairs]


@pytest.mark.parametrize("int8", [False, True], ids=["full", "int8"])
@pytest.mark.parametrize(
    "taught",
    [
        pytest.param(rows(80), id="three labels"),
        pytest.param(rows(80, labels=2), id="two labels"),
        pytest.param(several(120), id="several labels an answer"),
    ],
)
def test_labels_leave_as_they_are(tmp_path: Path, taught: list[Row], int8: bool) -> None:
    student = train("linear", taught, taught, tmp_path / "student")
    (tmp_path / "out").mkdir()

    write_onnx(tmp_path / "student", tmp_path / "out", int8=int8)
    inputs = [*(row.input for row in rows(60, seed=5)), *STRANGE]
    found = agreement(student, open_exported(tmp_path / "student", tmp_path / "out"), inputs)

    assert found.share == 1.0
    assert found.largest_difference < (0.03 if int8 else 1e-4)


def test_eight_bits_are_a_quarter_of_the_weights(tmp_path: Path) -> None:
    taught = rows(200)
    train("linear", taught, taught, tmp_path / "student")
    sizes = {}
    for int8 in (False, True):
        out = tmp_path / str(int8)
        out.mkdir()
        write_onnx(tmp_path / "student", out, int8=int8)
        sizes[int8] = (out / "model.onnx").stat().st_size

    assert sizes[True] < 0.65 * sizes[False], "what is left are the rarities of words, which stay as they are"


ALONE = """
import sys
class Nobody:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("engine", "agents", "torch", "transformers", "sklearn"):
            raise ImportError(name)
sys.meta_path.insert(0, Nobody())
sys.argv = ["predict.py", *sys.argv[2:]]
import runpy
runpy.run_path("predict.py", run_name="__main__")
"""


@pytest.mark.long
def test_it_runs_without_smelt_torch_and_scikit_learn(tmp_path: Path) -> None:
    taught = rows(80)
    student = train("linear", taught, taught, tmp_path / "student")
    (tmp_path / "out").mkdir()
    write_onnx(tmp_path / "student", tmp_path / "out", int8=True)

    done = subprocess.run(
        [sys.executable, "-I", "-c", ALONE, "-", "rain and snow"],
        capture_output=True, text=True, cwd=tmp_path / "out", check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert done.stdout.split("\t")[1].strip() == student.predict(["rain and snow"])[0].output


@pytest.mark.slow
def test_texts_leave_as_they_are(tmp_path: Path) -> None:
    """A model of seconds is unsure of most, so eight bits may turn some of its answers."""
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    taught = [Row(f"say {word}", word) for word in ("yes", "no", "maybe", "héllo")]
    student = train("tiny", taught, taught, tmp_path / "student", time_limit_s=2, threads=1)
    inputs = [*(row.input for row in taught), "say something longer", "", "x" * 5000, "\ud800"]
    for name in ("full", "int8"):
        (tmp_path / name).mkdir()

    write_onnx(tmp_path / "student", tmp_path / "full", int8=False)
    for path in (tmp_path / "full").iterdir():
        if path.suffix == ".onnx":  # as with int8=True, where the same graphs would be made once more
            _quantise(path, tmp_path / "int8" / path.name, large=False)
        else:
            shutil.copy(path, tmp_path / "int8")
    full, int8 = (
        agreement(student, open_exported(tmp_path / "student", tmp_path / n), inputs) for n in ("full", "int8")
    )

    assert full.share == 1.0
    assert full.largest_difference < 1e-3
    assert int8.share >= 0.5


@pytest.mark.parametrize("adds_end", [False, True], ids=["no mark", "an end mark"])
@pytest.mark.long
def test_pieces_are_read_as_the_student_reads_them(tmp_path: Path, adds_end: bool) -> None:
    """Some tokenizers add a mark at the end, and some none."""
    from tokenizers import Tokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import AutoTokenizer

    save_tokenizer(tmp_path)
    if adds_end:
        tokenizer = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
        tokenizer.post_processor = TemplateProcessing(single="$A <end>", special_tokens=[("<end>", 1)])
        tokenizer.save(str(tmp_path / "tokenizer.json"))
    ours = Tokens(AutoTokenizer.from_pretrained(tmp_path, local_files_only=True))
    theirs = Pieces(tmp_path / "tokenizer.json")

    assert ours.encode("") == (theirs.encode("") or [1])  # as the program has it before it reads
    for text in ("a b", "Äö 北京", "x" * 900, "<end>"):
        tokens = ours.encode(text)
        assert theirs.encode(text) == tokens
        assert theirs.decode(tokens) == ours.decode(tokens)
        assert (tokens[-1:] == [1]) == (adds_end or text == "<end>")


@pytest.mark.slow
def test_an_encoder_leaves_with_its_labels(tmp_path: Path) -> None:
    """The encoder is one of chance: what counts is that the same comes out, of texts that are too long as well."""
    pytest.importorskip("onnxscript", reason="the extra onnx is not installed")
    taught = [Row(f"where is parcel {n}", "delivery") for n in range(8)] + [
        Row(f"{n} euros back!", "refund") for n in range(8)
    ]
    base = save_encoder(tmp_path / "base")
    student = train("embedding", taught, taught, tmp_path / "student", base=str(base), threads=1)
    inputs = [*(row.input for row in taught), *STRANGE, "parcel " * 600]
    for name in ("full", "int8"):
        (tmp_path / name).mkdir()

    write_onnx(tmp_path / "student", tmp_path / "full", int8=False)
    shutil.copytree(tmp_path / "full", tmp_path / "int8", dirs_exist_ok=True)
    _quantise(tmp_path / "full" / "model.onnx", tmp_path / "int8" / "model.onnx", large=False)
    full, int8 = (
        agreement(student, open_exported(tmp_path / "student", tmp_path / n), inputs) for n in ("full", "int8")
    )

    assert full.share == 1.0
    assert full.largest_difference < 1e-3
    assert int8.share > 0.8


def test_a_family_without_such_a_form_is_told_the_way_out(tmp_path: Path) -> None:
    card = {"family": "causal", "format": 1, "sizes": {}, "metrics": {}, "task": {}}
    (tmp_path / "student.json").write_text(json.dumps(card))

    with pytest.raises(UserError, match=r"'causal' has no form in ONNX .* --format safetensors"):
        write_onnx(tmp_path, tmp_path, int8=True)


def test_no_inputs_are_no_agreement(tmp_path: Path) -> None:
    taught = rows(20)
    train("linear", taught, taught, tmp_path / "student")
    (tmp_path / "out").mkdir()
    write_onnx(tmp_path / "student", tmp_path / "out", int8=True)

    with pytest.raises(UserError, match="no inputs to compare"):
        agreement(load(tmp_path / "student"), open_exported(tmp_path / "student", tmp_path / "out"), [])
