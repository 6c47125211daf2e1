"""Ingest: every fault of the raw files is found, located, and explained; good files become folded tables."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from data.errors import BadDataError
from data.tables import ingest, load, save
from data.targets import Classes
from tests.toy import SCHEMA, SPLIT, Toy


def spoil(toy, file, row, text):
    getattr(toy, file)[row - 1] = text


def faults_of(toy, split=SPLIT, schema=SCHEMA):
    with pytest.raises(BadDataError) as caught:
        ingest(toy.raw, schema, split)
    return [str(fault) for fault in caught.value.faults]


def test_good_files_become_tables(toy):
    tables = ingest(toy.raw, SCHEMA, SPLIT)
    assert tables.train["id"].tolist() == [str(row) for row in range(60)]
    assert list(tables.train.columns) == ["id", "height", "count", "colour", "remark"]
    assert list(tables.test.columns) == list(tables.train.columns)
    assert [SCHEMA.target.outputs[label] for label in tables.target] == [line.split(",")[-1] for line in toy.train[1:]]
    assert sorted(set(tables.fold)) == [0, 1, 2]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize("end", ["", "\r"])
def test_byte_order_marks_and_line_ends_of_windows_are_accepted(toy, encoding, end):
    plain = ingest(toy.raw, SCHEMA, SPLIT)
    for lines in (toy.train, toy.test, toy.sample):
        lines[:] = [line + end for line in lines]
    tables = ingest(replace(toy, encoding=encoding).raw, SCHEMA, SPLIT)
    pd.testing.assert_frame_equal(tables.train, plain.train)
    pd.testing.assert_frame_equal(tables.sample, plain.sample)
    assert tables.fold_hash == plain.fold_hash


@pytest.mark.parametrize(
    ("file", "row", "text", "fault"),
    [
        ("train", 7, "5,tall,1,red,,no", "raw/train.csv, row 7, column height: 'tall' is not a number"),
        ("train", 7, "5,1.5,-1,red,,no", "raw/train.csv, row 7, column count: -1 is not greater_than_or_equal_to(0)"),
        ("train", 7, "5,1.5,1,pink,,no", "raw/train.csv, row 7, column colour: 'pink' is not isin("),
        (
            "train",
            7,
            "5,1.5,1,red,,maybe",
            "raw/train.csv, row 7, column label: the label 'maybe' is none of the classes",
        ),
        ("train", 7, "5,1.5,1,red,,", "raw/train.csv, row 7, column label: the label is empty; make it one of no, yes"),
        ("train", 7, "4,1.5,1,red,,no", "raw/train.csv, row 7, column id: the id '4' stands in row 6 too; remove one"),
        ("train", 7, ",1.5,1,red,,no", "raw/train.csv, row 7, column id: the id is empty; fill it"),
        ("test", 3, "5,1.5,1,red,", "raw/test.csv, row 3, column id: the id '5' stands in raw/train.csv row 7 too"),
        ("test", 3, "60,1.5,1,red,", "raw/test.csv, row 3, column id: the id '60' stands in row 2 too"),
        ("sample", 3, "999,no", "raw/sample_submission.csv, row 3, column id: the id '999' is not in the test file"),
        ("sample", 3, "60,no", "raw/sample_submission.csv, row 3, column id: the id '60' stands in row 2 too"),
        ("sample", 1, "key,label", "raw/sample_submission.csv, row 1, column key: the first column is 'key', not 'id'"),
    ],
)
def test_a_fault_is_located(toy, file, row, text, fault):
    spoil(toy, file, row, text)
    assert faults_of(toy)[0].startswith(fault)


def test_faults_of_all_files_are_told_together(toy):
    spoil(toy, "train", 2, "0,1.5,x,red,,no")
    spoil(toy, "test", 2, "60,x,1,red,")
    spoil(toy, "sample", 2, "999,no")
    found = faults_of(toy)
    assert {line.split(",")[0] for line in found} == {"raw/train.csv", "raw/test.csv", "raw/sample_submission.csv"}


def test_a_class_that_is_missing_or_rare_is_refused(toy):
    toy.train[1:] = [line.replace(",yes", ",no") for line in toy.train[1:]]
    assert faults_of(toy)[0].startswith(
        "raw/train.csv, column label: the class 'yes' stands in no rows, fewer than the 3"
    )
    toy.train[1] = toy.train[1].replace(",no", ",yes")
    assert "the class 'yes' stands in 1 rows, fewer than the 3 folds; add rows" in faults_of(toy)[0]


def test_fewer_rows_than_folds_are_refused(toy):
    del toy.train[3:]
    assert faults_of(toy)[0].startswith(
        "raw/train.csv: 2 rows are fewer than the 3 folds; add rows, or lower the folds"
    )


def test_fewer_groups_than_folds_are_refused(toy):
    split = replace(SPLIT, group="colour", folds=4)
    assert faults_of(toy, split)[0] == (
        "raw/train.csv: 3 groups cannot fill 4 folds; add rows, or lower the folds of the split"
    )


def test_tables_come_back_from_the_cache_as_they_were(toy, tmp_path):
    tables = ingest(toy.raw, SCHEMA, SPLIT)
    save(tables, tmp_path / "cache" / "toy")
    found = load(tmp_path / "cache" / "toy", toy.raw)
    for name in ("train", "test", "sample"):
        pd.testing.assert_frame_equal(getattr(found, name), getattr(tables, name))
    for name in ("target", "fold"):
        np.testing.assert_array_equal(getattr(found, name), getattr(tables, name))
        assert getattr(found, name).dtype == getattr(tables, name).dtype
    assert found.fold_hash == tables.fold_hash
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["toy"]


def test_the_fold_hash_follows_ids_and_folds(toy):
    first = ingest(toy.raw, SCHEMA, SPLIT).fold_hash
    assert ingest(toy.raw, SCHEMA, replace(SPLIT, seed=1)).fold_hash != first
    toy.train[1] = toy.train[1].replace("0,", "1000,", 1)
    assert ingest(toy.raw, SCHEMA, SPLIT).fold_hash != first


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"target": "label"}, "takes a Target"),
        ({"target": Classes("height", ("no", "yes"))}, "names of their own"),
        ({"columns": type(SCHEMA.columns)({})}, "one feature column or more"),
    ],
)
def test_a_schema_that_makes_no_sense_is_refused(change, message):
    with pytest.raises(ValueError, match=message):
        replace(SCHEMA, **change)


def test_rows_of_files_without_ids_are_counted(toy):
    bare = Toy(
        train=[line.partition(",")[2] for line in toy.train],
        test=[line.partition(",")[2] for line in toy.test],
        sample=["id,label", *(f"{row},no" for row in range(1, 21))],
    )
    found = ingest(bare.raw, replace(SCHEMA, counted_from=1), SPLIT)
    assert found.train["id"].tolist() == [str(row) for row in range(1, 61)]
    assert found.test["id"].tolist() == found.sample["id"].tolist()
    with_ids = ingest(toy.raw, replace(SCHEMA, counted_from=1), SPLIT)
    assert with_ids.train["id"].tolist() == [str(row) for row in range(60)]
    with pytest.raises(BadDataError, match="column id: the column is missing"):
        ingest(bare.raw, SCHEMA, SPLIT)


def test_other_columns_of_the_train_file_are_left_out(toy):
    toy.train = [line + (",heavy" if row == 0 else f",{row}") for row, line in enumerate(toy.train)]
    assert any("a column that is not declared" in fault for fault in faults_of(toy))
    found = ingest(toy.raw, replace(SCHEMA, ignored=("heavy",)), SPLIT)
    assert list(found.train.columns) == list(found.test.columns) == ["id", *SCHEMA.names]


def test_texts_may_stand_for_an_empty_cell(toy):
    toy.train[1] = "0,NA,3,red,NA,no"
    assert faults_of(toy) == [
        "raw/train.csv, row 2, column height: 'NA' is not a number; correct it, or leave it empty"
    ]
    found = ingest(toy.raw, replace(SCHEMA, missing=("NA",)), SPLIT)
    assert np.isnan(found.train["height"][0])
    assert found.train["remark"].isna()[0]
    assert found.train["count"][0] == 3
