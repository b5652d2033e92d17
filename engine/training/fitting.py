"""The loop in which every model of torch learns: steps of like lengths, in parts that fit into memory, under a watch.

It knows examples by their lengths alone. What they are, how they become tensors and what the loss is, a family says:

    fitted = fit(model, examples, lesson=lesson, recipe=RECIPE, bookmark=bookmark, started=started, threads=2,
                 lengths=lambda row: (len(row.tokens),), collate=as_tensors, look=lambda: share_right(model))

transformers' Trainer would do the same for batches of a fixed number of rows. Here a batch is a number of tokens, its
parts are made smaller when memory runs out, a killed training goes on at its bookmark, and a step costs less.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from engine.memory import is_out_of_memory
from engine.training.bookmark import Bookmark
from engine.training.course import Course, EndedBy, learning_rate, steps_for
from engine.training.lesson import Lesson
from engine.training.machine import Machine, machine_for, torch_dtype
from engine.training.memory import Room, parts
from engine.training.order import Lengths, presented
from engine.training.recipe import Recipe
from engine.training.state import Tensors, bring_back, bring_back_chance, learning
from engine.training.student import Row
from engine.training.team import Followed
from engine.training.threads import torch_threads
from engine.training.watch import STEPS_BETWEEN_REPORTS, Watch

__all__ = ["LOOKED_AT", "Batch", "Fitted", "Loss", "drawn", "fit", "own_loss"]

E = TypeVar("E")

LOOKED_AT: Final = 300  # validation rows; at 300 the chance in a share of 0.9 is about 0.02
MOST_NORM: Final = 1.0  # of a step's gradient; beyond it is shortened

Batch: TypeAlias = Mapping[str, Any]
"""Tensors by the names under which a model takes them."""

Loss: TypeAlias = Callable[[Any, Batch], Any]
"""A model's loss on a batch, as the mean over whatever `mass` counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What came of it, under the names that it has in `student.json`."""

    steps: int
    steps_planned: int  # fewer were taken where the time limit or patience came first
    passes: float
    seconds: float
    loss: float
    validation_exact_match: float | None
    ended_by: EndedBy
    threads: int
    device: str
    precision: str
    rows_together: int | None  # where memory ran out: how many were computed together at last


def own_loss(model: Any, batch: Batch) -> Any:
    """What the model itself calls its loss, given `labels`."""
    return model(**batch).loss


def drawn(rows: Sequence[Row], *, seed: int) -> list[Row]:
    """The validation rows that are looked at: all, or so many that a look costs little."""
    return list(rows) if len(rows) <= LOOKED_AT else random.Random(seed).sample(list(rows), LOOKED_AT)


def fit(
    model: Any,
    examples: Sequence[E],
    *,
    lesson: Lesson,
    recipe: Recipe,
    lengths: Callable[[E], Lengths],
    collate: Callable[[Sequence[E]], Batch],
    look: Callable[[], float] | None,
    bookmark: Bookmark,
    started: float,
    threads: int,
    mass: Callable[[E], float] = lambda _: 1.0,
    loss: Loss = own_loss,
    overflows: bool = False,
) -> Fitted:
    """Teach `model` in place, by its weights that require gradients; it ends as it was at its best moment, on the CPU.

    `look` scores it on the validation rows, 0 to 1; None where there are none, and then the last moment is kept.
    `lengths` gives an example's tokens, `collate` makes a batch, `mass` is an example's part in the mean that `loss`
    is: its label tokens where that is a mean over tokens, 1 over rows, times its weight where it has one. `overflows`
    says that the model passes the range of float16 (T5 kinds do).

    `started` is when the caller began (`time.monotonic`): the time limit counts from there, and from where an earlier
    process that left `bookmark` had come to; the caller drops it when the student is kept.

    Of several processes that learn together each computes its part of every step, and the gradients are added up: the
    same steps as of one process, up to rounding and dropout. In those that follow it ends with Followed.

    Raises TrainingDiverged when the loss is no number, UserError when one row alone does not fit into memory.
    """
    recipe = lesson.applied(recipe)
    machine = machine_for(lesson.device, overflows=overflows)
    batch = min(recipe.batch, len(examples))
    steps = steps_for(
        len(examples), batch=batch, fewest=recipe.fewest_steps, passes=recipe.passes, most_passes=recipe.most_passes
    )
    course = Course(
        steps=steps, limit_s=lesson.time_limit_s, patience=recipe.patience, last_looks=recipe.last_looks
    )  # fmt: skip
    watch = Watch(course=course, model=model, look=look, lesson=lesson, started=started, bookmark=bookmark)
    sizes = [lengths(example) for example in examples]
    with torch_threads(threads), _in_training(model, machine, seed=lesson.seed):
        loop = _Loop(
            model, machine=machine, recipe=recipe, watch=watch, collate=collate, mass=mass, loss=loss, lesson=lesson
        )
        loop.begin(watch.go_on())
        for rows in presented(sizes, batch=batch, seed=lesson.seed, first=watch.step):
            if not loop.goes_on(steps):
                break
            loop.step([examples[row] for row in rows], [max(sizes[row]) for row in rows])
        if not lesson.team.leads:
            raise Followed
        loop.tell_loss()
        watch.finish()
    return Fitted(
        steps=watch.step,
        steps_planned=steps,
        passes=round(watch.step * batch / len(examples), 2),
        seconds=round(watch.seconds(), 2),
        loss=watch.loss,
        validation_exact_match=course.best,
        ended_by=course.ended_by(watch.step),
        threads=threads,
        device=machine.device,
        precision=machine.precision,
        rows_together=loop.room.most_rows,
    )


class _Loop:
    """One step after another: gradients of all its parts, then the optimizer, then the watch."""

    def __init__(
        self,
        model: Any,
        *,
        machine: Machine,
        recipe: Recipe,
        watch: Watch,
        collate: Callable[[Sequence[Any]], Batch],
        mass: Callable[[Any], float],
        loss: Loss,
        lesson: Lesson,
    ) -> None:
        import torch

        self._team = lesson.team
        self._is_enough = lesson.is_enough
        self._seed = lesson.seed
        self._share = 0.0  # of the peak learning rate, at this step
        self.room = Room(gib=machine.free_gib)
        self._model = model
        self._machine = machine
        self._recipe = recipe
        self._watch = watch
        self._collate = collate
        self._mass = mass
        self._loss = loss
        self._weights = list(learning(model).values())
        self._optimizer = torch.optim.AdamW(
            self._weights, lr=recipe.peak_learning_rate, weight_decay=recipe.weight_decay, fused=True
        )
        self._scaler = torch.amp.GradScaler(machine.device, enabled=machine.precision == "float16")
        self._losses: list[Any] = []  # since they were told last

    def begin(self, left: Tensors) -> None:
        """`left` is what an earlier process left at the step where the watch stands; empty at the beginning."""
        if left:
            bring_back(self._model, self._optimizer, left)
            bring_back_chance(left)
        self._team.begin(self._weights, step=self._watch.step)

    def goes_on(self, steps: int) -> bool:
        """Whether there is another step, by the leader's word."""
        watch, recipe = self._watch, self._recipe
        if watch.step and self._is_enough():
            watch.course.end()
        is_over = watch.step >= steps or watch.course.over
        share = learning_rate(watch.course.fraction, warm_up=recipe.warm_up, decay=recipe.decay)
        told = self._team.heed(None if is_over else share)
        self._share = told or 0.0
        return told is not None

    def step(self, examples: Sequence[Any], lengths: Sequence[int]) -> None:
        import torch

        for group in self._optimizer.param_groups:
            group["lr"] = self._recipe.peak_learning_rate * self._share
        self._losses.append(self._gradients_of_all(examples, lengths))
        self._scaler.unscale_(self._optimizer)
        torch.nn.utils.clip_grad_norm_(self._weights, MOST_NORM)
        self._scaler.step(self._optimizer)
        self._scaler.update()
        self._optimizer.zero_grad()
        watch = self._watch
        if not self._team.leads:
            watch.step += 1
            return
        watch.step_done(watch.step + 1)
        if watch.step == 1 or watch.step % STEPS_BETWEEN_REPORTS == 0:
            self.tell_loss()
            watch.mark(self._optimizer)

    def tell_loss(self) -> None:
        """The mean loss since it was told last, if there was a step: also of the last ones, which may have diverged."""
        import torch

        if self._losses:
            self._watch.loss_seen(float(torch.stack(self._losses).mean()))
            self._losses.clear()

    def _gradients_of_all(self, examples: Sequence[Any], lengths: Sequence[int]) -> Any:
        """The gradients and the loss of a step, whoever computes which part of it."""
        whole = sum(map(self._mass, examples))
        if self._team.size == 1:
            return self._gradients(examples, lengths, whole=whole)
        import torch

        torch.manual_seed((self._seed * 1_000_003 + self._watch.step) * self._team.size + self._team.rank)
        own, their_lengths = self._team.own(examples, lengths)
        loss = self._gradients(own, their_lengths, whole=whole) if own else torch.zeros((), device=self._machine.device)
        for weight in self._weights:
            weight.grad = torch.zeros_like(weight) if weight.grad is None else weight.grad
        self._team.add_up([*(weight.grad for weight in self._weights), loss])
        return loss

    def _gradients(self, examples: Sequence[Any], lengths: Sequence[int], *, whole: float) -> Any:
        """The gradients and the loss of some rows, begun anew with smaller parts for as long as memory runs out."""
        while True:
            try:
                return self._gradients_of(parts(examples, lengths, room=self.room), whole=whole)
            except (RuntimeError, MemoryError) as error:
                if not is_out_of_memory(error):
                    raise
            # Not before the exception is gone, which holds on to what was computed.
            self._make_room(len(examples), longest=max(lengths))

    def _gradients_of(self, some: Sequence[Sequence[Any]], *, whole: float) -> Any:
        total: Any = 0.0
        for part in some:
            share = sum(map(self._mass, part)) / whole
            loss = self._loss_of(part) * share
            self._scaler.scale(loss).backward()
            total = total + loss.detach()
        return total

    def _loss_of(self, part: Sequence[Any]) -> Any:
        import torch

        device, precision = self._machine.device, self._machine.precision
        batch = {name: tensor.to(device, non_blocking=True) for name, tensor in self._collate(part).items()}
        with torch.autocast(device, dtype=torch_dtype(precision), enabled=precision != "float32"):
            return self._loss(self._model, batch)

    def _make_room(self, rows: int, *, longest: int) -> None:
        import torch

        self._optimizer.zero_grad()
        if self._machine.device == "cuda":
            torch.cuda.empty_cache()
        first = not self.room.halved
        self.room.too_many(min(rows, self.room.rows(longest)), longest=longest)
        if first:
            self._watch.note(
                f"memory ran out at step {self._watch.step + 1}: fewer rows are computed together from now on, which "
                "changes the pace and not what is learnt"
            )


@contextmanager
def _in_training(model: Any, machine: Machine, *, seed: int) -> Iterator[None]:
    """The model where it is to be, with dropout on and nothing cached; afterwards as it came. Chance is our own."""
    import torch

    caches = getattr(model.config, "use_cache", None)
    with torch.random.fork_rng(devices=[torch.cuda.current_device()] if machine.device == "cuda" else []):
        torch.manual_seed(seed)
        model.to(machine.device).train()
        if caches is not None:
            model.config.use_cache = False  # for writing token by token; here it would only be computed
        try:
            yield
        finally:
            if caches is not None:
                model.config.use_cache = caches
            model.to("cpu").eval()
