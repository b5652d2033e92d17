"""The rows of a run with a configuration beside them, as other training tools load it: a folder that is ready to start.

Whose format it is, as of autumn 2026:
- axolotl: `axolotl train axolotl.yaml`, rows as `messages` (docs.axolotl.ai, `chat_template` datasets)
- llamafactory: `llamafactory-cli train train.yaml`, rows described by `dataset_info.json` (its data/README)
- openai: the body of a fine-tuning job, of which the service wants two uploaded files
- trl: `trl sft --config sft.yaml`, rows as prompt and completion, of which the completion is learnt

All but the service teach a LoRA adapter with the same dials; all learn the answers alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from agents.records import Spec
from agents.reporting.export import checked_parts, json_line, rows_of
from engine.errors import UserError
from engine.training.folder import draft_of

__all__ = ["TOOLS", "Handed", "Tool", "hand_over", "sequence_length", "template_of"]

BASE: Final = "Qwen/Qwen3-0.6B"
"""What the tools begin with unless told: small, openly licensed, and known to all of them."""

RANK, ALPHA, DROPOUT = 16, 32, 0.05
RATE = 2e-4
PASSES = 3
TOGETHER, STEPS_TOGETHER = 4, 4  # rows at once, and how often before a step: 16 rows a step
SHORTEST, LONGEST = 256, 4096
BYTES_A_TOKEN = 2  # and more in most languages; what is too long would be cut, too much room costs nothing

# Which of LLaMA-Factory's templates a model was trained with, by what its name holds. The first that fits; without
# any, the tool takes the one that the tokenizer brings.
TEMPLATES: Final = (
    ("qwen3", "qwen3_nothink"),
    ("qwen", "qwen"),
    ("llama-3", "llama3"),
    ("llama-2", "llama2"),
    ("gemma-3", "gemma3"),
    ("gemma", "gemma"),
    ("phi-4", "phi4"),
    ("mistral", "mistral"),
    ("smollm", "smollm"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Handed:
    """What a configuration is about: the model to begin with, the rows, how long they are, and the seed."""

    base: str
    rows: int
    has_validation: bool
    longest: int  # tokens of a row, with the instruction
    seed: int


@dataclass(frozen=True, slots=True)
class Tool:
    """A training tool: the form of its rows, how it is started, and its files by their names beside those of the rows.

    A file is a table of plain values; its ending says whether it is written as YAML or as JSON.
    """

    form: str
    start: str
    files: Callable[[Handed], Mapping[str, Mapping[str, object]]]
    base: str = BASE  # unless told


def sequence_length(longest_bytes: int) -> int:
    """Room for the longest row, in tokens: a power of two from 256 to 4,096."""
    needed = longest_bytes // BYTES_A_TOKEN
    length = SHORTEST
    while length < min(needed, LONGEST):
        length *= 2
    return length


def _trl(handed: Handed) -> Mapping[str, Mapping[str, object]]:
    validation = {"eval_strategy": "epoch", "dataset_test_split": "validation"} if handed.has_validation else {}
    return {
        "sft.yaml": {
            "model_name_or_path": handed.base,
            "dataset_name": "data",
            "dataset_train_split": "train",
            **validation,
            "max_length": handed.longest,
            "completion_only_loss": True,
            "use_peft": True,
            "lora_r": RANK,
            "lora_alpha": ALPHA,
            "lora_dropout": DROPOUT,
            "lora_target_modules": "all-linear",
            **_trainer(handed),
        }
    }


def _trainer(handed: Handed) -> Mapping[str, object]:
    """What transformers' Trainer is told, on which both stand."""
    return {
        "output_dir": "model",
        "num_train_epochs": PASSES,
        "per_device_train_batch_size": TOGETHER,
        "gradient_accumulation_steps": STEPS_TOGETHER,
        "learning_rate": RATE,
        "lr_scheduler_type": "cosine",
        "save_strategy": "epoch",
        "logging_steps": 10,
        "report_to": "none",
        "seed": handed.seed,
    }


def _axolotl(handed: Handed) -> Mapping[str, Mapping[str, object]]:
    def rows(part: str) -> dict[str, object]:
        return {
            "path": f"data/{part}.jsonl",
            "ds_type": "json",
            "split": "train",  # what every file is called within itself
            "type": "chat_template",
            "field_messages": "messages",
            "roles_to_train": ["assistant"],
            "train_on_eos": "turn",
        }

    validation = {"test_datasets": [rows("validation")], "evals_per_epoch": 1} if handed.has_validation else {}
    return {
        "axolotl.yaml": {
            "base_model": handed.base,
            "chat_template": "tokenizer_default_fallback_chatml",
            "datasets": [rows("train")],
            **validation,
            "dataset_prepared_path": "prepared",
            "output_dir": "model",
            "sequence_len": handed.longest,
            "sample_packing": False,
            "train_on_inputs": False,
            "adapter": "lora",
            "lora_r": RANK,
            "lora_alpha": ALPHA,
            "lora_dropout": DROPOUT,
            "lora_target_linear": True,
            "num_epochs": PASSES,
            "micro_batch_size": TOGETHER,
            "gradient_accumulation_steps": STEPS_TOGETHER,
            "optimizer": "adamw_torch_fused",
            "learning_rate": RATE,
            "lr_scheduler": "cosine",
            "bf16": "auto",
            "saves_per_epoch": 1,
            "logging_steps": 10,
            "seed": handed.seed,
        }
    }


def _llamafactory(handed: Handed) -> Mapping[str, Mapping[str, object]]:
    def described(part: str) -> dict[str, object]:
        return {
            "file_name": f"{part}.jsonl",
            "formatting": "sharegpt",
            "columns": {"messages": "messages"},
            "tags": {
                "role_tag": "role",
                "content_tag": "content",
                "user_tag": "user",
                "assistant_tag": "assistant",
                "system_tag": "system",
            },
        }

    parts = ("train", "validation") if handed.has_validation else ("train",)
    template = template_of(handed.base)
    validation = {"eval_dataset": "validation", "eval_strategy": "epoch"} if handed.has_validation else {}
    return {
        "data/dataset_info.json": {part: described(part) for part in parts},
        "train.yaml": {
            "model_name_or_path": handed.base,
            "stage": "sft",
            "do_train": True,
            "finetuning_type": "lora",
            "lora_rank": RANK,
            "lora_alpha": ALPHA,
            "lora_dropout": DROPOUT,
            "lora_target": "all",
            "dataset_dir": "data",
            "dataset": "train",
            **validation,
            **({} if template is None else {"template": template}),
            "cutoff_len": handed.longest,
            **_trainer(handed),
        },
    }


def template_of(base: str) -> str | None:
    """LLaMA-Factory's name for how a model writes a conversation; None leaves it to the tokenizer."""
    name = base.casefold()
    return next((template for part, template in TEMPLATES if part in name), None)


def _openai(handed: Handed) -> Mapping[str, Mapping[str, object]]:
    """The service chooses its own dials; the ids of the uploaded files are added by whoever uploads them."""
    return {
        "job.json": {
            "model": handed.base,
            "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": PASSES}}},
            "seed": handed.seed,
        }
    }


_UPLOAD = "upload the files in data/ for the purpose fine-tune, and post job.json with their ids"

TOOLS: Mapping[str, Tool] = {
    "axolotl": Tool("chat", "axolotl train axolotl.yaml", _axolotl),
    "llamafactory": Tool("chat", "llamafactory-cli train train.yaml", _llamafactory),
    "openai": Tool("openai", _UPLOAD, _openai, base="gpt-4.1-mini-2025-04-14"),
    "trl": Tool("trl", "trl sft --config sft.yaml", _trl),
}
"""The tools by the name of the format."""


# -- the folder


def hand_over(data: Path, out: Path, *, tool: str, spec: Spec, base: str | None, seed: int) -> int:
    """Write the rows of a run and the configuration into a new folder, whole or not at all; says how many rows learn.

    `data` is the run's folder of rows. Raises UserError where there are none, or `out` is there already.
    """
    if out.exists():
        raise UserError(f"{out}: is there already; choose another with --out")
    (learnt,) = checked_parts(data, ())
    has_validation = learnt == "train" and (data / "validation.parquet").is_file()
    with ExitStack() as stack:
        try:
            draft = stack.enter_context(draft_of(out))
        except OSError as error:
            raise UserError(f"{out.parent}: cannot be written: {error.strerror}") from error
        rows, longest = _write_rows(draft / "data" / "train.jsonl", data, learnt, tool=tool, spec=spec)
        if has_validation:
            _, other = _write_rows(draft / "data" / "validation.jsonl", data, "validation", tool=tool, spec=spec)
            longest = max(longest, other)
        handed = Handed(
            base=base or TOOLS[tool].base,
            rows=rows,
            has_validation=has_validation,
            longest=sequence_length(longest),
            seed=seed,
        )
        _write_files(draft, tool, handed)
        draft.chmod(0o755)  # until then its owner alone may read it
        draft.rename(out)
    return rows


def _write_rows(path: Path, data: Path, part: str, *, tool: str, spec: Spec) -> tuple[int, int]:
    """How many there are, and how many bytes the longest has."""
    path.parent.mkdir(exist_ok=True)
    lines = (json_line(row, spec=spec, form=TOOLS[tool].form) for row in rows_of(data, [part]))
    return _write_lines(path, lines)


def _write_lines(path: Path, lines: Iterable[bytes]) -> tuple[int, int]:
    rows = longest = 0
    with path.open("wb") as file:
        for line in lines:
            file.write(line)
            rows, longest = rows + 1, max(longest, len(line))
    return rows, longest


def _write_files(folder: Path, tool: str, handed: Handed) -> None:
    files = TOOLS[tool].files(handed)
    for name, table in files.items():
        (folder / name).write_bytes(_as_json(table) if name.endswith(".json") else _as_yaml(table))
    (folder / "README.md").write_text(_page(tool, handed, list(files)), encoding="utf-8")


def _as_json(table: Mapping[str, object]) -> bytes:
    import orjson

    return orjson.dumps(table, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def _as_yaml(table: Mapping[str, object]) -> bytes:
    import yaml

    text: str = yaml.safe_dump(dict(table), sort_keys=False, allow_unicode=True)
    return text.encode()


def _page(tool: str, handed: Handed, files: Sequence[str]) -> str:
    start = TOOLS[tool].start
    how = f"Within this folder: `{start}`." if tool != "openai" else f"{start[0].upper()}{start[1:]}."
    return (
        f"# Rows for {tool}\n\n{handed.rows:,} rows to learn from, written by Smelt, with {', '.join(files)} beside "
        f"them.\n\n{how}\n\nThe model to begin with and the dials stand there, for changing.\n"
    )
