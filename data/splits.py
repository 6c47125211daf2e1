"""Splits: which fold every train row is held out in."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

MOST_FOLDS = 127  # that int8 numbers


@dataclass(frozen=True, kw_only=True)
class Split:
    """Stratified folds; where rows are kin, `group` names the column whose equal values stay on one side."""

    folds: int = 5
    group: str | None = None
    seed: int = 0  # of the shuffle; the training's own seed leaves the folds alone, so that runs compare

    def __post_init__(self) -> None:
        if not 2 <= self.folds <= MOST_FOLDS:
            raise ValueError(f"a split takes 2 to {MOST_FOLDS} folds, but got {self.folds=}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"a split takes a seed from 0 to {2**32 - 1}, but got {self.seed=}")

    def assign(self, target: np.ndarray, groups: np.ndarray | None = None) -> np.ndarray:
        """The fold in which each row is held out, int8 [rows].

        Args:
            target: int64 [rows], the class of each row.
            groups: [rows], the values of the `group` column; needed when one is declared.

        Raises:
            ValueError: fewer rows, or groups, than folds; a group declared and not given, or empty in a row.
        """
        if self.group is not None and groups is None:
            raise ValueError(f"the split keeps {self.group} together, but got no groups")
        if groups is not None:
            if pd.isna(groups).any():
                raise ValueError(f"{int(pd.isna(groups).sum())} rows have no {self.group or 'group'}")
            groups = np.unique(groups, return_inverse=True)[1]
        pieces = len(target) if groups is None else len(np.unique(groups))
        if pieces < self.folds:
            raise ValueError(f"{pieces} {'rows' if groups is None else 'groups'} cannot fill {self.folds} folds")
        splitter = StratifiedKFold if groups is None else StratifiedGroupKFold
        fold = np.empty(len(target), dtype=np.int8)
        rows = np.zeros(len(target))
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="The least populated class")  # checked where the file is known
            parts = splitter(self.folds, shuffle=True, random_state=self.seed).split(rows, target, groups)
            for number, (_, held_out) in enumerate(parts):
                fold[held_out] = number
        return fold
