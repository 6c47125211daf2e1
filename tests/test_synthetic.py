"""Synthetic twins: files that fit the declaration, the same for a seed, with a score that a model can nearly reach."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest
from pandera.pandas import Check, Column, DataFrameSchema
from sklearn.linear_model import LogisticRegression

from data.metrics import ACCURACY, LOG_LOSS
from data.schema import Schema
from data.sources import RawFiles, Source
from data.splits import Split
from data.synthetic import SIGNALS, draw
from data.tables import ingest
from data.targets import Classes
from features.tabular import tabular
from submissions.check import check_sample
from submissions.layout import Labels, Probabilities
from tests.toy import SCHEMA

pytestmark = pytest.mark.usefixtures("whole_twins")
MANY = Schema(
    id="id",
    target=Classes("class", tuple(f"Class_{number}" for number in range(1, 10))),
    columns=DataFrameSchema({f"feat_{number}": Column(int, Check.ge(0)) for number in range(20)}),
    train_rows=3000,
    test_rows=300,
)
TEXTS = Schema(
    id="PhraseId",
    target=Classes("Sentiment", (0, 1, 2, 3, 4)),
    columns=DataFrameSchema({"SentenceId": Column(int), "Phrase": Column(str)}),
    train_rows=500,
    test_rows=100,
    separator="\t",
)
IMAGES = replace(
    MANY,
    columns=DataFrameSchema(
        {"size": Column(float), **{f"pixel{number}": Column(int, Check.in_range(0, 255)) for number in range(600)}}
    ),
    train_rows=500,
    test_rows=50,
)
NAMES = replace(
    MANY,
    columns=DataFrameSchema({"name": Column(str, Check.str_length(3, 9))}),
    train_rows=2400,
)
TOY = replace(SCHEMA, train_rows=900, test_rows=100)
CASES = [
    (TOY, Labels(), None),
    (MANY, Probabilities(), None),
    (TEXTS, Labels(), "SentenceId"),
    (IMAGES, Labels(), None),
    (NAMES, Labels(), "name"),
]


def tables_of(schema, layout, group):
    twin = draw(schema, ACCURACY, partial(layout.blank, schema=schema), Split(group=group))
    raw = RawFiles(source=Source.TWIN, place="twin", files=twin.files, best=twin.best)
    return ingest(raw, schema, Split(folds=5, group=group))


@pytest.mark.parametrize(("schema", "layout", "group"), CASES)
def test_the_twin_fits_the_declaration_it_was_drawn_from(schema, layout, group):
    tables = tables_of(schema, layout, group)
    check_sample(tables.sample, layout, schema, "sample")
    assert (len(tables.train), len(tables.test)) == (schema.train_rows, schema.test_rows)
    shares = np.bincount(tables.target) / len(tables.target)
    assert shares.min() > 0.5 / len(schema.target.outputs)
    assert 0.85 < tables.best < 0.95


@pytest.mark.parametrize(("schema", "layout", "group"), CASES)
def test_a_seed_draws_the_same_bytes(schema, layout, group):
    drawn = [
        draw(schema, LOG_LOSS, partial(layout.blank, schema=schema), Split(group=group), seed=seed)
        for seed in (1, 1, 2)
    ]
    assert drawn[0] == drawn[1]
    assert drawn[0].files != drawn[2].files


@pytest.mark.parametrize(
    ("schema", "recipe"),
    [
        (TOY, tabular(numbers=["height", "count"], categories=["colour"])),
        (MANY, tabular(counts=MANY.names)),
    ],
)
def test_a_plain_model_comes_near_the_best_and_none_beyond(schema, recipe):
    tables = tables_of(schema, Labels(), None)
    fold = recipe.encode(tables, 0)
    model = LogisticRegression(max_iter=2000).fit(fold.train.input, fold.train.target)
    score = model.score(fold.valid.input, fold.valid.target)
    assert 0.95 * tables.best < score < tables.best + 0.05


def test_pixels_repeat_their_neighbours_and_other_columns_do_not():
    tables = tables_of(IMAGES, Labels(), None)
    pixels = tables.train.drop(columns=["id", "size"], errors="ignore").T
    assert len(pixels) == 600
    assert len(pixels.drop_duplicates()) == SIGNALS
    changes = (pixels != pixels.shift()).any(axis=1).to_numpy().nonzero()[0]
    assert changes.tolist() == [0, 120, 240, 360, 480]
    assert tables.train["size"].nunique() > 400


def test_texts_that_name_groups_tell_the_target_by_their_endings():
    tables = tables_of(NAMES, Labels(), "name")
    names, target = tables.train["name"], tables.target
    assert names.str.len().between(3, 9).all()
    assert names.nunique() > 400
    known = pd.Series(target).groupby(names.str[-2:].to_numpy()).agg(lambda each: each.mode()[0])
    assert (names.str[-2:].map(known) == target).mean() == pytest.approx(tables.best, abs=0.03)
    begins = pd.Series(target).groupby(names.str[:2].to_numpy()).agg(lambda each: each.mode()[0])
    assert (names.str[:2].map(begins) == target).mean() < 0.5


def test_no_more_than_some_thousand_rows_are_drawn():
    schema = replace(MANY, train_rows=10**6, test_rows=10**6)
    twin = draw(schema, ACCURACY, partial(Labels().blank, schema=schema))
    assert [content.count(b"\n") for content in twin.files.values()] == [4001, 4001, 4001]


@pytest.mark.parametrize(
    ("columns", "group"),
    [
        ({"n": Column(int, Check.gt(0)), "m": Column(int, Check.lt(0))}, None),
        ({"x": Column(float, Check.gt(0)), "y": Column(float, Check.in_range(0, 1, include_min=False))}, None),
        ({"flag": Column(int, Check.in_range(0, 1)), "half": Column(int, Check.ge(0.5))}, None),
        ({"flag": Column(float, Check.isin([0.0, 1.0]), nullable=True)}, None),
        ({"x": Column(float), "kin": Column(str)}, "kin"),
        ({"x": Column(float), "kin": Column(int, Check.in_range(5, 40))}, "kin"),
        ({"x": Column(float), "kin": Column(int, Check.isin(list(range(30))))}, "kin"),
        ({"kin": Column(int)}, "kin"),
        ({"kin": Column(str)}, "kin"),
        ({"kin": Column(str, Check.str_length(1, 1))}, "kin"),
        ({"kin": Column(str, Check.str_length(15, 15))}, "kin"),
        ({"kin": Column(str, Check.isin(list("abcdefghij")))}, "kin"),
        ({"text": Column(str)}, None),
    ],
)
def test_a_twin_keeps_to_bounds_values_and_groups(columns, group):
    schema = replace(TOY, columns=DataFrameSchema(columns))
    tables = tables_of(schema, Labels(), group)
    assert len(tables.train) == 900
    if "flag" in columns:
        assert set(tables.train["flag"].dropna()) == {0, 1}


@pytest.mark.parametrize(
    "column",
    [Column(str), Column(str, nullable=True), Column(int, Check.ge(3)), Column(float, Check.in_range(0, 1000))],
)
def test_a_twin_s_times_go_on_from_train_to_test(column):
    schema = replace(TOY, columns=DataFrameSchema({"x": Column(float), "when": column}))
    split = Split(folds=3, time="when")
    twin = draw(schema, ACCURACY, partial(Labels().blank, schema=schema), split)
    tables = ingest(RawFiles(source=Source.TWIN, place="twin", files=twin.files, best=twin.best), schema, split)
    when = tables.train["when"]
    assert when.max() <= tables.test["when"].min()
    for fold in range(3):
        assert when[tables.trained_on(fold)].max() < when[tables.held_out(fold)].min()
