"""Finding by words, cards that are read with care, and what can be had from here."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Sequence
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.errors import UserError
from engine.retrieval import (
    Column,
    Index,
    Search,
    dataset_place,
    load_datasets,
    load_models,
    model_place,
    shipped_datasets,
    shipped_models,
    tokenize,
)
from engine.retrieval.bm25 import Weighing
from engine.retrieval.dense import Encoder
from engine.retrieval.reach import _answers, hub_answers
from engine.retrieval.search import fused
from engine.retrieval.words import roots

SHARED = Path(__file__).parents[2].parent / "shared" / "data"

MODEL = {
    "id": "a/model", "description": "A model.", "tags": ["t"], "task": "text", "languages": ["en"], "licence": "mit",
    "family": "seq2seq", "architecture": "t5", "parameters": 1, "bytes": 4, "downloads": 10, "gated": False,
}  # fmt: skip

DATASET = {
    "id": "a/rows", "description": "Rows.", "tags": [], "languages": ["en"], "licence": "mit", "rows": 3,
    "columns": [], "downloads": 10, "gated": False,
}  # fmt: skip


def write_cards(folder: Path, *rows: object) -> Path:
    path = folder / "cards.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_the_text_that_shares_the_rarest_words_comes_first() -> None:
    index = Index(["a red apple", "a red plum", "a blue plum"])

    assert [hit.position for hit in index.search("the blue plum", k=3)] == [2, 1]


def test_of_equal_texts_the_earlier_comes_first() -> None:
    index = Index(["same words", "other", "same words", "same words"])

    assert [hit.position for hit in index.search("same", k=2)] == [0, 2]


def test_a_text_that_shares_no_word_is_no_hit() -> None:
    assert Index(["red", "blue"]).search("green", k=5) == []


def test_a_word_that_every_text_has_still_counts_for_something() -> None:
    """In a catalogue of two the weight of a common word must not turn negative."""
    hits = Index(["model of dates", "model of names"]).search("model names", k=2)

    assert [hit.position for hit in hits] == [1, 0]
    assert all(hit.score > 0 for hit in hits)


@pytest.mark.parametrize(
    "texts", [pytest.param([], id="no-texts"), pytest.param([""], id="empty"), pytest.param(["!?", " "], id="no-words")]
)
def test_an_index_of_nothing_finds_nothing(texts: list[str]) -> None:
    index = Index(texts)

    assert len(index) == len(texts)
    assert index.search("anything", k=3) == []


def test_an_index_says_how_large_it_is() -> None:
    assert repr(Index(["red apple", "red"])) == "<Index [2 texts, 2 words]>"


def test_search_agrees_with_the_plain_formula() -> None:
    """Looking only at texts that hold a word changes no score of rank_bm25's own loop."""
    from rank_bm25 import BM25Plus

    texts = ["uno two two three", "two three", "three three three four", "five"]
    words = [[root for _, root in roots(text)] for text in texts]
    plain = BM25Plus(words, k1=1.2, b=0.75, delta=0).get_scores([root for _, root in roots("three two nine")])

    hits = Index(texts, weighing=Weighing(k1=1.2, b=0.75)).search("three two nine", k=4)

    found = {hit.position: hit.score for hit in hits}
    assert found == pytest.approx({position: score for position, score in enumerate(plain) if score > 0}, rel=1e-6)


@settings(deadline=None, max_examples=50)
@given(texts=st.lists(st.text(max_size=30), max_size=8), query=st.text(max_size=30), k=st.integers(0, 10))
def test_search_is_ordered_and_repeatable(texts: list[str], query: str, k: int) -> None:
    index = Index(texts)

    hits = index.search(query, k=k)

    assert hits == index.search(query, k=k) == Index(texts).search(query, k=k)
    assert hits == sorted(hits, key=lambda hit: (-hit.score, hit.position))
    assert len(hits) <= k
    assert all(hit.score > 0 and texts[hit.position] for hit in hits)


class Letters:
    """Takes a text for how often it has each letter."""

    name = "letters"

    def of_query(self, query: str) -> NDArray[np.float32]:
        counts = np.array([query.count(letter) for letter in "abcdefghijklmnopqrstuvwxyz"], dtype=np.float32)
        return counts / max(float(np.linalg.norm(counts)), 1.0)

    def of_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([self.of_query(text) for text in texts])


def test_an_encoder_finds_what_shares_no_word() -> None:
    search = Search(["silent", "apple", "banana"], encoder=Letters())

    assert Search(["silent", "apple", "banana"]).find(["listen"], k=3) == []
    assert search.find(["listen"], k=3)[0].position == 0
    assert search.by_meaning("listen", k=1) == [0]


def test_vectors_of_many_texts_are_kept(tmp_path: Path) -> None:
    texts = [f"text {number:x}" for number in range(2000)]
    search = Search(texts, encoder=Letters(), cache=tmp_path)

    again = Search(texts, encoder=Letters(), cache=tmp_path)

    assert sorted(path.name.split("-")[0] for path in (tmp_path / "indexes").iterdir()) == ["meaning", "words"]
    assert again.by_meaning("text abc", k=3) == search.by_meaning("text abc", k=3)


@pytest.mark.slow
def test_an_encoder_is_read_from_its_folder(tmp_path: Path) -> None:
    """A BERT of chance: vectors of length 1, the same alone and beside others, whatever is padded."""
    from transformers import BertConfig, BertModel, BertTokenizerFast

    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nred\nblue\napple")
    BertTokenizerFast(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=8, **sizes)).save_pretrained(tmp_path)

    encoder = Encoder(tmp_path)
    vectors = encoder.of_texts(["red apple", "blue", "red red red blue apple"])

    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1, 1, 1], abs=1e-5)
    assert vectors[1] == pytest.approx(encoder.of_query("blue"), abs=1e-5)


def test_a_folder_without_an_encoder_is_the_users_to_name_again(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no encoder"):
        Encoder(tmp_path)


@pytest.mark.parametrize(
    "forms",
    [
        pytest.param("classify classifier classifiers", id="who"),
        pytest.param("normalise normalises normalising normalization", id="either-spelling"),
        pytest.param("tag tags tagging tagged", id="doubled"),
        pytest.param("query queries", id="y"),
        pytest.param("summarize summarization Summarizing", id="what"),
        pytest.param("date dates", id="plain"),
    ],
)
def test_the_forms_of_a_word_have_one_root(forms: str) -> None:
    assert len({root for _, root in roots(forms)}) == 1


def test_words_that_say_nothing_have_no_root() -> None:
    assert [word for word, _ in roots("What is the date of this?")] == ["date"]


def test_what_speaks_for_a_text_is_said_in_the_querys_own_words() -> None:
    index = Index(["normalises dates in mails", "names", "mails"])

    assert set(index.why("Normalising a date, please", 0)) == {"normalising", "date"}
    assert index.why("Normalising a date, please", 1) == ()


def test_an_index_is_the_same_when_read_from_its_file(tmp_path: Path) -> None:
    index = Index(["東京都 dates", "dates", ""])
    index.save(tmp_path / "index.npz")

    again = Index.load(tmp_path / "index.npz")

    assert repr(again) == repr(index)
    assert again.search("dates 東京", k=3) == index.search("dates 東京", k=3)


def test_many_texts_are_indexed_once_and_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    texts = [f"text number{number}" for number in range(2000)]
    first = Search(texts, cache=tmp_path).find(["number7"], k=1)
    [kept] = (tmp_path / "indexes").iterdir()
    written = kept.stat().st_mtime_ns

    assert Search(texts, cache=tmp_path).find(["number7"], k=1) == first
    assert kept.stat().st_mtime_ns == written

    kept.write_bytes(b"PK nothing")
    assert Search(texts, cache=tmp_path).find(["number7"], k=1) == first
    assert Index.load(kept)


def test_a_cache_that_cannot_be_written_costs_nothing_now(tmp_path: Path) -> None:
    (tmp_path / "indexes").write_text("in the way")

    assert Search(["some text"] * 2000, cache=tmp_path).find(["text"], k=1)[0].position == 0


def test_several_queries_are_averaged() -> None:
    search = Search(["red apple", "blue plum", "blue apple"])

    assert search.find(["apple", "blue"], k=3)[0].position == 2


def test_what_stands_high_by_words_and_by_meaning_comes_first() -> None:
    hits = fused([3, 1, 2], [1, 4])

    assert [hit.position for hit in hits] == [1, 3, 4, 2]
    assert fused([5], [5])[0].score == pytest.approx(100)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("Flan-T5 (base)", ["flan", "t5", "base"], id="latin"),
        pytest.param("ＦＵＬＬ ﬁt STRASSE straße", ["full", "fit", "strasse", "strasse"], id="one-spelling"),
        pytest.param("東京都", ["東京", "京都"], id="han"),
        pytest.param("日 x 月", ["日", "x", "月"], id="single"),
        pytest.param("日付をISO8601に", ["日付", "付を", "iso8601", "に"], id="mixed"),
        pytest.param("हिन्दी पाठ", ["हिन्दी", "पाठ"], id="devanagari"),
        pytest.param("데이터 분류", ["데이터", "분류"], id="hangul"),
        pytest.param("نص عربي", ["نص", "عربي"], id="arabic"),
        pytest.param("snake_case 😀 ...", ["snake", "case"], id="punctuation"),
    ],
)
def test_words_of_many_scripts(text: str, words: list[str]) -> None:
    assert tokenize(text) == words


@given(st.text())
def test_any_text_has_words(text: str) -> None:
    assert all(word and word.strip() == word for word in tokenize(text))


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


def test_a_model_for_bytes_is_found_by_what_it_is_good_for() -> None:
    cards = shipped_models().cards
    index = Index([card.text for card in cards])

    best = index.search("transliteration and spelling by bytes", k=3)

    assert {cards[hit.position].id for hit in best} == {"google/byt5-small", "google/byt5-base", "google/byt5-large"}


def test_a_users_catalogue_is_read_in_its_order(tmp_path: Path) -> None:
    path = write_cards(tmp_path, MODEL | {"id": "b"}, MODEL | {"id": "a", "description": " two\n words ", "more": 1})

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
        pytest.param(MODEL | {"id": "good"}, "the id 'good' was there before", id="duplicate"),
        pytest.param(MODEL | {"description": "x" * 70_000}, "longer than 64 KiB", id="huge"),
        pytest.param(["a"], "not a JSON object", id="list"),
        pytest.param(MODEL | {"updated": "lately"}, "'updated' is no day or moment in ISO 8601", id="no-day"),
    ],
)
def test_a_line_that_is_no_card_is_skipped_with_its_reason(tmp_path: Path, row: object, reason: str) -> None:
    catalogue = load_models(write_cards(tmp_path, MODEL | {"id": "good"}, row, MODEL | {"id": "last"}))

    assert [card.id for card in catalogue.cards] == ["good", "last"]
    assert [(skipped.line, skipped.reason) for skipped in catalogue.skipped] == [(2, reason)]


def test_what_nobody_has_said_of_a_card_stays_unsaid(tmp_path: Path) -> None:
    silent = {key: value for key, value in MODEL.items() if key not in ("bytes", "parameters")}

    [one, other] = load_models(
        write_cards(tmp_path, silent, silent | {"id": "b", "bytes": None, "updated": None})
    ).cards

    assert (one.bytes, one.parameters, one.updated) == (other.bytes, other.parameters, other.updated) == (None,) * 3


def test_columns_have_names_and_what_is_known_of_their_values(tmp_path: Path) -> None:
    route = {"name": "route", "type": "label", "labels": ["billing", "other"], "sample": ["1", "<b>\x1b[2J\n</b>"]}
    [card] = load_datasets(write_cards(tmp_path, DATASET | {"columns": ["text", route]})).cards

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
    catalogue = load_datasets(write_cards(tmp_path, DATASET | {"columns": columns}))

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


@pytest.mark.slow
@pytest.mark.skipif(not (SHARED / "datafinder").is_dir(), reason="shared data is absent")
def test_plain_search_over_labelled_queries_is_as_good_as_it_was() -> None:
    """DataFinder's one-sentence queries: a relevant data set among the first five for a fifth of them."""
    with gzip.open(SHARED / "datafinder" / "documents.jsonl.gz", "rt", encoding="utf-8") as file:
        documents = [json.loads(line) for line in file]
    with (SHARED / "datafinder" / "dev.jsonl").open(encoding="utf-8") as file:
        queries = [json.loads(line) for line in file]
    index = Index([f"{row['id']} {row['title']} {row['description']}" for row in documents])

    found = [{documents[hit.position]["id"] for hit in index.search(row["input"], k=5)} for row in queries]

    hits = sum(bool(ids & set(row["relevant"])) for ids, row in zip(found, queries, strict=True))
    assert hits / len(queries) >= 0.2
