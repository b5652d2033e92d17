"""From a torch module to a graph in a file, and from weights to whole numbers of eight bits. Knows no student."""

from __future__ import annotations

import logging
import os
import tempfile
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

__all__ = ["check_packages", "write_graph"]

MOST_IN_A_FILE = 1 << 30  # bytes of weights: protobuf ends at two gigabytes, and a graph is more than its weights


def check_packages() -> None:
    """Raise ImportError where one is missing: whoever lacks it learns that before the work."""
    import onnxruntime  # noqa: F401
    import onnxscript  # noqa: F401


def write_graph(
    module: Any, example: Mapping[str, Any], lengths: Sequence[str], path: Path, *, out: str, int8: bool, opset: int
) -> None:
    """Write what a module does to tensors, for as many rows of whatever length.

    `example` has two rows of each input, by name; `lengths` names the length of each, the same name for the same
    length.
    """
    large = _bytes_of(module) > MOST_IN_A_FILE
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".full-") as elsewhere:
        full = Path(elsewhere) / path.name if int8 else path
        with _quiet():
            _write(module, example, lengths, full, out=out, large=large, opset=opset)
            if int8:
                _quantise(full, path, large=large)


def _write(
    module: Any, example: Mapping[str, Any], lengths: Sequence[str], path: Path, *, out: str, large: bool, opset: int
) -> None:
    import torch

    rows = torch.export.Dim("rows")
    named = {name: torch.export.Dim(name, min=1) for name in lengths}
    with torch.no_grad():
        torch.onnx.export(
            module,
            tuple(example.values()),
            str(path),
            input_names=list(example),
            output_names=[out],
            dynamic_shapes=tuple({0: rows, 1: named[name]} for name in lengths),
            opset_version=opset,
            dynamo=True,
            external_data=large,
            verbose=False,
        )


def _quantise(full: Path, into: Path, *, large: bool) -> None:
    """Each column of weights has its own scale; what is multiplied with it is brought to eight bits as it comes."""
    import onnx
    from onnxruntime.quantization import QuantType, quantize_dynamic

    graph = onnx.load_model(str(full))
    # The exporter turns weights round and leaves the shape that they had before, over which quantising stumbles.
    graph.graph.ClearField("value_info")
    plain = full.with_name(f"plain-{full.name}")
    onnx.save_model(graph, str(plain), save_as_external_data=large)
    quantize_dynamic(
        str(plain), str(into), weight_type=QuantType.QInt8, per_channel=True, use_external_data_format=large
    )


def _bytes_of(module: Any) -> int:
    return int(sum(each.numel() * each.element_size() for each in module.parameters()))


@contextmanager
def _quiet() -> Iterator[None]:
    """What exporters say while they work is for those who write them: lines, bars and warnings of every kind."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
