"""Schema: what the raw files of a competition must look like."""

from __future__ import annotations

from dataclasses import dataclass

import pandera.pandas as pa

from data.reading import kind
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

    @property
    def names(self) -> tuple[str, ...]:
        """The feature columns' names, as declared."""
        return tuple(self.columns.columns)
