"""What a cluster may get wrong is told in a line, and keys go where they are needed and nowhere else."""

from __future__ import annotations

import asyncio
import pickle
from dataclasses import fields, replace
from pathlib import Path

import pytest

from engine import Budget, Engine, MissingExtra, Request, UserError, WorkersLost
from engine.clock import SystemClock
from engine.errors import SmeltError
from engine.fleet.alike import Make, make, unlike
from engine.fleet.fleet import Fleet
from engine.fleet.links import Post, WorkerGone
from engine.fleet.near import Near
from engine.fleet.on_ray import OnRay, _gone, usual_workers
from engine.fleet.secrets import keys_of, lay_out
from engine.fleet.wire import (
    packed_error,
    packed_reply,
    packed_request,
    read_error,
    read_reply,
    read_request,
)
from engine.messages import Message, Reply, Usage
from engine.providers.resolve import resolve
from tests.engine.scripted import Scripted

KEY = "sk-a-key-that-nobody-may-see"


def test_workers_are_told_the_keys_of_those_they_ask_and_no_others() -> None:
    groq = resolve("openai/llama", base_url="https://api.groq.com/openai/v1", api_key="x" * 20, clock=SystemClock())

    keys = keys_of([groq], {"GROQ_API_KEY": KEY, "ANTHROPIC_API_KEY": "sk-a-third", "OPENAI_API_KEY": " "})
    assert keys == {"GROQ_API_KEY": KEY}
    environment = {"GROQ_API_KEY": "old", "HOME": "/"}
    lay_out(keys, environment)
    assert environment == {"GROQ_API_KEY": KEY, "HOME": "/"}


def test_no_key_is_in_what_a_worker_is_hired_for_as_people_see_it() -> None:
    post = Post(name="w0001", hired={"api_key": KEY}, journal=Path("j"), keys={"OPENAI_API_KEY": KEY})

    assert KEY not in repr(post)


@pytest.mark.parametrize(
    ("other", "told"),
    [
        pytest.param(make()._replace(python="3.9"), "runs Python 3.9", id="python"),
        pytest.param(make()._replace(smelt="9.9"), "has Smelt 9.9", id="version"),
        pytest.param(make()._replace(source="0" * 16), "has another Smelt", id="source"),
    ],
)
def test_a_worker_of_another_make_is_named_with_the_way_out(other: Make, told: str) -> None:
    assert unlike(make(), make(), node="n") is None
    why = unlike(make(), other, node="node-7")
    assert why is not None
    assert f"node-7 {told}" in why
    assert "the same" in why


class Handle:
    """An actor as Ray hands it out, that has met somebody."""

    def __init__(self, *, node: str = "node-7", its: Make | None = None, found: str = "another text") -> None:
        self._met = (node, its or make(), found)
        self.meet = self

    async def remote(self, _token: Path) -> tuple[str, Make, str]:
        return self._met


@pytest.mark.parametrize(
    ("handle", "told"),
    [
        pytest.param(
            Handle(), r"node-7 does not see .*: put the run where all machines .* --out", id="no shared storage"
        ),
        pytest.param(Handle(its=make()._replace(smelt="9.9")), "node-7 has Smelt 9.9", id="another version"),
    ],
)
def test_what_is_wrong_with_a_machine_is_the_users_to_mend_and_is_told_in_a_line(
    tmp_path: Path, handle: Handle, told: str
) -> None:
    post = Post(name="w", hired={}, journal=tmp_path / "w" / "journal.db", keys={})

    with pytest.raises(UserError, match=told) as raised:
        asyncio.run(OnRay()._met(handle, post))
    assert "\n" not in str(raised.value)


def test_a_machine_without_smelt_is_told_of_and_one_that_died_is_not_the_users_fault() -> None:
    missing = "the actor died because of an error\nModuleNotFoundError: No module named 'engine'"
    assert isinstance(_gone(RuntimeError(missing)), UserError)
    assert isinstance(_gone(RuntimeError("it died\nof something")), WorkerGone)
    assert str(_gone(RuntimeError("\n it died\nof something"))) == "it died"


def test_a_cluster_that_is_reached_from_outside_is_refused() -> None:
    with pytest.raises(UserError, match="cannot be steered from outside"):
        OnRay("ray://head:10001")


def test_so_many_workers_as_are_said_or_one_a_processor_but_one() -> None:
    assert OnRay(workers=3).wanted == 3
    assert OnRay().wanted == usual_workers() >= 1
    assert OnRay("auto").wanted == 1  # until the cluster has said how many machines it has


def test_batches_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="sent by one process"):
        Fleet(
            "openai/gpt-5.4-mini", hiring=Near(1), journal=tmp_path / "journal.db", budget=Budget(usd=1), batch=True,
            api_key=KEY,
        )  # fmt: skip


@pytest.mark.parametrize(
    "error",
    [UserError("a"), WorkersLost("b"), SmeltError("c"), MissingExtra("ray", needed_for="this")],
    ids=lambda error: type(error).__name__,
)
def test_an_error_arrives_as_what_it_was_or_as_the_next_best(error: SmeltError) -> None:
    arrived = read_error(pickle.loads(pickle.dumps(packed_error(error))))  # noqa: S301 - as whatever carries it does

    assert isinstance(error, type(arrived))
    assert (str(arrived), arrived.exit_code) == (str(error), error.exit_code)


def test_requests_and_replies_arrive_as_they_were() -> None:
    request = Request(
        messages=(Message("system", "Be brief."), Message("user", "half \ud800 a pair")),
        max_tokens=7, temperature=0.5, n=2, stop=("x",), seed=3, schema={"type": "object"}, tag="t", sample=4, stable=5,
    )  # fmt: skip
    reply = Reply(
        texts=("a", "b"), finish_reasons=("stop", "length"), usage=Usage(1, 2, 3, 4), model="m", cost_usd=0.5,
        paid_usd=0.25, latency_s=1.5, attempts=2, from_journal=True,
    )  # fmt: skip

    chosen = replace(request, schema=None, choices=("yes", "no"))

    for each in (request, chosen):
        arrived = read_request(pickle.loads(pickle.dumps(packed_request(each))))  # noqa: S301
        assert [getattr(arrived, named.name) for named in fields(Request)] == [
            getattr(each, named.name) for named in fields(Request)
        ]
    said = [{named.name for named in fields(Request) if getattr(each, named.name)} for each in (request, chosen)]
    assert set.union(*said) == {named.name for named in fields(Request)}  # a field that is new has to be here, too
    assert read_reply(pickle.loads(pickle.dumps(packed_reply(reply)))) == reply  # noqa: S301


def test_a_fleet_is_an_engine(tmp_path: Path) -> None:
    fleet = Fleet(Scripted(), hiring=Near(1), journal=tmp_path / "journal.db", budget=Budget(usd=1))

    assert isinstance(fleet, Engine)
    assert fleet.statistics().workers == ()
