"""Thresholds: from probabilities to labels where the likeliest class is not the answer that scores best."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from data.metrics import HALF, LEAST_PROBABILITY, Metric
from data.splits import may_teach
from data.targets import Classes, Flags, Target

ROUNDS = 3  # over all values
TRIED = 33  # of one value
RARE = 24  # more of them beyond the first and beyond the last, for what few rows are
FARTHEST = 2.0  # of a class's weight from 0


@dataclass(frozen=True, kw_only=True)
class Thresholds:
    """What a metric of labels, as F1 or kappa, is best served by, tuned on out-of-fold predictions.

    Args:
        ordered: whether the classes are in an order, as grades are.
    """

    ordered: bool = False

    def rule(self, target: Target) -> Rule:
        """How the predictions of a target become labels.

        Raises:
            ValueError: it has no labels, or no order.
        """
        if isinstance(target, Classes):
            return Places() if self.ordered else Weights()
        if isinstance(target, Flags) and not self.ordered:
            return Limits()
        wanted = "Classes" if self.ordered else "Classes and Flags"
        raise ValueError(f"{self} decides on {wanted}, but the target is {type(target).__name__}")


class Rule(ABC):
    """A way from predictions to labels, which some values decide."""

    @abstractmethod
    def start(self, outputs: int) -> np.ndarray:
        """The values before any is tuned, float64."""

    @abstractmethod
    def tried(self, values: np.ndarray, number: int, predictions: np.ndarray) -> np.ndarray:
        """What one of the values can be, in order, float64 [tried]."""

    @abstractmethod
    def decide(self, predictions: np.ndarray, values: np.ndarray) -> np.ndarray:
        """The labels as predictions that are sure of them, float32 [rows, outputs]: 1 for what is said, else 0."""

    def fit(self, target: np.ndarray, predictions: np.ndarray, metric: Metric) -> np.ndarray:
        """The values that score best, one after another set to the middle of the best of those that are tried.

        Args:
            target: see `data.targets`.
            predictions: float [rows, outputs], of networks that did not see the row.
            metric: what is to be best.
        """
        values = self.start(predictions.shape[1])
        best = metric.score(target, self.decide(predictions, values))
        for _ in range(ROUNDS):
            before = best
            for number in range(len(values)):
                others = [np.where(np.arange(len(values)) == number, each, values)
                          for each in self.tried(values, number, predictions)]  # fmt: skip
                scores = [metric.score(target, self.decide(predictions, each)) for each in others]
                top = max(scores) if metric.greater_is_better else min(scores)
                if metric.better(top, best):
                    equal = [each for each, score in zip(others, scores, strict=True) if score == top]
                    best, values = top, equal[len(equal) // 2]
            if best == before:
                break
        return values

    def nested(
        self, target: np.ndarray, fold: np.ndarray, predictions: np.ndarray, metric: Metric, forward: bool = False
    ) -> np.ndarray:
        """The labels of each fold's rows by the values that the other folds chose, float32 [rows, outputs].

        Args:
            target: see `fit`.
            fold: int8 [rows].
            predictions: see `fit`.
            metric: see there.
            forward: see `data.splits.may_teach`; for the first fold in time nothing is tuned.
        """
        found = np.empty(predictions.shape, dtype=np.float32)
        for number in np.unique(fold):
            own, others = fold == number, may_teach(fold, number, forward)
            values = self.start(predictions.shape[1])
            if others.any():
                values = self.fit(target[others], predictions[others], metric)
            found[own] = self.decide(predictions[own], values)
        return found


class Limits(Rule):
    """Of flags: the probability from which each is set."""

    def start(self, outputs: int) -> np.ndarray:
        """See `Rule`: a half."""
        return np.full(outputs, HALF)

    def tried(self, values: np.ndarray, number: int, predictions: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """See `Rule`: quantiles of the flag's predictions."""
        return _quantiles(predictions[:, number])

    def decide(self, predictions: np.ndarray, values: np.ndarray) -> np.ndarray:
        """See `Rule`."""
        return (predictions >= values).astype(np.float32)


class Weights(Rule):
    """Of classes: what is added to the logarithm of each probability before the greatest is taken."""

    def start(self, outputs: int) -> np.ndarray:
        """See `Rule`: nothing."""
        return np.zeros(outputs)

    def tried(self, values: np.ndarray, number: int, predictions: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """See `Rule`: evenly to both sides."""
        return np.linspace(-FARTHEST, FARTHEST, TRIED)

    def decide(self, predictions: np.ndarray, values: np.ndarray) -> np.ndarray:
        """See `Rule`."""
        logs = np.log(predictions.clip(LEAST_PROBABILITY).astype(np.float64)) + values
        return np.eye(predictions.shape[1], dtype=np.float32)[logs.argmax(axis=1)]


class Places(Rule):
    """Of ordered classes: where along the mean class one ends and the next begins."""

    def start(self, outputs: int) -> np.ndarray:
        """See `Rule`: halfway."""
        return np.arange(outputs - 1) + HALF

    def tried(self, values: np.ndarray, number: int, predictions: np.ndarray) -> np.ndarray:
        """See `Rule`: quantiles of the mean class, between the places beside it."""
        found = _quantiles(_mean_class(predictions))
        least = values[number - 1] if number else -np.inf
        greatest = values[number + 1] if number + 1 < len(values) else np.inf
        inside = found[(found >= least) & (found <= greatest)]
        return inside if len(inside) else values[number : number + 1]

    def decide(self, predictions: np.ndarray, values: np.ndarray) -> np.ndarray:
        """See `Rule`."""
        label = np.searchsorted(values, _mean_class(predictions), side="right")
        return np.eye(predictions.shape[1], dtype=np.float32)[label]


def _mean_class(predictions: np.ndarray) -> np.ndarray:
    return predictions.astype(np.float64) @ np.arange(predictions.shape[1])


def _quantiles(numbers: np.ndarray) -> np.ndarray:
    """Numbers that part the others: evenly, and at both ends ever closer, to a single one."""
    even = np.linspace(0, 1, TRIED + 2)[1:-1]
    ends = np.geomspace(1 / max(len(numbers), TRIED + 1), even[0], RARE, endpoint=False)
    return np.unique(np.quantile(numbers.astype(np.float64), np.concatenate([ends, even, 1 - ends])))
