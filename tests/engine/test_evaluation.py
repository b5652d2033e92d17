"""Scores: the known values, the intervals, and what cannot be scored."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine.errors import UserError
from engine.evaluation import (
    METRICS,
    Leeway,
    Score,
    Terms,
    bert_scores,
    confusion,
    label_scores,
    metric,
    rightness,
    score,
    wilson,
)

LABELS = st.sampled_from(["a", "b", "c"])
PAIRS = st.lists(st.tuples(LABELS, LABELS), min_size=1, max_size=30)


class Letters:
    """Reads a text as its letters, each a direction of its own."""

    def of_tokens(self, texts: Sequence[str]) -> list[NDArray[np.float32]]:
        return [np.eye(128, dtype=np.float32)[[ord(letter) % 128 for letter in text]] for text in texts]


def by_name(scores: tuple[Score, ...]) -> dict[str, Score]:
    return {one.metric: one for one in scores}


def test_the_first_score_is_the_one_to_compare_by() -> None:
    assert [one.metric for one in score(["a"], ["a"], kind="text")] == ["exact match", "chrF++"]
    assert [one.metric for one in score(["a"], ["a"], kind="classification")] == ["accuracy", "macro-F1"]


def test_any_of_several_right_answers_is_right() -> None:
    scores = by_name(score(["N/A", "one"], [["none", "N/A"], "two"], kind="text"))

    assert scores["exact match"].value == 0.5
    assert scores["exact match"].rows == 2


def test_the_interval_holds_the_value_and_narrows_with_rows() -> None:
    few = score(["a", "b"] * 10, ["a"] * 20, kind="text")[0]
    many = score(["a", "b"] * 500, ["a"] * 1000, kind="text")[0]

    assert few.low < few.value == 0.5 < few.high
    assert many.high - many.low < 0.07 < few.high - few.low


def test_the_same_seed_gives_the_same_interval() -> None:
    given_labels, wanted = ["a", "b", "c"] * 9, ["a", "a", "b"] * 9
    first, again, other = (score(given_labels, wanted, kind="classification", seed=seed) for seed in (1, 1, 2))

    assert first == again
    assert first[0] == other[0], "a share's interval has no chance in it"
    assert first[1] != other[1]


@pytest.mark.parametrize(
    ("hits", "rows", "low", "high"),
    [
        pytest.param(8, 8, 0.6756, 1.0, id="all of few"),
        pytest.param(0, 8, 0.0, 0.3244, id="none of few"),
        pytest.param(81, 263, 0.2553, 0.3662, id="a published example"),  # Newcombe 1998, table I
        pytest.param(15, 148, 0.0624, 0.1605, id="another"),
    ],
)
def test_the_interval_of_a_share_is_wilsons(hits: int, rows: int, low: float, high: float) -> None:
    assert list(wilson(hits, rows)) == pytest.approx([low, high], abs=5e-5)


@given(st.integers(1, 5000).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows))))
def test_the_interval_of_a_share_has_width_and_holds_it(share: tuple[int, int]) -> None:
    hits, rows = share

    low, high = wilson(hits, rows)

    assert 0 <= low <= hits / rows <= high <= 1
    assert low < high


@pytest.mark.parametrize(("hits", "rows"), [(0, 0), (3, 2), (-1, 2)])
def test_what_is_no_share_has_no_interval(hits: int, rows: int) -> None:
    with pytest.raises(UserError, match=f"{hits} of {rows}"):
        wilson(hits, rows)


def test_a_perfect_score_on_few_rows_promises_little() -> None:
    perfect = score(["a"] * 8, ["a"] * 8, kind="classification")[0]

    assert perfect.low == pytest.approx(0.6756, abs=5e-5)
    assert perfect.high == 1


@settings(max_examples=25, deadline=None)
@given(PAIRS)
@pytest.mark.long
def test_macro_f1_is_scikit_learns(pairs: list[tuple[str, str]]) -> None:
    from sklearn.metrics import f1_score

    given_labels, wanted = [pair[0] for pair in pairs], [pair[1] for pair in pairs]

    ours = by_name(score(given_labels, wanted, kind="classification"))["macro-F1"].value

    assert ours == pytest.approx(f1_score(wanted, given_labels, average="macro", zero_division=0))


def test_chrf_is_sacrebleus_with_any_number_of_references() -> None:
    from sacrebleu.metrics import CHRF

    predictions = ["the cat sat", "a dog", ""]
    references = [["the cat sat down", "a cat sat"], ["a dog barked"], ["nothing"]]

    ours = by_name(score(predictions, references, kind="text"))["chrF++"]

    columns = [["the cat sat down", "a dog barked", "nothing"], ["a cat sat", None, None]]
    assert ours.value == pytest.approx(CHRF(word_order=2).corpus_score(predictions, columns).score)
    assert ours.low <= ours.value <= ours.high <= 100


def test_a_score_reads_as_a_sentence() -> None:
    assert str(Score("accuracy", 0.914, 0.9, 0.93, 100)) == "0.91 accuracy (0.90 to 0.93)"


@pytest.mark.parametrize(
    ("predictions", "references", "says"),
    [
        pytest.param([], [], "no rows", id="no-rows"),
        pytest.param(["a"], ["a", "b"], "1 predictions", id="lengths"),
        pytest.param(["a"], [[]], "row 0", id="no-answer"),
    ],
)
def test_what_cannot_be_scored_is_said_in_one_line(
    predictions: list[str], references: list[str | list[str]], says: str
) -> None:
    with pytest.raises(UserError, match=says) as raised:
        score(predictions, references, kind="text")

    assert "\n" not in str(raised.value)


def test_an_unknown_metric_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UserError, match="accuracy"):
        metric("BLEU")


@pytest.mark.slow
@pytest.mark.parametrize("name", METRICS)
def test_every_metric_works_through_evaluate_without_a_download(name: str) -> None:
    full = 100.0 if name == "chrF++" else 1.0
    ours = metric(name, terms=Terms(encoder=Letters()))

    found = ours.compute(predictions=["a b", "c d"], references=[["a b"], ["x y", "c d"]])

    assert found == {name: pytest.approx(full)}


def test_the_metrics_that_are_named_are_scored_in_their_order() -> None:
    scores = score(["7.0", "x"], ["7", "y"], metrics=("number match", "ROUGE-L", "exact match"))

    assert [one.metric for one in scores] == ["number match", "ROUGE-L", "exact match"]
    assert [one.value for one in scores] == pytest.approx([0.5, 1 / 3, 0])


def test_leeway_is_for_values_and_not_for_words() -> None:
    terms = Terms(leeway=Leeway(share=0.1, days=1))

    assert rightness("number match", ["105", "115"], ["100", "100"], terms=terms) == [True, False]
    assert rightness("date match", ["2024-03-01"], ["2024-02-29"], terms=terms) == [True]
    assert rightness("exact match", ["105"], ["100"], terms=terms) == [False]


@pytest.mark.parametrize(("name", "most"), [("macro-F1", 1.0), ("chrF++", 100.0), ("ROUGE-L", 1.0)])
def test_of_a_single_row_nothing_is_known_for_sure(name: str, most: float) -> None:
    """Drawn again it is always itself, which would pass for certainty."""
    (one,) = score(["a b"], ["a b"], metrics=(name,))

    assert (one.low, one.high) == (0.0, most)


def test_meaning_needs_somebody_who_reads() -> None:
    with pytest.raises(UserError, match="name the folder"):
        score(["a"], ["a"], metrics=("BERTScore",))


def test_bert_score_matches_each_token_with_the_likest_of_the_other_text() -> None:
    """Of "ab" half is in "bc", and half of "bc" in "ab"; of "aab" all is in "ab", and the other way round."""
    assert bert_scores(["ab", "aab", "", "x"], [["bc"], ["ab"], [""], [""]], encoder=Letters()) == [0.5, 1, 1, 0]


def test_bert_score_takes_the_best_of_several_right_answers() -> None:
    assert bert_scores(["ab"], [["xy", "ac"]], encoder=Letters()) == [0.5]


def test_labels_are_counted_one_by_one_the_largest_first() -> None:
    one, two, never = label_scores(["a", "a", "b", "x"], ["a", "b", "b", "a"])

    assert (one.label, one.rows, one.given, one.right) == ("a", 2, 2, 1)
    assert (two.label, two.precision, two.recall) == ("b", 1.0, 0.5)
    assert two.f1 == pytest.approx(2 / 3)
    assert (never.label, never.precision, never.recall, never.f1) == ("x", 0.0, None, 0.0)


def test_a_label_that_is_never_given_has_no_precision() -> None:
    assert label_scores(["a"], ["b"])[0].precision is None


def test_the_confusion_shows_who_is_taken_for_whom() -> None:
    found = confusion(["a", "b", "b", "a"], ["a", "a", "b", "a"])

    assert found.labels == ("a", "b")
    assert found.counts == ((2, 1), (0, 1))


def test_of_many_labels_the_confusion_shows_those_that_err_most_and_the_rest_together() -> None:
    wanted = [f"l{number:02}" for number in range(20)] * 3
    given_labels = [*wanted[:40], *reversed(wanted[40:])]
    given_labels[0] = "l05"

    found = confusion(given_labels, wanted, most=3)

    assert len(found.labels) == 4
    assert {"l00", "l05"} <= set(found.labels)
    assert found.labels[-1] == "all others"
    assert sum(map(sum, found.counts)) == 60


@settings(max_examples=50, deadline=None)
@given(PAIRS, st.integers(1, 4))
def test_the_confusion_counts_every_row_once_and_never_one_other_alone(pairs: list[tuple[str, str]], most: int) -> None:
    found = confusion([pair[0] for pair in pairs], [pair[1] for pair in pairs], most=most)

    assert sum(map(sum, found.counts)) == len(pairs)
    assert all(len(line) == len(found.labels) for line in found.counts)
    assert "all others" not in found.labels or most == 1
