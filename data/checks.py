"""Checks between the rows and the files of a competition: ids, labels, and the sample submission."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd

from data.errors import BadDataError, Fault
from data.reading import FIRST_ROW


def gather(*steps: Callable) -> list:
    """The results of all steps.

    Raises:
        BadDataError: with the faults of all steps.
    """
    results: list = []
    faults: list[Fault] = []
    for step in steps:
        try:
            results.append(step())
        except BadDataError as error:
            faults += error.faults
    if faults:
        raise BadDataError(faults)
    return results


def check_ids(ids: pd.Series, file: str, column: str) -> None:
    """Refuses ids that are empty or stand twice."""
    faults = []
    first = dict(reversed([(name, row) for row, name in enumerate(ids)]))
    for row in np.flatnonzero(ids.duplicated() | (ids == "")):
        name = ids.iloc[row]
        what = f"the id {name!r} stands in row {first[name] + FIRST_ROW} too" if name else "the id is empty"
        mend = "remove one of the two" if name else "fill it"
        faults.append(Fault(file=file, row=int(row) + FIRST_ROW, column=column, what=what, mend=mend))
    if faults:
        raise BadDataError(faults)


def check_apart(train: pd.Series, test: pd.Series, train_file: str, test_file: str, column: str) -> None:
    """Refuses test rows whose id is a train row's."""
    first = {name: row for row, name in enumerate(train)}
    faults = []
    for row in np.flatnonzero(test.isin(train)):
        what = f"the id {test.iloc[row]!r} stands in {train_file} row {first[test.iloc[row]] + FIRST_ROW} too"
        mend = "remove it from one of the files"
        faults.append(Fault(file=test_file, row=int(row) + FIRST_ROW, column=column, what=what, mend=mend))
    if faults:
        raise BadDataError(faults)


def check_sample(sample: pd.DataFrame, test: pd.Series, file: str, column: str) -> None:
    """Refuses a sample submission that does not name every test row once; any order will do."""
    if sample.columns[0] != column:
        what, mend = f"the first column is {sample.columns[0]!r}, not {column!r}", "download it again"
        raise BadDataError([Fault(file=file, row=1, column=str(sample.columns[0]), what=what, mend=mend)])
    ids = sample[column].str.strip()
    check_ids(ids, file, column)
    faults = []
    for row in np.flatnonzero(~ids.isin(test)):
        what, mend = f"the id {ids.iloc[row]!r} is not in the test file", "take both from one download"
        faults.append(Fault(file=file, row=int(row) + FIRST_ROW, column=column, what=what, mend=mend))
    for name in test[~test.isin(ids)]:
        what, mend = f"the id {name!r} of the test file is missing", "take both from one download"
        faults.append(Fault(file=file, column=column, what=what, mend=mend))
    if faults:
        raise BadDataError(faults)
