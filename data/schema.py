"""Schema: what the raw files of a competition must look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.pandas as pa

from data.reading import header_of, kind, read_text
from data.targets import Target

SAMPLE_NAMES = ("sample_submission.csv", "sampleSubmission.csv", "gender_submission.csv")


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The files, their columns and the target.

    `columns` declares the features, which train and test share, in pandera's terms: a dtype of `int`, `float` or `str`,
    `nullable` where a cell may be empty, and checks. An empty cell of a `str` column that is not nullable stays the
    empty text. Ids and labels are read as text, so that a submission repeats them letter for letter.
    """

    id: str  # the column that names a row
    target: Target  # the columns of train that test lacks
    columns: pa.DataFrameSchema
    train_rows: int  # as Kaggle serves them; the synthetic twin is drawn no larger
    test_rows: int
    train: str = "train.csv"
    test: str = "test.csv"
    sample: tuple[str, ...] = SAMPLE_NAMES  # any one of these
    separator: str = ","
    numbered_apart: bool = False  # train and test count their ids apart, so that one may stand in both
    counted_from: int | None = None  # the id of the first row of a file without the id column; None: all have one

    def __post_init__(self) -> None:
        if not isinstance(self.target, Target) or len(self.separator) != 1:
            raise ValueError(
                f"takes a Target and a separator of one character, but got {self.target=} {self.separator=}"
            )
        named = (self.id, *self.target.columns, *self.names)
        if len(set(named)) != len(named):
            raise ValueError(f"the id, the target and the columns have names of their own, but got {named}")
        if not self.columns.columns:
            raise ValueError("a schema declares one feature column or more, but got none")
        for name, column in self.columns.columns.items():
            if kind(column) is None:
                raise ValueError(f"a column's dtype is int, float or str, but got {name}: {column.dtype}")
            if kind(column) is int and column.nullable:
                raise ValueError(f"an int column has no empty cells: declare {name} as float")

    def read(self, raw: bytes, file: str, columns: Sequence[str]) -> pd.DataFrame:
        """The train or the test file: the id and other columns, every cell as text; ids are counted where it has none.

        Raises:
            BadDataError: naming all rows and columns at fault.
        """
        if self.counted_from is None or self.id in header_of(raw, self.separator):
            return read_text(raw, file, self.separator, [self.id, *columns])
        found = read_text(raw, file, self.separator, columns)
        found.insert(0, self.id, np.arange(len(found)) + self.counted_from)
        return found.astype({self.id: str})

    @property
    def names(self) -> tuple[str, ...]:
        """The feature columns' names, as declared."""
        return tuple(self.columns.columns)
