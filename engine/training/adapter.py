"""LoRA: a few weights beside the many of a model that has read before, which alone are taught, and then added to them.

Hu et al. 2021, arXiv 2106.09685, through peft. All linear layers have them but the one that gives the words, as QLoRA
found best (Dettmers et al. 2023, arXiv 2305.14314).
"""

from __future__ import annotations

from typing import Any, Final

__all__ = ["RANK", "adapted", "merged", "peak_learning_rate"]

RANK: Final = 16
ALPHA: Final = 32
DROPOUT: Final = 0.05

HIGHEST_RATE: Final = 3e-3
WHOLE_SHARE: Final = 0.1


def adapted(model: Any, *, seed: int) -> Any:
    """The model with an adapter, which alone requires gradients; `model` itself computes with it from now on.

    Until it has learnt something, it changes no answer. The same seed gives the same beginning.
    """
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers.pytorch_utils import Conv1D

    config = LoraConfig(
        r=RANK,
        lora_alpha=ALPHA,
        lora_dropout=DROPOUT,
        target_modules="all-linear",
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),  # GPT-2 lays its weights so
        task_type="CAUSAL_LM",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return get_peft_model(model, config)


def merged(adapted_model: Any) -> Any:
    """The model with the adapter's weights added to its own: of the same make as before, and without peft."""
    return adapted_model.merge_and_unload()


def peak_learning_rate(width: int, *, whole: bool) -> float:
    """How fast to learn, by the width of a model's layers: narrow ones take more.

    An adapter takes some ten times as much as the whole model, and both fall with about the 0.77th power of the width:
    5e-4 at a width of 2,000 for an adapter, as Schulman and Thinking Machines Lab found over fourteen models ("LoRA
    Without Regret", 2025). Bounded, since that is no rule for the narrowest.
    """
    rate: float = 5e-4 * (2000 / width) ** 0.77
    return min(HIGHEST_RATE, rate * (WHOLE_SHARE if whole else 1.0))
