"""Bytes of a delimited text file to a typed table, with every fault located."""

from __future__ import annotations

import csv
import difflib
import io
import math
import re
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pandera.pandas as pa
import pyarrow
from pandera.errors import SchemaErrors
from pyarrow import compute
from pyarrow import csv as arrow_csv

from data.errors import BadDataError, Fault

NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
MOST_BLOCK = 2**31 - 1  # bytes, of Arrow's reader
CLOSE = "close it, or take the quote away"
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
    raw = raw.removeprefix(BYTE_ORDER_MARK)
    if b"\n" not in raw:
        raw = raw.replace(b"\r", b"\n")  # line ends of old Macs
    raw = raw.rstrip(b"\r\n") + b"\n"
    if not raw.strip():
        raise BadDataError([Fault(file=file, what="the file is empty", mend="download it again")])
    _refuse_non_utf8(raw, file, separator)
    header = header_of(raw, separator)
    columns = list(expected or header)
    _refuse_header(header, columns, file)

    return _parse(raw, file, separator, header).select(columns).to_pandas()


def header_of(raw: bytes, separator: str) -> list[str]:
    """The columns that the first line of a file names, as far as it can be read."""
    first = raw.removeprefix(BYTE_ORDER_MARK).partition(b"\n")[0].partition(b"\r")[0]
    return _cells(first.decode(errors="replace"), separator)


def _parse(raw: bytes, file: str, separator: str, header: list[str]) -> pyarrow.Table:
    """Every cell as text, by Arrow, which knows the number of a row that has too few cells or too many."""
    ragged: list[Fault] = []

    def note(row: arrow_csv.InvalidRow) -> str:
        what = f"{row.actual_columns} cells where the header has {row.expected_columns}"
        mend = "complete the row or remove it"
        if row.text.count('"') % 2:
            what, mend = f"{what}, and a quote that never closes", CLOSE
        ragged.append(Fault(file=file, row=row.number, what=what, mend=mend))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            io.BytesIO(raw),
            read_options=arrow_csv.ReadOptions(
                use_threads=False,  # threads lose the row numbers
                block_size=min(max(len(raw), 2**20), MOST_BLOCK),  # no cell is cut in two
            ),
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
    if table.column_names != header:
        what = "a header of several lines, or a quote in it that never closes"
        raise BadDataError([Fault(file=file, row=1, what=what, mend="write the names in one line")])
    if table.num_rows == 0:
        raise BadDataError([Fault(file=file, what="a header and no rows", mend="download it again")])
    if separator == "\t":
        _refuse_swallowed(table, file, header)
    last = str(table.column(table.num_columns - 1)[-1])
    if "\n" in last and not raw.rstrip().endswith(b'"'):
        what = "a quote that never closes"
        row = table.num_rows + 1
        raise BadDataError([Fault(file=file, row=row, column=header[-1], what=what, mend=CLOSE)])
    return table


def _refuse_swallowed(table: pyarrow.Table, file: str, header: list[str]) -> None:
    """Refuses cells that hold a tab and a line end: between two quotes that only begin cells stand whole rows."""
    faults = []
    for name, column in zip(header, table.columns, strict=True):
        both = compute.and_(compute.match_substring(column, "\t"), compute.match_substring(column, "\n"))
        what = "a quote that closes in a later row"
        faults += [
            Fault(file=file, row=int(row) + FIRST_ROW, column=name, what=what, mend=CLOSE)
            for row in np.flatnonzero(both.to_numpy())
        ]
    if faults:
        raise BadDataError(faults)


def _cells(line: str, separator: str) -> list[str]:
    """The cells of one line; those of a line beyond csv's limits are not told apart."""
    try:
        return next(csv.reader([line], delimiter=separator), [])
    except csv.Error:
        return [line]


def read_lines(raw: bytes, file: str) -> list[str]:
    """The lines of a text file that are not blank, without the blanks around them.

    Raises:
        BadDataError: the file is not UTF-8.
    """
    _refuse_non_utf8(raw, file)
    return [line.strip() for line in raw.decode("utf-8-sig").splitlines() if line.strip()]


def _refuse_non_utf8(raw: bytes, file: str, separator: str | None = None) -> None:
    """Names the row, and the column where a separator parts them."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8")
        row = before.count("\n") + 1
        column = None
        if separator is not None and row > 1:
            header = before.partition("\n")[0].rstrip("\r").split(separator)
            cells = _cells(before.rpartition("\n")[2], separator)
            column = header[len(cells) - 1] if 0 < len(cells) <= len(header) else None
        what = f"byte 0x{raw[error.start]:02x} is not UTF-8"
        raise BadDataError([Fault(file=file, row=row, column=column, what=what, mend="save it as UTF-8")]) from None
    if b"\0" in raw:
        row = raw.partition(b"\0")[0].count(b"\n") + 1
        raise BadDataError(
            [Fault(file=file, row=row, what="a byte of zero, so no plain text", mend="save it as UTF-8")]
        )


def missing_columns(header: Sequence[str], expected: Sequence[str], file: str) -> list[Fault]:
    """A fault for each expected column that a header lacks, with what it may be called there."""
    faults = []
    for name in [name for name in expected if name not in header]:
        spellings = {other.strip().lower(): other for other in header if other not in expected}
        near = difflib.get_close_matches(name.lower(), spellings, n=1)
        mend = f"rename {spellings[near[0]]!r}" if near else "add it, or download the file again"
        faults.append(Fault(file=file, row=1, column=name, what="the column is missing", mend=mend))
    return faults


def _refuse_header(header: Sequence[str], expected: Sequence[str], file: str) -> None:
    faults = missing_columns(header, expected, file)
    for name in [name for name in header if name not in expected]:
        mend = "remove it, or declare it in the schema"
        faults.append(Fault(file=file, row=1, column=name, what="a column that is not declared", mend=mend))
    faults += [
        Fault(file=file, row=1, column=name, what="the column stands twice", mend="remove one")
        for name in sorted({name for name in header if header.count(name) > 1})
    ]
    if faults:
        raise BadDataError(faults)


def kind(column: pa.Column) -> type | None:
    """`int`, `float` or `str`: what a declared column holds; None for any other dtype."""
    text = str(column.dtype)
    return str if text.startswith("str") else {"int64": int, "float64": float}.get(text)


def typed(text: pd.DataFrame, columns: pa.DataFrameSchema, file: str, first: int = FIRST_ROW) -> pd.DataFrame:
    """The declared feature columns as int64, float64 (NaN where empty) and str, checked.

    Args:
        text: every cell as text.
        columns: as declared.
        file: its name in errors.
        first: the number of the first row in errors.

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
            converted[name], found = _numbers(cells, column, file, first)
            faults += found
    if faults:
        raise BadDataError(sorted(faults, key=lambda fault: fault.row or 0))
    frame = pd.DataFrame(converted, index=text.index)
    try:
        columns.validate(frame, lazy=True)
    except SchemaErrors as errors:
        raise BadDataError(_faults(errors, file, first)) from None
    return frame


def as_text(rows: pd.DataFrame) -> pd.DataFrame:
    """Cells of any type as they would be written; what is missing is empty."""
    return pd.DataFrame(
        {
            name: ["" if empty else str(cell) for cell, empty in zip(cells, cells.isna(), strict=True)]
            for name, cells in rows.items()
        },
        dtype=str,
    )


def _numbers(cells: pd.Series, column: pa.Column, file: str, first: int) -> tuple[pd.Series, list[Fault]]:
    """A text column as numbers, and a fault for each cell that is none."""
    trimmed = compute.utf8_trim_whitespace(pyarrow.array(cells, pyarrow.string()))
    empty = compute.equal(trimmed, "")
    wanted = pyarrow.int64() if kind(column) is int else pyarrow.float64()
    try:
        plain = not compute.any(compute.match_substring_regex(trimmed, "[xX]")).as_py()  # Arrow would take 0x1F
        values = compute.if_else(empty, None, trimmed).cast(wanted).to_numpy(zero_copy_only=False) if plain else None
    except pyarrow.ArrowInvalid:
        values = None
    is_empty = empty.to_numpy(zero_copy_only=False)
    if values is None or (is_empty.any() and not column.nullable) or not np.isfinite(values[~is_empty]).all():
        return _numbers_one_by_one(cells, trimmed.to_pylist(), column, file, first)
    return pd.Series(values, index=cells.index), []


def _numbers_one_by_one(
    cells: pd.Series, trimmed: list[str], column: pa.Column, file: str, first: int
) -> tuple[pd.Series, list[Fault]]:
    """The slow way, which tells a number that is written in another way from what is none."""
    values: list[int | float] = []
    faults = []
    mend = "correct it" + (", or leave it empty" if column.nullable else "")
    for row, text in enumerate(trimmed):
        value = _number(text, exact=kind(column) is int)
        what = None
        if not text:
            what = None if column.nullable else "the cell is empty"
        elif not math.isfinite(value):
            what = f"{cells.iloc[row]!r} is not a number"
        elif kind(column) is int and not isinstance(value, int):
            what = f"{cells.iloc[row]!r} is not a whole number of 64 bits"
        if what is not None:
            said = mend if text else "fill it"
            faults.append(Fault(file=file, row=row + first, column=str(cells.name), what=what, mend=said))
        values.append(value if what is None else 0)
    return pd.Series(np.array(values, dtype=np.int64 if kind(column) is int else np.float64), index=cells.index), faults


def _number(text: str, exact: bool) -> int | float:
    """A cell as a whole number where one is wanted and it is one, else as a float; NaN where it is none."""
    if not NUMBER.fullmatch(text):
        return math.nan
    before, _, behind = text.partition(".")
    if exact and not behind.strip("0") and "e" not in text.lower() and -(2**63) <= int(before or 0) < 2**63:
        return int(before or 0)
    return float(text)


def _faults(errors: SchemaErrors, file: str, first: int) -> list[Fault]:
    faults = []
    for case in errors.failure_cases.sort_values("index", kind="stable").itertuples():
        what = f"{case.failure_case!r} is not {case.check}" if case.check != "not_nullable" else "the cell is empty"
        row = int(case.index) + first if case.index is not None and not pd.isna(case.index) else None
        mend = "correct it, or change the schema"
        faults.append(Fault(file=file, row=row, column=str(case.column), what=what, mend=mend))
    return faults
