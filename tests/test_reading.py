"""Raw bytes to typed tables: what is accepted, and how precisely a fault is named."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandera.pandas import Column, DataFrameSchema

from data.errors import BadDataError
from data.reading import read_text, typed

TEXT = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), max_size=12)


def written(rows: list[list[str]], **dialect) -> bytes:
    stream = io.StringIO()
    csv.writer(stream, quoting=csv.QUOTE_ALL, **dialect).writerows(rows)
    return stream.getvalue().encode()


@given(
    rows=st.lists(st.tuples(TEXT, TEXT, TEXT), min_size=1, max_size=8),
    end=st.sampled_from(["\n", "\r\n"]),
    mark=st.sampled_from([b"", b"\xef\xbb\xbf"]),
    separator=st.sampled_from([",", "\t", ";"]),
)
def test_any_text_comes_back_letter_for_letter(rows, end, mark, separator):
    raw = mark + written([["a", "b", "c"], *rows], lineterminator=end, delimiter=separator)
    read = read_text(raw, "train.csv", separator, ["a", "b", "c"])
    assert [tuple(row) for row in read.to_numpy()] == [tuple(row) for row in rows]


@given(st.lists(st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)), min_size=1))
def test_any_number_comes_back_to_the_last_digit(values):
    raw = written([["x", "y"], *[["" if value is None else repr(value), ""] for value in values]])
    schema = DataFrameSchema({"x": Column(float, nullable=True)})
    read = typed(read_text(raw, "train.csv", ","), schema, "train.csv")["x"].to_numpy()
    np.testing.assert_array_equal(read, [np.nan if value is None else value for value in values])


def test_empty_lines_at_the_end_are_accepted():
    assert len(read_text(b"a,b\r\n1,2\r\n\r\n\r\n", "train.csv", ",")) == 1


def test_line_ends_of_old_macs_are_accepted():
    assert read_text(b"a,b\r1,2\r3,4\r", "train.csv", ",").to_numpy().tolist() == [["1", "2"], ["3", "4"]]


def test_whole_numbers_are_exact_however_the_others_are_written():
    schema = DataFrameSchema({"i": Column(int)})
    raw = b"i,f\n9007199254740993,\n5.0,\n-9223372036854775808,\n"
    assert typed(read_text(raw, "t.csv", ","), schema, "t.csv")["i"].tolist() == [9007199254740993, 5, -(2**63)]


def test_columns_come_in_the_declared_order():
    assert read_text(b"b,a\n1,2\n", "train.csv", ",", ["a", "b"]).to_numpy().tolist() == [["2", "1"]]


def test_blanks_around_numbers_and_other_ways_to_write_them_are_accepted():
    schema = DataFrameSchema({"i": Column(int), "f": Column(float)})
    read = typed(read_text(b"i,f\n 3 ,+1.5\n4.0,1E2\n", "t.csv", ","), schema, "t.csv")
    assert read["i"].tolist() == [3, 4]
    assert read["i"].dtype == np.int64
    assert read["f"].tolist() == [1.5, 100.0]


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b"", "t.csv: the file is empty; download it again"),
        (b" \n \n", "t.csv: the file is empty; download it again"),
        (b"i,f\n", "t.csv: a header and no rows; download it again"),
        (b"i,f", "t.csv: a header and no rows; download it again"),
        (b"i\n1\n", "t.csv, row 1, column f: the column is missing; add it, or download the file again"),
        (b"i,F\n1,2\n", "t.csv, row 1, column f: the column is missing; rename 'F'"),
        (b"i,f,g\n1,2,3\n", "t.csv, row 1, column g: a column that is not declared; remove it"),
        (b"i,f,f\n1,2,3\n", "t.csv, row 1, column f: the column stands twice; remove one"),
        (b"i,f\n1,2\n3\n", "t.csv, row 3: 1 cells where the header has 2; complete the row"),
        (b"i,f\n1,2\n\n3,x\n", "t.csv, row 3, column i: the cell is empty; fill it"),
        (b"i,f\n1,2\n3,4,5\n", "t.csv, row 3: 3 cells where the header has 2; complete the row"),
        (b"i,f\n1,2\n3,'\xff\n", "t.csv, row 3, column f: byte 0xff is not UTF-8; save it as UTF-8"),
        (b"i,f\n1,2\n3,x\n", "t.csv, row 3, column f: 'x' is not a number; correct it, or leave it empty"),
        (b"i,f\nx,2\n", "t.csv, row 2, column i: 'x' is not a number; correct it"),
        (b"i,f\n1.5,2\n", "t.csv, row 2, column i: '1.5' is not a whole number of 64 bits; correct it"),
        (b"i,f\n1e19,2\n", "t.csv, row 2, column i: '1e19' is not a whole number of 64 bits; correct it"),
        (b"i,f\n99999999999999999999,2\n", "t.csv, row 2, column i: '99999999999999999999' is not a whole number"),
        (b"i,f\n0x1F,2\n", "t.csv, row 2, column i: '0x1F' is not a number; correct it"),
        (b"i,f\n1,1e400\n", "t.csv, row 2, column f: '1e400' is not a number; correct it, or leave it empty"),
        (b"\ni,f\n1,2\n", "t.csv, row 1, column i: the column is missing"),
        ("i,f\n1,2\n".encode("utf-16-le"), "t.csv, row 1: a byte of zero, so no plain text; save it as UTF-8"),
        (b'i,f\n1,"' + b"x" * 2**21 + b'"\n', "t.csv, row 2, column f: 'xxx"),
        (b"i" * 200_000 + b",f\n1,2\n", "t.csv, row 1, column i: the column is missing"),
        (b"i,f\n1,inf\n", "t.csv, row 2, column f: 'inf' is not a number"),
        (b"i,f\n1,nan\n", "t.csv, row 2, column f: 'nan' is not a number"),
        (b"i,f\n,2\n", "t.csv, row 2, column i: the cell is empty; fill it"),
        (b'i,f\n1,2\n3,"4\n5,6\n', "t.csv, row 3, column f: a quote that never closes; close it"),
    ],
)
def test_a_fault_is_one_line_with_file_row_column_and_mend(raw, line):
    schema = DataFrameSchema({"i": Column(int), "f": Column(float, nullable=True)})
    with pytest.raises(BadDataError) as caught:
        typed(read_text(raw, "t.csv", ",", ["i", "f"]), schema, "t.csv")
    assert str(caught.value).startswith(line)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("raw", "line"),
    [
        (b'i\tp\n1\ta\n2\t"b\n3\tc\n4\t"d\n', "t.tsv, row 3, column p: a quote that closes in a later row; close it"),
        (b'i\tp\tq\n1\ta\tb\n2\t"b\tc\n3\tc\td\n', "t.tsv, row 3: 2 cells where the header has 3, and a quote that"),
        (b'i\tp\n1\ta\n2\t"b\n3\tc\n', "t.tsv, row 3, column p: a quote that"),
    ],
)
def test_a_quote_that_swallows_rows_is_named(raw, line):
    with pytest.raises(BadDataError) as caught:
        read_text(raw, "t.tsv", "\t")
    assert str(caught.value).startswith(line)


def test_a_header_of_several_lines_is_told():
    with pytest.raises(BadDataError, match=r"t.csv, row 1: a header of several lines"):
        read_text(b'i,"f\nkm"\n1,2\n', "t.csv", ",")


def test_all_faults_are_found_at_once_and_counted():
    raw = b"i,f\nx,y\n1,2\n3,z\n"
    schema = DataFrameSchema({"i": Column(int), "f": Column(float)})
    with pytest.raises(BadDataError, match=r"\(and 2 more: `make check` lists them\)$") as caught:
        typed(read_text(raw, "t.csv", ",", ["i", "f"]), schema, "t.csv")
    assert [(fault.row, fault.column) for fault in caught.value.faults] == [(2, "i"), (2, "f"), (4, "f")]
