"""Folds: every row held out once, classes spread evenly, kin together."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.splits import Split


@st.composite
def targets(draw):
    folds = draw(st.integers(2, 6))
    counts = draw(st.lists(st.integers(folds, 40), min_size=2, max_size=5))
    order = np.random.default_rng(draw(st.integers(0, 99))).permutation(sum(counts))
    return folds, np.repeat(np.arange(len(counts)), counts)[order]


@given(targets(), st.integers(0, 9))
def test_every_fold_has_its_share_of_every_class(drawn, seed):
    folds, target = drawn
    fold = Split(folds=folds, seed=seed).assign(target)
    assert fold.dtype == np.int8
    for label in np.unique(target):
        shares = np.bincount(fold[target == label], minlength=folds)
        assert shares.sum() == (target == label).sum()
        assert shares.max() - shares.min() <= 1


@given(targets(), st.integers(1, 30))
def test_kin_never_stand_on_two_sides(drawn, kin):
    folds, target = drawn
    groups = np.arange(len(target)) % max(folds, len(target) // kin)
    fold = Split(folds=folds, group="kin").assign(target, pd.DataFrame({"kin": groups}))
    for group in np.unique(groups):
        assert len(set(fold[groups == group])) == 1
    assert set(fold) <= set(range(folds))


def test_the_seed_and_nothing_else_moves_the_folds():
    target = np.arange(100) % 2
    first = Split(seed=1).assign(target)
    assert (first == Split(seed=1).assign(target)).all()
    assert (first != Split(seed=2).assign(target)).any()


def test_what_cannot_be_split_is_refused():
    with pytest.raises(ValueError, match="folds=1"):
        Split(folds=1)
    with pytest.raises(ValueError, match="3 rows cannot fill 5 folds"):
        Split(folds=5).assign(np.zeros(3, dtype=int))
    with pytest.raises(ValueError, match="2 groups cannot fill 5 folds"):
        Split(folds=5, group="kin").assign(np.zeros(9, dtype=int), pd.DataFrame({"kin": np.arange(9) % 2}))
    with pytest.raises(ValueError, match="the split goes by kin, which is not there"):
        Split(folds=5, group="kin").assign(np.zeros(9, dtype=int))


def test_folds_may_be_drawn_without_regard_to_the_classes():
    target = np.repeat([0, 1], [90, 10])
    fold = Split(folds=5, stratified=False).assign(target)
    assert (np.bincount(fold) == 20).all()
    assert len(set(np.bincount(fold[target == 1], minlength=5))) > 1
    kin = pd.DataFrame({"kin": np.arange(100) // 4})
    grouped = Split(folds=5, stratified=False, group="kin").assign(target, kin)
    assert kin.groupby(grouped)["kin"].nunique().sum() == 25


@pytest.mark.parametrize("when", [np.arange(60) // 2, [f"2024-{1 + row // 5:02}-01" for row in range(60)]])
def test_in_time_every_fold_comes_after_what_it_is_trained_on(when):
    order = np.random.default_rng(0).permutation(60)
    rows = pd.DataFrame({"when": np.array(when)[order]})
    fold = Split(folds=5, time="when").assign(np.zeros(60, dtype=int), rows)
    assert set(fold) == {-1, 0, 1, 2, 3, 4}
    assert (np.bincount(fold + 1) == 10).all()
    for number in range(5):
        assert rows["when"][fold < number].max() < rows["when"][fold == number].min()


@pytest.mark.parametrize(
    "when", [["2/12/2023", "1/2/2024"] * 6, ["9:00", "10:00"] * 6, ["2024-1-9", "2024-10-1"] * 6, ["09", "10"] * 6]
)
def test_times_whose_texts_do_not_tell_their_order_are_refused(when):
    rows = pd.DataFrame({"when": when})
    with pytest.raises(ValueError, match=r"when holds .*: times are numbers, or dates that are all written alike"):
        Split(folds=2, time="when").assign(np.zeros(12), rows)


def test_a_column_may_tell_the_folds():
    told = pd.DataFrame({"fold": ["0", "1", "2", "1"]})
    assert Split(folds=3, column="fold").assign(np.zeros(4), told).tolist() == [0, 1, 2, 1]
    with pytest.raises(ValueError, match="from 0 to 1, but holds '2'"):
        Split(folds=2, column="fold").assign(np.zeros(4), told)
    with pytest.raises(ValueError, match="no row is of fold 3"):
        Split(folds=4, column="fold").assign(np.zeros(4), told)
    with pytest.raises(ValueError, match="goes by one column"):
        Split(column="fold", group="kin")
