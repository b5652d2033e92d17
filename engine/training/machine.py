"""On what a training computes, and in which numbers: a graphics card where there is one, half of the bits where it can.

What is there is asked for in one place; what follows from it is arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from engine.errors import UserError

__all__ = ["DEVICES", "Machine", "Precision", "device_for", "machine_for", "precision_for", "torch_dtype"]

Precision: TypeAlias = Literal["float32", "bfloat16", "float16"]

DEVICES = ("auto", "cpu", "cuda", "mps")


@dataclass(frozen=True, slots=True)
class Machine:
    """A device by torch's name, the numbers that are multiplied there, and how much memory it has free."""

    device: str = "cpu"
    precision: Precision = "float32"
    free_gib: float = 0.0  # of a graphics card; 0 where it is not asked for


def device_for(wanted: str, *, has_cuda: bool, has_mps: bool) -> str:
    """The device to use; "auto" takes what is fastest. UserError for one that is not there."""
    there = {"cpu": True, "cuda": has_cuda, "mps": has_mps}
    if wanted == "auto":
        return "cuda" if has_cuda else "cpu"  # small models gain nothing from mps, and it lacks some operations
    if wanted not in there:
        raise UserError(f"unknown device {wanted!r}; there are {', '.join(DEVICES)}")
    if not there[wanted]:
        have = ", ".join(name for name, is_there in there.items() if is_there)
        raise UserError(f"device {wanted!r} is not on this machine (there are: {have})")
    return wanted


def precision_for(device: str, *, has_bfloat16: bool, overflows: bool = False) -> Precision:
    """The numbers to multiply in. `overflows`: the model passes the range of float16, as T5 kinds do beyond 65,504.

    Cards before Ampere know float16 alone. bfloat16 has the range of float32; CPUs without matrix units for it are
    slower in it.
    """
    if device != "cuda":
        return "float32"
    if has_bfloat16:
        return "bfloat16"
    return "float32" if overflows else "float16"


def machine_for(wanted: str = "auto", *, overflows: bool = False) -> Machine:
    """What this machine has to train on."""
    import torch

    has_cuda = torch.cuda.is_available()
    device = device_for(wanted, has_cuda=has_cuda, has_mps=torch.backends.mps.is_available())
    if device != "cuda":
        return Machine(device)
    has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    free, _ = torch.cuda.mem_get_info()
    return Machine(device, precision_for(device, has_bfloat16=has_bfloat16, overflows=overflows), free / 2**30)


def torch_dtype(precision: Precision) -> Any:
    import torch

    return getattr(torch, precision)
