"""Checks of a sample file against its declaration, and of a submission against its sample file."""

from __future__ import annotations

import pandas as pd

from data.errors import BadDataError, Fault, PodiumError
from data.schema import Schema
from submissions.layout import Layout


class RefusedError(PodiumError):
    """A submission that Kaggle would refuse, or score wrongly. It is not written."""

    exit_code = 65


def check_sample(sample: pd.DataFrame, layout: Layout, schema: Schema, file: str) -> None:
    """Refuses a sample file whose header is not the layout's.

    Raises:
        BadDataError: a column is missing or not declared.
    """
    wanted = (schema.id, *layout.columns(schema))
    mend = "download it again, or mend the layout and the classes in the declaration"
    odd = {name: "the column is missing" for name in wanted if name not in sample.columns}
    odd |= {name: "a column that is not declared" for name in sample.columns if name not in wanted}
    faults = [Fault(file=file, row=1, column=name, what=what, mend=mend) for name, what in odd.items()]
    if faults:
        raise BadDataError(faults)


def check(frame: pd.DataFrame, sample: pd.DataFrame, layout: Layout, schema: Schema) -> None:
    """Refuses a submission that is not what the sample file asks for.

    Args:
        frame: the submission.
        sample: the sample submission, as text.
        layout: labels or probabilities.
        schema: names the id and the classes.

    Raises:
        RefusedError: another header; ids that are missing, twice, foreign or in another order; labels that are no
            classes or of another dtype; probabilities that are not finite, outside [0, 1], or do not sum to 1.
    """
    if list(frame.columns) != list(sample.columns):
        raise RefusedError(f"the submission's header is {list(frame.columns)}, the sample's {list(sample.columns)}")
    ids, wanted = frame[schema.id].astype(str), sample[schema.id]
    if ids.duplicated().any():
        raise RefusedError(f"the submission has the id {ids[ids.duplicated()].iloc[0]!r} twice")
    if set(ids) != set(wanted):
        odd = sorted(set(ids) ^ set(wanted))[0]
        raise RefusedError(f"the submission and the sample do not have the same ids: {odd!r} is in one only")
    if ids.tolist() != wanted.tolist():
        raise RefusedError("the submission's ids are not in the order of the sample's")
    fault = layout.fault(frame, schema)
    if fault is not None:
        raise RefusedError(f"the submission's {fault}")
