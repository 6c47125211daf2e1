"""Recipe: how rows become a network's input, fitted on the train rows of a fold and on nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from sklearn.base import clone

from data.datasets import UNKNOWN, Fold, TabularDataset
from data.errors import UsageError
from data.tables import Tables

ROW = "_row"  # a column beside the declared ones: which row it is, train rows first, then test rows


class Encoder(Protocol):
    """A scikit-learn transformer of rows to numbers.

    It may have a method `prepare(tables)`, which gives an encoder that knows what is the same in every fold, as which
    rows are alike; it is called once, and must not look at the target.

    `fit_transform` of the train rows may differ from `transform` of others: features that use the target leave the
    row itself out of its own.
    """

    cardinalities_: tuple[int, ...]  # learned: the codes of each of the last columns; () where there are none

    def fit_transform(self, rows: pd.DataFrame, target: np.ndarray) -> np.ndarray:
        """Learns from the train rows and gives their input, float32 [rows, columns]."""
        ...

    def transform(self, rows: pd.DataFrame) -> np.ndarray:
        """The input of rows that were not learned from, float32 [rows, columns]."""
        ...


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """An encoder that has learned nothing; every fold fits a copy of its own."""

    encoder: Encoder

    def prepare(self, tables: Tables) -> Recipe:
        """The recipe with that done which is the same in every fold."""
        prepare = getattr(self.encoder, "prepare", None)
        return self if prepare is None else Recipe(encoder=prepare(tables))

    def encode(self, tables: Tables, fold: int | None) -> Fold:
        """Fits on the train rows of a fold, and encodes those, the rows held out, and the test rows.

        Args:
            tables: all rows.
            fold: its number; None holds nothing out, and so fits on all train rows.

        Raises:
            UsageError: the recipe does not fit the columns, or makes numbers that are not finite in float32.
        """
        held_out = tables.fold == (-1 if fold is None else fold)
        encoder = clone(self.encoder)
        target = tables.target[~held_out]
        numbered = tables.train.assign(**{ROW: np.arange(len(tables.train))})
        test = tables.test.assign(**{ROW: len(numbered) + np.arange(len(tables.test))})
        train = encoder.fit_transform(numbered[~held_out].reset_index(drop=True), target)

        def dataset(input: np.ndarray, target: np.ndarray) -> TabularDataset:
            values = np.ascontiguousarray(input, dtype=np.float32)
            if not np.isfinite(values).all():
                row, column = np.argwhere(~np.isfinite(values))[0]
                raise UsageError(f"the recipe makes no finite number of row {row}, column {column} of its input")
            return TabularDataset(
                input=torch.from_numpy(values),
                target=torch.from_numpy(target),
                cardinalities=encoder.cardinalities_,
            )

        valid = numbered[held_out].reset_index(drop=True)
        return Fold(
            train=dataset(train, target),
            valid=dataset(_transform(encoder, valid, train.shape[1]), tables.target[held_out]),
            test=dataset(_transform(encoder, test, train.shape[1]), np.full(len(tables.test), UNKNOWN)),
            valid_rows=torch.from_numpy(np.flatnonzero(held_out)),
        )


def _transform(encoder: Encoder, rows: pd.DataFrame, columns: int) -> np.ndarray:
    """What `transform` gives; nothing for no rows, which scikit-learn refuses."""
    return encoder.transform(rows) if len(rows) else np.empty((0, columns), dtype=np.float32)
