"""Blend: several models' predictions as one, weighted by hill climbing on their out-of-fold predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from data.errors import UsageError
from data.metrics import LOG_LOSS, Metric
from data.splits import may_teach

CLIMBS = 10  # each over half of the rows
STEPS = 25  # of a climb; each adds one model
TEMPERATURES = (0.5, 2.0)  # least and most
LEAST = 1e-12  # probability before a logarithm


@dataclass(frozen=True, kw_only=True, eq=False)
class Blend:
    """Weights of models, and what they are worth on rows that did not choose them."""

    weights: np.ndarray  # float [models], summing to 1
    temperature: float  # of the mean: its logarithms are divided by it
    oof: np.ndarray  # float32 [rows, classes]; the rows of a fold by weights that these rows did not choose
    score: float  # of oof

    def apply(self, predictions: Sequence[np.ndarray]) -> np.ndarray:
        """The blend of other rows' predictions, float32 [rows, classes]."""
        return blended(predictions, self.weights, self.temperature)


def blend(
    predictions: Sequence[np.ndarray],
    target: np.ndarray,
    fold: np.ndarray,
    fold_hashes: Sequence[str],
    metric: Metric,
    seed: int = 0,
    temper: bool = True,
    forward: bool = False,
) -> Blend:
    """Weights models by their out-of-fold predictions, and scores that by nested folds.

    A climb starts from nothing and adds, again and again, the model that helps the mean most, with replacement;
    the weights are the mean of some climbs, each over other rows (Caruana et al., 2004,
    https://www.cs.cornell.edu/~alexn/papers/shotgun.icml04.revised.rev2.pdf). The mean of models that err apart is
    shyer than any of them, so its temperature is then set where its log loss is least (Guo et al., 2017,
    https://arxiv.org/abs/1706.04599).

    Args:
        predictions: of each model, float [rows, columns], of the networks that did not see the row.
        target: see `data.targets`.
        fold: int8 [rows].
        fold_hashes: of each model's folds.
        metric: what is climbed.
        seed: of the draws.
        temper: whether the predictions are of classes, and so have a temperature.
        forward: see `data.splits.may_teach`; the first fold in time takes the mean of all models.

    Raises:
        UsageError: the models were not validated on the same folds.
    """
    if len(set(fold_hashes)) != 1:
        raise UsageError(f"models blend when their folds agree, but got {len(set(fold_hashes))} kinds of folds")
    stacked = np.stack(predictions).astype(np.float64)  # [models, rows, classes]
    oof = np.empty(stacked.shape[1:], dtype=np.float32)
    for number in np.unique(fold):
        own, others = fold == number, may_teach(fold, number, forward)
        weights, temperature = np.full(len(stacked), 1 / len(stacked)), 1.0
        if others.any():
            weights, temperature = _fit(stacked[:, others], target[others], metric, seed, temper)
        oof[own] = tempered(_mean(stacked[:, own], weights), temperature)
    weights, temperature = _fit(stacked, target, metric, seed, temper)
    return Blend(weights=weights, temperature=temperature, oof=oof, score=metric.score(target, oof))


def blended(predictions: Sequence[np.ndarray], weights: np.ndarray, temperature: float) -> np.ndarray:
    """The weighted mean of models' predictions at a temperature, float32 [rows, classes]."""
    return tempered(_mean(np.stack(predictions), weights), temperature).astype(np.float32)


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Probabilities [..., classes] at a temperature: below 1 they get surer, above 1 shyer; at 1 as they are."""
    if temperature == 1:
        return probabilities
    logits = np.log(np.clip(probabilities, LEAST, None)) / temperature
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True))


def _mean(stacked: np.ndarray, weights: np.ndarray) -> np.ndarray:
    return np.asarray(np.tensordot(weights, stacked, axes=1))


def _fit(stacked: np.ndarray, target: np.ndarray, metric: Metric, seed: int, temper: bool) -> tuple[np.ndarray, float]:
    """The weights of all models, and the temperature of their mean, on these rows."""
    generator = np.random.default_rng(seed)
    total = np.zeros(len(stacked))
    for _ in range(CLIMBS):
        drawn = generator.permutation(len(target))[: max(1, len(target) // 2)]
        total += _climb(stacked[:, drawn], target[drawn], metric)
    weights = total / total.sum()
    return weights, _temperature(_mean(stacked, weights), target) if temper else 1.0


def _temperature(probabilities: np.ndarray, target: np.ndarray) -> float:
    """Where the log loss is least, which is the same for any metric."""
    found = minimize_scalar(
        lambda temperature: LOG_LOSS.score(target, tempered(probabilities, temperature)),
        bounds=TEMPERATURES,
        method="bounded",
    )
    return float(found.x)


def _climb(stacked: np.ndarray, target: np.ndarray, metric: Metric) -> np.ndarray:
    """The shares of the models in the best mean on the way, float [models]."""
    counts = np.zeros(len(stacked))
    total = np.zeros(stacked.shape[1:])
    best, best_counts = np.nan, counts
    for step in range(1, STEPS + 1):
        scores = [metric.score(target, (total + each) / step) for each in stacked]
        chosen = int(np.argmax(scores) if metric.greater_is_better else np.argmin(scores))
        counts[chosen] += 1
        total += stacked[chosen]
        if metric.better(scores[chosen], best):
            best, best_counts = scores[chosen], counts.copy()
    return best_counts / best_counts.sum()
