"""Schema: what the raw files of a competition must look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pandera.pandas as pa

from data.reading import FIRST_ROW, header_of, kind, read_text, typed
from data.targets import Target

SAMPLE_NAMES = ("sample_submission.csv", "sampleSubmission.csv", "gender_submission.csv")


@dataclass(frozen=True, kw_only=True)
class Schema:
    """The files, their columns and the target.

    `columns` declares the features, which train and test share, in pandera's terms: a dtype of `int`, `float` or `str`,
    `nullable` where a cell may be empty, and checks. An empty cell of a `str` column that is not nullable stays the
    empty text. Ids and labels are read as text, so that a submission repeats them letter for letter.

    Attributes:
        id: the column that names a row.
        target: the columns of the train file that the test file lacks, and that are predicted.
        columns: the features.
        train_rows: as Kaggle serves them; the synthetic twin is drawn no larger.
        test_rows: the same of the test file.
        train: a file's name, as the next one.
        test: see `train`.
        sample: names of the sample submission, of which there is any one.
        separator: of the cells of train and test, one character.
        numbered_apart: train and test count their ids apart, so that one may stand in both.
        counted_from: the id of the first row of a file without the id column; None: all have one.
        ignored: other columns of the train file that the test file lacks.
        missing: texts that, like no text, say that a cell of a nullable column is empty.
    """

    id: str
    target: Target
    columns: pa.DataFrameSchema
    train_rows: int
    test_rows: int
    train: str = "train.csv"
    test: str = "test.csv"
    sample: tuple[str, ...] = SAMPLE_NAMES
    separator: str = ","
    numbered_apart: bool = False
    counted_from: int | None = None
    ignored: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not isinstance(self.target, Target) or len(self.separator) != 1:
            raise ValueError(
                f"takes a Target and a separator of one character, but got {self.target=} {self.separator=}"
            )
        for several in (self.sample, self.ignored, self.missing):
            if not isinstance(several, tuple):
                raise ValueError(f"takes a tuple of texts, but got {several!r}")
        named = (self.id, *self.target.columns, *self.names, *self.ignored)
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
        header = header_of(raw, self.separator)
        others = [name for name in self.ignored if name in header]
        if self.counted_from is None or self.id in header:
            return read_text(raw, file, self.separator, [self.id, *columns, *others]).drop(columns=others)
        found = read_text(raw, file, self.separator, [*columns, *others]).drop(columns=others)
        found.insert(0, self.id, np.arange(len(found)) + self.counted_from)
        return found.astype({self.id: str})

    def typed(self, text: pd.DataFrame, file: str, first: int = FIRST_ROW) -> pd.DataFrame:
        """The features of rows whose every cell is text: see `data.reading.typed`.

        Raises:
            BadDataError: naming all cells at fault.
        """
        if self.missing:
            nullable = [name for name, column in self.columns.columns.items() if column.nullable]
            text = text.assign(
                **{name: text[name].mask(text[name].str.strip().isin(self.missing), "") for name in nullable}
            )
        return typed(text, self.columns, file, first)

    @property
    def names(self) -> tuple[str, ...]:
        """The feature columns' names, as declared."""
        return tuple(self.columns.columns)
