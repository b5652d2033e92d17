"""The loop that every model of torch learns in: order, memory, machine, recipe, weights, watch."""

from __future__ import annotations

import itertools
import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import TrainingDiverged, UserError
from engine.memory import is_out_of_memory
from engine.training.bookmark import Bookmark
from engine.training.course import Course, learning_rate
from engine.training.fitting import Fitted, fit
from engine.training.lesson import Lesson
from engine.training.machine import device_for, precision_for
from engine.training.memory import MOST_ATTENTION, Room, parts
from engine.training.order import bucketed, presented
from engine.training.recipe import Recipe, preset
from engine.training.student import Row

LENGTHS = st.lists(st.tuples(st.integers(1, 60), st.integers(1, 60)), min_size=1, max_size=200)

# -- order


@given(LENGTHS, st.integers(1, 20), st.integers())
def test_a_pass_presents_every_row_once(lengths: list[tuple[int, int]], batch: int, seed: int) -> None:
    batches = bucketed(lengths, batch=batch, chance=random.Random(seed))

    assert sorted(itertools.chain(*batches)) == list(range(len(lengths)))
    assert all(batches)


def test_a_batch_has_like_lengths_and_as_many_tokens_as_any_other() -> None:
    chance = random.Random(0)
    lengths = [(chance.randint(1, 100), 1) for _ in range(1600)]

    batches = bucketed(lengths, batch=16, chance=chance)

    padded = [max(lengths[row][0] for row in rows) * len(rows) for rows in batches]
    needed = sum(length for length, _ in lengths)
    assert needed / sum(padded) > 0.9
    assert 90 <= len(batches) <= 110
    assert max(padded) < 2 * needed / len(batches)


def test_short_rows_come_in_larger_batches_than_long_ones() -> None:
    lengths = [(8, 2), (3, 2), (8, 2), (3, 2), (3, 2), (3, 2)]

    batches = bucketed(lengths, batch=3, chance=random.Random(0))

    assert sorted(map(sorted, batches)) == [[0, 2], [1, 3, 4, 5]]


def test_rows_of_equal_length_come_in_batches_of_equal_size() -> None:
    batches = bucketed([(5, 2)] * 640, batch=32, chance=random.Random(0))

    assert [len(rows) for rows in batches] == [32] * 20


@given(LENGTHS, st.integers(1, 20), st.integers(0, 50))
def test_what_was_presented_before_is_left_out_and_nothing_else(
    lengths: list[tuple[int, int]], batch: int, first: int
) -> None:
    whole = list(itertools.islice(presented(lengths, batch=batch, seed=1), 60))

    assert list(itertools.islice(presented(lengths, batch=batch, seed=1, first=first), 60 - first)) == whole[first:]


# -- memory


@given(st.lists(st.integers(1, 3000), min_size=1, max_size=100), st.none() | st.integers(1, 10))
def test_parts_hold_every_row_and_fit(lengths: list[int], most_rows: int | None) -> None:
    room = Room()
    room.most_rows = most_rows

    cut = parts(range(len(lengths)), lengths, room=room)

    assert sorted(itertools.chain(*cut)) == list(range(len(lengths)))
    assert all(len(part) <= room.rows(max(lengths)) for part in cut)
    assert max(map(len, cut)) - min(map(len, cut)) <= 1


@given(st.integers(1, 5000))
def test_fewer_rows_fit_where_they_are_longer_but_always_one(longest: int) -> None:
    rows = Room().rows(longest)

    assert rows == 1 or rows * longest**2 <= MOST_ATTENTION
    assert 1 <= Room().rows(longest + 1) <= rows <= Room(gib=80).rows(longest)


def test_each_time_memory_runs_out_half_as_many_are_tried() -> None:
    room = Room()
    tried = []
    for _ in range(5):
        tried.append(min(32, room.rows(10)))
        room.too_many(tried[-1], longest=10)

    assert tried == [32, 16, 8, 4, 2]
    assert room.halved == 5
    with pytest.raises(UserError, match=r"one row of 1,234 tokens does not fit into memory: leave out"):
        room.too_many(1, longest=1234)


class OutOfMemoryError(RuntimeError):
    """As torch calls its own."""


@pytest.mark.parametrize(
    ("error", "is_one"),
    [
        pytest.param(OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), True, id="cuda"),
        pytest.param(RuntimeError("MPS backend out of memory (MPS allocated: 1 GB)"), True, id="mps"),
        pytest.param(
            RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"), True, id="cpu"
        ),
        pytest.param(RuntimeError("not enough memory: you tried to allocate 4 bytes"), True, id="Windows"),
        pytest.param(MemoryError(), True, id="Python"),
        pytest.param(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), False, id="a bug"),
        pytest.param(ValueError("out of memory"), False, id="a value"),
    ],
)
def test_memory_that_ran_out_is_told_from_other_errors(error: Exception, is_one: bool) -> None:
    assert is_out_of_memory(error) is is_one


# -- machine


@pytest.mark.parametrize(
    ("wanted", "has", "device"),
    [
        ("auto", {"has_cuda": True, "has_mps": False}, "cuda"),
        ("auto", {"has_cuda": False, "has_mps": True}, "cpu"),
        ("auto", {"has_cuda": False, "has_mps": False}, "cpu"),
        ("cpu", {"has_cuda": True, "has_mps": False}, "cpu"),
        ("mps", {"has_cuda": False, "has_mps": True}, "mps"),
    ],
)
def test_a_graphics_card_is_taken_where_there_is_one(wanted: str, has: dict[str, bool], device: str) -> None:
    assert device_for(wanted, **has) == device


@pytest.mark.parametrize(
    ("wanted", "says"),
    [("cuda", r"device 'cuda' is not on this machine \(there are: cpu, mps\)"), ("tpu", "unknown device 'tpu'")],
)
def test_a_device_that_is_not_there_is_one_line(wanted: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        device_for(wanted, has_cuda=False, has_mps=True)


def test_half_of_the_bits_are_taken_where_the_card_and_the_model_can() -> None:
    assert precision_for("cpu", has_bfloat16=True) == "float32"
    assert precision_for("mps", has_bfloat16=True) == "float32"
    assert precision_for("cuda", has_bfloat16=True, overflows=True) == "bfloat16"
    assert precision_for("cuda", has_bfloat16=False) == "float16"
    assert precision_for("cuda", has_bfloat16=False, overflows=True) == "float32"


# -- recipe and course

RECIPE = Recipe(batch=8, peak_learning_rate=0.05, fewest_steps=40, passes=1, most_passes=100, longest_input=16)


def test_the_paper_s_preset_has_its_published_defaults_and_leaves_sizes_alone() -> None:
    paper = preset("paper", replace(RECIPE, batch=64, fewest_steps=4000, patience=3))

    assert (paper.peak_learning_rate, paper.passes, paper.most_passes, paper.fewest_steps) == (5e-5, 3, 3, 1)
    assert (paper.decay, paper.warm_up, paper.weight_decay, paper.batch) == ("linear", 0, 0, 8)
    assert (paper.longest_input, paper.patience) == (16, None)
    assert preset("own", RECIPE) is RECIPE
    with pytest.raises(UserError, match="unknown preset 'fast'; there are own, paper"):
        preset("fast", RECIPE)


def test_a_linear_decay_without_warm_up_begins_at_the_peak() -> None:
    rates = [learning_rate(fraction, warm_up=0, decay="linear") for fraction in (0, 0.25, 1, 2)]

    assert rates == [1, 0.75, 0, 0]


def test_patience_counts_looks_in_vain_once_anything_was_right() -> None:
    course = Course(steps=100, patience=2)
    over = []
    for step, score in enumerate((0, 0, 0, 0.5, 0.5, 0.6, 0.5, 0.6), start=1):
        course.step_done(step, seconds=0)
        course.looked(score, took_s=0)
        over.append(course.over)

    assert over == [False] * 7 + [True]
    assert course.ended_by(8) == "patience"
    again = Course(steps=100, patience=2)
    again.recall(course.told())
    assert again.over


def test_what_ended_a_course_is_told() -> None:
    course = Course(steps=10, limit_s=5)
    course.step_done(3, seconds=6)

    assert course.ended_by(3) == "time"
    assert course.ended_by(10) == "steps"


def test_a_course_is_over_when_somebody_asks_for_it() -> None:
    course = Course(steps=10)
    course.step_done(3, seconds=1)
    course.end()

    assert course.over
    assert not course.look_due(seconds=1)
    assert (course.ended_by(3), course.ended_by(10)) == ("request", "steps")


# -- lesson

ROWS = tuple(Row(f"{number:03b}", str(number % 2)) for number in range(8)) * 4


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"weights": (1.0,)}, "one weight a row"),
        ({"weights": (0.0,) * 32}, "must be above 0"),
        ({"weights": (float("inf"),) * 32}, "must be above 0"),
        ({"preset": "fast"}, "unknown preset 'fast'"),
    ],
    ids=["too few", "nothing", "without end", "preset"],
)
def test_a_lesson_that_makes_no_sense_is_one_line(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        Lesson(rows=ROWS, **wrong)


# -- learning: a model of three bits, so that a whole training takes a moment


@dataclass
class Config:
    """As much of a model's as the loop asks for."""

    use_cache: bool = True


@dataclass
class Output:
    loss: Any
    logits: Any


def bits(*, dropout: float = 0.1) -> Any:
    """A model that tells one bit from three, by one layer; the others do not learn."""
    import torch

    class Bits(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.config = Config()
            self.head = torch.nn.Linear(3, 2)
            self.frozen = torch.nn.Linear(3, 2)
            self.frozen.requires_grad_(False)

        def forward(self, bits: Any, labels: Any) -> Output:
            assert not self.config.use_cache
            logits = self.head(torch.nn.functional.dropout(bits, dropout, self.training))
            return Output(torch.nn.functional.cross_entropy(logits, labels), logits)

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Bits()


def collate(rows: Sequence[Row]) -> Mapping[str, Any]:
    import torch

    return {
        "bits": torch.tensor([[float(bit) for bit in row.input] for row in rows]),
        "labels": torch.tensor([int(row.output) for row in rows]),
    }


def share_right(model: Any) -> float:
    import torch

    was_training = model.training
    model.eval()
    model.config.use_cache = False
    with torch.inference_mode():
        batch = collate(ROWS[:8])
        right = model(**batch).logits.argmax(1) == batch["labels"]
    model.train(was_training)
    return float(right.float().mean())


def learn(model: Any, folder: Path, *, lesson: Lesson | None = None, recipe: Recipe = RECIPE, **how: Any) -> Fitted:
    lesson = lesson or Lesson(rows=ROWS)
    given: dict[str, Any] = {
        "lengths": lambda row: (len(row.input),),
        "collate": collate,
        "look": lambda: share_right(model),
        "bookmark": Bookmark(folder / "student.part", training="this", soonest_s=0, now=lambda: 0.0),
    }
    return fit(
        model, lesson.rows, lesson=lesson, recipe=recipe, started=time.monotonic(), threads=1, **(given | how)
    )  # fmt: skip


def weights_of(model: Any) -> list[float]:
    return [float(each) for each in model.head.weight.detach().flatten()]


@pytest.mark.long
def test_a_model_learns_and_only_by_what_may_learn(tmp_path: Path) -> None:
    model = bits()
    frozen = model.frozen.weight.clone()

    fitted = learn(model, tmp_path)

    assert fitted.validation_exact_match == 1
    assert (fitted.steps, fitted.steps_planned, fitted.ended_by) == (40, 40, "steps")
    assert (fitted.device, fitted.precision, fitted.rows_together) == ("cpu", "float32", None)
    assert model.frozen.weight.equal(frozen)
    assert model.config.use_cache
    assert not model.training


@pytest.mark.long
def test_the_same_seed_gives_the_same_weights_and_leaves_chance_alone(tmp_path: Path) -> None:
    import torch

    before = torch.get_rng_state()
    models = [bits(), bits(), bits()]
    for model, seed in zip(models, (1, 1, 2), strict=True):
        learn(model, tmp_path / str(seed), lesson=Lesson(rows=ROWS, seed=seed))

    assert torch.get_rng_state().equal(before)
    assert weights_of(models[0]) == weights_of(models[1]) != weights_of(models[2])


@pytest.mark.long
def test_the_best_moment_is_kept_and_patience_ends_a_training(tmp_path: Path) -> None:
    model, scores, seen = bits(), iter([0.5, 0.9, 0.4, 0.3, 0.2, 0.1]), list[list[float]]()

    def look() -> float:
        seen.append(weights_of(model))
        return next(scores)

    fitted = learn(model, tmp_path, recipe=replace(RECIPE, patience=2), look=look)

    assert (fitted.ended_by, fitted.steps) == ("patience", 16)
    assert fitted.validation_exact_match == 0.9
    assert weights_of(model) == seen[1]


@pytest.mark.long
def test_whoever_has_enough_gets_the_best_moment_so_far(tmp_path: Path) -> None:
    """Not before the first step: there is nothing to keep then."""
    model, scores, seen = bits(), iter([0.5, 0.9, 0.4, 0.3]), list[list[float]]()

    def look() -> float:
        seen.append(weights_of(model))
        return next(scores)

    enough = Lesson(rows=ROWS, is_enough=lambda: len(seen) == 3)
    fitted = learn(model, tmp_path, look=look, lesson=enough)
    at_once = learn(bits(), tmp_path, lesson=Lesson(rows=ROWS, is_enough=lambda: True))

    assert (fitted.ended_by, fitted.steps, fitted.steps_planned) == ("request", 12, 40)
    assert fitted.validation_exact_match == 0.9
    assert weights_of(model) == seen[1]
    assert (at_once.steps, at_once.ended_by) == (1, "request")


@pytest.mark.long
def test_memory_that_runs_out_changes_the_pace_and_not_what_is_learnt(tmp_path: Path) -> None:
    """Steps of 8 rows, of which a machine holds 3: computed 8, 4, then 2 at a time."""
    notes: list[str] = []
    roomy, narrow = bits(dropout=0), bits(dropout=0)  # each part would draw its own chance
    whole = learn(roomy, tmp_path / "roomy")

    def with_little_memory(model: Any, batch: Mapping[str, Any]) -> Any:
        if len(batch["labels"]) > 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 8 bytes")
        return model(**batch).loss

    halved = learn(
        narrow,
        tmp_path / "narrow",
        loss=with_little_memory,
        lesson=Lesson(rows=ROWS, on_note=notes.append),
    )

    assert (whole.rows_together, halved.rows_together) == (None, 2)
    assert halved.steps == whole.steps
    assert weights_of(narrow) == pytest.approx(weights_of(roomy), abs=1e-4)
    assert len(notes) == 1
    assert "memory ran out at step 1" in notes[0]


@pytest.mark.long
def test_one_row_that_does_not_fit_is_one_line(tmp_path: Path) -> None:
    def without_memory(_: Any, __: Any) -> Any:
        raise MemoryError

    with pytest.raises(UserError, match="one row of 3 tokens does not fit"):
        learn(bits(), tmp_path, loss=without_memory)


@pytest.mark.long
def test_other_errors_pass_through(tmp_path: Path) -> None:
    def broken(_: Any, __: Any) -> Any:
        raise RuntimeError("shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="shapes"):
        learn(bits(), tmp_path, loss=broken)


@pytest.mark.long
def test_a_part_of_a_step_counts_as_much_as_its_mass(tmp_path: Path) -> None:
    """Row by row, with all mass on those whose answer is 0: an input of 1 is answered 0 too."""
    model = bits()

    def row_by_row(model: Any, batch: Mapping[str, Any]) -> Any:
        if len(batch["labels"]) > 1:
            raise MemoryError
        return model(**batch).loss

    learn(model, tmp_path, look=None, loss=row_by_row, mass=lambda row: 1e-9 if row.output == "1" else 1.0)

    assert share_right(model) == 0.5


@pytest.mark.long
def test_a_loss_that_is_no_number_ends_it_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(TrainingDiverged, match=r"the loss at step 1 is nan.*try another seed"):
        learn(bits(), tmp_path, loss=lambda model, batch: model(**batch).loss * float("nan"))

    assert not (tmp_path / "student.part").exists()


@pytest.mark.long
def test_a_loss_that_is_no_number_is_seen_in_the_very_last_steps_too(tmp_path: Path) -> None:
    """Losses are told every twenty steps, and those of the steps after that are told in the end."""
    calls = itertools.count(1)

    def late(model: Any, batch: Mapping[str, Any]) -> Any:
        return model(**batch).loss * (float("nan") if next(calls) > 45 else 1.0)

    with pytest.raises(TrainingDiverged, match="the loss at step 50 is nan"):
        learn(bits(), tmp_path, loss=late, look=None, recipe=replace(RECIPE, fewest_steps=50))


class Killed(Exception):
    """What a test ends a training with."""


@pytest.mark.long
def test_a_killed_training_of_any_model_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    whole, killed = bits(), bits()
    recipe = replace(RECIPE, fewest_steps=100)
    learn(whole, tmp_path / "whole", recipe=recipe)

    def kill(progress: Any) -> None:
        if progress.step > 60:
            raise Killed

    tmp_path.joinpath("killed").mkdir()
    with pytest.raises(Killed):
        learn(killed, tmp_path / "killed", recipe=recipe, lesson=Lesson(rows=ROWS, on_progress=kill))
    resumed = bits()
    seen: list[int] = []
    learn(
        resumed,
        tmp_path / "killed",
        recipe=recipe,
        lesson=Lesson(rows=ROWS, on_progress=lambda progress: seen.append(progress.step)),
    )

    assert min(seen) > 60
    assert weights_of(resumed) == weights_of(whole)


@pytest.mark.long
def test_a_bookmark_that_cannot_be_written_is_told_once_and_ends_nothing(tmp_path: Path) -> None:
    notes: list[str] = []
    (tmp_path / "file").write_text("")

    fitted = learn(bits(), tmp_path / "file", lesson=Lesson(rows=ROWS, on_note=notes.append))

    assert fitted.steps == 40
    assert notes == ["no bookmark can be written (Not a directory): if this training is stopped, it begins anew"]


# -- weights of rows, in a model that writes


@pytest.mark.long
def test_a_weighted_loss_is_the_mean_over_tokens_each_as_its_row_counts(tmp_path: Path) -> None:
    import torch

    from engine.fakes.checkpoints import save_seq2seq
    from engine.training.encoder_decoder import Pair, checkpoint, collated, weighted_loss

    model = checkpoint(save_seq2seq(tmp_path / "base"))
    pairs = [Pair([5, 6, 1], [7, 1], 3.0), Pair([8, 1], [9, 10, 11, 1], 0.5)]
    with torch.inference_mode():
        alone = [float(model(**collated([replace(pair, weight=None)], pad=0)).loss) for pair in pairs]

        together = float(weighted_loss(model, collated(pairs, pad=0)))

    assert together == pytest.approx((3.0 * 2 * alone[0] + 0.5 * 4 * alone[1]) / (3.0 * 2 + 0.5 * 4), rel=1e-5)
