"""Thresholds: from probabilities to labels where the likeliest class is not the answer that scores best."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np

from data.metrics import HALF, LEAST_PROBABILITY, CountScores, Metric, confusion
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

    @abstractmethod
    def turns(self, predictions: np.ndarray, values: np.ndarray, number: int) -> Turns:
        """How labels turn as one of the values rises."""

    @abstractmethod
    def counted(self, metric: Metric) -> CountScores | None:
        """How a metric's score follows from counts of the labels that turn; None: it does not tell."""

    def truth(self, target: np.ndarray, number: int) -> np.ndarray:  # noqa: ARG002  # classes are as they are
        """What the labels that turn are to be, int64 [rows]."""
        return target

    def fit(self, target: np.ndarray, predictions: np.ndarray, metric: Metric) -> np.ndarray:
        """The values that score best, one after another set to the middle of the best of those that are tried.

        Args:
            target: see `data.targets`.
            predictions: float [rows, outputs], of networks that did not see the row.
            metric: what is to be best.
        """
        values = self.start(predictions.shape[1])
        of_counts = self._agreeing(target, predictions, metric)
        for _ in range(ROUNDS):
            before = values.copy()
            for number in range(len(values)):
                tried = self.tried(values, number, predictions)
                tried_and_own = np.append(tried, values[number])
                if of_counts is not None:
                    turns = self.turns(predictions, values, number)
                    scores = of_counts(turns.counts(tried_and_own, self.truth(target, number)))
                else:
                    scores = self._scores(tried_and_own, target, predictions, values, number, metric)
                worst = -np.inf if metric.greater_is_better else np.inf
                ranked = np.where(np.isnan(scores[:-1]), worst, scores[:-1])
                top = ranked.max() if metric.greater_is_better else ranked.min()
                if metric.better(top, scores[-1]):
                    equal = tried[scores[:-1] == top]
                    values[number] = equal[len(equal) // 2]
            if (values == before).all():
                break
        return values

    def _agreeing(self, target: np.ndarray, predictions: np.ndarray, metric: Metric) -> CountScores | None:
        """How a metric's score follows from counts, where that is what it scores: its score may have been replaced."""
        of_counts, values = self.counted(metric), self.start(predictions.shape[1])
        if of_counts is None:
            return None
        tried = self.tried(values, 0, predictions)
        for first in (values[0], tried[len(tried) // 4], tried[-1 - len(tried) // 4]):
            values[0] = first
            found = [
                of_counts(self.turns(predictions, values, number).counts(values[[number]], self.truth(target, number)))
                for number in range(len(values))
            ]
            if not np.isclose(np.mean(found), metric.score(target, self.decide(predictions, values)), equal_nan=True):
                return None
        return of_counts

    def _scores(
        self,
        tried: np.ndarray,
        target: np.ndarray,
        predictions: np.ndarray,
        values: np.ndarray,
        number: int,
        metric: Metric,
    ) -> np.ndarray:
        """The score with each of some numbers in the place of one value, float64 [tried]."""
        others = np.repeat(values[None], len(tried), axis=0)
        others[:, number] = tried
        return np.array([metric.score(target, self.decide(predictions, each)) for each in others])

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


@dataclass(frozen=True, kw_only=True, eq=False)
class Turns:
    """Each row's label as a function of one value: one label up to a number of the row's, another beyond it."""

    at: np.ndarray  # float64 [rows]
    below: np.ndarray  # int64 [rows]: the label where the value is at most that
    above: np.ndarray  # int64 [rows]
    labels: int

    def counts(self, values: np.ndarray, truth: np.ndarray) -> np.ndarray:
        """The confusion matrix of each of some values, int64 [values, true label, said label].

        Counted once over the rows in the order in which they turn, and not again for each value.
        """
        order = np.argsort(values, kind="stable")
        first = np.searchsorted(values[order], self.at, side="right")  # of the values, the first beyond the row's
        size = (len(values) + 1, self.labels, self.labels)
        came, went = (
            np.bincount(np.ravel_multi_index((first, truth, label), size), minlength=np.prod(size)).reshape(size)
            for label in (self.above, self.below)
        )
        found = confusion(truth, self.below, self.labels) + np.cumsum(came - went, axis=0)[:-1]
        return found[np.argsort(order)]


class Limits(Rule):
    """Of flags: the probability from which each is set."""

    def start(self, outputs: int) -> np.ndarray:
        """See `Rule`: a half."""
        return np.full(outputs, HALF)

    def tried(self, values: np.ndarray, number: int, predictions: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """See `Rule`: quantiles of the flag's predictions."""
        return _quantiles(predictions[:, number])

    def turns(self, predictions: np.ndarray, values: np.ndarray, number: int) -> Turns:  # noqa: ARG002
        """See `Rule`: the flag is no longer set."""
        at = predictions[:, number].astype(np.float64)
        return Turns(at=at, below=np.ones(len(at), dtype=np.int64), above=np.zeros(len(at), dtype=np.int64), labels=2)

    def counted(self, metric: Metric) -> CountScores | None:
        """See `Rule`: the mean is best where that of each flag is."""
        return metric.of_flag

    def truth(self, target: np.ndarray, number: int) -> np.ndarray:
        """See `Rule`."""
        return (target[:, number] > HALF).astype(np.int64)

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

    def turns(self, predictions: np.ndarray, values: np.ndarray, number: int) -> Turns:
        """See `Rule`: the class is said where it was another."""
        logs = _logs(predictions) + values
        own = logs[:, number] - values[number]
        logs[:, number] = -np.inf
        below = logs.argmax(axis=1)
        at = logs.max(axis=1) - own
        at = np.where(number < below, np.nextafter(at, -np.inf), at)  # of equals the first is said
        return Turns(at=at, below=below, above=np.full(len(at), number), labels=predictions.shape[1])

    def counted(self, metric: Metric) -> CountScores | None:
        """See `Rule`."""
        return metric.of_counts

    def decide(self, predictions: np.ndarray, values: np.ndarray) -> np.ndarray:
        """See `Rule`."""
        return np.eye(predictions.shape[1], dtype=np.float32)[(_logs(predictions) + values).argmax(axis=1)]


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

    def turns(self, predictions: np.ndarray, values: np.ndarray, number: int) -> Turns:
        """See `Rule`: the class is the one before, as long as the value is between those beside it."""
        at = _mean_class(predictions)
        others = np.delete(values, number)
        above = np.searchsorted(others, at, side="right")  # as if the value were beyond the row
        least = values[number - 1] if number else -np.inf
        greatest = values[number + 1] if number + 1 < len(values) else np.inf
        inside = (at >= least) & (at < greatest)
        below = np.where(inside, number + 1, above + (above > number))
        return Turns(at=at, below=below, above=np.where(inside, number, below), labels=predictions.shape[1])

    def counted(self, metric: Metric) -> CountScores | None:
        """See `Rule`."""
        return metric.of_counts

    def decide(self, predictions: np.ndarray, values: np.ndarray) -> np.ndarray:
        """See `Rule`."""
        label = np.searchsorted(values, _mean_class(predictions), side="right")
        return np.eye(predictions.shape[1], dtype=np.float32)[label]


def _logs(predictions: np.ndarray) -> np.ndarray:
    return np.asarray(np.log(predictions.clip(LEAST_PROBABILITY).astype(np.float64)))


def _mean_class(predictions: np.ndarray) -> np.ndarray:
    return predictions.astype(np.float64) @ np.arange(predictions.shape[1])


def _quantiles(numbers: np.ndarray) -> np.ndarray:
    """Numbers that part the others: evenly, and at both ends ever closer, to a single one."""
    even = np.linspace(0, 1, TRIED + 2)[1:-1]
    ends = np.geomspace(1 / max(len(numbers), TRIED + 1), even[0], RARE, endpoint=False)
    return np.unique(np.quantile(numbers.astype(np.float64), np.concatenate([ends, even, 1 - ends])))
