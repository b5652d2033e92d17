"""Which models and data sets suit, why the others do not, and what is trained in the end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.finding.choose import Ranking, rank_datasets, rank_models
from engine.retrieval import Column, DatasetCard, ModelCard, Place, load_models


def model(
    name: str,
    description: str = "dates",
    *,
    downloads: int = 1000,
    size: int = 1_000_000,
    languages: tuple[str, ...] = ("en",),
    licence: str = "mit",
    family: str = "seq2seq",
    architecture: str = "t5",
    gated: bool = False,
) -> ModelCard:
    return ModelCard(
        id=name, description=description, tags=(), task="text", languages=languages, licence=licence, family=family,
        architecture=architecture, parameters=size // 4, bytes=size, downloads=downloads, gated=gated,
    )  # fmt: skip


def dataset(name: str, description: str, *, licence: str = "mit", gated: bool = False) -> DatasetCard:
    return DatasetCard(
        id=name, description=description, tags=(), languages=("en",), licence=licence, rows=10,
        columns=(Column("text"),), downloads=100, gated=gated,
    )  # fmt: skip


def here(_: str) -> Place | None:
    return "machine"


def on_the_hub(_: str) -> Place | None:
    return "hub"


def nowhere(_: str) -> Place | None:
    return None


def ids(ranking: Ranking[ModelCard]) -> list[str]:
    return [ranked.card.id for ranked in ranking.kept]


def test_the_model_that_speaks_of_the_task_comes_first() -> None:
    cards = [model("names", "finds names"), model("dates", "normalises dates"), model("other", "paints")]

    assert ids(rank_models("normalises dates", cards, place=here))[0] == "dates"


def test_of_equal_words_the_more_downloaded_comes_first() -> None:
    cards = [model("rare", downloads=10), model("known", downloads=1_000_000), model("new", downloads=0)]

    ranking = rank_models("dates", cards, place=here)

    assert ids(ranking) == ["known", "rare", "new"]
    assert all(ranked.score > 0 for ranked in ranking.kept)


def test_copies_of_a_model_stand_behind_what_differs() -> None:
    copies = [model(f"someone{n}/dates-base", downloads=5000 - n) for n in range(4)]
    other = model("else/days", downloads=10)

    assert ids(rank_models("dates", [*copies, other], place=here))[:2] == ["someone0/dates-base", "else/days"]


def test_files_of_one_name_are_nobodys_copies() -> None:
    cards = [dataset(f"/data/{folder}/train.csv", "dates and times") for folder in "ab"]
    cards.append(dataset("org/else", "dates and the like"))

    found = [ranked.card.id for ranked in rank_datasets("dates and times", cards, place=here).kept]

    assert found == ["/data/a/train.csv", "/data/b/train.csv", "org/else"]


def test_models_that_share_no_word_are_still_candidates() -> None:
    ranking = rank_models("日付", [model("a", downloads=10), model("b", downloads=20)], place=here)

    assert [(ranked.card.id, ranked.score) for ranked in ranking.kept] == [("b", 0.0), ("a", 0.0)]


@pytest.mark.parametrize(
    ("card", "reason", "detail"),
    [
        pytest.param(
            model("x", family="causal", architecture="rwkv"), "family",
            "no trainer takes rwkv models of the family 'causal' yet", id="family",
        ),
        pytest.param(model("x", architecture="bart"), "family",
                     "no trainer takes bart models of the family 'seq2seq' yet", id="architecture"),
        pytest.param(model("x", size=3_100_000_000), "size", "3.1 GB is more than 3.0 GB", id="size"),
        pytest.param(model("x", languages=("fr", "de")), "language", "knows fr, de, not en", id="language"),
        pytest.param(model("x", licence="other"), "licence", "its licence is other", id="licence"),
        pytest.param(model("x", gated=True), "gated",
                     "its publisher's terms must be accepted on the hub before it can be fetched", id="gated"),
    ],
)  # fmt: skip
def test_what_does_not_suit_is_left_out_with_its_reason(card: ModelCard, reason: str, detail: str) -> None:
    ranking = rank_models("dates", [card], place=on_the_hub, language="en", licences=("mit",))

    [filtered] = ranking.filtered
    assert (filtered.reason, filtered.detail) == (reason, detail)
    assert filtered.score > 0
    assert not ranking.kept


@pytest.mark.parametrize("family", ["embedding", "classifier"])
def test_a_model_that_only_reads_is_a_candidate_where_the_answers_are_labels(family: str) -> None:
    card = model("x", family=family, architecture="bert")

    texts = rank_models("dates", [card], place=here, has_labels=False)

    assert ids(rank_models("dates", [card], place=here)) == ["x"]
    assert [(one.reason, one.detail) for one in texts.filtered] == [
        ("family", "it reads and does not write, and this task wants text")
    ]


def test_a_sentence_encoder_needs_no_memory_for_being_tuned() -> None:
    cards = [model("as it is", size=400, family="embedding", architecture="bert"), model("tuned", size=400)]

    assert ids(rank_models("dates", cards, place=here, memory=500)) == ["as it is"]


def test_what_cannot_be_had_is_left_out() -> None:
    ranking = rank_models("dates", [model("x")], place=nowhere)

    assert [filtered.reason for filtered in ranking.filtered] == ["unreachable"]


def test_a_gated_model_that_is_here_already_is_welcome() -> None:
    assert ids(rank_models("dates", [model("x", gated=True)], place=here)) == ["x"]


def test_multilingual_models_know_every_language() -> None:
    card = model("x", languages=("multilingual",))

    assert ids(rank_models("dates", [card], place=here, language="sw")) == ["x"]


@given(st.text(max_size=40), st.sampled_from(["en", "ja", None]), st.sampled_from([here, on_the_hub, nowhere]))
def test_every_card_is_kept_or_left_out_never_both_never_neither(
    query: str, language: str | None, place: object
) -> None:
    cards = [model("a"), model("b", languages=("ja",)), model("c", architecture="bart"), model("d", gated=True)]

    ranking = rank_models(query, cards, place=place, language=language)  # type: ignore[arg-type] # a sampled function

    assert sorted([*ids(ranking), *(filtered.card.id for filtered in ranking.filtered)]) == ["a", "b", "c", "d"]
    assert [ranked.score for ranked in ranking.kept] == sorted((r.score for r in ranking.kept), reverse=True)


def test_no_cards_no_candidates() -> None:
    assert rank_models("dates", [], place=here) == Ranking((), ())


def test_a_shipped_t5_is_found_for_dates() -> None:
    ranking = rank_models(
        "Normalising dates and numbers, short answers", load_models().cards, place=on_the_hub, language="en",
        has_labels=False,
    )  # fmt: skip

    assert all(ranked.card.family in ("seq2seq", "causal") for ranked in ranking.kept)
    assert {"google/flan-t5-base", "google/byt5-small"} & set(ids(ranking)[:3])


def test_data_sets_out_of_reach_stay_in_the_list() -> None:
    cards = [dataset("dates", "dates in sentences"), dataset("names", "names", licence="other")]

    ranking = rank_datasets("dates", cards, place=nowhere, licences=("mit",))

    assert [(ranked.card.id, ranked.place) for ranked in ranking.kept] == [("dates", None)]
    assert [filtered.reason for filtered in ranking.filtered] == ["licence"]


def test_a_gated_data_set_on_the_hub_is_left_out() -> None:
    ranking = rank_datasets("dates", [dataset("dates", "dates", gated=True)], place=on_the_hub)

    assert [filtered.reason for filtered in ranking.filtered] == ["gated"]
