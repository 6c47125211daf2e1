"""Splits: which fold every train row is held out in."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import GroupKFold, KFold, StratifiedGroupKFold, StratifiedKFold

MOST_FOLDS = 127  # that int8 numbers


def in_order(when: pd.Series) -> pd.Series:
    """The times themselves, whose order is that of their values; none is empty.

    Raises:
        ValueError: they are texts, and not dates that are all written alike from the year on.
    """
    if pd.api.types.is_numeric_dtype(when):
        return when
    forms = when.astype(str).str.replace(r"\d", "0", regex=True)
    odd = when[(forms != forms.iloc[0]) | ~forms.str.startswith("0000")] if len(when) else when
    if len(odd):
        raise ValueError(
            f"{when.name} holds {odd.iloc[0]!r} beside {when.iloc[0]!r}: times are numbers, or dates that are all"
            " written alike from the year on, as 2026-01-31"
        )
    return when


def may_teach(fold: np.ndarray, number: int, forward: bool) -> np.ndarray:
    """Which rows a fold may learn from, its networks as its weights in a blend and its thresholds, bool [rows].

    Args:
        fold: int8 [rows], in which each row is held out; -1 where none does.
        number: of the fold that learns.
        forward: whether the folds are in time.
    """
    return fold < number if forward else fold != number


@dataclass(frozen=True, kw_only=True)
class Split:
    """Folds that are shuffled, stratified by the target (a number by bins), and alone in seeing their rows.

    Args:
        folds: how many.
        group: where rows are kin, the column whose equal values stay on one side.
        stratified: whether each fold has its share of each class.
        time: the column by whose order each fold is trained on what comes before it alone; its values are numbers, or
            dates that are all written alike, from the year to the day or the second. The rows of the first of
            `folds + 1` parts are held out by none.
        column: a column, of the train file alone or of both, that tells the fold of each row, from 0.
        seed: of the shuffle; the training's own seed leaves the folds alone, so that runs compare.
    """

    folds: int = 5
    group: str | None = None
    stratified: bool = True
    time: str | None = None
    column: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if not 2 <= self.folds <= MOST_FOLDS:
            raise ValueError(f"a split takes 2 to {MOST_FOLDS} folds, but got {self.folds=}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"a split takes a seed from 0 to {2**32 - 1}, but got {self.seed=}")
        if len(self.columns) > 1:
            raise ValueError(f"a split goes by one column, but got {' and '.join(self.columns)}")

    @property
    def forward(self) -> bool:
        """Whether a fold is trained on those before it alone, and not on all others."""
        return self.time is not None

    def answering(self, folds: int, refit: bool) -> range:
        """The folds whose networks answer new rows; in time those before the last have not seen what is nearest.

        Args:
            folds: how many there are.
            refit: whether there are networks of all rows, which answer in any case.
        """
        if not self.forward:
            return range(folds)
        return range(folds if refit else folds - 1, folds)

    @property
    def is_drawn(self) -> bool:
        """Whether its seed makes other folds."""
        return self.time is None and self.column is None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that it goes by."""
        return tuple(name for name in (self.group, self.time, self.column) if name is not None)

    def assign(self, strata: np.ndarray, rows: pd.DataFrame | None = None) -> np.ndarray:
        """The fold in which each row is held out, int8 [rows]; -1 where none does.

        Args:
            strata: int64 [rows], equal where rows are alike.
            rows: the columns that it goes by.

        Raises:
            ValueError: fewer rows, or groups, than folds; a column that is not there, or empty in a row, or of times
                whose order their texts do not tell.
        """
        for name in self.columns:
            if rows is None or name not in rows:
                raise ValueError(f"the split goes by {name}, which is not there")
            empty = int((rows[name].isna() | (rows[name] == "")).sum())
            if empty:
                raise ValueError(f"{empty} rows have no {name}")
        if rows is not None and self.column is not None:
            return self._told(rows[self.column])
        if rows is not None and self.time is not None:
            return self._in_time(rows[self.time])
        groups = None
        if rows is not None and self.group is not None:
            groups = np.unique(rows[self.group].to_numpy(dtype=object), return_inverse=True)[1]
        pieces = len(strata) if groups is None else len(np.unique(groups))
        if pieces < self.folds:
            raise ValueError(f"{pieces} {'rows' if groups is None else 'groups'} cannot fill {self.folds} folds")
        fold = np.empty(len(strata), dtype=np.int8)
        places = np.zeros(len(strata))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")  # checked where the file is known
            for number, (_, held_out) in enumerate(self._splitter().split(places, strata, groups)):
                fold[held_out] = number
        return fold

    def _splitter(self) -> StratifiedKFold | StratifiedGroupKFold | KFold | GroupKFold:
        kinds = {
            (True, False): StratifiedKFold,
            (True, True): StratifiedGroupKFold,
            (False, False): KFold,
            (False, True): GroupKFold,
        }
        kind = kinds[self.stratified, self.group is not None]
        return kind(self.folds, shuffle=True, random_state=self.seed)

    def _in_time(self, when: pd.Series) -> np.ndarray:
        """Parts of about as many rows, one after another; rows of one time stay together."""
        times, at = np.unique(in_order(when).to_numpy(), return_inverse=True)
        if len(times) <= self.folds:
            raise ValueError(f"{len(times)} times cannot fill {self.folds} folds and a part before them")
        before = np.cumsum(np.bincount(at)) - np.bincount(at)  # rows that are earlier than each time
        part = before * (self.folds + 1) // len(when)
        part = np.unique(part, return_inverse=True)[1]  # a time of many rows may fill some
        if part.max() != self.folds:
            raise ValueError(f"the rows of one time are too many for {self.folds} folds in time")
        return (part[at] - 1).astype(np.int8)

    def _told(self, told: pd.Series) -> np.ndarray:
        numbers = pd.to_numeric(told, errors="coerce").to_numpy()
        if not np.isin(numbers, np.arange(self.folds)).all():
            odd = told[~np.isin(numbers, np.arange(self.folds))].iloc[0]
            raise ValueError(f"{self.column} tells the folds, from 0 to {self.folds - 1}, but holds {odd!r}")
        missing = sorted({*range(self.folds)} - {*numbers.astype(int)})
        if missing:
            raise ValueError(f"no row is of fold {missing[0]}, as {self.column} tells")
        return numbers.astype(np.int8)
