"""The tabular recipe, and what every recipe must keep: a fold learns from its train rows and from nothing else."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.preprocessing import FunctionTransformer

from data.codes import UNKNOWN
from data.datasets import Rows
from data.errors import UsageError
from data.tables import Tables, ingest
from features.recipe import Recipe, Workshop
from features.tabular import TabularEncoder, tabular
from pipelines import competition
from pipelines.competition import find
from tests.toy import SCHEMA, SPLIT, TOY
from tests.twins import twin_tables


def tall(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(tall=(rows["height"] > 1.5).astype(float))


TOY_RECIPES = {
    "numbers": tabular(numbers=["height", "count"]),
    "counts": tabular(counts=["count"]),
    "categories": tabular(categories=["colour", "remark"]),
    "embedded": tabular(numbers=["height"], embedded=["colour", "count"]),
    "derived": tabular(numbers=["tall"], derive=[FunctionTransformer(tall)]),
}
COMPETITION_RECIPES = {
    (name, candidate.recipe or find(name).recipe): f"{name}-{model}"
    for name in competition.names()
    for model, candidate in find(name).candidates.items()
}


def few_rows(name: str, rows: int = 120) -> Tables:
    """The first rows of a twin, for recipes that take long over one."""
    tables = twin_tables(name)
    return replace(
        tables,
        train=tables.train[:rows],
        test=tables.test[:rows],
        target=tables.target[:rows],
        fold=tables.fold[:rows],
    )


CASES = [
    *((lambda: ingest(TOY.raw, SCHEMA, SPLIT), recipe) for recipe in TOY_RECIPES.values()),
    *(
        (lambda name=name, few=recipe.text: few_rows(name) if few else twin_tables(name), recipe)
        for name, recipe in COMPETITION_RECIPES
    ),
]
every_recipe = pytest.mark.parametrize(
    ("tables_of", "recipe"), CASES, ids=[*TOY_RECIPES, *COMPETITION_RECIPES.values()]
)


def inputs(data: Rows) -> list[np.ndarray]:
    """The input of each row."""
    return [data[row][0].numpy() for row in range(len(data))]


def assert_same(found: list[np.ndarray], wanted: list[np.ndarray], atol: float = 0) -> None:
    assert [len(row) for row in found] == [len(row) for row in wanted]
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(wanted), rtol=0, atol=atol)


class Curious:
    """Looks at the target while it is prepared."""

    def prepare(self, tables, workshop):
        self.seen = tables.target
        return self


def test_what_is_prepared_sees_no_target():
    tables, curious = twin_tables("titanic"), Curious()
    Recipe(encoder=curious).prepare(tables, Workshop())
    assert (curious.seen == UNKNOWN).all()
    assert len(curious.seen) == len(tables.target)


@every_recipe
def test_rows_that_are_held_out_change_nothing_that_is_learned(tables_of, recipe):
    tables = tables_of()
    before = recipe.encode(tables, 1)
    held_out = np.flatnonzero(tables.fold == 1)
    swapped = tables.train.copy()
    swapped.iloc[held_out] = tables.train.iloc[held_out[::-1]].to_numpy()  # other rows, other labels
    target = tables.target.copy()
    target[held_out] = 1 - np.minimum(target[held_out], 1)
    after = recipe.encode(replace(tables, train=swapped, target=target, test=tables.test[::-1]), 1)
    assert_same(inputs(before.train), inputs(after.train))
    assert_same(inputs(before.valid), inputs(after.valid)[::-1])
    assert_same(inputs(before.test), inputs(after.test)[::-1])


@every_recipe
def test_a_row_never_sees_its_own_label(tables_of, recipe):
    tables = tables_of()
    before = recipe.encode(tables, None).train
    for row in range(0, len(tables.target), max(1, len(tables.target) // 5 | 1)):
        target = tables.target.copy()
        target[row] = (target[row] + 1) % 2
        after = recipe.encode(replace(tables, target=target), None).train
        assert_same([before[row][0].numpy()], [after[row][0].numpy()], atol=0.25)  # standardising moves with the rest


@every_recipe
def test_shapes_targets_and_rows_belong_together(tables_of, recipe):
    tables = tables_of()
    folds = [recipe.encode(tables, fold) for fold in range(tables.fold.max() + 1)]
    rows = np.concatenate([fold.valid_rows for fold in folds])
    assert sorted(rows) == list(range(len(tables.target)))
    for fold in folds:
        np.testing.assert_array_equal(fold.valid.target, tables.target[fold.valid_rows])
        assert len(fold.train) + len(fold.valid) == len(tables.target)
        assert len(fold.test) == len(tables.test)
        assert (fold.test.target == -1).all()
        assert len({data.input.shape[1:] for data in (fold.train, fold.valid, fold.test)}) == 1
        for data in (fold.train, fold.valid, fold.test):
            assert data.input.isfinite().all()
    whole = recipe.encode(tables, None)
    assert (len(whole.train), len(whole.valid)) == (len(tables.target), 0)


def frame(**columns) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_numbers_are_standardised_and_missing_ones_flagged():
    encoder = TabularEncoder(numbers=("x",))
    train = encoder.fit_transform(frame(x=[1.0, 3.0, np.nan, 2.0]), np.zeros(4))
    np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-6)
    np.testing.assert_allclose(train.std(axis=0), 1, atol=1e-6)
    assert train.shape == (4, 2)
    missing = encoder.transform(frame(x=[np.nan, 2.0]))
    assert missing[0, 0] == missing[1, 0]  # the median
    assert missing[0, 1] > 0 > missing[1, 1]
    assert encoder.columns_ == ("numbers__x", "numbers__missingindicator_x")


def test_a_number_that_no_train_row_has_is_harmless():
    encoder = TabularEncoder(numbers=("x",))
    encoder.fit_transform(frame(x=[np.nan, np.nan]), np.zeros(2))
    assert np.isfinite(encoder.transform(frame(x=[5.0, np.nan]))).all()


def test_counts_lose_their_long_tail():
    counts = TabularEncoder(counts=("x",)).fit_transform(frame(x=[0, 9, 99, 999]), np.zeros(4))
    np.testing.assert_allclose(np.diff(counts[:, 0]), np.diff(counts[:, 0])[0], rtol=1e-5)


def test_categories_are_one_hot_and_an_unseen_one_is_nothing():
    encoder = TabularEncoder(categories=("c", "n"))
    train = encoder.fit_transform(frame(c=["a", None, "b"], n=[1, 2, 2]), np.zeros(3))
    assert train.tolist() == [[0, 1, 0, 1, 0], [1, 0, 0, 0, 1], [0, 0, 1, 0, 1]]
    assert encoder.transform(frame(c=["z"], n=[3])).tolist() == [[0, 0, 0, 0, 0]]


def test_embedded_codes_come_last_and_an_unseen_one_is_zero():
    encoder = TabularEncoder(numbers=("x",), embedded=("c", "d"))
    train = encoder.fit_transform(frame(x=[1.0, 2.0], c=["a", "b"], d=["u", "u"]), np.zeros(2))
    assert train[:, 1:].tolist() == [[1, 1], [2, 1]]
    assert encoder.cardinalities_ == (3, 2)
    assert encoder.transform(frame(x=[1.0], c=["z"], d=["v"]))[:, 1:].tolist() == [[0, 0]]


def test_a_column_that_is_not_there_is_named():
    with pytest.raises(UsageError, match="the recipe names the column 'weight', but there are height, colour"):
        TabularEncoder(numbers=("weight",)).fit_transform(frame(height=[1.0], colour=["red"]), np.zeros(1))


def test_a_number_that_no_network_can_take_is_told():
    tables = ingest(TOY.raw, SCHEMA, SPLIT)
    huge = replace(tables, train=tables.train.assign(height=tables.train["height"].where(tables.fold != 1, 1e300)))
    recipe = tabular(plain=["count", "height"])
    with pytest.raises(UsageError, match=r"^the recipe makes no finite number of row 0, column 1 of its input$"):
        recipe.fit(huge, 1)
