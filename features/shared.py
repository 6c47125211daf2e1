"""Shared: how the other train rows fared that share a value, as a ticket or a surname, beyond what is plain of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from copy import copy

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.model_selection import KFold, StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from features.recipe import Encoder, Recipe

PARTS = 5  # of the train rows, for what is plain of each to be told by the others
PRIOR = 1.0  # rows that fared as expected, beside those that share a value
FIRST_WORD = r"(\w+)"

Sums = tuple[np.ndarray, np.ndarray]  # keys, and the sums of what the rows have that share each


class Shared(TransformerMixin, BaseEstimator):
    """Adds, for each of some columns, the mean residual of the other train rows with the same value.

    A residual is the target less what a linear model of `beside` expects of a row, which was fitted on other rows: a
    logistic regression of classes, a ridge regression of numbers.
    So it tells of a group what its members' own columns do not, as a random effect does. Few rows count for little, and
    no other row gives 0. A train row leaves itself out: the other rows are to it what all train rows are to a new one.

    Args:
        columns: whose equal values are shared, whatever their type; an empty cell is shared with nobody.
        first_words: columns of texts, whose first word is shared.
        beside: the columns that tell what is expected of a row.
    """

    def __init__(self, columns: Sequence[str] = (), first_words: Sequence[str] = (), *, beside: Recipe | None) -> None:
        self.columns = columns
        self.first_words = first_words
        self.beside = beside

    def names(self, outputs: int = 1) -> list[str]:
        """The added columns, of each one an output of the target; two classes count as one output."""
        added = [f"{name}_shared" for name in (*self.columns, *self.first_words)]
        return added if outputs == 1 else [f"{name}_{number}" for name in added for number in range(outputs)]

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> Shared:
        """Learns from the train rows."""
        self.fit_transform(rows, target)
        return self

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> pd.DataFrame:
        """Learns from the train rows, and gives each what the others say."""
        wanted = _outputs(target)
        if len(rows) >= PARTS:
            assert self.beside is not None
            wanted = wanted - _expected(clone(self.beside.encoder), rows, target).reshape(wanted.shape)
        own = np.concatenate([wanted, np.ones((len(rows), 1))], axis=1)
        self.sums_ = [sums_of(keys, own) for keys in self._keys(rows)]
        return self._added(rows, own)

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Gives other rows what the train rows say."""
        return self._added(rows, None)

    def release(self) -> Shared:
        """See `features.recipe.Encoder`."""
        other = copy(self)
        other.beside = None
        return other

    def _keys(self, rows: pd.DataFrame) -> list[pd.Series]:
        """The values of each column as text; nothing where there is none."""
        first = [rows[name].fillna("").astype(str).str.extract(FIRST_WORD, expand=False) for name in self.first_words]
        whole = [rows[name].astype(object).where(rows[name].notna(), "").astype(str) for name in self.columns]
        return [each.fillna("") for each in (*whole, *first)]

    def _added(self, rows: pd.DataFrame, own: np.ndarray | None) -> pd.DataFrame:
        found = []
        for sums, keys in zip(self.sums_, self._keys(rows), strict=True):
            others = look_up(sums, keys)
            if own is not None:
                others = others - np.where((others[:, -1:] > 0), own, 0)
            found.append(others[:, :-1] / (others[:, -1:] + PRIOR))
        outputs = self.sums_[0][1].shape[1] - 1
        return rows.assign(**dict(zip(self.names(outputs), np.concatenate(found, axis=1).T, strict=True)))


def _expected(encoder: Encoder, rows: pd.DataFrame, target: np.ndarray) -> np.ndarray:
    """What a model that was fitted on other rows expects of each row: probabilities of classes, or numbers."""
    from sklearn.linear_model import LogisticRegression, Ridge

    if not np.issubdtype(target.dtype, np.integer):
        in_turn = KFold(PARTS, shuffle=True, random_state=0)
        return cross_val_predict(make_pipeline(encoder, Ridge()), rows, target, cv=in_turn)
    there, counts = np.unique(target, return_counts=True)
    parts = min(PARTS, counts.min())
    found = np.zeros((len(target), max(2, target.max() + 1)))
    if parts < 2 or len(there) < 2:  # no model can know of a class that one row has
        found[:, there] = counts / len(target)
    else:
        alike = StratifiedKFold(parts, shuffle=True, random_state=0)
        model = make_pipeline(encoder, LogisticRegression(max_iter=500))
        found[:, there] = cross_val_predict(model, rows, target, cv=alike, method="predict_proba")
    return found if found.shape[1] > 2 else found[:, 1]


def _outputs(target: np.ndarray) -> np.ndarray:
    """The target as numbers, float64 [rows, outputs]: one for two classes, else one for each."""
    if not np.issubdtype(target.dtype, np.integer):
        return target.reshape(len(target), -1).astype(np.float64)
    classes = int(target.max()) + 1
    return np.eye(classes)[target] if classes > 2 else target[:, None].astype(np.float64)


def sums_of(keys: Iterable[str], values: np.ndarray) -> Sums:
    """The keys that are not empty, each once, and the sums of their values, float64 [keys, columns].

    Args:
        keys: of each row, as text.
        values: float64 [rows, columns].
    """
    summed = pd.DataFrame(values).groupby(list(keys)).sum()
    filled = summed[summed.index != ""]
    return np.array(filled.index, dtype=str), filled.to_numpy()


def look_up(sums: Sums, keys: Iterable[str]) -> np.ndarray:
    """The sums of the key of each row, float64 [rows, columns]; zeros for one that is not there."""
    known, values = sums
    if not len(known):
        return np.zeros((len(list(keys)), values.shape[1]))
    at = pd.Index(known).get_indexer(pd.Index(list(keys), dtype=str))
    return np.where((at >= 0)[:, None], values[at], 0.0)
