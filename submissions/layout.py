"""Layouts: how a competition wants its answers, and the frame of predictions in that layout."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from data.schema import Schema
from data.targets import Classes, Flags, Number, Shares, Target, exact_shares

SUM_TOLERANCE = 1e-6  # of a row's probabilities


@dataclass(frozen=True, kw_only=True)
class Layout(ABC):
    """The columns beside the id, and what stands in them."""

    targets: ClassVar[tuple[type[Target], ...]]  # the kinds that it lays out

    @abstractmethod
    def columns(self, schema: Schema) -> tuple[str, ...]:
        """The columns beside the id, in the declaration's order; a sample file may have another."""

    @abstractmethod
    def cells(self, predictions: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
        """The answers by column, from predictions float [rows, outputs]."""

    @abstractmethod
    def fault(self, frame: pd.DataFrame, schema: Schema) -> str | None:
        """What is wrong with the answers of a submission; None where nothing is."""

    def frame(self, ids: Sequence[str], predictions: np.ndarray, schema: Schema, sample: pd.DataFrame) -> pd.DataFrame:
        """The submission: the sample's header and order of ids, with our answers.

        Args:
            ids: [test rows], of the predictions.
            predictions: float [test rows, outputs], see `data.targets`.
            schema: names the id and the target.
            sample: the sample submission, as text.
        """
        position = pd.Series(np.arange(len(ids)), index=pd.Index(ids))
        order = position.loc[sample[schema.id]].to_numpy()
        cells = self.cells(predictions[order], schema)
        named = {schema.id: sample[schema.id].to_numpy(), **cells}
        return pd.DataFrame({column: named[column] for column in sample.columns})

    def blank(self, ids: Sequence[str], schema: Schema) -> pd.DataFrame:
        """A sample submission for made-up ids."""
        outputs = len(schema.target.outputs)
        even = np.full((len(ids), outputs), 0.0 if isinstance(schema.target, Number) else 1 / outputs)
        return pd.DataFrame({schema.id: list(ids), **self.cells(even, schema)})

    def check(self, target: Target) -> None:
        """Refuses a target that it has no columns for.

        Raises:
            ValueError: it is of another kind.
        """
        if not isinstance(target, self.targets):
            fits = ", ".join(each.__name__ for each in self.targets)
            raise ValueError(f"{type(self).__name__} lays out {fits}, but the target is {type(target).__name__}")


@dataclass(frozen=True, kw_only=True)
class Named(Layout):
    """The target's columns.

    Args:
        column: the sample's name of the one target column, where it is not that of the train file.
    """

    column: str | None = None

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """See `Layout.columns`."""
        return schema.target.columns if self.column is None else (self.column,)

    def check(self, target: Target) -> None:
        """See `Layout.check`."""
        super().check(target)
        if self.column is not None and len(target.columns) > 1:
            raise ValueError(f"the target has {len(target.columns)} columns, which one name cannot stand for")


@dataclass(frozen=True, kw_only=True)
class Labels(Named):
    """One column with the most probable class; or a column a flag, 0 or 1."""

    targets = (Classes, Flags)

    def cells(self, predictions: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
        """See `Layout.cells`."""
        answers = schema.target.answers(predictions)
        own = schema.target.columns
        return {name: answers[each] for name, each in zip(self.columns(schema), own, strict=True)}

    def fault(self, frame: pd.DataFrame, schema: Schema) -> str | None:
        """See `Layout.fault`."""
        classes = self.classes(schema)
        wanted = pd.Series(classes).dtype
        for name in self.columns(schema):
            labels = frame[name]
            if labels.dtype != wanted:
                return f"the labels are {labels.dtype}, the classes {wanted}"
            odd = labels[~labels.isin(classes)]
            if len(odd):
                return f"row {odd.index[0] + 2} has the label '{odd.iloc[0]}', which is no class"
        return None

    def classes(self, schema: Schema) -> tuple[int | str, ...]:
        """The labels that a cell may hold."""
        return schema.target.classes if isinstance(schema.target, Classes) else (0, 1)


class Numbers(Layout):
    """Cells of numbers."""

    least: float | None = 0.0
    greatest: float | None = 1.0

    def sums_to_one(self, schema: Schema) -> bool:  # noqa: ARG002  # some do
        """Whether the cells of a row do."""
        return False

    def fault(self, frame: pd.DataFrame, schema: Schema) -> str | None:
        """See `Layout.fault`."""
        answers = frame[list(self.columns(schema))].to_numpy(np.float64)  # [test rows, columns]
        least = -np.inf if self.least is None else self.least
        greatest = np.inf if self.greatest is None else self.greatest
        sums = answers.sum(axis=1, keepdims=True) if self.sums_to_one(schema) else np.ones((1, 1))
        what = "a number" if self.least is None and self.greatest is None else "a probability"
        for wrong, told in (
            (~np.isfinite(answers), f"{what} that is not finite"),
            ((answers < least) | (answers > greatest), f"{what} outside [{least:g}, {greatest:g}]"),
            (np.abs(sums - 1) > SUM_TOLERANCE, "probabilities that do not sum to 1"),
        ):
            if wrong.any():
                return f"row {int(np.argwhere(wrong)[0, 0]) + 2} has {told}"
        return None


@dataclass(frozen=True, kw_only=True)
class Probabilities(Numbers):
    """A column a class, or a flag, named as it is, with its probability.

    Args:
        prefix: stands before each name in the sample.
    """

    targets = (Classes, Flags, Shares)
    prefix: str = ""

    def columns(self, schema: Schema) -> tuple[str, ...]:
        """See `Layout.columns`."""
        return tuple(f"{self.prefix}{name}" for name in schema.target.outputs)

    def cells(self, predictions: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
        """See `Layout.cells`."""
        exact = exact_shares(predictions) if self.sums_to_one(schema) else predictions.astype(np.float64)
        return dict(zip(self.columns(schema), exact.T, strict=True))

    def sums_to_one(self, schema: Schema) -> bool:
        """Whether the cells of a row do."""
        return not isinstance(schema.target, Flags)


@dataclass(frozen=True, kw_only=True)
class Probability(Named, Numbers):
    """One column with the probability of the second of two classes."""

    targets = (Classes,)

    def cells(self, predictions: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
        """See `Layout.cells`."""
        return {self.columns(schema)[0]: predictions[:, 1].astype(np.float64)}

    def check(self, target: Target) -> None:
        """See `Layout.check`."""
        super().check(target)
        if len(target.outputs) != 2:
            raise ValueError(f"Probability lays out two classes, but there are {len(target.outputs)}")


@dataclass(frozen=True, kw_only=True)
class Values(Named, Numbers):
    """One column with a number.

    Args:
        least: what is below becomes it; None: anything may be.
        greatest: what is above becomes it.
    """

    targets = (Number,)
    least: float | None = None
    greatest: float | None = None

    def cells(self, predictions: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
        """See `Layout.cells`."""
        found = predictions[:, 0].astype(np.float64)
        bounded = self.least is not None or self.greatest is not None
        return {self.columns(schema)[0]: np.clip(found, self.least, self.greatest) if bounded else found}
