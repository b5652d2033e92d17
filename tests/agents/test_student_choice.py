"""Which student is trained in the end: by its answers, its rows, the machine, and what lies on it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from agents.finding.bases import bring_here, named_base
from agents.finding.choose import Filtered, Ranked, Ranking, StudentChoice
from agents.finding.student_choice import WORTH_TUNING, Situation, answers_with_labels, choose_student
from agents.records import Spec
from agents.students.train import choose_for_rows
from engine.errors import UserError
from engine.retrieval import ModelCard, Place
from engine.training import Row

MANY = WORTH_TUNING


def card(name: str, family: str = "seq2seq", architecture: str = "") -> ModelCard:
    usual = {"seq2seq": "t5", "embedding": "bert", "classifier": "roberta", "causal": "llama"}
    return ModelCard(
        id=name, description="", tags=(), task="any", languages=("en",), licence="mit", family=family,
        architecture=architecture or usual[family], downloads=1, gated=False,
    )  # fmt: skip


T5, BERT, SENTENCES = card("t5"), card("bert", "classifier"), card("sentences", "embedding")
LLAMA = card("llama", "causal")


def here(*cards: ModelCard) -> Ranking[ModelCard]:
    return ranked(*((each, "machine") for each in cards))


def there(*cards: ModelCard) -> Ranking[ModelCard]:
    return ranked(*((each, "hub") for each in cards))


def ranked(*found: tuple[ModelCard, Place]) -> Ranking[ModelCard]:
    return Ranking(tuple(Ranked(each, 1.0, place) for each, place in found), ())


def situation(*, labels: bool, rows: int | None = 100, gpu: bool = False) -> Situation:
    return Situation(has_labels=labels, rows=rows, has_gpu=lambda: gpu)


LABELS, TEXTS = situation(labels=True), situation(labels=False)


@pytest.mark.parametrize(
    ("has", "ranking", "student", "says"),
    [
        pytest.param(LABELS, here(), "linear", "no sentence encoder that suits", id="labels, nothing here"),
        pytest.param(LABELS, here(T5), "linear", "no sentence encoder that suits", id="labels, a T5 here"),
        pytest.param(LABELS, here(T5, BERT), "linear", "bert is better left alone", id="labels, a BERT here"),
        pytest.param(LABELS, here(BERT, SENTENCES), "embedding sentences", "from few rows", id="sentence encoder here"),
        pytest.param(
            LABELS, there(SENTENCES), "linear", "--student embedding would download sentences", id="one on the hub"
        ),
        pytest.param(
            situation(labels=True, rows=MANY, gpu=True), here(BERT, SENTENCES), "classifier sentences",
            "a graphics card and 2,000 rows", id="worth tuning",
        ),
        pytest.param(
            situation(labels=True, rows=MANY, gpu=True), here(BERT), "classifier bert", "a graphics card",
            id="a BERT worth tuning",
        ),
        pytest.param(situation(labels=True, rows=MANY - 1, gpu=True), here(SENTENCES), "embedding sentences",
                     "as it is", id="too few to tune"),
        pytest.param(situation(labels=True, rows=MANY), here(SENTENCES), "embedding sentences", "as it is",
                     id="nothing to tune with"),
        pytest.param(situation(labels=True, rows=None, gpu=True), here(SENTENCES), "embedding sentences", "as it is",
                     id="nobody knows how many rows"),
        pytest.param(TEXTS, here(), "tiny", "no model that suits", id="texts, nothing here"),
        pytest.param(TEXTS, there(T5), "tiny", "--student seq2seq would download t5", id="a T5 on the hub"),
        pytest.param(TEXTS, here(T5), "tiny", "without a graphics card t5 learns too slowly", id="a T5 here"),
        pytest.param(situation(labels=False, gpu=True), here(T5, LLAMA), "seq2seq t5", "suits best", id="a T5, a GPU"),
        pytest.param(situation(labels=False, gpu=True), here(LLAMA, T5), "causal llama", "suits best", id="a llama"),
        pytest.param(TEXTS, here(LLAMA), "tiny", "--student causal would tune it", id="a llama, no GPU"),
    ],
)  # fmt: skip
def test_auto_takes_what_the_table_says_and_says_why(
    has: Situation, ranking: Ranking[ModelCard], student: str, says: str
) -> None:
    choice = choose_student(has, ranking)

    assert f"{choice.family} {choice.checkpoint or ''}".strip() == student
    assert says in choice.why
    assert "\n" not in choice.why


def test_nobody_looks_for_a_graphics_card_where_nothing_could_be_tuned() -> None:
    def looked() -> bool:
        raise AssertionError("torch takes seconds to load")

    for has_labels in (True, False):
        choose_student(Situation(has_labels=has_labels, rows=MANY, has_gpu=looked), there(T5, SENTENCES))


@pytest.mark.parametrize(
    ("has", "base", "wanted", "student"),
    [
        pytest.param(LABELS, SENTENCES, "auto", "embedding", id="sentence encoder"),
        pytest.param(LABELS, BERT, "auto", "classifier", id="another encoder"),
        pytest.param(LABELS, T5, "auto", "seq2seq", id="a T5"),
        pytest.param(TEXTS, T5, "auto", "seq2seq", id="a T5 for texts"),
        pytest.param(TEXTS, LLAMA, "auto", "causal", id="a llama for texts"),
        pytest.param(situation(labels=True, rows=MANY, gpu=True), SENTENCES, "auto", "classifier", id="worth tuning"),
        pytest.param(LABELS, BERT, "embedding", "embedding", id="as it is, by choice"),
        pytest.param(LABELS, card("x", "embedding", "new_kind"), "classifier", "classifier", id="of a new kind"),
    ],
)
def test_a_base_that_was_named_is_started_from(has: Situation, base: ModelCard, wanted: str, student: str) -> None:
    choice = choose_student(has, here(T5, SENTENCES), wanted=wanted, base=base)

    assert (choice.family, choice.checkpoint) == (student, base.id)
    assert choice.why.endswith("as you chose")


@pytest.mark.parametrize("wanted", ["tiny", "linear"])
def test_the_users_choice_is_taken(wanted: str) -> None:
    assert choose_student(LABELS, here(T5), wanted=wanted) == StudentChoice(wanted, None, f"{wanted}, as you chose")  # type: ignore[arg-type] # both are families


@pytest.mark.parametrize(
    ("wanted", "best"), [("seq2seq", "t5"), ("causal", "llama"), ("embedding", "sentences"), ("classifier", "bert")]
)
def test_a_family_by_choice_takes_the_best_that_can_be_had_those_that_are_here_first(wanted: str, best: str) -> None:
    ranking = ranked(
        (card("far", wanted), "hub"), (T5, "machine"), (BERT, "machine"), (SENTENCES, "machine"), (LLAMA, "machine")
    )

    choice = choose_student(LABELS, ranking, wanted=wanted)

    assert (choice.family, choice.checkpoint) == (wanted, best)
    assert choose_student(LABELS, there(card("far", wanted)), wanted=wanted).checkpoint == "far"


def test_a_named_model_is_taken_though_it_is_large() -> None:
    big = Ranking((), (Filtered(card("org/big"), 1.0, "size", "9.0 GB is more than 3.0 GB"),))

    assert choose_student(TEXTS, big, wanted="org/big").checkpoint == "org/big"
    assert choose_student(TEXTS, big, wanted="./my-folder").checkpoint == "./my-folder"
    assert choose_student(LABELS, here(SENTENCES), wanted="sentences").family == "embedding"


LEFT_OUT: Ranking[ModelCard] = Ranking(
    (),
    (
        Filtered(card("org/llama", "causal"), 1.0, "family", "no trainer takes llama"),
        Filtered(T5, 1.0, "unreachable", "it is not on this machine"),
    ),
)


@pytest.mark.parametrize(
    ("wanted", "base", "message"),
    [
        pytest.param("linear", None, "can only choose among labels", id="linear for text"),
        pytest.param("embedding", None, "can only choose among labels", id="embedding for text"),
        pytest.param("classifier", BERT, "can only choose among labels", id="classifier for text"),
        pytest.param("seq2seq", None, "can be had from here", id="nothing to tune"),
        pytest.param("seq2seq", BERT, "cannot start from bert: it is a roberta model", id="another kind of base"),
        pytest.param("auto", BERT, "'seq2seq' cannot start from bert", id="a base that does not write"),
        pytest.param("tiny", T5, "starts from nothing: leave out --base", id="a base for nothing"),
        pytest.param("org/llama", None, "cannot be trained here: no trainer takes llama", id="untrainable"),
        pytest.param("t5", None, "cannot be trained here: it is not on this machine", id="unreachable"),
    ],
)
def test_a_choice_that_cannot_work_is_the_users_to_change(wanted: str, base: ModelCard | None, message: str) -> None:
    with pytest.raises(UserError, match=message):
        choose_student(TEXTS, LEFT_OUT, wanted=wanted, base=base)


def test_nothing_to_be_had_for_labels_leads_to_linear() -> None:
    with pytest.raises(UserError, match=r"'embedding' can be had from here.*--base, or take 'linear'"):
        choose_student(LABELS, here(T5), wanted="embedding")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(Spec(instruction="x", kind="classification", labels=("a", "b")), True, id="one label"),
        pytest.param(Spec(instruction="x", form="labels"), True, id="several"),
        pytest.param(Spec(instruction="x", form="json"), False, id="JSON"),
        pytest.param(Spec(instruction="x"), False, id="text"),
    ],
)
def test_several_labels_at_once_are_labels_too(spec: Spec, expected: bool) -> None:
    assert answers_with_labels(spec) is expected


ROUTED = [Row(f"where is my parcel {n}", "late") for n in range(9)] + [Row(f"money {n}", "paid") for n in range(9)]
WRITTEN = [Row(f"the {n}th of May", f"05-{n:02}") for n in range(18)]


@pytest.mark.parametrize(
    ("rows", "wanted", "family"),
    [
        pytest.param(ROUTED, "auto", "linear", id="labels"),
        pytest.param(WRITTEN, "auto", "tiny", id="texts"),
        pytest.param(WRITTEN, "linear", "linear", id="whoever names it knows better"),
    ],
)
def test_rows_without_a_prompt_say_by_themselves_what_they_want(
    rows: list[Row], wanted: str, family: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)

    assert choose_for_rows(rows, wanted=wanted, base=None).family == family


def test_rows_that_cannot_teach_anything_are_said_before_anything_is_looked_for() -> None:
    with pytest.raises(UserError, match="all 9 rows have the output 'late'"):
        choose_for_rows(ROUTED[:9], wanted="auto", base="nobody/has-it")


def test_a_student_that_there_is_not_is_named_with_those_that_there_are() -> None:
    with pytest.raises(
        UserError,
        match="--student: unknown value 'linaer'; did you mean 'linear'",
    ):
        choose_for_rows(ROUTED, wanted="linaer", base=None)


@pytest.mark.parametrize(
    ("place", "fetched"), [pytest.param("hub", ["org/m"], id="on the hub"), pytest.param("machine", [], id="here")]
)
def test_only_what_is_on_the_hub_alone_is_fetched(place: Place, fetched: list[str], tmp_path: Path) -> None:
    asked: list[str] = []
    find: Callable[[str], Place | None] = lambda _: place  # noqa: E731

    bring_here("org/m", place=find, fetch=asked.append)
    bring_here(str(tmp_path), place=lambda _: None, fetch=asked.append)

    assert asked == fetched


def test_what_cannot_be_had_is_one_line_with_the_way_out() -> None:
    with pytest.raises(UserError, match="the hub does not answer: name what is here, or take 'linear' or 'tiny'"):
        bring_here("org/m", place=lambda _: None)


def test_a_folder_is_known_by_what_its_own_files_say(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert", "architectures": ["BertModel"]}')
    plain = named_base(str(tmp_path))
    (tmp_path / "modules.json").write_text("[]")
    sentences = named_base(str(tmp_path))

    assert plain is not None
    assert sentences is not None
    assert (plain.id, plain.family, plain.architecture) == (str(tmp_path), "classifier", "bert")
    assert sentences.family == "embedding"
    assert named_base(None) is None


def test_what_tiny_starts_from_is_looked_for_in_no_catalogue() -> None:
    choice = choose_for_rows(ROUTED, wanted="tiny", base="scratch")

    assert (choice.family, choice.checkpoint, choice.why) == ("tiny", "scratch", "tiny from scratch, as you chose")
