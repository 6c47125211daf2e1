"""Tabular recipe: numbers, counts and categories to a matrix."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler

from data.errors import UsageError
from data.tables import Tables
from features.recipe import Recipe, Workshop, released
from features.words import Words

if TYPE_CHECKING:
    from data.datasets import TabularDataset


def tabular(
    *,
    numbers: Sequence[str] = (),
    counts: Sequence[str] = (),
    plain: Sequence[str] = (),
    categories: Sequence[str] = (),
    embedded: Sequence[str] = (),
    words: Sequence[str] = (),
    derive: Sequence[TransformerMixin] = (),
    flags: bool = True,
) -> Recipe:
    """A recipe for tables; columns that no argument names are left out.

    Args:
        numbers: standardised; where a train row lacks one, the median fills it and, with `flags`, a column says so.
        counts: the same after log(1 + x); for what is never negative and has a long tail.
        plain: taken as they are, for networks that expand numbers themselves, and the first of the input's columns;
            none may be missing.
        categories: one column a value of the train rows (one-hot); an unseen value is all zeros.
        embedded: codes, which the network learns a vector for; an unseen value is code 0.
        words: texts; one column a word that stands in 2% of the train rows or more, of at most 50 words a text.
        derive: transformers of a frame to a frame with more columns, one after another, in front of all else.
        flags: see `numbers`.
    """
    if not (numbers or counts or plain or categories or embedded or words):
        raise ValueError("a recipe names one column or more, but got none")
    encoder = TabularEncoder(
        numbers=tuple(numbers),
        counts=tuple(counts),
        plain=tuple(plain),
        categories=tuple(categories),
        embedded=tuple(embedded),
        words=tuple(words),
        derive=tuple(derive),
        flags=flags,
    )
    return Recipe(encoder=encoder)


class TabularEncoder(TransformerMixin, BaseEstimator):
    """The transformer behind `tabular`, with its arguments.

    Attributes:
        pipeline_: the fitted scikit-learn pipeline.
        cardinalities_: for each embedded column the number of codes, that of the unseen included.
        columns_: the names of the matrix's columns.
    """

    def __init__(
        self,
        numbers: Sequence[str] = (),
        counts: Sequence[str] = (),
        plain: Sequence[str] = (),
        categories: Sequence[str] = (),
        embedded: Sequence[str] = (),
        words: Sequence[str] = (),
        derive: Sequence[TransformerMixin] = (),
        flags: bool = True,
    ) -> None:
        self.numbers = numbers
        self.counts = counts
        self.plain = plain
        self.categories = categories
        self.embedded = embedded
        self.words = words
        self.derive = derive
        self.flags = flags

    def prepare(self, tables: Tables, workshop: Workshop) -> TabularEncoder:
        """See `Encoder`: the same with each derived transformer prepared that can be."""
        derive = tuple(each.prepare(tables, workshop) if hasattr(each, "prepare") else each for each in self.derive)
        return clone(self).set_params(derive=derive)

    def release(self) -> TabularEncoder:
        """See `Encoder`: the same with each derived transformer released."""
        other = copy(self)
        other.derive = ()  # the fitted ones stand in the pipeline
        other.pipeline_ = Pipeline([(name, released(step)) for name, step in self.pipeline_.steps])
        return other

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> np.ndarray:
        """Learns from the train rows; their input, float32 [rows, columns]."""
        self.pipeline_ = self._pipeline()
        try:
            matrix = self.pipeline_.fit_transform(rows, target)
        except ValueError as error:
            raise UsageError(f"the recipe does not fit the columns: {' '.join(str(error).split())}") from error
        columns = self.pipeline_[-1]
        self.columns_ = tuple(columns.get_feature_names_out())
        codes = columns.named_transformers_["embedded"] if self.embedded else None
        self.cardinalities_ = tuple(len(known) + 1 for known in codes[-1].categories_) if codes else ()
        return self._matrix(matrix)

    def fit(self, rows: pd.DataFrame, target: np.ndarray) -> TabularEncoder:
        """Learns from the train rows."""
        self.fit_transform(rows, target)
        return self

    def transform(self, rows: pd.DataFrame) -> np.ndarray:
        """The input of other rows, float32 [rows, columns]."""
        if not len(rows):  # scikit-learn refuses none
            return np.empty((0, len(self.columns_)), dtype=np.float32)
        return self._matrix(self.pipeline_.transform(rows))

    def dataset(self, found: np.ndarray, target: np.ndarray) -> TabularDataset:
        """See `Encoder`."""
        from data.datasets import TabularDataset

        if not np.isfinite(found).all():
            row, column = np.argwhere(~np.isfinite(found))[0]
            raise UsageError(f"the recipe makes no finite number of row {row}, column {column} of its input")
        return TabularDataset.of(input=found, target=target, cardinalities=self.cardinalities_)

    def _matrix(self, matrix: np.ndarray) -> np.ndarray:
        if self.embedded:
            matrix[:, -len(self.embedded) :] += 1  # the encoder says -1 for the unseen
        with np.errstate(over="ignore"):  # what is beyond float32 is infinite, and whoever takes it looks
            return np.ascontiguousarray(matrix, dtype=np.float32)

    def _pipeline(self) -> Pipeline:
        text = FunctionTransformer(as_text, feature_names_out="one-to-one")
        blocks = {
            "plain": ("passthrough", self.plain),
            "numbers": (_number_steps(self.flags), self.numbers),
            "counts": (
                make_pipeline(
                    FunctionTransformer(log_count, feature_names_out="one-to-one"), _number_steps(self.flags)
                ),
                self.counts,
            ),
            **{f"words {name}": (Words(), [name]) for name in self.words},
            "categories": (
                make_pipeline(text, OneHotEncoder(handle_unknown="ignore", sparse_output=False)),
                self.categories,
            ),
            "embedded": (
                make_pipeline(text, OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)),
                self.embedded,
            ),
        }
        used = [(name, steps, list(columns)) for name, (steps, columns) in blocks.items() if columns]
        needed = FunctionTransformer(select, kw_args={"columns": [name for *_, columns in used for name in columns]})
        return make_pipeline(*self.derive, needed, ColumnTransformer(used, sparse_threshold=0))


def _number_steps(flags: bool) -> Pipeline:
    fill = SimpleImputer(strategy="median", add_indicator=flags, keep_empty_features=True)
    return make_pipeline(fill, StandardScaler())


def select(rows: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """The columns that a recipe names.

    Raises:
        UsageError: one of them is not there.
    """
    for name in columns:
        if name not in rows:
            raise UsageError(f"the recipe names the column {name!r}, but there are {', '.join(map(str, rows.columns))}")
    return rows[list(dict.fromkeys(columns))]


def log_count(rows: pd.DataFrame) -> pd.DataFrame:
    """log(1 + x) of what is never negative.

    Raises:
        UsageError: a count below zero.
    """
    for name in rows:
        if (rows[name] < 0).any():
            raise UsageError(f"a count is 0 or more, but {name} holds {rows[name].min()}: name it among the numbers")
    return rows.apply(np.log1p)


def as_text(rows: pd.DataFrame) -> pd.DataFrame:
    """Categories as text, so that numbers and missing cells are values like others."""
    return rows.astype(object).where(rows.notna(), "").astype(str).astype(object)
