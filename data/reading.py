"""Bytes of a delimited text file to a typed table, with every fault located."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
from pandera.errors import SchemaErrors
from pyarrow import compute
from pyarrow import csv as arrow_csv

from data.errors import BadDataError, Fault
from data.schema import kind

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
FIRST_ROW = 2  # of the data, as a spreadsheet counts: the header is row 1


def read_text(raw: bytes, file: str, separator: str, expected: Sequence[str] | None = None) -> pd.DataFrame:
    """Reads every cell as text.

    Args:
        raw: the file: UTF-8, with or without a byte-order mark, line ends of any kind, cells quoted with ".
        file: its name in errors.
        separator: one character.
        expected: the columns that it must have, in any order; None takes what is there.

    Returns:
        One row a record, the columns in the expected order.

    Raises:
        BadDataError: naming all rows and columns at fault.
    """
    raw = raw.removeprefix(BYTE_ORDER_MARK).rstrip(b"\r\n") + b"\n"
    if not raw.strip():
        raise BadDataError([Fault(file=file, what="the file is empty", mend="download it again")])
    _refuse_non_utf8(raw, file, separator)
    header = next(csv.reader(io.StringIO(raw.partition(b"\n")[0].decode().rstrip("\r")), delimiter=separator))
    columns = list(expected or header)
    _refuse_header(header, columns, file)

    ragged: list[Fault] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        what = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        ragged.append(Fault(file=file, row=row.number, what=what, mend="complete the row or remove it"))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            io.BytesIO(raw),
            read_options=arrow_csv.ReadOptions(use_threads=False),  # threads lose the row numbers
            parse_options=arrow_csv.ParseOptions(
                delimiter=separator,
                newlines_in_values=True,
                ignore_empty_lines=False,  # they would shift the row numbers
                invalid_row_handler=note,
            ),
            convert_options=arrow_csv.ConvertOptions(
                column_types=dict.fromkeys(header, pyarrow.string()), strings_can_be_null=False
            ),
        )
    except pyarrow.ArrowInvalid as error:
        raise BadDataError([Fault(file=file, what=str(error).splitlines()[0], mend="correct the file")]) from error
    if ragged:
        raise BadDataError(ragged)
    if table.num_rows == 0:
        raise BadDataError([Fault(file=file, what="a header and no rows", mend="download it again")])
    last = str(table.column(table.num_columns - 1)[-1])
    if "\n" in last and not raw.rstrip().endswith(b'"'):
        what = "a quote that never closes"
        row = table.num_rows + 1
        raise BadDataError([Fault(file=file, row=row, column=header[-1], what=what, mend="close it")])
    return table.select(columns).to_pandas()


def _refuse_non_utf8(raw: bytes, file: str, separator: str) -> None:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        header = before.partition("\n")[0].rstrip("\r").split(separator)
        cells = next(csv.reader([before.rpartition("\n")[2]], delimiter=separator), [""])
        row = before.count("\n") + 1
        column = header[len(cells) - 1] if row > 1 and 0 < len(cells) <= len(header) else None
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise BadDataError([Fault(file=file, row=row, column=column, what=what, mend="save it as UTF-8")]) from None


def _refuse_header(header: Sequence[str], expected: Sequence[str], file: str) -> None:
    faults = []
    for name in [name for name in expected if name not in header]:
        spellings = {other.strip().lower(): other for other in header if other not in expected}
        near = difflib.get_close_matches(name.lower(), spellings, n=1)
        mend = f"rename {spellings[near[0]]!r}" if near else "add it, or download the file again"
        faults.append(Fault(file=file, row=1, column=name, what="the column is missing", mend=mend))
    for name in [name for name in header if name not in expected]:
        mend = "remove it, or declare it in the schema"
        faults.append(Fault(file=file, row=1, column=name, what="a column that is not declared", mend=mend))
    faults += [
        Fault(file=file, row=1, column=name, what="the column stands twice", mend="remove one")
        for name in sorted({name for name in header if header.count(name) > 1})
    ]
    if faults:
        raise BadDataError(faults)


def typed(text: pd.DataFrame, columns: pa.DataFrameSchema, file: str) -> pd.DataFrame:
    """The declared feature columns as int64, float64 (NaN where empty) and str, checked.

    Raises:
        BadDataError: naming all cells at fault.
    """
    faults: list[Fault] = []
    converted = {}
    for name, column in columns.columns.items():
        cells = text[name]
        if kind(column) is str:
            converted[name] = cells.mask(cells == "") if column.nullable else cells
        else:
            converted[name], found = _numbers(cells, column, file)
            faults += found
    if faults:
        raise BadDataError(sorted(faults, key=lambda fault: fault.row or 0))
    frame = pd.DataFrame(converted, index=text.index)
    try:
        columns.validate(frame, lazy=True)
    except SchemaErrors as errors:
        raise BadDataError(_faults(errors, file)) from None
    return frame


def _numbers(cells: pd.Series, column: pa.Column, file: str) -> tuple[pd.Series, list[Fault]]:
    """A text column as numbers, and a fault for each cell that is none."""
    trimmed = compute.utf8_trim_whitespace(pyarrow.array(cells, pyarrow.string()))
    empty = compute.equal(trimmed, "")
    try:
        wanted = pyarrow.int64() if kind(column) is int else pyarrow.float64()
        values = compute.if_else(empty, None, trimmed).cast(wanted).to_numpy(zero_copy_only=False)
    except pyarrow.ArrowInvalid:  # a number written in another way, or none: the slow way tells them apart
        values = pd.to_numeric(trimmed.to_pandas(), errors="coerce").to_numpy(dtype=np.float64)
    is_empty = empty.to_numpy(zero_copy_only=False)

    faults = []

    def blame(wrong: np.ndarray, what: str, mend: str) -> None:
        for row in np.flatnonzero(wrong):
            said = what.format(repr(cells.iloc[row]))
            faults.append(Fault(file=file, row=int(row) + FIRST_ROW, column=str(cells.name), what=said, mend=mend))

    if not column.nullable:
        blame(is_empty, "the cell is empty", "fill it")
    wrong = ~is_empty & ~np.isfinite(values.astype(np.float64))
    blame(wrong, "{} is not a number", "correct it" + (", or leave it empty" if column.nullable else ""))
    if kind(column) is int and values.dtype != np.int64 and not faults:
        broken = values != np.floor(values)
        blame(broken, "{} is not a whole number", "correct it")
        values = np.where(broken, 0, values).astype(np.int64)
    return pd.Series(values, index=cells.index), faults


def _faults(errors: SchemaErrors, file: str) -> list[Fault]:
    faults = []
    for case in errors.failure_cases.sort_values("index", kind="stable").itertuples():
        what = f"{case.failure_case!r} is not {case.check}" if case.check != "not_nullable" else "the cell is empty"
        row = int(case.index) + FIRST_ROW if case.index is not None and not pd.isna(case.index) else None
        mend = "correct it, or change the schema"
        faults.append(Fault(file=file, row=row, column=str(case.column), what=what, mend=mend))
    return faults
