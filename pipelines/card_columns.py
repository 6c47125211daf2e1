"""Columns of a card: what each column is declared to hold, and what it holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from data.schema import Schema
from data.tables import Tables
from pipelines.card_codes import CATEGORY, TEXT, kind_of, lengths, missing, unit_of

Range = tuple[float, float, float]  # least, middle, greatest


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column in the train rows and the test rows; shares are of rows, from 0 to 1."""

    name: str
    kind: str  # number, category (at most 50 distinct values) or text
    checks: tuple[str, ...]  # as declared
    distinct: int  # values of the train rows
    missing_train: float
    missing_test: float
    new: float | None  # share of the test rows whose category no train row has; None: not a category
    unit: str  # what the ranges count: "", words or characters
    train: Range | None  # of numbers, or of the texts' lengths; None: of categories, or nothing is there
    test: Range | None

    @property
    def constant(self) -> bool:
        """Whether all train rows that hold something hold the same."""
        return self.distinct < 2 and (self.distinct == 0 or self.missing_train == 0)


def columns_of(schema: Schema, tables: Tables) -> list[Column]:
    """All declared columns."""
    return [_column(schema, name, tables.train[name], tables.test[name]) for name in schema.names]


def _column(schema: Schema, name: str, train: pd.Series, test: pd.Series) -> Column:
    held = kind_of(schema, name, pd.concat([train, test], ignore_index=True))
    known, known_test = train[~missing(train)], test[~missing(test)]
    unit = unit_of(known) if held == TEXT else ""
    return Column(
        name=name,
        kind=held,
        checks=tuple(str(check.error or check.name) for check in schema.columns.columns[name].checks),
        distinct=int(known.nunique()),
        missing_train=_share(missing(train)),
        missing_test=_share(missing(test)),
        new=_share(~known_test.isin(known.unique()).to_numpy(bool)) if held == CATEGORY else None,
        unit=unit,
        train=_range(known, held, unit),
        test=_range(known_test, held, unit),
    )


def measured(cells: pd.Series, held: str, unit: str) -> np.ndarray:
    """The numbers of a column, or the lengths of its texts: float64 [rows]; nothing is missing."""
    return (lengths(cells, unit) if held == TEXT else cells.to_numpy()).astype(np.float64)


def _share(which: np.ndarray) -> float:
    return float(which.mean()) if len(which) else 0.0


def _range(known: pd.Series, held: str, unit: str) -> Range | None:
    if held == CATEGORY or known.empty:
        return None
    least, middle, greatest = np.quantile(measured(known, held, unit), [0, 0.5, 1], method="lower")
    return float(least), float(middle), float(greatest)
