"""Metrics: how a competition scores predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

LEAST_PROBABILITY = 1e-15  # what Kaggle clips at before a logarithm
HALF = 0.5  # probability from which a flag is set

Scores = Callable[[np.ndarray, np.ndarray], float]
RowScores = Callable[[np.ndarray, np.ndarray], np.ndarray]
CountScores = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A score of predictions.

    `score` takes the target and the predictions (float [rows, columns]) as `data.targets` has them, and gives one
    figure; NaN where a prediction is none, or where the rows cannot tell, as those of one class cannot of an AUC.

    A metric of labels may say how its score follows from counts of rows alone, which makes the tuning of thresholds a
    hundred times faster: `of_counts` of confusion matrices, int64 [..., true class, said class], and `of_flag` of
    those of one flag, [..., 2, 2], where the score of flags is the mean over them; both float64 [...].
    """

    name: str  # as it stands in logs and figures: letters, digits, _
    greater_is_better: bool
    score: Scores
    rows: RowScores | None = None  # float64 [rows]; where `score` is its mean
    of_counts: CountScores | None = None
    of_flag: CountScores | None = None

    def better(self, score: float, than: float) -> bool:
        """Whether `score` beats `than`; a NaN never does, and anything else beats a NaN."""
        if np.isnan(score) or np.isnan(than):
            return bool(np.isnan(than) and not np.isnan(score))
        return score > than if self.greater_is_better else score < than


def hits(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """1 for each row whose most probable class is the target, 0 for the others; NaN where a prediction is none."""
    return np.where(np.isnan(predictions).any(axis=1), np.nan, predictions.argmax(axis=1) == target)


def losses(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """-log(probability of the target) of each row, clipped and renormalised as Kaggle does it."""
    clipped = np.clip(predictions.astype(np.float64), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    hit = clipped[np.arange(len(target)), target]
    return np.asarray(np.log(clipped.sum(axis=1)) - np.log(hit))


def flag_losses(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """The mean of each row's binary log losses."""
    shares = np.clip(predictions.astype(np.float64), LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)
    return np.asarray(-(target * np.log(shares) + (1 - target) * np.log1p(-shares)).mean(axis=1))


def divergences(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Kullback and Leibler's divergence of the predicted shares from the true ones, of each row."""
    clipped = np.clip(predictions.astype(np.float64), LEAST_PROBABILITY, 1)
    wanted = np.clip(target.astype(np.float64), LEAST_PROBABILITY, 1)
    return np.asarray((target * (np.log(wanted) - np.log(clipped / clipped.sum(axis=1, keepdims=True)))).sum(axis=1))


def absolute_errors(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """|prediction - number| of each row."""
    return np.abs(_errors(target, predictions))


def absolute_shares(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """|prediction - number| / |number| of each row."""
    least = np.finfo(np.float64).eps
    return absolute_errors(target, predictions) / np.maximum(np.abs(target.astype(np.float64)), least)


def squared_errors(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """(prediction - number) ** 2 of each row."""
    return _errors(target, predictions) ** 2


def rmse(target: np.ndarray, predictions: np.ndarray) -> float:
    """The root of the mean of `squared_errors`."""
    return float(np.sqrt(np.mean(squared_errors(target, predictions))))


def rmsle(target: np.ndarray, predictions: np.ndarray) -> float:
    """`rmse` of log(1 + x); a prediction below 0 counts as 0, as no log is there."""
    logs = np.log1p(np.maximum(predictions.astype(np.float64), 0))
    return rmse(np.log1p(target.astype(np.float64)), np.where(np.isnan(predictions), np.nan, logs))


def roc_auc(target: np.ndarray, predictions: np.ndarray) -> float:
    """The area under the ROC curve: of the second of two classes; else the mean of all classes or flags."""
    return _mean_of_columns(_area, target, predictions)


def average_precision(target: np.ndarray, predictions: np.ndarray) -> float:
    """The mean precision over the recalls: of the second of two classes; else the mean of all classes or flags."""
    from sklearn.metrics import average_precision_score  # slow to import

    return _mean_of_columns(average_precision_score, target, predictions)


def f1(target: np.ndarray, predictions: np.ndarray) -> float:
    """Of the second of two classes; 0 where no row has it and none is said to."""
    return np.nan if np.isnan(predictions).any() else float(_f1_of_each(target, predictions)[1])


def f1_macro(target: np.ndarray, predictions: np.ndarray) -> float:
    """The mean of the F1 of all flags, or of the classes that a row has or is said to have."""
    if np.isnan(predictions).any():
        return np.nan
    found = _f1_of_each(target, predictions)
    if target.ndim == 1:
        found = found[np.union1d(target, predictions.argmax(axis=1))]
    return float(found.mean())


def quadratic_weighted_kappa(target: np.ndarray, predictions: np.ndarray) -> float:
    """Cohen's kappa of ordered classes, whose disagreement weighs as the square of the distance.

    NaN where all rows have one class and are said to. A class that no row has is a step between two others all the
    same.
    """
    if np.isnan(predictions).any():
        return np.nan
    return float(_kappa_of_counts(confusion(target, predictions.argmax(axis=1), predictions.shape[1])))


def confusion(target: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """How many rows of each class are said to be of each; int64 [true class, said class]."""
    return np.bincount(target * classes + said, minlength=classes**2).reshape(classes, classes)


def _kappa_of_counts(counts: np.ndarray) -> np.ndarray:
    true, said = counts.sum(axis=-1), counts.sum(axis=-2)
    classes = np.arange(counts.shape[-1])
    weights = np.subtract.outer(classes, classes) ** 2
    by_chance = true[..., :, None] * said[..., None, :] / true.sum(axis=-1)[..., None, None]
    worst = (weights * by_chance).sum(axis=(-2, -1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(worst > 0, 1 - (weights * counts).sum(axis=(-2, -1)) / worst, np.nan)


def _accuracy_of_counts(counts: np.ndarray) -> np.ndarray:
    return np.asarray(np.trace(counts, axis1=-2, axis2=-1) / counts.sum(axis=(-2, -1)))


def _f1_of_counts(counts: np.ndarray) -> np.ndarray:
    """Of the second of two classes."""
    return _f1_of_classes(counts)[..., 1]


def _f1_macro_of_counts(counts: np.ndarray) -> np.ndarray:
    there = counts.sum(axis=-1) + counts.sum(axis=-2) > 0
    return np.asarray((_f1_of_classes(counts) * there).sum(axis=-1) / there.sum(axis=-1))


def _f1_of_classes(counts: np.ndarray) -> np.ndarray:
    hit = np.diagonal(counts, axis1=-2, axis2=-1)
    return np.asarray(2 * hit / np.maximum(counts.sum(axis=-1) + counts.sum(axis=-2), 1))


def _area(flag: np.ndarray, score: np.ndarray) -> float:
    """The share of pairs of a set and an unset flag in which the set one has the higher score; a tie is half a pair."""
    _, place, equal = np.unique(score, return_inverse=True, return_counts=True)
    ranks = (equal.cumsum() - (equal - 1) / 2)[place]
    own = ranks[flag > HALF]
    least = len(own) * (len(own) + 1) / 2  # the sum of ranks where no set one is above an unset one
    return float((own.sum() - least) / (len(own) * (len(flag) - len(own))))


def _f1_of_each(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    """Of the most probable classes, or of the flags that are set, float64 [columns]; 0 where none is there or said.

    Counted here, as tuned thresholds and paired tests ask for it thousands of times.
    """
    columns = predictions.shape[1]
    if target.ndim == 1:
        said = predictions.argmax(axis=1)
        hit = np.bincount(target[said == target], minlength=columns)
        either = np.bincount(target, minlength=columns) + np.bincount(said, minlength=columns)
    else:
        true, set_ = target > HALF, predictions >= HALF
        hit, either = (true & set_).sum(axis=0), true.sum(axis=0) + set_.sum(axis=0)
    return np.asarray(2 * hit / np.maximum(either, 1))


def _mean(rows: RowScores) -> Scores:
    return lambda target, predictions: float(np.mean(rows(target, predictions)))


def _errors(target: np.ndarray, predictions: np.ndarray) -> np.ndarray:
    return np.asarray(predictions[:, 0].astype(np.float64) - target.astype(np.float64))


def _mean_of_columns(score: Scores, target: np.ndarray, predictions: np.ndarray) -> float:
    """A score of the second of two classes, or the mean of that of all columns; columns of one kind do not count."""
    if np.isnan(predictions).any():
        return np.nan
    columns = [1] if predictions.shape[1] == 2 and target.ndim == 1 else range(predictions.shape[1])
    if target.ndim == 1:
        target = np.eye(predictions.shape[1])[target]
    told = [column for column in columns if 0 < target[:, column].sum() < len(target)]
    return float(np.mean([score(target[:, column], predictions[:, column]) for column in told])) if told else np.nan


def _metric(name: str, greater_is_better: bool, rows: RowScores, of_counts: CountScores | None = None) -> Metric:
    return Metric(name=name, greater_is_better=greater_is_better, score=_mean(rows), rows=rows, of_counts=of_counts)


ACCURACY = _metric("accuracy", True, hits, _accuracy_of_counts)
LOG_LOSS = _metric("log_loss", False, losses)
ROC_AUC = Metric(name="roc_auc", greater_is_better=True, score=roc_auc)
AVERAGE_PRECISION = Metric(name="average_precision", greater_is_better=True, score=average_precision)
F1 = Metric(name="f1", greater_is_better=True, score=f1, of_counts=_f1_of_counts)
F1_MACRO = Metric(
    name="f1_macro", greater_is_better=True, score=f1_macro, of_counts=_f1_macro_of_counts, of_flag=_f1_of_counts
)
KAPPA = Metric(
    name="quadratic_weighted_kappa",
    greater_is_better=True,
    score=quadratic_weighted_kappa,
    of_counts=_kappa_of_counts,
)
RMSE = Metric(name="rmse", greater_is_better=False, score=rmse)
RMSLE = Metric(name="rmsle", greater_is_better=False, score=rmsle)
MSE = _metric("mse", False, squared_errors)
MAE = _metric("mae", False, absolute_errors)
MAPE = _metric("mape", False, absolute_shares)
FLAG_LOG_LOSS = _metric("flag_log_loss", False, flag_losses)
DIVERGENCE = _metric("kl_divergence", False, divergences)
METRICS = {
    metric.name: metric
    for metric in (
        ACCURACY,
        LOG_LOSS,
        ROC_AUC,
        AVERAGE_PRECISION,
        F1,
        F1_MACRO,
        KAPPA,
        RMSE,
        RMSLE,
        MSE,
        MAE,
        MAPE,
        FLAG_LOG_LOSS,
        DIVERGENCE,
    )
}
