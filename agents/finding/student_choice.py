"""Which student suits a task, and why in a line: by its answers, its rows, the machine, and what lies on it.

Decides alone; who looks at the machine hands in what was found.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from agents.finding.choose import ENCODERS, Ranked, Ranking, StudentChoice, trainable_as
from agents.records import Spec, StudentFamily
from engine.errors import UserError
from engine.retrieval import ModelCard

__all__ = ["BASED", "LABELS_ALONE", "Situation", "answers_with_labels", "best_student", "choose_student"]

ALONE: Final[tuple[StudentFamily, ...]] = ("linear", "tiny")
"""The students that start from nothing."""

BASED: Final[tuple[StudentFamily, ...]] = ("seq2seq", "causal", "embedding", "classifier")
"""The students that start from a checkpoint."""

WRITERS: Final = ("seq2seq", "causal")
"""Those of them that write text of their own."""

LABELS_ALONE: Final = ("linear", "embedding", "classifier")
"""The students that answer with labels that they have seen, and with nothing else."""

# Of 77 and 150 intents a frozen encoder of 22 million parameters was 3 to 13 points ahead of words and characters at 10
# and at 50 rows a label. Four minutes of tuning it on a busy core changed that by -1 to +2; on a graphics card they are
# seconds.
WORTH_TUNING: Final = 2000  # rows, and a graphics card


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a choice of student stands on. `rows` are those to learn from, None where nobody knows yet."""

    has_labels: bool  # the answers are labels, one or several at once
    rows: int | None = None
    has_gpu: Callable[[], bool] = lambda: False  # asked where it matters alone, since looking takes seconds


def answers_with_labels(spec: Spec) -> bool:
    """Whether the answers of a task are labels, one or several at once."""
    return spec.kind == "classification" or spec.form == "labels"


def choose_student(
    situation: Situation, ranking: Ranking[ModelCard], *, wanted: str = "auto", base: ModelCard | None = None
) -> StudentChoice:
    """What to train: the user's own choice, or the best that needs no download.

    `wanted` is a family, a model's id or folder, or "auto". A family that starts from a checkpoint takes `base`, or the
    best of the ranking, those on this machine first and downloaded if need be. Raises UserError for a choice that
    cannot work.
    """
    if wanted == "auto":
        return best_student(situation, ranking) if base is None else _from(base, situation)
    if wanted in LABELS_ALONE and not situation.has_labels:
        raise UserError(f"the student {wanted!r} can only choose among labels, and this task wants text; try 'tiny'")
    if wanted in BASED:
        return _best_of(wanted, ranking) if base is None else _named_base(wanted, base)
    if base is not None:
        raise UserError(f"the student {wanted!r} starts from nothing: leave out --base, or name another student")
    if wanted in ALONE:
        return StudentChoice(_family(wanted), None, f"{wanted}, as you chose")
    return _named(wanted, ranking, situation)


def best_student(situation: Situation, ranking: Ranking[ModelCard]) -> StudentChoice:
    """The best student that needs no download.

    Labels: 1. an encoder that is here, a graphics card and rows worth it: `classifier`; 2. a sentence encoder that is
    here: `embedding`; 3. otherwise `linear`. Texts: 4. a model that writes is here, and a graphics card: `seq2seq` or
    `causal`; 5. otherwise `tiny`.
    """
    here = [ranked.card for ranked in ranking.kept if ranked.place == "machine"]
    return _for_labels(situation, ranking, here) if situation.has_labels else _for_texts(situation, ranking, here)


def _for_labels(situation: Situation, ranking: Ranking[ModelCard], here: Sequence[ModelCard]) -> StudentChoice:
    encoders = [card for card in here if trainable_as("classifier", card)]
    sentences = [card for card in encoders if card.family == "embedding"]
    if encoders and _is_worth_tuning(situation):
        best = (sentences or encoders)[0].id
        why = f"{best} tuned, because the answers are labels and there are a graphics card and {situation.rows:,} rows"
        return StudentChoice("classifier", best, why)
    if sentences:
        best = sentences[0].id
        why = f"{best} as it is, because the answers are labels and it is on this machine"
        return StudentChoice("embedding", best, f"{why}: from few rows it mostly learns more than words alone tell")
    if encoders:
        why = f"without a graphics card {encoders[0].id} is better left alone (--student classifier would tune it)"
    else:
        why = f"no sentence encoder that suits is on this machine{_to_be_had('embedding', ranking)}"
    return StudentChoice("linear", None, f"linear, because the answers are labels and {why}")


def _for_texts(situation: Situation, ranking: Ranking[ModelCard], here: Sequence[ModelCard]) -> StudentChoice:
    best = next((card for card in here if any(trainable_as(family, card) for family in WRITERS)), None)
    if best is not None and situation.has_gpu():
        return StudentChoice(_family(best.family), best.id, f"{best.id} suits best of the models on this machine")
    if best is not None:
        why = f"without a graphics card {best.id} learns too slowly (--student {best.family} would tune it)"
    else:
        why = f"no model that suits and that we can train is on this machine{_to_be_had('seq2seq', ranking)}"
    return StudentChoice("tiny", None, f"tiny, because {why}")


def _is_worth_tuning(situation: Situation) -> bool:
    return situation.rows is not None and situation.rows >= WORTH_TUNING and situation.has_gpu()


def _to_be_had(family: StudentFamily, ranking: Ranking[ModelCard]) -> str:
    best = next((ranked.card.id for ranked in ranking.kept if trainable_as(family, ranked.card)), None)
    return f" (--student {family} would download {best})" if best is not None else ""


def _from(base: ModelCard, situation: Situation) -> StudentChoice:
    """What becomes of a base that was named without a family."""
    if not situation.has_labels or base.family not in ENCODERS:
        return _named_base(base.family if base.family in WRITERS else "seq2seq", base)
    if base.family == "embedding" and not _is_worth_tuning(situation):
        return StudentChoice("embedding", base.id, f"{base.id} as it is, as you chose")
    return _named_base("classifier", base)


def _named_base(family: str, base: ModelCard) -> StudentChoice:
    # Of the architectures that are none of the catalogue's choice, who names one wants it tried: its trainer will tell.
    if base.family not in (ENCODERS if family in LABELS_ALONE else (family,)):
        raise UserError(
            f"the student {family!r} cannot start from {base.id}: it is a {base.architecture} model of the family "
            f"{base.family!r}; name another base, or take 'linear' or 'tiny', which need none"
        )
    return StudentChoice(_family(family), base.id, f"{base.id}, as you chose")


def _best_of(family: str, ranking: Ranking[ModelCard]) -> StudentChoice:
    fitting = [ranked for ranked in ranking.kept if trainable_as(family, ranked.card)]
    if not fitting:
        rest = "linear" if family in LABELS_ALONE else "tiny"
        raise UserError(
            f"no model for the student {family!r} can be had from here: put one into the local cache, name a model's "
            f"folder with --base, or take {rest!r}"
        )
    best = min(fitting, key=_how_far).card.id  # the first of the nearest
    return StudentChoice(_family(family), best, f"{best} suits best of {len(fitting)} models that can be had from here")


def _how_far(ranked: Ranked[ModelCard]) -> bool:
    return ranked.place != "machine"


def _family(name: str) -> StudentFamily:
    return next(each for each in (*ALONE, *BASED) if each == name)


def _named(wanted: str, ranking: Ranking[ModelCard], situation: Situation) -> StudentChoice:
    """A model by its id or folder, in a family's place."""
    for filtered in ranking.filtered:
        # Size, language and licence are the user's to overrule by naming the model; these two are not.
        if filtered.card.id == wanted and filtered.reason in ("family", "unreachable"):
            raise UserError(f"the student {wanted!r} cannot be trained here: {filtered.detail}")
    known = next((ranked.card for ranked in ranking.kept if ranked.card.id == wanted), None)
    return StudentChoice("seq2seq", wanted, f"{wanted}, as you chose") if known is None else _from(known, situation)
