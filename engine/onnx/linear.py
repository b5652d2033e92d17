"""The student `linear` as one graph: counts of terms in, a share for each label out.

Texts become counts outside of it: what makes words and characters of a text in ONNX knows ASCII only.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from engine.training.head import Head, choice_kept

__all__ = ["write"]

BLOCKS = {"words": "word_times", "characters": "character_times"}
"""The inputs of the graph: the places of terms and how often each is there, in two kinds."""

LEAST_LENGTH = 1e-12  # of a text without a known term, which would divide by nothing


def write(student: Path, into: Path, *, int8: bool, opset: int) -> None:
    """Write `model.onnx` and `vocabulary.json`. With `int8` each label's weights share a scale."""
    import onnx
    from safetensors.numpy import load_file

    arrays = load_file(student / "model.safetensors")
    names = json.loads((student / "vocabulary.json").read_bytes())
    head = Head.of_arrays(choice_kept(names), arrays)
    weights, words = head.weights.T, len(names["words"])  # (terms, labels)
    blocks = zip(BLOCKS.items(), (weights[:words], weights[words:]), strict=True)
    graph = _Graph()
    scores = [
        graph.block(name, times, idf=arrays[f"{name}.idf"], weights=each, int8=int8) for (name, times), each in blocks
    ]
    graph.shares(scores, bias=head.bias, several=head.choice.is_of_several)
    model = onnx.helper.make_model(
        graph.made(), opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=8, producer_name="smelt"
    )
    onnx.checker.check_model(model)
    onnx.save_model(model, str(into / "model.onnx"))
    shutil.copyfile(student / "vocabulary.json", into / "vocabulary.json")


class _Graph:
    """Nodes and constants, as they are added."""

    def __init__(self) -> None:
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._inputs: list[Any] = []

    def block(self, name: str, times: str, *, idf: Any, weights: Any, int8: bool) -> str:
        """One kind of terms: weighted by how rare each is, brought to length 1, and added up for each label."""
        import numpy as np

        self._input(name, "INT64")
        self._input(times, "FLOAT")
        one = self._constant(f"{name}_one", np.float32(1))
        seen = self._node("Min", times, one)
        logged = self._node("Add", self._node("Log", self._node("Max", times, one)), one)
        rare = self._node("Gather", self._constant(f"{name}_idf", idf.astype(np.float32)), name)
        values = self._node("Mul", self._node("Mul", seen, logged), rare)
        axes = self._constant(f"{name}_axes", np.array([1], np.int64))
        length = self._node("ReduceL2", values, axes, keepdims=1)
        length = self._node("Max", length, self._constant(f"{name}_least", np.float32(LEAST_LENGTH)))
        values = self._node("Unsqueeze", self._node("Div", values, length), axes)
        summed = self._node("MatMul", values, self._weights(name, weights, int8=int8))
        return self._node("Squeeze", summed, axes) if not int8 else self._scaled(name, summed, axes, weights)

    def shares(self, scores: list[str], *, bias: Any, several: bool) -> None:
        """How likely each label is: together 1 where an answer is one label, each by itself where it may be several."""
        import numpy as np

        total = self._node("Add", self._node("Add", *scores), self._constant("bias", bias.astype(np.float32)))
        if several:
            self._node("Sigmoid", total, called="shares")
        else:
            self._node("Softmax", total, axis=-1, called="shares")

    def made(self) -> Any:
        import onnx

        out = onnx.helper.make_tensor_value_info("shares", onnx.TensorProto.FLOAT, ["rows", "labels"])
        return onnx.helper.make_graph(self._nodes, "linear", self._inputs, [out], self._constants)

    def _weights(self, name: str, weights: Any, *, int8: bool) -> str:
        """The weights of the terms of each row: (rows, terms, labels)."""
        import numpy as np

        if not int8:
            return self._node("Gather", self._constant(f"{name}_weights", weights.astype(np.float32)), name)
        whole = np.rint(weights / _scale(weights)).astype(np.int8)
        picked = self._node("Gather", self._constant(f"{name}_weights", whole), name)
        return self._node("Cast", picked, to=1)  # onnx.TensorProto.FLOAT

    def _scaled(self, name: str, summed: str, axes: str, weights: Any) -> str:
        import numpy as np

        scale = self._constant(f"{name}_scale", _scale(weights).astype(np.float32))
        return self._node("Mul", self._node("Squeeze", summed, axes), scale)

    def _input(self, name: str, kind: str) -> None:
        import onnx

        width = name.removesuffix("_times").removesuffix("s")
        shape = ["rows", f"{width}_terms"]
        self._inputs.append(onnx.helper.make_tensor_value_info(name, getattr(onnx.TensorProto, kind), shape))

    def _constant(self, name: str, value: Any) -> str:
        import numpy as np
        import onnx

        self._constants.append(onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def _node(self, kind: str, *inputs: str, called: str | None = None, **attributes: object) -> str:
        import onnx

        name = called or f"{kind.lower()}_{len(self._nodes)}"
        self._nodes.append(onnx.helper.make_node(kind, list(inputs), [name], **attributes))
        return name


def _scale(weights: Any) -> Any:
    """What a whole number stands for, label by label."""
    import numpy as np

    return np.maximum(np.abs(weights).max(axis=0), np.finfo(np.float32).tiny) / 127
