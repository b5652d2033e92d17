"""An encoder-decoder as two graphs: one reads the input whole, the other scores the token after those written so far.

The second reads what is written from its start at every step. A graph that keeps what it has read would write long
answers sooner, and have an input and an output for each layer, which the program would have to carry about.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from engine.errors import UserError
from engine.onnx.graphs import check_packages, write_graph
from engine.training import read_card
from engine.training.encoder_decoder import checkpoint
from engine.training.spelling import VOCABULARY, shorthand_in

__all__ = ["write"]


def write(student: Path, into: Path, *, int8: bool, opset: int) -> None:
    """Write `encoder.onnx`, `decoder.onnx` and what the program must know: `onnx.json`, a tokenizer if there is one."""
    import torch

    check_packages()
    card, model = read_card(student), checkpoint(student).eval()
    reads_bytes = card.family == "tiny"
    if not reads_bytes and not (student / "tokenizer.json").is_file():
        raise UserError(f"{student}: has no tokenizer.json, which ONNX needs: hand it on with --format safetensors")
    encoder, decoder = _halves(model)
    ids, mask = torch.tensor([[5, 6, 7, 1], [5, 1, 0, 0]]), torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    with torch.no_grad():
        hidden = encoder(ids, mask)
    write_graph(
        encoder, {"input": ids, "mask": mask}, ("read", "read"), into / "encoder.onnx", out="hidden", int8=int8,
        opset=opset,
    )  # fmt: skip
    write_graph(
        decoder, {"written": ids[:, :3], "hidden": hidden, "mask": mask}, ("written", "read", "read"),
        into / "decoder.onnx", out="scores", int8=int8, opset=opset,
    )  # fmt: skip
    told = {
        "reads": "bytes" if reads_bytes else "pieces",
        "start": model.config.decoder_start_token_id,
        "end": model.config.eos_token_id,
        "longest_input": card.sizes["longest_input"],
        "longest_output": card.sizes["longest_output"],
        "beginnings": card.sizes.get("beginnings", 1),  # of which an older card says nothing
        **({"first_mark": VOCABULARY, "marks": shorthand_in(student).texts} if reads_bytes else {}),
    }
    (into / "onnx.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    if not reads_bytes:
        shutil.copyfile(student / "tokenizer.json", into / "tokenizer.json")


def _halves(model: Any) -> tuple[Any, Any]:
    """The two halves as modules whose inputs and outputs are tensors."""
    import torch
    from transformers.modeling_outputs import BaseModelOutput

    class Encoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model.get_encoder()

        def forward(self, ids: Any, mask: Any) -> Any:
            return self.inner(input_ids=ids, attention_mask=mask).last_hidden_state

    class Decoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = model

        def forward(self, written: Any, hidden: Any, mask: Any) -> Any:
            read = BaseModelOutput(last_hidden_state=hidden)
            made = self.inner(encoder_outputs=read, attention_mask=mask, decoder_input_ids=written, use_cache=False)
            return made.logits[:, -1]

    return Encoder().eval(), Decoder().eval()
