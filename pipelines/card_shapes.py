"""Shapes of a card: how a column's values, the lengths of its texts or the target are spread, as bars to be drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.targets import Classes, Number, Target
from pipelines.card_codes import CATEGORY, missing
from pipelines.card_columns import Column, measured

BARS = 30  # of numbers; at most so many of whole numbers, which have one each where they are few
FEW = 12  # categories with a bar of their own
MOST_WHOLE = 1e12  # whole numbers beyond it are like any others
TAIL = 0.005  # share of the rows on each side whose numbers lie beyond the outermost bars, and count to them
OTHERS = "others"


@dataclass(frozen=True, kw_only=True)
class Shape:
    """Bars; shares are of the rows that hold something, from 0 to 1."""

    name: str
    unit: str  # what is counted: "", words or characters
    labels: tuple[str, ...]  # of categories, a bar each; () of numbers
    edges: tuple[float, ...]  # of the bars of numbers, one more than bars; () of categories
    train: tuple[float, ...]
    test: tuple[float, ...]  # () of a target


def shape_of(column: Column, train: pd.Series, test: pd.Series) -> Shape:
    """The bars of a column.

    Args:
        column: what is known of it.
        train: its cells in the train rows.
        test: its cells in the test rows.
    """
    sides = [cells[~missing(cells)] for cells in (train, test)]
    if column.kind == CATEGORY:
        return _categories(column.name, *sides)
    return _numbers(column.name, column.unit, *(measured(cells, column.kind, column.unit) for cells in sides))


def target_shape(declared: Target, target: np.ndarray) -> Shape:
    """The bars of a target: rows by class or number; the share of rows with a flag; the mean of a share."""
    if isinstance(declared, Number):
        return _numbers(declared.column, "", target.astype(np.float64), np.zeros(0))
    if isinstance(declared, Classes):
        name, shares = declared.column, np.bincount(target, minlength=len(declared.outputs)) / len(target)
    else:
        name, shares = "target", target.mean(axis=0, dtype=np.float64)
    return Shape(name=name, unit="", labels=declared.outputs, edges=(), train=tuple(shares.tolist()), test=())


def _categories(name: str, train: pd.Series, test: pd.Series) -> Shape:
    common = pd.concat([train, test]).value_counts()
    labels = sorted(common.index[: FEW if len(common) <= FEW else FEW - 1])
    sides = []
    for cells in (train, test):
        counts = cells.value_counts().reindex(labels, fill_value=0).to_numpy()
        others = [] if len(common) <= FEW else [len(cells) - counts.sum()]
        sides.append(tuple((np.array([*counts, *others]) / max(len(cells), 1)).tolist()))
    named = (*map(str, labels), *([OTHERS] if len(common) > FEW else []))
    return Shape(name=name, unit="", labels=named, edges=(), train=sides[0], test=sides[1])


def _numbers(name: str, unit: str, train: np.ndarray, test: np.ndarray) -> Shape:
    edges = _edges(np.concatenate([train, test]))
    sides = []
    for numbers in (train, test):
        at = np.searchsorted(edges[1:-1], numbers, side="right")
        sides.append(tuple((np.bincount(at, minlength=len(edges) - 1) / max(len(numbers), 1)).tolist()))
    return Shape(name=name, unit=unit, labels=(), edges=tuple(edges.tolist()), train=sides[0], test=sides[1])


def _edges(numbers: np.ndarray) -> np.ndarray:
    """Those of the bars, of equal width over all but the tails."""
    if not len(numbers):
        return np.array([0.0, 1.0])
    low, high = np.quantile(numbers, [TAIL, 1 - TAIL], method="lower")
    with np.errstate(all="ignore"):  # the largest numbers have no difference
        if max(-low, high) < MOST_WHOLE and bool((numbers == np.floor(numbers)).all()):
            wide = np.ceil((high - low + 1) / BARS)  # so that each bar is of as many whole numbers
            return np.arange(low - 0.5, high + wide, wide)
        edges = np.linspace(low, high, BARS + 1)
    return edges if np.isfinite(edges).all() and low < high else np.array([low, low + max(abs(low) * 1e-9, 1e-9)])
