"""Folders for other training tools: rows and a configuration that they know, field by field."""

from __future__ import annotations

import json
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.collect import collect
from agents.config import Configuration
from agents.parsing.specs import write_spec
from agents.records import Example, Provenance, Spec, Vote
from agents.reporting.data_card import DataCard
from agents.reporting.hand_over import TOOLS, Handed, sequence_length, template_of
from agents.run_folder import RunFolder
from tests.agents.commands import in_this_process as smelt

SPEC = Spec(instruction="Route the message.", kind="classification", labels=("card", "cash"))


def made(number: int) -> Example:
    output = "cash" if number % 4 == 0 else "card"
    source = Provenance(request=number, position=0, temperature=0.7, target=None)
    return Example(f"message {number} of somebody", output, Vote(output, 1.0, (output, output)), source)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with forty rows, as far as export looks."""
    pytest.importorskip("pyarrow")
    folder = RunFolder(tmp_path / "run")
    folder.begin(prompt="p", configuration=Configuration(model="simulated/dates", budget="1", train=False, seed=7))
    write_spec(folder.spec, SPEC)
    card = DataCard(teacher="simulated/dates", simulated=True)
    collect(SPEC, [made(number) for number in range(40)], [], folder=folder.data, card=card, seed=0)
    return folder.path


def loaded(path: Path) -> Any:
    import yaml

    text = path.read_text(encoding="utf-8")
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def lines(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("tool", TOOLS)
def test_a_folder_has_the_rows_and_a_configuration_that_parses(tool: str, run: Path, tmp_path: Path) -> None:
    """Every row to learn from and to choose by is there, as the tool reads it, and none to judge by."""
    out = tmp_path / "handed"

    done = smelt("export", run, "--format", tool, "--out", out)

    assert (done.code, done.err) == (0, "")
    written = {str(path.relative_to(out)) for path in out.rglob("*") if path.is_file()}
    handed = Handed(base="x", rows=1, has_validation=True, longest=256, seed=0)
    assert written == {"README.md", "data/train.jsonl", "data/validation.jsonl", *TOOLS[tool].files(handed)}
    assert all(loaded(out / name) for name in TOOLS[tool].files(handed))
    learnt, chosen_by = lines(out / "data/train.jsonl"), lines(out / "data/validation.jsonl")
    assert len(learnt) > len(chosen_by) > 0
    assert f"{len(learnt)} rows" in done.out
    assert set(learnt[0]) == ({"prompt", "completion"} if tool == "trl" else {"messages"})
    assert TOOLS[tool].start.split()[0].casefold() in (out / "README.md").read_text().casefold()


def test_llamafactory_finds_the_rows_that_it_is_told_of(run: Path, tmp_path: Path) -> None:
    smelt(
        "export",
        run,
        "--format",
        "llamafactory",
        "--base",
        "meta-llama/Llama-3.2-1B-Instruct",
        "--out",
        tmp_path / "lf",
    )

    train, described = loaded(tmp_path / "lf/train.yaml"), loaded(tmp_path / "lf/data/dataset_info.json")

    assert {train["dataset"], train["eval_dataset"]} == set(described)
    for part in described.values():
        rows = lines(tmp_path / "lf" / train["dataset_dir"] / part["file_name"])
        turns = rows[0][part["columns"]["messages"]]
        tags = part["tags"]
        assert [turn[tags["role_tag"]] for turn in turns] == [
            tags["system_tag"], tags["user_tag"], tags["assistant_tag"],
        ]  # fmt: skip
        assert all(turn[tags["content_tag"]] for turn in turns)
    assert train["model_name_or_path"] == "meta-llama/Llama-3.2-1B-Instruct"
    assert (train["template"], train["seed"]) == ("llama3", 7)


def test_axolotl_finds_the_rows_that_it_is_told_of(run: Path, tmp_path: Path) -> None:
    smelt("export", run, "--format", "axolotl", "--out", tmp_path / "axolotl")

    told = loaded(tmp_path / "axolotl/axolotl.yaml")

    for part in (*told["datasets"], *told["test_datasets"]):
        turns = lines(tmp_path / "axolotl" / part["path"])[0][part["field_messages"]]
        assert [turn["role"] for turn in turns] == ["system", "user", *part["roles_to_train"]]


@pytest.mark.long
def test_trl_takes_every_dial_but_those_of_its_own_from_transformers(run: Path, tmp_path: Path) -> None:
    """What is no field of its model and script arguments, or of its own trainer, is one of TrainingArguments."""
    transformers = pytest.importorskip("transformers")
    smelt("export", run, "--format", "trl", "--out", tmp_path / "trl")

    told = loaded(tmp_path / "trl/sft.yaml")

    of_trl = {
        "model_name_or_path", "use_peft", "lora_r", "lora_alpha", "lora_dropout", "lora_target_modules",
        "dataset_name", "dataset_train_split", "dataset_test_split", "max_length", "completion_only_loss",
    }  # fmt: skip
    assert set(told) - of_trl <= {field.name for field in fields(transformers.TrainingArguments)}
    assert (tmp_path / "trl" / told["dataset_name"] / f"{told['dataset_train_split']}.jsonl").is_file()
    assert (tmp_path / "trl" / told["dataset_name"] / f"{told['dataset_test_split']}.jsonl").is_file()


def test_a_job_for_the_service_has_its_fields(run: Path, tmp_path: Path) -> None:
    """All that the service takes but the ids of files, which it gives out itself."""
    params = pytest.importorskip("openai.types.fine_tuning.job_create_params")
    smelt("export", run, "--format", "openai", "--base", "gpt-mine", "--out", tmp_path / "job")

    told = loaded(tmp_path / "job/job.json")

    assert set(told) <= set(params.JobCreateParams.__annotations__)
    assert told["model"] == "gpt-mine"
    assert told["method"]["type"] == "supervised"


def test_without_rows_to_choose_by_nothing_is_said_of_them() -> None:
    handed = Handed(base="b", rows=3, has_validation=False, longest=256, seed=0)

    told = json.dumps([tool.files(handed) for tool in TOOLS.values()])

    assert "validation" not in told
    assert "eval" not in told


def test_lines_of_two_forms_can_still_be_had_alone(run: Path, tmp_path: Path) -> None:
    done = smelt("export", run, "--format", "trl", "--out", tmp_path / "rows.jsonl")

    assert done.code == 0
    assert set(lines(tmp_path / "rows.jsonl")[0]) == {"prompt", "completion"}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        pytest.param(["--format", "axolotl"], "say where with --out DIR", id="nowhere"),
        pytest.param(["--format", "axolotl", "--part", "test", "--out", "x"], "leave it out", id="part"),
        pytest.param(["--format", "trl", "--base", "m", "--out", "rows.jsonl"], "--base: stands in", id="base"),
        pytest.param(["--format", "llamafactory", "--out", "."], "is there already", id="there"),
        pytest.param(["--format", "other"], "llamafactory", id="unknown"),
    ],
)
def test_what_cannot_be_handed_over_is_said_in_a_line(
    words: list[str], told: str, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    done = smelt("export", run, *words)

    assert done.code == 2
    assert told in done.err
    assert done.err.count("\n") == 1


@given(st.integers(0, 10**6))
def test_there_is_room_for_the_longest_row_up_to_a_limit(longest: int) -> None:
    length = sequence_length(longest)

    assert 256 <= length <= 4096
    assert length & (length - 1) == 0
    assert length >= min(longest // 2, 4096)
    assert length == 256 or length // 2 < longest // 2


@pytest.mark.parametrize(
    ("base", "template"),
    [
        ("Qwen/Qwen3-0.6B", "qwen3_nothink"),
        ("Qwen/Qwen2.5-7B-Instruct", "qwen"),
        ("meta-llama/Meta-Llama-3-8B-Instruct", "llama3"),
        ("google/gemma-3-1b-it", "gemma3"),
        ("somebody/else", None),
    ],
)
def test_a_template_goes_by_the_name_of_the_model(base: str, template: str | None) -> None:
    assert template_of(base) == template


def test_what_a_killed_process_left_beside_the_folder_goes(run: Path, tmp_path: Path) -> None:
    left = tmp_path / ".rows-x.draft"
    left.mkdir()

    ran = smelt("export", run, "--format", "axolotl", "--out", tmp_path / "rows")

    assert ran.code == 0, ran.err
    assert [path.name for path in tmp_path.glob(".rows*")] == []
