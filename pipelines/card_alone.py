"""Alone: how well a single column tells a target, of rows whose target was not looked at.

The column's score is that of the better of two small models: the mean of the target over the other folds' rows of the
same value (a number: of the same bin), and of texts a ridge regression on their length and a hashed bag of words.
"""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata

from pipelines.card_codes import TEXT, Coded

FOLDS = 5
PRIOR_ROWS = 2.0  # as many rows of the mean are added to each value's
RIDGE = 0.02  # times the rows: the penalty
LUCK = 4.0  # standard errors that chance never gives


def alone(column: Coded, target: np.ndarray, fold: np.ndarray, by_rank: bool) -> np.ndarray:
    """What the column tells of each output.

    Args:
        column: of the rows.
        target: float64 [rows, outputs]; 0 and 1 where it is not by rank.
        fold: int64 [rows], from 0 on: a row's own is not looked at.
        by_rank: whether the target is numbers, and not flags.

    Returns:
        float64 [outputs]: the AUC of a flag, Spearman's correlation of a number; of an output that is the same in all
        rows, and of a column that is the same in all, what chance gives.
    """
    chance = np.full(target.shape[1], 0.0 if by_rank else 0.5)
    if not column.varies:
        return chance
    found = [chance, scores(means_of_others(column.values, target, fold), target, fold, by_rank)]
    if column.kind == TEXT:
        found.append(scores(_ridge(column.parts, target, fold), target, fold, by_rank))
    return np.max(found, axis=0)


def auc_luck(positive: float, negative: float) -> float:
    """How far above .5 the AUC of so many rows may be by luck: 4 standard errors."""
    return float(LUCK * ((positive + negative + 1) / (12 * max(positive * negative, 1))) ** 0.5)


def rank_luck(rows: int) -> float:
    """How far above 0 Spearman's correlation of so many rows may be by luck: 4 standard errors."""
    return float(LUCK * max(rows - 1, 1) ** -0.5)


def means_of_others(values: np.ndarray, target: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """How much the target of other folds' rows of the same value is above the mean of all of them.

    Shape: values int64 [rows], from -1 on; target [rows, outputs]; fold int64 [rows]; the result [rows, outputs]
    """
    values = values + 1
    folds, kinds = int(fold.max()) + 1, int(values.max()) + 1
    cell = values * folds + fold
    own = _sums(cell, np.column_stack([target, np.ones(len(target))]), kinds * folds).reshape(kinds, folds, -1)
    others = own.sum(axis=1, keepdims=True) - own  # [kinds, folds, outputs and the rows]
    whole = others.sum(axis=0)
    prior = whole[:, :-1] / whole[:, -1:].clip(1)  # [folds, outputs]
    above = others[..., :-1] - others[..., -1:] * prior
    return np.asarray((above / (others[..., -1:] + PRIOR_ROWS))[values, fold])


def _sums(cell: np.ndarray, columns: np.ndarray, cells: int) -> np.ndarray:
    return np.stack([np.bincount(cell, weights=column, minlength=cells) for column in columns.T], axis=1)


def _ridge(parts: np.ndarray, target: np.ndarray, fold: np.ndarray) -> np.ndarray:
    """What a ridge regression of the other folds' rows says, above their mean: [rows, outputs]."""
    scale = parts.std(axis=0)
    inputs = ((parts - parts.mean(axis=0)) / np.where(scale > 0, scale, 1)).astype(np.float64)
    found = np.zeros_like(target, dtype=np.float64)
    for number in np.unique(fold):
        own = fold == number
        if own.all():
            continue
        x, y = inputs[~own], target[~own]
        penalty = (RIDGE * len(x) + 1) * np.eye(x.shape[1])
        found[own] = inputs[own] @ np.linalg.solve(x.T @ x + penalty, x.T @ (y - y.mean(axis=0)))
    return found


def scores(predictions: np.ndarray, target: np.ndarray, fold: np.ndarray, by_rank: bool) -> np.ndarray:
    """The AUC or Spearman's correlation of each output; what chance gives where all rows have the same target.

    Rows are ranked within their fold: other folds' means are a little low where a fold's own is high, and pooled they
    would rank against the target.

    Shape: predictions and target [rows, outputs]; fold int64 [rows]; the result float64 [outputs]
    """
    score = _correlations if by_rank else _aucs
    found, weights = zip(
        *(score(predictions[fold == each], target[fold == each]) for each in np.unique(fold)), strict=True
    )
    weight = np.sum(weights, axis=0)
    chance = 0.0 if by_rank else 0.5
    return np.where(weight > 0, np.sum(found, axis=0) / np.where(weight > 0, weight, 1), chance)


def _ranks(columns: np.ndarray) -> np.ndarray:
    return np.asarray(rankdata(columns.astype(np.float32), axis=0))  # what differs by rounding alone is the same


def _aucs(predictions: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of a set and an unset flag in the right order, and all pairs, of each output."""
    positive = target.sum(axis=0)
    above = (_ranks(predictions) * target).sum(axis=0) - positive * (positive + 1) / 2
    return above, positive * (len(target) - positive)


def _correlations(predictions: np.ndarray, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Correlations times rows, and rows, of each output; 0 where one side is the same in all rows."""
    a, b = (ranks - ranks.mean(axis=0) for ranks in (_ranks(predictions), rankdata(target, axis=0)))
    scale = np.sqrt((a**2).sum(axis=0) * (b**2).sum(axis=0))
    found = np.where(scale > 0, (a * b).sum(axis=0) / np.where(scale > 0, scale, 1), 0.0)
    return found * len(a), np.full(a.shape[1], float(len(a)))
