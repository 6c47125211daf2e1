"""Targets: what a competition wants predicted of a row: a class, a number, several flags, or shares of a whole."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from pandera.pandas import Check, Column, DataFrameSchema

from data.errors import BadDataError, Fault
from data.metrics import DIVERGENCE, FLAG_LOG_LOSS, HALF, LEAST_PROBABILITY, LOG_LOSS, RMSE, Metric
from data.reading import FIRST_ROW, typed

SHARE = "probability_"  # before a class or a flag, in the name of a column
BINS = 10  # of numbers, in which folds are alike
WHOLE = 1e-3  # that the shares of a row may sum to more or less than 1 by


@dataclass(frozen=True)
class Target(ABC):
    """The columns of the train file that the test file lacks, and what is predicted of them.

    A target is int64 [rows] or float32 [rows, ...]; predictions are float32 [rows, outputs].
    """

    has_temperature = False  # whether predictions are of one class of several, and can be surer or shyer

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Its columns in the train file."""

    @property
    @abstractmethod
    def outputs(self) -> tuple[str, ...]:
        """The names of the predictions' columns."""

    @abstractmethod
    def read(self, cells: pd.DataFrame, folds: int, file: str) -> np.ndarray:
        """The target of each row.

        Args:
            cells: its columns, as text.
            folds: into which the rows are to be split.
            file: its name in errors.

        Raises:
            BadDataError: naming all cells at fault.
        """

    @abstractmethod
    def strata(self, target: np.ndarray, folds: int) -> np.ndarray:
        """Which rows are alike, int64 [rows]: every fold shall have as many of each kind."""

    @property
    @abstractmethod
    def usual(self) -> Metric:
        """The metric that is told of every run, whatever the competition's is."""

    @abstractmethod
    def answers(self, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """Predictions as the columns that a model gives of raw rows: the answer first."""

    @abstractmethod
    def answer_kinds(self) -> dict[str, type]:
        """What each of those columns holds: int, float, bool or str."""

    @abstractmethod
    def written(self, target: np.ndarray) -> dict[str, np.ndarray]:
        """The target as columns of a file of predictions."""

    @abstractmethod
    def unwritten(self, frame: pd.DataFrame) -> np.ndarray:
        """The target that `written` wrote.

        Raises:
            ValueError, KeyError: it is of another declaration.
        """


@dataclass(frozen=True)
class Classes(Target):
    """One class of several: int64, a position in `classes`; predictions are the probabilities of all.

    Args:
        column: holds the labels.
        classes: the labels, in the order of the networks' outputs.
    """

    column: str
    classes: tuple[int | str, ...]
    has_temperature = True

    def __post_init__(self) -> None:
        if not isinstance(self.classes, tuple):
            raise ValueError(f"takes a tuple of classes, but got {self.classes!r}")
        if len(set(self.outputs)) != len(self.classes) or len(self.classes) < 2:
            raise ValueError(f"a target takes two classes or more, each once, but got {self.classes=}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See `Target`."""
        return (self.column,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """The classes as they are written in a file."""
        return tuple(map(str, self.classes))

    def read(self, cells: pd.DataFrame, folds: int, file: str) -> np.ndarray:
        """See `Target`; a class, too, needs as many rows as there are folds."""
        texts = cells[self.column].str.strip()
        target = texts.map({label: number for number, label in enumerate(self.outputs)})
        known = ", ".join(self.outputs)
        faults = []
        for row in np.flatnonzero(target.isna()):
            text = texts.iloc[row]
            what = f"the label {text!r} is none of the classes" if text else "the label is empty"
            mend = f"make it one of {known}"
            faults.append(Fault(file=file, row=int(row) + FIRST_ROW, column=self.column, what=what, mend=mend))
        faults += _too_few(len(cells), folds, file)
        if not faults:
            for label, count in texts.value_counts().reindex(list(self.outputs), fill_value=0).items():
                if count < folds:
                    what = f"the class {label!r} stands in {count or 'no'} rows, fewer than the {folds} folds"
                    mend = "add rows of that class, or take it out of the schema"
                    faults.append(Fault(file=file, column=self.column, what=what, mend=mend))
        if faults:
            raise BadDataError(faults)
        return target.to_numpy(dtype=np.int64)

    def strata(self, target: np.ndarray, folds: int) -> np.ndarray:  # noqa: ARG002  # every class has enough rows
        """See `Target`: the classes."""
        return target

    @property
    def usual(self) -> Metric:
        """See `Target`."""
        return LOG_LOSS

    def answers(self, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """See `Target`: the most probable class, and `probability_` of each, which sum to 1 exactly."""
        exact = exact_shares(predictions)
        named = {f"{SHARE}{label}": share for label, share in zip(self.outputs, exact.T, strict=True)}
        return {self.column: np.array(self.classes)[predictions.argmax(axis=1)], **named}

    def answer_kinds(self) -> dict[str, type]:
        """See `Target`."""
        kinds = (bool, int, str)  # in this order, as a bool is an int
        answer = next(kind for kind in kinds if kind is str or all(isinstance(each, kind) for each in self.classes))
        return {self.column: answer, **{f"{SHARE}{label}": float for label in self.outputs}}

    def written(self, target: np.ndarray) -> dict[str, np.ndarray]:
        """See `Target`: the labels, in `target`."""
        return {"target": np.array(self.outputs)[target]}

    def unwritten(self, frame: pd.DataFrame) -> np.ndarray:
        """See `Target`."""
        unknown = {*frame["target"]} - {*self.outputs}
        if unknown:
            raise ValueError(f"they are of other classes than are declared by now: {min(unknown)}")
        position = {label: number for number, label in enumerate(self.outputs)}
        return frame["target"].map(position).to_numpy(np.int64)


@dataclass(frozen=True)
class Number(Target):
    """A number: float32 [rows]; predictions are float32 [rows, 1].

    Args:
        column: holds the numbers; none is empty.
        checks: pandera's, as of any column.
    """

    column: str
    checks: Check | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        """See `Target`."""
        return (self.column,)

    @property
    def outputs(self) -> tuple[str, ...]:
        """See `Target`: the column."""
        return (self.column,)

    def read(self, cells: pd.DataFrame, folds: int, file: str) -> np.ndarray:
        """See `Target`."""
        found = _numbers(cells, {self.column: Column(float, self.checks)}, folds, file)
        return found[:, 0]

    def strata(self, target: np.ndarray, folds: int) -> np.ndarray:
        """See `Target`: bins of equally many rows."""
        bins = max(1, min(BINS, len(target) // folds))
        edges = np.quantile(target, np.arange(1, bins) / bins)
        return np.searchsorted(np.unique(edges), target, side="right").astype(np.int64)

    @property
    def usual(self) -> Metric:
        """See `Target`."""
        return RMSE

    def answers(self, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """See `Target`: the number."""
        return {self.column: predictions[:, 0].astype(np.float64)}

    def answer_kinds(self) -> dict[str, type]:
        """See `Target`."""
        return {self.column: float}

    def written(self, target: np.ndarray) -> dict[str, np.ndarray]:
        """See `Target`: in `target_` and the column, whose name the predictions have."""
        return {f"target_{self.column}": target}

    def unwritten(self, frame: pd.DataFrame) -> np.ndarray:
        """See `Target`."""
        return frame[f"target_{self.column}"].to_numpy(np.float32)


@dataclass(frozen=True)
class _Several(Target):
    """Several columns, an output each."""

    names: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.names, tuple) or len(self.names) < 2 or len(set(self.names)) != len(self.names):
            raise ValueError(f"a target takes a tuple of two columns or more, each once, but got {self.names!r}")

    @property
    def columns(self) -> tuple[str, ...]:
        """See `Target`."""
        return self.names

    @property
    def outputs(self) -> tuple[str, ...]:
        """See `Target`: the columns."""
        return self.names

    def written(self, target: np.ndarray) -> dict[str, np.ndarray]:
        """See `Target`: each in `target_` and its name."""
        return {f"target_{name}": column for name, column in zip(self.names, target.T, strict=True)}

    def unwritten(self, frame: pd.DataFrame) -> np.ndarray:
        """See `Target`."""
        return frame[[f"target_{name}" for name in self.names]].to_numpy(np.float32)


@dataclass(frozen=True)
class Flags(_Several):
    """Several things, each true of a row or not (multilabel): float32 [rows, flags], 0 or 1.

    Predictions are the probability of each, which need not sum to 1.
    """

    def read(self, cells: pd.DataFrame, folds: int, file: str) -> np.ndarray:
        """See `Target`."""
        return _numbers(cells, {name: Column(int, Check.isin([0, 1])) for name in self.names}, folds, file)

    def strata(self, target: np.ndarray, folds: int) -> np.ndarray:
        """See `Target`: rows with the same flags, those that are too rare by how many flags are set."""
        kinds, at, counts = np.unique(target, axis=0, return_inverse=True, return_counts=True)
        rare = counts[at] < folds
        return np.where(rare, len(kinds) + target.sum(axis=1).astype(np.int64), at)

    @property
    def usual(self) -> Metric:
        """See `Target`."""
        return FLAG_LOG_LOSS

    def answers(self, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """See `Target`: each flag, 0 or 1, and `probability_` of each."""
        flags = {name: (share >= HALF).astype(int) for name, share in zip(self.names, predictions.T, strict=True)}
        shares = zip(self.names, predictions.T.astype(np.float64), strict=True)
        return flags | {f"{SHARE}{name}": share for name, share in shares}

    def answer_kinds(self) -> dict[str, type]:
        """See `Target`."""
        return {**dict.fromkeys(self.names, int), **{f"{SHARE}{name}": float for name in self.names}}


@dataclass(frozen=True)
class Shares(_Several):
    """The shares of several things in a row, which sum to 1 (soft targets): float32 [rows, names].

    Predictions are such shares, too.
    """

    def read(self, cells: pd.DataFrame, folds: int, file: str) -> np.ndarray:
        """See `Target`; rows that sum to 1 but for their rounding are divided by their sum."""
        found = _numbers(cells, {name: Column(float, Check.in_range(0, 1)) for name in self.names}, folds, file)
        sums = found.sum(axis=1, keepdims=True)
        faults = [
            Fault(file=file, row=int(row) + FIRST_ROW, what=f"the shares sum to {sums[row, 0]:.4g}", mend="correct it")
            for row in np.flatnonzero(np.abs(sums[:, 0] - 1) > WHOLE)
        ]
        if faults:
            raise BadDataError(faults)
        return found / sums

    def strata(self, target: np.ndarray, folds: int) -> np.ndarray:  # noqa: ARG002  # those that are rare stay
        """See `Target`: by the greatest share."""
        return target.argmax(axis=1)

    @property
    def usual(self) -> Metric:
        """See `Target`."""
        return DIVERGENCE

    def answers(self, predictions: np.ndarray) -> dict[str, np.ndarray]:
        """See `Target`: the shares, which sum to 1 exactly."""
        return dict(zip(self.names, exact_shares(predictions).T, strict=True))

    def answer_kinds(self) -> dict[str, type]:
        """See `Target`."""
        return dict.fromkeys(self.names, float)


def exact_shares(predictions: np.ndarray) -> np.ndarray:
    """Probabilities [rows, columns] as float64 that sum to 1, since float32 sums to 1 only so far."""
    exact = predictions.astype(np.float64).clip(LEAST_PROBABILITY, 1 - LEAST_PROBABILITY)  # as Kaggle's log loss does
    return np.asarray(exact / exact.sum(axis=1, keepdims=True))


def _too_few(rows: int, folds: int, file: str) -> list[Fault]:
    what = f"{rows} rows are fewer than the {folds} folds"
    return [Fault(file=file, what=what, mend="add rows, or lower the folds of the split")] if rows < folds else []


def _numbers(cells: pd.DataFrame, columns: Mapping[str, Column], folds: int, file: str) -> np.ndarray:
    """Columns of numbers, float32 [rows, columns]."""
    if faults := _too_few(len(cells), folds, file):
        raise BadDataError(faults)
    return typed(cells[list(columns)], DataFrameSchema(dict(columns)), file).to_numpy(np.float32)
