"""How many threads a training takes: by what others use, what the process is bound to, and its quotas."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.training.threads import busy_for, cores_for, quotas_at, threads_for, torch_threads, use_threads


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text + "\n")


@given(st.floats(0.1, 256), st.floats(0, 300), st.integers(1, 64))
def test_there_is_always_one_thread_and_never_more_than_cores_or_the_most(cores: float, busy: float, most: int) -> None:
    threads = threads_for(cores=cores, busy=busy, most=most)

    assert 1 <= threads <= max(1, min(most, int(cores)))


def test_a_quota_counts_like_cores_that_are_not_there() -> None:
    cores = cores_for(affinity=16, quotas=[8.0, 3.5])

    assert cores == 3.5
    assert threads_for(cores=cores, busy=0, most=64) == 3
    assert cores_for(affinity=2, quotas=[]) == 2


@pytest.mark.parametrize(
    ("busy", "all_cores", "cores", "taken"),
    [
        pytest.param(1.5, 2, 2, 1.5, id="all of the machine"),
        pytest.param(10, 64, 2, 0, id="there is room elsewhere"),
        pytest.param(63, 64, 2, 1, id="hardly any room elsewhere"),
    ],
)
def test_others_have_the_cores_first_that_this_process_may_not_use(
    busy: float, all_cores: int, cores: float, taken: float
) -> None:
    assert busy_for(busy=busy, all_cores=all_cores, cores=cores) == taken


def test_quotas_of_a_group_and_of_those_around_it_are_found(tmp_path: Path) -> None:
    group(tmp_path / "a" / "b", cpu__max="150000 100000")
    group(tmp_path / "a", cpu__max="max 100000")
    group(tmp_path, cpu__max="400000 100000")

    assert quotas_at(tmp_path, told="0::/a/b\n") == [1.5, 4.0]


def test_quotas_of_the_first_version_are_found(tmp_path: Path) -> None:
    group(tmp_path / "cpu" / "a", cpu__cfs_quota_us="50000", cpu__cfs_period_us="100000")
    group(tmp_path / "cpu", cpu__cfs_quota_us="-1", cpu__cfs_period_us="100000")

    assert quotas_at(tmp_path, told="5:memory:/m\n4:cpu,cpuacct:/a\n") == [0.5]


@pytest.mark.parametrize("text", ["", "max", "x y", "100000 0"], ids=["empty", "half", "words", "no period"])
def test_what_cannot_be_read_is_no_quota(tmp_path: Path, text: str) -> None:
    group(tmp_path, cpu__max=text)

    assert quotas_at(tmp_path, told="0::/\n") == []
    assert quotas_at(tmp_path / "not there", told="0::/a\n") == []
    assert quotas_at(tmp_path, told="") == []


def test_students_answer_on_as_many_threads_as_were_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever answers without torch need not import it: then it is told by its variable, when it comes."""
    import torch

    with torch_threads(1):
        use_threads(3)
        assert torch.get_num_threads() == 3

    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    use_threads(None)
    assert os.environ["OMP_NUM_THREADS"] == "1"
    use_threads(4)
    assert os.environ["OMP_NUM_THREADS"] == "4"
