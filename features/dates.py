"""Dates: columns of dates to numbers that a network can read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin

YEAR = 365.2425  # days
EPOCH = pd.Timestamp("1970-01-01", tz="UTC")  # in seconds, so that the year 9999 is not too far from it
CYCLES = {"year": YEAR, "week": 7.0, "day": 1.0}  # days after which it begins anew


class Dates(TransformerMixin, BaseEstimator):
    """Adds of each date the days since the first train row's, and where it stands in the year, the week and the day.

    Where in a cycle is a sine and a cosine, so that its end lies beside its beginning. An empty cell gives NaN.

    Args:
        columns: of texts, dates with or without a time of day, as `pandas.to_datetime` reads them.
        day_first: whether 3/4/2026 is in April.
    """

    def __init__(self, columns: Sequence[str], day_first: bool = False) -> None:
        self.columns = columns
        self.day_first = day_first

    def names(self) -> list[str]:
        """The added columns."""
        return [
            f"{name}_{part}"
            for name in self.columns
            for part in ("days", *(f"{c}_{f}" for c in CYCLES for f in ("sin", "cos")))
        ]

    def fit(self, rows: pd.DataFrame, target: np.ndarray | None = None) -> Dates:  # noqa: ARG002
        """Learns which date is the first."""
        firsts = [self._days(rows[name]) for name in self.columns]
        self.first_ = [0.0 if days.isna().all() else float(days.min()) for days in firsts]
        return self

    def transform(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Adds the numbers."""
        added = []
        for name, first in zip(self.columns, self.first_, strict=True):
            days = self._days(rows[name])
            added.append(days - first)
            for length in CYCLES.values():
                angle = 2 * np.pi * (days % length) / length
                added += [np.sin(angle), np.cos(angle)]
        return rows.assign(**dict(zip(self.names(), added, strict=True)))

    def _days(self, cells: pd.Series) -> pd.Series:
        """Days since 1970, float."""
        read = pd.to_datetime(cells, errors="coerce", dayfirst=self.day_first, format="mixed", utc=True)
        return (read - EPOCH) / pd.Timedelta(days=1)
