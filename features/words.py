"""Words: which of the frequent words of a column stand in a row."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

WORD = r"\w+"


class Words(TransformerMixin, BaseEstimator):
    """A column of texts to one column a word, 1 where it stands.

    Args:
        least: share of the train rows that a word stands in.
        most: words that are taken, the most frequent ones.
    """

    def __init__(self, least: float = 0.02, most: int = 50) -> None:
        self.least = least
        self.most = most

    def fit(self, cells: pd.DataFrame, target: np.ndarray | None = None) -> Words:  # noqa: ARG002
        """Learns which words are frequent; cells [rows, 1]."""
        self.column_ = str(cells.columns[0])
        texts = _words_of(cells)
        count = Counter(word for words in texts for word in words)
        frequent = [word for word, rows in count.items() if rows >= max(2, self.least * len(cells))]
        self.words_ = sorted(sorted(frequent, key=lambda word: (-count[word], word))[: self.most])
        return self

    def transform(self, cells: pd.DataFrame) -> np.ndarray:
        """Which of them stand in each row, float64 [rows, words]."""
        texts = _words_of(cells)
        return np.array([[word in words for word in self.words_] for words in texts], dtype=np.float64).reshape(
            len(cells), len(self.words_)
        )

    def get_feature_names_out(self, names: object = None) -> np.ndarray:  # noqa: ARG002  # scikit-learn's signature
        """The names of its columns."""
        return np.array([f"{self.column_}_{word}" for word in self.words_], dtype=object)


def _words_of(cells: pd.DataFrame) -> list[set[str]]:
    """The words of every row, lower case."""
    return [set(words) for words in cells.iloc[:, 0].fillna("").astype(str).str.lower().str.findall(WORD)]
