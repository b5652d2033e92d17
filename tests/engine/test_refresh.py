"""A catalogue from the hub: complete, incremental, patient; the hub here is a fake on this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.errors import AuthenticationRefused, EndpointUnreachable
from engine.fakes.hub import FakeHub, Mishap
from engine.retrieval import Column, DatasetCard, ModelCard
from engine.retrieval.hub import LONGEST_WAIT_S, TRIES, Hub, wait_before_retry
from engine.retrieval.hub_cards import dataset_of, described, model_of
from engine.retrieval.refresh import DATASET_TASKS, MODEL_TASKS, Refreshed, refresh_datasets, refresh_models
from engine.retrieval.store import kept_in, read_cards

README = b"---\nlicense: mit\ntags:\n- a\n---\n# Dates\n<b>Normalises</b> dates.\n```python\nimport x\n```\n[Paper](http://a.b)"


class Watch:
    """A clock on which waiting takes no time, and is remembered."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def monotonic(self) -> float:
        return sum(self.waits)

    def time(self) -> float:
        return sum(self.waits)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


def listed(name: str, *, updated: str = "2024-01-01T00:00:00.000Z", **more: Any) -> dict[str, Any]:
    return {
        "id": name, "pipeline_tag": "fill-mask", "tags": ["bert", "license:mit", "arxiv:1", "language:en"],
        "gated": False, "downloads": 7, "lastModified": updated,
        "config": {"model_type": "bert", "architectures": ["BertForMaskedLM"]},
        "safetensors": {"parameters": {"F32": 10, "I64": 1}, "total": 11}, "siblings": [], **more,
    }  # fmt: skip


def refreshed(
    fake: FakeHub,
    folder: Path,
    *,
    clock: Watch | None = None,
    kind: Callable[..., Any] = refresh_models,
    said: list[str] | None = None,
) -> Refreshed:
    async def run() -> Refreshed:
        async with fake, Hub(fake.url, clock=clock or Watch(), per_second=100_000) as hub:
            result: Refreshed = await kind(
                hub, top=1000, folder=folder, on_progress=(said if said is not None else []).append
            )
            return result

    return asyncio.run(run())


def models_in(folder: Path) -> Mapping[str, ModelCard]:
    return {card.id: card for card in read_cards(kept_in("models", folder=folder), kind=ModelCard)}


def test_every_page_is_walked_and_every_card_read(tmp_path: Path) -> None:
    names = [f"org/m{number}" for number in range(25)]
    fake = FakeHub(
        models=[listed(name) for name in names], files={f"{name}/README.md": README for name in names}, largest_page=10
    )

    result = refreshed(fake, tmp_path)

    assert (result.cards, result.fetched, result.failed) == (25, 25, 0)
    card = models_in(tmp_path)["org/m24"]
    assert card == ModelCard(
        id="org/m24", description="Dates Normalises dates. Paper", tags=("bert",), task="fill-mask", languages=("en",),
        licence="mit", family="classifier", architecture="bert", parameters=11, bytes=48, downloads=7, gated=False,
        updated="2024-01-01T00:00:00.000Z",
    )  # fmt: skip


def test_only_what_has_changed_is_fetched_again(tmp_path: Path) -> None:
    fake = FakeHub(models=[listed("a/a"), listed("a/b")], files={"a/a/README.md": b"old", "a/b/README.md": b"same"})
    refreshed(fake, tmp_path)
    later = FakeHub(
        models=[listed("a/a", updated="2025-01-01T00:00:00.000Z"), listed("a/b", downloads=9)],
        files={"a/a/README.md": b"new", "a/b/README.md": b"not looked at"},
    )

    result = refreshed(later, tmp_path)

    assert (result.cards, result.fetched) == (2, 1)
    cards = models_in(tmp_path)
    assert (cards["a/a"].description, cards["a/b"].description, cards["a/b"].downloads) == ("new", "same", 9)
    assert [path for path in later.seen if "resolve" in path] == ["/a/a/resolve/main/README.md"]


def test_a_refresh_that_was_stopped_goes_on_where_it_was(tmp_path: Path) -> None:
    names = [f"a/m{number:02}" for number in range(30)]
    models, files = [listed(name) for name in names], {f"{name}/README.md": b"words" for name in names}

    def gone_after_ten(_number: int, path: str) -> Mishap | None:
        return Mishap(503) if "resolve" in path and path > "/a/m10" else None

    fake = FakeHub(models=models, files=files, mishaps=gone_after_ten)
    with pytest.raises(EndpointUnreachable, match="it answers 503"):
        refreshed(fake, tmp_path)
    kept = [card.id for card in models_in(tmp_path).values() if card.updated]

    again = FakeHub(models=models, files=files)
    result = refreshed(again, tmp_path)

    assert kept == names[:10]
    assert result.fetched == 20
    assert len([path for path in again.seen if "resolve" in path]) == 20
    assert all(card.description == "words" for card in models_in(tmp_path).values())


def test_what_was_fetched_is_kept_when_somebody_stops_it(tmp_path: Path) -> None:
    names = [f"a/m{number}" for number in range(20)]
    reached = asyncio.Event()

    def at_the_twelfth(number: int, _path: str) -> None:
        if number == 12 + len(MODEL_TASKS):
            reached.set()

    fake = FakeHub(
        models=[listed(name) for name in names],
        files={f"{name}/README.md": b"words" for name in names},
        mishaps=at_the_twelfth,
    )

    async def run() -> None:
        async with fake, Hub(fake.url, clock=Watch(), per_second=100_000) as hub:
            task = asyncio.ensure_future(refresh_models(hub, top=99, folder=tmp_path, on_progress=lambda _: None))
            await reached.wait()
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(run())

    assert any(card.updated for card in models_in(tmp_path).values())


def test_data_sets_that_were_listed_are_kept_beside_those_known_when_the_hub_goes(tmp_path: Path) -> None:
    def item(name: str, task: str) -> dict[str, object]:
        return {"id": name, "tags": [f"task_categories:{task}"]}

    refreshed(FakeHub(datasets=[item("a/old", "translation")]), tmp_path, kind=refresh_datasets)

    def gone_after_one(number: int, _path: str) -> Mishap | None:
        return Mishap(503) if number else None

    fake = FakeHub(datasets=[item("a/new", "text-classification")], mishaps=gone_after_one)
    with pytest.raises(EndpointUnreachable):
        refreshed(fake, tmp_path, kind=refresh_datasets)

    kept = read_cards(kept_in("datasets", folder=tmp_path), kind=DatasetCard)
    assert {card.id for card in kept} == {"a/old", "a/new"}


def test_a_kill_costs_little_of_either_list(tmp_path: Path) -> None:
    """What lies on the disk while it goes on is all that a kill leaves."""
    kept: list[int] = []
    files = {"models": kept_in("models", folder=tmp_path), "datasets": kept_in("datasets", folder=tmp_path)}

    def at_data_sets(_: int, _path: str) -> None:
        kept.append(len(read_cards(files["datasets"], kind=DatasetCard)) if files["datasets"].exists() else 0)

    tasks = [f"task_categories:{task}" for task in DATASET_TASKS]
    datasets = [{"id": f"org/d{number}", "tags": [task]} for number, task in enumerate(tasks)]
    refreshed(FakeHub(datasets=datasets, mishaps=at_data_sets), tmp_path, kind=refresh_datasets)
    assert kept == list(range(len(DATASET_TASKS)))

    fetched: list[int] = []

    def at_models(_: int, path: str) -> None:
        if path.endswith("README.md") and files["models"].exists():
            fetched.append(sum(card.updated is not None for card in models_in(tmp_path).values()))

    refreshed(FakeHub(models=[listed(f"org/m{number}") for number in range(120)], mishaps=at_models), tmp_path)
    assert fetched[-1] >= 100 - 8  # of 120, those aside that are under way


def test_what_a_killed_refresh_had_begun_to_write_is_taken_away_in_time(tmp_path: Path) -> None:
    path = kept_in("models", folder=tmp_path)
    path.parent.mkdir(parents=True)
    left, young, other = (path.parent / name for name in ("models.12.tmp", "models.13.tmp", "datasets.12.tmp"))
    for file in (left, young, other):
        file.write_bytes(b"PAR1")
    for file in (left, other):
        os.utime(file, (0, 0))

    refreshed(FakeHub(models=[listed("a/a")]), tmp_path)

    assert sorted(path.parent.glob("*.tmp")) == [other, young]


def test_whoever_has_no_token_is_not_told_that_it_was_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))

    with pytest.raises(AuthenticationRefused, match=r"wants a token: set HF_TOKEN \(401\)"):
        refreshed(FakeHub(models=[listed("a/a")], mishaps=lambda *_: Mishap(401)), tmp_path)


def test_refusals_for_a_while_cost_time_and_nothing_else(tmp_path: Path) -> None:
    """Every third request meets a 429, a 500 or half an answer."""
    turns = [
        Mishap(429, {"RateLimit": '"api";r=0;t=7'}),
        Mishap(500),
        Mishap(half=True),
        Mishap(429, {"Retry-After": "3"}),
    ]
    names = [f"a/m{number}" for number in range(12)]
    fake = FakeHub(
        models=[listed(name) for name in names],
        files={f"{name}/README.md": b"words" for name in names},
        largest_page=5,
        mishaps=lambda number, _: turns[number // 3 % 4] if number % 3 == 0 else None,
    )
    clock = Watch()

    result = refreshed(fake, tmp_path, clock=clock)

    assert (result.cards, result.failed) == (12, 0)
    assert all(card.description == "words" for card in models_in(tmp_path).values())
    assert {7.0, 3.0, 1.0} <= set(clock.waits)


def test_one_card_that_cannot_be_had_is_tried_again_next_time(tmp_path: Path) -> None:
    fake = FakeHub(
        models=[listed("a/a"), listed("a/b")], files={"a/b/README.md": b"words"},
        mishaps=lambda _, path: Mishap(500) if path.startswith("/a/a/") else None,
    )  # fmt: skip

    result = refreshed(fake, tmp_path)

    assert (result.cards, result.fetched, result.failed) == (2, 1, 1)
    assert models_in(tmp_path)["a/a"].updated is None
    assert refreshed(FakeHub(models=[listed("a/a"), listed("a/b")]), tmp_path).fetched == 1


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_card_behind_terms_or_without_a_page_is_still_a_card(tmp_path: Path, status: int) -> None:
    fake = FakeHub(
        models=[listed("a/a", gated="manual")], mishaps=lambda _, path: Mishap(status) if "resolve" in path else None
    )

    assert refreshed(fake, tmp_path).failed == 0
    assert models_in(tmp_path)["a/a"].gated
    assert models_in(tmp_path)["a/a"].description == "A model for fill-mask."


def test_a_renamed_model_is_followed(tmp_path: Path) -> None:
    fake = FakeHub(models=[listed("a/old")], files={"a/new/README.md": b"moved"}, renamed={"a/old": "a/new"})

    refreshed(fake, tmp_path)

    assert models_in(tmp_path)["a/old"].description == "moved"


def test_of_a_card_of_any_size_only_the_start_is_read(tmp_path: Path) -> None:
    fake = FakeHub(models=[listed("a/a")], files={"a/a/README.md": b"words " * 2_000_000})

    refreshed(fake, tmp_path)

    assert len(models_in(tmp_path)["a/a"].description) <= 1000


def test_the_size_of_a_model_is_that_of_its_file(tmp_path: Path) -> None:
    bare = listed("a/a", safetensors=None, siblings=[{"rfilename": "pytorch_model.bin"}, {"rfilename": "other.bin"}])
    fake = FakeHub(models=[bare], files={"a/a/pytorch_model.bin": b"x" * 1234})

    refreshed(fake, tmp_path)

    assert models_in(tmp_path)["a/a"].bytes == 1234


def test_a_hub_that_is_not_there_is_said_in_one_line(tmp_path: Path) -> None:
    async def run() -> None:
        async with Hub("http://127.0.0.1:9", clock=Watch(), per_second=100_000) as hub:
            await refresh_models(hub, top=1, folder=tmp_path, on_progress=lambda _: None)

    with pytest.raises(EndpointUnreachable, match="cannot be used") as caught:
        asyncio.run(run())

    assert "\n" not in str(caught.value)


def test_a_token_goes_to_the_hub_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    fake = FakeHub(models=[listed("a/a")], mishaps=lambda _, path: Mishap(401) if "/api/" in path else None)
    said: list[str] = []

    with pytest.raises(AuthenticationRefused) as caught:
        refreshed(fake, tmp_path, said=said)

    assert fake.authorizations == {"Bearer hf_secret"}
    assert "secret" not in str(caught.value) + repr(caught.value) + "".join(said)


def test_data_sets_come_with_their_columns(tmp_path: Path) -> None:
    features = [
        {"name": "text", "dtype": "string"},
        {"name": "route", "dtype": {"class_label": {"names": {"0": "billing", "1": "other"}}}},
        {"name": "when", "dtype": "timestamp[s]"},
        {"name": "ids", "list": "int64"},
    ]
    info = {
        "config_name": "small",
        "features": features,
        "download_size": 50,
        "splits": [{"name": "train", "num_examples": 3}],
    }
    item = {
        "id": "a/rows", "description": "Routes <b>mails</b>.\x1b[2J", "tags": ["task_categories:text-classification"],
        "cardData": {"license": ["mit", "odbl"], "language": "en", "dataset_info": info}, "downloads": 3,
        "lastModified": "2024-01-01T00:00:00.000Z", "gated": "auto",
    }  # fmt: skip
    fake = FakeHub(datasets=[item, {"tags": ["task_categories:text-classification"], "no": "id"}])

    result = refreshed(fake, tmp_path, kind=refresh_datasets)

    assert result.cards == 1
    card = dataset_of(item)
    assert card is not None
    assert card.columns == (
        Column("text", "text"), Column("route", "label", ("billing", "other")), Column("when", "time"),
        Column("ids", "list"),
    )  # fmt: skip
    assert (card.rows, card.bytes, card.configs, card.licence) == (3, 50, ("small",), "mit, odbl")
    assert (card.description, card.tags, card.gated) == ("Routes mails .[2J", ("text-classification",), True)


@pytest.mark.parametrize(
    "item",
    [
        pytest.param(None, id="null"),
        pytest.param({}, id="empty"),
        pytest.param({"id": 3}, id="number"),
        pytest.param({"id": "../../etc/passwd"}, id="path"),
        pytest.param({"id": "a/b?c=d"}, id="query"),
    ],
)
def test_a_line_that_names_nothing_is_no_card(item: object) -> None:
    assert model_of(item) is None
    assert dataset_of(item) is None


def test_a_line_of_odd_values_is_a_card_that_says_little() -> None:
    odd = {
        "id": "a/b", "tags": "t", "cardData": [1], "config": None, "downloads": -3, "pipeline_tag": 4,
        "lastModified": 5, "siblings": [None], "description": 6, "safetensors": {"parameters": {"Q": 1}},
    }  # fmt: skip

    model, dataset = model_of(odd), dataset_of(odd)

    assert model is not None
    assert dataset is not None
    assert (model.downloads, model.bytes, model.updated, model.licence) == (0, None, None, "unknown")
    assert (dataset.rows, dataset.columns, dataset.description) == (None, (), "The data set a/b.")
    assert described(model, b"\xff\xfe").description


@pytest.mark.parametrize(
    ("status", "headers", "tries", "wait"),
    [
        pytest.param(None, {}, 1, 1.0, id="no-answer"),
        pytest.param(503, {}, 3, 4.0, id="doubled"),
        pytest.param(429, {"retry-after": "12"}, 1, 12.0, id="told"),
        pytest.param(429, {"ratelimit": '"resolvers";r=0;t=55'}, 1, 55.0, id="window"),
        pytest.param(429, {"retry-after": "99999"}, 1, LONGEST_WAIT_S, id="too-long"),
        pytest.param(429, {"retry-after": "Fri, 31 Dec 1999 23:59:59 GMT"}, 2, 2.0, id="a-day"),
        pytest.param(503, {}, TRIES, None, id="given-up"),
        pytest.param(404, {}, 1, None, id="absent"),
        pytest.param(401, {}, 1, None, id="refused"),
    ],
)
def test_how_long_the_hub_is_left_alone(status: int | None, headers: dict[str, str], tries: int, wait: float) -> None:
    assert wait_before_retry(status, headers, tries=tries) == wait
