"""Layouts: how a competition wants its answers, and the frame of predictions in that layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.schema import Schema

LEAST = 1e-15  # probability
SUM_TOLERANCE = 1e-6  # of a row's probabilities


@dataclass(frozen=True, kw_only=True)
class Layout(ABC):
    """The columns beside the id, and what stands in them."""

    @abstractmethod
    def columns(self, schema: Schema) -> tuple[str, ...]:
        """The columns beside the id, in the declaration's order; a sample file may have another."""

    @abstractmethod
    def cells(self, predictions: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
        """The answers by column, from probabilities float [rows, classes]."""

    @abstractmethod
    def fault(self, frame: pd.DataFrame, schema: Schema) -> str | None:
        """What is wrong with the answers of a submission; None where nothing is."""

    def frame(self, ids: Sequence[str], predictions: np.ndarray, schema: Schema, sample: pd.DataFrame) -> pd.DataFrame:
        """The submission: the sample's header and order of ids, with our answers.

        Args:
            ids: [test rows], of the predictions.
            predictions: float [test rows, classes], probabilities in the order of `schema.classes`.
            schema: names the id and the classes.
            sample: the sample submission, as text.
        """
        position = pd.Series(np.arange(len(ids)), index=pd.Index(ids))
        order = position.loc[sample[schema.id]].to_numpy()
        cells = self.cells(predictions[order], schema)
        named = {schema.id: sample[schema.id].to_numpy(), **cells}
        return pd.DataFrame({column: named[column] for column in sample.columns})

    def blank(self, ids: Sequence[str], schema: Schema) -> pd.DataFrame:
        """A sample submission for made-up ids."""
        even = np.full((len(ids), len(schema.classes)), 1 / len(schema.classes))
        return pd.DataFrame({schema.id: list(ids), **self.cells(even, schema)})


@dataclass(frozen=True, kw_only=True)
class Labels(Layout):
    """One column, named as the target, with the most probable class."""

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """See `Layout.columns`."""
        return (schema.target,)

    def cells(self, predictions: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
        """See `Layout.cells`."""
        return {schema.target: np.array(schema.classes)[predictions.argmax(axis=1)]}

    def fault(self, frame: pd.DataFrame, schema: Schema) -> str | None:
        """See `Layout.fault`."""
        labels = frame[schema.target]
        wanted = pd.Series(schema.classes).dtype
        if labels.dtype != wanted:
            return f"the labels are {labels.dtype}, the classes {wanted}"
        odd = labels[~labels.isin(schema.classes)]
        if len(odd):
            return f"row {odd.index[0] + 2} has the label '{odd.iloc[0]}', which is no class"
        return None


@dataclass(frozen=True, kw_only=True)
class Probabilities(Layout):
    """A column a class, named as the class, with its probability."""

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """See `Layout.columns`."""
        return schema.labels

    def cells(self, predictions: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
        """See `Layout.cells`."""
        exact = predictions.astype(np.float64).clip(LEAST, 1 - LEAST)  # as Kaggle's log loss does
        exact /= exact.sum(axis=1, keepdims=True)  # float32 sums to 1 only so far
        return dict(zip(schema.labels, exact.T, strict=True))

    def fault(self, frame: pd.DataFrame, schema: Schema) -> str | None:
        """See `Layout.fault`."""
        answers = frame[list(schema.labels)].to_numpy()  # [test rows, classes]
        for wrong, what in (
            (~np.isfinite(answers), "a probability that is not finite"),
            ((answers < 0) | (answers > 1), "a probability outside [0, 1]"),
            (np.abs(answers.sum(axis=1, keepdims=True) - 1) > SUM_TOLERANCE, "probabilities that do not sum to 1"),
        ):
            if wrong.any():
                return f"row {int(np.argwhere(wrong)[0, 0]) + 2} has {what}"
        return None
