"""Neighbours: what the nearest train rows say, without oneself, without rows held out, and the same when prepared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.neighbors import NearestNeighbors
from skops import io as skops

from data.errors import UsageError
from features import neighbours
from features.nca import column_weights
from features.neighbours import Distance, Neighbours
from features.recipe import Workshop, encode_later
from features.tabular import tabular
from tests.twins import twin_tables

COLUMNS = ["a", "b"]
ROWS = pd.DataFrame({"a": [9.0, 8.0, 7.0, 0.0, 0.0], "b": [0.0, 0.0, 1.0, 5.0, 4.0]})
TARGET = np.array([0, 1, 1, 0, 0])


def shares(rows: pd.DataFrame, k: int) -> np.ndarray:
    return np.exp(rows[[f"near_{k}_0", f"near_{k}_1"]].to_numpy())


def test_a_new_row_gets_the_shares_of_its_nearest_train_rows():
    near = Neighbours(COLUMNS, ks=(1, 3)).fit(ROWS, TARGET)
    found = near.transform(pd.DataFrame({"a": [1.0, 0.0], "b": [0.3, 1.0]}))
    np.testing.assert_allclose(shares(found, 1), [[0.25, 0.75], [0.75, 0.25]])  # (0 + .5) / 2 and (1 + .5) / 2
    np.testing.assert_allclose(shares(found, 3)[0], [(1 + 0.5) / 4, (2 + 0.5) / 4])
    assert near.names(2) == [name for name in found if name.startswith("near")]


def test_a_train_row_leaves_itself_out():
    found = Neighbours(COLUMNS, ks=(1,)).fit_transform(ROWS, TARGET)
    of_the_twin = [[0.25, 0.75], [0.75, 0.25]]  # the first two rows are alike, and each has the label of the other
    np.testing.assert_allclose(shares(found, 1)[:2], of_the_twin)


@pytest.mark.parametrize("most_known", [2**16, 500])
def test_a_search_once_for_all_folds_gives_what_a_search_in_the_fold_gives(monkeypatch, most_known):
    tables = twin_tables("otto")
    rows = np.arange(len(tables.train)) % 3 == 0
    fold = tables.fold[rows]
    tables = replace(tables, train=tables.train[rows].reset_index(drop=True), fold=fold, target=tables.target[rows])
    columns = [name for name in tables.train if name.startswith("feat_")]
    near = Neighbours(columns, ks=(2, 9))
    recipe = tabular(derive=[near], plain=near.names(9))
    anew = recipe.encode(tables, 1)
    once = recipe.prepare(tables, Workshop()).encode(tables, 1)
    for part in ("train", "valid", "test"):
        ours, theirs = getattr(anew, part).input.numpy(), getattr(once, part).input.numpy()
        assert (ours == theirs).all(axis=1).mean() > 0.97  # rows at one distance may change places
    monkeypatch.setattr(neighbours, "MOST_KNOWN", most_known)
    tables = replace(tables)  # what was found for a table is remembered
    assert recipe.prepare(tables, Workshop()).encode(tables, 1).train.input.isfinite().all()


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("prepared", [True, False])
def test_rows_that_come_later_find_the_neighbours_that_they_had_found_before(distance, prepared, tmp_path):
    tables = twin_tables("otto")
    columns = [name for name in tables.train if name.startswith("feat_")]
    near = Neighbours(columns, ks=(3, 20), distance=distance)
    recipe = tabular(derive=[near], plain=near.names(9))
    encoder, fold = (recipe.prepare(tables, Workshop()) if prepared else recipe).fit(tables, 1)
    skops.dump(encoder, tmp_path / "encoder.skops")
    kept = skops.load(tmp_path / "encoder.skops", trusted=skops.get_untrusted_types(file=tmp_path / "encoder.skops"))
    for rows in (slice(None), slice(5, 6)):
        later = encode_later(kept, tables.test[rows].reset_index(drop=True))
        assert torch.allclose(later.input, fold.test.input[rows], atol=1e-6)


@pytest.mark.parametrize("distance", Distance)
def test_a_label_that_is_held_out_changes_nothing(distance):
    tables = twin_tables("otto")
    columns = [name for name in tables.train if name.startswith("feat_")]
    near = Neighbours(columns, ks=(5,), distance=distance)
    recipe = tabular(derive=[near], plain=near.names(9)).prepare(tables, Workshop())
    flipped = replace(tables, target=np.where(tables.fold == 2, 8 - tables.target, tables.target))
    before, after = recipe.encode(tables, 2), recipe.encode(flipped, 2)
    for part in ("train", "valid", "test"):
        assert np.array_equal(getattr(before, part).input, getattr(after, part).input)


@pytest.mark.parametrize("distance", Distance)
@pytest.mark.parametrize("row", [401, 802])
def test_the_own_label_of_a_row_changes_nothing_for_it_but_for_others(distance, row):
    tables = twin_tables("otto")
    near = Neighbours([name for name in tables.train if name.startswith("feat_")], distance=distance)
    flipped = tables.target.copy()
    flipped[row] = 8 - flipped[row] if flipped[row] != 4 else 0
    before, after = (near.fit_transform(tables.train, target)[near.names(9)] for target in (tables.target, flipped))
    np.testing.assert_array_equal(before.iloc[row], after.iloc[row])
    assert not before.equals(after)


@pytest.mark.parametrize("wrong", [{"ks": (10, 3)}, {"ks": ()}, {"ks": (0, 3)}, {"distance": "angle"}])
def test_what_cannot_be_meant_is_refused_by_name(wrong):
    with pytest.raises(ValueError, match=f"but got {next(iter(wrong))}="):
        Neighbours(COLUMNS, **wrong)


@pytest.mark.parametrize("distance", Distance)
def test_no_rows_get_no_shares(distance):
    near = Neighbours(COLUMNS, ks=(1, 3), distance=distance).fit(ROWS, TARGET)
    assert near.transform(ROWS[:0]).shape == (0, len(COLUMNS) + len(near.names(2)))


@pytest.mark.parametrize("spoilt", [np.nan, -1.0, np.inf])
def test_what_is_no_count_is_told_by_its_column(spoilt):
    rows = ROWS.assign(b=[0.0, 1.0, spoilt, 2.0, 3.0])
    with pytest.raises(UsageError, match=rf"counts of 0 or more, but b holds {spoilt}"):
        Neighbours(COLUMNS, ks=(1,)).fit(rows, TARGET)


@pytest.mark.parametrize(("rows", "count"), [(1, 1), (17, 17), (100, 3), (1000, 90), (1000, 1000)])
def test_the_nearest_are_those_that_scikit_learn_finds(rows, count):
    generator = np.random.default_rng(rows + count)
    known, asked = (
        generator.normal(size=(rows, 6)).astype(np.float32),
        generator.normal(size=(300, 6)).astype(np.float32),
    )
    theirs, _ = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(known).kneighbors(asked)
    ours = np.linalg.norm(asked[:, None] - known[neighbours._search(known, asked, count)], axis=2)
    np.testing.assert_allclose(ours, theirs, rtol=1e-4)


def test_a_clone_shares_what_was_found():
    near = Neighbours(["feat_1", "feat_2"], ks=(2,)).prepare(twin_tables("otto"), Workshop())
    assert clone(near).found is near.found


def test_two_recipes_look_for_the_neighbours_of_the_same_rows_once(monkeypatch):
    tables = replace(twin_tables("otto"))
    first = Neighbours(["feat_1", "feat_2"], ks=(2, 3)).prepare(tables, Workshop())
    monkeypatch.setattr("features.neighbours._search", lambda *_: pytest.fail("it looked again"))
    assert Neighbours(["feat_1", "feat_2"], ks=(3,)).prepare(tables, Workshop()).found is first.found
    monkeypatch.undo()
    assert Neighbours(["feat_1", "feat_3"], ks=(3,)).prepare(tables, Workshop()).found is not first.found
    assert Neighbours(["feat_1", "feat_2"], ks=(3,)).prepare(replace(tables), Workshop()).found is not first.found


def test_a_column_without_a_meaning_counts_for_less_and_the_nearest_are_then_of_one_class():
    generator = np.random.default_rng(0)
    target = generator.integers(0, 3, 900)
    counts = generator.poisson(np.where(np.arange(6) % 3 == target[:, None], 4, 2))
    rows = pd.DataFrame(np.concatenate([counts, generator.poisson(5, (900, 40))], axis=1)).rename(columns=str)
    weights = column_weights(np.sqrt(rows.to_numpy(dtype=np.float32)), target)
    assert weights[:6].min() > 1.5 * weights[6:].max()

    def right(distance: Distance) -> float:
        near = Neighbours(list(rows), ks=(15,), distance=distance).fit(rows[:600], target[:600])
        found = near.transform(rows[600:])[near.names(3)].to_numpy()
        return float((found.argmax(axis=1) == target[600:]).mean())

    assert right(Distance.LEARNED) > right(Distance.ANGLE) + 0.03


def test_folds_in_time_take_the_nearest_of_those_before_them():
    tables = replace(twin_tables("otto"), forward=True)
    tables = replace(tables, fold=np.where(np.arange(len(tables.fold)) < 500, -1, tables.fold).astype(np.int8))
    near = Neighbours([name for name in tables.train if name.startswith("feat_")], ks=(2,))
    recipe = tabular(derive=[near], plain=near.names(9))
    found, wanted = (each.encode(tables, 0).valid.input for each in (recipe.prepare(tables, Workshop()), recipe))
    assert torch.isclose(found, wanted).float().mean() > 0.9  # rows at one distance may change places
