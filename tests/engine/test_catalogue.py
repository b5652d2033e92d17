"""Cards that are read with care, where catalogues come from, and what can be had from here."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from engine.errors import UserError
from engine.retrieval import (
    Column,
    DatasetCard,
    ModelCard,
    dataset_place,
    load_datasets,
    load_models,
    model_place,
    shipped_datasets,
    shipped_models,
)
from engine.retrieval.reach import _answers, hub_answers
from engine.retrieval.store import kept_in, read_cards, write_cards

MODEL = {
    "id": "a/model", "description": "A model.", "tags": ["t"], "task": "text", "languages": ["en"], "licence": "mit",
    "family": "seq2seq", "architecture": "t5", "parameters": 1, "bytes": 4, "downloads": 10, "gated": False,
}  # fmt: skip

DATASET = {
    "id": "a/rows", "description": "Rows.", "tags": [], "languages": ["en"], "licence": "mit", "rows": 3,
    "columns": [], "downloads": 10, "gated": False,
}  # fmt: skip


def lines_in(folder: Path, *rows: object) -> Path:
    path = folder / "cards.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_shipped_cards_are_all_cards() -> None:
    models, datasets = shipped_models(), shipped_datasets()

    assert not models.skipped
    assert not datasets.skipped
    assert len(models.cards) >= 150
    assert len(datasets.cards) >= 150
    assert {"seq2seq", "classifier", "causal", "embedding"} == {card.family for card in models.cards}


def test_the_shipped_models_are_said_in_one_way() -> None:
    """Codes for languages, sizes that belong to the number of parameters, a sentence of our own each."""
    for card in shipped_models().cards:
        assert all(re.fullmatch(r"[a-z]{2}|multilingual", code) for code in card.languages), card.id
        assert re.fullmatch(r"[a-z0-9.-]+", card.licence), card.id
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", card.id), card.id
        assert card.parameters is not None, card.id
        assert card.bytes is None or 1.8 <= card.bytes / card.parameters <= 4.4, card.id
        assert 15 <= len(card.description) <= 300, card.id
        assert card.tags, card.id
    assert len({card.description for card in shipped_models().cards}) == len(shipped_models().cards)


def test_the_shipped_data_sets_are_said_in_one_way() -> None:
    kinds = {"text", "int", "float", "bool", "label", "time", "list", "object", "bytes", "unknown"}
    for card in shipped_datasets().cards:
        assert all(re.fullmatch(r"[a-z]{2}|multilingual", code) for code in card.languages), card.id
        assert re.fullmatch(r"[\w.-]+/[\w.-]+", card.id), card.id
        assert {column.type for column in card.columns} <= kinds, card.id
        assert all(column.type == "label" for column in card.columns if column.labels), card.id
        assert 15 <= len(card.description) <= 300, card.id
        assert card.tags, card.id


def test_a_users_catalogue_is_read_in_its_order(tmp_path: Path) -> None:
    path = lines_in(tmp_path, MODEL | {"id": "b"}, MODEL | {"id": "a", "description": " two\n words ", "more": 1})

    cards = load_models(path).cards

    assert [(card.id, card.description) for card in cards] == [("b", "A model."), ("a", "two words")]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        pytest.param({key: value for key, value in MODEL.items() if key != "licence"}, "no 'licence'", id="missing"),
        pytest.param(MODEL | {"bytes": "4"}, "'bytes' is not a whole number from 0 up", id="text-for-number"),
        pytest.param(MODEL | {"bytes": True}, "'bytes' is not a whole number from 0 up", id="flag-for-number"),
        pytest.param(MODEL | {"downloads": -1}, "'downloads' is not a whole number from 0 up", id="negative"),
        pytest.param(MODEL | {"gated": 1}, "'gated' is neither true nor false", id="number-for-flag"),
        pytest.param(MODEL | {"tags": "t"}, "'tags' is not a list of texts", id="text-for-list"),
        pytest.param(MODEL | {"tags": ["t", 1]}, "'tags' is not a text", id="number-in-list"),
        pytest.param(MODEL | {"id": "  "}, "'id' is not a text", id="blank"),
        pytest.param(MODEL | {"description": "hi <b>there</b>"}, "'description' holds markup", id="markup"),
        pytest.param(MODEL | {"description": "\x1b[2J"}, "'description' holds control characters", id="escape"),
        pytest.param(MODEL | {"id": f"a/{'x' * 256}"}, "'id' is longer than 255 bytes", id="long-id"),
        pytest.param(MODEL | {"id": "good"}, "the id 'good' was there before", id="duplicate"),
        pytest.param(MODEL | {"description": "x" * 70_000}, "longer than 64 KiB", id="huge"),
        pytest.param(["a"], "not a JSON object", id="list"),
        pytest.param(MODEL | {"updated": "lately"}, "'updated' is no day or moment in ISO 8601", id="no-day"),
    ],
)
def test_a_line_that_is_no_card_is_skipped_with_its_reason(tmp_path: Path, row: object, reason: str) -> None:
    catalogue = load_models(lines_in(tmp_path, MODEL | {"id": "good"}, row, MODEL | {"id": "last"}))

    assert [card.id for card in catalogue.cards] == ["good", "last"]
    assert [(skipped.line, skipped.reason) for skipped in catalogue.skipped] == [(2, reason)]


def test_what_nobody_has_said_of_a_card_stays_unsaid(tmp_path: Path) -> None:
    silent = {key: value for key, value in MODEL.items() if key not in ("bytes", "parameters")}

    [one, other] = load_models(lines_in(tmp_path, silent, silent | {"id": "b", "bytes": None, "updated": None})).cards

    assert (one.bytes, one.parameters, one.updated) == (other.bytes, other.parameters, other.updated) == (None,) * 3


def test_columns_have_names_and_what_is_known_of_their_values(tmp_path: Path) -> None:
    route = {"name": "route", "type": "label", "labels": ["billing", "other"], "sample": ["1", "<b>\x1b[2J\n</b>"]}
    [card] = load_datasets(lines_in(tmp_path, DATASET | {"columns": ["text", route]})).cards

    assert card.columns == (
        Column("text"),
        Column("route", "label", ("billing", "other"), ("1", "<b> [2J </b>")),
    )


@pytest.mark.parametrize(
    ("columns", "reason"),
    [
        pytest.param("text", "'columns' is not a list of columns", id="text"),
        pytest.param([1], "'columns' is not a text", id="number"),
        pytest.param([{"type": "text"}], "no 'name'", id="nameless"),
        pytest.param([{"name": "a", "sample": [1]}], "'sample' is not a list of texts", id="sample"),
    ],
)
def test_a_card_with_columns_that_are_none_is_skipped(tmp_path: Path, columns: object, reason: str) -> None:
    catalogue = load_datasets(lines_in(tmp_path, DATASET | {"columns": columns}))

    assert [skipped.reason for skipped in catalogue.skipped] == [reason]


def test_bytes_that_are_no_text_cost_one_line(tmp_path: Path) -> None:
    path = tmp_path / "cards.jsonl"
    path.write_bytes(b"\xff\xfe{\n\n" + json.dumps(MODEL).encode() + b"\n{")

    catalogue = load_models(path)

    assert len(catalogue.cards) == 1
    assert [(skipped.line, skipped.reason) for skipped in catalogue.skipped] == [(1, "not JSON"), (4, "not JSON")]


def test_a_catalogue_that_cannot_be_read_is_the_users_to_mend(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read the catalogue .*missing.jsonl: No such file") as caught:
        load_datasets(tmp_path / "missing.jsonl")

    assert "\n" not in str(caught.value)


def test_what_was_built_from_the_hub_stands_for_what_ships(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SMELT_CACHE", str(tmp_path))
    shipped = shipped_models().cards
    renewed = replace(shipped[0], downloads=12_345)
    more = replace(shipped[0], id="org/more")
    write_cards(kept_in("models"), [more, renewed], kind=ModelCard)

    cards = {card.id: card for card in load_models().cards}

    assert len(cards) == len(shipped) + 1
    assert cards[shipped[0].id] == renewed


def test_a_built_catalogue_that_is_damaged_is_said_and_what_ships_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SMELT_CACHE", str(tmp_path))
    kept_in("datasets").parent.mkdir(parents=True)
    kept_in("datasets").write_bytes(b"PAR1 and no more")

    catalogue = load_datasets()

    assert catalogue.cards == shipped_datasets().cards
    [skipped] = catalogue.skipped
    assert "--refresh builds it anew" in str(skipped)


def test_data_set_cards_come_back_as_they_were_kept(tmp_path: Path) -> None:
    cards = shipped_datasets().cards
    write_cards(tmp_path / "d.parquet", cards, kind=DatasetCard)

    assert read_cards(tmp_path / "d.parquet", kind=DatasetCard) == cards


def weights_in(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"")


def test_a_model_in_the_cache_is_on_this_machine(tmp_path: Path) -> None:
    weights_in(tmp_path / "models--org--name" / "snapshots" / "abc")

    assert model_place("org/name", online=lambda: False, cache=tmp_path) == "machine"
    assert model_place("org/other", online=lambda: False, cache=tmp_path) is None
    assert model_place("org/other", online=lambda: True, cache=tmp_path) == "hub"


def test_a_folder_with_weights_is_on_this_machine(tmp_path: Path) -> None:
    weights_in(tmp_path / "mine")

    assert model_place(str(tmp_path / "mine"), online=lambda: False, cache=tmp_path) == "machine"


def test_a_cached_configuration_alone_is_no_model(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--org--name" / "snapshots" / "abc"
    snapshot.mkdir(parents=True)
    (snapshot / "config.json").write_text("{}")

    assert model_place("org/name", online=lambda: False, cache=tmp_path) is None


def test_a_data_set_in_the_cache_is_on_this_machine(tmp_path: Path) -> None:
    (tmp_path / "datasets--org--rows" / "snapshots" / "abc").mkdir(parents=True)

    assert dataset_place("org/rows", online=lambda: False, cache=tmp_path) == "machine"
    assert dataset_place("org/none", online=lambda: True, cache=tmp_path) == "hub"
    assert dataset_place("org/none", online=lambda: False, cache=tmp_path) is None


@pytest.mark.parametrize(("status", "answers"), [(200, True), (401, True), (503, False)])
def test_a_hub_answers_unless_it_is_down(status: int, answers: bool) -> None:
    with httpx.Client(transport=httpx.MockTransport(lambda _: httpx.Response(status))) as client:
        assert _answers("https://hub.test", client) is answers


def test_a_hub_that_is_not_there_does_not_answer() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectTimeout("too slow", request=request)

    with httpx.Client(transport=httpx.MockTransport(refuse)) as client:
        assert not _answers("https://hub.test", client)


@pytest.mark.parametrize("proxy", ["http://user:pw@[::1", "socks9://127.0.0.1:1", "http://h:99999"])
def test_a_hub_behind_a_proxy_that_is_none_does_not_answer(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run goes on without it, as when it is out of reach."""
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)

    assert not hub_answers.__wrapped__()


@pytest.mark.parametrize(
    "name", ["/etc", "/etc/passwd", "../secret.csv", "sub/../../secret.csv", "~/x.csv", "a/b/c", "link.csv"]
)
def test_a_record_names_no_file_outside_the_folder_of_its_catalogue(tmp_path: Path, name: str) -> None:
    """Whoever wrote it may be anybody: what it names would be shown to the teacher."""
    home = tmp_path / "catalogue"
    home.mkdir()
    (tmp_path / "secret.csv").write_text("a\n1\n")
    (home / "link.csv").symlink_to(tmp_path / "secret.csv")

    rows = load_datasets(lines_in(home, DATASET | {"id": name}))
    models = load_models(lines_in(home, MODEL | {"id": name}))

    assert name == "link.csv" or len(rows.skipped) == len(models.skipped) == 1
    assert all(dataset_place(card.id, online=lambda: False, cache=tmp_path) is None for card in rows.cards)
    assert all(model_place(card.id, online=lambda: False, cache=tmp_path) is None for card in models.cards)


def test_a_record_may_name_a_file_beside_its_catalogue_or_below(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its place there, wherever Smelt was started; a name on the hub is never a file where that happens to be."""
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "rows.csv").write_text("a\n1\n")
    (tmp_path / "elsewhere" / "org").mkdir(parents=True)
    (tmp_path / "elsewhere" / "org" / "rows.csv").write_text("a\n1\n")
    path = lines_in(tmp_path, DATASET | {"id": "below/rows.csv"}, DATASET | {"id": "org/rows.csv"})
    monkeypatch.chdir(tmp_path / "elsewhere")

    beside, hub = load_datasets(path).cards

    assert beside.id == str(tmp_path / "below" / "rows.csv")
    assert dataset_place(beside.id, online=lambda: False) == "machine"
    assert dataset_place(hub.id, online=lambda: False, cache=tmp_path) is None


def test_a_folder_of_tables_is_known_by_whole_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "rows.csv").write_text("a\n1\n")
    monkeypatch.chdir(tmp_path)

    [card] = load_datasets(Path("tables")).cards

    assert card.id == str(tmp_path / "tables" / "rows.csv")
