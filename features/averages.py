"""Averages recipe: what is known of the words of a column, averaged over each text, for networks that take tables."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, TransformerMixin, clone

from data.errors import UnavailableError
from data.tables import Tables
from features.beside import plain, told
from features.latest import Uncopied
from features.recipe import ROW, Recipe, Workshop
from features.text import words_of
from features.vectors import WordVectors

if TYPE_CHECKING:
    from data.datasets import TabularDataset


def averages(column: str, *, vectors: Sequence[WordVectors]) -> Recipe:
    """A recipe for one column of texts, whose words are parted by blanks.

    Args:
        column: its name.
        vectors: looked up in lower case and without accents, and put side by side, each with whether there are some;
            a source that is not installed adds nothing.

    Raises:
        ValueError: no vectors are named.
    """
    if not vectors:
        raise ValueError("takes vectors of words, but got none")
    return Recipe(encoder=AverageEncoder(column, tuple(vectors)))


@dataclass(frozen=True, eq=False)
class Known(Uncopied):
    """The averages of all rows, float32 [rows, columns]."""

    averages: np.ndarray


class AverageEncoder(TransformerMixin, BaseEstimator):
    """The transformer behind `averages`, with its arguments.

    Attributes:
        columns_: how many there are.
    """

    def __init__(self, column: str, vectors: tuple[WordVectors, ...], known: Known | None = None) -> None:
        self.column = column
        self.vectors = vectors
        self.known = known

    def prepare(self, tables: Tables, workshop: Workshop) -> AverageEncoder:  # noqa: ARG002
        """See `Encoder`: the same with all that is known of the words of train and test looked up."""
        return clone(self).set_params(known=Known(self._averages(pd.concat([tables.train, tables.test]))))

    def packages(self) -> list[str]:
        """See `Encoder`."""
        return [package for each in self.vectors for package in each.packages()]

    def origins(self) -> list[str]:
        """See `Encoder`."""
        return [origin for each in self.vectors if (origin := each.origin()) is not None]

    def notices(self) -> list[str]:
        """See `Encoder`."""
        return [f"{each.missing}: texts are read without it" for each in self.vectors if each.origin() is None]

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> np.ndarray:  # noqa: ARG002
        """The input of the train rows, float32 [rows, columns]; nothing is learned of them but how many columns."""
        found = self._of(rows)
        self.columns_ = found.shape[1]
        return found

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> AverageEncoder:
        """See `fit_transform`."""
        self.fit_transform(rows, target)
        return self

    def transform(self, rows: pd.DataFrame) -> np.ndarray:
        """The input of other rows, float32 [rows, columns].

        Raises:
            UnavailableError: a source is not there any more.
        """
        found = self._of(rows)
        if found.shape[1] != self.columns_:
            missing = ", ".join(each.missing for each in self.vectors if each.origin() is None)
            raise UnavailableError(f"{missing or 'other vectors of words'}: these networks learned with other ones")
        return found

    def release(self) -> AverageEncoder:
        """See `Encoder`: looks other rows up."""
        other = copy(self)
        other.known = None
        return other

    def dataset(self, found: np.ndarray, target: np.ndarray) -> TabularDataset:
        """See `Encoder`."""
        from data.datasets import TabularDataset

        return TabularDataset.of(input=found, target=target)

    def _of(self, rows: pd.DataFrame) -> np.ndarray:
        return self._averages(rows) if self.known is None else self.known.averages[rows[ROW].to_numpy()]

    def _averages(self, rows: pd.DataFrame) -> np.ndarray:
        texts = [[plain(word) for word in words] for words in words_of(rows, self.column)]
        distinct = pd.Index(sorted({word for words in texts for word in words}), dtype=str)
        known = told(list(distinct), self.vectors)
        words = distinct.get_indexer(pd.Index([word for words in texts for word in words], dtype=str))
        ends = np.cumsum([0, *map(len, texts)])
        shares = csr_matrix((np.ones(len(words)), words, ends), shape=(len(texts), len(distinct)))
        return np.asarray((shares @ known) / np.diff(ends)[:, None], dtype=np.float32)
