"""Drift of a card: can a classifier tell the train rows from the test rows, and by which columns?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

from pipelines.card_alone import FOLDS, LUCK, alone, auc_luck, scores
from pipelines.card_codes import Coded

MOST_INPUTS = 200  # of the classifier: those by which the other folds' rows differ most
LEAST_SIDE = 2 * FOLDS  # rows of each file, or groups, from which there is something to tell
SELDOM = LUCK**2 / 2  # the logarithm of how rarely chance is beyond LUCK
ALIKE, DIFFERENT, TORN = 0.55, 0.7, 0.9  # AUCs


@dataclass(frozen=True, kw_only=True)
class Drift:
    """How well train rows are told from test rows; every AUC is of rows whose file was not looked at.

    The classifier is gradient boosting of small trees over all columns but the id and those that the split goes by, in
    5 folds; a group's rows stay in one. What a column tells alone is told by `alone`.
    """

    auc: float | None  # of all columns together; None: too few rows
    luck: float  # how far above .5 an AUC may be by chance
    alone: dict[str, float]  # of each column
    apart: dict[str, float]  # of the id and the split's columns, which differ by design
    train_rows: int  # that were looked at
    test_rows: int

    @property
    def words(self) -> str:
        """What the AUC means."""
        if self.auc is None:
            return "too few rows to tell train from test"
        if self.auc < max(ALIKE, 0.5 + self.luck):
            return "train and test rows are alike"
        if self.auc < DIFFERENT:
            return "train and test rows differ a little"
        if self.auc < TORN:
            return "train and test rows differ: a model may learn what the test rows lack"
        return "train and test rows differ so much that a cross-validation says little about the test rows"

    @property
    def carriers(self) -> list[str]:
        """The columns that tell the files apart alone, the one that does best first."""
        luck = self.luck * (1 + np.log(max(len(self.alone), 1)) / SELDOM) ** 0.5  # of many columns one is lucky
        told = [name for name, auc in self.alone.items() if auc > max(ALIKE, 0.5 + luck)]
        return sorted(told, key=lambda name: -self.alone[name])


def drift_of(
    columns: Sequence[Coded], apart: Sequence[Coded], is_test: np.ndarray, group: np.ndarray | None, seed: int
) -> Drift:
    """Measures it.

    Args:
        columns: of some train rows and some test rows.
        apart: the id and the split's columns.
        is_test: bool [rows].
        group: [rows], equal where rows are kin; None: no rows are.
        seed: of the folds and the trees.
    """
    target = is_test.astype(np.float64)[:, None]
    fold = _folds(is_test, group, np.random.default_rng(seed))
    by_side = [len(np.unique(group[side])) if group is not None else int(side.sum()) for side in (is_test, ~is_test)]
    told = min(by_side) >= LEAST_SIDE
    return Drift(
        auc=_together([column for column in columns if column.varies], target, fold, seed) if told else None,
        luck=auc_luck(*by_side),  # kin tell once
        alone={each.name: float(alone(each, target, fold, by_rank=False)[0]) if told else 0.5 for each in columns},
        apart={each.name: float(alone(each, target, fold, by_rank=False)[0]) if told else 0.5 for each in apart},
        train_rows=int((~is_test).sum()),
        test_rows=int(is_test.sum()),
    )


def _folds(is_test: np.ndarray, group: np.ndarray | None, generator: np.random.Generator) -> np.ndarray:
    """The fold of each row, int64 [rows]: as many of each file in every one; kin in one."""
    at = np.arange(len(is_test)) if group is None else pd.factorize(pd.Series(group))[0]
    fold = np.zeros(int(at.max()) + 1, dtype=np.int64)
    for side in (is_test, ~is_test):
        own = generator.permutation(np.unique(at[side]))
        fold[own] = np.arange(len(own)) % FOLDS
    return fold[at]


def _together(columns: Sequence[Coded], target: np.ndarray, fold: np.ndarray, seed: int) -> float:
    """The AUC of a classifier of all columns."""
    if not columns:
        return 0.5
    inputs = np.concatenate([column.parts for column in columns], axis=1)
    found = np.zeros_like(target)
    for number in range(FOLDS):
        own = fold == number
        best = _most_unlike(inputs[~own], target[~own, 0])
        trees = HistGradientBoostingClassifier(
            max_iter=50, max_leaf_nodes=8, max_bins=64, early_stopping=False, random_state=seed
        )
        with threadpool_limits(1, user_api="openmp"):  # at the end of each tiny step threads would wait
            trees.fit(inputs[~own][:, best], target[~own, 0])
            found[own, 0] = trees.decision_function(inputs[own][:, best])
    return float(scores(found, target, fold, by_rank=False)[0])


def _most_unlike(inputs: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The inputs whose means differ most between the files, in standard deviations; what is missing counts as -1."""
    if inputs.shape[1] <= MOST_INPUTS:
        return np.arange(inputs.shape[1])
    filled = np.where(np.isnan(inputs), -1, inputs)
    scale = filled.std(axis=0)
    unlike = np.abs(filled[target == 1].mean(axis=0) - filled[target == 0].mean(axis=0)) / np.where(scale > 0, scale, 1)
    return np.sort(np.argsort(-unlike, kind="stable")[:MOST_INPUTS])
