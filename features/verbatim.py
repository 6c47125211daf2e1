"""Verbatim: rows that were seen with their label take it, where other rows repeat them letter for letter."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd


class Verbatim:
    """Remembers rows and how often each class was their label.

    Args:
        columns: those in which a row must repeat another, the case kept.
        classes: how many.
    """

    def __init__(self, columns: Sequence[str], classes: int) -> None:
        self.columns = list(columns)
        self.classes = classes

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> Verbatim:
        """Remembers rows; target int64 [rows], the class of each."""
        keys = self._keys(rows)
        self.known_ = pd.Index(keys.unique())
        self.counts_ = np.zeros((len(self.known_), self.classes))
        np.add.at(self.counts_, (self.known_.get_indexer(keys), target), 1)
        return self

    def apply(self, rows: pd.DataFrame, predictions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The predictions, with the labels that were remembered counted as so many more, and which rows have any.

        The prediction weighs as one label, so that a row seen once has its label as the likeliest class and still no
        probability of zero.

        Shape: predictions float [rows, classes], and so the first result; the second bool [rows]
        """
        place = self.known_.get_indexer(self._keys(rows))
        counts = np.where((place >= 0)[:, None], self.counts_[place], 0)
        total = 1 + counts.sum(axis=1, keepdims=True)
        return ((predictions + counts) / total).astype(predictions.dtype), place >= 0

    def _keys(self, rows: pd.DataFrame) -> pd.Index:
        """Each row's cells in the columns, as one value."""
        if len(self.columns) == 1:
            return pd.Index(rows[self.columns[0]])
        return pd.Index(list(rows[self.columns].itertuples(index=False, name=None)), tupleize_cols=False)
