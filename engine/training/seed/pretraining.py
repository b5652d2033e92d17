"""Teaching the seed: a new `tiny` that practises every task at once, told which by a vector and never by words.

A student reads an input and no instruction, so the seed reads none either: which task an example is of is told by
vectors of that task, one added to the mark that ends the input, one to the mark that begins the output. They are thrown
away afterwards. What a student then learns first is such a vector of its own, in the place of these two marks. An
example in ten comes without, so that the place where a student starts is one that the seed has been at.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any, Final

from engine.training.greedy import IGNORED, padded
from engine.training.seed.tasks import Drawn, draw, maker_of, trained_tasks
from engine.training.spelling import PAD, Bytes
from engine.training.state import bring_back, state_of
from engine.training.threads import torch_threads

__all__ = ["Plan", "Told", "pretrain"]

NAMELESS: Final = 0.1
WARM_UP_STEPS: Final = 300
COMING_DOWN: Final = 0.2  # the share of the steps in which the learning rate comes down to nothing
STEPS_BETWEEN_STATES: Final = 500
POOL: Final = 256  # batches drawn together
GROUP: Final = 16  # batches of like outputs, within which inputs are sorted
STATE: Final = "state.safetensors"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """All that the seed depends on, beside the procedures."""

    steps: int
    width: int = 64
    batch: int = 48
    peak_learning_rate: float = 3e-3
    seed: int = 0

    def learning_rate(self, step: int) -> float:
        """The share of the peak: up, level for most of the way, then in a straight line down to nothing.

        Level, so that a longer training goes the same way as a shorter one up to where that comes down.
        """
        return min(1.0, (step + 1) / WARM_UP_STEPS, self._left(step) / COMING_DOWN)

    def is_level(self, step: int) -> bool:
        """Whether a longer training would stand at the same point."""
        return self._left(step) >= COMING_DOWN

    def _left(self, step: int) -> float:
        return max(0.0, (self.steps - step) / self.steps)


@dataclass(frozen=True, slots=True)
class Told:
    """How far it has come."""

    step: int
    loss: float
    seconds: float


def pretrain(
    model: Any,
    plan: Plan,
    *,
    folder: Path | None = None,
    between_states: int = STEPS_BETWEEN_STATES,
    tell: Callable[[Told], None],
) -> int:
    """Teach `model` in place, on one thread; gives the steps that were taken.

    In `folder` a state is kept now and then while the learning rate is level, and one that lies there is gone on from:
    also by a plan of more steps, which ends as if it had gone all the way by itself.
    """
    import torch

    model.set_attn_implementation("eager")  # in half precision the fused one takes a third of the time of a step more
    pupil = _pupil(model, tasks=len(trained_tasks()), seed=plan.seed)
    optimizer = torch.optim.AdamW(
        pupil.parameters(), lr=plan.peak_learning_rate, betas=(0.9, 0.99), weight_decay=0.0, fused=True
    )
    step = _go_on(pupil, optimizer, folder)
    started, losses = time.monotonic(), 0.0
    pupil.train()
    with torch_threads(1):
        for batch in _batches(plan, first=step):
            for group in optimizer.param_groups:
                group["lr"] = plan.peak_learning_rate * plan.learning_rate(step)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                loss = pupil(batch)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(pupil.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            step += 1
            losses += float(loss.detach())
            if step % between_states == 0:
                tell(Told(step, losses / between_states, time.monotonic() - started))
                losses = 0.0
                if folder is not None and plan.is_level(step):
                    _keep_state(pupil, optimizer, step, folder)
    return step


def _pupil(model: Any, *, tasks: int, seed: int) -> Any:
    """The model with two vectors a task, which are seen as far as they differ from the mean of all."""
    import torch

    width = model.config.d_model
    end = model.config.eos_token_id

    class Pupil(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model
            chance = torch.Generator().manual_seed(seed)
            self.vectors = torch.nn.Parameter(torch.randn(tasks, 2 * width, generator=chance))

        def forward(self, batch: Batch) -> Any:
            vectors = (self.vectors - self.vectors.mean(0))[batch.tasks] * batch.named[:, None]
            ends = (batch.inputs == end)[:, :, None]
            read = self.model.shared(batch.inputs) + ends * vectors[:, None, :width]
            written = self.model.shared(batch.begun)
            first = torch.zeros_like(batch.begun, dtype=torch.bool)
            first[:, 0] = True
            written = written + first[:, :, None] * vectors[:, None, width:]
            return self.model(
                inputs_embeds=read, attention_mask=batch.mask, decoder_inputs_embeds=written, labels=batch.labels
            ).loss

    return Pupil()


@dataclass(frozen=True, slots=True)
class Batch:
    """Tensors. `begun` is the output behind the mark that begins it; `named` is 0 where no task is told."""

    tasks: Any
    named: Any
    inputs: Any
    mask: Any
    begun: Any
    labels: Any


def _batches(plan: Plan, *, first: int) -> Iterator[Batch]:
    """From step `first` to the end. What a step learns from depends on its number and the seed alone."""
    makers = [maker_of(task) for task in trained_tasks()]
    for pool in range(first // POOL, -(-plan.steps // POOL)):
        chance = Random(f"{plan.seed}/{pool}")
        together = _alike(draw(makers, count=plan.batch * POOL, chance=chance), batch=plan.batch, chance=chance)
        for place, drawn in enumerate(together):
            named = [chance.random() >= NAMELESS for _ in drawn]
            if first <= pool * POOL + place < plan.steps:
                yield _batch(drawn, named)


def _alike(drawn: Sequence[Drawn], *, batch: int, chance: Random) -> list[list[Drawn]]:
    """Batches in which outputs, and within those inputs, are of like lengths, in an order of chance.

    Both, since a short word may come of a long table and a long one of a single digit: by inputs alone three cells of
    four are padding.
    """
    by_output = sorted(drawn, key=lambda one: len(one.row.output.encode()))
    groups = [by_output[at : at + batch * GROUP] for at in range(0, len(by_output), batch * GROUP)]
    rows = [one for group in groups for one in sorted(group, key=lambda one: len(one.row.input.encode()))]
    batches = [rows[at : at + batch] for at in range(0, len(rows), batch)]
    chance.shuffle(batches)
    return batches


def _batch(drawn: Sequence[Drawn], named: Sequence[bool]) -> Batch:
    import torch

    codec = Bytes()
    inputs, mask = padded([codec.encode(one.row.input) for one in drawn], pad=PAD)
    outputs = [codec.encode(one.row.output) for one in drawn]
    labels, _ = padded(outputs, pad=IGNORED)
    begun, _ = padded([[PAD, *output[:-1]] for output in outputs], pad=PAD)
    tasks = torch.tensor([one.task for one in drawn])
    return Batch(tasks, torch.tensor(named, dtype=torch.float32), inputs, mask, begun, labels)


def _keep_state(pupil: Any, optimizer: Any, step: int, folder: Path) -> None:
    from safetensors.torch import save_file

    draft = folder / "new.safetensors"
    tensors = {name: tensor.detach().contiguous() for name, tensor in state_of(pupil, optimizer).items()}
    save_file(tensors, draft, metadata={"step": str(step)})
    draft.replace(folder / STATE)


def _go_on(pupil: Any, optimizer: Any, folder: Path | None) -> int:
    """Take up the state that lies there; the step it was kept at, 0 where there is none."""
    from safetensors import safe_open

    if folder is None or not (folder / STATE).is_file():
        return 0
    with safe_open(folder / STATE, framework="pt") as file:
        state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        step = int(file.metadata()["step"])
    bring_back(pupil, optimizer, state)
    return step
