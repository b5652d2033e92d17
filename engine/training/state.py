"""All that the next step of a training depends on, as tensors with names, and back: weights, optimizer, chance.

Weights that do not learn are not among them: they are as they were.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

__all__ = [
    "Tensors",
    "bring_back",
    "bring_back_chance",
    "copied",
    "learning",
    "named",
    "part_of",
    "put_back",
    "state_of",
]

Tensors: TypeAlias = Mapping[str, Any]


def learning(model: Any) -> dict[str, Any]:
    """The weights that learn, by name; one that has several names has one here."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def copied(model: Any) -> dict[str, Any]:
    """The weights that learn, as they are now."""
    return {name: weight.detach().clone() for name, weight in learning(model).items()}


def put_back(model: Any, weights: Tensors) -> None:
    """The other way round."""
    import torch

    with torch.no_grad():
        for name, weight in learning(model).items():
            weight.copy_(weights[name])


def state_of(model: Any, optimizer: Any) -> dict[str, Any]:
    """`optimizer` must have taken a step; its state holds nothing but tensors, as that of Adam."""
    import torch

    told = optimizer.state_dict()
    moments = {f"{number}.{name}": tensor for number, one in told["state"].items() for name, tensor in one.items()}
    rates = torch.tensor([group["lr"] for group in told["param_groups"]], dtype=torch.float64)
    return {
        **named("weights", learning(model)),
        **named("moments", moments),
        "rates": rates,
        "chance": torch.get_rng_state(),
    }


def bring_back(model: Any, optimizer: Any, state: Tensors) -> None:
    """Everything but chance, into a model and an optimizer of the same make."""
    put_back(model, part_of(state, "weights"))
    moments: dict[int, dict[str, Any]] = {}
    for path, tensor in part_of(state, "moments").items():
        number, _, name = path.partition(".")
        moments.setdefault(int(number), {})[name] = tensor
    groups = optimizer.state_dict()["param_groups"]
    for group, rate in zip(groups, state["rates"].tolist(), strict=True):
        group["lr"] = rate
    optimizer.load_state_dict({"state": moments, "param_groups": groups})


def bring_back_chance(state: Tensors) -> None:
    """Last of all, since making things ready draws from it."""
    import torch

    torch.set_rng_state(state["chance"])


def named(part: str, tensors: Tensors) -> dict[str, Any]:
    return {f"{part}.{name}": tensor for name, tensor in tensors.items()}


def part_of(tensors: Tensors, part: str) -> dict[str, Any]:
    """The other way round."""
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}
