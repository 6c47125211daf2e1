"""Duplicates of a card: rows that repeat others, letter for letter or nearly, within train and between train and test.

Rows are compared in all declared columns but the group's. Two rows are equal where every cell is the same. They are
nearly equal where every text is the same without its case, blanks and punctuation, and every number falls into the same
step of a hundredth of the train rows' standard deviation. Steps are tried in two places, so that an edge that parts two
numbers next to each other parts them in one of the two alone. Of rows of many numbers most are parted in both: what is
counted as nearly equal is then the least that there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

STEP = 0.01  # standard deviations
SHIFTS = (0.0, 0.5)  # steps
FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that a column's place counts in the hash of a row


@dataclass(frozen=True, kw_only=True)
class Repeats:
    """How many rows repeat others."""

    train: int  # train rows that are equal to another train row
    disagree: int  # those of them that are equal to one of another target
    test: int  # test rows that are equal to another test row
    across: int  # test rows that are equal to a train row


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Rows that are equal, and rows that are nearly equal, the equal ones included."""

    columns: int  # that were compared
    exact: Repeats
    near: Repeats


def duplicates_of(train: pd.DataFrame, test: pd.DataFrame, target: np.ndarray, columns: Sequence[str]) -> Duplicates:
    """Counts them over all rows.

    Args:
        train: [train rows].
        test: [test rows].
        target: [train rows, ...].
        columns: to compare; of none no rows are equal.
    """
    cells = [pd.concat([train[name], test[name]], ignore_index=True) for name in columns]
    labels = _numbered([pd.Series(output) for output in np.atleast_2d(target.T)], len(target))
    equal = _numbered(cells, len(train) + len(test))
    rounded = [_numbered((_rounded(each, len(train), shift) for each in cells), len(equal)) for shift in SHIFTS]
    return Duplicates(columns=len(columns), exact=_repeats([equal], labels), near=_repeats([equal, *rounded], labels))


def _numbered(columns: Iterable[pd.Series], rows: int) -> np.ndarray:
    """A number a row, int64 [rows], that rows of the same cells share, and no others: 64 bits part millions of rows."""
    known, hashes = False, np.zeros(rows, dtype=np.uint64)
    for cells in columns:
        known = True
        hashes *= FACTOR
        hashes += pd.util.hash_pandas_object(cells, index=False).to_numpy(np.uint64)
    return np.asarray(pd.factorize(hashes)[0], dtype=np.int64) if known else np.arange(rows)


def _rounded(cells: pd.Series, train_rows: int, shift: float) -> pd.Series:
    """Cells that are the same where they are nearly equal."""
    if pd.api.types.is_numeric_dtype(cells):
        return pd.Series(_steps(cells.to_numpy(np.float64), train_rows, shift))
    return _plain(cells)


def _steps(numbers: np.ndarray, train_rows: int, shift: float) -> np.ndarray:
    """The step into which each number falls, NaN where there is none."""
    known = numbers[:train_rows][~np.isnan(numbers[:train_rows])]
    with np.errstate(all="ignore"):  # the largest numbers have no standard deviation
        scale = known.std() if len(known) else 0.0
        step = STEP * scale if np.isfinite(scale) and scale > 0 else 1.0
        return np.asarray(np.floor(numbers / step + shift) + 0.0)  # -0.0 is 0.0


def _plain(texts: pd.Series) -> pd.Series:
    """Letters and digits alone, in one case; a text without any stays as it is."""
    plain = texts.str.lower().str.replace(r"[\W_]+", "", regex=True)
    return plain.mask(plain == "", texts)


def _repeats(keys: Sequence[np.ndarray], labels: np.ndarray) -> Repeats:
    """Of rows that are equal in one of the keys at least; the first rows are those with labels."""
    size = len(labels)
    found = np.zeros((4, len(keys[0])), dtype=bool)
    for kind in keys:
        kinds = int(kind.max()) + 1
        in_train, in_test = (np.bincount(side, minlength=kinds) for side in (kind[:size], kind[size:]))
        pairs = np.unique(np.stack([kind[:size], labels]), axis=1)
        targets = np.bincount(pairs[0], minlength=kinds)
        found |= np.stack([in_train[kind] > 1, targets[kind] > 1, in_test[kind] > 1, in_train[kind] > 0])
    train, disagree = found[:2, :size].sum(axis=1)
    test, across = found[2:, size:].sum(axis=1)
    return Repeats(train=int(train), disagree=int(disagree), test=int(test), across=int(across))
