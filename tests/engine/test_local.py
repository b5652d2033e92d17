"""A model in this process as a provider: found without a download, asked by an engine, and closed."""

from __future__ import annotations

import asyncio
import json
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine import Engine, Request
from engine.clock import SystemClock
from engine.errors import (
    ConfigurationRefused,
    UserError,
)
from engine.fakes import virtual_time
from engine.providers import AttemptTimedOut, ConnectionFailed, Reading
from engine.providers.local import Local, begun
from engine.providers.local.checkpoint import cached, find
from engine.providers.local.model import Model
from engine.providers.resolve import resolve
from engine.scope import Deadlines
from tests.engine.local_models import asked, opened, saved


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return saved(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def models(folders: dict[str, Path]) -> dict[str, Model]:
    return opened(folders)


# -- the provider


async def told(local: Local, request: Request, *, timeout_s: float = 60) -> Reading:
    return local.read(request, await local.send(request, timeout_s=timeout_s))


@pytest.mark.long
def test_an_engine_asks_it_without_a_budget_and_counts_exactly(folders: dict[str, Path]) -> None:
    request = asked("Say hello", temperature=0.8, n=2)

    async def main() -> tuple[Any, Any, int | None, int | None]:
        local = Local(str(folders["causal"]))
        before = local.input_tokens(request)
        async with Engine(local) as engine:
            reply = await engine.ask(request)
            outcomes = [outcome async for outcome in engine.map(asked(f"{i}") for i in range(5))]
        counted = local.input_tokens(request)
        await local.aclose()
        assert all(outcome.reply for outcome in outcomes)
        return reply, local.price, before, counted

    reply, price, before, counted = asyncio.run(main())

    prompt = "<user>Say hello\n<assistant>"
    assert len(reply.texts) == 2
    assert (reply.usage.input_tokens, counted, before) == (len(prompt), len(prompt), None)
    assert 2 <= reply.usage.output_tokens <= 24
    assert (reply.cost_usd, price.is_free) == (0.0, True)


@pytest.mark.long
def test_requests_at_once_are_told_what_each_alone_is_told(folders: dict[str, Path]) -> None:
    requests = [asked(f"text {number}", temperature=0.8) for number in range(10)]

    async def main() -> tuple[list[Reading], list[Reading]]:
        local = Local(str(folders["seq2seq"]))
        together = list(await asyncio.gather(*(told(local, request) for request in requests)))
        alone = [await told(local, request) for request in requests[:3]]
        await local.aclose()
        return together, alone

    together, alone = asyncio.run(main())

    assert together[:3] == alone


def test_a_line_that_moves_is_waited_in_and_one_that_stands_still_is_not() -> None:
    async def main(*, moves_until: float) -> float:
        loop = asyncio.get_running_loop()
        deadlines = Deadlines()
        with pytest.raises(TimeoutError):
            await begun(Future(), steps=lambda: int(min(loop.time(), moves_until)), within=lambda: deadlines.within(10))
        deadlines.close()
        return loop.time()

    assert virtual_time.run(main(moves_until=0)) == pytest.approx(10)
    assert virtual_time.run(main(moves_until=35)) == pytest.approx(50)


def test_who_is_cancelled_or_out_of_time_leaves_the_others_alone(folders: dict[str, Path]) -> None:
    endless = asked("go on", temperature=0.8, max_tokens=500)

    async def main() -> Reading:
        local = Local(str(folders["causal"]))
        cancelled = asyncio.create_task(told(local, endless))
        await told(local, asked("x"))
        cancelled.cancel()
        with pytest.raises(AttemptTimedOut, match=r"no complete answer within 0\.001 s"):
            await told(local, replace(endless, sample=1), timeout_s=0.001)
        reading = await told(local, asked("y"))
        await local.aclose()
        return reading

    assert asyncio.run(main()).model


def test_closing_gives_up_what_is_under_way_and_it_opens_anew(folders: dict[str, Path]) -> None:
    async def main() -> Reading:
        local = Local(str(folders["causal"]))
        await told(local, asked("x"))
        under_way = asyncio.create_task(told(local, asked("go on", temperature=0.8, max_tokens=500)))
        await asyncio.sleep(0)
        await local.aclose()
        with pytest.raises(ConnectionFailed, match="closed"):
            await under_way
        reading = await told(local, asked("x"))
        await local.aclose()
        return reading

    assert asyncio.run(main()).texts


def test_weights_that_cannot_be_loaded_stop_everything(folders: dict[str, Path], tmp_path: Path) -> None:
    for path in folders["causal"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / "model.safetensors").write_bytes(b"no weights at all")

    async def main() -> None:
        local = Local(str(tmp_path))
        try:
            async with Engine(local) as engine:
                await engine.ask(asked("x"))
        finally:
            await local.aclose()

    with pytest.raises(ConfigurationRefused, match="cannot be loaded"):
        asyncio.run(main())


def test_it_is_named_on_the_command_line_and_has_no_base_url(folders: dict[str, Path]) -> None:
    provider = resolve(f"local/{folders['causal']}", clock=SystemClock(), seed=3)

    assert provider.name == "local/causal"
    assert provider.endpoint.endswith("seed 3")
    assert not provider.simulated
    with pytest.raises(UserError, match="answers in this process"):
        resolve("local/x", base_url="http://127.0.0.1:1", clock=SystemClock())


# -- what is on this machine


def test_a_name_is_a_folder_or_in_the_cache_and_nothing_is_fetched(folders: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "models--org--tiny"
    (place / "snapshots").mkdir(parents=True)
    (place / "refs").mkdir()
    (place / "refs" / "main").write_text("abc")
    (place / "snapshots" / "abc").symlink_to(folders["causal"], target_is_directory=True)
    (place / "snapshots" / "aaa").mkdir()

    found = find("org/tiny", cache=tmp_path)

    assert (found.name, found.kind, found.is_chat) == ("org/tiny", "causal", True)
    assert found.fingerprint == find(str(folders["causal"])).fingerprint
    assert cached(cache=tmp_path) == [found]
    with pytest.raises(UserError, match="to fetch it from the hub, write local/hub:org/other"):
        find("org/other", cache=tmp_path)
    with pytest.raises(UserError, match=r"neither a folder nor in the hub's cache on this machine$"):
        find("no-such-folder", cache=tmp_path)


def test_a_cached_model_that_was_asked_for_is_not_fetched_again(folders: dict[str, Path]) -> None:
    assert find(f"hub:{folders['causal']}").name == "causal"


def test_what_the_hub_does_not_give_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(UserError, match=r"'local/hub:org/other' cannot be fetched from the hub \(\w+\)$"):
        find("hub:org/other", cache=tmp_path)


def test_other_weights_are_another_endpoint(folders: dict[str, Path], tmp_path: Path) -> None:
    for path in folders["causal"].iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    same = find(str(tmp_path)).fingerprint
    weights = bytearray((tmp_path / "model.safetensors").read_bytes())
    weights[-5] ^= 1
    (tmp_path / "model.safetensors").write_bytes(weights)

    assert find(str(folders["causal"])).fingerprint == same != find(str(tmp_path)).fingerprint


def test_code_that_comes_with_a_model_is_never_run(folders: dict[str, Path], tmp_path: Path) -> None:
    config = json.loads((folders["causal"] / "config.json").read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({**config, "auto_map": {"AutoModelForCausalLM": "evil.Model"}}))
    (tmp_path / "evil.py").write_text("raise SystemExit('ran')")
    (tmp_path / "model.safetensors").write_bytes(b"")

    with pytest.raises(UserError, match="brings code of its own, which is never run"):
        find(str(tmp_path))


@pytest.mark.parametrize(
    ("config", "weights", "reason"),
    [
        pytest.param(None, True, "no readable config.json", id="no configuration"),
        pytest.param("[]", True, "no readable config.json", id="no object"),
        pytest.param('{"architectures": ["LlamaForCausalLM"]}', False, "no weights as safetensors", id="no weights"),
        pytest.param('{"architectures": ["BertModel"]}', True, "it says BertModel", id="an encoder"),
        pytest.param('{"architectures": ["LlavaForConditionalGeneration"]}', True, "no causal", id="for pictures"),
        pytest.param("{}", True, "it says nothing", id="says nothing"),
    ],
)
def test_a_folder_that_cannot_be_used_says_why(tmp_path: Path, config: str | None, weights: bool, reason: str) -> None:
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    if weights:
        (tmp_path / "model.safetensors").write_bytes(b"")

    with pytest.raises(UserError, match=reason):
        find(str(tmp_path))
