"""Finding by words, and by meaning where an encoder is at hand."""

from __future__ import annotations

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.encoder import Encoder
from engine.errors import UserError
from engine.retrieval import (
    Hit,
    Index,
    Search,
    shipped_models,
    tokenize,
)
from engine.retrieval.bm25 import Weighing
from engine.retrieval.search import copies_behind, fused
from engine.retrieval.words import roots

SHARED = Path(__file__).parents[2].parent / "shared" / "data"


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


@pytest.mark.long
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
    with (tmp_path / "index.npz").open("wb") as file:
        index.save(file)

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

    for damaged in (b"PK nothing", b""):
        kept.write_bytes(damaged)
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

    assert [hit.position for hit in hits] == [1, 4, 3, 2]
    assert fused([5], [5])[0].score == pytest.approx(100)


def test_meaning_counts_half_as_much_again_as_words() -> None:
    by_meaning, by_words = fused([0], [1])

    assert (by_meaning.position, by_words.position) == (1, 0)
    assert by_meaning.score == pytest.approx(1.5 * by_words.score)


def test_with_an_encoder_the_best_is_the_same_however_few_are_wanted() -> None:
    search = Search(["plum", "apple pie", "pale", "leap", "apple"], encoder=Letters())

    best = search.find(["apple leap"], k=5)

    assert [search.find(["apple leap"], k=k) for k in (1, 2, 3)] == [best[:k] for k in (1, 2, 3)]


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


def test_a_model_for_bytes_is_found_by_what_it_is_good_for() -> None:
    cards = shipped_models().cards
    index = Index([card.text for card in cards])

    best = index.search("transliteration and spelling by bytes", k=3)

    assert {cards[hit.position].id for hit in best} == {"google/byt5-small", "google/byt5-base", "google/byt5-large"}


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


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 100)), max_size=12))
def test_the_best_of_a_name_keeps_its_score_and_its_copies_count_half(cards: list[tuple[str, float]]) -> None:
    names = [name for name, _ in cards]
    hits = sorted((Hit(at, score) for at, (_, score) in enumerate(cards)), key=lambda hit: -hit.score)

    behind = copies_behind(hits, names)

    assert [hit.score for hit in behind] == sorted((hit.score for hit in behind), reverse=True)
    worth = {hit.position: hit.score for hit in behind}
    firsts = {next(hit.position for hit in hits if names[hit.position] == name) for name in names}
    assert worth == {hit.position: hit.score / (1 if hit.position in firsts else 2) for hit in hits}
