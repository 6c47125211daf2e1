"""Metrics: how a competition scores predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LEAST_PROBABILITY = 1e-15  # what Kaggle clips at before a logarithm


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A score of predictions.

    `score` takes the target (int64 [rows], the class as a position) and the predictions (float [rows, classes],
    probabilities), and gives one figure.
    """

    name: str  # as it stands in logs and figures: letters, digits, _
    greater_is_better: bool
    score: Callable[[np.ndarray, np.ndarray], float]
    rows: Callable[[np.ndarray, np.ndarray], np.ndarray] | None = None  # float64 [rows]; where `score` is its mean

    def better(self, score: float, than: float) -> bool:
        """Whether `score` beats `than`; a NaN never does, and anything else beats a NaN."""
        if np.isnan(score) or np.isnan(than):
            return bool(np.isnan(than) and not np.isnan(score))
        return score > than if self.greater_is_better else score < than


def hits(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """1 for each row whose most probable class is the target, 0 for the others; NaN where a prediction is none."""
    return np.where(np.isnan(predictions).any(axis=1), np.nan, predictions.argmax(axis=1) == target)


def accuracy(target: np.ndarray, predictions: np.ndarray) -> float:
    """Share of `hits`."""
    return float(np.mean(hits(target, predictions)))


def losses(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """-log(probability of the target) of each row, clipped and renormalised as Kaggle does it."""
    clipped = np.clip(predictions.astype(np.float64), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    hit = clipped[np.arange(len(target)), target]
    return np.asarray(np.log(clipped.sum(axis=1)) - np.log(hit))


def log_loss(target: np.ndarray, predictions: np.ndarray) -> float:
    """Mean of `losses`."""
    return float(np.mean(losses(target, predictions)))


ACCURACY = Metric(name="accuracy", greater_is_better=True, score=accuracy, rows=hits)
LOG_LOSS = Metric(name="log_loss", greater_is_better=False, score=log_loss, rows=losses)
METRICS = {metric.name: metric for metric in (ACCURACY, LOG_LOSS)}
