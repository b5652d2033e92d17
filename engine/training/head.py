"""From numbers about an input to labels: a weight for each number and label. Knows numbers and labels, no texts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from engine.training.choice import Choice
from engine.training.stepwise import Stepped, stepwise
from engine.training.student import Prediction

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

__all__ = ["ALTERNATIVES", "MOST_FITTED", "Head", "choice_kept", "keep_choice"]

ALTERNATIVES: Final = 20

# Products of a number and a weight in one look at all rows, of which a fit takes a hundred or so. Beyond, weights are
# fitted step by step.
MOST_PRODUCTS: Final = 3_000_000_000
MOST_SPARSE_PRODUCTS: Final = 500_000_000  # they take ten times as long: this is a minute or so
PRODUCTS_A_SECOND: Final = 60_000_000  # in a fit, of those in one look
SPARSE_PRODUCTS_A_SECOND: Final = 10_000_000
MOST_FITTED: Final = 6_000_000  # weights: two hundred bytes each while they are fitted

MOST_ITERATIONS: Final = 500

# What is left of the slope where fitting ends. The slope is shared among the labels: with 1e-3 whatever their number, a
# thousand labels were not fitted at all, as it is below that before the first step.
TOLERANCE: Final = 1e-3
TOLERANCE_OF_ALL: Final = 0.1
TOLERANCE_OF_VECTORS: Final = 0.015  # they take seconds, and another point of 150 labels is to be had behind it
NO_DOUBT: Final = 10.0  # the score of a label that every row has


@dataclass(frozen=True, slots=True)
class Head:
    """A logistic regression over labels, or, where several make an answer, one for each of them.

    `weights` has a row for each label and a column for each number, `bias` an entry for each label.
    """

    choice: Choice
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    @classmethod
    def fitted(
        cls,
        features: Any,
        outputs: Sequence[str],
        *,
        choice: Choice,
        strength: float,
        counts: Sequence[float] | None = None,
        seconds: float | None = None,
        note: Callable[[str], None] = lambda _: None,
    ) -> Head:
        """`features` has a row for each output, dense or sparse; `strength` is scikit-learn's C: more fits closer.

        Dense ones are fitted as they lie around their middle: the vectors of many encoders have most in common, and
        what tells them apart would be too little for weights that are held small. `counts` say how much each row
        counts; None: all alike.

        Where labels are so many that it would take gigabytes, or longer than `seconds` (and a second), they are fitted
        step by step, for `seconds` at most, and `note` is told so.
        """
        if _is_dense(features):
            middle, spread = _middle(features)
            around = cls._fitted((features - middle) / spread, outputs, choice, strength, counts, seconds, note)
            weights = around.weights / spread
            bias = (around.bias - weights @ middle).astype(weights.dtype)
            return cls(choice, weights, bias)
        return cls._fitted(features, outputs, choice, strength, counts, seconds, note)

    @classmethod
    def _fitted(
        cls,
        features: Any,
        outputs: Sequence[str],
        choice: Choice,
        strength: float,
        counts: Sequence[float] | None,
        seconds: float | None,
        note: Callable[[str], None],
    ) -> Head:
        place = {label: number for number, label in enumerate(choice.labels)}
        if choice.is_of_several:
            rows = [{place[label] for label in choice.parts(output)} for output in outputs]
            return cls(choice, *_fit_each(features, rows, labels=len(place), strength=strength, counts=counts))
        wanted = [place[output] for output in outputs]
        if _is_dear(features, labels=len(place), seconds=seconds):
            until = None if seconds is None else time.monotonic() + seconds
            stepped = stepwise(features, wanted, labels=len(place), counts=counts, until=until)
            note(_told(stepped, labels=len(place)))
            return cls(choice, stepped.weights, stepped.bias)
        fitted = _regression(features, wanted, strength=strength, counts=counts)
        return cls(choice, *_row_for_each(fitted.coef_, fitted.intercept_, labels=len(place)))

    @classmethod
    def of_arrays(cls, choice: Choice, arrays: Mapping[str, Any]) -> Head:
        """What `arrays` gave. Raises KeyError for what is missing, ValueError for what does not fit the labels."""
        weights, bias = _row_for_each(arrays["weights"], arrays["bias"], labels=len(choice.labels))
        if weights.ndim != 2 or len(weights) != len(choice.labels) or bias.shape != weights.shape[:1]:
            raise ValueError(f"weights for {len(weights)} of {len(choice.labels)} labels")
        return cls(choice, weights, bias)

    def arrays(self) -> dict[str, Any]:
        """To be kept, row by row: safetensors writes memory as it lies, and scikit-learn's weights lie by column."""
        import numpy as np

        return {"weights": np.ascontiguousarray(self.weights), "bias": np.ascontiguousarray(self.bias)}

    def layer(self) -> Any:
        """The same as a layer of torch, with weights of its own."""
        import torch

        layer = torch.nn.Linear(self.weights.shape[1], len(self.weights))
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(self.weights))
            layer.bias.copy_(torch.from_numpy(self.bias))
        return layer

    def shares(self, features: Any) -> NDArray[np.float64]:
        """How likely each label is, for each row of `features`: they add up to 1 unless an answer may have several."""
        from scipy.special import expit, softmax

        scores = features @ self.weights.T + self.bias
        shares: NDArray[np.float64] = expit(scores) if self.choice.is_of_several else softmax(scores, axis=1)
        return shares

    def answer(self, features: Any, *, cut: Sequence[bool] | None = None) -> list[Prediction]:
        """An answer for each row; `cut` says of which inputs not all was read."""
        told = [
            self._of_several(row) if self.choice.is_of_several else self._of_one(row) for row in self.shares(features)
        ]
        if cut is None:
            return told
        return [Prediction(one.output, 0.0, True, one.alternatives) if is_cut else one
                for one, is_cut in zip(told, cut, strict=True)]  # fmt: skip

    def _of_one(self, shares: NDArray[np.float64]) -> Prediction:
        best = self._best(shares)
        return Prediction(*best[0], alternatives=best)

    def _of_several(self, shares: NDArray[np.float64]) -> Prediction:
        """Every label that is more likely than not; where none is and none may not be, the likeliest."""
        import numpy as np

        chosen = shares > 0.5
        if not chosen.any() and not self.choice.may_be_empty:
            chosen[shares.argmax()] = True
        sure = float(np.where(chosen, shares, 1 - shares).prod())
        output = self.choice.text(self.choice.labels[number] for number in np.flatnonzero(chosen))
        return Prediction(output, sure, alternatives=self._best(shares))

    def _best(self, shares: NDArray[np.float64]) -> tuple[tuple[str, float], ...]:
        import numpy as np

        # A stable order, so that of equals the one that sorts first is answered, whatever stands beside it.
        order = np.argsort(-shares, kind="stable")[:ALTERNATIVES]
        return tuple((self.choice.labels[number], min(1.0, float(shares[number]))) for number in order)


def keep_choice(choice: Choice) -> dict[str, object]:
    """The labels and how they are written, as JSON holds them."""
    told: dict[str, object] = {"labels": list(choice.labels)}
    if choice.is_of_several:
        told |= {"joint": choice.joint, "is_json": choice.is_json, "may_be_empty": choice.may_be_empty}
    return told


def choice_kept(told: Mapping[str, Any]) -> Choice:
    """The other way round. Raises KeyError or TypeError for what was never kept."""
    more = {name: told[name] for name in ("joint", "is_json", "may_be_empty") if name in told}
    return Choice(labels=tuple(told["labels"]), **more)


Fitted = tuple["NDArray[np.float32]", "NDArray[np.float32]"]
"""A row of weights for each label, and a bias."""


def _row_for_each(weights: Any, bias: Any, *, labels: int) -> Fitted:
    """Of two labels scikit-learn keeps what speaks for the second; nothing speaks for the first then."""
    import numpy as np

    if labels == 2 and len(weights) == 1:
        return np.vstack([np.zeros_like(weights), weights]), np.append(np.zeros_like(bias), bias)
    return weights, bias


def _fit_each(
    features: Any, rows: Sequence[set[int]], *, labels: int, strength: float, counts: Sequence[float] | None
) -> Fitted:
    import numpy as np

    weights = np.zeros((labels, features.shape[1]), dtype=np.float32)
    bias = np.full(labels, NO_DOUBT, dtype=np.float32)
    for label in range(labels):
        has = np.array([label in row for row in rows])
        if not has.all():
            fitted = _regression(features, has, strength=strength, counts=counts)
            weights[label], bias[label] = fitted.coef_[0], fitted.intercept_[0]
    return weights, bias


def _regression(features: Any, wanted: Any, *, strength: float, counts: Sequence[float] | None) -> Any:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # near enough: what is left changes no answer
        warnings.filterwarnings("ignore", "The number of unique classes")  # they are labels, however many
        of_all = TOLERANCE_OF_VECTORS if _is_dense(features) else TOLERANCE_OF_ALL
        tolerance = min(TOLERANCE, of_all / len(set(wanted)))
        regression = LogisticRegression(C=strength, max_iter=MOST_ITERATIONS, tol=tolerance)
        return regression.fit(features, wanted, sample_weight=counts)


def _is_dear(features: Any, *, labels: int, seconds: float | None) -> bool:
    """Whether a regression would take gigabytes, or too long."""
    most, pace = MOST_SPARSE_PRODUCTS, SPARSE_PRODUCTS_A_SECOND
    if _is_dense(features):
        most, pace = MOST_PRODUCTS, PRODUCTS_A_SECOND
    bearable = most if seconds is None else min(most, max(1.0, seconds) * pace)
    return bool(features.shape[1] * labels > MOST_FITTED or features.size * labels > bearable)


def _told(stepped: Stepped, *, labels: int) -> str:
    told = f"{labels:,} labels and these rows are too many for a regression in full: it is fitted step by step"
    if stepped.steps == stepped.planned:
        return told
    return f"{told}, and the time was over after {stepped.steps:,} of {stepped.planned:,} steps"


def _middle(features: NDArray[np.float32]) -> tuple[NDArray[np.float32], np.float32]:
    """Where the rows lie, and how far from there on average (1 where all lie there)."""
    import numpy as np

    middle = features.mean(axis=0)
    spread = np.sqrt(((features - middle) ** 2).sum(axis=1).mean())
    return middle, np.float32(spread or 1)


def _is_dense(features: Any) -> bool:
    import numpy as np

    return isinstance(features, np.ndarray)
