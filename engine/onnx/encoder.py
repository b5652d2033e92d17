"""A student that reads with an encoder (`embedding`, `classifier`) as one graph: tokens in, shares of labels out."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from engine.encoder import Encoder
from engine.errors import UserError
from engine.onnx.graphs import check_packages, write_graph
from engine.training.head import Head, choice_kept

__all__ = ["write"]

BEFORE = ("classification", "query")
"""The kinds of texts whose first words, where the encoder wants any, it was taught behind: the first that there is."""


def write(student: Path, into: Path, *, int8: bool, opset: int) -> None:
    """Write `model.onnx`, `labels.json`, `tokenizer.json`, and in `onnx.json` how long a text may be."""
    import torch
    from safetensors.numpy import load_file

    check_packages()
    if not (student / "encoder" / "tokenizer.json").is_file():
        raise UserError(f"{student}: has no tokenizer.json, which ONNX needs: hand it on with --format safetensors")
    encoder = Encoder(student / "encoder")
    choice = choice_kept(json.loads((student / "labels.json").read_bytes()))
    head = Head.of_arrays(choice, load_file(student / "model.safetensors"))
    ids = torch.tensor([[encoder.pad + 1] * 4, [encoder.pad + 1] * 2 + [encoder.pad] * 2])
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    write_graph(
        _whole(encoder, head), {"input": ids, "mask": mask}, ("read", "read"), into / "model.onnx", out="shares",
        int8=int8, opset=opset,
    )  # fmt: skip
    told = {"reads": "pieces", "longest_input": encoder.longest, "before": _before(student / "encoder")}
    (into / "onnx.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    shutil.copyfile(student / "labels.json", into / "labels.json")
    shutil.copyfile(student / "encoder" / "tokenizer.json", into / "tokenizer.json")


def _whole(encoder: Encoder, head: Head) -> Any:
    import torch

    class Whole(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder.model
            self.head = head.layer()

        def forward(self, ids: Any, mask: Any) -> Any:
            scores = self.head(encoder.pooled(ids, mask))
            return scores.sigmoid() if head.choice.is_of_several else scores.softmax(-1)

    return Whole().eval()


def _before(folder: Path) -> str:
    """The words that the encoder wants before a text, as its folder tells."""
    try:
        prompts = json.loads((folder / "config_sentence_transformers.json").read_bytes()).get("prompts") or {}
    except (OSError, ValueError):  # transformers writes none
        return ""
    return next((str(prompts[kind]) for kind in BEFORE if prompts.get(kind)), "")
